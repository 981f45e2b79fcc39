"""What the proxy asks of the engine, the ledger and the registry: the seam to the pure part.

`optout_proxy.engine.Engine`, `optout_proxy.ledger.Ledger` and `optout_proxy.registry.Registry`
satisfy these; tests put tables in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from optout_proxy.model import Credit, Decision, Headers, Request, ResponseDecision, Type
    from optout_proxy.pages import PagePlan


class Choices(Protocol):
    """The user's choices that the proxy itself must follow."""

    @property
    def pinned(self) -> Literal["refuse", "pass"]: ...
    @property
    def undecided(self) -> Literal["closed", "open"]: ...


class Engine(Protocol):
    """Names and decides; pure, so that one reference can be swapped for another at any time."""

    @property
    def choices(self) -> Choices: ...

    def name(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers = (),
        page: str | None = None,
        type: Type | None = None,  # noqa: A002 - the word of the model
        embed: bool | None = None,
        body: bytes | None = None,
    ) -> Request: ...
    def inspects(self, host: str) -> bool: ...
    def wants_body(self, request: Request) -> bool: ...
    def decide(self, request: Request) -> Decision: ...
    def decide_response(
        self, request: Request, decision: Decision, status: int, headers: Headers
    ) -> ResponseDecision: ...
    def page_plan(self, request: Request, decision: Decision) -> PagePlan: ...
    def replaces(self, url: str, page: str, type: Type) -> bool: ...  # noqa: A002 - as above


class Noting(Protocol):
    """Writes down what is not enforcement."""

    def __call__(self, event: str, **fields: str | int | None) -> None: ...


class Ledger(Protocol):
    """Where it is written down what was done."""

    def record(
        self,
        request: Request,
        credits: tuple[Credit, ...],  # noqa: A002 - the word of the model
        *,
        event: str = "request",
    ) -> None: ...
    def note(self, event: str, /, **fields: str | int | None) -> None: ...
    def close(self) -> None: ...


class Registry(Protocol):
    """Everything read from the user's files, ready to be put in force."""

    @property
    def engine(self) -> Engine: ...
    @property
    def files(self) -> tuple[Path, ...]: ...
