"""Real bytes through the real proxy: what passes, passes untouched and at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request, TextMessage
from wsproto.events import RejectConnection as Rejected

from loopback import (
    NOTHING,
    PATIENCE,
    Tap,
    certificates,
    closing,
    read_response,
    world,
)
from optout_proxy.proxy import authority
from scripted import Chosen, Notebook, Scripted

pytestmark = pytest.mark.wire

TRACKER, SITE, BANK = "tracker.example", "site.example", "bank.example"
ENGINE = Scripted(stops=frozenset({TRACKER}))


def run(main, tmp_path, engine=ENGINE, *, taps=None, mode="regular", extra=()):
    """Run `main(net)` against a proxy with these origins; what it notes comes back."""

    async def inside():
        ledger = Notebook()
        chosen = taps or {TRACKER: Tap(), SITE: Tap(), BANK: Tap()}
        async with world(engine, ledger, tmp_path, chosen, mode=mode, extra=extra) as net:
            await main(net)
        return ledger

    return asyncio.run(inside())


# What is sent and what comes back.


def test_a_request_no_rule_names_arrives_byte_for_byte(tmp_path):
    head = (
        b"GET /a%2Fb?x=1&&y=%zz;q='<\"> HTTP/1.1\r\nHost: site.example\r\nCoOkIe: a=1;  b=2\r\n"
        b"X-Odd:   spaced\r\nAccept: a\r\naccept: b\r\n\r\n"
    )

    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            writer.write(head)
            assert (await read_response(reader)).body == b"hello"
        asked = net.taps[SITE].asked[0]
        assert asked.line == head.partition(b"\r\n")[0]
        assert asked.headers == [
            (b"Host", b"site.example"),
            (b"CoOkIe", b"a=1;  b=2"),
            (b"X-Odd", b"spaced"),
            (b"Accept", b"a"),
            (b"accept", b"b"),
        ]

    run(main, tmp_path)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_stripped_request_loses_what_is_named_and_nothing_else(scheme, tmp_path):
    async def sets_cookie(_asked, _reader, writer):
        writer.write(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: id=1\r\nX-Keep: a\r\nContent-Length: 2\r\n\r\nok"
        )

    async def main(net):
        url = f"{scheme}://{TRACKER}/p?a=%41&uid=7&b=+"
        got = await net.get(url, headers="Cookie: id=1\r\nX-Keep: b\r\n")
        asked = net.taps[TRACKER].asked[0]
        assert asked.line == b"GET /p?a=%41&b=+ HTTP/1.1"
        assert asked.headers == [(b"Host", TRACKER.encode()), (b"X-Keep", b"b")]
        assert got.headers == ((b"X-Keep", b"a"), (b"Content-Length", b"2"))
        assert net.ledger.records == [
            ("request", f"strip {TRACKER}"),
            ("response", f"strip {TRACKER}"),
        ]

    engine = Scripted(strips=frozenset({TRACKER}))
    run(main, tmp_path, engine, taps={TRACKER: Tap(sets_cookie)})


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_it_is_recorded_before_anything_is_sent(scheme, tmp_path):
    recorded = []

    async def main(net):
        async def notes(_asked, _reader, writer):
            recorded.extend(net.ledger.records)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        net.taps[TRACKER].respond = notes
        await net.get(f"{scheme}://{TRACKER}/")
        assert recorded == [("request", f"strip {TRACKER}")]

    run(main, tmp_path, Scripted(strips=frozenset({TRACKER})))


def test_an_answered_connection_stays_open_for_the_next_request(tmp_path):
    engine = Scripted(stops=frozenset({f"{SITE}/t"}))

    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            for path, body in (("/t", b"answered here"), ("/", b"hello"), ("/t", b"answered here")):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {SITE}\r\n\r\n".encode())
                assert (await read_response(reader)).body == body

    run(main, tmp_path, engine)


def test_an_answer_to_head_has_no_body(tmp_path):
    async def main(net):
        async with net.tls(TRACKER) as (reader, writer):
            writer.write(b"HEAD / HTTP/1.1\r\nHost: tracker.example\r\n\r\n")
            assert (await read_response(reader, head=True)).header(b"content-length") == b"13"
            writer.write(b"GET / HTTP/1.1\r\nHost: tracker.example\r\n\r\n")
            assert (await read_response(reader)).status == 200

    run(main, tmp_path)


# Whose request it is.

CLAIMS = [
    ("CONNECT", TRACKER, SITE, SITE),
    ("SNI", SITE, TRACKER, SITE),
    ("Host", SITE, SITE, TRACKER),
    ("a trailing dot", f"{TRACKER}.", SITE, SITE),
    ("capitals", "Tracker.Example", SITE, SITE),
    ("a port in Host", SITE, SITE, f"{TRACKER}:8443"),
]


@pytest.mark.parametrize(("where", "connect", "sni", "host"), CLAIMS, ids=[c[0] for c in CLAIMS])
def test_a_host_is_stopped_wherever_it_is_named(where, connect, sni, host, tmp_path):
    async def main(net):
        async with net.tls(connect, sni=sni) as (reader, writer):
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await read_response(reader)).body == b"answered here"
        assert net.taps[TRACKER].connections == 0
        assert net.taps[SITE].asked == []

    taps = {TRACKER: (tap := Tap()), f"{TRACKER}.": tap, "Tracker.Example": tap, SITE: Tap()}
    run(main, tmp_path, taps=taps)


TARGETS = [
    (b"GET http://tracker.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n", "absolute target"),
    (b"GET http://site.example/ HTTP/1.1\r\nHost: tracker.example\r\n\r\n", "Host"),
    (b"GET HTTP://TRACKER.EXAMPLE/ HTTP/1.1\r\nHost: site.example\r\n\r\n", "capitals"),
    (b"GET http://site.example/ HTTP/1.1\r\nHost: a\r\nHost: tracker.example\r\n\r\n", "second"),
    (b"GET https://tracker.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n", "https in the clear"),
]


@pytest.mark.parametrize(("head", "where"), TARGETS, ids=[where for _, where in TARGETS])
def test_a_plain_request_is_stopped_wherever_it_names_the_host(head, where, tmp_path):
    async def main(net):
        async with net.dial() as (reader, writer):
            writer.write(head)
            assert (await read_response(reader)).body == b"answered here"
        assert net.taps[TRACKER].connections == net.taps[SITE].connections == 0

    run(main, tmp_path)


def test_an_absolute_target_inside_tls_is_named_too(tmp_path):
    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            writer.write(b"GET https://tracker.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n")
            assert (await read_response(reader)).body == b"answered here"

    run(main, tmp_path)


def test_who_asks_is_told_by_what_the_client_opened_before(tmp_path):
    asked = {}

    class Noticing(Scripted):
        def decide(self, request):
            asked[request.url] = request.embed
            return super().decide(request)

    plugin = f"https://{SITE}/plugin"
    opened = "Sec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
    framed = "Sec-Fetch-Dest: iframe\r\nSec-Fetch-Site: cross-site\r\n"
    calls = "Sec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\nReferer: {}\r\n"

    async def main(net):
        await net.get(f"https://{SITE}/home", headers=opened)
        await net.get(plugin, headers=framed)
        await net.get(f"https://{SITE}/a", headers=calls.format(f"https://{SITE}/home"))
        await net.get(f"https://{SITE}/b", headers=calls.format(plugin))

    run(main, tmp_path, Noticing())
    assert asked == {
        f"https://{SITE}/home": False,
        plugin: False,
        f"https://{SITE}/a": False,
        f"https://{SITE}/b": True,
    }


# Evasions: bytes that make mitmproxy take the connection for something else than HTTP.


def _client_hello(host):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def _in_records(hello, first):
    """A ClientHello split over two TLS records, the first of which holds `first` bytes."""
    content = hello[5:]
    parts = (content[:first], content[first:])
    return b"".join(hello[:3] + len(part).to_bytes(2) + part for part in parts)


LONG = b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: tracker.example\r\n\r\n"
INSIDE = [
    LONG,
    b"X1 / HTTP/1.1\r\nHost: tracker.example\r\n\r\n",
    b"G",
    b"\r\n\r\nGET / HTTP/1.1\r\nHost: tracker.example\r\n\r\n",
    b"\x00\x01\x02 binary \xff",
    b"SSH-2.0-client\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"lower / HTTP/1.1\r\nHost: tracker.example\r\n\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET /\r\n\r\n",
]


@pytest.mark.parametrize("mode", ["regular", "upstream", "socks5"])
@pytest.mark.parametrize("data", INSIDE, ids=range(len(INSIDE)))
@pytest.mark.parametrize("way", ["tls without ALPN", "plaintext tunnel"])
def test_odd_first_bytes_never_reach_a_stopped_host(way, data, mode, tmp_path):
    async def main(net):
        tunnel = net.tls(TRACKER, alpn=()) if way.startswith("tls") else net.tunnel(TRACKER, 80)
        async with tunnel as (_reader, writer):
            writer.write(data)
            await asyncio.sleep(0.02)
            writer.write(b"more\r\n\r\n")
            await asyncio.sleep(0.05)
        assert net.taps[TRACKER].connections == 0

    run(main, tmp_path, mode=mode)


@pytest.mark.parametrize("mode", ["regular", "upstream", "socks5"])
@pytest.mark.parametrize("first", [1, 2, 5, 10])
@pytest.mark.parametrize("cut", [1, 2, 3, 7, None])
def test_a_client_hello_in_pieces_never_reaches_a_stopped_host(cut, first, mode, tmp_path):
    async def main(net):
        async with net.tunnel(TRACKER) as (reader, writer):
            hello = _in_records(_client_hello(TRACKER), first)
            writer.write(hello[:cut])
            await asyncio.sleep(0.02)
            writer.write(hello[cut:] if cut else b"")
            # The proxy answers it itself: that is a ServerHello, in a handshake record.
            async with asyncio.timeout(PATIENCE):
                assert await reader.readexactly(1) == b"\x16"
        assert net.taps[TRACKER].connections == 0

    run(main, tmp_path, mode=mode)


def test_blank_lines_before_a_request_are_skipped(tmp_path):
    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            for _ in range(2):
                writer.write(b"\r\n\r\nGET / HTTP/1.1\r\nHost: site.example\r\n\r\n\r\n")
                assert (await read_response(reader)).body == b"hello"

    run(main, tmp_path)


# Malformed messages.

MALFORMED = [
    b"GET  HTTP/1.1\r\n\r\n",
    b"GET http:// HTTP/1.1\r\n\r\n",
    b"GET http://./ HTTP/1.1\r\nHost: .\r\n\r\n",
    b"GET http://[::1/ HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET http://a@tracker.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://tracker.example:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://tracker.example\x00.site.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://\xff\xfe/ HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET http://site.example/\xe4\xff\x80 HTTP/1.1\r\nHost: site.example\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: b\xc3\xbccher.example\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: " + b"a" * 300 + b"\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: site.example, tracker.example\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\n\r\n",
    b"GET http://site.example HTTP/1.1\r\nHost:\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: site.example\r\n\r\n",
    b"GET http://site.example?q HTTP/1.1\r\nHost: site.example\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\nCookie: "
    + b"a" * 60_000
    + b"\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\n: empty\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\n folded\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\nReferer: \xff://[[]\r\n\r\n",
    b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\nSec-Fetch-Dest: \x80\r\n\r\n",
    b"POST http://site.example/ HTTP/1.1\r\nHost: site.example\r\nContent-Length: -1\r\n\r\n",
    b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
    b"POST http://site.example/ HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: x\r\n\r\n",
    b"POST http://site.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"CONNECT tracker.example HTTP/1.1\r\n\r\n",
    b"CONNECT :443 HTTP/1.1\r\n\r\n",
    b"GET http://" + b"x" * 70_000 + b"/ HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_request_crashes_no_hook_and_leaves_the_proxy_working(data, caplog, tmp_path):
    async def main(net):
        async with net.dial() as (reader, writer):
            writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await asyncio.wait([asyncio.ensure_future(reader.read(1))], timeout=0.1)
        assert (await net.get(f"https://{TRACKER}/")).body == b"answered here"
        assert net.taps[TRACKER].connections == 0
        assert net.ledger.noted("fault") == []

    run(main, tmp_path)
    assert "crashed" not in caplog.text


# Streaming.


async def _slow(_asked, _reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 10)
    await writer.drain()
    await asyncio.sleep(0.5)
    writer.write(b"x" * 999_990)


async def _events(_asked, _reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
    await asyncio.sleep(60)


@pytest.mark.parametrize("respond", [_slow, _events], ids=["a slow page", "server-sent events"])
def test_the_first_byte_does_not_wait_for_the_last(respond, tmp_path):
    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
            started = time.monotonic()
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.read(1)
            assert time.monotonic() - started < 0.3

    run(main, tmp_path, taps={SITE: Tap(respond)})


def test_an_upload_is_passed_on_while_it_comes_in(tmp_path):
    async def main(net):
        first = asyncio.Event()

        async def reads(_asked, reader, writer):
            await reader.readexactly(5)
            first.set()
            await reader.readexactly(999_995)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        net.taps[SITE].respond, net.taps[SITE].reads_bodies = reads, False
        async with net.tls(SITE) as (reader, writer):
            writer.write(
                b"POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 1000000\r\n\r\n12345"
            )
            async with asyncio.timeout(PATIENCE):
                await first.wait()
            writer.write(b"x" * 999_995)
            assert (await read_response(reader)).status == 200

    run(main, tmp_path)


# Bodies that rules look into.

READS = Scripted(reads_bodies=frozenset({TRACKER}))
BODIES = [
    ("a small one that tells", b"v=secret", b"answered here", 0),
    ("a small one that does not", b"v=2", b"hello", 1),
    ("none at all", b"", b"hello", 1),
    ("one too large to look into", b"secret" * 11_000, b"hello", 1),
]


@pytest.mark.parametrize(("what", "body", "answer", "sent"), BODIES, ids=[b[0] for b in BODIES])
def test_a_body_is_looked_into_where_a_rule_asks_and_it_is_small(
    what, body, answer, sent, tmp_path
):
    async def main(net):
        got = await net.get(f"https://{TRACKER}/", method="POST", body=body)
        assert got.body == answer
        assert net.taps[TRACKER].connections == sent
        assert [asked.body for asked in net.taps[TRACKER].asked] == [body] * sent
        assert bool(net.ledger.noted("body-not-inspected")) == (len(body) > 65536)

    run(main, tmp_path, READS)


def test_a_body_of_unknown_length_is_not_looked_into_and_that_is_noted(tmp_path):
    async def main(net):
        async with net.tls(TRACKER) as (reader, writer):
            writer.write(
                b"POST / HTTP/1.1\r\nHost: tracker.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"6\r\nsecret\r\n0\r\n\r\n"
            )
            assert (await read_response(reader)).body == b"hello"
        assert net.ledger.noted("body-not-inspected") == [{"host": TRACKER}]

    run(main, tmp_path, READS)


# HTTP/1.1 interim responses.


async def _hints(_asked, _reader, writer):
    writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_early_hints_do_not_hang_the_client(scheme, tmp_path):
    async def main(net):
        assert (await net.get(f"{scheme}://{SITE}/")).body == b"hello"

    run(main, tmp_path, taps={SITE: Tap(_hints)})


# HTTP/2.


async def _ask_http2(reader, writer, host, paths):
    """Statuses and bodies of several requests at once on one HTTP/2 connection."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    got = {}
    for path in paths:
        stream = connection.get_next_available_stream_id()
        got[stream] = [path, b"", b""]
        fields = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", host)]
        connection.send_headers(stream, fields, end_stream=True)
    writer.write(connection.data_to_send())
    open_streams = set(got)
    async with asyncio.timeout(PATIENCE):
        while open_streams and (data := await reader.read(65535)):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    got[event.stream_id][1] = dict(event.headers)[b":status"]
                elif isinstance(event, h2.events.DataReceived):
                    got[event.stream_id][2] += event.data
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    open_streams.discard(event.stream_id)
            writer.write(connection.data_to_send())
    return {path: (status, body) for path, status, body in got.values()}


