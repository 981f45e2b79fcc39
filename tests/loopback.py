"""A small internet on loopback: origins that count what reaches them, and clients that ask.

Every name resolves to a `Tap`, and nothing else resolves at all: no test can reach a real network.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import datetime as dt
import socket
import ssl
import tempfile
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

with warnings.catch_warnings():
    # ldap3, which mitmproxy imports, uses names that pyasn1 has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.addons  # noqa: F401

from optout_proxy.proxy import authority
from optout_proxy.proxy.runner import Running, hang_up, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from scripted import Notebook, Scripted

HOSTS = ("tracker.example", "site.example", "other.example", "bank.example", "h1.example")
"""Names that origins have certificates for."""

PATIENCE = 5.0
"""Seconds a client waits for anything."""


# Certificates.


@dataclass(frozen=True)
class Certificates:
    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, *, http2: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "leaf.pem")
        context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
        return context


@cache
def certificates() -> Certificates:
    """An authority and one certificate for all of `HOSTS`, made once a run."""
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    folder = Path(kept.name)
    ca_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _signed("Loopback CA", ca_key, None, ca_key)
    leaf = _signed("Loopback", leaf_key, ca, ca_key)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    secret = leaf_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "leaf.pem").write_bytes(secret + leaf.public_bytes(serialization.Encoding.PEM))
    return Certificates(folder)


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    by: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    )
    if issuer is None:
        builder = builder.add_extension(authority._only_signs(), critical=True)
    else:
        known = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
        builder = builder.add_extension(known, critical=False)
    return builder.sign(by, hashes.SHA256())


# Origins.


@dataclass
class Asked:
    """One HTTP/1 request as an origin got it."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


