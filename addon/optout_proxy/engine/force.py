"""Which rules are in force for one message.

The identity rules and opt-out cookies of the tools whose level on this page asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from optout_proxy.engine.identity import Identity, Taker
from optout_proxy.hosts import parents
from optout_proxy.rules.named import chooser
from optout_proxy.rules.options import DOCUMENT
from optout_proxy.rules.rule import Query, parse_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from optout_proxy.engine.choices import Choices
    from optout_proxy.engine.draft import Draft
    from optout_proxy.engine.tool import PageCookie, Prefix, Supplied, Tool
    from optout_proxy.model import Action, Level, Request, Role, RuleRef
    from optout_proxy.rules.index import Index
    from optout_proxy.rules.named import ByName
    from optout_proxy.rules.rule import Query

ANY_NAME = "*"
"""How a name is written down that went because everything on that host goes."""


class Case(msgspec.Struct, frozen=True):
    """A request or its response, and what was decided about it."""

    request: Request
    query: Query
    tool: Tool | None
    """The tool whose rule recognised the request."""
    role: Role | None
    ref: RuleRef | None
    action: Action
    page_host: str
    on_page: bool
    """It belongs to an inspected page's own site."""

    @property
    def stripped(self) -> Tool | None:
        """The tool that is sent this request without identity."""
        return self.tool if self.action == "strip" else None

    @property
    def prefixed(self) -> Prefix | None:
        """What is put in front of this request's answer."""
        prefix = self.stripped.page.prefix if self.stripped else None
        if prefix is None or self.role != "loads":
            return None
        return prefix if parse_rule(prefix.where).matches(self.query) else None

    @property
    def host(self) -> str:
        return self.request.host


class InForce:
    """The rules of all tools, asked for one case at a time."""

    def __init__(self, tools: Mapping[str, Tool], choices: Choices) -> None:
        self._identity = Identity(tools.values())
        self._choices = choices
        self._cookies = [(tool, c) for tool in tools.values() for c in tool.express.cookies]
        self._page_cookies = [
            (tool, cookie) for tool in tools.values() for cookie in tool.express.page_cookies
        ]

    @property
    def indexes(self) -> tuple[Index, ...]:
        """The rules by which requests to others than the page's own site are changed."""
        return self._identity.indexes

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts that an opt-out cookie is supplied to."""
        return frozenset(cookie.host for _, cookie in self._cookies)

    @property
    def page_cookie_rules(self) -> Sequence[Taker]:
        """The rules about cookies of a page's own site, exceptions among them."""
        return self._identity.on_pages("cookie").every

    def level(self, tool: Tool, case: Case) -> Level:
        return self._choices.level(tool.id, case.page_host)

    def takes(self, tool: Tool, case: Case) -> bool:
        """Whether the tool's identity rules hold on this page."""
        return self.level(tool, case) in {"strip", "block"}

    def takers(
        self, case: Case, kind: str, names: Collection[str] | None = None
    ) -> Iterator[Taker]:
        """The rules for one kind of thing, exceptions among them; first-party cookies excepted.

        Where `names` are given, only those that could mean one of them.
        """
        for rules in self._concerning(case, kind):
            asked = rules.every if names is None else rules.meaning(names)
            yield from (taker for taker in asked if self._holds(taker, case))

    def link_takers(self, case: Case) -> list[Taker]:
        """The rules by which links lose what identifies a visitor, such as click ids."""
        every = self._identity.on_pages("removeparam").every
        return [t for t in every if t.rule.options.types & DOCUMENT and self.takes(t.tool, case)]

    def _concerning(self, case: Case, kind: str) -> Iterator[ByName[Taker]]:
        yield self._identity.on_own_host(case.query, kind)
        if case.on_page and kind != "cookie":
            yield self._identity.on_pages(kind)

    def _holds(self, taker: Taker, case: Case) -> bool:
        """Whether a rule is in force for a message and matches it."""
        asked = self.takes(taker.tool, case)
        if not taker.is_first_party:
            asked = taker.tool is case.stripped or (case.query.third and asked)
        return asked and taker.rule.matches(case.query)

    def page_taker(self, name: str, case: Case) -> Taker | None:
        """The rule that takes a first-party cookie."""
        if not case.on_page:
            return None
        takers = self._identity.cookie(name)
        return next((taker for taker in takers if self.takes(taker.tool, case)), None)

    def supplied(self, case: Case) -> Iterator[tuple[Tool, Supplied]]:
        """Opt-out cookies for this host: in third-party use, or on a request of that tool."""
        for tool, cookie in self._cookies:
            is_theirs = case.request.third_party or case.tool is tool
            if (
                is_theirs
                and cookie.host in parents(case.host)
                and self.level(tool, case) != "allow"
            ):
                yield tool, cookie

    def page_cookies(self, case: Case) -> Iterator[tuple[Tool, PageCookie]]:
        """Opt-out cookies for the page's own host."""
        for tool, cookie in self._page_cookies:
            if self.level(tool, case) != "allow":
                yield tool, cookie

    def cookie_judge(self, draft: Draft, case: Case) -> Callable[[str], Taker | bool]:
        """What becomes of a cookie by name: the rule that takes it, else whether it goes at all.

        The draft is told of what goes, but for what a rule takes: the rule may only shorten it.
        """
        takers = list(self.takers(case, "cookie"))
        choose = chooser(takers)
        keeps = self._keeper(takers, case)
        replaced = {name: tool for tool, c in self.supplied(case) for name in c.replaces}

        def judge(name: str) -> Taker | bool:
            if taker := choose(name, name) or self.page_taker(name, case):
                return taker
            if case.stripped is not None and not keeps(name):
                level = self.level(case.stripped, case)
                draft.took("cookies", name, case.stripped.id, level, None, ANY_NAME)
                return True
            if tool := replaced.get(name):
                draft.took("cookies", name, tool.id, self.level(tool, case), None, name)
                return True
            return False

        return judge

    def _keeper(self, takers: Sequence[Taker], case: Case) -> Callable[[str], bool]:
        """Which cookies pass though all others go: opt-out and consent cookies."""
        rules = [t.rule for t in takers if t.rule.exception and t.tool is case.stripped]
        names = {c.name for tool, c in self.supplied(case) if tool is case.stripped}
        return lambda name: name in names or any(rule.names(name) for rule in rules)

    def took(self, draft: Draft, case: Case, kind: str, name: str, taker: Taker) -> None:
        """Note that a rule took a name."""
        level = self.level(taker.tool, case)
        draft.took(kind, name, taker.tool.id, level, taker.ref, taker.written(name))
