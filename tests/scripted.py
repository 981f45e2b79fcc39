"""An engine and a ledger made of tables, for tests of what stands around them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from optout_proxy.hosts import host_of
from optout_proxy.model import (
    NOTHING,
    Answer,
    Credit,
    Decision,
    Headers,
    Outgoing,
    Removed,
    Request,
    ResponseDecision,
    Type,
)
from optout_proxy.pages import PagePlan


@dataclass(frozen=True)
class Chosen:
    pinned: Literal["refuse", "pass"] = "refuse"
    undecided: Literal["closed", "open"] = "closed"


@dataclass(frozen=True)
class Scripted:
    """Stops what `stops` names (a host, or a host and the start of a path), and so on."""

    stops: frozenset[str] = frozenset()
    strips: frozenset[str] = frozenset()
    """These lose their `Cookie` header and the parameter `uid=7`; their answers lose Set-Cookie."""
    hidden: frozenset[str] = frozenset()
    """Hosts that are not inspected."""
    reads_bodies: frozenset[str] = frozenset()
    """Hosts whose requests are stopped if their body holds `secret`."""
    choices: Chosen = field(default_factory=Chosen)

    def name(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers = (),
        page: str | None = None,
        type: Type | None = None,  # noqa: A002 - the engine's own
        embed: bool | None = None,
        body: bytes | None = None,
    ) -> Request:
        return Request(
            url, host_of(url), page=page or "", type=type or "other", method=method,
            embed=bool(embed), headers=headers, body=body,
        )  # fmt: skip

    def inspects(self, host: str) -> bool:
        return host not in self.hidden

    def wants_body(self, request: Request) -> bool:
        return request.host in self.reads_bodies

    def decide(self, request: Request) -> Decision:
        told = request.body is not None and b"secret" in request.body
        if self._in(self.stops, request) or (told and request.host in self.reads_bodies):
            return stopped()
        if self._in(self.strips, request):
            return stripped(request)
        return Decision("allow", "nothing names it")

    def decide_response(
        self, request: Request, decision: Decision, status: int, headers: Headers
    ) -> ResponseDecision:
        if decision.action != "strip":
            return ResponseDecision()
        kept = without(headers, b"set-cookie")
        return ResponseDecision(kept, credits=(credit("strip", Removed(cookies=("id",))),))

    def page_plan(self, request: Request, decision: Decision) -> PagePlan:
        return PagePlan()

    def replaces(self, url: str, page: str, type: Type) -> bool:  # noqa: A002 - the engine's
        return False

    @staticmethod
    def _in(entries: frozenset[str], request: Request) -> bool:
        rest = request.url.partition("://")[2]
        return any(
            request.host == entry or (("/" in entry) and rest.startswith(entry))
            for entry in entries
        )


def stopped() -> Decision:
    answer = Answer(200, ((b"Optout-Proxy", b"block tracker"),), b"answered here")
    return Decision("block", "stopped", tool="tracker", answer=answer, credits=(credit("block"),))


def stripped(request: Request) -> Decision:
    url = request.url.replace("&uid=7", "").replace("?uid=7", "")
    send = Outgoing(url, without(request.headers, b"cookie"), request.body)
    removed = Removed(params=("uid",))
    return Decision(
        "strip", "stripped", tool="tracker", send=send, credits=(credit("strip", removed),)
    )


def without(headers: Headers, name: bytes) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() != name)


def credit(action, removed: Removed = NOTHING) -> Credit:
    return Credit("tracker", "block", action, None, removed)


@dataclass
class Notebook:
    """A ledger that keeps what it is told."""

    records: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, dict[str, str | int | None]]] = field(default_factory=list)
    broken: bool = False

    def record(
        self,
        request: Request,
        credits: tuple[Credit, ...],  # noqa: A002 - the ledger's own
        *,
        event: str = "request",
    ) -> None:
        if self.broken:
            raise OSError("disk is full")
        self.records += [(event, f"{one.action} {request.host}") for one in credits]

    def note(self, event: str, /, **fields: str | int | None) -> None:
        if self.broken:
            raise OSError("disk is full")
        self.notes.append((event, fields))

    def close(self) -> None:
        pass

    def noted(self, event: str) -> list[dict[str, str | int | None]]:
        return [fields for name, fields in self.notes if name == event]


__all__ = ["Chosen", "Notebook", "Scripted", "credit", "replace", "stopped", "stripped"]
