"""The stand-in internet behind a proxy, on a thread of its own, and browsers that go through it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browsers.chromium import Chromium
from browsers.firefox import Firefox
from wire import Door, Origin, configured, mitmdump, ours

if TYPE_CHECKING:
    from browsers.driver import Window

_KINDS: dict[str, type[Window]] = {"chromium": Chromium, "firefox": Firefox}

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
        except BaseException as fault:  # noqa: BLE001 - told to who waits
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


@contextlib.contextmanager
def window(family: str, door: Door) -> Iterator[Window]:
    """A browser of this family with a profile of its own, going through a door of `wire`."""
    host, port = door.address
    with (
        tempfile.TemporaryDirectory(prefix="optout-test-", ignore_cleanup_errors=True) as folder,
        _KINDS[family](f"{host}:{port}", door.trusts, Path(folder)) as opened,
    ):
        yield opened
