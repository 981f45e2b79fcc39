"""Where the data we ship lies: tool files, surrogates, placeholders, policies, configuration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(1)
def folder() -> Path:
    """The folder with `blocklists/`, `policies/` and `config.toml`.

    Inside the package when installed from a wheel, else the top of the checkout.
    """
    here = Path(__file__).parent
    inside = here / "_shipped"
    return inside if inside.is_dir() else here.parent.parent
