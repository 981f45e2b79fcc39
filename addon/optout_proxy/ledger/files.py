"""The files of a ledger: `<UTC day>.<writer>.jsonl`, all in one folder."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.ledger.lines import hash_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

LONGEST: Final = 4 << 20
"""Bytes read as one line at most; no line of ours comes near it."""

_NAME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.([0-9a-f]{8})\.jsonl")
_BLOCK: Final = 1 << 16


class Head(msgspec.Struct, frozen=True):
    """How far a file has come: its whole lines, and the hash of the last of them."""

    file: str
    lines: int
    hash: str

    @property
    def writer(self) -> str:
        """The running proxy that wrote the file; empty where the file has a name not of ours."""
        return (split_name(self.file) or ("", ""))[1]


def new_writer() -> str:
    """Name one running proxy: at random, so that it says nothing of the machine."""
    return secrets.token_hex(4)


def name_of(day: str, writer: str) -> str:
    return f"{day}.{writer}.jsonl"


def split_name(name: str) -> tuple[str, str] | None:
    """Day and writer of a file named exactly as we name them; None for any other."""
    found = _NAME.fullmatch(name)
    if not found or not _is_day(found[1]):
        return None
    return found[1], found[2]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def ours(folder: Path) -> list[str]:
    """Names of the ledger's files in a folder, oldest day first; nothing else, and no links."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if split_name(entry.name) and entry.is_file(follow_symlinks=False)
        )


def raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """Give the lines of an open file with their newlines, in pieces of `LONGEST` bytes at most."""
    while piece := file.readline(LONGEST):
        yield piece


def head_of(path: Path) -> Head | None:
    """Where a file ends, read from its end; None where no line of ours does. Verifies nothing."""
    with suppress(OSError):
        raw = _last_line(path)
        number = number_of(raw)
        return Head(path.name, number, hash_of(raw)) if number else None
    return None


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        tail = b""
        while at > 0 and tail.count(b"\n") < 2 and len(tail) < LONGEST:
            at, size = max(0, at - _BLOCK), min(_BLOCK, at)
            file.seek(at)
            tail = file.read(size) + tail
    whole = tail[: tail.rfind(b"\n") + 1]
    return whole[whole.rfind(b"\n", 0, -1) + 1 :]
