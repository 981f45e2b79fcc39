"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from optout_proxy.ledger import state_folder

if TYPE_CHECKING:
    from optout_proxy.registry.settings import Settings

config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration [default: ./config.toml, else your own, else the one shipped].",
)


def ledger_folder(settings: Settings) -> Path:
    """Where the ledger of a configuration lies."""
    return settings.ledger.folder or state_folder()
