"""A browser, as far as the wire shows one: header lines, cookies, and a proxy setting."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import h11

from optout_proxy.demo import http1
from optout_proxy.demo.table import PAGE_HOST, PERSON
from optout_proxy.hosts import host_of, site_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from optout_proxy.demo.table import Ask
    from optout_proxy.model import Headers, Type

PATIENCE: Final = 3.0
"""Seconds it waits for an answer."""

_DESTINATION: Final[dict[Type, str]] = {
    "document": "document",
    "subdocument": "iframe",
    "script": "script",
    "stylesheet": "style",
    "image": "image",
    "xmlhttprequest": "empty",
    "ping": "empty",
}
_ACCEPT: Final[dict[Type, str]] = {
    "document": "text/html,application/xhtml+xml,*/*;q=0.8",
    "subdocument": "text/html,application/xhtml+xml,*/*;q=0.8",
    "stylesheet": "text/css,*/*;q=0.1",
    "image": "image/avif,image/webp,image/*,*/*;q=0.8",
}
_KNOWN_TO_GOOGLE: Final = ("google.com", "doubleclick.net", "googleadservices.com")
"""Sites to which Chrome sends `X-Client-Data`, a number for the variant of it that one runs."""


@dataclass(frozen=True, slots=True)
class Got:
    """What the browser was answered."""

    status: int = 0
    """0 where there was no answer."""
    headers: Headers = ()
    body: bytes = b""
    issuer: str = ""
    """Who signed the certificate that it was shown."""

    def values(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name]


class Browser:
    """Sends what a browser sends; through the proxy at `proxy` (`host:port`) where one is set."""

    def __init__(self, authorities: tuple[Path, ...], proxy: str = "") -> None:
        self._proxy = proxy
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.set_alpn_protocols(["http/1.1"])
        for authority in authorities:
            self._tls.load_verify_locations(authority)

    async def send(self, ask: Ask) -> Got:
        """The answer to a request."""
        connection = h11.Connection(h11.CLIENT)
        head = h11.Request(method=ask.method, target=ask.target, headers=[*header_lines(ask)])
        faults = (OSError, TimeoutError, ssl.SSLError, h11.ProtocolError)
        with contextlib.suppress(*faults):
            async with asyncio.timeout(PATIENCE), self._open(ask.host) as (reader, writer):
                writer.write(http1.written(connection, head, ask.body.encode()))
                got = await http1.receive(connection, reader)
                if got and isinstance(got.head, h11.Response):
                    return Got(got.head.status_code, got.headers, got.body, _issuer(writer))
        return Got()

    @contextlib.asynccontextmanager
    async def _open(
        self, host: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        address, _, port = self._proxy.rpartition(":")
        streams = await asyncio.open_connection(address or host, int(port or 443))
        reader, writer = streams
        try:
            if self._proxy:
                await _tunnel(host, *streams)
            await writer.start_tls(self._tls, server_hostname=host)
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()


async def _tunnel(host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if head.split(b" ", 2)[1] != b"200":
        raise ConnectionRefusedError(head)


def _issuer(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert") or {}
    return next(
        (v for part in certificate.get("issuer", ()) for k, v in part if k == "commonName"), ""
    )


def header_lines(ask: Ask) -> Iterator[tuple[str, str]]:
    """The header lines of a request, as Chromium writes them."""
    origin = f"https://{host_of(ask.page)}"
    crosses = _party(ask) == "cross-site"
    yield "Host", ask.host
    yield "Connection", "close"
    yield "User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0"
    yield "Accept", _ACCEPT.get(ask.type, "*/*")
    yield "Sec-Fetch-Site", _party(ask)
    yield "Sec-Fetch-Mode", _mode(ask.type)
    yield "Sec-Fetch-Dest", _DESTINATION[ask.type]
    if ask.type == "document":
        yield "Sec-Fetch-User", "?1"
    elif ask.framed or crosses:
        yield "Sec-Fetch-Storage-Access", "active"
    if ask.method == "POST" or _mode(ask.type) == "cors":
        yield "Origin", origin
    # mass.gov's stand-in asks for whole addresses; other sites leave it at the browser's default.
    whole = not crosses or host_of(ask.page) == PAGE_HOST
    yield "Referer", ask.page if whole else f"{origin}/"
    if site_of(ask.host) in _KNOWN_TO_GOOGLE:
        yield "X-Client-Data", PERSON
    if ask.role == "loads":
        yield "If-None-Match", f'"{PERSON}"'
    if ask.cookies:
        yield "Cookie", ask.cookies
    if ask.method == "POST":
        yield "Content-Type", _content_type(ask.body)
        yield "Content-Length", str(len(ask.body))


def _party(ask: Ask) -> str:
    page = host_of(ask.page)
    if page == ask.host:
        return "same-origin"
    return "same-site" if site_of(page) == site_of(ask.host) else "cross-site"


def _mode(kind: Type) -> str:
    if kind in {"document", "subdocument"}:
        return "navigate"
    return "cors" if kind == "xmlhttprequest" else "no-cors"


def _content_type(body: str) -> str:
    if body.startswith("{"):
        return "application/json"
    return "application/x-www-form-urlencoded" if "=" in body else "text/plain;charset=UTF-8"
