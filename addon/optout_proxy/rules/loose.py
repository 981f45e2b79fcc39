"""Rules that name no host: which of them could match a URL, by its words or by one pass over it.

Both find the same rules, but for some that would not match. The pass needs `ahocorasick-rs`, which
is optional, and takes half the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from optout_proxy.rules.words import words_in

try:
    import ahocorasick_rs
except ImportError:
    ahocorasick_rs = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optout_proxy.rules.filing import Gate

HAS_AUTOMATON = ahocorasick_rs is not None


class Loose(Protocol):
    """Rules that name no host."""

    def find(self, url: str, end: int) -> list[int]:
        """Numbers of the rules that could match a URL in lower case, by what follows its host."""

    def near(self, host: str) -> Sequence[Gate]:
        """Further rules, that could match on a host."""


class ByWords:
    """Rules filed by a word, looked up for each word of a URL."""

    def __init__(self, filed: Mapping[bytes, Sequence[Gate]]) -> None:
        self._filed = filed
        self._words = frozenset(filed)

    def find(self, url: str, end: int) -> list[int]:
        """Numbers of the rules that could match a URL in lower case, by what follows its host."""
        found: list[int] = []
        for word in self._words.intersection(words_in(url[end:])):
            found += [number for text, number in self._filed[word] if text in url]
        return found

    def near(self, host: str) -> list[Gate]:
        """Rules whose word a host has."""
        words = self._words.intersection(words_in(host))
        return [gate for word in words for gate in self._filed[word]]


class ByAutomaton:
    """Rules found by their longest texts, all in one pass over a URL."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        by_text: dict[str, list[int]] = {}
        for text, number in gates:
            by_text.setdefault(text, []).append(number)
        self._numbers = tuple(by_text.values())
        self._search = ahocorasick_rs.AhoCorasick(
            list(by_text), matchkind=ahocorasick_rs.MatchKind.Standard, store_patterns=False
        ).find_matches_as_indexes

    def find(self, url: str, _end: int) -> list[int]:
        """Numbers of the rules whose text a URL in lower case contains."""
        try:
            hits = self._search(url, True)  # overlapping
        except UnicodeEncodeError:  # half of a surrogate pair, as captures may hold
            hits = self._search(url.encode("utf-8", "replace").decode(), True)
        if not hits:
            return []
        return [number for hit in {hit for hit, _, _ in hits} for number in self._numbers[hit]]

    def near(self, _host: str) -> tuple[Gate, ...]:
        """None: the pass is over the whole URL."""
        return ()
