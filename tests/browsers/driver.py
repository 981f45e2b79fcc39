"""One face for two real browsers: start, go somewhere, look, click, and tell what happened.

Third-party cookies are on in both: with them off, a browser would do the product's work, and a
test would pass without it. The profile is made as `optout browse` makes it.
"""

from __future__ import annotations

import abc
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from browsers.websocket import Channel, ProtocolError
from optout_proxy.proxy import browser as browsers

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 20.0
"""Seconds that a page, or anything on it, may take."""

WAYS = {way.family: way for way in reversed(tuple(browsers.installed()))}
"""Of each family, the browser that is driven."""


@dataclass(frozen=True)
class Cookie:
    domain: str
    name: str
    value: str


@dataclass(frozen=True)
class Said:
    """A line of the console, of whichever page or frame."""

    level: str
    text: str


@dataclass
class Window(abc.ABC):
    """A browser with a profile in `folder`, going through `proxy`; ends with its `with` block."""

    proxy: str
    trusts: tuple[Path, ...]
    folder: Path
    said: list[Said] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Addresses of all requests, as the browser tells them."""
    family: ClassVar[browsers.Family]
    more: ClassVar[tuple[str, ...]]
    _process: subprocess.Popen[bytes] | None = None
    _channel: Channel | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._prepare()
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def open(self) -> None:
        """Start it, with what the profile has kept."""
        line = browsers.command(
            WAYS[self.family],
            self.folder,
            proxy=self.proxy,
            trusts=self._trusted(),
            more=self.more,
        )
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": str(self.folder), "MOZ_HEADLESS": "1"},
        )
        self._channel = Channel(self._address(), self._event)
        self._attach()

    def close(self) -> None:
        """End it as a user would, so that what it keeps is kept; then whatever is left of it."""
        assert self._process is not None
        with contextlib.suppress(ProtocolError, OSError):
            self._leave()
        if self._channel:
            self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """End it and start it again with the same profile."""
        self.close()
        self.open()

    def wait_for(self, expression: str, *, patience: float = PATIENCE) -> Any:
        """The value of an expression in the page, once it is true."""
        ends = time.monotonic() + patience
        while not (value := self.evaluate(expression)):
            if time.monotonic() > ends:
                raise TimeoutError(f"never came true: {expression}")
            time.sleep(0.05)
        return value

    def where(self, selector: str) -> tuple[int, int]:
        """The middle of an element, in the window."""
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        time.sleep(0.1)  # where frames are after that, other processes must be told
        return round(x), round(y)

    def click(self, selector: str) -> None:
        """A real click in the middle of an element."""
        self.click_at(*self.where(selector))

    def call(self, method: str, params: dict[str, Any] | None = None, **more: Any) -> Any:
        assert self._channel is not None
        return self._channel.call(method, params, **more)

    def _port_file(self, name: str) -> str:
        file = self.folder / name
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            with contextlib.suppress(FileNotFoundError):
                if text := file.read_text():
                    return text
            time.sleep(0.02)
        raise TimeoutError(f"{self.family} does not start")

    def _trusted(self) -> tuple[Path, ...]:
        return self.trusts

    @abc.abstractmethod
    def goto(self, url: str) -> None:
        """Open an address; returns when its `load` event has come."""

    @abc.abstractmethod
    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""

    @abc.abstractmethod
    def click_at(self, x: int, y: int) -> None: ...

    @abc.abstractmethod
    def type(self, text: str) -> None:
        """Keys, to whatever has the focus."""

    @abc.abstractmethod
    def cookies(self) -> list[Cookie]:
        """All that it holds, of any host."""

    @abc.abstractmethod
    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of what is seen, and whether the user likes it dark."""

    @abc.abstractmethod
    def screenshot(self) -> bytes:
        """What is seen, as PNG."""

    @abc.abstractmethod
    def _prepare(self) -> None: ...

    @abc.abstractmethod
    def _address(self) -> str:
        """Where it listens."""

    @abc.abstractmethod
    def _attach(self) -> None: ...

    @abc.abstractmethod
    def _leave(self) -> None: ...

    @abc.abstractmethod
    def _event(self, message: dict[str, Any]) -> None: ...
