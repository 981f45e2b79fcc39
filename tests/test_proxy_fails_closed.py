"""Whatever goes wrong in a hook of ours: nothing reaches a host that is stopped."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy import addonmanager
from mitmproxy.exceptions import AddonHalt, OptionsError

from loopback import MODES, NOTHING, Tap, world
from optout_proxy.proxy import guard
from optout_proxy.proxy.enforcer import Enforcer
from optout_proxy.proxy.guard import Gate, GuardedAddons
from optout_proxy.proxy.inspection import Inspection
from scripted import Chosen, Notebook, Scripted

pytestmark = pytest.mark.wire

TRACKER, SITE = "tracker.example", "site.example"
ENGINE = Scripted(stops=frozenset({TRACKER}))


class Abrupt(BaseException):
    """Not an Exception: no handler that catches those sees it."""


def raises(*_):
    raise RuntimeError("on purpose")


def recurses(gate, message):
    # Not by *args: CPython 3.13.0 does not count such calls and dies of them.
    return recurses(gate, message)


def is_abrupt(*_):
    raise Abrupt


def leaves(*_):
    raise SystemExit(0)


def misconfigures(*_):
    raise OptionsError("on purpose")


async def raises_later(*_):
    await asyncio.sleep(0)
    raise RuntimeError("on purpose")


async def hangs(*_):
    await asyncio.sleep(3600)


async def cancels(*_):
    raise asyncio.CancelledError


FAULTS = (raises, recurses, is_abrupt, leaves, misconfigures, raises_later, hangs, cancels)

NOBODY = {"https": (TRACKER, SITE), "http": (TRACKER, SITE)}
TLS_ONLY = {"https": (TRACKER, SITE), "http": (TRACKER,)}
GATES = [
    (Inspection, "next_layer", TLS_ONLY),
    (Inspection, "tls_clienthello", TLS_ONLY),
    (Inspection, "server_connect", NOBODY),
    (Inspection, "http_connect_upstream", TLS_ONLY),
    (Enforcer, "requestheaders", NOBODY),
    (Enforcer, "request", NOBODY),
]
"""Each gate, and by scheme the hosts that nothing may reach when it fails."""


@pytest.fixture(autouse=True)
def short_patience(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.05)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("asked", GATES, ids=[hook for _, hook, _ in GATES])
def test_a_gate_that_fails_lets_nothing_through(asked, fault, mode, monkeypatch, tmp_path):
    gate, hook, closed = asked
    monkeypatch.setattr(gate, hook, fault)
    asks = hook != "http_connect_upstream" or mode == "upstream"

    async def main():
        taps, ledger = {TRACKER: Tap(), SITE: Tap()}, Notebook()
        async with world(ENGINE, ledger, tmp_path, taps, mode=mode) as net:
            for scheme, hosts in closed.items():
                for host in hosts if asks else (TRACKER,):
                    await net.get(f"{scheme}://{host}/")
                    assert taps[host].asked == [], scheme
            assert taps[TRACKER].connections == 0
        assert not asks or {note["hook"] for note in ledger.noted("fault")} == {hook}

    asyncio.run(main())


OTHERS = [
    ("client_connected", ("https", "http")),
    ("http_connect", ("https",)),
    ("tls_start_client", ("https",)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize(("hook", "schemes"), OTHERS, ids=[hook for hook, _ in OTHERS])
def test_a_gate_could_close_at_any_other_hook_too(hook, schemes, fault, tmp_path):
    gate = type("Late", (Gate,), {hook: fault})()

    async def main():
        taps = {SITE: Tap()}
        async with world(ENGINE, Notebook(), tmp_path, taps, extra=(gate,)) as net:
            for scheme in schemes:
                assert (await net.get(f"{scheme}://{SITE}/")).body != b"hello"
                assert taps[SITE].asked == []

    asyncio.run(main())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_response_nobody_could_decide_does_not_reach_the_client(fault, monkeypatch, tmp_path):
    monkeypatch.setattr(Enforcer, "responseheaders", fault)

    async def main():
        taps, ledger = {SITE: Tap()}, Notebook()
        async with world(ENGINE, ledger, tmp_path, taps) as net:
            for scheme in ("https", "http"):
                assert await net.get(f"{scheme}://{SITE}/") == NOTHING
        assert ledger.noted("fault")[0]["hook"] == "responseheaders"

    asyncio.run(main())


class Chaos:
    """Another add-on, loaded beside ours, that fails at every hook."""

    def __init__(self, fault):
        self.fault = fault

    def __getattr__(self, name):
        if name in addonmanager.hooks.all_hooks and name not in {
            "load",
            "configure",
            "running",
            "done",
        }:
            return self.fault
        raise AttributeError(name)


def halts(*_):
    raise AddonHalt


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", [raises, raises_later, cancels, halts, is_abrupt])
def test_another_add_on_that_fails_keeps_no_gate_from_being_asked(fault, mode, tmp_path):
    async def main():
        taps, ledger = {TRACKER: Tap(), SITE: Tap()}, Notebook()
        async with world(ENGINE, ledger, tmp_path, taps, mode=mode, extra=(Chaos(fault),)) as net:
            for scheme in ("https", "http"):
                assert (await net.get(f"{scheme}://{TRACKER}/")).body == b"answered here"
                assert (await net.get(f"{scheme}://{SITE}/")).body == b"hello"
            assert taps[TRACKER].connections == 0
        assert ledger.noted("fault") == []

    asyncio.run(main())


def test_a_fault_is_told_to_the_client_and_to_the_ledger(monkeypatch, tmp_path):
    monkeypatch.setattr(Scripted, "decide", raises)

    async def main():
        ledger = Notebook()
        async with world(ENGINE, ledger, tmp_path, {SITE: Tap()}) as net:
            got = await net.get(f"https://{SITE}/private?name=jo")
        assert got.status == 503
        assert got.header(b"optout-proxy") == b"undecided"
        assert b"RuntimeError in requestheaders" in got.body
        assert ledger.noted("fault") == [
            {"hook": "requestheaders", "error": "RuntimeError", "host": SITE}
        ]

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_with_undecided_open_a_fault_lets_the_request_go_and_says_so(mode, monkeypatch, tmp_path):
    monkeypatch.setattr(Scripted, "decide", raises)
    engine = Scripted(stops=frozenset({TRACKER}), choices=Chosen(undecided="open"))

    async def main():
        ledger = Notebook()
        async with world(engine, ledger, tmp_path, {TRACKER: Tap()}, mode=mode) as net:
            for scheme in ("https", "http"):
                assert (await net.get(f"{scheme}://{TRACKER}/")).body == b"hello"
        assert len(ledger.noted("fault")) == 2

    asyncio.run(main())


def test_a_ledger_that_cannot_be_written_stops_no_enforcement(tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with world(ENGINE, Notebook(broken=True), tmp_path, taps) as net:
            assert (await net.get(f"https://{TRACKER}/")).body == b"answered here"
            assert (await net.get(f"https://{SITE}/")).body == b"hello"
        assert taps[TRACKER].connections == 0

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", [raises, raises_later])
def test_control_without_the_guard_and_the_last_gate_the_tracker_is_reached(
    fault, mode, monkeypatch, tmp_path
):
    plain = addonmanager.AddonManager.handle_lifecycle
    monkeypatch.setattr(GuardedAddons, "handle_lifecycle", plain)
    monkeypatch.setattr(Enforcer, "requestheaders", fault)
    monkeypatch.delattr(Inspection, "server_connect")
    monkeypatch.delattr(Inspection, "http_connect_upstream")

    async def main():
        taps = {TRACKER: Tap()}
        async with world(ENGINE, Notebook(), tmp_path, taps, mode=mode) as net:
            for scheme in ("https", "http"):
                assert (await net.get(f"{scheme}://{TRACKER}/")).body == b"hello"
        assert len(taps[TRACKER].asked) == 2

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_the_last_gate_holds_without_the_guard(mode, monkeypatch, tmp_path):
    plain = addonmanager.AddonManager.handle_lifecycle
    monkeypatch.setattr(GuardedAddons, "handle_lifecycle", plain)
    monkeypatch.setattr(Enforcer, "requestheaders", raises)

    async def main():
        taps, ledger = {TRACKER: Tap()}, Notebook()
        async with world(ENGINE, ledger, tmp_path, taps, mode=mode) as net:
            for scheme in ("https", "http"):
                assert (await net.get(f"{scheme}://{TRACKER}/")).status in {0, 502}
        assert taps[TRACKER].connections == 0
        assert ledger.noted("connection-refused")

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_an_add_on_that_sends_a_request_elsewhere_cannot_send_it_to_a_tool(mode, tmp_path):
    class Detour:
        def request(self, flow):
            flow.request.host = TRACKER

    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with world(ENGINE, Notebook(), tmp_path, taps, mode=mode, extra=(Detour(),)) as net:
            for scheme in ("https", "http"):
                assert (await net.get(f"{scheme}://{SITE}/")).body == b"answered here"
        assert taps[TRACKER].connections == 0

    asyncio.run(main())
