"""The nouns of captures: one recorded exchange, or why it could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optout_proxy.model import Headers, Type

type Fate = Literal["sent", "answered-here", "stopped", "cached"]
"""What became of a request: it left; this proxy answered it; the browser stopped it or answered it
from its own cache, so that nothing left."""


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A header line, a cookie or a field, as text."""

    name: str = ""
    value: str = ""

    @property
    def line(self) -> tuple[bytes, bytes]:
        """A header line as the wire has it."""
        return wire(self.name), wire(self.value)


def wire(text: str) -> bytes:
    """Text as bytes."""
    return text.encode("utf-8", "replace")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One request of a capture, and what came back."""

    index: int
    """Its place in the file, from 0."""
    url: str
    method: str = "GET"
    pairs: Sequence[Pair] = ()
    """Its header lines."""
    has_headers: bool = True
    """False where the capture does not say which headers there were."""
    body: bytes | None = None
    has_body: bool = True
    """False where there was a body that the capture does not hold, or holds broken."""
    type: Type | None = None
    """As the capture tells it; None where only the headers can."""
    page: str = ""
    """The document of the page view that the capture files it under; empty where it does not."""
    started: str = ""
    """When, as the capture writes it."""
    status: int = 0
    fate: Fate = "sent"
    set_cookies: tuple[bytes, ...] = ()
    """Raw `Set-Cookie` values of the response."""

    @property
    def headers(self) -> Headers:
        """The header lines as an engine reads them."""
        return tuple([pair.line for pair in self.pairs])


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """One entry of a capture that could not be read."""

    index: int
    why: str


class Traits(msgspec.Struct):
    """What a file says of itself while it is read."""

    made_by: str = ""
    problem: str = ""
    """Why the file, or the rest of it, is no capture; empty where it is one."""