def test_http2_streams_are_decided_one_by_one(tmp_path):
    engine = Scripted(stops=frozenset({f"{SITE}/t"}))

    async def main(net):
        async with net.tls(SITE, alpn=("h2", "http/1.1")) as (reader, writer):
            got = await _ask_http2(reader, writer, SITE, ["/a", "/t", "/b"])
        assert got == {
            "/a": (b"200", b"hello"),
            "/t": (b"200", b"answered here"),
            "/b": (b"200", b"hello"),
        }
        assert sorted(asked.line for asked in net.taps[SITE].asked) == [b"/a", b"/b"]

    run(main, tmp_path, engine, taps={SITE: Tap(http2=True)})


def test_an_authority_that_differs_from_the_tunnel_is_named_too(tmp_path):
    async def main(net):
        async with net.tls(SITE, alpn=("h2",)) as (reader, writer):
            got = await _ask_http2(reader, writer, TRACKER, ["/"])
        assert got == {"/": (b"200", b"answered here")}

    run(main, tmp_path, taps={SITE: Tap(http2=True), TRACKER: Tap()})


def test_a_server_met_once_and_known_to_speak_http1_gets_one_connection(tmp_path):
    # No host is connected to before a decision, so its protocol is not known at the first
    # handshake.
    paths = [f"/{n}" for n in range(8)]

    async def main(net):
        async with net.tls(SITE, alpn=("h2", "http/1.1")) as (reader, writer):
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
            await _ask_http2(reader, writer, SITE, ["/"])
        before = net.taps[SITE].connections
        async with net.tls(SITE, alpn=("h2", "http/1.1")) as (reader, writer):
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            for path in paths:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {SITE}\r\n\r\n".encode())
                assert (await read_response(reader)).body == b"hello"
        assert net.taps[SITE].connections == before + 1

    run(main, tmp_path)


