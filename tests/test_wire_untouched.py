"""On the wire: what no rule names goes through exactly as it came, in both directions.

The measure is mitmproxy with the same options and without the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from dataclasses import dataclass

import pytest

from corpora import needs_corpora
from loopback import closing
from raw_messages import messages, targets
from wire import Origin, Reply, configured, connect, mitmdump, ours

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
    """What the product does otherwise than mitmproxy alone, by the message's name."""
    pairs = zip(table, mine, theirs, strict=True)
    return {message.name: one for message, one, other in pairs if one != other}


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
OTHERWISE = {
    # mitmproxy alone waits for ever after a blank line before a request (RFC 9112, 2.2).
    "sample: Prefix newline": Carried(b"GET /test HTTP/1.1\r\n\r\n", ANSWER),
    "sample: Request starting with CRLF": Carried(
        b"GET /url HTTP/1.1\r\nHeader1: Value1\r\n\r\n", ANSWER
    ),
    # The same between requests. The third one's body, in the corpus, is a byte short.
    "pipelining: Should parse multiple events": Carried(
        b"POST /aaa HTTP/1.1\r\nContent-Length: 3\r\n\r\nAAA"
        b"PUT /bbb HTTP/1.1\r\nContent-Length: 4\r\n\r\nBBBB",
        ANSWER * 2,
    ),
    # mitmproxy alone gives up on a trailer, and the client waits for ever.
    "transfer-encoding: Trailing headers": Carried(
        b"POST /chunked_w_trailing_headers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6\r\n world\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\n",
        ANSWER,
    ),
    # A page: Google Analytics is told of the opt-out on the page's own host.
    "sample: Firefox GET": OK
    + b"Set-Cookie: AMP_TOKEN=%24OPT_OUT; Path=/; Max-Age=34560000\r\n\r\nok",
    # mitmproxy alone takes an interim response for the final one, and the client waits for ever.
    "connection: HTTP 103 first, then 200": b"HTTP/1.1 200 OK\r\n"
    b"Date: Wed, 13 Sep 2023 11:09:41 GMT\r\nConnection: keep-alive\r\n"
    b"Keep-Alive: timeout=5\r\nContent-Length: 17\r\n\r\nresponse content",
    # So it does here; a blank line before the final response is then one too many.
    "connection: HTTP 100 first, then 400": b"HTTP/1.1 502 Bad Gateway",
}
"""Where the product does not do as mitmproxy alone does: all that it does, or how that begins."""


def unexplained(found):
    """Of what is done otherwise, what is not as `OTHERWISE` has it."""
    return {
        name: one
        for name, one in found.items()
        if one != (wanted := OTHERWISE.get(name))
        and not (isinstance(wanted, bytes) and one.client.startswith(wanted))
    }


@needs_corpora
def test_every_request_goes_on_as_it_came(tmp_path):
    table = [one for one in (*messages("request"), *targets()) if not one.not_carried]
    cases = [(number, one.raw) for number, one in enumerate(table)]
    mine, theirs = both(tmp_path, len(table), cases, _asks_back)
    assert unexplained(differing(table, mine, theirs)) == {}
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
    assert unexplained(differing(table, mine, theirs)) == {}
    assert sum(one.client.startswith(b"HTTP/1.1 200") for one in mine) > 20


@needs_corpora
def test_every_message_of_the_corpus_is_carried_or_there_is_a_reason():
    everything = [*messages("request"), *targets(), *messages("response")]
    carried = [one for one in everything if not one.not_carried]
    assert (len(everything), len(carried)) == (272, 132)
    assert all(one.not_carried for one in everything if b"\x00" in one.raw)


# Odd but legal.


@dataclass(frozen=True)
class Odd:
    """A request and its response; each must arrive as it was sent, unless another is named."""

    what: str
    asks: bytes
    says: bytes
    heard: bytes | None = None
    came: bytes | None = None

    @property
    def at_origin(self):
        return self.asks if self.heard is None else self.heard

    @property
    def at_client(self):
        return self.says if self.came is None else self.came


def asks(line=b"GET /", *headers, body=b""):
    return b"\r\n".join((line + b" HTTP/1.1", b"Host: odd.example", *headers, b"", body))


def says(line, *headers, body=b""):
    return b"\r\n".join((b"HTTP/1.1 " + line, *headers, b"", body))


