"""Trailers over HTTP/1.1 (RFC 9112, 7.1.2), of which mitmproxy knows only HTTP/2's.

It gives up on a chunked body that ends in one, and on handing one from HTTP/2 to HTTP/1.1; either
way the client waits for ever. Where a message is not chunked there is no place for trailers, and
they are dropped (RFC 9110, 6.5.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
from h11._readers import ChunkedReader
from mitmproxy import http
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestEndOfMessage,
    RequestTrailers,
    ResponseEndOfMessage,
    ResponseTrailers,
)

if TYPE_CHECKING:
    from h11._receivebuffer import ReceiveBuffer
    from mitmproxy.proxy.events import Event
    from mitmproxy.proxy.layer import CommandGenerator
    from mitmproxy.proxy.layers.http._events import HttpEvent

_END: Final = b"0\r\n\r\n"
_read_body = _http1.Http1Connection.read_body
_server_send = _http1.Http1Server.send
_client_send = _http1.Http1Client.send


def mend() -> None:
    """Put the mend in place; doing so again changes nothing."""
    vars(_http1)["ChunkedReader"] = _Reader
    _http1.Http1Connection.read_body = _read  # type: ignore[method-assign]
    _http1.Http1Server.send = _send_response  # type: ignore[method-assign]
    _http1.Http1Client.send = _send_request  # type: ignore[method-assign]


class _Reader(ChunkedReader):
    """Reads a chunked body; its trailers are not in the last event but in `trailers`."""

    trailers: tuple[tuple[bytes, bytes], ...] = ()

    def __call__(self, buf: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        event = super().__call__(buf)
        if isinstance(event, h11.EndOfMessage) and event.headers:
            self.trailers = tuple(event.headers.raw_items())
            return h11.EndOfMessage()
        return event


def _read(self: _http1.Http1Connection, event: Event) -> CommandGenerator[None]:
    reading = _read_body(self, event)
    return _told(reading, self.body_reader) if type(self.body_reader) is _Reader else reading


def _told(reading: CommandGenerator[None], reader: _Reader) -> CommandGenerator[None]:
    """Tell of the trailers before the end of the message."""
    for command in reading:
        if reader.trailers and isinstance(command, ReceiveHttp):
            stream, fields = command.event.stream_id, http.Headers(reader.trailers)
            if isinstance(command.event, RequestEndOfMessage):
                yield ReceiveHttp(RequestTrailers(stream, fields))
            elif isinstance(command.event, ResponseEndOfMessage):
                yield ReceiveHttp(ResponseTrailers(stream, fields))
        yield command


def _send_response(self: _http1.Http1Server, event: HttpEvent) -> CommandGenerator[None]:
    if isinstance(event, ResponseTrailers):
        return _keep(self, event)
    sending = _server_send(self, event)
    return _ended(self, sending) if isinstance(event, ResponseEndOfMessage) else sending


def _send_request(self: _http1.Http1Client, event: HttpEvent) -> CommandGenerator[None]:
    if isinstance(event, RequestTrailers):
        return _keep(self, event)
    sending = _client_send(self, event)
    return _ended(self, sending) if isinstance(event, RequestEndOfMessage) else sending


def _keep(
    connection: _http1.Http1Connection, event: RequestTrailers | ResponseTrailers
) -> CommandGenerator[None]:
    vars(connection)["trailers"] = event.trailers
    yield from ()


def _ended(
    connection: _http1.Http1Connection, sending: CommandGenerator[None]
) -> CommandGenerator[None]:
    """Write the trailers kept where the body ends, if that is where they have a place."""
    trailers = bytes(vars(connection).pop("trailers", b""))
    for command in sending:
        if trailers and isinstance(command, commands.SendData) and command.data == _END:
            command.data = b"0\r\n%b\r\n" % trailers
        yield command
