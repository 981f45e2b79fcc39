"""Many rules, few candidates: which rules could match a request, without asking all of them.

Each rule is filed once, under the most telling thing it names: the host of `||host^`, the hosts of
`to=`, its rarest stand-alone token, the page of `domain=`, or its longest literal. Rules are kept
as text and compiled when they first become candidates, so that a list of 55,000 loads in
milliseconds. What is filed where is plain data, so that it can be written to a cache.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.rules.options import EVERY_TYPE, RuleError, names_of
from optout_proxy.rules.pattern import literals_of, shape_of, tokens_of
from optout_proxy.rules.rule import Rule, parse_rule, split_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optout_proxy.rules.rule import Query

_MEMO: Final = 8192
_COMMON: Final = frozenset(
    b"http https www com net org js css php html htm png gif jpg jpeg svg json aspx asp "
    b"cgi bin img images image static assets content api v1 v2 v3 id 1 2 0 s t a b c d e i p "
    b"script scripts min jquery data cdn media main index files public google facebook twitter "
    b"doubleclick analytics collect stats tracking tracker track pixel tag tags event events log "
    b"beacon ads ad click page user web site page url callback type utm ga gtm fbevents adobe "
    b"cloudfront amazonaws googleapis gstatic wp plugins themes uploads ajax libs core app "
    b"sdk".split()
)
"""Words that real URLs are full of: a rule filed under one would be asked all the time."""
_FEW: Final = 24
"""Up to so many different texts, looking for each in the URL (40 ns) beats taking it to words."""
_DELIMITERS: Final = bytes(
    code if (chr(code).isalnum() and code < 128) or code == ord("%") else 32 for code in range(256)
)


class Filed(msgspec.Struct, frozen=True):
    """Rule numbers by what they are filed under; plain data."""

    hosts: dict[str, list[int]]
    tokens: dict[bytes, list[int]]
    pages: dict[str, list[int]]
    literals: list[tuple[str, int]]
    always: list[int]


def nothing_filed() -> Filed:
    """Where nothing is filed yet."""
    return Filed({}, {}, {}, [], [])


def file_rules(texts: Sequence[str], numbers: Iterable[int]) -> Filed:
    """File each of the numbered rules under the most telling thing it names."""
    filed = nothing_filed()
    for number in numbers:
        file_rule(filed, texts[number], number)
    return filed


_PLAIN_HOST: Final = re.compile(r"(?:@@)?\|\|([a-z0-9_\-.]+\.[a-z0-9\-]+)[\^/?:]")
_EXACT_HOST: Final = re.compile(r"\|https?://([a-z0-9_\-.]+)[/?:^]", re.IGNORECASE)
"""`|https://host/` is about this host and none of its subdomains: filed under `=host`."""
_LISTED: Final = re.compile(r"[$,](to|domain|from)=([^,]+)")


def file_rule(filed: Filed, text: str, number: int) -> None:
    """File one rule."""
    if host := _PLAIN_HOST.match(text):
        filed.hosts.setdefault(host[1], []).append(number)
        return
    _, pattern, options = split_rule(text)
    shape = shape_of(pattern)
    listed = dict(_LISTED.findall(f"${options}")) if options else {}
    if shape.host:
        filed.hosts.setdefault(shape.host, []).append(number)
    elif exact := _EXACT_HOST.match(pattern):
        filed.hosts.setdefault(f"={exact[1].lower()}", []).append(number)
    elif names := _included(listed.get("to", "")):
        for name in names:
            filed.hosts.setdefault(name, []).append(number)
    elif token := _rarest(tokens_of(shape)):
        filed.tokens.setdefault(token, []).append(number)
    elif names := _included(listed.get("domain") or listed.get("from") or ""):
        for name in names:
            filed.pages.setdefault(name, []).append(number)
    elif literal := max(literals_of(shape), key=len, default=""):
        filed.literals.append((literal, number))
    else:
        filed.always.append(number)


def _included(value: str) -> list[str]:
    names = value.lower().split("|")
    return [] if any(name.startswith(("~", "/")) for name in names) else [n for n in names if n]


def _rarest(tokens: tuple[str, ...]) -> bytes:
    """The longest word that is not common: length is the best cheap guess at rarity."""
    words = [token.encode() for token in tokens]
    return max(words, key=lambda word: (word not in _COMMON, len(word)), default=b"")


def _gates(texts: Sequence[str], filed: Filed) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The longest text of each rule filed by a word or a text, with the rules that need it."""
    gates: dict[str, tuple[int, ...]] = {}
    numbers = [n for group in filed.tokens.values() for n in group]
    for number in numbers + [number for _, number in filed.literals]:
        literal = _longest_text(texts[number])
        gates[literal] = (*gates.get(literal, ()), number)
    return tuple(gates.items())


def _longest_text(text: str) -> str:
    """The longest text that a URL must contain to match a rule."""
    return max(literals_of(shape_of(split_rule(text)[1])), key=len)


