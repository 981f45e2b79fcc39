"""Many rules, few candidates: which rules could match a request, without asking all of them.

A rule that is found by what it is filed under must then have its longest text in the URL. Rules
are kept as text and compiled when they first become candidates, so that a list of 55,000 loads in
milliseconds.
"""

from __future__ import annotations

from functools import reduce
from itertools import chain
from operator import or_
from typing import TYPE_CHECKING, Final, Protocol

from optout_proxy.rules.filing import Filing, longest_text
from optout_proxy.rules.loose import HAS_AUTOMATON, ByAutomaton, ByWords
from optout_proxy.rules.options import EVERY_TYPE, RuleError, names_of
from optout_proxy.rules.pattern import literals_of, shape_of
from optout_proxy.rules.rule import Rule, parse_rule, split_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from optout_proxy.rules.filing import Filed, Gate
    from optout_proxy.rules.loose import Loose
    from optout_proxy.rules.rule import Query
    from optout_proxy.rules.table import HostTable


type Gates = tuple[tuple[str, tuple[int, ...]], ...]
"""Texts that a URL must contain, each with the numbers of the rules that need it."""


class Lines(Protocol):
    """Rules by number."""

    def __getitem__(self, number: int, /) -> str: ...


_MEMO: Final = 8192
_FEW: Final = 24
"""Up to so many different texts, looking for each in the URL (40 ns) beats taking it to words."""


