"""Fail closed: hooks of ours whose fault stops the request instead of letting it through.

mitmproxy logs an exception in a hook and sends the request on. Here, whatever goes wrong in a hook
of a `Gate` closes what the hook was asked about, by the kind of hook: a 503, an error on the
connection, the end of the flow. Whatever goes wrong in another add-on's hook is logged, and the
gates are asked all the same: no add-on can make mitmproxy skip them.

`GuardedAddons` also replaces mitmproxy's walk over all add-ons, twice for every hook, by a table.
That walk is over half of bare mitmdump's time per flow.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from mitmproxy import addonmanager, hooks
from mitmproxy.exceptions import AddonHalt
from mitmproxy.flow import Flow
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData, TlsData

from optout_proxy.model import Answer
from optout_proxy.proxy import flows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.master import Master

logger = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds a gate may make a hook wait."""

ASKED_FIRST: Final = frozenset({"next_layer"})
"""Hooks at which gates come before other add-ons, not after: a layer leaves its trace in the
context when it is made, so mitmproxy's own must not have been made yet."""

NOWHERE: Final = "refused.invalid"
"""A host that no resolver knows (RFC 6761, 6.4): where a tunnel goes that must not be opened."""


class Gate:
    """An add-on whose faults close."""


class Keeper(Protocol):
    """Who is told of faults, and says whether they close."""

    @property
    def closes(self) -> bool: ...
    def fault(self, hook: str, error: BaseException, host: str) -> None: ...
    def let_go(self, message: object) -> None: ...


class _Hook(NamedTuple):
    call: Callable[[Any], Awaitable[None] | None]
    gate: bool
    owner: str


class GuardedAddons(addonmanager.AddonManager):
    """mitmproxy's add-on manager with the guard; made of a plain one by `guard`."""

    _keeper: Keeper
    _tables: dict[str, tuple[_Hook, ...]]
    _told: set[tuple[str, str, type[BaseException]]]

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        message = event.args()[0]
        fault = await self._ask(event.name, message)
        if fault is not None:
            self._settle(event.name, message, fault)
        if event.name == "requestheaders":
            _never_both(message)
        if isinstance(message, Flow):
            await self._ask("update", [message])

    async def _ask(self, name: str, message: object) -> BaseException | None:
        """Call every hook of that name; the first fault of a gate."""
        fault, halted = None, False
        for hook in self._table(name):
            if halted and not hook.gate:
                continue
            try:
                await _call(hook, message)
            except AddonHalt:
                halted = True
            except BaseException as error:
                if self._must_leave(hook, error):
                    raise
                self._log(name, hook, error)
                fault = fault or (error if hook.gate else None)
        return fault

    def _must_leave(self, hook: _Hook, error: BaseException) -> bool:
        """Whether the error is not the hook's: the task is cancelled, or the process ends."""
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            return task is not None and task.cancelling() > 0
        ends = isinstance(error, (SystemExit, KeyboardInterrupt))
        return ends and (not hook.gate or self.master.should_exit.is_set())

    def _settle(self, name: str, message: object, fault: BaseException) -> None:
        self._keeper.fault(name, fault, _host(message))
        if self._keeper.closes:
            close(name, message, fault)
        else:
            self._keeper.let_go(message)

    def _log(self, name: str, hook: _Hook, error: BaseException) -> None:
        # The whole story once: what fails for one request may fail for every one.
        kind = (hook.owner, name, type(error))
        story = None if kind in self._told else (type(error), error, error.__traceback__)
        self._told.add(kind)
        logger.error("%s failed in %s: %r", hook.owner, name, error, exc_info=story)

    # The table, and all that makes it stale.

    def _table(self, name: str) -> tuple[_Hook, ...]:
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = tuple(self._hooks(name))
        return table

    def _hooks(self, name: str) -> Iterator[_Hook]:
        found = [
            _Hook(call, isinstance(addon, Gate), addonmanager._get_name(addon))  # noqa: SLF001 - the name mitmproxy itself gives
            for addon in addonmanager.traverse(self.chain)
            if callable(call := getattr(addon, name, None))
        ]
        gates = (hook for hook in found if hook.gate)
        others = (hook for hook in found if not hook.gate)
        first, last = (gates, others) if name in ASKED_FIRST else (others, gates)
        yield from first
        yield from last

    def _stale(self) -> None:
        self._tables.clear()
        # Once more in a moment: a script is registered before it is put among the add-ons.
        self.master.event_loop.call_soon(self._tables.clear)

    def register(self, addon: Any) -> Any:
        try:
            return super().register(addon)  # type: ignore[no-untyped-call]
        finally:
            self._stale()

    def add(self, *addons: Any) -> None:
        super().add(*addons)  # type: ignore[no-untyped-call]
        self._stale()

    def remove(self, addon: Any) -> None:
        super().remove(addon)  # type: ignore[no-untyped-call]
        self._stale()

    def clear(self) -> None:
        super().clear()  # type: ignore[no-untyped-call]
        self._stale()