class Index:
    """An index over rules, asked with a `Query`."""

    def __init__(self, texts: Sequence[str], filed: Filed) -> None:
        self._texts = texts
        self._filed = filed
        self._rules: dict[int, Rule] = {}
        self._of_host: dict[str, tuple[int, ...]] = {}
        self._of_page: dict[str, tuple[int, ...]] = {}
        self._always = tuple(filed.always)
        self._always_types: int | None = None
        self._of_token: dict[bytes, tuple[tuple[str, int], ...]] = {}
        if len(filed.tokens) + len(filed.literals) <= _FEW:
            self._tokens: frozenset[bytes] = frozenset()
            self._gates = _gates(texts, filed)
        else:
            self._tokens = frozenset(filed.tokens)
            self._gates = tuple((literal, (number,)) for literal, number in filed.literals)
        # One expression for all texts takes half the time of looking for each.
        self._gated = re.compile(
            "|".join(re.escape(text) for text, _ in self._gates) or "(?!)"
        ).search

    @classmethod
    def of(cls, texts: Sequence[str]) -> Index:
        """An index over all rules of `texts`."""
        return cls(texts, file_rules(texts, range(len(texts))))

    def __len__(self) -> int:
        filed = self._filed
        groups = (*filed.hosts.values(), *filed.tokens.values(), *filed.pages.values())
        numbers = {n for group in groups for n in group}
        return len(numbers) + len(filed.literals) + len(filed.always)

    def rule(self, number: int) -> Rule:
        """The compiled rule of a number; raises RuleError where the line is none."""
        rule = self._rules.get(number)
        if rule is None:
            rule = self._rules[number] = parse_rule(self._texts[number])
        return rule

    def candidates(
        self, url: str, host: str, page_host: str, bit: int = EVERY_TYPE
    ) -> tuple[int, ...]:
        """Numbers of the rules that could match a URL (in lower case) of a type."""
        found = self._of_host.get(host)
        if found is None:
            found = self.naming(host)
        if self._gated(url):
            for literal, numbers in self._gates:
                if literal in url:
                    found += numbers
        if self._tokens:
            words = url.encode("latin-1", "replace").translate(_DELIMITERS).split()
            for token in self._tokens.intersection(words):
                found += tuple([n for text, n in self._filed_under(token) if text in url])
        if self._filed.pages:
            found += self._naming_page(page_host)
        if self._always and bit & self._types_of_always():
            found += self._always
        return found

    def _types_of_always(self) -> int:
        """The types that rules filed under nothing are about."""
        if self._always_types is None:
            self._always_types = 0
            for number in self._always:
                with suppress(RuleError):
                    self._always_types |= self.rule(number).options.types
        return self._always_types

    def _filed_under(self, token: bytes) -> tuple[tuple[str, int], ...]:
        """The rules of a word, each with its longest text, which costs less to look for."""
        pairs = self._of_token.get(token)
        if pairs is None:
            numbers = self._filed.tokens[token]
            pairs = tuple((_longest_text(self._texts[number]), number) for number in numbers)
            self._of_token[token] = pairs
        return pairs

    def might_match(self, url: str, host: str, page_host: str, bit: int) -> bool:
        """Whether a rule's pattern and types fit a URL (in lower case); False is certain."""
        numbers = self.candidates(url, host, page_host, bit)
        if not numbers:
            return False
        start = url.find("://") + 3
        end = start + len(host)
        for number in numbers:
            try:
                rule = self.rule(number)
            except RuleError:
                continue
            options = rule.options
            if options.types & bit and (options.match_case or rule.test(url, start, end)):
                return True
        return False

    def matching(self, query: Query) -> list[tuple[int, Rule]]:
        """The rules that match, in no particular order."""
        found = []
        for number in self.candidates(query.url, query.host, query.page_host, query.bit):
            rule = self.rule(number)
            if rule.matches(query):
                found.append((number, rule))
        return found

    def first(self, query: Query) -> tuple[int, Rule] | None:
        """Any rule that matches."""
        for number in self.candidates(query.url, query.host, query.page_host, query.bit):
            rule = self.rule(number)
            if rule.matches(query):
                return number, rule
        return None

    def naming(self, host: str) -> tuple[int, ...]:
        """Numbers of the rules filed under a host, its parents or its entities."""
        numbers = self._of_host.get(host)
        if numbers is None:
            numbers = self._gather(self._filed.hosts, host)
            _remember(self._of_host, host, numbers)
        return numbers

    def _naming_page(self, host: str) -> tuple[int, ...]:
        numbers = self._of_page.get(host)
        if numbers is None:
            numbers = self._gather(self._filed.pages, host)
            _remember(self._of_page, host, numbers)
        return numbers

    def _gather(self, table: dict[str, list[int]], host: str) -> tuple[int, ...]:
        if not table or not host:
            return ()
        names = (f"={host}", *names_of(host))
        return tuple(n for name in names for n in table.get(name, ()))

    @property
    def is_gated(self) -> bool:
        """Whether every rule names a host or needs one of `gate_texts`."""
        return not (self._tokens or self._always or self._filed.pages)

    def gate_texts(self) -> Iterable[str]:
        """Texts of which a URL must contain one, unless its host is named."""
        return (text for text, _ in self._gates)

    def hosts(self) -> Iterable[str]:
        """Every host and entity that some rule is filed under."""
        return self._filed.hosts.keys()


def _remember(memo: dict[str, tuple[int, ...]], key: str, numbers: tuple[int, ...]) -> None:
    if len(memo) >= _MEMO:
        memo.clear()
    memo[key] = numbers
