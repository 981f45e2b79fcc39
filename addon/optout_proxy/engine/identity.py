"""What "without identity" takes away: the identity rules of every tool, ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.hosts import site_of
from optout_proxy.rules.index import Index
from optout_proxy.rules.rule import Query, Rule, parse_rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

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


class ByName:
    """Identity rules, by the names they spell."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        self.takers = takers
        spelled = [taker.rule.spelled_name for taker in takers]
        self._spelled = frozenset(filter(None, spelled))
        self._prefixes = tuple(
            taker.rule.anchored_prefix
            for taker, name in zip(takers, spelled, strict=True)
            if not name
        )

    def meaning(self, names: Collection[str]) -> list[Taker]:
        """The rules that could mean one of some names, in their order."""
        met = self._spelled.intersection(names)
        general = self._prefixes and any(name.startswith(self._prefixes) for name in names)
        if not met and not general:
            return []
        return [t for t in self.takers if not (name := t.rule.spelled_name) or name in met]

    def naming(self, name: str) -> list[Taker]:
        """The rules that mean a name."""
        return [taker for taker in self.meaning((name,)) if taker.rule.names(name)]


class _Own:
    """Rules of one kind that name a tool's own host."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        self._takers = takers
        self.index = Index.of([taker.ref.text for taker in takers])
        self._met: dict[tuple[int, ...], ByName] = {}

    def could_match(self, query: Query) -> ByName:
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

    def on_own_host(self, query: Query, kind: str) -> ByName:
        """Rules that name the tool's own host and could match; exceptions are among them."""
        return self._own[kind].could_match(query)

    def on_pages(self, kind: str) -> ByName:
        """Rules about a page's own host."""
        return self._pages[kind]

    def cookie(self, name: str) -> tuple[Taker, ...]:
        """The rules that name a first-party cookie; none where an exception names it too."""
        takers = self._by_name.get(name)
        if takers is None:
            takers = tuple(self._pages["cookie"].naming(name))
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
