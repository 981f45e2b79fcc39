"""Where a ledger lies when the configuration does not say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Name the user's folder for ledgers, by the custom of the platform; it need not exist.

    XDG Base Directory Specification: a relative `XDG_STATE_HOME` is ignored.
    """
    return _state_home(environ, platform) / "optout-proxy" / "ledger"


def _state_home(environ: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    stated = Path(environ.get("XDG_STATE_HOME", ""))
    return stated if stated.is_absolute() else Path.home() / ".local" / "state"
