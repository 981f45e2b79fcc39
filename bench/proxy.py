"""Our proxy as a process, everything on; it prints its address, and ends with its input."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import names
from optout_proxy import shipped
from optout_proxy.ledger import Ledger
from optout_proxy.proxy.runner import running_proxy
from optout_proxy.registry import load


async def main() -> None:
    folder = Path(sys.argv[1])
    names.lead()
    registry = load(shipped.folder() / "config.toml")
    ledger = Ledger(folder / "ledger")
    async with running_proxy(
        registry.engine,
        ledger,
        folder=folder,
        listen="127.0.0.1:0",
        settings={"ssl_insecure": True},
    ) as proxy:
        print(proxy.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ledger.close()


asyncio.run(main())