type Respond = Callable[[Asked, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hello(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Origin: yes\r\n\r\nhello")


@dataclass
class Tap:
    """An origin that speaks TLS or plain HTTP, and counts every TCP connection it gets."""

    respond: Respond = hello
    http2: bool = False
    reads_bodies: bool = True
    connections: int = 0
    raw: bytes = b""
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Tap]:
        with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
            server.setblocking(False)
            self.port = server.getsockname()[1]
            accepting = asyncio.create_task(self._accept(server))
            try:
                yield self
            finally:
                for task in (accepting, *self._tasks):
                    task.cancel()
                await asyncio.gather(accepting, *self._tasks, return_exceptions=True)

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(server)
            self.connections += 1
            task = loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            start = await _peek(connection)
            self.raw += start
            context = certificates().server(http2=self.http2) if start == b"\x16" else None
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            try:
                transport, _ = await loop.connect_accepted_socket(
                    lambda: protocol, connection, ssl=context
                )
            except (OSError, ssl.SSLError):
                return
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            async with closing(writer):
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await self._speak(reader, writer)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen = writer.get_extra_info("ssl_object")
        if chosen is not None and chosen.selected_alpn_protocol() == "h2":
            await _http2_origin(self, reader, writer)
            return
        while (asked := await read_request(reader, body=self.reads_bodies)) is not None:
            self.asked.append(asked)
            await self.respond(asked, reader, writer)
            await writer.drain()


async def _peek(connection: socket.socket) -> bytes:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
    try:
        return connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""


async def _http2_origin(
    tap: Tap, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    while data := await reader.read(65535):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = [(bytes(name), bytes(value)) for name, value in event.headers]
                tap.asked.append(Asked(dict(headers)[b":path"], headers))
                connection.send_headers(event.stream_id, [(":status", "200"), ("x-origin", "yes")])
                connection.send_data(event.stream_id, b"hello", end_stream=True)
        writer.write(connection.data_to_send())
        await writer.drain()


async def read_request(reader: asyncio.StreamReader, *, body: bool = True) -> Asked | None:
    """One HTTP/1 request, with its body if wanted; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    line, *lines = head[:-4].split(b"\r\n")
    headers = [(name, value.strip()) for name, _, value in (each.partition(b":") for each in lines)]
    asked = Asked(line, headers)
    if not body:
        return asked
    if asked.header(b"transfer-encoding"):
        asked.body = await _chunks(reader)
    elif length := asked.header(b"content-length"):
        asked.body = await reader.readexactly(int(length))
    return asked


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@contextlib.asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[asyncio.StreamWriter]:
    try:
        yield writer
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()


# Names.


@contextlib.contextmanager
def names(taps: dict[str, Tap]):
    """Resolve these names to their taps' ports, whatever port is asked for, and no other name."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def resolve(host, port, **more):
        if host in taps:
            where = ("127.0.0.1", taps[host].port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]
        if host in {"127.0.0.1", "localhost"}:
            return await real(host, port, **more)
        raise socket.gaierror(f"{host} is not on loopback")

    loop.getaddrinfo = resolve
    try:
        yield
    finally:
        del loop.getaddrinfo


# An upstream proxy.


@contextlib.asynccontextmanager
async def upstream_proxy(seen: list[bytes]) -> AsyncIterator[int]:
    """A plain HTTP proxy, the kind a company has; appends the request lines it gets to `seen`."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with closing(writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b" ", 2)
                seen.append(head.partition(b"\r\n")[0])
                is_tunnel = method == b"CONNECT"
                host = target.decode() if is_tunnel else target.decode().split("/")[2]
                name, _, port = host.partition(":")
                try:
                    there = await asyncio.open_connection(name, int(port or 80))
                except OSError:
                    writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                    return
                async with closing(there[1]):
                    if is_tunnel:
                        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    else:
                        there[1].write(head)
                    await _relay((reader, writer), there)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _relay(one, other) -> None:
    async def pump(reader, writer) -> None:
        while data := await reader.read(65535):
            writer.write(data)
            await writer.drain()

    pumps = [
        asyncio.create_task(pump(one[0], other[1])),
        asyncio.create_task(pump(other[0], one[1])),
    ]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)


# Clients.


@dataclass(frozen=True)
class Got:
    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


NOTHING = Got(0)
"""What a client has when the connection ended or hung without an answer."""


async def read_response(reader: asyncio.StreamReader, *, head: bool = False) -> Got:
    try:
        async with asyncio.timeout(PATIENCE):
            raw = await reader.readuntil(b"\r\n\r\n")
            line, *lines = raw[:-4].split(b"\r\n")
            pairs = (each.partition(b":") for each in lines)
            headers = tuple((name, value.strip()) for name, _, value in pairs)
            got = Got(int(line.split()[1]), headers)
            if head or got.status in {101, 204, 304}:
                return got
            if length := got.header(b"content-length"):
                return Got(got.status, headers, await reader.readexactly(int(length)))
            if got.header(b"transfer-encoding"):
                return Got(got.status, headers, await _chunks(reader))
            return Got(got.status, headers, await reader.read())
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return NOTHING


@dataclass
class World:
    """A running proxy with its origins around it."""

    proxy: Running
    taps: dict[str, Tap]
    engine: Scripted
    ledger: Notebook
    folder: Path
    upstream: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.proxy.address.rpartition(":")
        return host, int(port)

    def adopt(self, engine: Scripted) -> None:
        hang_up(self.proxy.master, self.proxy.enforcement.adopt(engine))

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(*self.address)
        async with closing(writer):
            yield reader, writer

    @contextlib.asynccontextmanager
    async def tunnel(
        self, host: str, port: int = 443
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """An open way to a host: by CONNECT, or by SOCKS5 where that is the proxy's mode."""
        async with self.dial() as (reader, writer):
            if self.proxy.master.options.mode == ["socks5"]:
                await _socks(reader, writer, host, port)
            else:
                authority_ = f"{host}:{port}"
                writer.write(
                    f"CONNECT {authority_} HTTP/1.1\r\nHost: {authority_}\r\n\r\n".encode()
                )
                got = await read_response_head(reader)
                if not 200 <= got < 300:
                    raise ConnectionRefusedError(got)
            yield reader, writer

    @contextlib.asynccontextmanager
    async def tls(
        self, host: str, *, sni: str | None = None, alpn: Iterable[str] = ("http/1.1",)
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        async with self.tunnel(host) as (reader, writer):
            context = ssl.create_default_context(cafile=certificates().authority)
            context.load_verify_locations(authority.certificate(self.folder))
            if alpn:
                context.set_alpn_protocols(list(alpn))
            async with asyncio.timeout(PATIENCE):
                await writer.start_tls(context, server_hostname=sni or host)
            yield reader, writer

    async def get(
        self, url: str, *, method: str = "GET", headers: str = "", body: bytes = b""
    ) -> Got:
        """Ask for a URL the way a browser behind this proxy would."""
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        fields = f"Host: {host}\r\n{headers}{length}\r\n"
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            if scheme == "https":
                async with self.tls(host) as (reader, writer):
                    writer.write(f"{method} {slash}{path} HTTP/1.1\r\n{fields}".encode() + body)
                    return await read_response(reader, head=method == "HEAD")
            is_socks = self.proxy.master.options.mode == ["socks5"]
            way = self.tunnel(host, 80) if is_socks else self.dial()
            target = f"{slash}{path}" if is_socks else url
            async with way as (reader, writer):
                writer.write(f"{method} {target} HTTP/1.1\r\n{fields}".encode() + body)
                return await read_response(reader, head=method == "HEAD")
        return NOTHING


async def read_response_head(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(PATIENCE):
        try:
            return int((await reader.readuntil(b"\r\n\r\n")).split()[1])
        except asyncio.IncompleteReadError:
            raise ConnectionResetError from None


async def _socks(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    writer.write(b"\x05\x01\x00")
    async with asyncio.timeout(PATIENCE):
        await reader.readexactly(2)
        name = host.encode()
        writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2))
        if (await reader.readexactly(10))[1] != 0:
            raise ConnectionRefusedError


MODES = ("regular", "upstream", "socks5")


@contextlib.asynccontextmanager
async def world(
    engine: Scripted,
    ledger: Notebook,
    folder: Path,
    taps: dict[str, Tap],
    *,
    mode: str = "regular",
    extra: tuple[object, ...] = (),
) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        for tap in {id(tap): tap for tap in taps.values()}.values():
            await stack.enter_async_context(tap.listening())
        stack.enter_context(names(taps))
        seen: list[bytes] = []
        spec = mode
        if mode == "upstream":
            port = await stack.enter_async_context(upstream_proxy(seen))
            spec = f"upstream:http://127.0.0.1:{port}"
        proxy = await stack.enter_async_context(
            running_proxy(
                engine,
                ledger,
                folder=folder,
                mode=spec,
                settings={"ssl_verify_upstream_trusted_ca": str(certificates().authority)},
                extra=extra,
            )
        )
        yield World(proxy, taps, engine, ledger, folder, seen)
