"""`Engine`: the door to deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.engine import going_on, naming, plain
from optout_proxy.engine.community import Community
from optout_proxy.engine.force import InForce
from optout_proxy.engine.identity import first_party
from optout_proxy.engine.ladder import action_for, reason_for
from optout_proxy.engine.memo import remember
from optout_proxy.engine.outgoing import Outbound
from optout_proxy.engine.page_plans import PagePlans
from optout_proxy.engine.places import Place, Places
from optout_proxy.engine.plain import DISGUISED_PATH, is_encoded
from optout_proxy.engine.recognise import Hit, Recogniser, without_body
from optout_proxy.engine.responses import Inbound
from optout_proxy.engine.stops import Stops
from optout_proxy.hosts import site_of
from optout_proxy.model import (
    ANSWERED,
    Action,
    Credit,
    Decision,
    Headers,
    Level,
    Outgoing,
    Request,
    ResponseDecision,
    Type,
)
from optout_proxy.rules.rule import parse_rule
from optout_proxy.rules.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.engine.choices import Choices
    from optout_proxy.engine.tool import Tool
    from optout_proxy.pages.plan import PagePlan
    from optout_proxy.resources import Resources
    from optout_proxy.rules.rule import Query

_UNKNOWN: Final = Decision("allow", "No tool's rule knows it: it goes as it is.")


class Engine:
    """What is done about each request, by the rules of all tools and the user's choices.

    Immutable: other choices make another engine.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        choices: Choices,
        resources: Resources,
        community: Community | None = None,
    ) -> None:
        self.tools = {tool.id: tool for tool in tools}
        self.choices = choices
        self._resources = resources
        self._stops = Stops(resources)
        self._community = community or Community(())
        everyone = tuple(self.tools.values())
        self._edits = self._community.edits
        self._operators = naming.Operators(everyone)
        force = InForce(self.tools, choices)
        self._recogniser = Recogniser(everyone)
        self._bodiless = without_body(everyone)
        self._outbound = Outbound(everyone, force, choices)
        self._plans = PagePlans(everyone, force.page_cookie_rules, choices)
        self._inbound = Inbound(self.tools, force, choices, self.inspects, resources)
        indexes = (*self._recogniser.indexes, *force.indexes, self._outbound.index)
        self._sieve = Sieve(indexes, force.hosts, marks=DISGUISED_PATH)
        self._places = Places(self._know)
        self._pages = Places(self._know)
        self._frames: dict[str, bool] = {}
        self._opened: dict[str, bool] = {}
        self._stoppable: dict[str, bool] = {}

    # -- naming --------------------------------------------------------------------------------

    def name(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers = (),
        page: str | None = None,
        type: Type | None = None,  # noqa: A002 - the field's word
        embed: bool | None = None,
        body: bytes | None = None,
    ) -> Request:
        """Name a request from its parts.

        What is not given is read from the headers: the page from `Referer` and `Origin`, the type
        from `Sec-Fetch-Dest`. `embed` says whether it was asked from inside another site's frame;
        None where nobody watched, and then the page's address tells.
        """
        lines = naming.Lines(headers)
        place = self._places.of(url)
        kind, guessed = (type, False) if type else naming.type_of(url, method, lines)
        page = naming.page_of(lines, place.host) if page is None else page
        asking = self._pages[page]
        if embed is None:
            embed = bool(lines[b"sec-fetch-storage-access"]) or self._is_frame(page, asking)
        if kind == "subdocument" and going_on.is_asked(url):
            embed = True  # notices of widgets stand in other sites' pages only
        third, crosses = naming.party_of(kind, place, asking, lines)
        is_frame_own = embed and kind != "document"
        return Request(
            url=url,
            host=place.host,
            page=page,
            page_host=asking.host,
            type=kind,
            guessed=guessed,
            method=method,
            third_party=third or is_frame_own,
            cross_site=crosses or is_frame_own,
            embed=is_frame_own,
            headers=headers,
            body=body,
        )

    def _is_frame(self, page: str, place: Place) -> bool:
        if place.operator is None:
            return False
        found = self._frames.get(page)
        if found is None:
            frames = self._operators.only_frames(place.site)
            found = self._recogniser.is_embed(page, place.host, only_frames=frames)
            remember(self._frames, page, found)
        return found

    def _know(self, host: str) -> tuple[str | None, bool, bool, bool, bool]:
        """What `Place` says of a host."""
        is_run = any(tool.runs(site_of(host)) for tool in self.tools.values())
        return (
            self._operators.of(host),
            is_run or self._sieve.names(host),
            self._sieve.begins_like(host),
            self.choices.covers(host),
            self.choices.inspects_pages_of(host),
        )

    # -- what the wire asks before there is a request ------------------------------------------

    def inspects(self, host: str) -> bool:
        """Whether TLS to a host is opened; all else is tunnelled untouched."""
        found = self._opened.get(host)
        if found is None:
            found = (
                self.choices.inspects_pages_of(host)
                or self.may_stop(host)
                or self._edits.edits_host(host)
            )
            remember(self._opened, host, found)
        return found

    def may_stop(self, host: str) -> bool:
        """Whether a rule in force names a host."""
        found = self._stoppable.get(host)
        if found is None:
            tools = self._recogniser.naming(host)
            found = any(self.choices.may_enforce(tool.id) for tool in tools)
            found = found or self._community.may_stop(host)
            remember(self._stoppable, host, found)
        return found

    def wants_body(self, request: Request) -> bool:
        """Whether a `[[body]]` rule in force asks to see the body of a request."""
        if request.method in self._bodiless:
            return False
        query, page_host = plain.query(request), _page_host(request)
        asking = self._recogniser.body_tools(query)
        if any(self.choices.level(tool.id, page_host) != "allow" for tool in asking):
            hit = self._recogniser.hit(request, query)
            return hit is None or self._action(hit, page_host)[1] not in ANSWERED
        return self._outbound.blanks_in(request, query, page_host)

    # -- deciding ------------------------------------------------------------------------------

    def decide_url(self, url: str, page: str = "", type: Type = "other") -> Decision:  # noqa: A002
        """What is done about a request of which only its address, page and type are known.

        Equal to `decide(name(url, page=page, type=type))`, and much quicker where no rule could
        know it: most requests of a capture.
        """
        place, asking, low = self._places.of(url), self._pages[page], url.lower()
        if (
            place.is_inspected
            or self._concerns_tools(low, place)
            or (self._edits.lists and self._edits.might_change(low, place, asking.host, type))
        ):
            request = self.name(url, page=page, type=type)
            return self._decide(request, self._query(request, place))
        found = self._community.sift(low, place, asking.host, type)
        if not found:
            return _UNKNOWN
        request = self.name(url, page=page, type=type)
        return self._community.decide(request, self._resources, found) or _UNKNOWN

    def _concerns_tools(self, url: str, place: Place) -> bool:
        """Whether a tool's rule could be about a URL (in lower case); False is certain.

        Rules about bodies and about a page's own cookies and parameters are not asked.
        """
        if place.is_named or place.end < 0:
            return True
        if not self.tools or not (is_encoded(url) or self._sieve.glances(url, place.end)):
            return False
        return self._sieve.catches(plain.plain_url(url).lower(), place.end)

    def decide(self, request: Request) -> Decision:
        """What is done about a request, and why."""
        place, low = self._places.of(request.url), request.url.lower()
        if (
            self._concerns_tools(low, place)
            or place.is_covered
            or request.body
            or going_on.is_asked(request.url)
            or (place.is_inspected and first_party(request))
            or self._edits.might_change(low, place, request.page_host, request.type)
        ):
            return self._decide(request, self._query(request, place))
        found = self._community.sift(low, place, request.page_host, request.type)
        if not found:
            return _UNKNOWN
        return self._community.decide(request, self._resources, found) or _UNKNOWN

    def _query(self, request: Request, place: Place) -> Query:
        query = plain.query(request)
        query.is_bare = not place.is_open and not self._sieve.catches(query.url, query.end)
        return query

    def _decide(self, request: Request, query: Query) -> Decision:
        return self._edits.applied(request, self._by_tools(request, query))

    def _by_tools(self, request: Request, query: Query) -> Decision:
        hit = self._recogniser.hit(request, query)
        page_host = _page_host(request)
        if asked_for := going_on.granted(request):
            if request.type == "document" or hit is None:
                return _went_on(hit, asked_for)
            return self._loaded_once(hit, asked_for, request, page_host)
        if hit is None:
            return self._unrecognised(request, query, page_host)
        level, action = self._action(hit, page_host, lifted=request.lifted)
        if action in ANSWERED:
            return self._stops.decide(hit, level, action, request)
        tool = hit.tool
        reason = reason_for(hit.role, level, action, tool.name)
        if hit.role in {"visits", "permits"}:
            return Decision(action, reason, tool.id, hit.role, level, hit.ref)
        send, removed, accounts = self._outbound.change(request, query, hit, action, page_host)
        return Decision(
            action, reason, tool.id, hit.role, level, hit.ref,
            send=send, removed=removed, credits=accounts,
        )  # fmt: skip

    def _loaded_once(self, hit: Hit, asked: Outgoing, request: Request, page_host: str) -> Decision:
        """A widget as at `strip`, though it is at `block`."""
        came = msgspec.structs.replace(request, url=asked.url)
        tool, query = hit.tool, self._query(came, self._places.of(came.url))
        level = self.choices.level(tool.id, page_host)
        send, removed, accounts = self._outbound.change(came, query, hit, "strip", page_host)
        return Decision(
            "strip", "You asked to load it once: it goes without what identifies you.",
            tool.id, hit.role, level, hit.ref, send=send or asked, removed=removed,
            credits=accounts, loads_once=True,
        )  # fmt: skip

    def _action(self, hit: Hit, page_host: str, *, lifted: bool = False) -> tuple[Level, Action]:
        level = self.choices.level(hit.tool.id, page_host)
        if lifted and level == "block":
            return level, action_for(hit.role, "strip", hit.modifier)
        return level, action_for(hit.role, level, hit.modifier)

    def _unrecognised(self, request: Request, query: Query, page_host: str) -> Decision:
        """A request no tool's rule knows: community lists, then the page's own identifiers."""
        listed = self._community.decide(request, self._resources)
        if listed is not None and listed.stops:
            return listed
        send, removed, accounts = self._outbound.change(request, query, None, "allow", page_host)
        if not accounts:
            if listed is not None:
                return listed
            return _UNKNOWN if send is None else _signalled(send)
        first = accounts[0]
        return Decision(
            "strip" if removed else "signal",
            _taken(accounts, self.tools),
            first.tool, None, first.level, first.rule,
            send=send, removed=removed, credits=accounts,
        )  # fmt: skip

    def decide_response(
        self,
        request: Request,
        decision: Decision,
        status: int,
        headers: Headers,
    ) -> ResponseDecision:
        """What is done to the head of the response to a request that was sent."""
        head = self._inbound.change(request, decision, status, headers, _page_host(request))
        return self._edits.applied_to_head(request, decision, head, headers)

    # -- pages ---------------------------------------------------------------------------------

    def page_plan(self, request: Request, decision: Decision) -> PagePlan:
        """What is changed in the page that a request fetches; empty where it fetches none."""
        return self._plans.plan(request, decision.role)

    def replaces(self, url: str, page: str, type: Type) -> bool:  # noqa: A002 - the field's word
        """Whether the answer for a script or a style of a page is another body than its own."""
        decision = self.decide_url(url, page, type)
        tool = self.tools.get(decision.tool or "")
        prefix = tool.page.prefix if tool and decision.role == "loads" else None
        if decision.action != "strip" or prefix is None:
            return decision.stops
        return parse_rule(prefix.where).matches(plain.query(self.name(url, page=page, type=type)))


def _page_host(request: Request) -> str:
    """The page whose settings count: a navigation is judged by where it goes.

    What is asked from inside an embed names the frame as its page; which page holds the frame
    nobody says, so it counts as unknown.
    """
    if request.embed:
        return ""
    return request.host if request.type == "document" else request.page_host


def _went_on(hit: Hit | None, send: Outgoing) -> Decision:
    reason = "This page was stopped, and you asked to go on."
    if hit is None:
        return Decision("allow", reason, send=send)
    return Decision("allow", reason, hit.tool.id, hit.role, rule=hit.ref, send=send)


def _signalled(send: Outgoing) -> Decision:
    return Decision(
        "allow",
        "No tool's rule knows it; the policy's site is told Sec-GPC: 1.",
        send=send,
    )


def _taken(accounts: tuple[Credit, ...], tools: dict[str, Tool]) -> str:
    names = ", ".join(tools[c.tool].name if c.tool in tools else c.tool for c in accounts)
    return f"It goes on without what identifies you to {names}."
