"""By which means one opts out, read from what a policy says and from what the tool file knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from optout_proxy.hosts import host_of, site_of
from optout_proxy.rules.options import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer.inline import Rich
    from optout_proxy.registry.policy_file import Link, OptOutKind
    from optout_proxy.registry.tool_file import ToolFile

_NONE: Final = re.compile(
    r"\bno (?:express )?opt[\s-]?out(?! (?:of|by))"
    r"|(?:can ?not|can't|not possible to|unable to) opt[\s-]?out"
    r"|there is no (?:way|possibility) to opt",
    re.IGNORECASE,
)
_ABSTAIN: Final = re.compile(
    r"\bby (?:simply )?not \w+ing\b|\bdeclin(?:e|ing)\b|\blog(?:ging)?[\s-]?out\b"
    r"|\bnot (?:be )?required to (?:log|sign)|\b(?:do not|don't|need not|without) "
    r"(?:us(?:e|ing)|click(?:ing)?|log(?:ging)?|sign(?:ing)?|tak(?:e|ing)|participat\w+)\b"
    r"|\b(?:is|are) (?:entirely |completely )?(?:optional|voluntary)\b|\bignor(?:e|ing) the\b",
    re.IGNORECASE,
)
_COOKIE: Final = re.compile(
    r"opt[\s-]?out cookie|\bcookies? (?:so that|indicating|to (?:remember|record|note))"
    r"|\b(?:disabl|block|reject|refus|delet|clear|deactivat|remov)\w*"
    r" (?:\w+ ){0,4}?cookies?\b|cookie settings|browser(?:'s)? settings"
    r"|settings (?:of|in) your browser",
    re.IGNORECASE,
)
_LOGIN: Final = re.compile(
    r"(?<!not )(?:must|have to|need to|required to) (?:first |be )*"
    r"(?:log|sign)(?:ged|ned)?[\s-]?in\w*"
    r"|\b(?:log|sign)(?:ged|ning|ging)?[\s-]?in(?:to)? to (?:change|opt|disable|adjust|manage)"
    r"|\b(?:through|via|in|within) your (?:\w+ )?account(?:'s)?(?: settings)?\b"
    r"|your \w+ settings by visiting|\baccount settings\b",
    re.IGNORECASE,
)
_LOGIN_URL: Final = re.compile(
    r"/authenticated\b|/(?:log|sign)-?in\b|/settings/(?:account|personalization|security)|/account/",
    re.IGNORECASE,
)
_COOKIE_URL: Final = re.compile(r"opt-?_?out", re.IGNORECASE)
_ELSEWHERE: Final = re.compile(
    r"\b(?:terms|polic(?:y|ies)|statement|notice|help (?:page|cent(?:er|re))|instructions?|section"
    r"|add[\s-]?(?:on|in)s?|plug[\s-]?ins?|settings|sections|website|page)\b",
    re.IGNORECASE,
)
_ADD_ON: Final = re.compile(r"add|plug", re.IGNORECASE)
_OPT: Final = re.compile(r"\bopt(?:ing|s|ed)?[\s-]?out|\bdisabl|\bdeactivat|\brefus", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?<=[.!?])[\"')]{0,2}\s+(?=[A-Z(\"'\d])|\n")


def kinds_of(
    rich: Rich, links: tuple[Link, ...], tool: ToolFile | None, own: tuple[str, ...]
) -> tuple[OptOutKind, ...]:
    """The kinds, in the order in which the text gives them; what only follows comes last."""
    ways = [link for link in links if not _is_front_page(link.url, own)]
    if _NONE.search(rich.text) and not ways:
        return ("none",)
    found = dict(_said(rich, ways))
    derived = dict.fromkeys(_follows(ways, tool))
    ordered = (*sorted(found, key=lambda kind: found[kind]), *derived)
    # A statement that names no means of its own refers to something else.
    return tuple(dict.fromkeys(ordered)) or ("reference",)


def _said(rich: Rich, ways: list[Link]) -> Iterator[tuple[OptOutKind, int]]:
    """What the text itself says, with where it does."""
    text = rich.text
    if match := _ABSTAIN.search(text):
        yield "abstain", match.start()
    if match := _COOKIE.search(text):
        yield "cookie", match.start()
    if match := _LOGIN.search(text):
        yield "login", match.start()
    at = [it.start for it in rich.links if it.link in ways]
    if at:
        yield "link", at[0]
    if (place := _reference(rich)) is not None:
        yield "reference", place


def _reference(rich: Rich) -> int | None:
    """Where a sentence sends the reader to something it does not link."""
    start = 0
    for part in [*_SENTENCE.finditer(rich.text), None]:
        end = part.start() if part else len(rich.text)
        sentence = rich.text[start:end]
        linked = any(start <= it.start < end for it in rich.links)
        told = _ELSEWHERE.search(sentence) if not linked and _OPT.search(sentence) else None
        # "Change the settings of your browser" refers to no other place.
        if told and (not _COOKIE.search(sentence) or _ADD_ON.search(told.group())):
            return start + told.start()
        start = part.end() if part else end
    return None


def _follows(ways: list[Link], tool: ToolFile | None) -> Iterator[OptOutKind]:
    """What the links are known to lead to."""
    if any(_LOGIN_URL.search(urlsplit(link.url).path) for link in ways):
        yield "login"
    if not tool:
        return
    theirs = [link for link in ways if is_operators(link.url, tool)]
    express = tool.tool.express
    if theirs and express.login:
        yield "login"
    known = {_bare(page) for page in express.pages}
    sets_cookie = bool(express.cookies) or express.effect == "no-identifier"
    if sets_cookie and any(
        _bare(link.url) in known and _COOKIE_URL.search(link.url) for link in theirs
    ):
        yield "cookie"


def is_operators(url: str, tool: ToolFile) -> bool:
    """Whether an address lies on a site of the tool's operator; `google.*` covers all suffixes."""
    return not tool.tool.operator_sites.isdisjoint(names_of(site_of(host_of(url))))


def _bare(url: str) -> str:
    return url.partition("://")[2].removeprefix("www.").rstrip("/").lower()


def _is_front_page(url: str, own: tuple[str, ...]) -> bool:
    """Whether a link leads to the site's own front page: no opt-out, just a mention of it."""
    return site_of(host_of(url)) in own and urlsplit(url).path in ("", "/")
