"""What is mended in mitmproxy: what hangs, and a store too small, each named with its reason.

Everything touched here is listed in `selftest`, which refuses to run where it has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mitmproxy import certs
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layers.http import _http1

from optout_proxy.proxy import trailers

if TYPE_CHECKING:
    from h11._receivebuffer import ReceiveBuffer
    from mitmproxy.proxy.events import ConnectionEvent
    from mitmproxy.proxy.layer import CommandGenerator

STORE_CAP: Final = 5000
"""Certificates kept. mitmproxy's 100 is fewer than a day of browsing needs; each costs 1.3 ms."""

_server_read_headers = _http1.Http1Server.read_headers
_client_read_headers = _http1.Http1Client.read_headers


def mend() -> None:
    """Put the mends in place; doing so again changes nothing."""
    certs.CertStore.STORE_CAP = STORE_CAP
    _http1.Http1Server.read_headers = _read_request  # type: ignore[method-assign]
    _http1.Http1Client.read_headers = _read_response  # type: ignore[method-assign]
    trailers.mend()


def _read_request(self: _http1.Http1Server, event: ConnectionEvent) -> CommandGenerator[None]:
    """Skip blank lines before a request (RFC 9112, 2.2); mitmproxy waits for ever after one."""
    if isinstance(event, DataReceived):
        _skip_blank_lines(self.buf)
    yield from _server_read_headers(self, event)


def _read_response(self: _http1.Http1Client, event: ConnectionEvent) -> CommandGenerator[None]:
    """Skip interim responses (RFC 9110, 15.2); mitmproxy takes one for the final response.

    `103 Early Hints` is lost on the way, as it is in mitmproxy's HTTP/2. `101` is final.
    """
    if isinstance(event, DataReceived) and self.request:
        while _starts_with_interim(self.buf) and self.buf.maybe_extract_lines():
            pass
    yield from _client_read_headers(self, event)


def _skip_blank_lines(buffer: ReceiveBuffer) -> None:
    # Cheap and rarely true: no request line begins with a byte below 0x21.
    if buffer.is_next_line_obviously_invalid_request_line():
        rest = bytes(buffer).lstrip(b"\r\n")
        buffer.maybe_extract_at_most(len(buffer))
        buffer += rest


def _starts_with_interim(buffer: ReceiveBuffer) -> bool:
    start = bytes(buffer)[:12]
    return start[:8] == b"HTTP/1.1" and start[9:10] == b"1" and start[9:12] != b"101"
