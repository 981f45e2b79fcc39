"""The add-on that enforces: each hook names, decides, applies and records, once and in that order.

The decision is made at `requestheaders`, before anything is sent. Only where a rule looks into
the body, and the body is known to be small, is it made at `request`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from optout_proxy.proxy.flows import (
    MOST_BODY,
    apply_request,
    apply_response,
    body_size,
    decide,
    hosts_of,
    to_requests,
)
from optout_proxy.proxy.guard import Gate
from optout_proxy.proxy.page_flows import Asked, PageFlows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitmproxy.http import HTTPFlow

    from optout_proxy.model import Decision, Request
    from optout_proxy.proxy.contracts import Engine
    from optout_proxy.proxy.enforcement import Enforcement


class _Sent(NamedTuple):
    """What was decided about a request whose response is to come, by whom and for where."""

    engine: Engine
    request: Request
    decision: Decision
    aim: tuple[str, bytes]
    page: Asked | None = None


class Enforcer(Gate):
    """Decides every HTTP request and the head of every response."""

    name = "optout-enforcer"

    def __init__(self, enforcement: Enforcement) -> None:
        self._enforcement = enforcement
        # Not in flow.metadata: mitmproxy writes that to files, and ours is not for there.
        self._waiting: WeakKeyDictionary[HTTPFlow, Engine] = WeakKeyDictionary()
        self._pages = PageFlows(enforcement.note)
        self._sent: WeakKeyDictionary[HTTPFlow, _Sent] = WeakKeyDictionary()

    def requestheaders(self, flow: HTTPFlow) -> None:
        if flow.response or flow.error or not flow.live:
            return
        engine = self._enforcement.engine
        requests = to_requests(flow, engine, self._enforcement.visits)
        size = body_size(flow.request)
        if size != 0 and any(engine.wants_body(request) for request in requests):
            if size is not None and size <= MOST_BODY:
                self._waiting[flow] = engine
                return
            self._enforcement.note("body-not-inspected", host=requests[0].host)
        self._settle(flow, requests, engine)
        if flow.response is None:
            flow.request.stream = True

    def request(self, flow: HTTPFlow) -> None:
        engine = self._waiting.pop(flow, None) or self._aimed_elsewhere(flow)
        if engine is None or flow.response or flow.error or not flow.live:
            return
        requests = to_requests(
            flow, engine, self._enforcement.visits, body=flow.request.raw_content
        )
        self._settle(flow, requests, engine)

    def _aimed_elsewhere(self, flow: HTTPFlow) -> Engine | None:
        """The engine to ask again, where another add-on has changed where a request goes."""
        sent = self._sent.get(flow)
        return None if sent is None or sent.aim == _aim(flow) else sent.engine

    def _settle(self, flow: HTTPFlow, requests: Sequence[Request], engine: Engine) -> None:
        request, decision = decide(requests, engine)
        apply_request(decision, flow, request)
        if decision.loads_once:
            self._enforcement.visits.lift(flow.client_conn.peername[0], request.host)
        page = None if decision.stops else self._pages.ask(flow, engine, request, decision)
        self._enforcement.record(request, decision.credits, "request")
        if flow.response is None:
            self._sent[flow] = _Sent(engine, request, decision, _aim(flow), page)
            self._enforcement.admissions.admit(flow.client_conn.id, hosts_of(flow))

    def responseheaders(self, flow: HTTPFlow) -> None:
        sent = self._sent.pop(flow, None)
        if sent is None or flow.response is None:
            return
        head = flow.response
        decided = sent.engine.decide_response(
            sent.request, sent.decision, head.status_code, head.headers.fields
        )
        apply_response(decided, head)
        self._enforcement.record(sent.request, decided.credits, "response")
        if sent.page is not None:
            self._pages.open(flow, sent.page)
        head.stream = head.stream or True

    def websocket_message(self, flow: HTTPFlow) -> None:
        # mitmproxy keeps every message for as long as the connection lives.
        if flow.websocket is not None:
            del flow.websocket.messages[:-1]


def _aim(flow: HTTPFlow) -> tuple[str, bytes]:
    return flow.request.data.host, flow.request.data.path
