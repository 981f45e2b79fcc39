"""`optout run` as a process, everything on, but that two names lead to the origin of the bench."""

from __future__ import annotations

import sys
from pathlib import Path

import names
from optout_proxy import shipped
from optout_proxy.ledger import Ledger
from optout_proxy.proxy.runner import run_proxy
from optout_proxy.registry import load


def ready(address: str) -> None:
    names.lead()
    print(address, flush=True)


folder = Path(sys.argv[1])
run_proxy(
    load(shipped.folder() / "config.toml"),
    Ledger(folder / "ledger"),
    folder=folder,
    listen="127.0.0.1:0",
    settings={"ssl_insecure": True},
    on_ready=ready,
)
