"""What stands behind every hook: the engine in force, and what is remembered between hooks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mitmproxy import http

from optout_proxy.proxy.admissions import Admissions
from optout_proxy.proxy.flows import hosts_of
from optout_proxy.proxy.pins import Pins
from optout_proxy.proxy.visits import Visits

if TYPE_CHECKING:
    from optout_proxy.model import Credit, Request
    from optout_proxy.proxy.contracts import Engine, Ledger, Registry

logger = logging.getLogger(__name__)


class Enforcement:
    """One running proxy's state. `adopt` swaps the engine; every hook reads it once."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self.engine = engine
        self._ledger = ledger
        self.visits = Visits()
        self.admissions = Admissions()
        self.pins = Pins()
        self._ledger_failed = False

    def adopt(self, engine: Engine) -> tuple[str, ...]:
        """Put another engine in force; the tunnels it would look into, by client connection.

        What a browser tunnels through it keeps open for minutes: to follow the new settings at
        once, the caller closes these.
        """
        self.engine = engine
        return tuple(
            connection
            for connection, hosts in self.admissions.tunnels()
            if any(engine.inspects(host) for host in hosts)
        )

    def record(self, request: Request, credited: tuple[Credit, ...], event: str) -> None:
        """Write down what was enforced. Never raises: a ledger at fault stops nothing."""
        if not credited:
            return
        try:
            self._ledger.record(request, credited, event=event)
        except Exception as error:  # noqa: BLE001 - the promise above
            self._say_ledger_failed(error)

    def note(self, event: str, **fields: str | int | None) -> None:
        """Write down what is not enforcement. Never raises."""
        try:
            self._ledger.note(event, **fields)
        except Exception as error:  # noqa: BLE001 - the promise above
            self._say_ledger_failed(error)

    def close(self) -> None:
        """Note that it ends, and close the ledger. Never raises."""
        self.note("stopped")
        try:
            self._ledger.close()
        except Exception as error:  # noqa: BLE001 - the promise above
            self._say_ledger_failed(error)

    def _say_ledger_failed(self, error: Exception) -> None:
        if not self._ledger_failed:
            logger.error("The ledger cannot be written, enforcement goes on: %r", error)
        self._ledger_failed = True

    # What the guard asks (guard.Keeper).

    @property
    def closes(self) -> bool:
        """Whether what a fault leaves undecided is not sent."""
        return self.engine.choices.undecided != "open"

    def fault(self, hook: str, error: BaseException, host: str) -> None:
        self.note("fault", hook=hook, error=type(error).__name__, host=host)

    def let_go(self, message: object) -> None:
        """Admit what a fault left undecided, as the user chose."""
        if isinstance(message, http.HTTPFlow):
            self.admissions.admit(message.client_conn.id, hosts_of(message))


def settings_adopted(enforcement: Enforcement, registry: Registry) -> tuple[str, ...]:
    """Adopt what was read anew, and say so."""
    closing = enforcement.adopt(registry.engine)
    logger.info("Settings reloaded.")
    enforcement.note("settings-reloaded", tunnels_closed=len(closing))
    return closing


def settings_refused(enforcement: Enforcement, error: Exception) -> None:
    """Say that what was read anew is wrong, and that the last good settings stay in force."""
    logger.error("Settings refused, the last good ones stay in force: %s", error)
    enforcement.note("settings-refused", why=str(error))
