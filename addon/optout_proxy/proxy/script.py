"""Inside stock mitmproxy: what `mitmproxy -s addon/enforce.py` loads.

A script is a guest: mitmproxy reloads it when its file is touched, and drops it without a word
when the file is deleted or broken. So what enforces is put among mitmproxy's own add-ons, where it
stays; the script only brings it there, configures it, and ends mitmproxy if it is dropped itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from mitmproxy import ctx, exceptions

from optout_proxy.errors import OptoutError
from optout_proxy.proxy import mends, options, reload, selftest
from optout_proxy.proxy.enforcement import Enforcement, settings_adopted, settings_refused
from optout_proxy.proxy.enforcer import Enforcer
from optout_proxy.proxy.guard import guard
from optout_proxy.proxy.inspection import Inspection
from optout_proxy.proxy.runner import hang_up

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from mitmproxy.addonmanager import Loader

    from optout_proxy import ledger, registry
    from optout_proxy.proxy.contracts import Ledger, Registry

OPTION: Final = "optout_config"
BAD_CONFIGURATION: Final = 2
DROPPED: Final = 1
"""Exit codes."""


class Script[R: Registry]:
    """What mitmproxy loads from the script's file, and may drop at any time."""

    name = "optout-script"

    def __init__(self, load: Callable[[Path | None], R], ledger: Callable[[R], Ledger]) -> None:
        self._load = load
        self._ledger = ledger
        self._came = False

    def load(self, loader: Loader) -> None:
        what = "Configuration of Optout Proxy; without it ./config.toml or the user's own."
        # What goes wrong with the options from here on, mitmproxy drops without a word, and the
        # script with it.
        ctx.master.event_loop.call_soon(self._end_unless_configured)
        loader.add_option(OPTION, str, "", what)

    def configure(self, _updated: AbstractSet[str]) -> None:
        came, self._came = self._came, True
        if came or ctx.master.addons.get(Resident.name) is not None:
            return  # moving in sets options; after a reload, what enforces is where it was
        try:
            self._move_in()
        except OptoutError as error:
            _end(BAD_CONFIGURATION, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing would be enforced
            _end(BAD_CONFIGURATION, f"cannot enforce: {error!r}")

    def _end_unless_configured(self) -> None:
        if not self._came:
            _end(BAD_CONFIGURATION, f"cannot enforce: are {OPTION} and the other options right?")

    def _move_in(self) -> None:
        selftest.check_parts()
        selftest.check_guard()
        options.enforce(ctx.options)
        mends.mend()
        registry = self._load(_chosen())
        resident = Resident(registry, self._ledger(registry), self._load)
        ctx.master.addons.add(*resident.addons_to_add())

    def done(self) -> None:
        if ctx.master.addons.get(self.name) is None:
            # Taken out, by a reload or for good: that shows when mitmproxy is done with it.
            ctx.master.event_loop.call_soon(self._end_unless_back)

    def _end_unless_back(self) -> None:
        if ctx.master.addons.get(self.name) is None:
            _end(DROPPED, "the script was taken out; mitmproxy ends rather than run without it")


class Resident[R: Registry]:
    """What stays among mitmproxy's add-ons: it keeps the options and follows the files."""

    name = "optout-resident"

    def __init__(self, registry: R, ledger: Ledger, load: Callable[[Path | None], R]) -> None:
        self.enforcement = Enforcement(registry.engine, ledger)
        self._path = _chosen()
        self._load = load
        self._following = self._follow(registry)
        guard(ctx.master, self.enforcement)
        self.enforcement.note("started")

    def addons_to_add(self) -> tuple[object, ...]:
        return Inspection(self.enforcement), Enforcer(self.enforcement), self

    def configure(self, updated: AbstractSet[str]) -> None:
        try:
            options.guard(ctx.options, updated)
            if OPTION in updated and _chosen() != self._path:
                self._turn_to(_chosen())
        except OptoutError as error:
            raise exceptions.OptionsError(str(error)) from error

    def _turn_to(self, path: Path | None) -> None:
        registry = self._load(path)
        self._path = path
        self._adopt(registry)
        self._following.cancel()
        self._following = self._follow(registry)

    def _follow(self, registry: R) -> asyncio.Task[None]:
        path, seen = self._path, reload.stamps(registry.files)
        work = reload.follow(seen, lambda: self._load(path), self._adopt, self._refuse)
        return ctx.master.event_loop.create_task(work)

    def _adopt(self, registry: Registry) -> None:
        hang_up(ctx.master, settings_adopted(self.enforcement, registry))

    def _refuse(self, error: Exception) -> None:
        settings_refused(self.enforcement, error)

    def done(self) -> None:
        self._following.cancel()
        self.enforcement.close()


def script() -> Script[registry.Registry]:
    """Make the script that reads the user's files and writes the user's ledger."""
    # Imported here: a table of rules in a test needs neither.
    from optout_proxy.registry import load  # noqa: PLC0415

    return Script(load, _ledger_of)


def _ledger_of(registry: registry.Registry) -> ledger.Ledger:
    from optout_proxy.ledger import Ledger, state_folder  # noqa: PLC0415

    chosen = registry.settings.ledger
    return Ledger(chosen.folder or state_folder(), keep_days=chosen.keep_days, detail=chosen.detail)


def _chosen() -> Path | None:
    path = ctx.options.optout_config
    return Path(path).expanduser() if path else None


def _end(code: int, why: str) -> NoReturn:
    """End mitmproxy, whatever it is doing: this is called from its event loop."""
    print(f"optout: {why}", file=sys.stderr, flush=True)  # noqa: T201 - its log may be off or on screen
    raise SystemExit(code)
