"""`optout ledger`: whether the ledger is as it was written."""

from __future__ import annotations

from pathlib import Path

import click

from optout_proxy.cli import options
from optout_proxy.errors import EvidenceError
from optout_proxy.ledger import heads, verify
from optout_proxy.registry import load_settings_only


@click.group("ledger")
def command() -> None:
    """Verify the ledger, and print its head to keep elsewhere."""


@command.command("verify")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def verify_path(path: Path) -> None:
    """Verify a ledger file or folder: exit 0, or 4 where it was changed after it was written.

    A cut tail is seen only against a head that was kept elsewhere (`optout ledger head`).
    """
    found = verify(path)
    for finding in found.incomplete:
        click.echo(f"incomplete: {finding}", err=True)
    if found.tampered:
        for finding in found.tampered[1:]:
            click.echo(f"changed: {finding}", err=True)
        raise EvidenceError(f"changed after it was written: {found.tampered[0]}")
    lines = sum(head.lines for head in found.heads)
    click.echo(f"{found.state}: {lines} lines in {len(found.heads)} files hold.")


@command.command("head")
@options.config
def print_heads(config: Path | None) -> None:
    """Print each writer's newest file, its lines and the hash of the last one."""
    folder = options.ledger_folder(load_settings_only(config))
    for head in heads(folder) if folder.is_dir() else ():
        click.echo(f"{head.hash}  {head.lines:>8}  {head.file}")
