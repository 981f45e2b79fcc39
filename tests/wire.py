"""The whole way on loopback: one origin for every name, clients of both protocols, three doors.

A door is a way to start the product: `ours` (our runner, in this process), `optout_run` and
`mitmdump` (the real commands, as processes of their own). `mitmdump` without a script is the
control. In a command's process every name leads to the origin by a `sitecustomize` of ours, so
that the command itself is run as it is.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import datetime as dt
import os
import re
import socket
import ssl
import sys
import tempfile
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loopback import NOTHING, Got, closing, names, read_response
from optout_proxy import shipped
from optout_proxy.ledger import Ledger
from optout_proxy.proxy import authority
from optout_proxy.proxy.runner import running_proxy
from optout_proxy.registry import load
from optout_proxy.registry.tool_file import load_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

type Lines = list[tuple[bytes, bytes]]
type _Unsent = tuple[bytearray, tuple[tuple[str, str], ...]]

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PATIENCE = 10.0
"""Seconds that anything here may take before it counts as hung."""


# Certificates.


@cache
def stand_in_certificates(hosts: frozenset[str]) -> tuple[Path, ssl.SSLContext, ssl.SSLContext]:
    """An authority's file, and server contexts (HTTP/2 and 1.1, 1.1 only) for all of `hosts`."""
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    folder = Path(kept.name)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _certificate("Stand-in CA", ca_key.public_key(), None, ca_key, ())
    leaf = _certificate("Stand-in", key.public_key(), ca, ca_key, sorted(hosts))
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.pem").write_bytes(secret + leaf.public_bytes(serialization.Encoding.PEM))
    contexts = []
    for protocols in (["h2", "http/1.1"], ["http/1.1"]):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "leaf.pem")
        context.set_alpn_protocols(protocols)
        contexts.append(context)
    return folder / "ca.pem", contexts[0], contexts[1]


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate | None,
    by: ec.EllipticCurvePrivateKey,
    hosts: Iterable[str],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(signer, critical=False)
    )
    if known := [x509.DNSName(host) for host in hosts]:
        builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
    return builder.sign(by, hashes.SHA256())


# The origin.


@dataclass
class Reached:
    """One request as it reached the stand-in."""

    host: str
    scheme: str
    protocol: str
    method: str
    target: str
    headers: Lines
    body: bytes

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.target}"

    def all(self, name: str) -> list[str]:
        low = name.lower().encode()
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == low]

    def cookies(self) -> dict[str, str]:
        pairs = (pair.partition("=") for line in self.all("cookie") for pair in line.split("; "))
        return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"stand-in"
    trailers: tuple[tuple[str, str], ...] = ()
    """Over HTTP/2 only."""


