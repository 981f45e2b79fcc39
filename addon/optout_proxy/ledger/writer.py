"""The ledger of a running proxy: one line for each thing enforced, before it takes effect."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from optout_proxy.ledger.chain import FULL
from optout_proxy.ledger.days import Days
from optout_proxy.ledger.enforcement import enforcement, note
from optout_proxy.ledger.lines import encode, stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optout_proxy.model import Credit, Request


def _now() -> datetime:
    return datetime.now(UTC)


def _why(error: Exception) -> str:
    """Say what went wrong, without a path or a value that the message may quote."""
    return error.strerror or "OSError" if isinstance(error, OSError) else type(error).__name__


def _to_stderr(text: str) -> None:
    # Not a logger: mitmproxy exits on an error logged while it starts, and drops them with -q.
    sys.stderr.write(f"optout: ledger: {text}\n")
    sys.stderr.flush()


class Ledger:
    """Appends what was enforced to files of its own, one for each UTC day, each a SHA-256 chain.

    Nothing here raises: where a line cannot be written, it is counted in `gaps`, said once on
    `say`, and told by a line (`gap`) as soon as writing works again.
    Days are those of UTC, where no change of the clocks makes one twice. Any thread may call it,
    a signal handler may not.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_days: int = 30,
        detail: str = "private",
        clock: Callable[[], datetime] = _now,
        say: Callable[[str], None] = _to_stderr,
    ) -> None:
        """Nothing is touched until the first line is written."""
        self._full = detail == "full"
        self._clock = clock
        self._report = say
        self._lock = Lock()
        self._unsaid: list[str] = []
        self._days = Days(
            folder, max(0, keep_days), full=self._full, say=self._say, give_up=self._give_up
        )
        self._time = ""
        self._gaps = self._untold = self._torn_tells = 0
        self._since = self._trouble = ""

    @property
    def gaps(self) -> int:
        """Lines that could not be written since the start."""
        return self._gaps

    def record(
        self,
        request: Request,
        credits: tuple[Credit, ...],  # noqa: A002 - the model's word for them
        *,
        event: str = "request",
    ) -> None:
        """One line a credit; `event` is `request` or `response`."""
        for credit in credits:
            self._keep(partial(enforcement, event, request, credit, full=self._full))

    def note(self, event: str, /, **fields: str | int | None) -> None:
        """Write what is no enforcement: `started`, `fault`, `not-inspected` and the like."""
        self._keep(partial(note, event, fields, full=self._full))

    def close(self) -> None:
        """Write the closing line; what is written later opens another file."""
        with self._lock:
            self._attempt(self._tell_gap)
            self._attempt(lambda: self._days.leave(self._time))
            if self._untold:
                self._say(f"ends without telling of lines lost: {self._untold}")
        self._speak()

    def _keep(self, line: Callable[[str], object]) -> None:
        with self._lock:
            if not self._attempt(lambda: self._write(encode(line(self._time)))):
                self._miss()
        self._speak()

    def _attempt(self, step: Callable[[], None]) -> bool:
        try:
            self._time = stamp(self._clock())
            step()
        except Exception as error:  # noqa: BLE001 - whatever happens here, enforcement goes on
            self._shout(error)
            return False
        return True

    def _write(self, fields: bytes) -> None:
        try:
            self._put(fields)
        except OSError as error:
            if error.errno in FULL or not self._days.is_open:
                raise
            # The file is past use (its disk went away, it is as long as may be): take another.
            self._days.abandon(str(error))
            self._put(fields)

    def _put(self, fields: bytes) -> None:
        self._tell_gap()
        self._append(fields)
        if self._trouble and not self._days.current(self._time).torn:
            self._calm()

    def _tell_gap(self) -> None:
        if lost := self._untold:
            line = {"event": "gap", "lost": lost, "since": self._since, "why": self._trouble}
            self._append(encode({"time": self._time} | line), tells=lost)
            self._untold -= lost

    def _append(self, fields: bytes, *, tells: int = 0) -> None:
        chain = self._days.current(self._time)
        chain.append(fields)
        if chain.torn:
            self._torn_tells = tells
            self._shout(OSError(errno.ENOSPC, "the disk is full, a line is cut short"))

    def _give_up(self) -> None:
        """Count a line that will never be finished: one that told of a gap leaves it untold."""
        if self._torn_tells:
            self._untold += self._torn_tells
        else:
            self._miss()

    def _miss(self) -> None:
        self._gaps += 1
        self._untold += 1

    def _shout(self, error: Exception) -> None:
        """Say it once for as long as it lasts."""
        if self._trouble:
            return
        self._since = self._time
        self._trouble = _why(error)
        self._say(f"CANNOT BE WRITTEN ({error!r}); enforcement goes on, unrecorded")

    def _calm(self) -> None:
        self._trouble = ""
        self._say(f"is written again; lines lost since the start: {self._gaps}")

    def _say(self, text: str) -> None:
        self._unsaid.append(text)

    def _speak(self) -> None:
        # Outside the lock: what is told may itself write to the ledger.
        while self._unsaid:
            with suppress(Exception):
                self._report(self._unsaid.pop(0))
