"""Which hosts a client connection may be connected to: the memory of the last gate."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 20_000
"""Client connections remembered. One forgotten too early is decided again, never let through."""


class Admissions:
    """Hosts that a decision, or the choice not to look, let a client connection go to."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._hosts: OrderedDict[str, set[str]] = OrderedDict()
        self._tunnels: OrderedDict[str, frozenset[str]] = OrderedDict()

    def admit(self, connection: str, hosts: Iterable[str]) -> None:
        self._hosts.setdefault(connection, set()).update(hosts)
        _bound(self._hosts, self._most)

    def tunnel(self, connection: str, hosts: Iterable[str]) -> None:
        """Admit, and remember that nothing is seen of what goes through from now on."""
        self.admit(connection, hosts)
        self._tunnels[connection] = frozenset(hosts)
        _bound(self._tunnels, self._most)

    def admitted(self, connection: str, host: str) -> bool:
        return host in self._hosts.get(connection, ())

    def any(self, connection: str) -> bool:
        """Whether the connection was let go to any host at all."""
        return connection in self._hosts

    def tunnels(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """Client connections that are tunnelled now, each with the hosts it goes to."""
        return tuple(self._tunnels.items())

    def forget(self, connection: str) -> None:
        self._hosts.pop(connection, None)
        self._tunnels.pop(connection, None)


def _bound[V](entries: OrderedDict[str, V], most: int) -> None:
    if len(entries) > most:
        entries.popitem(last=False)
