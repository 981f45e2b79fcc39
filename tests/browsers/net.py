"""The stand-in internet behind a proxy, on a thread of its own; the tests themselves just wait."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wire import Door, Origin, configured, mitmdump, ours

type DoorKind = Callable[..., Any]


def bare(origin: Origin, folder: Path, _config: Path | None) -> Any:
    """Stock mitmproxy without the product: the control."""
    return mitmdump(origin, folder, None)


@contextlib.contextmanager
def internet(
    origin: Origin, folder: Path, level: str | None, *, door: DoorKind = ours, **levels: str
) -> Iterator[Door]:
    """A proxy with every tool at `level`, and behind it nothing but `origin`."""
    opened: list[Door] = []
    ready, over = threading.Event(), threading.Event()
    faults: list[BaseException] = []

    async def main() -> None:
        config = configured(folder, level, **levels)
        async with origin.listening(), door(origin, folder, config) as one:
            opened.append(one)
            ready.set()
            await asyncio.to_thread(over.wait)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as fault:
            faults.append(fault)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        if faults:
            raise faults[0]
        yield opened[0]
    finally:
        over.set()
        thread.join()
