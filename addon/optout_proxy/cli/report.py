"""`optout report`: what was enforced, added up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from optout_proxy.cli import options
from optout_proxy.ledger import Totals, parse_since, read, totals
from optout_proxy.registry import load_settings_only

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--since", help="Only what is newer: 2h, 3d, or a date such as 2026-11-24.")
@click.option("--tool", help="Only this tool.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@options.config
def command(since: str | None, tool: str | None, as_json: bool, config: Path | None) -> None:
    """Add up what was enforced: by tool, by action, by site, by day."""
    folder = options.ledger_folder(load_settings_only(config))
    start = parse_since(since, datetime.now(UTC)) if since else None
    entries = read(folder, since=start) if folder.is_dir() else iter(())
    found = totals(entries, since=start, tool=tool)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _print(found)


def _print(found: Totals) -> None:
    if not found.enforced:
        click.echo("Nothing has been enforced yet.")
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415 - text from a ledger is never markup

    console = Console(highlight=False)
    console.print(f"{found.enforced} enforcements, {found.first} to {found.last}")
    actions = list(found.actions)
    table = Table("tool", *actions, "in all", box=None, pad_edge=False, header_style="bold")
    for tool, count in found.tools.items():
        cells = [str(found.tool_actions[tool].get(action, "")) for action in actions]
        table.add_row(Text(tool), *cells, str(count))
    console.print(table)
    for title, counts in (("site", found.sites), ("day", found.days)):
        table = Table(title, "in all", box=None, pad_edge=False, header_style="bold")
        for name, count in list(counts.items())[:20]:
            table.add_row(Text(name or "unknown"), str(count))
        console.print(table)
    if found.lost:
        console.print(f"[bold]{found.lost} lines could not be written.[/]")
