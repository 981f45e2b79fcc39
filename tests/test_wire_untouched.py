"""On the wire: what no rule names goes through exactly as it came, in both directions.

The measure is mitmproxy with the same options and without the product.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import pytest
from corpora import needs_corpora
from loopback import closing
from raw_messages import Message, messages, targets
from wire import Origin, configured, connect, mitmdump, ours

pytestmark = pytest.mark.wire

EVERYWHERE = '[scope]\ninspect = "all"'
SAME_OPTIONS = {"connection_strategy": "lazy", "rawtcp": "false"}
STREAMS_ALL = """
def requestheaders(flow):
    flow.request.stream = True


def responseheaders(flow):
    flow.response.stream = True
"""
"""The product streams every body; so does what it is measured by."""

QUIET = 0.25
"""Seconds of silence that count as the end of what there is to come."""
AT_ONCE = 24
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


# The doors.


@contextlib.asynccontextmanager
async def product(origin, folder):
    config = configured(folder / "ours", "block", more=EVERYWHERE)
    async with ours(origin, folder / "ours", config) as door:
        yield door


@contextlib.asynccontextmanager
async def bare(origin, folder):
    (folder / "bare").mkdir(parents=True, exist_ok=True)
    script = folder / "bare" / "streams_all.py"
    script.write_text(STREAMS_ALL)
    trusts = {**SAME_OPTIONS, "ssl_verify_upstream_trusted_ca": str(origin.authority)}
    async with mitmdump(origin, folder / "bare", None, scripts=[script], settings=trusts) as door:
        yield door


# Raw messages.


@dataclass(frozen=True)
class Carried:
    """What of one message was on the wire on the far side of a proxy."""

    origin: bytes
    client: bytes


def host_of(number):
    return f"m{number}.raw.example"


async def _heard(reader, *, quiet=QUIET):
    """Bytes until there is silence, and whether the connection ended."""
    try:
        async with asyncio.timeout(quiet):
            data = await reader.read(65536)
    except TimeoutError:
        return b"", False
    return data, not data


async def _client(door, host, raw):
    """All that comes back to a client that sends these bytes in a TLS tunnel."""
    reader, writer = await asyncio.open_connection(*door.address)
    async with closing(writer):
        await connect(reader, writer, host)
        context = door.client()._context()
        await writer.start_tls(context, server_hostname=host)
        writer.write(raw)
        came = b""
        for _ in range(8):
            data, ended = await _heard(reader, quiet=QUIET * 2)
            came += data
            if ended or not data:
                break
        return came


async def _asks_back(origin, name, reader, writer):
    """An origin that takes down what it hears, and answers whenever there is silence."""
    said = origin.taken.setdefault(name, bytearray())
    unanswered = False
    while True:
        data, ended = await _heard(reader, quiet=QUIET / 2)
        said += data
        if ended:
            return
        unanswered = unanswered or bool(data)
        if not data and unanswered:
            writer.write(ANSWER)
            unanswered = False
        elif not data and not unanswered and said:
            await asyncio.sleep(0)


@dataclass
class Recorder(Origin):
    """An origin of raw bytes."""

    def __post_init__(self):
        self.taken: dict[str, bytearray] = {}


async def _all(door, cases, speaks):
    """What became of every case, some of them at once, each under a name of its own."""
    door.origin.speak, door.origin.taken = speaks, {}
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(number, raw):
        async with limit:
            client = b""
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                client = await _client(door, host_of(number), raw)
            return client

    clients = await asyncio.gather(*(one(number, raw) for number, raw in cases))
    taken = door.origin.taken
    return [
        Carried(bytes(taken.get(host_of(number), b"")), client)
        for (number, _), client in zip(cases, clients, strict=True)
    ]


def both(folder, count, cases, speaks):
    """What became of every case through the product, and through mitmproxy alone."""

    async def main():
        hosts = frozenset(host_of(number) for number in range(count))
        origin = Recorder(hosts, http2=False)
        async with origin.listening():
            found = []
            for door in (product, bare):
                async with door(origin, folder) as opened:
                    found.append(await _all(opened, cases, speaks))
            return found

    return asyncio.run(main())


def differing(table, mine, theirs):
    return [
        (message.name, ours_, bare_)
        for message, ours_, bare_ in zip(table, mine, theirs, strict=True)
        if ours_ != bare_
    ]


@needs_corpora
def test_every_request_goes_on_as_it_came(tmp_path):
    table = [one for one in (*messages("request"), *targets()) if not one.not_carried]
    cases = [(number, one.raw) for number, one in enumerate(table)]
    mine, theirs = both(tmp_path, len(table), cases, _asks_back)
    assert differing(table, mine, theirs) == []
    assert sum(bool(one.origin) for one in mine) > 60


@needs_corpora
def test_every_response_comes_back_as_it_came(tmp_path):
    table = [one for one in messages("response") if not one.not_carried]

    async def answers(origin, name, reader, writer):
        if await reader.readuntil(b"\r\n\r\n"):
            writer.write(table[int(name.split(".")[0][1:])].raw)
            await writer.drain()
            await _heard(reader, quiet=QUIET)

    asking = b"GET / HTTP/1.1\r\nHost: raw.example\r\n\r\n"
    cases = [(number, asking) for number in range(len(table))]
    mine, theirs = both(tmp_path, len(table), cases, answers)
    assert differing(table, mine, theirs) == []
    assert sum(one.client.startswith(b"HTTP/1.1 200") for one in mine) > 20
