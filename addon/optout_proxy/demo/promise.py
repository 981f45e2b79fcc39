"""What a level promises, said anew from the documentation, and held against what happened.

Nothing here asks the engine: a mistake in the product's own tables must show as a broken promise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from optout_proxy.demo.certificates import AUTHORITY
from optout_proxy.demo.table import (
    COOKIES,
    KEPT,
    LANDING,
    LINK,
    OPT_OUT_COOKIE,
    PAGE_HOST,
    PERSON,
    SET_BY_SITE,
    Ask,
)
from optout_proxy.hosts import host_of
from optout_proxy.model import ANSWERED, LEVELS, Action, Level, Role, Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.demo.browser import Got
    from optout_proxy.demo.origins import Arrival, Traffic
    from optout_proxy.engine import Choices

_ACTIONS: Final[dict[Role, tuple[Action, Action, Action, Action]]] = {
    #             allow    signal    strip    block
    "loads": ("allow", "signal", "strip", "surrogate"),
    "collects": ("allow", "signal", "strip", "block"),
    "telemetry": ("allow", "signal", "block", "block"),
    "widgets": ("allow", "signal", "strip", "placeholder"),
    "visits": ("allow",) * 4,
    "permits": ("allow",) * 4,
}
_RIGHT: Final[dict[Type, str]] = {
    "script": "text/javascript",
    "image": "image/",
    "subdocument": "text/html",
}
"""How the content type begins of an answer that fits what was asked for."""
_TAKES: Final = frozenset({"strip", "block"})
"""Levels at which an identity is taken away."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request came to: at the stand-ins, and at the browser."""

    reached: Traffic
    got: Got


type Outcomes = dict[Ask, Outcome]


class Promise(Protocol):
    """Something that an outcome keeps or breaks."""

    def broken_by(self, outcome: Outcome) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Fate:
    """What must become of a request to a tool."""

    ask: Ask
    level: Level
    action: Action
    gpc: bool = False
    """The request must say `Sec-GPC: 1`."""
    alone: bool = True
    """No other tool of the same operator is held to a level that changes this request too."""

    @property
    def is_visible(self) -> bool:
        """Whether a visit without the product breaks it."""
        signals = self.action == "signal" and (self.gpc or bool(self.ask.says))
        return signals or self.action == "strip" or self.action in ANSWERED

    def broken_by(self, outcome: Outcome) -> Iterator[str]:
        """Say what is otherwise than promised; nothing where the promise is kept."""
        if self.action in ANSWERED:
            yield from self._answered(outcome)
        elif len(outcome.reached.requests) != 1:
            yield f"{len(outcome.reached.requests)} requests arrived, where one should"
        else:
            yield from self._arrived(outcome, outcome.reached.requests[0])

    def _answered(self, outcome: Outcome) -> Iterator[str]:
        reached, got = outcome.reached, outcome.got
        if reached.requests:
            yield "it arrived, and should not"
        # The page's own site is connected to for the page.
        if reached.connections and self.ask.host != PAGE_HOST:
            yield "a connection was opened, and should not"
        said = f"{self.action} {self.ask.tool}"
        if got.values(b"optout-proxy") != [said]:
            yield f"the answer says {got.values(b'optout-proxy')}, not {said!r}"
        kind = _RIGHT.get(self.ask.type, "")
        if not any(value.startswith(kind) for value in got.values(b"content-type") or [""]):
            yield f"the answer is no {self.ask.type}"
        if self.action == "redirect" and got.values(b"location") != [self.ask.leads_to]:
            yield f"it leads to {got.values(b'location')}"

    def _arrived(self, outcome: Outcome, arrival: Arrival) -> Iterator[str]:
        got = outcome.got
        if got.status != 200 or got.values(b"optout-proxy"):
            yield f"the browser was answered {got.status}, not what the tracker sent"
        if self.action == "allow" and self.alone:
            yield from _as_it_is(self.ask, arrival)
        if self.action in {"signal", "strip"}:
            yield from self._with_opt_out(arrival)
        if self.action == "strip":
            yield from self._without_identity(got, arrival)

    def _with_opt_out(self, arrival: Arrival) -> Iterator[str]:
        if self.gpc and arrival.values(b"sec-gpc") != ["1"]:
            yield f"Sec-GPC is {arrival.values(b'sec-gpc')}"
        if self.ask.says not in arrival.text:
            yield f"the opt-out {self.ask.says} is not on it"
        if self.action == "signal" and self.alone and arrival.target != self._target():
            yield f"it arrived as {arrival.target}"

    def _without_identity(self, got: Got, arrival: Arrival) -> Iterator[str]:
        if PERSON in arrival.text:
            yield "it says who the visitor is"
        if arrival.target != self._target():
            yield f"it arrived as {arrival.target}"
        if missing := set(_harmless(self.ask)) - set(arrival.cookies):
            yield f"cookies that identify nobody are gone: {', '.join(sorted(missing))}"
        if arrival.values(b"referer") != [f"https://{host_of(self.ask.page)}/"]:
            yield f"it tells the page: {arrival.values(b'referer')}"
        if any(PERSON.encode() in value for _, value in got.headers):
            yield "the tracker's cookies and validators came back"
        if self.ask.told_first.encode() not in got.body:
            yield f"its code is not told first: {self.ask.told_first}"

    def _target(self) -> str:
        """Path and query as promised: without identifiers where they go, with what opts out."""
        target, _, query = self.ask.target.partition("?")
        pieces = query.split("&") if query else []
        if self.action == "strip":
            pieces = [piece for piece in pieces if PERSON not in piece]
        name = self.ask.says.partition("=")[0]
        said = [self.ask.says if piece.startswith(f"{name}=") else piece for piece in pieces]
        return "?".join(filter(None, (target, "&".join(said if name else pieces))))


