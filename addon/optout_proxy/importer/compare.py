"""What a new version of a policy changes, and what of it needs a decision."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from optout_proxy.importer.fields import NO_PAGES
from optout_proxy.registry.policy_file import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.registry.policy_file import (
        DeclaredTool,
        Field,
        Limits,
        OptOut,
        Policy,
        Statement,
    )

type Risk = Literal["decide", "look", "note"]
"""Somebody has to decide; somebody should read it; it is as it should be."""

RISKS: Final[tuple[Risk, ...]] = ("decide", "look", "note")


class Change(msgspec.Struct, frozen=True):
    risk: Risk
    about: str
    """A tool, or the policy."""
    what: str


# Words that stand for a use of data: a purpose that names one more goes further than before.
_WIDER: Final = {
    "advertising": r"advertis|\bads?\b|marketing|re-?targeting|re-?marketing|sponsor",
    "profiles": r"profil|personali[sz]|tailor|interest-based|behaviou?ral",
    "passing on": (
        r"\bshar(?:e|es|ed|ing)\b|third part|partners?\b|affiliates?\b|disclos|\bsell|\bsold\b"
    ),
    "identity": (
        r"identif|personal(?:ly)? (?:data|information)|\bname\b|e-?mail|phone|account|address"
    ),
    "location": r"location|\bgps\b|geo-?loc",
    "recording": r"keystroke|recording|session replay|mouse|scroll|form field",
    "across devices": (
        r"cross-?device|across (?:devices|sites|websites)|link(?:s|ed|ing)? .{0,30}\baccount"
    ),
    "sensitive matters": r"health|medical|financ|biometric|child|political|religio|sexual",
}
_UNITS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_NUMBERS: Final = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "ten": 10,
    "twelve": 12,
    "thirty": 30,
    "ninety": 90,
}
_PERIOD: Final = re.compile(
    rf"\b(\d{{1,4}}|{'|'.join(_NUMBERS)})\s?(?:\(\d+\)\s)?(day|week|month|year)s?\b", re.IGNORECASE
)
_EVER: Final = re.compile(r"indefinitely|permanently|for ?ever", re.IGNORECASE)
_KEEPS: Final = re.compile(
    r"retain|kept|keep|stor(?:e|ed|es)\b|discard|delet|expir|eras|thrown away", re.IGNORECASE
)


def compare(old: Policy, new: Policy, *, wording_differs: bool = False) -> tuple[Change, ...]:
    """Every change, what needs a decision first.

    `wording_differs`: one of the two is in our words, the other in the document's; then texts are
    not compared.
    """
    found = list(_changes(old, new, wording_differs))
    if wording_differs and (old.source.sha256 != new.source.sha256):
        what = "texts are not compared: one side is in our words, the other in the document's"
        found.append(Change("look", "policy", what))
    return tuple(sorted(found, key=lambda change: RISKS.index(change.risk)))


def _changes(old: Policy, new: Policy, wording_differs: bool) -> Iterator[Change]:
    yield from _of_policy(old, new)
    before = {tool.id: tool for tool in old.tools}
    after = {tool.id: tool for tool in new.tools}
    for tool in new.tools:
        if tool.id in before:
            yield from _of_tool(before[tool.id], tool, wording_differs)
        else:
            at = f"lines {tool.lines[0]}-{tool.lines[1]}"
            yield Change("decide", tool.id, f"added: {tool.name} ({at}); {_way_out(tool.opt_out)}")
    for tool in old.tools:
        if tool.id not in after:
            what = f"removed: {tool.name} is no longer declared; its level must be chosen to stay"
            yield Change("decide", tool.id, what)
    if not wording_differs:
        yield from _retention(old, new)


def _of_policy(old: Policy, new: Policy) -> Iterator[Change]:
    yield from _dates(old, new)
    for site in new.sites:
        if site not in old.sites:
            yield Change("look", "policy", f"covers {site} too")
    for site in old.sites:
        if site not in new.sites:
            yield Change("decide", "policy", f"no longer covers {site}")
    yield from _notice(old, new)


def _dates(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = old.effective, new.effective
    if before == after:
        if before and old.source.sha256 != new.source.sha256:
            yield Change("look", "policy", f"was changed under the same date, {before}")
    elif before and not after:
        yield Change("look", "policy", f"no longer says since when it holds; it was {before}")
    elif before and after and after < before:
        yield Change("look", "policy", f"takes effect on {after}, earlier than {before} before")
    else:
        yield Change("note", "policy", f"takes effect on {after}, before: {before or 'not said'}")


def _notice(old: Policy, new: Policy) -> Iterator[Change]:
    before = old.changes.notice_days if old.changes else None
    after = new.changes.notice_days if new.changes else None
    if before == after:
        return
    if before and after and after > before:
        yield Change(
            "note", "policy", f"changes are announced {after} days ahead, before: {before}"
        )
    elif before:
        told = f"{after} days ahead" if after else "without a number of days"
        yield Change("decide", "policy", f"changes are announced {told}, before: {before} days")
    else:
        yield Change(
            "note", "policy", f"changes are announced {after} days ahead, before: not said"
        )


# --- A tool ---------------------------------------------------------------------------------------


def _of_tool(old: DeclaredTool, new: DeclaredTool, wording_differs: bool) -> Iterator[Change]:
    if old.name != new.name:
        yield Change("note", new.id, f"is called {new.name!r}, before: {old.name!r}")
    yield from _opt_out(old, new)
    for name in ("privacy_policy", "terms"):
        yield from _links(new.id, name, old.fields[name], new.fields[name])
    for name in ("purpose", "data_collected", "notes"):
        yield from _states(new.id, name, old.fields[name], new.fields[name])
        if not wording_differs:
            yield from _wording(new.id, name, old.fields[name].text, new.fields[name].text)
    if not wording_differs or (old.limits is None) != (new.limits is None):
        yield from _limits(new.id, old.limits, new.limits)


def _opt_out(old: DeclaredTool, new: DeclaredTool) -> Iterator[Change]:
    before, after = _urls(old.opt_out), _urls(new.opt_out)
    lost = [url for url in before if url not in after]
    gained = [url for url in after if url not in before]
    if lost and not gained:
        yield Change("decide", new.id, f"opt-out link lost: {', '.join(lost)}")
    elif lost:
        what = f"opt-out link changed: {', '.join(gained)}, before: {', '.join(lost)}"
        yield Change("decide", new.id, what)
    elif gained:
        yield Change("note", new.id, f"opt-out link added: {', '.join(gained)}")
    kinds = old.opt_out.kinds, new.opt_out.kinds
    if set(kinds[0]) != set(kinds[1]):
        gone = [kind for kind in kinds[0] if kind not in kinds[1] and kind != "none"]
        worse = bool(gone) or "login" in set(kinds[1]) - set(kinds[0])
        what = f"opt-out is {_kinds(new.opt_out)}, before: {_kinds(old.opt_out)}"
        yield Change("decide" if worse else "look", new.id, what)
    elif old.opt_out.state != new.opt_out.state:
        worse = old.opt_out.state == "stated"
        what = f'opt-out is "{new.opt_out.state}", before: "{old.opt_out.state}"'
        yield Change("decide" if worse else "look", new.id, what)


def _links(tool: str, name: str, old: Field, new: Field) -> Iterator[Change]:
    if _urls(old) != _urls(new):
        told = ", ".join(_urls(new)) or f'none ("{new.state}")'
        before = ", ".join(_urls(old)) or f'none ("{old.state}")'
        yield Change("look", tool, f"{name} is {told}, before: {before}")


def _states(tool: str, name: str, old: Field, new: Field) -> Iterator[Change]:
    if old.state != new.state:
        yield Change("look", tool, f'{name} is "{new.state}", before: "{old.state}"')


def _wording(tool: str, name: str, old: str, new: str) -> Iterator[Change]:
    if _same(old) == _same(new) or not new:
        return
    wider = [use for use, words in _WIDER.items() if _has(words, new) and not _has(words, old)]
    if wider and name in FIELDS[:2]:
        yield Change(
            "decide", tool, f"{name} widened, it now speaks of {', '.join(wider)}: {_short(new)}"
        )
    elif old:
        yield Change("look", tool, f"{name} is worded differently: {_short(new)}")


def _limits(tool: str, old: Limits | None, new: Limits | None) -> Iterator[Change]:
    if old and not new:
        yield Change(
            "decide", tool, f"the limit is gone: {old.pages}, since {old.since or 'always'}"
        )
    elif new and not old:
        yield Change("note", tool, f"a limit is stated: {new.pages}, since {new.since or 'always'}")
    elif old and new and old.since != new.since:
        yield Change(
            "look", tool, f"is used since {new.since or 'always'}, before: {old.since or 'always'}"
        )
    elif old and new and _same(old.pages) != _same(new.pages):
        risk: Risk = "note" if old.pages == NO_PAGES else "decide"
        yield Change(risk, tool, f"is used on: {new.pages}; before: {old.pages}")


# --- Retention ------------------------------------------------------------------------------------


def _retention(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = _kept(old), _kept(new)
    if before == after:
        return
    gone, come = sorted(set(before) - set(after)), sorted(set(after) - set(before))
    if not come and not gone:
        return
    told = " and for ".join(_days(it) for it in come) or "no such period"
    longer = not come or not gone or max(come) > max(gone)
    was = " and for ".join(_days(it) for it in gone) or "no such period"
    yield Change(
        "decide" if longer else "note", "policy", f"something is kept for {told}, before: {was}"
    )


def _kept(policy: Policy) -> list[int]:
    """Days for which something is kept, by the sentences that say so; for ever is a million."""
    texts = [statement.text for statement in policy.statements if _is_kept(statement)]
    texts += [field.text for tool in policy.tools for field in tool.fields.values()]
    found: list[int] = []
    for text in dict.fromkeys(texts):
        for sentence in re.split(r"(?<=[.!?;])\s+", text):
            if _KEEPS.search(sentence):
                found += [_in_days(match) for match in _PERIOD.finditer(sentence)]
                found += [1_000_000] if _EVER.search(sentence) else []
    return sorted(set(found))


def _is_kept(statement: Statement) -> bool:
    return bool(_KEEPS.search(statement.text))


def _in_days(match: re.Match[str]) -> int:
    count = match[1].lower()
    return (_NUMBERS.get(count) or int(count)) * _UNITS[match[2].lower()]


def _days(count: int) -> str:
    return "ever" if count >= 1_000_000 else f"{count} days"


# --------------------------------------------------------------------------------------------------


def _way_out(opt_out: OptOut) -> str:
    return f"its opt-out: {_kinds(opt_out)}"


def _kinds(opt_out: OptOut) -> str:
    return ", ".join(opt_out.kinds) or f'"{opt_out.state}"'


def _urls(field: Field) -> tuple[str, ...]:
    return tuple(dict.fromkeys(link.url for link in field.links))


def _same(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _has(words: str, text: str) -> bool:
    return re.search(words, text, re.IGNORECASE) is not None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 120 else text[:119] + "…"