def guard(master: Master, keeper: Keeper) -> GuardedAddons:
    """Put the guard on a master's add-ons; on one already guarded, change who is told.

    The object stays and its class changes: mitmproxy's options hold on to it, and so may add-ons.
    """
    addons = master.addons
    addons.__class__ = GuardedAddons
    assert isinstance(addons, GuardedAddons)  # noqa: S101 - for the type checker, after the line above
    addons._keeper, addons._tables, addons._told = keeper, {}, set()  # noqa: SLF001 - this is its constructor
    return addons


async def _call(hook: _Hook, message: object) -> None:
    outcome = hook.call(message)
    if outcome is None or not inspect.isawaitable(outcome):
        return
    if not hook.gate:
        await outcome
        return
    async with asyncio.timeout(PATIENCE):
        await outcome


def _never_both(flow: HTTPFlow) -> None:
    # mitmproxy crashes on a flow that is answered and streamed; the client would hang.
    if flow.response is not None:
        flow.request.stream = False


def close(name: str, message: object, fault: BaseException) -> None:
    """Stop what the hook was asked about, so that nothing more reaches a server."""
    closing = _CLOSING.get(name)
    if closing is not None:
        error = type(fault).__name__
        closing(message, f"Optout Proxy could not decide, so nothing was sent ({error} in {name})")


def _close_client(client: Client, why: str) -> None:
    client.error = why


def _close_connect(data: ServerConnectionHookData, why: str) -> None:
    data.server.error = why


def _close_layer(layer: NextLayer, why: str) -> None:
    layer.context.server.error = why


def _close_hello(data: ClientHelloData, why: str) -> None:
    data.ignore_connection = data.establish_server_tls_first = False
    data.context.server.error = why


def _close_tls(data: TlsData, why: str) -> None:
    data.context.server.error = why


def _close_request(flow: HTTPFlow, why: str) -> None:
    if flow.request.stream and flow.request.timestamp_end and flow.request.raw_content is None:
        _kill(flow, why)  # it was streamed and is out: what is left is to end it
        return
    flow.request.stream = False
    flow.response = flows.response_of(_sorry(why))


def _close_upstream(flow: HTTPFlow, _why: str) -> None:
    divert(flow)


def _kill(flow: HTTPFlow, _why: str) -> None:
    if flow.killable:
        flow.kill()


def divert(flow: HTTPFlow) -> None:
    """Point a CONNECT to the upstream proxy at a host that does not exist.

    mitmproxy sends it whatever the hook says; this way the upstream proxy refuses it.
    """
    nowhere = f"{NOWHERE}:443".encode()
    flow.request.data.host = NOWHERE
    flow.request.data.authority = nowhere
    flow.request.headers.fields = ((b"Host", nowhere),)


def _sorry(why: str) -> Answer:
    text = f"{why}.\n\nThe log of the proxy has the details.\n"
    return Answer(
        status=503,
        headers=(
            (b"Optout-Proxy", b"undecided"),
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Cache-Control", b"no-store"),
        ),
        body=text.encode(),
    )


_CLOSING: Final[dict[str, Callable[[Any, str], None]]] = {
    "client_connected": _close_client,
    "next_layer": _close_layer,
    "http_connect": _close_request,
    "http_connect_upstream": _close_upstream,
    "tls_clienthello": _close_hello,
    "tls_start_client": _close_tls,
    "tls_start_server": _close_tls,
    "requestheaders": _close_request,
    "request": _close_request,
    "server_connect": _close_connect,
    "responseheaders": _kill,
    "response": _kill,
    "tcp_start": _kill,
    "tcp_message": _kill,
    "websocket_start": _kill,
}


def _host(message: object) -> str:
    """Find the host a hook was asked about, for the record; empty where it has none."""
    match message:
        case ServerConnectionHookData(server=server):
            return server.address[0] if server.address else ""
        case ClientHelloData(context=context) | TlsData(context=context):
            address = context.server.address
            return context.client.sni or (address[0] if address else "")
        case NextLayer():
            address = message.context.server.address
            return address[0] if address else ""
        case Flow():
            request = getattr(message, "request", None)
            return str(getattr(request, "host", ""))
    return ""