def _as_it_is(ask: Ask, arrival: Arrival) -> Iterator[str]:
    if arrival.target != ask.target:
        yield f"it arrived as {arrival.target}"
    if "; ".join(arrival.values(b"cookie")) != ask.cookies:
        yield "its cookies were changed"
    if arrival.body != ask.body.encode():
        yield "its body was changed"


def _harmless(ask: Ask) -> Iterator[str]:
    return (pair for pair in ask.cookies.split("; ") if pair and PERSON not in pair)


def promised(ask: Ask, choices: Choices, operators: dict[str, str]) -> Fate:
    """What the user's choices promise about a request. `operators` are those of the tools."""
    page = ask.host if ask.type == "document" else host_of(ask.page)
    if ask.framed:
        page = ""  # which page holds the frame, nobody says
    level = choices.level(ask.tool, page)
    if ask.host == PAGE_HOST and not choices.inspects_pages_of(PAGE_HOST):
        level = "allow"
    action = _ACTIONS[ask.role][LEVELS.index(level)]
    if action != "allow" and ask.stopped_by and level in _TAKES:
        action = ask.stopped_by
    same = (tool for tool, operator in operators.items() if operator == operators[ask.tool])
    others = {choices.level(tool, page) for tool in same if tool != ask.tool}
    alone = ask.is_wanted or others <= {"allow"}
    return Fate(ask, level, action, gpc=choices.sends_gpc(page), alone=alone)


@dataclass(frozen=True, slots=True)
class OwnSite:
    """What must become of a request to the page's own site, and of its answer."""

    ask: Ask
    choices: Choices

    def takes(self, tool: str) -> bool:
        """Whether what the tool wrote on the site must go."""
        inspected = self.choices.inspects_pages_of(PAGE_HOST)
        return inspected and self.choices.level(tool, PAGE_HOST) in _TAKES

    def broken_by(self, outcome: Outcome) -> Iterator[str]:
        """Say what is otherwise than promised; nothing where the promise is kept."""
        if len(outcome.reached.requests) != 1 or outcome.got.status != 200:
            yield "the page did not come"
            return
        arrival = outcome.reached.requests[0]
        yield from self._cookies(arrival, outcome.got)
        yield from self._answer(outcome.got)
        says_gpc = self.choices.covers(PAGE_HOST) and self.choices.sends_gpc(PAGE_HOST)
        if arrival.values(b"sec-gpc") != ["1"] * says_gpc:
            yield f"Sec-GPC is {arrival.values(b'sec-gpc')}"
        yield from self._link(arrival)

    def _cookies(self, arrival: Arrival, got: Got) -> Iterator[str]:
        there = {pair.partition("=")[0] for pair in arrival.cookies}
        expired = expired_by(got)
        for mark in COOKIES:
            if (mark.name in there) == self.takes(mark.tool):
                yield f"the cookie {mark.name} {'arrived' if mark.name in there else 'is gone'}"
            if (mark.name in expired) != self.takes(mark.tool):
                yield f"the cookie {mark.name} is {'' if mark.name in expired else 'not '}expired"
        if missing := set(KEPT) - set(arrival.cookies):
            yield f"cookies of nobody else are gone: {', '.join(sorted(missing))}"

    def _answer(self, got: Got) -> Iterator[str]:
        lines = got.values(b"set-cookie")
        for mark in SET_BY_SITE:
            is_set = any(line.startswith(f"{mark.name}={mark.value}") for line in lines)
            if is_set == self.takes(mark.tool):
                yield f"the site's cookie {mark.name} {'came' if is_set else 'did not come'}"
        if not any(line.startswith(KEPT[0]) for line in lines):
            yield "the site's own cookie did not come"
        opted = self.choices.level(OPT_OUT_COOKIE.tool, PAGE_HOST) != "allow"
        wanted = opted and self.ask is LANDING and self.choices.inspects_pages_of(PAGE_HOST)
        text = f"{OPT_OUT_COOKIE.name}={OPT_OUT_COOKIE.value}"
        if any(line.startswith(text) for line in lines) != wanted:
            yield f"the opt-out cookie {OPT_OUT_COOKIE.name} is {'not ' if wanted else ''}set"

    def _link(self, arrival: Arrival) -> Iterator[str]:
        pieces = self.ask.target.partition("?")[2].split("&")
        gone = {mark.name for mark in LINK if self.takes(mark.tool)}
        kept = [piece for piece in pieces if piece.partition("=")[0] not in gone]
        if arrival.target.partition("?")[2].split("&") != kept:
            yield f"the page was asked for as {arrival.target}"


def expired_by(got: Got) -> frozenset[str]:
    """Names of the cookies that an answer tells the browser to forget."""
    past = re.compile(r"^([^=]+)=[^;]*;.*\bMax-Age=0\b", re.IGNORECASE)
    found = (past.match(line) for line in got.values(b"set-cookie"))
    return frozenset(match[1] for match in found if match)


@dataclass(frozen=True, slots=True)
class Unread:
    """What must become of a request that no choice is about: it goes on, and nobody looks."""

    ask: Ask
    opened: bool
    """The user asked for all sites to be looked into."""

    def broken_by(self, outcome: Outcome) -> Iterator[str]:
        """Say what is otherwise than promised; nothing where the promise is kept."""
        yield from Fate(self.ask, "allow", "allow").broken_by(outcome)
        if (outcome.got.issuer != AUTHORITY) != self.opened:
            yield "its TLS was opened" if not self.opened else "its TLS was not opened"
