"""`optout log`: what was enforced, line by line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from optout_proxy.cli import options
from optout_proxy.ledger import Entry, parse_since, read, select
from optout_proxy.registry import load_settings_only

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--since", help="Only what is newer: 2h, 3d, or a date such as 2026-11-24.")
@click.option("--tool", help="Only this tool.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they stand in the ledger.")
@options.config
def command(since: str | None, tool: str | None, as_json: bool, config: Path | None) -> None:
    """Print what was enforced, oldest first."""
    folder = options.ledger_folder(load_settings_only(config))
    start = parse_since(since, datetime.now(UTC)) if since else None
    if not folder.is_dir():
        click.echo("Nothing has been enforced yet.", err=True)
        return
    for entry in select(read(folder, since=start), since=start, tool=tool):
        if as_json:
            sys.stdout.buffer.write(entry.raw + b"\n")
        else:
            click.echo(_line(entry))


def _line(entry: Entry) -> str:
    line = entry.line
    if not entry.enforced:
        return f"{line.time}  {line.event}"
    removed = (*line.removed.cookies, *line.removed.params, *line.removed.headers)
    tail = f"  without {', '.join(removed)}" if removed else ""
    return (
        f"{line.time}  {line.action:<11} {line.tool:<19} {line.host}  on {line.site or '?'}{tail}"
    )
