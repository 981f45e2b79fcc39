"""Reading a ledger: every line of every writer, in the order of time."""

from __future__ import annotations

import heapq
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.errors import InputError
from optout_proxy.ledger.files import Head, head_of, ours, raw_lines, split_name
from optout_proxy.ledger.lines import stamp
from optout_proxy.model import NOTHING, Removed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

ENFORCED: Final = frozenset({"request", "response"})
"""Events whose lines are enforcements; all others are notes."""


class Line(msgspec.Struct, frozen=True):
    """What the ledger's own readers look at in a line; empty where the line has no such field."""

    time: str
    event: str
    tool: str = ""
    level: str = ""
    action: str = ""
    site: str = ""
    host: str = ""
    rule: str = ""
    removed: Removed = NOTHING
    lost: int = 0


class _Note(msgspec.Struct, frozen=True):
    """The two fields of every line; a note may give any other a type of its own."""

    time: str
    event: str


class Entry(msgspec.Struct, frozen=True):
    """A line of a ledger and where it stands.

    `line.event` is `unreadable` where it is no line of a ledger; `line.time` is then that of the
    line before it.
    """

    file: str
    number: int
    """1-based."""
    line: Line
    raw: bytes
    """As it lies in the file, without the newline: a JSON object where readable."""

    @property
    def enforced(self) -> bool:
        return self.line.event in ENFORCED

    def fields(self) -> dict[str, object]:
        """Every field of the line, also those of notes and of full detail; empty if unreadable."""
        if self.line.event == "unreadable":
            return {}
        return _FIELDS.decode(self.raw)


_LINE: Final = msgspec.json.Decoder(Line)
_NOTE: Final = msgspec.json.Decoder(_Note)
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIELDS: Final = msgspec.json.Decoder(dict[str, object])


def files_at(path: Path) -> list[Path]:
    """List the ledger files a path means: itself, or those in it; InputError if unreadable."""
    if not path.is_dir():
        opened(path).close()
        return [path]
    try:
        return [path / name for name in ours(path)]
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error


def opened(file: Path) -> BinaryIO:
    """Open a ledger file, or raise InputError where it cannot be read."""
    try:
        return file.open("rb")
    except OSError as error:
        raise InputError(file, f"cannot be read: {error.strerror}") from error


def read(path: Path, *, since: datetime | None = None) -> Iterator[Entry]:
    """Yield the entries of a file or of all files in a folder, in order of time.

    Holds one entry of each file that is written at the same time, never a whole file. `since`
    spares reading the days before it; entries of its own day all come. InputError where the path
    cannot be read.
    """
    first_day = stamp(since)[:10] if since else ""
    return _merged([file for file in files_at(path) if _day(file) >= first_day])


def _day(path: Path) -> str:
    return (split_name(path.name) or ("9999",))[0]


def _merged(files: list[Path]) -> Iterator[Entry]:
    # Files are opened when the merge gets to their first line: a day may hold more of them than
    # a process may have open at once.
    waiting = deque(sorted((_first_time(file), file) for file in files))
    heap: list[tuple[str, int, Entry, Iterator[Entry]]] = []
    opened = 0
    while heap or waiting:
        while waiting and (not heap or waiting[0][0] <= heap[0][0]):
            _push(heap, "", opened, _entries(waiting.popleft()[1]))
            opened += 1
        if heap:
            time, order, entry, rest = heapq.heappop(heap)
            yield entry
            _push(heap, time, order, rest)


def _push(
    heap: list[tuple[str, int, Entry, Iterator[Entry]]],
    time: str,
    order: int,
    entries: Iterator[Entry],
) -> None:
    # A clock that went back must not hold up a file: its lines count as no earlier than `time`.
    if entry := next(entries, None):
        heapq.heappush(heap, (max(time, entry.line.time), order, entry, entries))


def _first_time(path: Path) -> str:
    return next((entry.line.time for entry in _entries(path)), "")


def _entries(path: Path) -> Iterator[Entry]:
    if not path.exists():  # retention took it since it was listed
        return
    with opened(path) as file:
        time = _day(path)
        for number, raw in enumerate(raw_lines(file), 1):
            text = raw.rstrip(b"\n")
            line = _decoded(text, time)
            time = line.time
            yield Entry(path.name, number, line, text)


def _decoded(text: bytes, time: str) -> Line:
    with suppress(*UNREADABLE):
        return _LINE.decode(text)
    with suppress(*UNREADABLE):
        said = _NOTE.decode(text)
        return Line(said.time, said.event)
    return Line(time, "unreadable")


def heads(folder: Path) -> list[Head]:
    """How far each writer's newest file has come, newest last. Verifies nothing."""
    newest: dict[str, Head] = {}
    for file in files_at(folder):
        if head := head_of(file):
            newest.pop(head.writer, None)
            newest[head.writer] = head
    return list(newest.values())
