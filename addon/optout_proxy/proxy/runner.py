"""Our own mitmproxy: built here option by option, guarded, and without what slows it down."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitmproxy import master as mitmproxy_master
from mitmproxy.addons import (
    core,
    disable_h2c,
    next_layer,
    onboarding,
    proxyserver,
    tlsconfig,
    upstream_auth,
)
from mitmproxy.options import Options
from mitmproxy.utils import asyncio_utils

from optout_proxy.errors import OptoutError
from optout_proxy.proxy import authority, lighter, mends, options, reload, selftest
from optout_proxy.proxy.enforcement import Enforcement, settings_adopted, settings_refused
from optout_proxy.proxy.enforcer import Enforcer
from optout_proxy.proxy.guard import guard
from optout_proxy.proxy.inspection import Inspection
from optout_proxy.proxy.selftest import quiet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from mitmproxy.http import HTTPFlow

    from optout_proxy.proxy.contracts import Engine, Ledger, Registry

logger = logging.getLogger(__name__)

DEFAULT_LISTEN = "127.0.0.1:8080"
_LEAVE = 2.0
_LOOK = 0.01
"""Seconds that connections have to end in when the proxy stops."""


@dataclass(frozen=True, slots=True)
class Running:
    """A proxy that takes connections."""

    address: str
    """`host:port`, as a client is told."""
    enforcement: Enforcement
    master: mitmproxy_master.Master


class _Onboarding(onboarding.Onboarding):
    """The page at mitm.it that hands out our certificate; asked only about itself."""

    def request(self, flow: HTTPFlow) -> Awaitable[None] | None:  # type: ignore[override]
        ours = flow.request.data.host == self.host
        return super().request(flow) if ours else None  # type: ignore[no-untyped-call]


class _Master(mitmproxy_master.Master):
    """mitmproxy without its command line, its log fan-out and the add-ons nobody here asks for."""

    def __init__(self, opts: Options, enforcement: Enforcement, extra: tuple[object, ...]) -> None:
        super().__init__(opts)
        # Repeats every log line to every add-on; that is deprecated, and dear for a connection.
        self._legacy_log_events.uninstall()
        self.server = proxyserver.Proxyserver()
        guard(self, enforcement)
        self.addons.add(
            core.Core(),
            disable_h2c.DisableH2C(),
            _Onboarding(),  # type: ignore[no-untyped-call]
            self.server,
            next_layer.NextLayer(),
            tlsconfig.TlsConfig(),
            upstream_auth.UpstreamAuth(),
            Inspection(enforcement),
            Enforcer(enforcement),
            *extra,
        )


@contextlib.asynccontextmanager
async def running_proxy(
    engine: Engine,
    ledger: Ledger,
    *,
    folder: Path,
    listen: str = "127.0.0.1:0",
    mode: str = "regular",
    settings: Mapping[str, Any] | None = None,
    extra: tuple[object, ...] = (),
) -> AsyncIterator[Running]:
    """Enforce for as long as the block lasts; only one proxy a process at a time.

    `folder` holds the certificate authority, `mode` is mitmproxy's (`regular`, `socks5`,
    `upstream:http://host:port`), `settings` are mitmproxy's options but those that enforcement
    sets, `extra` are add-ons placed after ours. OptoutError where it cannot listen.
    """
    options.check(settings or {})
    authority.ensure(folder)
    mends.mend()
    if not extra:
        lighter.lighten()
    enforcement = Enforcement(engine, ledger)
    master = _Master(Options(), enforcement, extra)
    master.options.update(
        confdir=str(folder), mode=[mode], **_listening(listen), **(settings or {})
    )
    options.enforce(master.options)
    with asyncio_utils.install_exception_handler(master._asyncio_exception_handler):  # noqa: SLF001 - what Master.run does
        address = await _start(master, listen)
        try:
            yield Running(address, enforcement, master)
        finally:
            await _stop(master)


async def _start(master: _Master, listen: str) -> str:
    # Not Master.run: it makes every task eager, which costs HTTP/2 a fifth more CPU.
    with quiet(proxyserver.__name__):  # it is said once, by the caller
        started = await master.server.setup_servers()
    addresses = master.server.listen_addrs()
    if not started or not addresses:
        raise OptoutError(f"cannot listen on {listen}: {_why_not(master)}")
    await master.running()
    host, port = addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _why_not(master: _Master) -> str:
    for server in master.server.servers:
        error = server.last_exception
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno)
        if error is not None:
            return str(error)
    return "nothing listens"


async def _stop(master: _Master) -> None:
    """Take no more connections, end those there are, and tell every add-on."""
    master.should_exit.set()
    await master.server.servers.update([])
    hang_up(master, tuple(master.server.connections))
    for _ in range(round(_LEAVE / _LOOK)):
        if not master.server.connections:
            break
        await asyncio.sleep(_LOOK)
    await master.done()


def hang_up(master: mitmproxy_master.Master, connections: tuple[Any, ...]) -> None:
    """End client connections, and with each what it opened."""
    server = master.addons.get("proxyserver")
    for connection in connections:
        handler = server.connections.get(connection)
        client = handler and handler.transports.get(handler.client)
        if client and client.handler:
            handler.close_connection(handler.client)


def run_proxy(
    registry: Registry,
    ledger: Ledger,
    *,
    folder: Path | None = None,
    listen: str = DEFAULT_LISTEN,
    mode: str = "regular",
    settings: Mapping[str, Any] | None = None,
    load: Callable[[], Registry] | None = None,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Run until SIGINT or SIGTERM, following the registry's files where `load` reads them anew.

    `on_ready` is called once with `host:port`. The ledger is closed at the end. OptoutError where
    it cannot run.
    """
    seen = reload.stamps(registry.files)
    chosen = folder or authority.default_folder()
    selftest.check_parts()

    async def serve() -> None:
        await selftest.rehearse(chosen)
        async with running_proxy(
            registry.engine,
            ledger,
            folder=chosen,
            listen=listen,
            mode=mode,
            settings=settings,
        ) as proxy:
            proxy.enforcement.note("started", mode=mode)
            following = _following(proxy, seen, load)
            gc.freeze()  # the rules are here to stay: looking for garbage in them is in vain
            on_ready(proxy.address)
            await _signalled()
            if following:
                following.cancel()
        proxy.enforcement.close()

    logging.getLogger("mitmproxy").setLevel(logging.WARNING)
    asyncio.run(serve())


def _following(
    proxy: Running, seen: reload.Stamps, load: Callable[[], Registry] | None
) -> asyncio.Task[None] | None:
    if load is None:
        return None

    def adopt(new: Registry) -> None:
        hang_up(proxy.master, settings_adopted(proxy.enforcement, new))

    def refuse(error: Exception) -> None:
        settings_refused(proxy.enforcement, error)

    return asyncio.create_task(reload.follow(seen, load, adopt, refuse))


async def _signalled() -> None:
    """Until the process is asked to end. A second signal ends it at once."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    ends = (signal.SIGINT, signal.SIGTERM)
    try:
        for one in ends:
            loop.add_signal_handler(one, asked.set)
    except NotImplementedError:  # Windows: the loop cannot
        for one in ends:
            signal.signal(one, lambda *_: loop.call_soon_threadsafe(asked.set))
    await asked.wait()
    for one in ends:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(one)


def _listening(listen: str) -> dict[str, object]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 0xFFFF:
        raise OptoutError(f"cannot listen on {listen}: write HOST:PORT, as in {DEFAULT_LISTEN}")
    return {"listen_host": host.strip("[]"), "listen_port": int(port)}