@dataclass
class Origin:
    """A stand-in for every host of `hosts`, at one port; it writes down all that reaches it."""

    hosts: frozenset[str]
    reply: Callable[[Reached], Reply] = lambda _: Reply()
    http2: bool = True
    speak: Callable[[Origin, str, asyncio.StreamReader, asyncio.StreamWriter], Any] | None = None
    """Speaks in place of HTTP, for tests that look at bytes; told the name it was called by."""
    port: int = 0
    connections: int = 0
    hellos: list[str] = field(default_factory=list)
    """Server names of the TLS ClientHellos."""
    reached: list[Reached] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def authority(self) -> Path:
        return stand_in_certificates(self.hosts)[0]

    def counts(self) -> tuple[int, int, int]:
        return self.connections, len(self.hellos), len(self.reached)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Origin]:
        with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
            server.setblocking(False)
            self.port = server.getsockname()[1]
            accepting = asyncio.create_task(self._accept(server))
            try:
                yield self
            finally:
                tasks = (accepting, *self._tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(server)
            self.connections += 1
            task = loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            # asyncio sets it on sockets it made itself; without it some answers wait 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = await _first_byte(connection)
            context = self._context() if start == b"\x16" else None
            reader = asyncio.StreamReader(limit=8 << 20)
            protocol = asyncio.StreamReaderProtocol(reader)
            loop = asyncio.get_running_loop()
            try:
                transport, _ = await loop.connect_accepted_socket(
                    lambda: protocol, connection, ssl=context
                )
            except (OSError, ssl.SSLError):
                return
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            async with closing(writer):
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await self._talk(reader, writer)

    def _context(self) -> ssl.SSLContext:
        chosen = stand_in_certificates(self.hosts)[1 if self.http2 else 2]
        chosen.sni_callback = self._called
        return chosen

    def _called(self, tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        tls.called = name or ""
        self.hellos.append(tls.called)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = writer.get_extra_info("ssl_object")
        if self.speak is not None:
            await self.speak(self, tls.called if tls else "", reader, writer)
        elif tls is not None and tls.selected_alpn_protocol() == "h2":
            await self._http2(reader, writer)
        else:
            await self._http1("https" if tls else "http", reader, writer)

    async def _http1(
        self, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while (found := await read_message(reader)) is not None:
            line, headers, body = found
            method, target, _ = line.decode("latin-1").split(" ", 2)
            host = next((value for key, value in headers if key.lower() == b"host"), b"")
            asked = Reached(
                host.decode("latin-1"), scheme, "HTTP/1.1", method, target, headers, body
            )
            self.reached.append(asked)
            reply = self.reply(asked)
            lines = [f"HTTP/1.1 {reply.status} Stand-in", *(": ".join(h) for h in reply.headers)]
            if reply.status not in {204, 304}:
                lines.append(f"Content-Length: {len(reply.body)}")
            head = "\r\n".join(lines) + "\r\n\r\n"
            writer.write(head.encode("latin-1") + (b"" if method == "HEAD" else reply.body))
            await writer.drain()

    async def _http2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        open_: dict[int, tuple[Lines, bytearray]] = {}
        unsent: dict[int, _Unsent] = {}
        while data := await reader.read(65535):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    open_[event.stream_id] = (list(event.headers), bytearray())
                elif isinstance(event, h2.events.DataReceived):
                    open_[event.stream_id][1].extend(event.data)
                    connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, h2.events.StreamEnded):
                    stream = event.stream_id
                    unsent[stream] = self._answer_http2(connection, stream, *open_.pop(stream))
            _send_http2(connection, unsent)
            writer.write(connection.data_to_send())
            await writer.drain()

    def _answer_http2(
        self, connection: h2.connection.H2Connection, stream: int, lines: Lines, body: bytearray
    ) -> _Unsent:
        pseudo = {name: value.decode("latin-1") for name, value in lines if name[:1] == b":"}
        headers = [(bytes(name), bytes(value)) for name, value in lines if name[:1] != b":"]
        asked = Reached(
            pseudo.get(b":authority", ""), pseudo[b":scheme"], "HTTP/2", pseudo[b":method"],
            pseudo[b":path"], headers, bytes(body),
        )  # fmt: skip
        self.reached.append(asked)
        reply = self.reply(asked)
        given = [(name.lower(), value.encode("latin-1")) for name, value in reply.headers]
        connection.send_headers(stream, [(":status", str(reply.status)), *given])
        return bytearray(reply.body), reply.trailers


def _send_http2(connection: h2.connection.H2Connection, unsent: dict[int, _Unsent]) -> None:
    """As much of every answer as its window lets out."""
    for stream, (body, trailers) in list(unsent.items()):
        while room := _room(connection, stream):
            piece = bytes(body[:room])
            del body[:room]
            connection.send_data(stream, piece, end_stream=not body and not trailers)
            if not body:
                if trailers:
                    connection.send_headers(stream, trailers, end_stream=True)
                del unsent[stream]
                break


def _room(connection: h2.connection.H2Connection, stream: int) -> int:
    window = connection.local_flow_control_window(stream)
    return max(0, min(window, connection.max_outbound_frame_size))


async def _first_byte(connection: socket.socket) -> bytes:
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


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, Lines, bytes] | None:
    """Start line, header lines and body of an HTTP/1 request; None at the connection's end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    line, *rest = head[:-4].split(b"\r\n")
    headers = [(name, value.strip()) for name, _, value in (each.partition(b":") for each in rest)]
    known = {name.lower(): value for name, value in headers}
    if b"transfer-encoding" in known:
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while (await reader.readline()).strip():
            pass
        return line, headers, body
    return line, headers, await reader.readexactly(int(known.get(b"content-length", b"0")))


# Clients.


@dataclass
class Client:
    """A browser of one address: it keeps a connection a host, and asks one thing at a time."""

    proxy: tuple[str, int]
    trusts: tuple[Path, ...]
    http2: bool = False
    address: str = "127.0.0.1"
    """Its own: what a proxy remembers of one client it must not hold against another."""
    opened: int = 0
    _open: dict[tuple[str, str], _Connection] = field(default_factory=dict)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        measured: bool = True,
    ) -> Got:
        """What the proxy hands back; `NOTHING` where the connection ends or hangs.

        Unless `measured`, nobody is told how long the body is: HTTP/1.1 sends it in chunks.
        """
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        lines = list(headers)
        if body and measured and not any(name.lower() == "content-length" for name, _ in lines):
            lines.append(("Content-Length", str(len(body))))
        for _ in range(2):  # one that the proxy ended meanwhile is opened again
            fresh = key not in self._open
            try:
                async with asyncio.timeout(PATIENCE):
                    if fresh:
                        self._open[key] = await self._connect(parts.scheme, parts.netloc)
                    got = await self._open[key].ask(method, url, lines, body)
            except (OSError, TimeoutError, ssl.SSLError, asyncio.IncompleteReadError):
                got = NOTHING
            if got is not NOTHING:
                return got
            self._open.pop(key, None)
            if fresh:
                break
        return NOTHING

    def drop(self) -> None:
        """Leave all open connections behind."""
        self._open.clear()

    async def _connect(self, scheme: str, authority_: str) -> _Connection:
        reader, writer = await asyncio.open_connection(*self.proxy, local_addr=(self.address, 0))
        self.opened += 1
        await self._stack.enter_async_context(closing(writer))
        if scheme == "http":
            return _Http1(reader, writer, absolute=True)
        host, _, port = authority_.partition(":")
        await connect(reader, writer, host, int(port or 443))
        context = self._context()
        await writer.start_tls(context, server_hostname=host.rstrip("."))
        tls = writer.get_extra_info("ssl_object")
        if tls.selected_alpn_protocol() == "h2":
            return _Http2(reader, writer)
        return _Http1(reader, writer)

    def _context(self) -> ssl.SSLContext:
        return _client_context(self.trusts, self.http2)


@cache
def _client_context(trusts: tuple[Path, ...], http2: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in trusts:
        context.load_verify_locations(file)
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return context


async def connect(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int = 443
) -> None:
    """Open a tunnel; OSError where the proxy refuses."""
    writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if head.split()[1] != b"200":
        raise ConnectionRefusedError(head)


@dataclass
class _Http1:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    absolute: bool = False

    async def ask(self, method: str, url: str, lines: list[tuple[str, str]], body: bytes) -> Got:
        rest, host = _after_authority(url), urlsplit(url).netloc
        target = url.partition("#")[0] if self.absolute else rest
        if body and not any(name.lower() == "content-length" for name, _ in lines):
            lines = [*lines, ("Transfer-Encoding", "chunked")]
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        head = [
            f"{method} {target} HTTP/1.1",
            f"Host: {host}",
            *(": ".join(line) for line in lines),
        ]
        self.writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body)
        await self.writer.drain()
        got = await read_response(self.reader, head=method == "HEAD")
        if got.header(b"connection") == b"close":
            self.writer.close()
        return got


class _Http2:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.http.initiate_connection()

    async def ask(self, method: str, url: str, lines: list[tuple[str, str]], body: bytes) -> Got:
        stream = self.http.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":authority", urlsplit(url).netloc),
            (":path", _after_authority(url)),
        ]
        given = [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
        self.http.send_headers(stream, [*pseudo, *given], end_stream=not body)
        while body:
            room = _room(self.http, stream)
            piece, body = body[:room], body[room:]
            self.http.send_data(stream, piece, end_stream=not body)
            await self._flush()
            if body and not _room(self.http, stream):
                self.http.receive_data(await self.reader.read(65535))
        await self._flush()
        return await self._answer(stream)

    async def _answer(self, stream: int) -> Got:
        status, headers, body = 0, (), b""
        while data := await self.reader.read(65535):
            events = self.http.receive_data(data)
            for event in events:
                if getattr(event, "stream_id", stream) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                    headers = tuple((n, v) for n, v in event.headers if n[:1] != b":")
                elif isinstance(event, h2.events.TrailersReceived):
                    headers += tuple((b"trailer: " + n, v) for n, v in event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, stream)
            await self._flush()
            if any(isinstance(e, h2.events.StreamEnded) and e.stream_id == stream for e in events):
                return Got(status, headers, body)
            if any(
                isinstance(e, h2.events.StreamReset | h2.events.ConnectionTerminated)
                for e in events
            ):
                break
        return NOTHING

    async def _flush(self) -> None:
        self.writer.write(self.http.data_to_send())
        await self.writer.drain()


type _Connection = _Http1 | _Http2


def _after_authority(url: str) -> str:
    """The request target: path and query, without the fragment that no client sends."""
    rest = url.partition("#")[0].partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


# Doors.


@dataclass
class Door:
    """A running proxy, however it was started."""

    address: tuple[str, int]
    trusts: tuple[Path, ...]
    origin: Origin
    ledger: Path
    config: Path
    process: asyncio.subprocess.Process | None = None
    said: deque[str] = field(default_factory=lambda: deque(maxlen=2000))
    """Lines that the command printed, both streams."""

    def client(self, *, http2: bool = False, address: str = "127.0.0.1") -> Client:
        return Client(self.address, self.trusts, http2, address)

    def written(self) -> str:
        """All ledger files as one text."""
        return "".join(file.read_text() for file in sorted(self.ledger.rglob("*.jsonl")))


@contextlib.asynccontextmanager
async def ours(origin: Origin, folder: Path, config: Path) -> AsyncIterator[Door]:
    """Our runner in this process."""
    registry = load(config)
    settings = registry.settings.ledger
    ledger = Ledger(settings.folder, keep_days=settings.keep_days, detail=settings.detail)
    spelled = (*origin.hosts, *(f"{host}." for host in origin.hosts))
    with contextlib.closing(ledger), names(dict.fromkeys(spelled, origin)):
        trusts = {"ssl_verify_upstream_trusted_ca": str(origin.authority)}
        async with running_proxy(
            registry.engine, ledger, folder=folder / "authority", settings=trusts
        ) as proxy:
            host, _, port = proxy.address.rpartition(":")
            certificate = authority.certificate(folder / "authority")
            trusted = (certificate, origin.authority)
            yield Door((host, int(port)), trusted, origin, settings.folder, config)


@contextlib.asynccontextmanager
async def optout_run(origin: Origin, folder: Path, config: Path) -> AsyncIterator[Door]:
    """`optout run`, as a user starts it."""
    command = [BIN / "optout", "run", "--listen", "127.0.0.1:0", "--config", config]
    environment = {"XDG_DATA_HOME": str(folder / "share")}
    home = folder / "share" / "optout-proxy"
    async with _started(command, environment, origin, folder, config, home) as door:
        yield door


@contextlib.asynccontextmanager
async def mitmdump(
    origin: Origin,
    folder: Path,
    config: Path | None,
    *,
    scripts: Iterable[Path] = (),
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Door]:
    """Stock `mitmdump`: with our script where there is a configuration, else bare."""
    home = folder / "confdir"
    authority.ensure(home)
    command: list[Path | str] = [BIN / "mitmdump", "-p", "0", "--listen-host", "127.0.0.1"]
    sets = {"confdir": str(home), "flow_detail": "0", **(settings or {})}
    if config:
        command += ["-s", ROOT / "addon" / "enforce.py"]
        sets["optout_config"] = str(config)
    for script in scripts:
        command += ["-s", script]
    for name, value in sets.items():
        command += ["--set", f"{name}={value}"]
    async with _started(command, {}, origin, folder, config or folder, home) as door:
        yield door


@contextlib.asynccontextmanager
async def _started(
    command: list[Path | str],
    environment: dict[str, str],
    origin: Origin,
    folder: Path,
    config: Path,
    home: Path,
) -> AsyncIterator[Door]:
    resolver = folder / "resolver"
    resolver.mkdir(parents=True, exist_ok=True)
    (resolver / "sitecustomize.py").write_text(_EVERY_NAME_LEADS_TO_THE_ORIGIN)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG_"))},
            "PYTHONPATH": str(resolver),
            "PYTHONUNBUFFERED": "1",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "STAND_IN_PORT": str(origin.port),
            "STAND_IN_AUTHORITY": str(origin.authority),
            **environment,
        },
    )
    door = Door(("", 0), (), origin, folder / "ledger", config, process)
    listening = asyncio.create_task(_listen(process, door))
    try:
        async with asyncio.timeout(30):
            while not door.address[1]:
                if listening.done():
                    raise RuntimeError("ended: " + "".join(door.said))
                await asyncio.sleep(0.02)
        door.trusts = (authority.certificate(home), origin.authority)
        yield door
    finally:
        await ended(process)
        await listening


async def ended(process: asyncio.subprocess.Process) -> int:
    """Exit code, the process having been asked to end where it still runs."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
    return await process.wait()


async def _listen(process: asyncio.subprocess.Process, door: Door) -> None:
    while line := await process.stdout.readline():
        text = line.decode(errors="replace")
        door.said.append(text)
        found = re.search(r"(?:ready on|listening at) (?:http://)?(127\.0\.0\.1):(\d+)", text)
        if found and not door.address[1]:
            door.address = (found[1], int(found[2]))


_EVERY_NAME_LEADS_TO_THE_ORIGIN = '''
"""In the process of a command under test: every name is the stand-in's, and it is trusted."""
import ipaddress, os, socket
import certifi

_real = socket.getaddrinfo

def _is_here(text):
    if text in (None, "", "localhost"):
        return True
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False

def _resolve(host, port, *more, **named):
    if _is_here(host.decode() if isinstance(host, bytes) else host):
        return _real(host, port, *more, **named)
    where = ("127.0.0.1", int(os.environ["STAND_IN_PORT"]))
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]

socket.getaddrinfo = _resolve
certifi.where = lambda: os.environ["STAND_IN_AUTHORITY"]
'''


# What the user chose.


@cache
def tool_files():
    return tuple(load_all(shipped.folder() / "blocklists"))


def configured(folder: Path, level: str | None = None, *, more: str = "", **levels: str) -> Path:
    """A configuration: every tool at `level` (none: as recommended), `levels` excepted."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {file.tool.id: level for file in tool_files()} if level else {}
    chosen |= {name.replace("_", "-"): word for name, word in levels.items()}
    policy = shipped.folder() / "policies" / "mass-gov.toml"
    lines = [
        f'policies = ["{policy.as_posix()}"]',
        "[opt_out]",
        *(f'{name} = "{word}"' for name, word in chosen.items()),
        "[ledger]",
        'folder = "ledger"',
        more,
    ]
    path = folder / "config.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
