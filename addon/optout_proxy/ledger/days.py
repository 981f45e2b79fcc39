"""The files of one running proxy: a day each, opened, left, and removed when their time is over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy import __version__
from optout_proxy.ledger.chain import Chain
from optout_proxy.ledger.files import Head, head_of, new_writer, ours, split_name
from optout_proxy.ledger.lines import START, encode
from optout_proxy.ledger.retention import heads_of_over, is_over, remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MOST_SEEN: Final = 16
_WARNING: Final = (
    'detail = "full": this file holds whole addresses of requests, personal data included'
)


class Opening(msgspec.Struct, frozen=True):
    """The first line of a file."""

    time: str
    event: str
    writer: str
    day: str
    version: str
    detail: str
    keep_days: int
    before: Head | None = None
    """The file this proxy wrote before."""
    seen: tuple[Head, ...] = ()
    """How far the newest files of others had come."""
    expired: tuple[Head, ...] = ()
    """What retention removed."""
    warning: str | msgspec.UnsetType = msgspec.UNSET


class Days:
    """Hands out the file of the day, and tells at the top of each what came before it."""

    def __init__(
        self,
        folder: Path,
        keep_days: int,
        *,
        full: bool,
        say: Callable[[str], None],
        give_up: Callable[[], None],
    ) -> None:
        """`give_up` is called when a line that was cut short will never be finished."""
        self._folder = folder.absolute()  # a proxy may change its working folder
        self._keep_days = keep_days
        self._full = full
        self._say = say
        self._give_up = give_up
        self._writer = new_writer()
        self._chain: Chain | None = None
        self._before: Head | None = None
        self._expired: tuple[Head, ...] = ()

    @property
    def is_open(self) -> bool:
        return self._chain is not None

    def current(self, time: str) -> Chain:
        """Give the file for a line of `time`, as we left it; OSError where there can be none."""
        if self._chain and not self._chain.intact():
            self.abandon("somebody else changed or removed it")
        if self._chain and self._chain.day != time[:10]:
            self.leave(time)
        return self._chain or self._open(time)

    def leave(self, time: str) -> None:
        """End the open file with a closing line; what comes later goes to another."""
        if not self._chain:
            return
        with suppress(OSError):
            self._chain.finish()
        lost = self._chain.torn
        if not lost:
            with suppress(OSError):
                self._chain.append(encode({"time": time, "event": "closed"}))
        self._forget(self._chain, lost=lost)

    def abandon(self, why: str) -> None:
        """Go on in another file, under another name: this one cannot be relied on."""
        if not self._chain:
            return
        self._say(f"{self._chain.path.name}: {why}; going on in another file")
        self._forget(self._chain, lost=self._chain.torn)
        self._writer = new_writer()

    def _forget(self, chain: Chain, *, lost: bool) -> None:
        self._chain = None
        self._before = chain.head
        chain.close()
        if lost:
            self._give_up()

    def _open(self, time: str) -> Chain:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = ours(self._folder)
        self._expired = self._over(names, time[:10])
        try:
            chain = self._create(time[:10])
            before = self._before.hash if self._before else START
            chain.start(encode(self._opening(time, names)), before)
        finally:
            # Even where no line could say so yet: a full disk may be full of what is due to go.
            remove(self._folder, self._expired)
        self._expired = ()
        self._chain = chain
        if self._full:
            self._say(f"{chain.path.name}: {_WARNING}")
        return chain

    def _create(self, day: str) -> Chain:
        try:
            return Chain(self._folder, day, self._writer)
        except FileExistsError:  # the clock went back, or we were closed: a file is opened once
            self._writer = new_writer()
            return Chain(self._folder, day, self._writer)

    def _opening(self, time: str, names: list[str]) -> Opening:
        return Opening(
            time=time,
            event="opened",
            writer=self._writer,
            day=time[:10],
            version=__version__,
            detail="full" if self._full else "private",
            keep_days=self._keep_days,
            before=self._before,
            seen=self._seen(names),
            expired=self._expired,
            warning=_WARNING if self._full else msgspec.UNSET,
        )

    def _seen(self, names: list[str]) -> tuple[Head, ...]:
        gone = {head.file for head in self._expired}
        others = [name for name in names if name not in gone and not self._is_own(name)]
        heads = (head_of(self._folder / name) for name in others[-_MOST_SEEN:])
        return tuple(head for head in heads if head)

    def _is_own(self, name: str) -> bool:
        parts = split_name(name)
        return parts is not None and parts[1] == self._writer

    def _over(self, names: list[str], today: str) -> tuple[Head, ...]:
        """List what retention is to remove now, or has removed without a line to say so."""
        found = heads_of_over(self._folder, names, today, self._keep_days)
        unsaid = [*self._expired]
        if self._before and is_over(self._before.file, today, self._keep_days):
            unsaid.append(self._before)
        return tuple({head.file: head for head in (*unsaid, *found)}.values())
