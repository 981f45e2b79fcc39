"""The add-on manager that fails closed, without sockets."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from mitmproxy import addonmanager
from mitmproxy.exceptions import AddonHalt
from mitmproxy.hooks import UpdateHook
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http._hooks import (
    HttpConnectUpstreamHook,
    HttpRequestHeadersHook,
    HttpRequestHook,
)
from mitmproxy.test import tflow

from loopback import Tap  # noqa: F401 - imports mitmproxy with its warnings kept down
from optout_proxy.proxy.guard import NOWHERE, Gate, guard


class Keeper:
    def __init__(self, closes=True):
        self.closes = closes
        self.faults = []
        self.went = []

    def fault(self, hook, error, host):
        self.faults.append((hook, type(error).__name__, host))

    def let_go(self, message):
        self.went.append(message)


def manager_of(keeper, *addons):
    master = SimpleNamespace(
        options=Options(),
        should_exit=asyncio.Event(),
        event_loop=asyncio.get_running_loop(),
        commands=SimpleNamespace(collect_commands=lambda _addon: None),
    )
    master.addons = addonmanager.AddonManager(master)
    guarded = guard(master, keeper)
    guarded.chain.extend(addons)
    return guarded


def addon(base=object, **hooks):
    return type("Some", (base,), {name: staticmethod(call) for name, call in hooks.items()})()


def fails(_message):
    raise RuntimeError


def run(work):
    async def bounded():
        async with asyncio.timeout(5):
            await work()

    asyncio.run(bounded())


def test_gates_are_asked_after_other_add_ons_but_first_about_layers():
    async def main():
        asked = []
        gate = addon(
            Gate,
            request=lambda _: asked.append("gate"),
            requestheaders=lambda _: asked.append("gate"),
            next_layer=lambda _: asked.append("gate"),
        )
        other = addon(
            request=lambda _: asked.append("other"), next_layer=lambda _: asked.append("other")
        )
        guarded = manager_of(Keeper(), gate, other)
        await guarded.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        assert asked == ["other", "gate"]
        await guarded._ask("next_layer", None)
        assert asked[2:] == ["gate", "other"]

    run(main)


def test_an_add_on_that_halts_the_others_does_not_halt_a_gate():
    async def main():
        asked = []

        def halts(_flow):
            raise AddonHalt

        guarded = manager_of(
            Keeper(),
            addon(request=halts),
            addon(request=lambda _: asked.append("other")),
            addon(Gate, request=lambda _: asked.append("gate")),
        )
        await guarded.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        assert asked == ["gate"]

    run(main)


def test_a_fault_of_another_add_on_is_no_fault_of_ours():
    async def main():
        keeper, flow = Keeper(), tflow.tflow()
        await manager_of(keeper, addon(request=fails)).handle_lifecycle(HttpRequestHook(flow))
        assert keeper.faults == []
        assert flow.response is None

    run(main)


def test_a_fault_in_an_open_house_is_noted_and_let_go():
    async def main():
        keeper, flow = Keeper(closes=False), tflow.tflow()
        guarded = manager_of(keeper, addon(Gate, requestheaders=fails))
        await guarded.handle_lifecycle(HttpRequestHeadersHook(flow))
        assert keeper.faults == [("requestheaders", "RuntimeError", "address")]
        assert keeper.went == [flow]
        assert flow.response is None

    run(main)


def test_what_is_answered_is_never_streamed_too():
    async def main():
        flow = tflow.tflow(resp=True)
        flow.request.stream = True
        await manager_of(Keeper()).handle_lifecycle(HttpRequestHeadersHook(flow))
        assert flow.request.stream is False

    run(main)


def test_a_fault_after_a_body_was_streamed_ends_the_flow():
    async def main():
        flow = tflow.tflow()
        flow.live = flow.request.stream = True
        flow.request.data.content = None
        guarded = manager_of(Keeper(), addon(Gate, request=fails))
        await guarded.handle_lifecycle(HttpRequestHook(flow))
        assert flow.error is not None
        assert flow.response is None

    run(main)


def test_a_tunnel_through_an_upstream_proxy_that_nobody_could_decide_leads_nowhere():
    async def main():
        flow = tflow.tflow()
        guarded = manager_of(Keeper(), addon(Gate, http_connect_upstream=fails))
        await guarded.handle_lifecycle(HttpConnectUpstreamHook(flow))
        assert flow.request.data.authority == f"{NOWHERE}:443".encode()

    run(main)


def test_add_ons_hear_of_updates_as_in_mitmproxy():
    async def main():
        heard, flow = [], tflow.tflow()
        guarded = manager_of(Keeper(), addon(update=heard.append))
        await guarded.handle_lifecycle(HttpRequestHook(flow))
        await guarded.trigger_event(UpdateHook([flow]))
        assert heard == [[flow], [flow]]

    run(main)


def test_the_table_follows_add_ons_that_come_and_go():
    async def main():
        asked = []
        guarded = manager_of(Keeper())
        flow, late = tflow.tflow(), addon(request=lambda _: asked.append("late"))
        await guarded.handle_lifecycle(HttpRequestHook(flow))
        guarded.add(late)
        await guarded.handle_lifecycle(HttpRequestHook(flow))
        guarded.remove(late)
        await guarded.handle_lifecycle(HttpRequestHook(flow))
        assert asked == ["late"]

    run(main)


def test_a_script_put_in_place_after_it_was_registered_is_heard():
    async def main():
        asked = []
        holder, inner = addon(), addon(request=lambda _: asked.append("inner"))
        holder.addons = []
        guarded = manager_of(Keeper(), holder)
        inner.name = "inner"
        guarded.register(inner)
        await guarded._ask("request", tflow.tflow())
        holder.addons = [inner]
        await asyncio.sleep(0)
        await guarded._ask("request", tflow.tflow())
        assert asked == ["inner"]

    run(main)


def test_a_task_that_is_cancelled_from_outside_is_cancelled():
    async def main():
        async def waits(_message):
            await asyncio.sleep(60)

        keeper = Keeper()
        guarded = manager_of(keeper, addon(Gate, request=waits))
        task = asyncio.create_task(guarded.handle_lifecycle(HttpRequestHook(tflow.tflow())))
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert keeper.faults == []

    run(main)


@pytest.mark.parametrize("leaving", [SystemExit, KeyboardInterrupt])
def test_another_add_on_may_still_end_the_program(leaving):
    async def main():
        def leaves(_message):
            raise leaving

        guarded = manager_of(Keeper(), addon(request=leaves))
        work = guarded.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        with pytest.raises(leaving):
            work.send(None)

    run(main)


def test_a_fault_is_logged_with_its_whole_story_once(caplog):
    async def main():
        guarded = manager_of(Keeper(), addon(Gate, request=fails))
        for _ in range(3):
            await guarded.handle_lifecycle(HttpRequestHook(tflow.tflow()))

    run(main)
    assert caplog.text.count("some failed in request: RuntimeError()") == 3
    assert caplog.text.count("Traceback") == 1
