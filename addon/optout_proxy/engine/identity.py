"""What "without identity" takes away: the identity rules of every tool, ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.hosts import site_of
from optout_proxy.rules.index import Index
from optout_proxy.rules.rule import Query, Rule, parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.engine.tool import Tool
    from optout_proxy.model import Request, RuleRef

_MEMO: Final = 4096
KINDS: Final = ("cookie", "removeparam", "removeheader")


class Taker(msgspec.Struct, frozen=True):
    """One identity rule of a tool."""

    tool: Tool
    ref: RuleRef
    rule: Rule

    @property
    def kind(self) -> str:
        return self.rule.options.modifier

    @property
    def is_first_party(self) -> bool:
        """Whether it names no host: then it is about the page's own cookies and links."""
        shape, hosts = self.rule.shape, self.rule.options.hosts
        return not shape.host and not shape.rest.strip("*") and not (hosts and hosts.include)

    def written(self, name: str) -> str:
        """How a name that it took is written down."""
        return self.rule.literal_name or name


class Identity:
    """The identity rules of all tools."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        takers = [Taker(tool, ref, parse_rule(ref.text)) for tool in tools for ref in tool.identity]
        own = [taker for taker in takers if not taker.is_first_party]
        self._own = {kind: [t for t in own if t.kind == kind] for kind in KINDS}
        self.by_kind = {
            kind: Index.of([taker.ref.text for taker in found]) for kind, found in self._own.items()
        }
        self._pages = [taker for taker in takers if taker.is_first_party]
        self._page_cookies = [taker for taker in self._pages if taker.kind == "cookie"]
        self._by_name: dict[str, tuple[Taker, ...]] = {}

    def on_own_host(self, query: Query, kind: str) -> list[Taker]:
        """Rules that name the tool's own host and match; exceptions are among them."""
        own = self._own[kind]
        numbers = self.by_kind[kind].candidates(query)
        return [own[number] for number in numbers if own[number].rule.matches(query)]

    def on_pages(self, query: Query, kind: str) -> list[Taker]:
        """Rules about a page's own host, other than cookies by name."""
        return [t for t in self._pages if t.kind == kind and t.rule.matches(query)]

    def cookie(self, name: str) -> tuple[Taker, ...]:
        """The rules that name a first-party cookie; none where an exception names it too."""
        takers = self._by_name.get(name)
        if takers is None:
            takers = tuple(taker for taker in self._page_cookies if taker.rule.names(name))
            if any(taker.rule.exception for taker in takers):
                takers = ()
            if len(self._by_name) >= _MEMO:
                self._by_name.clear()
            self._by_name[name] = takers
        return takers


def first_party(request: Request) -> bool:
    """Whether a request belongs to the page's own site, a navigation to it included.

    A frame is a page too: what it asks of its own site is, wherever the frame stands.
    """
    if request.type == "document":
        return True
    if request.embed:
        return site_of(request.host) == site_of(request.page_host)
    return not request.cross_site
