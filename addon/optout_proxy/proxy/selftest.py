"""Refuse to run on a mitmproxy whose inside has changed, rather than run open.

`check_parts` compares what we override and rely on with what it was; `check_guard` lets a gate
fail and sees that the request is stopped; `rehearse` does so over sockets, with a proxy and an
origin on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from dataclasses import dataclass, fields
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from mitmproxy import addonmanager, hooks, http, version
from mitmproxy.connection import Client, Server
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http._hooks import HttpRequestHeadersHook

from optout_proxy.errors import OptoutError
from optout_proxy.hosts import host_of
from optout_proxy.model import Answer, Decision, Headers, Request, ResponseDecision, Type
from optout_proxy.pages import PagePlan
from optout_proxy.proxy.guard import Gate, guard

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path
    from typing import Literal

    from mitmproxy.master import Master

    from optout_proxy.model import Credit

GUARD: Final = "optout_proxy.proxy.guard"
"""The log that faults are written to."""

_PARAMETERS: Final = (
    ("mitmproxy.addonmanager", "AddonManager.handle_lifecycle", "self event"),
    ("mitmproxy.addonmanager", "AddonManager.trigger_event", "self event"),
    ("mitmproxy.addonmanager", "AddonManager.register", "self addon"),
    ("mitmproxy.addonmanager", "AddonManager.add", "self addons"),
    ("mitmproxy.addonmanager", "AddonManager.remove", "self addon"),
    ("mitmproxy.addonmanager", "AddonManager.clear", "self"),
    ("mitmproxy.addonmanager", "traverse", "chain"),
    ("mitmproxy.addonmanager", "_get_name", "itm"),
    ("mitmproxy.addons.proxyserver", "Proxyserver.setup_servers", "self"),
    ("mitmproxy.addons.proxyserver", "Servers.update", "self modes"),
    ("mitmproxy.flow", "Flow.kill", "self"),
    ("mitmproxy.hooks", "Hook.args", "self"),
    ("mitmproxy.http", "Headers.get_all", "self name"),
    ("mitmproxy.master", "Master.__init__", "self opts event_loop with_termlog"),
    ("mitmproxy.master", "Master.running", "self"),
    ("mitmproxy.master", "Master.done", "self"),
    ("mitmproxy.master", "Master._asyncio_exception_handler", "self loop context"),
    ("mitmproxy.optmanager", "_Option.current", "self"),
    ("mitmproxy.proxy.layer", "NextLayer.data_client", "self"),
    ("mitmproxy.proxy.layers.http._http1", "Http1Server.read_headers", "self event"),
    ("mitmproxy.proxy.layers.http._http1", "Http1Client.read_headers", "self event"),
    ("mitmproxy.proxy.layers.http._http1", "Http1Connection.read_body", "self event"),
    ("mitmproxy.proxy.layers.http._http1", "Http1Server.send", "self event"),
    ("mitmproxy.proxy.layers.http._http1", "Http1Client.send", "self event"),
    ("mitmproxy.proxy.layers.http._http1", "ChunkedReader.__call__", "self buf"),
    ("mitmproxy.proxy.layers.tcp", "TCPLayer.__init__", "self context ignore"),
    ("mitmproxy.proxy.mode_servers", "ProxyConnectionHandler.handle_hook", "self hook"),
    ("mitmproxy.utils.asyncio_utils", "set_task_debug_info", "task name client"),
    ("mitmproxy.proxy.server", "ConnectionHandler.close_connection", "self connection half_close"),
)

_FIELDS: Final = (
    ("mitmproxy.tls", "ClientHelloData", "ignore_connection establish_server_tls_first"),
    ("mitmproxy.proxy.server_hooks", "ServerConnectionHookData", "server client"),
    ("mitmproxy.connection", "Server", "address sni error via"),
    ("mitmproxy.proxy.layers.http._hooks", "HttpResponseHook", "flow"),
    ("mitmproxy.connection", "Client", "sni alpn alpn_offers error proxy_mode"),
)

_HOOKS: Final = """
    client_disconnected http_connect_upstream next_layer request requestheaders responseheaders
    server_connect tls_clienthello tls_established_client tls_established_server
    tls_failed_client websocket_message
