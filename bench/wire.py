"""The proxy on the wire, against bare `mitmdump -q`: CPU of the proxy process a flow, and waits."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import h2.config
import h2.connection
import h2.events

from measure import Row, row
from names import FOREIGN, NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PEER = f"mitmdump {version('mitmproxy')}"
FIELDS = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-US,en;q=0.5",
    "accept-encoding": "gzip, deflate, br",
    "referer": f"https://{NAME}/topics",
    "sec-fetch-dest": "empty",
    "sec-fetch-mode": "cors",
    "sec-fetch-site": "same-origin",
    "cookie": "session=abcdef; _ga=GA1.1.1.2; other=1",
}
KINDS = {"HTTP/1.1": 0.5, "HTTPS": 0.5, "HTTP/2": 0.6}
ANSWERED = "https://www.google-analytics.com/g/collect?v=2&tid=G-TEST"
CONNECTIONS = 8
ROUNDS = 3


class Proxy(NamedTuple):
    pid: int
    port: int

    def cpu(self) -> float:
        """CPU time the process has used, in microseconds."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def memory(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 1e6


class Pair(NamedTuple):
    """Ours, and bare mitmdump."""

    ours: Proxy
    bare: Proxy


def rows(*, quick: bool) -> Iterator[Row]:
    flows = 400 if quick else 2400
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = stack.enter_context(_origin())
        both = Pair(
            stack.enter_context(_ours(folder, ports)), stack.enter_context(_bare(folder, ports))
        )
        for kind, first in KINDS.items():
            yield _cpu(f"CPU a flow, {kind}", kind, flows, both, first)
        yield _cpu("CPU a flow, answered here", "HTTPS", flows, both, 0.35, ANSWERED)
        yield _cpu("CPU a flow, tunnelled", "HTTPS", flows, both, 0.1, f"https://{FOREIGN}/p")
        yield _first_byte(both)
        yield from _page(both)
        yield _memory("memory over bare", both.ours.memory() - both.bare.memory(), both, 25)
        yield _growth(4_000 if quick else 100_000, both)


def _cpu(measure: str, kind: str, flows: int, both: Pair, first: float, url: str = "") -> Row:
    """One kind of flow through both; `url` is asked for through ours only."""
    spent: dict[Proxy, list[float]] = {proxy: [] for proxy in both}
    for proxy in spent:
        asyncio.run(_load(proxy, kind, 200))
    for _ in range(ROUNDS):
        for proxy, times in spent.items():
            before = proxy.cpu()
            asyncio.run(_load(proxy, kind, flows, url if proxy is both.ours else ""))
            times.append((proxy.cpu() - before) / flows)
    return row(measure, PEER, *(median(spent[proxy]) for proxy in both), "µs", first)


def _first_byte(both: Pair) -> Row:
    """Until the first byte of a body that takes a second: in milliseconds, not as a ratio."""
    mine, theirs = (median(asyncio.run(_wait(proxy)) for _ in range(3)) for proxy in both)
    return Row("first byte of a slow 1 MB", PEER, f"{mine:.0f} ms", f"{theirs:.0f} ms", mine, 50)


async def _wait(proxy: Proxy) -> float:
    return (await _fetched(proxy, "/slow"))[0]


def _page(both: Pair) -> Iterator[Row]:
    """A page of 1 MB that is rewritten: until its first byte, and its last, in milliseconds."""
    ends = {both.ours: b"0\r\n\r\n", both.bare: b""}
    waits = [
        [asyncio.run(_fetched(proxy, "/large", ends[proxy])) for _ in range(7)] for proxy in both
    ]
    for place, what in enumerate(("first byte", "last byte")):
        mine, theirs = (median(each[place] for each in waited) for waited in waits)
        yield row(f"{what} of a 1 MB page", PEER, mine, theirs, "ms", None)


