"""One file of the ledger, open for its writer: lines go on, none comes off."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from optout_proxy.ledger.files import Head, name_of
from optout_proxy.ledger.lines import START, seal

if TYPE_CHECKING:
    from pathlib import Path

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that pass when room is made: the file stays in use."""

# Never follow a link, never take over a file that exists, and on Windows no newline translation.
_FLAGS: Final = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Chain:
    """Appends lines to a file of its own, each with one write.

    A line whose write returned is with the operating system: killing the process loses nothing.
    `fsync` is called when the file is left (a new day, the end), not for every line: a power cut
    may cost the last seconds, and what is left verifies as incomplete. An `fsync` a line would
    hold up every request for the disk.
    """

    def __init__(self, folder: Path, day: str, writer: str) -> None:
        """Create the file; FileExistsError where there is one, OSError where it cannot be."""
        self.day = day
        self.path = folder / name_of(day, writer)
        self._fd = os.open(self.path, _FLAGS, 0o600)
        self._lines, self._hash, self._size = 0, START, 0
        self._watched = False
        self._rest = b""
        self._pending = START

    @property
    def head(self) -> Head:
        return Head(self.path.name, self._lines, self._hash)

    @property
    def torn(self) -> bool:
        """Whether the last line taken is not yet wholly in the file."""
        return bool(self._rest)

    def start(self, opening: bytes, prev: str) -> None:
        """Write the opening line, or leave no file behind and raise OSError."""
        self._hash = prev
        try:
            self.append(opening)
            self.finish()
            # A file system that does not know its own files (cached attributes) is not asked.
            self._watched = self._is_as_left()
        except OSError:
            self._discard()
            raise

    def append(self, fields: bytes) -> None:
        """Take one line, or raise OSError and take none.

        Where the disk fills up in the middle of the line it is taken, and `torn` until `finish`.
        """
        self.finish()
        raw, self._pending = seal(fields, self._lines + 1, self._hash)
        self._rest = raw
        try:
            self.finish()
        except OSError as error:
            if error.errno in FULL and len(self._rest) < len(raw):
                return
            self._rest = b""
            raise

    def finish(self) -> None:
        """Write what is missing of a torn line; OSError where it still cannot be."""
        if not self._rest:
            return
        while self._rest:
            sent = os.write(self._fd, self._rest)
            self._size += sent
            self._rest = self._rest[sent:]
        self._lines += 1
        self._hash = self._pending

    def intact(self) -> bool:
        """Whether the file is still where it was, and nobody else cut it or wrote to it.

        A write to a removed file would succeed and be lost.
        """
        return not self._watched or self._is_as_left()

    def _is_as_left(self) -> bool:
        stat = os.fstat(self._fd)
        return stat.st_nlink > 0 and stat.st_size == self._size

    def close(self) -> None:
        """Hand the file to the disk and let it go."""
        with suppress(OSError):
            os.fsync(self._fd)
        with suppress(OSError):
            os.close(self._fd)

    def _discard(self) -> None:
        self.close()
        with suppress(OSError):
            self.path.unlink()
