"""Clients that will not have our certificate: apps that know their servers' certificates."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SAID_SO: Final = (
    "unknown ca",
    "bad certificate",
    "certificate unknown",
    "certificate expired",
    "unsupported certificate",
)
"""TLS alerts about a certificate (RFC 8446, 6.2), in OpenSSL's words."""

_HINTS: Final = 3
"""Handshakes in a row a client must leave without a word: one may be a tab that was closed."""


class Pins:
    """Remembers per client address and host that our certificate is rejected.

    Forgotten after `keep` seconds, so that a client that trusts us by then is inspected again.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        keep: float = 60 * 60,
        entries: int = 1000,
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._entries = entries
        self._failed: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def failed(self, client: str, host: str, error: str) -> bool:
        """Take in a failed handshake; whether it is now known that the client rejects us."""
        before = self._count(client, host)
        count = before + (_HINTS if _rejects(error) else 1)
        self._failed[client, host] = (self._clock() + self._keep, count)
        self._failed.move_to_end((client, host))
        if len(self._failed) > self._entries:
            self._failed.popitem(last=False)
        return before < _HINTS <= count

    def succeeded(self, client: str, host: str) -> None:
        self._failed.pop((client, host), None)

    def rejects(self, client: str, host: str) -> bool:
        return self._count(client, host) >= _HINTS

    def _count(self, client: str, host: str) -> int:
        ends, count = self._failed.get((client, host), (0.0, 0))
        return count if ends > self._clock() else 0


def _rejects(error: str) -> bool:
    return any(words in error.lower() for words in _SAID_SO)