BINARY = bytes(range(256)) * 40
ZIPPED = gzip.compress(BINARY, mtime=0)
BOMB = gzip.compress(bytes(50_000_000), mtime=0)
HELLO = says(b"200 OK", b"Content-Length: 5", body=b"hello")
COOKIES = tuple(
    b"Set-Cookie: %b" % line
    for line in (
        b"a=1; Path=/; HttpOnly",
        b"a=2; path=/x;secure",
        b'__Host-b="quoted, with; comma"; Path=/; Secure',
        b"c=%20+%E9\xe9; Expires=Wed, 24 Nov 2027 00:00:00 GMT; SameSite=None; Partitioned",
        b"novalue",
        b"=noname",
        b"d=; Domain=.example; Max-Age=0",
        *(b"n%d=%d" % (n, n) for n in range(50)),
    )
)
CHUNKS = b"5;ext=1\r\nhello\r\n1\r\n \r\n00006\r\nworld!\r\n0\r\n\r\n"
RECHUNKED = b"5\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\n\r\n"

ODD = [
    Odd("duplicate headers, in order and spelling", asks(
        b"GET /", b"X-Odd: 1", b"x-odd: 2", b"X-ODD: 1", b"Empty:", b"A: b, c;  d\te",
        b"L: caf\xe9"),
        says(b"200 OK", b"x-B: 1", b"X-a: 2", b"X-b: 1", b"Empty: ", b"Content-Length: 0"),
        heard=asks(b"GET /", b"X-Odd: 1", b"x-odd: 2", b"X-ODD: 1", b"Empty: ", b"A: b, c;  d\te",
                   b"L: caf\xe9")),
    Odd("many cookies set", asks(), says(b"200 OK", *COOKIES, b"Content-Length: 0")),
    Odd("cookies in several lines", asks(
        b"GET /", b'Cookie: a=1; b="2"; a=3', b"Cookie: ;; c = 4 ;d", b"cookie: _ga2=5"), HELLO),
    Odd("a megabyte of cookies", asks(b"GET /", b"Cookie: " + b"; ".join(
        b"c%d=%b" % (n, b"x" * 1000) for n in range(1040))), HELLO),
    Odd("a long and odd address", asks(
        b"GET //a//b/../c;p=1/%zz/%C3%A9/{|}\\^`?a?b=?&&=&x=%26+%20&fbclid&" + b"q=1&" * 9000),
        HELLO),
    Odd("an empty query", asks(b"GET /?"), HELLO),
    Odd("no path but a star", asks(b"OPTIONS *"), HELLO),
    Odd("a method of its own", asks(b"M-SEARCH /x", b'MAN: "ssdp:discover"'), HELLO),
    Odd("a body with DELETE", asks(b"DELETE /x", b"Content-Length: 4", body=b"body"), HELLO),
    Odd("a binary upload", asks(
        b"PUT /x", b"Content-Type: x/y", b"Content-Length: %d" % len(BINARY), body=BINARY), HELLO),
    Odd("a form, posted", asks(
        b"POST /x", b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 15",
        body=b"a=%20+&&=&\xe9=b;c"), HELLO),
    Odd("an upload in chunks", asks(b"PUT /x", b"Transfer-Encoding: chunked", body=CHUNKS), HELLO,
        heard=asks(b"PUT /x", b"Transfer-Encoding: chunked", body=RECHUNKED)),
    Odd("chunks", asks(), says(b"200 OK", b"Transfer-Encoding: chunked", body=CHUNKS),
        came=says(b"200 OK", b"Transfer-Encoding: chunked", body=RECHUNKED)),
    Odd("a zipped body", asks(b"GET /", b"Accept-Encoding: gzip, br;q=0.5, zstd, dcb"), says(
        b"200 OK", b"Content-Encoding: gzip", b"Content-Type: text/html",
        b"Content-Length: %d" % len(ZIPPED), body=ZIPPED)),
    Odd("a body that is not what it says", asks(), says(
        b"200 OK", b"Content-Encoding: gzip, br", b"Content-Type: text/html; charset=utf-16",
        b"Content-Length: 5", body=b"hello")),
    Odd("a zip bomb", asks(), says(
        b"200 OK", b"Content-Encoding: gzip", b"Content-Length: %d" % len(BOMB), body=BOMB)),
    Odd("HEAD", asks(b"HEAD /"), says(b"200 OK", b"Content-Length: 12345", b'ETag: W/"x"')),
    Odd("no content", asks(), says(b"204 No Content", b"X: 1")),
    Odd("not modified", asks(b"GET /", b'If-None-Match: "a", W/"b"'), says(
        b"304 Not Modified", b'ETag: "a"', b"Content-Length: 7")),
    Odd("a range", asks(b"GET /", b"Range: bytes=1-2,4-", b'If-Range: "a"'), says(
        b"206 Partial Content", b"Content-Range: bytes 1-2/9", b"Content-Length: 2", body=b"el")),
    Odd("a strange status", asks(), says(b"299 Odd, but  fine", b"Content-Length: 0")),
    Odd("no reason", asks(), b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
    Odd("a redirect", asks(), says(
        b"302 Found", b"Location: /x?fbclid=1&a=\xe9", b"Refresh: 0; url=/", b"Content-Length: 0")),
    Odd("headers about security", asks(b"GET /", b"Origin: null", b"Sec-GPC: 1", b"DNT: 1"), says(
        b"200 OK", b"Content-Security-Policy: default-src 'none'", b"Accept-CH: DPR", b'ETag: "1"',
        b"Strict-Transport-Security: max-age=1", b"Link: </a>; rel=preload", b"Content-Length: 0")),
]  # fmt: skip


def odd_host(number):
    return f"m{number}.raw.example"


async def _exactly(reader, wanted):
    """What comes of what is wanted, and what comes too."""
    came = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            while len(came) < len(wanted) and (data := await reader.read(1 << 20)):
                came += data
    return came + (await _heard(reader, quiet=0.02))[0]


async def _plays(origin, name, reader, writer):
    case = ODD[int(name.split(".")[0][1:])]
    origin.taken[name] = await _exactly(reader, case.at_origin)
    writer.write(case.says)
    await writer.drain()
    await _heard(reader, quiet=5)


async def _says_and_hears(door, number, case):
    reader, writer = await asyncio.open_connection(*door.address, limit=8 << 20)
    async with closing(writer):
        await connect(reader, writer, host_of(number))
        context = door.client()._context()
        await writer.start_tls(context, server_hostname=host_of(number))
        writer.write(case.asks)
        return await _exactly(reader, case.at_client)


@pytest.mark.parametrize("door", [product, bare])
def test_what_is_odd_but_legal_arrives_as_it_was_sent(door, tmp_path):
    async def main():
        origin = Recorder(frozenset(map(host_of, range(len(ODD)))), http2=False, speak=_plays)
        async with origin.listening(), door(origin, tmp_path) as opened:
            clients = await asyncio.gather(
                *(_says_and_hears(opened, number, case) for number, case in enumerate(ODD))
            )
        return origin.taken, clients

    taken, clients = asyncio.run(main())
    for number, (case, client) in enumerate(zip(ODD, clients, strict=True)):
        assert taken.get(host_of(number)) == case.at_origin, case.what
        assert client == case.at_client, case.what


# Interim responses, trailers, and bodies that take their time.


async def _tunnelled(door, number=0):
    """Both ends of a TLS tunnel to a host."""
    reader, writer = await asyncio.open_connection(*door.address, limit=8 << 20)
    await connect(reader, writer, host_of(number))
    await writer.start_tls(door.client()._context(), server_hostname=host_of(number))
    return reader, writer


def _with(door, folder, speaks, play):
    """What a client's part in a conversation with an origin of one's own comes to."""

    async def main():
        origin = Recorder(frozenset({host_of(0)}), http2=False, speak=speaks)
        async with origin.listening(), door(origin, folder) as opened:
            reader, writer = await _tunnelled(opened)
            async with closing(writer):
                return await play(reader, writer), origin.taken

    return asyncio.run(main())


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_an_interim_response_does_not_keep_the_final_one_from_coming(interim, tmp_path):
    async def speaks(origin, name, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        early = b"HTTP/1.1 " + interim + b"\r\nLink: </a>; rel=preload\r\n\r\n"
        writer.write(early + early + HELLO)
        await _heard(reader, quiet=5)

    async def play(reader, writer):
        writer.write(asks())
        return await _exactly(reader, HELLO)

    came, _ = _with(product, tmp_path, speaks, play)
    assert came == HELLO


@pytest.mark.parametrize("door", [product, bare])
@pytest.mark.parametrize("method", [b"PUT", b"POST"])
def test_a_client_that_waits_to_be_told_to_go_on_is_told(method, door, tmp_path):
    head = asks(method + b" /", b"Content-Length: 4", b"Expect: 100-continue", b"X: 1")
    heard = asks(method + b" /", b"Content-Length: 4", b"X: 1", body=b"body")

    async def speaks(origin, name, reader, writer):
        origin.taken[name] = await _exactly(reader, heard)
        writer.write(HELLO)
        await _heard(reader, quiet=5)

    async def play(reader, writer):
        writer.write(head)
        told = await _exactly(reader, b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"body")
        return told, await _exactly(reader, HELLO)

    (told, came), taken = _with(door, tmp_path, speaks, play)
    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert came == HELLO
    assert taken[host_of(0)] == heard


@pytest.mark.parametrize("side", ["request", "response"])
def test_a_trailer_goes_through_as_it_came(side, tmp_path):
    trailed = b"2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n"
    asking = asks(b"PUT /", b"TE: trailers", b"Transfer-Encoding: chunked", body=trailed)
    saying = says(b"200 OK", b"Trailer: X-Sum", b"Transfer-Encoding: chunked", body=trailed)
    asking = asking if side == "request" else asks()
    saying = saying if side == "response" else HELLO

    async def speaks(origin, name, reader, writer):
        origin.taken[name] = (await _heard(reader, quiet=1))[0]
        writer.write(saying)
        await _heard(reader, quiet=1)

    async def play(reader, writer):
        writer.write(asking)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                return await reader.readuntil(saying[-5:])
        writer.transport.abort()
        return b""

    came, taken = _with(product, tmp_path, speaks, play)
    assert trailed in (came if side == "response" else taken[host_of(0)])
    assert came.startswith(b"HTTP/1.1 200 OK")


def test_events_come_while_the_origin_still_speaks(tmp_path):
    first, rest = b"data: 1\n\n", b"data: 2\n\n"
    told = asyncio.Event()

    async def speaks(origin, name, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says(b"200 OK", b"Content-Type: text/event-stream", body=first))
        await asyncio.wait_for(told.wait(), 3)
        writer.write(rest)

    async def play(reader, writer):
        writer.write(asks())
        came = await asyncio.wait_for(reader.readuntil(first), 2)
        told.set()
        return came + await reader.read()

    came, _ = _with(product, tmp_path, speaks, play)
    assert came == says(b"200 OK", b"Content-Type: text/event-stream", body=first + rest)


# HTTP/2.

MANY = b"0123456789abcdef" * 200_000


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_537, len(MANY)])
def test_bodies_of_any_size_arrive_whole_in_both_directions(size, http2, tmp_path):
    body = MANY[:size]

    async def main():
        origin = Recorder(frozenset({host_of(0)}), reply=lambda _: Reply(200, (), body))
        async with (
            origin.listening(),
            product(origin, tmp_path) as opened,
            opened.client(http2=http2) as client,
        ):
            got = await client.ask(f"https://{host_of(0)}/", method="POST", body=body)
        return origin.reached, got

    (reached,), got = asyncio.run(main())
    assert reached.protocol == ("HTTP/2" if http2 else "HTTP/1.1")
    assert reached.body == body
    assert got.body == body


