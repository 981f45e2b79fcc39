"""`optout set`: change the level of a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from optout_proxy.cli import options
from optout_proxy.model import LEVELS, Level
from optout_proxy.registry import known_tools
from optout_proxy.registry.choose import choose
from optout_proxy.registry.settings import find_config

if TYPE_CHECKING:
    from pathlib import Path


@click.command("set")
@click.argument("tool")
@click.argument("level", type=click.Choice(LEVELS))
@click.option("--site", help="Only on pages of this site.")
@options.config
def command(tool: str, level: Level, site: str | None, config: Path | None) -> None:
    """Set TOOL to LEVEL in the configuration; comments stay as they are.

    A running proxy follows within a second.
    """
    written = choose(find_config(config), tool, level, known_tools(), site)
    where = f" on {site}" if site else ""
    click.echo(f"{tool} is at {level}{where} ({written})")
