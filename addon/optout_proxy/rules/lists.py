"""Community lists, of any size: what a list says about a request."""

from __future__ import annotations

import hashlib
import marshal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy import __version__
from optout_proxy.rules.filing import Filed
from optout_proxy.rules.index import Index
from optout_proxy.rules.named import ByName
from optout_proxy.rules.options import BITS
from optout_proxy.rules.reading import GROUPS, Read, read
from optout_proxy.rules.rule import Query, Rule, normal_url, place_of
from optout_proxy.rules.table import HostTable
from optout_proxy.rules.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from optout_proxy.model import Type
    from optout_proxy.rules.reading import Group

_CACHE_FORM: Final = 5
_MEMO: Final = 512


class Verdict(msgspec.Struct, frozen=True):
    """What a list says about a request it knows."""

    line: int
    """1-based line of the rule that stopped or allowed it."""
    rule: Rule
    allowed: bool = False
    redirect: str = ""
    """Name of the stand-in a rule asks for."""


class Edit(msgspec.Struct, frozen=True, eq=False):
    """A rule that takes a part away, or lets it pass."""

    line: int
    """1-based."""
    rule: Rule


class RuleList:
    """A list, ready to be asked."""

    def __init__(self, read: Read) -> None:
        self.skipped = read.skipped
        """How many lines were skipped, by reason."""
        self._by_group = {name: Index(read.text, read.filed[name]) for name in GROUPS}
        self._stops = self._by_group["block"] = Index(read.text, read.filed["block"], read.table)

        self._edits: dict[tuple[int, ...], ByName[Edit]] = {}

    def __len__(self) -> int:
        return sum(len(index) for name, index in self._by_group.items() if name != "important")

    def verdict_url(self, url: str, page: str = "", type: Type = "other") -> Verdict | None:  # noqa: A002
        """What the list says of a request of which only its address, page and type are known."""
        host, end = place_of(url)
        page_host = place_of(page)[0]
        if end < 0:
            url, _, end = normal_url(url, host)
        found = self._stops.sift(url.lower(), end, host, page_host, BITS[type])
        if not found:
            return None
        return self.verdict(Query.of_url(url, end, host, page, page_host, type), found)

    def sift(self, url: str, end: int, host: str, page_host: str, kind: Type) -> Sequence[int]:
        """The rules that could stop a URL (in lower case), whose host ends at `end`."""
        return self._stops.sift(url, end, host, page_host, BITS[kind])

    def verdict(self, query: Query, found: Sequence[int] | None = None) -> Verdict | None:
        """What the list says: None where no rule stops the request.

        `found` are the rules that may stop it, where they have been looked up.
        """
        hit = self._stops.first(query, found)
        if hit is None:
            return None
        if important := self._ask("important", query):
            return self._stopped(*important, query)
        allowed = self._ask("allow", query) or self._allowed_page(query)
        if allowed:
            return Verdict(allowed[0] + 1, allowed[1], allowed=True)
        return self._stopped(*hit, query)

    def _ask(self, group: Group, query: Query) -> tuple[int, Rule] | None:
        index = self._by_group[group]
        return None if index.is_empty else index.first(query)

    def _allowed_page(self, query: Query) -> tuple[int, Rule] | None:
        """The exception that allows all on the page of a request."""
        if self._by_group["pages"].is_empty or not query.page_host:
            return None
        return self._by_group["pages"].first(query.on_page())

    def _stopped(self, number: int, rule: Rule, query: Query) -> Verdict:
        redirect = rule.options.value if rule.options.modifier == "redirect" else ""
        if not redirect and (named := self._ask("stand-in", query)):
            redirect = named[1].options.value
        return Verdict(number + 1, rule, redirect=redirect.partition(":")[0])

    def names_host(self, host: str) -> bool:
        """Whether a rule that stops something is filed under a host."""
        return bool(self._stops.naming(host))

    # -- parts of a request --------------------------------------------------------------------

    @property
    def edits_any(self) -> bool:
        """Whether there are rules that take away parts of requests or responses."""
        return not self._by_group["modify"].is_empty

    def edits_host(self, host: str) -> bool:
        """Whether a rule that takes something away is filed under a host."""
        return bool(self._by_group["modify"].naming(host))

    def might_edit(self, url: str, end: int, host: str, page_host: str, kind: Type) -> bool:
        """Whether a rule could take something from a request; `url` is in lower case."""
        return bool(self._by_group["modify"].sift(url, end, host, page_host, BITS[kind]))

    def allows_page(self, query: Query) -> bool:
        """Whether all is allowed on the page of a request."""
        return self._allowed_page(query) is not None

    def taking(self, query: Query, kind: str, names: Collection[str] | None = None) -> list[Edit]:
        """The rules that match a request and take away things of a kind; exceptions among them.

        Where `names` are given, only rules that could mean one of them.
        """
        numbers = tuple(
            self._by_group[group].sift(query.url, query.end, query.host, query.page_host, query.bit)
            for group in ("modify", "keep")
        )
        if not numbers[0]:
            return []
        edits = self._edits_of((*numbers[0], *numbers[1]))
        could = edits.every if names is None else edits.meaning(names)
        return [
            one for one in could if one.rule.options.modifier == kind and one.rule.matches(query)
        ]

    def _edits_of(self, numbers: tuple[int, ...]) -> ByName[Edit]:
        found = self._edits.get(numbers)
        if found is None:
            if len(self._edits) >= _MEMO:
                self._edits.clear()
            rule = self._stops.rule
            found = self._edits[numbers] = ByName([Edit(n + 1, rule(n)) for n in numbers])
        return found


def parse_list(text: str) -> RuleList:
    """Read a list of filter rules or hosts-file lines; what cannot be applied is counted."""
    return RuleList(read(text.encode()))


def load_list(path: Path, cache: Path | None = None) -> RuleList:
    """Load a list from a file, from `cache` (a folder) where it is unchanged since.

    Raises OSError where the file cannot be read. Text is UTF-8; what is not is replaced.
    """
    if cache is None:
        return RuleList(read(path.read_bytes()))
    kept = cache / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.rules"
    state = _state(path)
    found = _from_cache(kept, state)
    if found is None:
        found = read(path.read_bytes())
        _to_cache(kept, state, found)
    return RuleList(found)


def _state(path: Path) -> str:
    """Another text once the file, or what reads it, has changed."""
    status = path.stat()
    return f"{status.st_mtime_ns} {status.st_size} {__version__} {_CACHE_FORM} {sys.version}"


def _from_cache(kept: Path, state: str) -> Read | None:
    try:
        was, text, table, filed, skipped = marshal.loads(kept.read_bytes())  # noqa: S302 - our own
        if was != state:
            return None
        lines = Text(*text)
        groups = {name: Filed(*filed[name]) for name in GROUPS}
        return Read(lines, HostTable(lines, *table), groups, skipped)
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _to_cache(kept: Path, state: str, found: Read) -> None:
    filed = {name: msgspec.structs.astuple(one) for name, one in found.filed.items()}
    text = (found.text.whole, found.text.before)
    content = marshal.dumps((state, text, found.table.parts(), filed, found.skipped))
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{id(found)}.part")
        part.write_bytes(content)
        part.replace(kept)
