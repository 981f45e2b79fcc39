"""What each level promises of a visit in a real browser, said anew from the documentation.

Every function yields what is otherwise than promised, and nothing where the promise is kept. At
`allow` the promise is that the tool works as if nothing were there; so a visit without the product
keeps the promises of `allow` and breaks the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from browsers.driver import Cookie
from browsers.stand_ins import KNOWN_AT, OWN_COOKIES, OWN_KEYS, PERSON, whose
from wire import Reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsers.visit import Seen, Visit

TAKES = ("strip", "block")
VISIBLE_WITHIN = 500
"""Milliseconds that a page may hide itself for, until Optimize answers."""

_TELLS_NOBODY = {"treejack"}
"""Asks without cookies: nothing in what it sends says who is there."""


def _text(asked: Reached) -> str:
    lines = "\n".join(f"{name}: {value}" for name, value in asked.headers)
    return f"{asked.target}\n{lines}\n{asked.body!r}"


def _of(seen: Seen, tool: str) -> list[Reached]:
    return [one for one in _all(seen) if whose(one)[0] == tool]


def _all(seen: Seen) -> tuple[Reached, ...]:
    return (*seen.reached, *seen.after_restart)


def reaches(seen: Seen, tool: str, level: str) -> Iterator[str]:
    """What arrived at a tool."""
    came = _of(seen, tool)
    if level == "block":
        yield from (f"arrived: {one.url}" for one in came)
        return
    if not came and not (tool == "treejack" and level == "strip"):
        yield "nothing arrived, so nothing is proved"
    for one in came:
        yield from (f"{what}: {one.url}" for what in _WRONG[level](one, tool))
    told = any(PERSON in _text(one) for one in came)
    if level == "allow" and tool not in _TELLS_NOBODY and not told:
        yield "it was not told who is there"


def _as_it_is(asked: Reached, _tool: str) -> Iterator[str]:
    if asked.all("sec-gpc"):
        yield "a signal nobody chose"


def _with_opt_out(asked: Reached, tool: str) -> Iterator[str]:
    if asked.all("sec-gpc") != ["1"]:
        yield "no Sec-GPC"
    if tool == "google-analytics" and whose(asked)[1] == "collects":
        yield "a hit, though it was told not to"
    if asked.host.endswith("doubleclick.net") and asked.cookies().get("id") != "OPT_OUT":
        yield "not told to opt out"
    frame = urlsplit(asked.url).path.startswith(("/embed/", "/srv/"))
    if tool == "twitter-widget" and frame and "dnt=true" not in asked.target:
        yield "not told dnt=true"


def _without_identity(asked: Reached, _tool: str) -> Iterator[str]:
    if whose(asked)[1] == "telemetry":
        yield "a report nobody asked for"
    if PERSON in _text(asked):
        yield "it says who is there"
    if any(urlsplit(value).path not in {"", "/"} for value in asked.all("referer")):
        yield "it says which page"


_WRONG = {"allow": _as_it_is, "signal": _with_opt_out, "strip": _without_identity}


def keeps(seen: Seen, tool: str, level: str) -> Iterator[str]:
    """What the browser holds of a tool, in the end."""
    if level not in TAKES:
        return
    for one in seen.cookies:
        own = one.domain.endswith("mass.gov") and one.name in OWN_COOKIES.get(tool, ())
        # Firefox lists an ended cookie for a while, empty; it sends none.
        if own and one.value:
            yield f"the site's cookie {one.name}"
        if one.name == "met" and whose(_any(one.domain))[0] == tool:
            yield f"a cookie of {one.domain}"


def stores(seen: Seen, tool: str, level: str) -> Iterator[str]:
    """What local storage holds of a tool, in the end."""
    if level in TAKES:
        yield from (key for key in OWN_KEYS.get(tool, ()) if key in seen.keys)


def _any(host: str) -> Reached:
    """Some request to a host, to ask whose it is."""
    return Reached(
        host, "https", "", "GET", "/plugins/" if "facebook.com" in host else "/", [], b""
    )


_LEFT_ALONE = ("facebook.com", "twitter.com", "google.com", "optimalworkshop.com", "formstack.com")


def logs_out(visit: Visit, seen: Seen) -> Iterator[str]:
    """Where the visitor was known and is no longer."""
    held = {(one.domain, one.name) for one in seen.cookies}
    for domain, names in KNOWN_AT.values():
        if domain in _LEFT_ALONE:
            missing = [name for name in names if (domain, name) not in held]
            yield from (f"{domain} has forgotten {name}" for name in missing)
    wanted = {Cookie(d, n, "") for d, names in KNOWN_AT.values() for n in names}
    known = {Cookie(one.domain, one.name, "") for one in visit.known}
    yield from (f"a visit to {one.domain} set no {one.name}" for one in wanted - known)


def works(seen: Seen, level: str) -> Iterator[str]:
    """What the page offers, and does not do."""
    page, used = seen.page, seen.used
    if (page["first"], page["office"]) != ("node", "example-office"):
        yield f"its own facts are read as {page['first']}, {page['office']}"
    form = used["form"] or {}
    device = [PERSON] if level not in TAKES else [""]
    wanted = {"field68798989": device, "field111": ["how_to_page"], "field222": ["yes"]}
    if form != wanted:
        yield f"the form arrived as {form}"
    if not used["agreed"]:
        yield "the consent manager does not remember"
    if used["results"][0] != "?q=boo":
        yield f"the search arrived as {used['results']}"
    if level != "block" and used["results"][1] != "Boots, Boats":
        yield f"the search shows {used['results'][1]!r}"
    if not used["out"]:
        yield "the link that waits for Google Analytics leads nowhere"
    if not used["licence"]:
        yield "the link that waits for Google AdWords leads nowhere"
    if not page["survey"]:
        yield "what waits for ForeSee is never called"
    videos = [one for one in seen.after_restart if one.host == "www.youtube.com"]
    if not videos or "met" not in videos[-1].cookies():
        yield "the video is not what it was"


def appears(seen: Seen, level: str) -> Iterator[str]:
    """How long the page stays hidden: the best of its loads, for a machine that is busy."""
    if level == "block" and min(seen.shown, default=9999) > VISIBLE_WITHIN:
        yield f"hidden for {seen.shown} ms"


def is_quiet(seen: Seen) -> Iterator[str]:
    """Errors on the console, and reports of the site's own policy."""
    yield from (f"{one.level}: {one.text}" for one in seen.said if one.level == "error")
    yield from (f"violation: {one}" for one in seen.page["reports"])
    came = [one for one in _all(seen) if one.target == "/csp-report"]
    yield from (f"reported: {one.body!r}" for one in came)


