"""`optout run`: the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from optout_proxy.cli import options
from optout_proxy.ledger import Ledger
from optout_proxy.registry import load

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
@options.config
def command(listen: str, config: Path | None) -> None:
    """Run the proxy until it is interrupted; one line says when it is ready."""
    from optout_proxy.proxy import authority  # noqa: PLC0415 - loads mitmproxy
    from optout_proxy.proxy.runner import run_proxy  # noqa: PLC0415

    registry = load(config)
    settings = registry.settings.ledger
    ledger = Ledger(
        options.ledger_folder(registry.settings),
        keep_days=settings.keep_days,
        detail=settings.detail,
    )

    def ready(address: str) -> None:
        enforced = sum(level != "allow" for level in registry.choices.levels.values())
        click.echo(f"Optout Proxy is ready on {address}: {enforced} tools opted out.")
        for line in _next_steps(address, authority.certificate(authority.default_folder())):
            click.echo(line, err=True)

    try:
        run_proxy(registry, ledger, listen=listen, load=lambda: load(config), on_ready=ready)
    finally:
        ledger.close()


def _next_steps(address: str, certificate: Path) -> tuple[str, ...]:
    """What a newcomer does next; apart from the one line that other programs read."""
    tracker = "https://www.google-analytics.com/g/collect?v=2&tid=G-TEST"
    return (
        "",
        "See it stop a request, in another terminal:",
        f"  curl -i --proxy http://{address} --cacert '{certificate}' '{tracker}'",
        "",
        "Open a browser that already uses it and trusts it, in a profile of its own:",
        f"  optout browse --proxy {address} https://www.mass.gov/",
        "",
        f"In your own: set {address} as the HTTP and HTTPS proxy, and trust this certificate:",
        f"  {certificate}",
        "",
        "Then `optout log` lists what was enforced. Ctrl-C ends the proxy.",
    )