async def _fetched(proxy: Proxy, path: str, ends: bytes | None = None) -> tuple[float, float]:
    """Milliseconds until the first byte of a body, and until its end where it is waited for."""
    reader, writer = await _connect(proxy, "HTTPS", NAME)
    started = time.perf_counter()
    lines = f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nSec-Fetch-Dest: document\r\n"
    writer.write(f"{lines}Sec-Fetch-Site: none\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(1)
    first = last = time.perf_counter() - started
    if ends is not None:
        await (reader.readuntil(ends) if ends else reader.readexactly(_length(head) - 1))
        last = time.perf_counter() - started
    writer.transport.abort()
    return first * 1000, last * 1000


def _growth(flows: int, both: Pair) -> Row:
    """Memory that many flows add, in megabytes."""
    before = both.ours.memory()
    for proxy in both:
        asyncio.run(_load(proxy, "HTTP/1.1", flows))
    grown = both.ours.memory() - before
    return _memory(f"memory over {flows:,} flows", grown, both, 5)


def _memory(measure: str, more: float, both: Pair, first: float) -> Row:
    mine, theirs = both.ours.memory(), both.bare.memory()
    return Row(measure, PEER, f"{mine:.0f} MB", f"{theirs:.0f} MB", more, first)


async def _load(proxy: Proxy, kind: str, flows: int, url: str = "") -> None:
    work = _speak_h2 if kind == "HTTP/2" else _speak_h1
    share = flows // CONNECTIONS
    async with asyncio.timeout(600):
        await asyncio.gather(*(work(proxy, kind, share, url) for _ in range(CONNECTIONS)))


async def _connect(proxy: Proxy, kind: str, host: str):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=1 << 22)
    if kind != "HTTP/1.1":
        writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"] if kind == "HTTP/2" else ["http/1.1"])
        await writer.start_tls(context, server_hostname=host)
    return reader, writer


async def _speak_h1(proxy: Proxy, kind: str, flows: int, url: str) -> None:
    host, _, path = (url or f"https://{NAME}/page?a=1&b=2").partition("://")[2].partition("/")
    reader, writer = await _connect(proxy, kind, host)
    target = f"http://{host}/{path}" if kind == "HTTP/1.1" else f"/{path}"
    fields = "".join(f"{name}: {value}\r\n" for name, value in FIELDS.items())
    asked = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()
    for _ in range(flows):
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1] not in {b"200", b"204"}:
            raise RuntimeError(f"the proxy answered {head[:80]!r}")
        if b" 204 " not in head[:16]:
            await reader.readexactly(_length(head))
    writer.close()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def _speak_h2(proxy: Proxy, kind: str, flows: int, _url: str) -> None:
    reader, writer = await _connect(proxy, kind, NAME)
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    http2.initiate_connection()
    first = [(":method", "GET"), (":scheme", "https"), (":authority", NAME), (":path", "/p?a=1")]
    started = done = 0
    while done < flows:
        while started < flows and started - done < 4:
            stream = http2.get_next_available_stream_id()
            http2.send_headers(stream, [*first, *FIELDS.items()], end_stream=True)
            started += 1
        writer.write(http2.data_to_send())
        for event in http2.receive_data(await reader.read(65535)):
            if isinstance(event, h2.events.DataReceived):
                http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            done += isinstance(event, h2.events.StreamEnded)
    writer.close()


# -- processes -----------------------------------------------------------------------------------


@contextmanager
def _process(command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with its input, and at the latest when we leave."""
    started = subprocess.Popen(
        command, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
    )  # fmt: skip
    try:
        yield started
    finally:
        started.terminate()
        started.wait(10)


@contextmanager
def _origin() -> Iterator[str]:
    with _process([sys.executable, str(HERE / "origin.py")]) as origin:
        plain, tls = origin.stdout.readline().split()
        yield f"80:{plain},443:{tls}"


@contextmanager
def _ours(folder: Path, ports: str) -> Iterator[Proxy]:
    command = [sys.executable, str(HERE / "proxy.py"), str(folder)]
    with _process(command, BENCH_PORTS=ports) as proxy:
        yield Proxy(proxy.pid, int(proxy.stdout.readline().rpartition(":")[2]))


@contextmanager
def _bare(folder: Path, ports: str) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        str(BIN / "mitmdump"), "-q", "--listen-host", "127.0.0.1", "-p", str(port),
        "--set", "ssl_insecure=true", "--set", f"confdir={folder}", "-s", str(HERE / "names.py"),
    ]  # fmt: skip
    with _process(command, BENCH_PORTS=ports) as proxy:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        time.sleep(0.5)
        yield Proxy(proxy.pid, port)
