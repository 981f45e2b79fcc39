"""Whole lists: a community list of any size, loaded quickly, with every skipped line counted."""

from __future__ import annotations

import hashlib
import marshal
import re
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from optout_proxy import __version__
from optout_proxy.hosts import is_ip
from optout_proxy.rules.index import Filed, Index, file_rule, nothing_filed
from optout_proxy.rules.options import BITS, DOCUMENT, PLAIN, Options, RuleError, parse_options
from optout_proxy.rules.rule import Query, Rule, parse_rule, split_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from optout_proxy.model import Type

type Group = Literal["block", "important", "allow", "pages", "modify", "keep", "stand-in"]
"""What a line does: stop, stop whatever allows it, allow, allow all on a page, take away a part,
keep a part, or name the stand-in for what something else stops."""

GROUPS: Final[tuple[Group, ...]] = (
    "block",
    "important",
    "allow",
    "pages",
    "modify",
    "keep",
    "stand-in",
)
_PLAIN: Final = re.compile(r"\|\|([a-z0-9_\-.]+\.[a-z0-9\-]+)\^(?:\$third-party)?\Z")
_HOSTS_FILE: Final = re.compile(
    r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+([a-z0-9_\-.]+)\s*(?:#.*)?\Z", re.IGNORECASE
)
_COSMETIC: Final = re.compile(r"#(?:@?[#?$%]|@\$\?|\$\?)|\$@?\$")
_LOCAL: Final = frozenset({"localhost", "localhost.localdomain", "local", "broadcasthost"})
_CACHE_FORM: Final = 1


class Verdict(msgspec.Struct, frozen=True):
    """What a list says about a request it knows."""

    line: int
    """1-based line of the rule that stopped or allowed it."""
    rule: Rule
    allowed: bool = False
    redirect: str = ""
    """Name of the stand-in a rule asks for."""


class RuleList:
    """A list, ready to be asked."""

    def __init__(
        self, texts: Sequence[str], filed: dict[str, Filed], skipped: dict[str, int]
    ) -> None:
        self._texts = texts
        self._by_group = {name: Index(texts, filed[name]) for name in GROUPS}
        self._block = self._by_group["block"]
        self.filed = filed
        self.skipped = skipped
        """How many lines were skipped, by reason."""
        self._has = {name: not _is_empty(filed[name]) for name in GROUPS}

    def __len__(self) -> int:
        return sum(len(self._by_group[name]) for name in GROUPS if name != "important")

    def verdict(self, query: Query, page: Query | None = None) -> Verdict | None:
        """What the list says: None where no rule stops the request.

        `page` asks for the document that caused it, for exceptions that allow a whole page.
        """
        group = self._by_group
        hit = _ask(group["block"], query)
        if hit is None:
            return None
        if self._has["important"] and (important := _ask(group["important"], query)):
            return self._stopped(*important, query)
        if allowed := _ask(group["allow"], query):
            return Verdict(allowed[0] + 1, allowed[1], allowed=True)
        if page and self._has["pages"] and (allowed := _ask(group["pages"], page)):
            return Verdict(allowed[0] + 1, allowed[1], allowed=True)
        return self._stopped(*hit, query)

    def _stopped(self, number: int, rule: Rule, query: Query) -> Verdict:
        redirect = rule.options.value if rule.options.modifier == "redirect" else ""
        if not redirect and self._has["stand-in"]:
            named = _ask(self._by_group["stand-in"], query)
            redirect = named[1].options.value if named else ""
        return Verdict(number + 1, rule, redirect=redirect.partition(":")[0])

    def might_stop(self, url: str, host: str, page_host: str, kind: Type) -> bool:
        """Whether a rule could stop a URL (in lower case); False is certain."""
        return self._block.might_match(url, host, page_host, BITS[kind])

    def names_host(self, host: str) -> bool:
        """Whether a rule that stops something is filed under a host."""
        return bool(self._block.naming(host))

    def modifiers(self, query: Query) -> Iterator[tuple[int, Rule]]:
        """Lines and rules that take something away from a request, exceptions first."""
        for name in ("keep", "modify"):
            if self._has[name]:
                for number, rule in _all(self._by_group[name], query):
                    yield number + 1, rule


def _ask(index: Index, query: Query) -> tuple[int, Rule] | None:
    try:
        return index.first(query)
    except RuleError:
        return next(_all(index, query), None)


def _all(index: Index, query: Query) -> Iterator[tuple[int, Rule]]:
    for number in index.candidates(query.url, query.host, query.page_host, query.bit):
        with suppress(RuleError):
            rule = index.rule(number)
            if rule.matches(query):
                yield number, rule


def parse_list(text: str) -> RuleList:
    """Read a list of filter rules or hosts-file lines; what cannot be applied is counted."""
    texts = text.splitlines()
    filed: dict[str, Filed] = {name: nothing_filed() for name in GROUPS}
    skipped: Counter[str] = Counter()
    disabled = _disabled(text)
    known = _option_reader()
    blocked_hosts = filed["block"].hosts
    plain = _PLAIN.match
    for number, line in enumerate(texts):
        if (host := plain(line)) and line not in disabled:
            blocked_hosts.setdefault(host[1], []).append(number)
            continue
        if not line or line[0] in "![#" or line in disabled:
            skipped["switched off by badfilter"] += bool(line) and line in disabled
            continue
        try:
            _file_line(line, number, texts, filed, known)
        except RuleError as error:
            skipped[str(error)] += 1
    return RuleList(texts, filed, {reason: n for reason, n in skipped.items() if n})


def _file_line(
    line: str,
    number: int,
    texts: list[str],
    filed: dict[str, Filed],
    known: Callable[[str], Options],
) -> None:
    if _COSMETIC.search(line):
        raise RuleError("cosmetic")
    if line[0] in "0:1" and (host := _HOSTS_FILE.match(line)):
        if host[1].lower() in _LOCAL or is_ip(host[1]):
            raise RuleError("names this machine itself")
        texts[number] = f"||{host[1].lower()}^"
        line = texts[number]
    exception, pattern, option_text = split_rule(line)
    options = known(option_text) if option_text else PLAIN
    if not pattern.strip("*") and options is PLAIN:
        raise RuleError("a rule that matches every URL")
    if pattern[:1] == "/" == pattern[-1:] or "=/" in option_text:
        parse_rule(line)  # an expression is read now: whether it is refused must be counted
    group = _group(options, exception=exception)
    file_rule(filed[group], line, number)
    if group == "important":
        file_rule(filed["block"], line, number)  # so that what no rule stops is known at once


def _group(options: Options, *, exception: bool) -> Group:
    if options.badfilter:
        raise RuleError("badfilter")
    if options.modifier in {"cookie", "removeparam", "removeheader"}:
        return "keep" if exception else "modify"
    if exception:
        return "pages" if options.types == DOCUMENT else "allow"
    if options.modifier == "redirect-rule":
        return "stand-in"
    return "important" if options.important else "block"


_BADFILTER: Final = re.compile(r"^(.*)[$,]badfilter(?:,(.*))?$", re.MULTILINE)


def _disabled(text: str) -> frozenset[str]:
    """The lines that `$badfilter` switches off: the same line without the word."""
    if "badfilter" not in text:
        return frozenset()
    found = set()
    for before, after in _BADFILTER.findall(text):
        joined = f"{before},{after}" if "$" in before and after else before
        found.add(joined if "$" in before or not after else f"{before}${after}")
    return frozenset(found)


def _option_reader() -> Callable[[str], Options]:
    seen: dict[str, Options | RuleError] = {}

    def read(text: str) -> Options:
        known = seen.get(text)
        if known is None:
            try:
                known = parse_options(text)
            except RuleError as error:
                known = error
            seen[text] = known
        if isinstance(known, RuleError):
            raise known
        return known

    return read


def _is_empty(filed: Filed) -> bool:
    return not (filed.hosts or filed.tokens or filed.pages or filed.literals or filed.always)


def load_list(path: Path, cache: Path | None = None) -> RuleList:
    """Load a list from a file, from `cache` (a folder) where it is unchanged since.

    Raises OSError where the file cannot be read. Text is UTF-8; what is not is replaced.
    """
    raw = path.read_bytes()
    if cache is None:
        return parse_list(raw.decode("utf-8-sig", "replace"))
    version = (__version__, _CACHE_FORM, sys.version_info[:2])
    key = hashlib.sha256(raw + repr(version).encode()).hexdigest()
    kept = cache / f"{key[:32]}.rules"
    if (loaded := _from_cache(kept)) is not None:
        return loaded
    made = parse_list(raw.decode("utf-8-sig", "replace"))
    _to_cache(kept, made)
    return made


def _from_cache(path: Path) -> RuleList | None:
    try:
        texts, filed, skipped = marshal.loads(path.read_bytes())  # noqa: S302 - our own folder
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return RuleList(texts.split("\n"), {name: Filed(*filed[name]) for name in GROUPS}, skipped)


def _to_cache(path: Path, made: RuleList) -> None:
    plain = {name: msgspec.structs.astuple(filed) for name, filed in made.filed.items()}
    content = marshal.dumps(("\n".join(made._texts), plain, made.skipped))  # noqa: SLF001
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{id(made)}.part")
        part.write_bytes(content)
        part.replace(path)