def test_a_server_only_asked_in_http1_is_not_taken_for_one_that_speaks_no_http2(tmp_path):
    async def main(net):
        await net.get(f"https://{SITE}/")
        async with net.tls(SITE, alpn=("h2", "http/1.1")) as (_reader, writer):
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"

    run(main, tmp_path)


# WebSocket.


async def _echo(asked, reader, writer):
    server = WSConnection(ConnectionType.SERVER)
    lines = b"".join(b"%s: %s\r\n" % pair for pair in asked.headers)
    server.receive_data(asked.line + b"\r\n" + lines + b"\r\n")
    list(server.events())
    writer.write(server.send(AcceptConnection()))
    while data := await reader.read(65535):
        server.receive_data(data)
        for event in server.events():
            if isinstance(event, TextMessage):
                writer.write(server.send(TextMessage(event.data.upper())))
                await writer.drain()


class Watcher:
    """Counts the messages mitmproxy holds on to."""

    kept = 0

    def websocket_end(self, flow):
        Watcher.kept = len(flow.websocket.messages)


async def _converse(reader, writer, host, words):
    client = WSConnection(ConnectionType.CLIENT)
    writer.write(client.send(Request(host=host, target="/")))
    heard = []
    async with asyncio.timeout(PATIENCE):
        while len(heard) < len(words) and (data := await reader.read(65535)):
            client.receive_data(data)
            for event in client.events():
                if isinstance(event, Rejected):
                    return event.status_code
                if isinstance(event, TextMessage):
                    heard.append(event.data)
                if len(heard) < len(words):
                    writer.write(client.send(TextMessage(words[len(heard)])))
    return heard


