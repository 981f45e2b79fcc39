"""The show: one visit without the product, one with it, and what became of each tool."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.demo.browser import Browser
from optout_proxy.demo.certificates import Certificates
from optout_proxy.demo.judge import Visits, judge
from optout_proxy.demo.network import Loopback
from optout_proxy.demo.origins import Origins
from optout_proxy.demo.promise import Outcome
from optout_proxy.demo.table import HOSTS, VISIT
from optout_proxy.errors import OptoutError
from optout_proxy.ledger import Ledger
from optout_proxy.proxy import authority, selftest
from optout_proxy.proxy.runner import running_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from optout_proxy.demo.promise import Outcomes
    from optout_proxy.demo.result import Show
    from optout_proxy.registry import Registry

LIMIT: Final = 14.0
"""Seconds after which it gives up."""


def show(registry: Registry, folder: Path) -> Show:
    """Play the visit without and with the product, by the user's choices; then judge.

    Everything that is written is in `folder`: certificates and a ledger of its own. OptoutError
    where it does not end in time, or mitmproxy is not one that can be used.
    """
    selftest.check_parts()
    logging.getLogger("mitmproxy").setLevel(logging.WARNING)
    began = time.monotonic()
    visits = asyncio.run(_in_time(registry, folder), loop_factory=Loopback)
    found = judge(registry, visits, folder / "ledger")
    return msgspec.structs.replace(found, seconds=round(time.monotonic() - began, 1))


async def _in_time(registry: Registry, folder: Path) -> Visits:
    try:
        async with asyncio.timeout(LIMIT):
            return await _play_twice(registry, folder)
    except TimeoutError:
        raise OptoutError(f"the demo did not end within {LIMIT:.0f} seconds") from None


async def _play_twice(registry: Registry, folder: Path) -> Visits:
    certificates = Certificates(folder)
    origins = Origins(certificates)
    ledger = Ledger(folder / "ledger", detail=registry.settings.ledger.detail)
    settings = {"ssl_verify_upstream_trusted_ca": str(certificates.authority)}
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loopback)  # noqa: S101 - `show` makes it so
    async with origins.listening(HOSTS) as loop.ports:
        without = await _visit(Browser((certificates.authority,)), origins)
        async with running_proxy(
            registry.engine, ledger, folder=folder / "ca", settings=settings
        ) as proxy:
            trusted = (certificates.authority, authority.certificate(folder / "ca"))
            through = await _visit(Browser(trusted, proxy.address), origins)
        ledger.close()
        return Visits(without, through, origins.traffic.since())


async def _visit(browser: Browser, origins: Origins) -> Outcomes:
    """Everything the visit asks for, one after the other, and what each came to."""
    outcomes = {}
    for ask in VISIT:
        got = await browser.send(ask)
        outcomes[ask] = Outcome(origins.traffic.since(), got)
    return outcomes
