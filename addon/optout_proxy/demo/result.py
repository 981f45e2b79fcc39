"""What the show found, as plain values: what is printed, and what `--json` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from optout_proxy.demo.browser import header_lines
from optout_proxy.demo.table import PERSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optout_proxy.demo.origins import Traffic
    from optout_proxy.demo.table import Ask
    from optout_proxy.model import Action, Level, Role, Type


class Reached(msgspec.Struct, frozen=True):
    """What got to a site: numbers only."""

    connections: int = 0
    requests: int = 0
    hellos: int = 0
    """TLS ClientHellos, each of which names the site."""
    cookies: int = 0
    """Cookies that say who the visitor is."""
    identifiers: int = 0
    """Parameters, fields and header lines that say so."""

    def __add__(self, other: Reached) -> Reached:
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Reached(*(one + two for one, two in pairs))


def counted(traffic: Traffic) -> Reached:
    """The numbers of what reached a stand-in."""
    cookies = [pair for request in traffic.requests for pair in request.cookies if PERSON in pair]
    whole = sum(request.text.count(PERSON) for request in traffic.requests)
    in_cookies = sum(pair.count(PERSON) for pair in cookies)
    return Reached(
        connections=len(traffic.connections),
        requests=len(traffic.requests),
        hellos=len(traffic.hellos),
        cookies=len(cookies),
        identifiers=whole - in_cookies,
    )


def sent(ask: Ask) -> Reached:
    """The numbers of what the browser sent."""
    lines = (value for name, value in header_lines(ask) if name != "Cookie")
    cookies = [pair for pair in ask.cookies.split("; ") if PERSON in pair]
    identifiers = sum(text.count(PERSON) for text in (ask.target, ask.body, *lines))
    return Reached(
        connections=1, requests=1, hellos=1, cookies=len(cookies), identifiers=identifiers
    )


class Seen(msgspec.Struct, frozen=True):
    """One request as a stand-in saw it; every value in it was invented for the show."""

    target: str
    referer: str
    cookies: tuple[str, ...]
    body: str


def seen(traffic: Traffic) -> tuple[Seen, ...]:
    """What a stand-in saw."""
    return tuple(
        Seen(
            request.target,
            ", ".join(request.values(b"referer")),
            tuple(request.cookies),
            request.body.decode("latin-1"),
        )
        for request in traffic.requests
    )


class Played(msgspec.Struct, frozen=True, rename={"through": "with"}):
    """One request, sent twice."""

    role: Role
    url: str
    type: Type
    action: Action
    """What the user's level promises."""
    tried: Reached
    without: Reached
    through: Reached
    arrived: tuple[Seen, ...]
    """What the tracker saw with the product."""
    answered: str
    """What the product says of its answer (`block foresee`); empty where the tracker answered."""
    broken: tuple[str, ...]
    """What is otherwise than promised."""

    @property
    def is_wanted(self) -> bool:
        return self.role in {"visits", "permits"}


class Row(msgspec.Struct, frozen=True):
    """One tool."""

    id: str
    name: str
    level: Level
    requests: tuple[Played, ...]
    opt_out_said: bool
    """Its requests carry an opt-out; they did not without the product."""
    done: dict[str, int]
    """How often each action was taken, by the ledger."""
    broken: tuple[str, ...]
    """What is wrong with the tool as a whole."""

    @property
    def kept(self) -> bool:
        return not self.broken and not any(one.broken for one in self.requests)

    @property
    def tracking(self) -> tuple[Played, ...]:
        """The requests that nobody opened on purpose."""
        return tuple(one for one in self.requests if not one.is_wanted)

    @property
    def wanted(self) -> tuple[Played, ...]:
        return tuple(one for one in self.requests if one.is_wanted)


class Site(msgspec.Struct, frozen=True, rename={"through": "with"}):
    """The page's own site."""

    host: str
    page: str
    without: Reached
    through: Reached
    expired: tuple[str, ...]
    """Tools' cookies that the browser was told to forget."""
    broken: tuple[str, ...]


class Show(msgspec.Struct, frozen=True):
    """All of it."""

    config: str
    tools: tuple[Row, ...]
    site: Site
    ledger: Literal["ok", "incomplete", "tampered", "missing"]
    """What verifying the show's own ledger said."""
    ledger_lines: int
    unread: bool
    """The site that no choice is about was passed through without a look."""
    broken: tuple[str, ...]
    """What is wrong with the whole."""
    seconds: float = 0.0

    @property
    def differences(self) -> Iterator[str]:
        """Everything that is otherwise than promised, one line each."""
        for row in self.tools:
            for one in row.requests:
                yield from (f"{row.id}, {one.role} {one.url[:60]}: {what}" for what in one.broken)
            yield from (f"{row.id}: {what}" for what in row.broken)
        yield from (f"{self.site.host}: {what}" for what in self.site.broken)
        yield from self.broken

    @property
    def proved(self) -> bool:
        """Whether every tool got what its level says, and would not have without the product."""
        return not any(self.differences)


def total(parts: Iterable[Reached]) -> Reached:
    return sum(parts, Reached())


def as_json(found: Show) -> bytes:
    """All of it, for another program."""
    whole = {"proved": found.proved, **msgspec.to_builtins(found)}
    return msgspec.json.format(msgspec.json.encode(whole))
