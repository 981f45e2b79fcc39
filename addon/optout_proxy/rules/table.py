"""The lines of a list that say nothing but a host: 8 bytes a line, where a dict would take 150.

A table of chains. Its keys are not kept: they stand in the text.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.rules.text import Text

_SLOTS: Final = 1 << 16


class HostTable:
    """Lines `||host^` and `||host^$third-party`, by their host."""

    __slots__ = ("_heads", "_next", "_text")

    def __init__(self, text: Text, heads: bytes, following: bytes) -> None:
        self._text = text
        self._heads = array("I", heads)
        """By slot of the host, the last line, counted from 1; 0 for none."""
        self._next = array("I", following)
        """By line, the line before it in the same slot."""

    def numbers(self, host: str) -> Iterator[int]:
        """Numbers of the lines about this very host."""
        lines = (f"||{host}^", f"||{host}^$third-party")
        number = self._heads[crc32(host.encode()) % _SLOTS]
        while number:
            if self._text[number - 1] in lines:
                yield number - 1
            number = self._next[number]

    def __len__(self) -> int:
        return len(self._heads) - self._heads.count(0) + len(self._next) - self._next.count(0)

    def parts(self) -> tuple[bytes, bytes]:
        """What makes the same table again, with the same text."""
        return self._heads.tobytes(), self._next.tobytes()


class Building:
    """A table being built, some lines at a time."""

    def __init__(self) -> None:
        self._heads = array("I", bytes(4 * _SLOTS))
        self._next = array("I", (0,))

    def add(self, hosts: Sequence[bytes]) -> None:
        """Enter the next lines: their host, empty for lines of another kind."""
        heads, following, number = self._heads, self._next, len(self._next) - 1
        following.extend(array("I", bytes(4 * len(hosts))))
        for host in hosts:
            number += 1
            if host:
                slot = crc32(host) % _SLOTS
                following[number] = heads[slot]
                heads[slot] = number

    def table(self, text: Text) -> HostTable:
        """The table of what was entered."""
        return HostTable(text, self._heads.tobytes(), self._next.tobytes())
