"""File rules by the most telling thing each of them names.

The host of `||host^`, the hosts of `to=`, the word that fewest other rules have, the page of
`domain=`, or the longest text. What is filed where is plain data, so that it can be kept in a
cache.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.rules.pattern import literals_of, shape_of, words_inside, words_of
from optout_proxy.rules.words import COMMON, least_common, rarest

if TYPE_CHECKING:
    from optout_proxy.rules.pattern import Shape

type Gate = tuple[str, int]
"""A text that a URL must contain, and the number of the rule that needs it."""

_HOST: Final = re.compile(r"\|\|([a-z0-9_\-.]+\.[a-z0-9\-]+)[\^/?:]")
_EXACT_HOST: Final = re.compile(r"\|https?://([a-z0-9_\-.]+)[/?:^]", re.IGNORECASE)
"""`|https://host/` is about this host and none of its subdomains: filed under `=host`."""
_LISTED: Final = re.compile(r"[$,](to|domain|from)=([^,]+)")
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
"""Common words that are never looked up: a URL is taken to words from its host on."""


class Filed(msgspec.Struct, frozen=True):
    """Rule numbers by what they are filed under; plain data."""

    hosts: dict[str, int]
    """The first rule of each host: mostly there is but one."""
    further: dict[str, list[int]]
    words: dict[bytes, list[Gate]]
    pages: dict[str, list[int]]
    texts: list[Gate]
    always: list[int]

    def __bool__(self) -> bool:
        return bool(self.hosts or self.words or self.pages or self.texts or self.always)

    def __len__(self) -> int:
        """Number of rules, those filed under several names counted once."""
        found = set(self.hosts.values()).union(self.always, *self.further.values())
        gates = chain(self.texts, *self.words.values())
        return len(found.union(*self.pages.values(), (number for _, number in gates)))


class Filing:
    """Files rules one by one."""

    def __init__(self) -> None:
        self._filed = Filed({}, {}, {}, {}, [], [])
        self._by_word: dict[Gate, list[str]] = {}

    def add_host(self, host: str, number: int) -> None:
        """File a rule under the host that its pattern names."""
        if self._filed.hosts.setdefault(host, number) != number:
            self._filed.further.setdefault(host, []).append(number)

    def add_text(self, text: str, number: int) -> bool:
        """File a rule that is no more than a text of a URL, where it has a telling word."""
        text = text.lower()
        telling = [word for word in words_inside(text) if word not in COMMON]
        if telling:
            self._by_word[text, number] = telling
        return bool(telling)

    def add(self, number: int, pattern: str, options: str) -> None:
        """File a rule by its pattern and options."""
        if host := _HOST.match(pattern):
            self.add_host(host[1], number)
            return
        shape = shape_of(pattern)
        listed: dict[str, str] = dict(_LISTED.findall(f"${options}")) if "=" in options else {}
        if shape.host:
            self.add_host(shape.host, number)
        elif shape.kind == "start" and (exact := _EXACT_HOST.match(pattern)):
            self.add_host(f"={exact[1].lower()}", number)
        elif names := _included(listed.get("to", "")):
            for name in names:
                self.add_host(name, number)
        else:
            self._add_loose(number, shape, _included(listed.get("domain", listed.get("from", ""))))

    def _add_loose(self, number: int, shape: Shape, pages: list[str]) -> None:
        """File a rule that names no host of its own."""
        words = [word for word in words_of(shape) if word not in _SCHEMES]
        telling = [word for word in words if word not in COMMON]
        gate = longest_text(shape), number
        if telling:
            self._by_word[gate] = telling
        elif words and not pages:
            self._add_word(least_common(words), gate)
        elif pages:
            for name in pages:
                self._filed.pages.setdefault(name, []).append(number)
        elif gate[0]:
            self._filed.texts.append(gate)
        else:
            self._filed.always.append(number)

    def _add_word(self, word: str, gate: Gate) -> None:
        self._filed.words.setdefault(word.encode(), []).append(gate)

    def done(self) -> Filed:
        """All that was added, filed."""
        for gate, word in rarest(self._by_word):
            self._add_word(word, gate)
        self._by_word.clear()
        return self._filed


def _included(value: str) -> list[str]:
    names = value.lower().split("|") if value else []
    return [] if any(name.startswith(("~", "/")) for name in names) else [n for n in names if n]


def longest_text(shape: Shape) -> str:
    """The longest text that every matching URL contains."""
    return max(literals_of(shape), key=len, default="")
