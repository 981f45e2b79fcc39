"""What can be wrong with what people give us, said with the place and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class OptoutError(Exception):
    """Anything we refuse with a sentence for a person; the command line exits 2 on it."""


class InputError(OptoutError):
    """A file a person wrote cannot be used as it is.

    `str()` is one line, `file:line: what is wrong; what would be right`.
    """

    def __init__(
        self, file: Path | str, what: str, *, line: int | None = None, right: str = ""
    ) -> None:
        self.file = str(file)
        self.line = line
        self.what = what
        self.right = right
        place = f"{self.file}:{line}" if line else self.file
        super().__init__(f"{place}: {what}" + (f"; {right}" if right else ""))


class EvidenceError(OptoutError):
    """Evidence that does not verify: a ledger changed after it was written (exit code 4)."""