CRUMBS = [
    ("cookie", "a=1"),
    ("cookie", "_gap=2; b"),
    ("x-odd", "1"),
    ("x-Odd", "2"),
    ("empty", ""),
    ("te", "trailers"),
    ("priority", "u=1, i"),
    ("cookie", "c=\xe9 =="),
    ("x-long", "y" * 50_000),
]
SAID = (
    *(("set-cookie", line[12:].decode("latin-1")) for line in COOKIES),
    ("x-b", "1"),
    ("x-a", "2"),
    ("x-b", "1"),
    ("empty", ""),
    ("grpc-encoding", "identity"),
)


def test_over_http2_headers_and_trailers_stay_as_they_are(tmp_path):
    def reply(_asked):
        return Reply(299, SAID, b"\x00\x00\x00\x00\x01x", (("grpc-status", "0"), ("x-sum", "1")))

    async def through(door):
        origin = Recorder(frozenset({host_of(0)}), reply=reply)
        url = f"https://{host_of(0)}//a%zz?fbclid&&=&x=%20+"
        async with (
            origin.listening(),
            door(origin, tmp_path) as opened,
            opened.client(http2=True) as client,
        ):
            got = await client.ask(url, method="PATCH", headers=CRUMBS, body=b"x")
        (reached,) = origin.reached
        return reached, got

    reached, got = asyncio.run(through(product))
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in CRUMBS]
    crumbs = b"; ".join(value for name, value in sent if name == b"cookie")
    others = [line for line in (*sent, (b"content-length", b"1")) if line[0] != b"cookie"]
    # mitmproxy puts the pieces of `cookie` together, as RFC 9113 (8.2.3) allows.
    assert reached.headers == [*others, (b"cookie", crumbs)]
    assert (reached.method, reached.target) == ("PATCH", "//a%zz?fbclid&&=&x=%20+")
    said = [(name.encode(), value.encode("latin-1")) for name, value in SAID]
    trailers = [(b"trailer: grpc-status", b"0"), (b"trailer: x-sum", b"1")]
    assert list(got.headers) == [*said, *trailers]
    assert (got.status, got.body) == (299, b"\x00\x00\x00\x00\x01x")
    assert (reached, got) == asyncio.run(through(bare))