"""


def check_parts() -> None:
    """OptoutError naming the first part of mitmproxy that is not what this was built for."""
    for module, path, parameters in _PARAMETERS:
        if _parameters(module, path) != parameters.split():
            raise _changed(f"{module}.{path} takes other parameters")
    for module, name, wanted in _FIELDS:
        there = {field.name for field in fields(_part(module, name))}
        if missing := [field for field in wanted.split() if field not in there]:
            raise _changed(f"{module}.{name} has no {missing[0]}")
    if missing := sorted(set(_HOOKS.split()) - hooks.all_hooks.keys()):
        raise _changed(f"there is no hook {missing[0]}")


def _parameters(module: str, path: str) -> list[str]:
    try:
        return list(inspect.signature(_part(module, path)).parameters)
    except (AttributeError, ImportError, TypeError, ValueError):
        return []


def _part(module: str, path: str) -> Any:
    part: Any = import_module(module)
    for name in path.split("."):
        part = getattr(part, name)
    return part


def _changed(what: str) -> OptoutError:
    return OptoutError(
        f"mitmproxy {version.VERSION} is not one this was built for ({what}), so it would run "
        "open; install mitmproxy 12.3"
    )


# A gate that fails, without sockets.


class _Broken(Gate):
    name = "optout-selftest"

    def requestheaders(self, _flow: http.HTTPFlow) -> None:
        raise _SelftestError


class _SelftestError(Exception):
    """Raised on purpose."""


class _Told:
    """A keeper that closes."""

    closes = True

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, hook: str, _error: BaseException, _host: str) -> None:
        self.faults.append(hook)

    def let_go(self, _message: object) -> None:
        raise AssertionError("nothing is let go")


def check_guard() -> None:
    """OptoutError where a gate that fails does not stop the request."""
    told, flow = _Told(), _flow()
    master = cast("Master", SimpleNamespace(options=Options(), should_exit=asyncio.Event()))
    master.addons = addonmanager.AddonManager(master)
    guarded = guard(master, told)
    guarded.chain.append(_Broken())
    with quiet(GUARD):
        _drive(guarded.handle_lifecycle(HttpRequestHeadersHook(flow)))
    if told.faults != ["requestheaders"] or flow.response is None:
        raise _changed("a fault in a hook does not stop the request")


def _drive(work: Coroutine[Any, Any, None]) -> None:
    """Run what never waits."""
    with contextlib.suppress(StopIteration):
        work.send(None)
    work.close()


def _flow() -> http.HTTPFlow:
    flow = http.HTTPFlow(
        Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2)), Server(address=None), True
    )
    flow.request = http.Request.make("GET", "http://selftest.invalid/")
    return flow


# A proxy and an origin on loopback.


class _Rehearsed:
    """An engine and a ledger in one: decides by the path what the rehearsal is about."""

    @dataclass(frozen=True)
    class Choices:
        pinned: Literal["refuse", "pass"] = "refuse"
        undecided: Literal["closed", "open"] = "closed"

    choices = Choices()

    def name(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers = (),
        page: str | None = None,
        type: Type | None = None,  # noqa: A002 - the engine's own
        embed: bool | None = None,
        body: bytes | None = None,
    ) -> Request:
        del page, embed, body
        return Request(url, host_of(url), type=type or "other", method=method, headers=headers)

    def inspects(self, _host: str) -> bool:
        return True

    def wants_body(self, _request: Request) -> bool:
        return False

    def decide(self, request: Request) -> Decision:
        if request.url.endswith("/fault"):
            raise _SelftestError
        if request.url.endswith("/stop"):
            answer = Answer(204, (), b"")
            return Decision("block", "self-test", tool="self-test", answer=answer)
        return Decision("allow", "self-test")

    def decide_response(
        self, _request: Request, _decision: Decision, _status: int, _headers: Headers
    ) -> ResponseDecision:
        return ResponseDecision()

    def page_plan(self, _request: Request, _decision: Decision) -> PagePlan:
        return PagePlan()

    def replaces(self, _url: str, _page: str, _type: Type) -> bool:
        return False

    def record(
        self,
        request: Request,
        credits: tuple[Credit, ...],  # noqa: A002 - the ledger's own
        *,
        event: str = "request",
    ) -> None:
        pass

    def note(self, event: str, /, **fields: str | int | None) -> None:
        pass

    def close(self) -> None:
        pass


_EXPECTED: Final = (("fault", b"503", 0), ("stop", b"204", 0), ("allow", b"200", 1))
"""Path, status the client gets, connections the origin has seen by then."""


async def rehearse(folder: Path) -> None:
    """OptoutError where a request that is stopped, or that nobody could decide, gets through."""
    # Imported late: the runner is what is tested, and it is what calls.
    from optout_proxy.proxy.runner import running_proxy  # noqa: PLC0415

    seen: list[object] = []
    part = _Rehearsed()
    origin = await asyncio.start_server(_answering(seen), "127.0.0.1", 0)
    port = origin.sockets[0].getsockname()[1]
    with quiet(GUARD):
        async with origin, running_proxy(part, part, folder=folder) as proxy:
            for path, status, connections in _EXPECTED:
                got = await _ask(proxy.address, f"http://127.0.0.1:{port}/{path}")
                if got != status or len(seen) != connections:
                    raise _changed(f"the rehearsal of “{path}” went otherwise")


def _answering(seen: list[object]) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    return answer


async def _ask(address: str, url: str) -> bytes:
    """Status code of a request through the proxy; empty where it does not answer in time."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    try:
        async with asyncio.timeout(5):
            return (await reader.readline())[9:12]
    except TimeoutError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep out of the log what is made to happen on purpose, or told elsewhere."""
    log = logging.getLogger(name)
    was, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = was
