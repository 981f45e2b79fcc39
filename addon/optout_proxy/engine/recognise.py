"""Recognise a request: which tool's rule knows it, and in which role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.engine.body_rules import Body, fields_of
from optout_proxy.engine.plain import plain_url
from optout_proxy.hosts import site_of
from optout_proxy.model import Request, Role, RuleRef
from optout_proxy.rules.index import Index
from optout_proxy.rules.options import EVERY_TYPE, METHODS
from optout_proxy.rules.rule import Query, Rule, document, parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from optout_proxy.engine.tool import Tool

_ROLE_RANK: Final[dict[Role, int]] = {
    "permits": 0,
    "visits": 1,
    "widgets": 2,
    "loads": 3,
    "telemetry": 4,
    "collects": 5,
}
"""Between rules that say equally much, the role that more must be done about wins."""


class Hit(msgspec.Struct, frozen=True, eq=False):
    """A tool's rule that knows a request: for each rule there is one."""

    tool: Tool
    role: Role
    ref: RuleRef
    rule: Rule | None = None

    @property
    def modifier(self) -> str:
        return self.rule.options.modifier if self.rule else ""


class _Owned(msgspec.Struct, frozen=True, eq=False):
    tool: Tool
    role: Role
    rule: Rule
    rank: tuple[bool, int, int]
    hit: Hit


def own(tool: Tool, role: Role, ref: RuleRef) -> _Owned:
    """A rule of a tool file, compiled, with what makes it win over others."""
    rule = parse_rule(ref.text)
    if role in {"visits", "permits"} and not rule.options.typed:
        every = msgspec.structs.replace(rule.options, types=EVERY_TYPE)
        rule = msgspec.structs.replace(rule, options=every)
    rank = (rule.options.important, rule.specificity, _ROLE_RANK[role])
    return _Owned(tool, role, rule, rank, Hit(tool, role, ref, rule))


def _rank(owned: _Owned) -> tuple[bool, int, int]:
    return owned.rank


class Recogniser:
    """Every tool's rules in one index."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        owned = [own(tool, role, ref) for tool in tools for role, ref in tool.rules]
        self._rules = _Rules([rule for rule in owned if rule.role != "permits"])
        self._permits = _Rules([rule for rule in owned if rule.role == "permits"])
        self._bodies = tuple(
            Body(tool, body, ref) for tool in tools for body, ref in tool.bodies if body.role
        )

    @property
    def indexes(self) -> tuple[Index, Index]:
        return self._rules.index, self._permits.index

    def hit(self, request: Request, query: Query) -> Hit | None:
        """The most telling rule that knows a request; None where no tool does."""
        permitted = self._permits.candidates(query)
        if permitted and (permit := self._permit(permitted, query, request)):
            return permit
        matching = [rule for rule in self._rules.candidates(query) if rule.rule.matches(query)]
        if matching:
            best = matching[0] if len(matching) == 1 else max(matching, key=_rank)
            return best.hit
        return self._by_body(query, request) or self._embedded(request)

    def _permit(self, permitted: Sequence[_Owned], query: Query, request: Request) -> Hit | None:
        for permit in permitted:
            if permit.rule.matches(query) and (
                request.type == "document" or self._is_permitted_page(request, permit.tool)
            ):
                return permit.hit
        return None

    def _is_permitted_page(self, request: Request, tool: Tool) -> bool:
        """Whether the page is one of the operator's own opt-out pages."""
        if not request.page or request.embed:
            return False
        query = Query(document(plain_url(request.page), request.page_host), strict=True)
        rules = self._permits.candidates(query)
        return any(r.tool.operator == tool.operator and r.rule.matches(query) for r in rules)

    def is_embed(self, page: str, page_host: str, *, only_frames: bool = False) -> bool:
        """Whether a page is, by its address alone, one that tools put into other sites' frames.

        An address that is also opened on purpose (a study, a form, an opt-out) tells neither. Nor
        does that of a style sheet, which is the `Referer` of the pictures in it.
        """
        if page.partition("?")[0].endswith(".css") or self._is_opened(page, page_host):
            return False
        return only_frames or bool(self._framing(page, page_host))

    def _framing(self, page: str, page_host: str) -> list[_Owned]:
        """The rules that know a page's address as that of a tool's frame."""
        frame = Request(url=plain_url(page), host=page_host, type="subdocument")
        query = Query(frame, strict=True)
        found = self._rules.candidates(query)
        return [r for r in found if r.role != "visits" and r.rule.matches(query)]

    def _is_opened(self, page: str, page_host: str) -> bool:
        query = Query(document(plain_url(page), page_host), strict=True)
        visited = [r for r in self._rules.candidates(query) if r.role == "visits"]
        permitted = self._permits.candidates(query)
        return any(rule.rule.matches(query) for rule in (*visited, *permitted))

    def _embedded(self, request: Request) -> Hit | None:
        """A request from inside a widget's frame to the widget's operator, that no rule names."""
        if not request.embed:
            return None
        for rule in self._framing(request.page, request.page_host):
            if rule.role == "widgets" and rule.tool.runs(site_of(request.host)):
                return Hit(rule.tool, "widgets", rule.hit.ref, None)
        return None

    def body_tools(self, query: Query) -> Iterator[Tool]:
        """The tools whose body rules ask to see a request's body."""
        return (body.tool for body in self._bodies if body.where.matches(query))

    def _by_body(self, query: Query, request: Request) -> Hit | None:
        if not request.body or not self._bodies:
            return None
        asking = [body for body in self._bodies if body.where.matches(query)]
        if not asking or (found := fields_of(request)) is None:
            return None
        for body in asking:
            if body.fits(found):
                return Hit(body.tool, body.role, body.ref)
        return None

    def naming(self, host: str) -> Iterator[Tool]:
        """The tools whose rules name a host."""
        yield from (owned.tool for owned in self._rules.naming(host))


def without_body(tools: Iterable[Tool]) -> frozenset[str]:
    """The methods of which no body rule asks to see a body."""
    found = METHODS
    for tool in tools:
        for body, _ in tool.bodies:
            found -= parse_rule(body.where).options.methods or METHODS
    return found


class _Rules:
    """Owned rules behind an index."""

    def __init__(self, owned: list[_Owned]) -> None:
        self._owned = owned
        self.index = Index.of([rule.hit.ref.text for rule in owned])

    def candidates(self, query: Query) -> list[_Owned]:
        # Of every type: a rule that is owned may be about more of them than its text says.
        numbers = self.index.candidates(query)
        return [self._owned[number] for number in numbers] if numbers else []

    def naming(self, host: str) -> list[_Owned]:
        return [self._owned[number] for number in self.index.naming(host)]