def test_a_websocket_passes_and_its_messages_are_not_kept(tmp_path):
    words = [f"word {n}" for n in range(20)]

    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            assert await _converse(reader, writer, SITE, words) == [w.upper() for w in words]
        await asyncio.sleep(0.05)
        assert Watcher.kept == 1

    run(main, tmp_path, taps={SITE: Tap(_echo)}, extra=(Watcher(),))


def test_a_websocket_to_a_stopped_host_is_answered_at_the_handshake(tmp_path):
    async def main(net):
        async with net.tls(TRACKER) as (reader, writer):
            assert await _converse(reader, writer, TRACKER, ["a"]) == 200
        assert net.taps[TRACKER].connections == 0

    run(main, tmp_path)


# Tunnels.

HIDES = Scripted(stops=frozenset({TRACKER}), hidden=frozenset({BANK}))


@pytest.mark.parametrize("mode", ["regular", "upstream", "socks5"])
def test_a_host_that_is_not_inspected_keeps_its_own_certificate(mode, tmp_path):
    async def main(net):
        async with net.tunnel(BANK) as (reader, writer):
            only_theirs = ssl.create_default_context(cafile=certificates().authority)
            await writer.start_tls(only_theirs, server_hostname=BANK)
            writer.write(b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
            assert (await read_response(reader)).body == b"hello"

    run(main, tmp_path, HIDES, mode=mode)


@pytest.mark.parametrize("mode", ["regular", "upstream", "socks5"])
def test_a_foreign_protocol_passes_in_a_tunnel_that_is_not_inspected(mode, tmp_path):
    async def main(net):
        async with net.tunnel(BANK, 22) as (_reader, writer):
            writer.write(b"SSH-2.0-client\r\n")
            await asyncio.sleep(0.1)
        assert net.taps[BANK].raw == b"S"

    run(main, tmp_path, HIDES, mode=mode)


@pytest.mark.parametrize("mode", ["regular", "upstream", "socks5"])
def test_the_name_in_the_handshake_opens_a_tunnel_to_another_name(mode, tmp_path):
    async def main(net):
        async with net.tls(BANK, sni=TRACKER) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
            assert (await read_response(reader)).body == b"answered here"
        assert net.taps[BANK].connections == 0

    run(main, tmp_path, HIDES, mode=mode)


def test_a_tunnel_is_closed_when_new_settings_would_inspect_it(tmp_path):
    async def main(net):
        async with net.tunnel(BANK) as (reader, writer):
            only_theirs = ssl.create_default_context(cafile=certificates().authority)
            await writer.start_tls(only_theirs, server_hostname=BANK)
            writer.write(b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
            assert (await read_response(reader)).body == b"hello"
            net.adopt(Scripted(stops=frozenset({BANK})))
            writer.write(b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
            assert await read_response(reader) == NOTHING
        assert (await net.get(f"https://{BANK}/")).body == b"answered here"
        assert len(net.taps[BANK].asked) == 1

    run(main, tmp_path, HIDES)


def test_new_settings_hold_for_the_next_request_on_an_open_connection(tmp_path):
    async def main(net):
        async with net.tls(SITE) as (reader, writer):
            for engine, body in (
                (ENGINE, b"hello"),
                (Scripted(stops=frozenset({SITE})), b"answered here"),
            ):
                net.adopt(engine)
                writer.write(b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
                assert (await read_response(reader)).body == body

    run(main, tmp_path)


# Clients that reject our certificate.


async def _reject(net, host):
    """Shake hands as an app that pins its certificate: it says why it leaves."""

    def app():
        with socket.create_connection(net.address) as way:
            way.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
            assert way.recv(1000).startswith(b"HTTP/1.1 200")
            only_theirs = ssl.create_default_context(cafile=certificates().authority)
            with pytest.raises(ssl.SSLCertVerificationError):
                only_theirs.wrap_socket(way, server_hostname=host)

    await asyncio.to_thread(app)
    await asyncio.sleep(0.05)


async def _leave(net, host):
    """Leave in the middle of the handshake without a word."""
    async with net.tunnel(host) as (reader, writer):
        writer.write(_client_hello(host))
        await reader.readexactly(1)


def test_a_client_that_rejects_our_certificate_is_refused_by_default(tmp_path):
    async def main(net):
        for _ in range(2):
            await _reject(net, TRACKER)
        assert net.taps[TRACKER].connections == 0
        assert net.ledger.noted("certificate-rejected") == [{"host": TRACKER}]

    run(main, tmp_path)


def test_with_pinned_pass_it_is_tunnelled_next_time_and_that_is_noted(tmp_path):
    async def main(net):
        await _reject(net, TRACKER)
        async with net.tunnel(TRACKER) as (reader, writer):
            only_theirs = ssl.create_default_context(cafile=certificates().authority)
            await writer.start_tls(only_theirs, server_hostname=TRACKER)
            writer.write(b"GET / HTTP/1.1\r\nHost: tracker.example\r\n\r\n")
            assert (await read_response(reader)).body == b"hello"
        assert net.ledger.noted("not-inspected") == [
            {"host": TRACKER, "why": "rejects our certificate"}
        ]

    run(main, tmp_path, Scripted(stops=frozenset({TRACKER}), choices=Chosen(pinned="pass")))


def test_a_client_that_leaves_once_or_twice_is_still_inspected(tmp_path):
    async def main(net):
        for _ in range(2):
            await _leave(net, TRACKER)
        assert (await net.get(f"https://{TRACKER}/")).body == b"answered here"
        for _ in range(2):
            await _leave(net, TRACKER)
        assert (await net.get(f"https://{TRACKER}/")).body == b"answered here"
        assert net.ledger.notes == []

    run(main, tmp_path, Scripted(stops=frozenset({TRACKER}), choices=Chosen(pinned="pass")))


# Ending.


def test_the_proxy_ends_cleanly_while_clients_are_connected(tmp_path):
    async def main():
        async with world(ENGINE, Notebook(), tmp_path, {SITE: Tap()}) as net:
            reader, writer = await asyncio.open_connection(*net.address)
            address = net.address
        async with closing(writer):
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)

    asyncio.run(main())


def test_the_authority_is_made_once_and_closed_to_others(tmp_path):
    folder = tmp_path / "deep" / "authority"
    authority.ensure(folder)
    key = authority.key_and_certificate(folder)
    made = key.read_bytes()
    authority.ensure(folder)
    assert key.read_bytes() == made
    assert folder.stat().st_mode & 0o777 == 0o700
    assert key.stat().st_mode & 0o777 == 0o600
    assert b"EC PRIVATE KEY" in made
    assert b"PRIVATE" not in authority.certificate(folder).read_bytes()