# WebSocket.

CONTINUES, TEXT, BYTES, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@dataclass(frozen=True)
class Frame:
    code: int
    payload: bytes = b""
    final: bool = True

    def sent(self, mask=b""):
        size = len(self.payload)
        short = size if size < 126 else 126 if size < 65_536 else 127
        long = size.to_bytes({126: 2, 127: 8}[short]) if short > 125 else b""
        head = bytes([self.final << 7 | self.code, bool(mask) << 7 | short]) + long + mask
        return head + (_masked(self.payload, mask) if mask else self.payload)


def _masked(payload, mask):
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(stream)).to_bytes(len(payload))


async def _frame(reader):
    first, second = await reader.readexactly(2)
    size = second & 127
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    mask = await reader.readexactly(4) if second & 128 else b""
    payload = await reader.readexactly(size)
    return Frame(first & 15, _masked(payload, mask) if mask else payload, bool(first & 128))


FRAMES = (
    Frame(TEXT, "caf\xe9 ☕".encode()),
    Frame(BYTES, BINARY[:5]),
    Frame(TEXT, b""),
    Frame(PING, b"are you there"),
    Frame(TEXT, b"one ", final=False),
    Frame(CONTINUES, b"two ", final=False),
    Frame(CONTINUES, b"three"),
    Frame(PONG, b"nobody asked"),
    Frame(BYTES, BINARY * 13),
    Frame(BYTES, b"\x00" * 126, final=False),
    Frame(CONTINUES, b"", final=False),
    Frame(CONTINUES, b"\xff" * 70_000),
    Frame(CLOSE, (4000).to_bytes(2) + b"bye"),
)
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
OPENING = (*UPGRADE[:2], b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


ASKING = asks(b"GET /ws?a=%20+", *UPGRADE, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
OPENED = says(b"101 Switching Protocols", *OPENING)


async def _hears(reader):
    heard = []
    async with asyncio.timeout(5):
        while not heard or heard[-1].code != CLOSE:
            heard.append(await _frame(reader))
    return heard


async def _tells(reader, writer, mask):
    for frame in FRAMES:
        writer.write(frame.sent(mask))
        await writer.drain()
    await _heard(reader, quiet=2)


async def _echoes_nothing(origin, name, reader, writer):
    """An origin that only hears, or only speaks."""
    origin.taken["asked"] = await reader.readuntil(b"\r\n\r\n")
    writer.write(OPENED)
    if origin.taken.get("speaks"):
        await _tells(reader, writer, b"")
    else:
        origin.taken["heard"] = await _hears(reader)


@pytest.mark.parametrize("http2", [False, True], ids=["origin-of-http1", "origin-of-both"])
@pytest.mark.parametrize("speaker", ["client", "origin"])
def test_websocket_frames_arrive_as_they_were_sent(speaker, http2, tmp_path):
    async def main():
        origin = Recorder(frozenset({host_of(0)}), http2=http2, speak=_echoes_nothing)
        origin.taken["speaks"] = speaker == "origin"
        async with origin.listening(), product(origin, tmp_path) as door:
            reader, writer = await _tunnelled(door)
            async with closing(writer):
                writer.write(ASKING)
                origin.taken["opened"] = await reader.readuntil(b"\r\n\r\n")
                if speaker == "client":
                    await _tells(reader, writer, b"mask")
                else:
                    origin.taken["heard"] = await _hears(reader)
        return origin.taken

    taken = asyncio.run(main())
    assert (taken["opened"], taken["asked"]) == (OPENED, ASKING)
    # A ping may overtake the frames of a message that is under way; nothing else changes places.
    for codes in ({PING, PONG}, {TEXT, BYTES, CONTINUES, CLOSE}):
        heard = [frame for frame in taken["heard"] if frame.code in codes]
        assert heard == [frame for frame in FRAMES if frame.code in codes]
