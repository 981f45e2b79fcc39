"""`optout record`: a proxy that changes nothing and writes down everything, for audits."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import click


@click.command()
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to; its flows are what `optout audit` reads.",
)
@click.option("--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
@click.option("--observe", is_flag=True, help="Nothing is enforced: the only way to record.")
def command(output: Path, listen: str, observe: bool) -> None:  # noqa: ARG001 - says it out loud
    """Record what a browser sends, until interrupted.

    What was recorded while enforcing could never acquit; so nothing is enforced here.
    """  # fmt: skip
    from optout_proxy.proxy.observe import Observing  # noqa: PLC0415 - mitmproxy, half a second

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its own process must end with it
    running = Observing(output, listen)
    click.echo(f"observing on {running.address}, nothing is enforced; writing {running.flows}")
    click.echo(f"a browser must trust {running.ca_file}")
    try:
        with suppress(KeyboardInterrupt):
            running.wait()
    finally:
        running.stop()
