"""The gates around the flows: what is looked into, what is tunnelled, what may be connected to."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from mitmproxy.exceptions import AddonHalt
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.proxy.mode_specs import ReverseMode, UpstreamMode

from optout_proxy.proxy.flows import plain_host
from optout_proxy.proxy.guard import Gate, divert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import NextLayer
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData
    from mitmproxy.tls import ClientHelloData, TlsData

    from optout_proxy.proxy.enforcement import Enforcement

_DNS_PORTS: Final = frozenset({53, 5353})
_HTTP1: Final = b"http/1.1"
_HTTP2: Final = b"h2"
_HALF_A_RECORD: Final = frozenset({b"\x16", b"\x16\x03"})
_REQUEST_LINE: Final = re.compile(rb"[\r\n]*[A-Z]{1,20}(?: |\Z)")


class Inspection(Gate):
    """Chooses between tunnel and inspection, and is the last gate before any socket.

    What is tunnelled is connected to at once; where we look inside, a host is connected to only
    after a decision admitted it: any of its requests may be one that is answered here.
    """

    name = "optout-inspection"

    def __init__(self, enforcement: Enforcement) -> None:
        self._enforcement = enforcement
        self._protocols = _Protocols()

    # What is looked into.

    def next_layer(self, nextlayer: NextLayer) -> None:
        """Wait for a record cut short; tunnel what is neither TLS nor HTTP, where not inspected."""
        context, seen = nextlayer.context, nextlayer.data_client()
        if context.client.transport_protocol != "tcp" or nextlayer.layer:
            return
        if seen in _HALF_A_RECORD:
            raise AddonHalt  # asked again when more has come
        if seen and self._is_foreign(context, seen):
            self._enforcement.admissions.tunnel(context.client.id, _hosts(context))
            nextlayer.layer = TCPLayer(context, ignore=True)

    def _is_foreign(self, context: Context, seen: bytes) -> bool:
        """Whether a tunnel that is not inspected carries a protocol of its own."""
        if not context.server.address or context.client.tls:
            return False
        if context.server.address[1] in _DNS_PORTS:
            return False
        if isinstance(context.client.proxy_mode, ReverseMode):
            return False
        if starts_like_tls_record(seen) or _REQUEST_LINE.match(seen):
            return False
        return not self._inspects_any(_hosts(context))

    def tls_clienthello(self, data: ClientHelloData) -> None:
        context = data.context
        if not context.server.address:
            return  # the client speaks TLS with the proxy itself
        hosts = _hosts(context)
        if context.server.error:
            data.establish_server_tls_first = False  # closed already; every request is told so
        elif self._is_tunnelled(context.client, hosts):
            data.ignore_connection = True
            self._enforcement.admissions.tunnel(context.client.id, hosts)
        else:
            data.establish_server_tls_first = False
            self._offer_known_protocol(context.client, hosts)

    def _is_tunnelled(self, client: Client, hosts: tuple[str, ...]) -> bool:
        if not self._inspects_any(hosts):
            return True
        passes = self._enforcement.engine.choices.pinned == "pass"
        return passes and self._enforcement.pins.rejects(client.peername[0], hosts[-1])

    def _inspects_any(self, hosts: Iterable[str]) -> bool:
        engine = self._enforcement.engine
        return any(engine.inspects(host) for host in hosts)

    def _offer_known_protocol(self, client: Client, hosts: tuple[str, ...]) -> None:
        # Not connected yet, so the server cannot be asked. HTTP/2 to the client with HTTP/1 to
        # the server costs a connection a request; once such a server was met, it is remembered.
        speaks_http1 = self._protocols.only_http1(hosts[-1])
        if speaks_http1 and _HTTP1 in client.alpn_offers:
            client.alpn = _HTTP1

    def tls_established_server(self, data: TlsData) -> None:
        if data.conn.sni and _HTTP2 in data.conn.alpn_offers:
            self._protocols.met(plain_host(data.conn.sni), data.conn.alpn)

    # Who will not be looked into.

    def tls_failed_client(self, data: TlsData) -> None:
        context = data.context
        if not context.server.address:
            return
        client, host = context.client.peername[0], _hosts(context)[-1]
        if not self._enforcement.pins.failed(client, host, data.conn.error or ""):
            return
        if self._enforcement.engine.choices.pinned == "pass":
            self._enforcement.note("not-inspected", host=host, why="rejects our certificate")
        else:
            self._enforcement.note("certificate-rejected", host=host)

    def tls_established_client(self, data: TlsData) -> None:
        if data.context.server.address:
            client = data.context.client.peername[0]
            self._enforcement.pins.succeeded(client, _hosts(data.context)[-1])

    # The last gate.

    def server_connect(self, data: ServerConnectionHookData) -> None:
        client, server = data.client, data.server
        if server.error or not server.address:
            return
        if _is_upstream_proxy(client, server.address):
            refused = not self._enforcement.admissions.any(client.id)
        else:
            refused = not self._may_connect(client, (server.address[0], server.sni, client.sni))
        if refused:
            server.error = self._refuse(server.address[0])

    def http_connect_upstream(self, flow: HTTPFlow) -> None:
        if not self._may_connect(flow.client_conn, (flow.request.host,)):
            self._refuse(flow.request.host)
            divert(flow)

    def _may_connect(self, client: Client, names: Iterable[str | None]) -> bool:
        hosts = {plain_host(name) for name in names if name}
        admitted = self._enforcement.admissions.admitted
        return not self._inspects_any(host for host in hosts if not admitted(client.id, host))

    def _refuse(self, host: str) -> str:
        self._enforcement.note("connection-refused", host=host)
        return f"Optout Proxy let no request go to {host}"

    def client_disconnected(self, client: Client) -> None:
        self._enforcement.admissions.forget(client.id)


def _hosts(context: Context) -> tuple[str, ...]:
    """Hosts a connection is for: where it goes and, last, what the TLS handshake names."""
    address = context.server.address
    named = (address[0] if address else "", context.client.sni or "")
    return tuple(dict.fromkeys(plain_host(name) for name in named if name))


def _is_upstream_proxy(client: Client, address: tuple[str, int]) -> bool:
    mode = client.proxy_mode
    return isinstance(mode, UpstreamMode) and tuple(address[:2]) == tuple(mode.address[:2])


class _Protocols:
    """Hosts whose servers were offered HTTP/2 and did not take it."""

    def __init__(self, entries: int = 1000) -> None:
        self._entries = entries
        self._http1: OrderedDict[str, None] = OrderedDict()

    def met(self, host: str, alpn: bytes | None) -> None:
        if alpn == _HTTP2:
            self._http1.pop(host, None)
            return
        self._http1[host] = None
        if len(self._http1) > self._entries:
            self._http1.popitem(last=False)

    def only_http1(self, host: str) -> bool:
        return host in self._http1
