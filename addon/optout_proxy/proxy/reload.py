"""Follow the user's files: what is saved is in force within a second, or refused and said why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from optout_proxy.proxy.contracts import Registry

EVERY: Final = 0.5
"""Seconds between two looks."""

type Stamp = tuple[int, int, int] | None
type Stamps = dict[Path, Stamp]


async def follow(
    seen: Stamps,
    load: Callable[[], Registry],
    adopt: Callable[[Registry], None],
    refuse: Callable[[Exception], None],
) -> None:
    """Load anew whenever one of the files changed, for ever.

    `seen` are the stamps taken when what is in force was read, or as soon after as can be.
    The new registry is built beside the one in force, in a thread, and handed to `adopt` whole;
    where it cannot be built, `refuse` is told why and the next change is waited for.
    """
    while True:
        await asyncio.sleep(EVERY)
        now = stamps(seen)
        if now == seen:
            continue
        seen = now
        try:
            registry = await asyncio.to_thread(load)
            adopt(registry)
        except Exception as error:  # noqa: BLE001 - whatever it is, the last good one stays
            refuse(error)
            continue
        # A file changed while it was read keeps the stamp from before: it is read once more.
        seen = {path: now.get(path) or _stamp(path) for path in registry.files}


def stamps(files: Iterable[Path]) -> Stamps:
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> Stamp:
    """Take what changes when a file is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
