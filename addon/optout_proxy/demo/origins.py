"""Stand-in sites: TLS servers on loopback that keep a record of everything that reaches them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import h11

from optout_proxy.demo import http1
from optout_proxy.demo.table import PAGE_HOST, PERSON, SET_BY_SITE
from optout_proxy.resources import TRANSPARENT_GIF

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from optout_proxy.demo.certificates import Certificates
    from optout_proxy.model import Headers

type _Sockets = tuple[asyncio.StreamReader, asyncio.StreamWriter]
type _Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PAGE_FILE: Final = Path(__file__).with_name("page.html")
LAST: Final = 400 * 24 * 3600
"""Seconds that a tracker asks a browser to keep its cookie."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as a stand-in got it."""

    host: str
    target: str
    headers: Headers
    body: bytes

    def values(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name]

    @property
    def cookies(self) -> list[str]:
        """Every `name=value` of its cookies."""
        return [pair.strip() for line in self.values(b"cookie") for pair in line.split(";")]

    @property
    def text(self) -> str:
        """All of it, to be searched."""
        lines = (f"{k.decode('latin-1')}: {v.decode('latin-1')}" for k, v in self.headers)
        return "\n".join((self.target, *lines, self.body.decode("latin-1")))


@dataclass(slots=True)
class Traffic:
    """What reached the stand-ins since somebody last looked."""

    connections: list[str] = field(default_factory=list)
    """The host of every TCP connection."""
    hellos: list[str] = field(default_factory=list)
    """The name in every TLS ClientHello."""
    requests: list[Arrival] = field(default_factory=list)

    def since(self) -> Traffic:
        """What is new; looking empties it."""
        new = Traffic(list(self.connections), list(self.hellos), list(self.requests))
        for seen in (self.connections, self.hellos, self.requests):
            seen.clear()
        return new


class Origins:
    """All stand-ins, a port each: a connection that says nothing is still known by its port."""

    def __init__(self, certificates: Certificates) -> None:
        self.traffic = Traffic()
        self._tls = certificates.server(self.traffic.hellos)
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def listening(self, hosts: Iterable[str]) -> AsyncIterator[dict[str, int]]:
        """Take connections; the port of each host."""
        servers: dict[str, asyncio.Server] = {}
        try:
            for host in hosts:
                servers[host] = await asyncio.start_server(self._for(host), "127.0.0.1", 0)
            yield {host: one.sockets[0].getsockname()[1] for host, one in servers.items()}
        finally:
            for server in servers.values():
                server.close()
            for writer in tuple(self._open):
                writer.transport.abort()

    def _for(self, host: str) -> _Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.traffic.connections.append(host)
            self._open.add(writer)
            with contextlib.suppress(OSError, ssl.SSLError, h11.RemoteProtocolError):
                # At once: what was read before belongs to the handshake.
                await writer.start_tls(self._tls)
                await self._answer(host, (reader, writer))
            self._open.discard(writer)
            writer.close()

        return serve

    async def _answer(self, host: str, sockets: _Sockets) -> None:
        reader, writer = sockets
        connection = h11.Connection(h11.SERVER)
        got = await http1.receive(connection, reader)
        if got is None or not isinstance(got.head, h11.Request):
            return
        arrival = Arrival(host, got.head.target.decode("latin-1"), got.headers, got.body)
        self.traffic.requests.append(arrival)
        kind, body = _content(arrival)
        headers = [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(body))]
        head = h11.Response(status_code=200, headers=[*headers, *_remembering(host)])
        writer.write(http1.written(connection, head, body))
        await writer.drain()


def _content(arrival: Arrival) -> tuple[bytes, bytes]:
    """Something of the type that was asked for."""
    match arrival.values(b"sec-fetch-dest"):
        case ["document"] if arrival.host == PAGE_HOST:
            return b"text/html; charset=utf-8", PAGE_FILE.read_bytes()
        case ["document" | "iframe"]:
            return b"text/html; charset=utf-8", b"<!doctype html><title>Stand-in</title>"
        case ["script"]:
            return b"text/javascript", b"/* a stand-in */"
        case ["style"]:
            return b"text/css", b"body { margin: 0 }"
        case ["image"]:
            return TRANSPARENT_GIF.content_type.encode(), TRANSPARENT_GIF.body
    return b"application/json", b"{}"


def _remembering(host: str) -> Iterator[tuple[bytes, bytes]]:
    """Header lines by which a site knows a browser again."""
    yield b"Connection", b"close"
    if host == PAGE_HOST:
        yield b"Referrer-Policy", b"no-referrer-when-downgrade"
        yield b"Set-Cookie", b"form=half-filled-in; Path=/; HttpOnly"
        for mark in SET_BY_SITE:
            yield b"Set-Cookie", f"{mark.name}={mark.value}; Max-Age={LAST}; HttpOnly".encode()
    else:
        yield b"ETag", f'"{PERSON}"'.encode()
        yield b"Set-Cookie", f"visitor={PERSON}; Max-Age={LAST}; Secure; SameSite=None".encode()
