"""A text by its lines, without a string for each: 55,000 of them would take 4 MB."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Text:
    """The lines of a text in UTF-8, by number from 0."""

    __slots__ = ("_before", "whole")

    def __init__(self, whole: bytes, before: bytes) -> None:
        self.whole = whole
        self._before = array("I", before)
        """Bytes before each line, line breaks not counted; and those of all lines."""

    def __getitem__(self, number: int) -> str:
        before = self._before
        line = self.whole[before[number] + number : before[number + 1] + number]
        return line.decode("utf-8", "replace")

    @property
    def before(self) -> bytes:
        """Where the lines are, to make the same text again."""
        return self._before.tobytes()


class Measure:
    """Notes where lines are, some at a time."""

    def __init__(self) -> None:
        self._before = array("I", (0,))

    def add(self, lines: Iterable[str] | Iterable[bytes]) -> None:
        """Note the next lines."""
        last = self._before.pop()
        self._before.extend(accumulate(map(len, lines), initial=last))

    def text(self, whole: bytes) -> Text:
        """The text whose lines were noted."""
        return Text(whole, self._before.tobytes())
