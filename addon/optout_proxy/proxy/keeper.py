"""Keep a browser and its profile: both are gone when the window is closed, or when who asked dies.

A process of its own, because a killed one cleans nothing up. It reads what to open from its
standard input and watches that stay open; the system closes it, however its owner ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from optout_proxy.errors import OptoutError
from optout_proxy.proxy import browser as browsers

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAVE: Final = 5.0
"""Seconds that a browser has to end by itself."""
_SOCKET_NAME: Final = 104
"""Characters that macOS allows; Linux, four more."""


class Order(msgspec.Struct, frozen=True):
    """What to open."""

    name: str
    """Of the browser."""
    proxy: str
    trusts: tuple[str, ...]
    url: str = ""
    more: tuple[str, ...] = ()


class Keeper:
    """The keeping process, as its owner sees it."""

    def __init__(self, order: Order) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for its owner
        )
        assert self._process.stdin is not None  # noqa: S101 - PIPE gives one
        self._stdin = self._process.stdin
        self._stdin.write(msgspec.json.encode(order) + b"\n")
        self._stdin.flush()

    def wait(self) -> int:
        """Wait until the browser is closed and its profile gone; how that went, as exit code."""
        return self._process.wait()

    def end(self) -> int:
        """Close the browser, and wait as `wait` does."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        return self.wait()


def keep(order: Order, over: threading.Event) -> int:
    """Open a browser, and clean up when it ends or `over` is set; its exit code."""
    browser = browsers.find(order.name)
    trusts = tuple(map(Path, order.trusts))
    with tempfile.TemporaryDirectory(
        prefix="optout-browser-", ignore_cleanup_errors=True
    ) as folder:
        profile, log = Path(folder) / "profile", Path(folder) / "log"
        _temporary_files_in(Path(folder) / "t")
        browsers.make_profile(browser, profile, proxy=order.proxy, trusts=trusts)
        line = browsers.command(
            browser,
            profile,
            proxy=order.proxy,
            trusts=trusts,
            url=order.url,
            more=order.more,
        )
        with log.open("wb") as said:
            code = 0 if over.is_set() else _run(line, said.fileno(), over)
        if code > 0:
            raise OptoutError(f"{browser.name} ended with code {code}: {_last_line(log)}")
    return 0


def _temporary_files_in(folder: Path) -> None:
    """Have what browsers leave lying about lie in a folder that goes with the profile.

    Chromium's socket lies there too, and a socket's name must be short.
    """
    if len(str(folder)) + len("/org.chromium.Chromium.ABCDEF/SingletonSocket") < _SOCKET_NAME:
        folder.mkdir()
        os.environ["TMPDIR"] = str(folder)


def _run(line: list[str], said: int, over: threading.Event) -> int:
    """Run a program until it ends or is to end; 0 where it was told to."""
    process = subprocess.Popen(  # noqa: S603 - the browser that was found
        line, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
    )
    try:
        while not over.wait(0.1):
            if (code := process.poll()) is not None:
                return code
        return 0
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    _signal_all(process, process.terminate, "SIGTERM")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_LEAVE)
    _signal_all(process, process.kill, "SIGKILL")
    process.wait()


def _signal_all(process: subprocess.Popen[bytes], alone: Callable[[], None], name: str) -> None:
    if sys.platform == "win32":
        alone()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, getattr(signal, name))


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def main() -> int:
    """Keep what standard input orders, for as long as it stays open."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    over = threading.Event()

    def ended(*_: Any) -> None:
        over.set()

    def watch() -> None:
        # Not by sys.stdin: its lock would be held for ever, and Python minds that at its end.
        while os.read(0, 4096):
            pass
        over.set()

    signal.signal(signal.SIGTERM, ended)
    threading.Thread(target=watch, daemon=True).start()
    try:
        return keep(order, over)
    except OptoutError as error:
        sys.stderr.write(f"optout: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
