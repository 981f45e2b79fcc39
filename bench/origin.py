"""An origin on loopback that answers everything with 1 kB, over HTTP/1.1 and HTTP/2.

`/slow` takes a second for a megabyte, `/large` gives one of HTML at once, over HTTP/1.1 only.
A process of its own: it prints its two ports, plain and TLS, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import h2.config
import h2.connection
import h2.events

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from loopback import certificates

BODY = b"x" * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1024\r\n\r\n"
SLOW = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1024000\r\n\r\n"
PAGE = SLOW.replace(b"image/png", b"text/html")
MARKUP = b"<p class=a><a href='/b?c=d'>text</a> and more text</p>\n"
PIECES = 20
FIELDS = [(":status", "200"), ("content-type", "text/html"), ("content-length", "1024")]


class Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.waiting = b""
        tls = transport.get_extra_info("ssl_object")
        self.http2 = None
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            settings = h2.config.H2Configuration(client_side=False)
            self.http2 = h2.connection.H2Connection(settings)
            self.http2.initiate_connection()

    def data_received(self, data: bytes) -> None:
        if self.http2 is not None:
            for event in self.http2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.http2.send_headers(event.stream_id, FIELDS)
                    self.http2.send_data(event.stream_id, BODY, end_stream=True)
            self.transport.write(self.http2.data_to_send())
            return
        if data.startswith(b"GET /large"):
            self.transport.write(PAGE + (MARKUP * (1024000 // len(MARKUP) + 1))[:1024000])
            return
        if data.startswith(b"GET /slow"):
            self.transport.write(SLOW)
            self.say_slowly(PIECES)
            return
        self.waiting += data
        asked = self.waiting.count(b"\r\n\r\n")
        self.waiting = self.waiting.rpartition(b"\r\n\r\n")[2] if asked else self.waiting
        self.transport.write((HEAD + BODY) * asked)

    def say_slowly(self, pieces: int) -> None:
        self.transport.write(b"x" * (1024000 // PIECES))
        if pieces > 1:
            asyncio.get_running_loop().call_later(1 / PIECES, self.say_slowly, pieces - 1)


async def main() -> None:
    loop = asyncio.get_running_loop()
    context = certificates().server(http2=True)
    plain = await loop.create_server(Answering, "127.0.0.1", 0)
    tls = await loop.create_server(Answering, "127.0.0.1", 0, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, tls)]
    print(*ports, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