class Index:
    """An index over rules, asked with a `Query`."""

    def __init__(
        self,
        lines: Lines,
        filed: Filed,
        table: HostTable | None = None,
        *,
        by_automaton: bool = HAS_AUTOMATON,
    ) -> None:
        """`table` holds lines `||host^` that are not filed."""
        self._lines = lines
        self._table = table
        self._filed = filed
        self._rules: dict[int, Rule] = {}
        self._types = _Types(self.rule)
        self._of_host: dict[str, Gates] = {}
        self._of_page: dict[str, Gates] = {}
        self._loose: Loose | None = None
        self._anywhere = _grouped(filed.texts)
        by_word = chain.from_iterable(filed.words.values())
        if len(filed.words) + len(filed.texts) <= _FEW:
            self._anywhere = _grouped(chain(filed.texts, by_word))
        elif by_automaton:
            self._loose = ByAutomaton(chain(filed.texts, by_word))
            self._anywhere = ()
        else:
            self._loose = ByWords(filed.words)
        self._has_pages = bool(filed.pages)
        self._always = tuple(filed.always)
        self._always_types = reduce(or_, map(self._types.__getitem__, filed.always), 0)
        self._always_of: dict[int, tuple[int, ...]] = {}
        self.is_empty = not filed and table is None

    @classmethod
    def of(cls, lines: Sequence[str], *, by_automaton: bool = HAS_AUTOMATON) -> Index:
        """An index over all of some rules."""
        filing = Filing()
        for number, line in enumerate(lines):
            _, pattern, options = split_rule(line)
            filing.add(number, pattern, options)
        return cls(lines, filing.done(), by_automaton=by_automaton)

    def __len__(self) -> int:
        return len(self._filed) + (0 if self._table is None else len(self._table))

    def rule(self, number: int) -> Rule:
        """The compiled rule of a number; raises RuleError where the line is none."""
        rule = self._rules.get(number)
        if rule is None:
            rule = self._rules[number] = parse_rule(self._lines[number])
        return rule

    # -- looking up ----------------------------------------------------------------------------

    def sift(
        self, url: str, end: int, host: str, page_host: str, bit: int, *, is_bare: bool = False
    ) -> list[int]:
        """Numbers of the rules that could match a URL in lower case, whose host ends at `end`.

        `is_bare`: it is known to have none of `gate_texts`.
        """
        near = self._of_host.get(host)
        if near is None:
            near = self._meet(host)
        if not is_bare:
            near += self._anywhere
        if self._has_pages:
            of_page = self._of_page.get(page_host)
            near += self._meet_page(page_host) if of_page is None else of_page
        found = [number for text, numbers in near if text in url for number in numbers]
        if self._loose is not None:
            found += self._loose.find(url, end)
        if found:
            found = [number for number in found if self._types[number] & bit]
        if self._always_types & bit:
            found += self._always_of.get(bit) or self._meet_type(bit)
        return found

    def candidates(self, query: Query) -> list[int]:
        """Numbers of the rules that could match a request, were it of any type."""
        return self.sift(
            query.url, query.end, query.host, query.page_host, EVERY_TYPE, is_bare=query.is_bare
        )

    def matching(
        self, query: Query, numbers: Sequence[int] | None = None
    ) -> Iterator[tuple[int, Rule]]:
        """The rules that match, of `numbers` where they are known."""
        if numbers is None:
            numbers = self.sift(query.url, query.end, query.host, query.page_host, query.bit)
        for number in numbers:
            rule = self.rule(number)
            if rule.matches(query):
                yield number, rule

    def first(self, query: Query, numbers: Sequence[int] | None = None) -> tuple[int, Rule] | None:
        """Any rule that matches."""
        return next(self.matching(query, numbers), None)

    # -- what is filed under a name, remembered -------------------------------------------------

    def naming(self, host: str) -> list[int]:
        """Numbers of the rules filed under a host, its parents or its entities."""
        filed, table = self._filed, self._table
        found: list[int] = []
        for name in _names(host):
            if table is not None:
                found += table.numbers(name)
            if name in filed.hosts:
                found += (filed.hosts[name], *filed.further.get(name, ()))
        return found

    def _meet(self, host: str) -> Gates:
        """What could match on a host, whatever else the URL says."""
        own = self._gates(self.naming(host))
        near = () if self._loose is None else self._loose.near(host)
        _make_room(self._of_host)
        found = self._of_host[host] = _grouped(chain(own, near))
        return found

    def _meet_type(self, bit: int) -> tuple[int, ...]:
        """What could match any URL, as one type."""
        numbers = (number for number in self._always if self._types[number] & bit)
        found = self._always_of[bit] = tuple(numbers)
        return found

    def _meet_page(self, host: str) -> Gates:
        pages = self._filed.pages
        numbers = (number for name in _names(host) for number in pages.get(name, ()))
        _make_room(self._of_page)
        found = self._of_page[host] = _grouped(self._gates(numbers))
        return found

    def _gates(self, numbers: Iterable[int]) -> Iterator[Gate]:
        for number in numbers:
            yield longest_text(shape_of(split_rule(self._lines[number])[1])), number

    # -- for a sieve ---------------------------------------------------------------------------

    @property
    def is_gated(self) -> bool:
        """Whether every rule names a host or needs one of `gate_texts`."""
        return not (self._loose or self._always or self._has_pages)

    def gate_texts(self) -> Iterator[tuple[str, bool]]:
        """Texts of which a URL must contain one, unless its host is named.

        Each with whether the URL must have a query too.
        """
        for text, numbers in self._anywhere:
            patterns = (split_rule(self._lines[number])[1] for number in numbers)
            yield text, all("?" in "".join(literals_of(shape_of(one))) for one in patterns)


class _Types(dict[int, int]):
    """The types of rules by number, as bits; 0 for a line that turns out to be none."""

    def __init__(self, rule: Callable[[int], Rule]) -> None:
        self._rule = rule

    def __missing__(self, number: int) -> int:
        try:
            types = self._rule(number).options.types
        except RuleError:
            types = 0
        self[number] = types
        return types


def _names(host: str) -> tuple[str, ...]:
    return (f"={host}", *names_of(host)) if host else ()


def _grouped(gates: Iterable[Gate]) -> Gates:
    """Gates by their text, so that each is looked for once."""
    found: dict[str, list[int]] = {}
    for text, number in gates:
        found.setdefault(text, []).append(number)
    return tuple((text, tuple(numbers)) for text, numbers in found.items())


def _make_room(memo: dict[str, Gates]) -> None:
    if len(memo) >= _MEMO:
        memo.clear()