def declines(seen: Seen, level: str) -> Iterator[str]:
    """What the page takes for the visitor's answer."""
    if level not in TAKES:
        return
    if seen.used["granted"]:
        yield "a tag was told that something is consented to"
    if seen.page["invited"]:
        yield "a study invites"
    if seen.page["login"] == "connected":
        yield "Facebook tells the page that the visitor is logged in"
    typed = [one for one in seen.typed if "q=b" in one.target and "google" in one.host]
    yield from (f"typed, not sent, and told to {one.host}" for one in typed)


_FLAGS = {
    "google-analytics": ("optedOut", "_gaUserPrefs"),
    "crazy-egg": ("eggless", "CE_NO_COOKIES"),
    "twitter-widget": ("dnt", "twitter:dnt"),
}


def flags(seen: Seen, tool: str, level: str) -> Iterator[str]:
    """The opt-outs that a tool reads from the page, before its code runs."""
    if level != "allow" and tool in _FLAGS:
        key, name = _FLAGS[tool]
        if not seen.page[key]:
            yield f"{name} is not set"


def property_(seen: Seen, level: str) -> Iterator[str]:
    """`navigator.globalPrivacyControl`, as the header says it."""
    if level != "allow" and not seen.page["gpc"]:
        yield "navigator.globalPrivacyControl is not true"


WITH_KEYS = tuple(OWN_KEYS)
WITH_FLAGS = tuple(_FLAGS)
