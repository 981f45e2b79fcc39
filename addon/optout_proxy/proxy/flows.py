"""From mitmproxy's flow to our request and back: named here, applied here, and nothing else.

Text of a URL or a header is bytes on the wire; here it is latin-1 on the way in and on the way
out, so that what no rule names leaves exactly as it came.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mitmproxy import http
from mitmproxy.net.http.status_codes import RESPONSES
from msgspec.structs import replace

from optout_proxy.hosts import normal_host
from optout_proxy.proxy.visits import signs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optout_proxy.model import Answer, Decision, Headers, Outgoing, Request, ResponseDecision
    from optout_proxy.proxy.contracts import Engine
    from optout_proxy.proxy.visits import Visits

MOST_BODY: Final = 64 * 1024
"""Bytes of a request body that are looked into; a longer one is decided without it."""

_DEFAULT_PORT: Final = {b"http": 80, b"https": 443}
_BODILESS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})


def to_requests(
    flow: http.HTTPFlow, engine: Engine, visits: Visits, *, body: bytes | None = None
) -> tuple[Request, ...]:
    """Name the request once for each host that it could be for; the likeliest comes first.

    A client may say one host to the proxy, another in the TLS handshake and a third in the
    request. The origin answers for the one in the request, the connection goes to the first.
    """
    client = flow.client_conn.peername[0]
    headers = flow.request.headers.fields
    signs = signs_of(headers)
    method = flow.request.data.method.decode("latin-1")
    named = []
    for host in hosts_of(flow):
        url = url_of(flow.request, host)
        embed = visits.embed(client, url, signs)
        request = engine.name(url, method=method, headers=headers, embed=embed, body=body)
        if embed is None and not request.embed and visits.guess(client, url, signs):
            request = request.inside_embed()
        if request.embed and visits.is_lifted(client, request.page_host):
            request = replace(request, lifted=True)
        visits.saw(client, url, signs)
        named.append(request)
    return tuple(named)


def decide(requests: Sequence[Request], engine: Engine) -> tuple[Request, Decision]:
    """Decide under every name: to stop, if any is stopped; else by the first that acts."""
    decided = [(request, engine.decide(request)) for request in requests]
    if len(decided) == 1:
        return decided[0]
    stopped = (pair for pair in decided if pair[1].stops)
    acted = (pair for pair in decided if pair[1].tool is not None)
    return next(stopped, None) or next(acted, None) or decided[0]


def hosts_of(flow: http.HTTPFlow) -> tuple[str, ...]:
    """Every host the flow names, each once: `Host`, `:authority`, CONNECT or target, SNI."""
    request = flow.request.data
    named = [_host(value) for name, value in request.headers.fields if name.lower() == b"host"]
    named.append(_host(request.authority))
    named.append(plain_host(request.host))
    named.append(plain_host(flow.client_conn.sni or ""))
    return tuple(dict.fromkeys(filter(None, named))) or (request.host,)


@lru_cache(4096)
def _host(authority: bytes) -> str:
    """Host of a `host[:port]` as it stands in a header."""
    text = authority.strip().decode("utf-8", "surrogateescape").rpartition("@")[2]
    return plain_host(normal_host(text))


@lru_cache(4096)
def plain_host(host: str) -> str:
    """Spell a host as rules do: lower case, ASCII, no trailing dot, no brackets; it has no port."""
    plain = host.lower().rstrip(".").removeprefix("[").removesuffix("]")
    if plain.isascii():
        return plain
    try:
        return plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain.encode("utf-8", "surrogateescape").decode("latin-1")


def url_of(request: http.Request, host: str) -> str:
    """Absolute URL of a request as if it were for `host`."""
    scheme, port, path = request.data.scheme, request.data.port, request.data.path
    authority = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORT.get(scheme):
        authority = f"{authority}:{port}"
    slash = "" if path.startswith(b"/") else "/"
    return f"{scheme.decode('latin-1')}://{authority}{slash}{path.decode('latin-1')}"


def body_size(request: http.Request) -> int | None:
    """Bytes of the body to come: 0 where there is none, None where nobody said."""
    sizes = set()
    for name, value in request.headers.fields:
        low = name.lower()
        if low == b"transfer-encoding":
            return None
        if low == b"content-length":
            sizes.add(value.strip())
    if len(sizes) == 1 and (size := sizes.pop()).isdigit():
        return int(size)
    # Only HTTP/2 and later can carry a body without announcing it.
    silent = request.is_http10 or request.is_http11 or request.data.method in _BODILESS
    return 0 if silent else None


def apply_request(decision: Decision, flow: http.HTTPFlow, request: Request) -> None:
    """Put the decision about a request in force on its flow."""
    if decision.stops:
        if decision.answer is None:
            raise ValueError(f"{decision.action} without an answer")
        flow.request.stream = False  # mitmproxy crashes on a response to a streamed request
        flow.response = response_of(decision.answer, head=flow.request.data.method == b"HEAD")
    elif decision.send is not None:
        _replace(flow.request, request, decision.send)


def response_of(answer: Answer, *, head: bool = False) -> http.Response:
    """Make an answer mitmproxy's response, its length stated so that the connection is kept."""
    headers = answer.headers
    bodiless = answer.status in {204, 304}
    if not bodiless and not any(name.lower() == b"content-length" for name, _ in headers):
        headers = (*headers, (b"Content-Length", b"%d" % len(answer.body)))
    now = time.time()
    return http.Response(
        http_version=b"HTTP/1.1",
        status_code=answer.status,
        reason=RESPONSES.get(answer.status, "").encode("latin-1"),
        headers=http.Headers(headers),
        content=b"" if head or bodiless else answer.body,
        trailers=None,
        timestamp_start=now,
        timestamp_end=now,
    )


def _replace(target: http.Request, came: Request, send: Outgoing) -> None:
    if send.url != came.url:
        target.data.path = _path(send.url).encode("latin-1")
    if send.headers != came.headers:
        set_headers(target, send.headers)
    if send.body is not None and send.body != target.data.content:
        _set_body(target, send.body)


def _path(url: str) -> str:
    """Cut off scheme and authority of an absolute URL; its path is never empty here."""
    start = url.index("/", url.index("://") + 3)
    return url[start:]


def set_headers(message: http.Message, headers: Headers) -> None:
    """Replace all header lines. HTTP/2 knows names in lower case only (RFC 9113, 8.2)."""
    if message.is_http2 or message.is_http3:
        headers = tuple((name.lower(), value) for name, value in headers)
    message.headers.fields = headers


def _set_body(target: http.Request, body: bytes) -> None:
    target.data.content = body
    if "content-length" in target.headers:
        length = b"%d" % len(body)
        target.headers.fields = tuple(
            (name, length if name.lower() == b"content-length" else value)
            for name, value in target.headers.fields
        )


def apply_response(decision: ResponseDecision, response: http.Response) -> None:
    """Put the decision about the head of a response in force."""
    if decision.headers is not None:
        set_headers(response, decision.headers)
    if decision.prefix:
        response.stream = _in_front(decision.prefix)


def _in_front(prefix: bytes) -> Callable[[bytes], bytes]:
    """Stream a body as it comes, something put in front of its first piece."""
    waiting = [prefix]

    def stream(piece: bytes) -> bytes:
        return waiting.pop() + piece if waiting else piece

    return stream
