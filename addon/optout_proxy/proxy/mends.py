"""What is mended in mitmproxy: hangs and costs, each named with its reason.

Everything touched here is listed in `selftest`, which refuses to run where it has changed.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mitmproxy import certs, connection, flow, http, optmanager
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.utils import asyncio_utils

from optout_proxy.proxy import trailers

if TYPE_CHECKING:
    from h11._receivebuffer import ReceiveBuffer
    from mitmproxy.proxy.events import ConnectionEvent
    from mitmproxy.proxy.layer import CommandGenerator

STORE_CAP: Final = 5000
"""Certificates kept. mitmproxy's 100 is fewer than a day of browsing needs; each costs 1.3 ms."""

_CANNOT_CHANGE: Final = (bool, int, str, type(None))

_server_read_headers = _http1.Http1Server.read_headers
_client_read_headers = _http1.Http1Client.read_headers


def mend() -> None:
    """Put the mends in place; doing so again changes nothing."""
    certs.CertStore.STORE_CAP = STORE_CAP
    _http1.Http1Server.read_headers = _read_request  # type: ignore[method-assign]
    _http1.Http1Client.read_headers = _read_response  # type: ignore[method-assign]
    trailers.mend()


def lighten() -> None:
    """Drop checks, copies and names that only add-ons of others would need.

    mitmproxy checks the types of every message it builds, an eighth of the time left; copies an
    option each time it looks at one, twenty times a request; lowers every header's name for each
    of the nineteen it looks up; draws 16 random bytes for each thing it numbers; and names each
    of its tasks for a debugger.
    """
    http.MessageData.__post_init__ = _nothing  # type: ignore[method-assign]
    optmanager._Option.current = _current  # type: ignore[method-assign] # noqa: SLF001 - no other way in
    http.Headers.get_all = _get_all  # type: ignore[method-assign]
    http.Headers.get = _get  # type: ignore[method-assign,assignment]
    http.Headers.__contains__ = _contains  # type: ignore[method-assign,assignment]
    for module in (flow, connection):
        vars(module)["uuid"] = SimpleNamespace(uuid4=_another)
    asyncio_utils.set_task_debug_info = _nothing


def _nothing(*_: object, **__: object) -> None:
    pass


_NUMBER: Final = count()
_PROCESS: Final = uuid4().hex


def _another() -> str:
    """An identifier that no other process and no other call gives."""
    return f"{_PROCESS}-{next(_NUMBER)}"


def _get_all(self: http.Headers, name: str | bytes) -> list[str]:
    wanted = _lower(name)
    return [
        value.decode("utf-8", "surrogateescape")
        for key, value in self.fields
        if key.lower() == wanted
    ]


def _get(self: http.Headers, key: str | bytes, default: Any = None) -> Any:
    values = _get_all(self, key)
    return ", ".join(values) if values else default


def _contains(self: http.Headers, key: object) -> bool:
    return isinstance(key, str | bytes) and bool(_get_all(self, key))


def _lower(name: str | bytes) -> bytes:
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    return name.lower()


def _current(self: optmanager._Option) -> Any:
    value = self._default if self.value is optmanager.unset else self.value
    return value if isinstance(value, _CANNOT_CHANGE) else deepcopy(value)


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
