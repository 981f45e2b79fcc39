"""A WebSocket to a browser's debugging port: commands that are answered, events that come by.

Both protocols that are spoken here (Chromium's and WebDriver BiDi) number their commands and send
events without a number, as JSON text.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, Request
from wsproto.events import TextMessage as Text

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20.0
"""Seconds that a browser has for an answer."""


class ProtocolError(Exception):
    """The browser did not do what it was told."""


class Channel:
    """`call` sends a command and waits; `on_event` hears every event, on a thread of its own."""

    def __init__(self, url: str, on_event: Callable[[dict[str, Any]], None]) -> None:
        parts = urlsplit(url)
        self._on_event = on_event
        self._socket = socket.create_connection((parts.hostname, parts.port), PATIENCE)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._waiting: dict[int, tuple[threading.Event, dict[str, Any]]] = {}
        self._open = threading.Event()
        self._ended = ""
        request = Request(host=parts.netloc, target=parts.path)
        self._socket.sendall(self._protocol.send(request))
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._open.wait(PATIENCE):
            raise ProtocolError(f"{url} does not answer")

    def call(self, method: str, params: dict[str, Any] | None = None, **more: Any) -> Any:
        """What a command returns; `ProtocolError` where it fails or hangs."""
        number = next(self._numbers)
        done, answer = self._waiting[number] = (threading.Event(), {})
        self.send({"id": number, "method": method, "params": params or {}, **more})
        if not done.wait(PATIENCE):
            raise ProtocolError(f"{method} is not answered")
        if self._ended and not answer:
            raise ProtocolError(f"{method}: {self._ended}")
        if "error" in answer:
            raise ProtocolError(f"{method}: {answer['error']} {answer.get('message', '')}")
        return answer["result"]

    def send(self, message: dict[str, Any]) -> None:
        with self._sending:
            self._socket.sendall(self._protocol.send(Text(data=json.dumps(message))))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _listen(self) -> None:
        text = ""
        with contextlib.suppress(OSError):
            while data := self._socket.recv(1 << 16):
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    if isinstance(event, Text):
                        text += event.data
                        if event.message_finished:
                            self._take(json.loads(text))
                            text = ""
                    elif isinstance(event, AcceptConnection):
                        self._open.set()
                    elif isinstance(event, Ping):
                        with self._sending:
                            self._socket.sendall(self._protocol.send(event.response()))
                    elif isinstance(event, CloseConnection | RejectConnection):
                        self._ended = f"the browser closed the connection: {event}"
        self._ended = self._ended or "the browser ended"
        for done, _ in tuple(self._waiting.values()):
            done.set()

    def _take(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.pop(message.get("id") or 0, None)
        if waiting is None:
            self._on_event(message)
            return
        done, answer = waiting
        answer.update(message)
        done.set()
