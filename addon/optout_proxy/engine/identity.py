"""What "without identity" takes away: the identity rules of every tool, ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.hosts import site_of
from optout_proxy.rules.index import Index
from optout_proxy.rules.named import ByName
from optout_proxy.rules.rule import Query, Rule, parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optout_proxy.engine.tool import Tool
    from optout_proxy.model import Request, RuleRef

_MEMO: Final = 4096
KINDS: Final = ("cookie", "removeparam", "removeheader")


class Taker(msgspec.Struct, frozen=True, eq=False):
    """One identity rule of a tool."""

    tool: Tool
    ref: RuleRef
    rule: Rule
    is_first_party: bool
    """Whether it names no host: then it is about the page's own cookies and links."""

    @property
    def kind(self) -> str:
        return self.rule.options.modifier

    def written(self, name: str) -> str:
        """How a name that it took is written down."""
        return self.rule.literal_name or name


def _taker(tool: Tool, ref: RuleRef) -> Taker:
    rule = parse_rule(ref.text)
    shape, hosts = rule.shape, rule.options.hosts
    is_bare = not shape.host and not shape.rest.strip("*") and not (hosts and hosts.include)
    return Taker(tool, ref, rule, is_bare)


class _Own:
    """Rules of one kind that name a tool's own host."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        self._takers = takers
        self.index = Index.of([taker.ref.text for taker in takers])
        self._met: dict[tuple[int, ...], ByName[Taker]] = {}

    def could_match(self, query: Query) -> ByName[Taker]:
        numbers = tuple(self.index.candidates(query))
        found = self._met.get(numbers)
        if found is None:
            if len(self._met) >= _MEMO:
                self._met.clear()
            found = self._met[numbers] = ByName([self._takers[number] for number in numbers])
        return found


class Identity:
    """The identity rules of all tools."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        takers = [_taker(tool, ref) for tool in tools for ref in tool.identity]
        of_kind = {kind: [t for t in takers if t.kind == kind] for kind in KINDS}
        self._own = {
            kind: _Own([t for t in found if not t.is_first_party])
            for kind, found in of_kind.items()
        }
        self._pages = {
            kind: ByName([t for t in found if t.is_first_party]) for kind, found in of_kind.items()
        }
        self._by_name: dict[str, tuple[Taker, ...]] = {}

    @property
    def indexes(self) -> tuple[Index, ...]:
        return tuple(own.index for own in self._own.values())

    def on_own_host(self, query: Query, kind: str) -> ByName[Taker]:
        """Rules that name the tool's own host and could match; exceptions are among them."""
        return self._own[kind].could_match(query)

    def on_pages(self, kind: str) -> ByName[Taker]:
        """Rules about a page's own host."""
        return self._pages[kind]

    def cookie(self, name: str) -> tuple[Taker, ...]:
        """The rules that name a first-party cookie; none where an exception names it too."""
        takers = self._by_name.get(name)
        if takers is None:
            could = self._pages["cookie"].meaning((name,))
            takers = tuple(taker for taker in could if taker.rule.names(name))
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
