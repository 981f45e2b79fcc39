"""`optout demo`: the proxy against stand-in trackers on this computer."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from optout_proxy.cli import options
from optout_proxy.registry import load


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, every request in it.")
@options.config
def command(as_json: bool, config: Path | None) -> None:
    """Show what is enforced, without internet: stand-in sites, the real proxy, and a visit.

    A page with all the tools of the Mass.gov policy is opened twice, without the proxy and with
    it. Exit 1 where a tool did not get exactly what its level says.
    """
    from optout_proxy.demo import screen, show  # noqa: PLC0415 - loads mitmproxy
    from optout_proxy.demo.result import as_json as json_of  # noqa: PLC0415 - as above

    registry = load(config)
    with tempfile.TemporaryDirectory(prefix="optout-demo-") as folder:
        found = show.show(registry, Path(folder))
    if as_json:
        click.echo(json_of(found))
    else:
        screen.draw(found)
    sys.exit(0 if found.proved else 1)
