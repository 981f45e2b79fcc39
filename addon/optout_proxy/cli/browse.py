"""`optout browse`: a browser whose opt-outs hold, from the first page on."""

from __future__ import annotations

import http.client
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

import click

from optout_proxy.cli import options
from optout_proxy.errors import OptoutError
from optout_proxy.ledger import Ledger
from optout_proxy.registry import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optout_proxy.proxy import keeper

    type _Opened = Callable[[str], keeper.Keeper]

_USUAL: Final = "127.0.0.1:8080"
"""Where `optout run` listens if it is not told otherwise."""


@click.command()
@click.argument("url", default="")
@click.argument("more", nargs=-1)
@click.option(
    "--browser", "name", default="", metavar="NAME", help="chromium, chrome, edge, brave, firefox."
)
@click.option(
    "--proxy",
    metavar="HOST:PORT",
    help=f"Use the proxy that runs there [default: the one at {_USUAL}, else one of its own].",
)
@options.config
def command(
    url: str, more: tuple[str, ...], name: str, proxy: str | None, config: Path | None
) -> None:
    """Open a browser that already uses this proxy and trusts it; close it, and all is gone.

    Its profile is new, and so is the trust in this proxy's certificate: your own browser and this
    system stay as they are. What stands after `--` is handed to the browser.
    """
    from optout_proxy.proxy import authority, browser, keeper  # noqa: PLC0415 - only needed here

    if url.startswith("-"):  # `optout browse -- --incognito`
        url, more = "", (url, *more)
    found = browser.find(name)
    certificate = authority.certificate(authority.default_folder())

    def order(address: str) -> keeper.Order:
        return keeper.Order(found.name, address, (str(certificate),), url, more)

    address = _running(proxy, certificate, is_free=config is None)
    if address:
        click.echo(f"{found.name} uses the proxy at {address}. {_FAREWELL}")
        sys.exit(_until_closed(keeper.Keeper(order(address))))
    sys.exit(_with_own_proxy(config, found.name, lambda ready: keeper.Keeper(order(ready))))


_FAREWELL: Final = "Its profile is removed when you close it."


def _running(proxy: str | None, certificate: Path, *, is_free: bool) -> str:
    """Where our proxy runs already; empty where one must be started."""
    if proxy is not None:
        if not _is_ours(proxy, certificate):
            raise OptoutError(f"no Optout Proxy of yours runs at {proxy}; `optout run` starts one")
        return proxy
    return _USUAL if is_free and _is_ours(_USUAL, certificate) else ""


def _is_ours(address: str, certificate: Path) -> bool:
    """Whether a proxy signs with this certificate: mitmproxy hands it out at mitm.it."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port or 0), timeout=2)
    try:
        connection.request("GET", "http://mitm.it/cert/pem")
        return connection.getresponse().read() == certificate.read_bytes()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _with_own_proxy(config: Path | None, name: str, opened: _Opened) -> int:
    """Run a proxy for as long as the browser is open; the browser's exit code."""
    from optout_proxy.proxy.runner import run_proxy  # noqa: PLC0415 - loads mitmproxy

    registry = load(config)
    settings = registry.settings.ledger
    ledger = Ledger(
        options.ledger_folder(registry.settings),
        keep_days=settings.keep_days,
        detail=settings.detail,
    )
    kept: list[keeper.Keeper] = []
    over = threading.Event()

    def stop_when_closed() -> None:
        kept[0].wait()
        if not over.is_set():
            signal.raise_signal(signal.SIGINT)  # how the proxy is asked to end

    def ready(address: str) -> None:
        enforced = sum(level != "allow" for level in registry.choices.levels.values())
        click.echo(f"Optout Proxy is ready on {address}: {enforced} tools opted out.")
        click.echo(f"{name} uses it. {_FAREWELL}")
        kept.append(opened(address))
        threading.Thread(target=stop_when_closed, daemon=True).start()

    try:
        run_proxy(registry, ledger, listen="127.0.0.1:0", load=lambda: load(config), on_ready=ready)
    finally:
        over.set()
        ledger.close()
        code = kept[0].end() if kept else 0
    return code


def _until_closed(kept: keeper.Keeper) -> int:
    try:
        return kept.wait()
    except KeyboardInterrupt:
        return kept.end()
