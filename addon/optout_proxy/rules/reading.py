"""Read whole lists: 55,000 lines in milliseconds, every line that is skipped counted.

Most lines of a community list are `||host^`: they are taken from the text many at a time. Of the
others no more is read than where to file them.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import Counter
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from optout_proxy.hosts import is_ip
from optout_proxy.rules.filing import Filed, Filing
from optout_proxy.rules.options import DOCUMENT, PLAIN, Options, RuleError, parse_options
from optout_proxy.rules.rule import parse_rule, split_rule
from optout_proxy.rules.table import Building, HostTable
from optout_proxy.rules.text import Measure, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

type Group = Literal["block", "important", "allow", "pages", "modify", "keep", "stand-in"]
"""What a line does: stop (the important ones too), stop whatever allows it, allow, allow all on a
page, take away a part, keep a part, or name the stand-in for what something else stops."""

GROUPS: Final[tuple[Group, ...]] = (
    "block",
    "important",
    "allow",
    "pages",
    "modify",
    "keep",
    "stand-in",
)
_PIECE: Final = 1 << 16
"""Characters read at a time, so that what is made of them stays near the processor."""
_LINES: Final = re.compile(rb"^(?:\|\|([a-z0-9_\-.]+)\^(?:\$third-party)?$|.*$)", re.MULTILINE)
"""Each line: the host where it says no more than that; empty where it is anything else."""
_SIMPLE: Final = re.compile(
    r"(?:\|\|([a-z0-9_\-.]+)[\^/][^$#]*|([^|@![01:*^$#][^|*^$#]*[^|*^$#/]))"
    r"(?:\$([a-z0-9~_\-]+(?:[=,][^$#/]*)?))?\Z"
)
"""A rule of which it is plain what is its host or literal text, and its options: most others."""
_HOSTS_LINE: Final = re.compile(
    r"^(?:0\.0\.0\.0|127\.0\.0\.1|::1?)[ \t]+([a-z0-9_\-.]+)[ \t]*(?:#.*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS: Final = frozenset("01:")
"""How a line of a hosts file begins."""
_LOCAL: Final = frozenset({"localhost", "localhost.localdomain", "local", "broadcasthost"})
_COSMETIC: Final = re.compile(r"#(?:@?[#?$%]|@\$\?|\$\?)|\$@?\$")
_NEEDED: Final = frozenset(
    {
        "accept", "accept-encoding", "allow", "connection", "content-encoding", "content-length",
        "content-range", "content-type", "expect", "host", "location", "origin", "proxy-connection",
        "range", "referrer-policy", "strict-transport-security", "te", "trailer",
        "transfer-encoding", "upgrade", "upgrade-insecure-requests", "vary",
        "x-content-type-options", "x-frame-options", "x-xss-protection",
    }
)  # fmt: skip
"""Headers that carry the message, or keep a page safe."""
_GUARDING: Final = (
    "access-control-", "content-security-policy", "cross-origin-", "permissions-policy",
    "sec-fetch-", "sec-websocket-",
)  # fmt: skip
"""What the names of others of these begin with."""
_BADFILTER: Final = re.compile(r"(.*)[$,]badfilter(?:,(.*))?")


class Read(msgspec.Struct, frozen=True):
    """A list that has been read."""

    text: Text
    """As it was read: lines of a hosts file are rules."""
    table: HostTable
    filed: dict[Group, Filed]
    """The rules that are not in the table, by group."""
    skipped: dict[str, int]
    """How many lines were skipped, by reason."""


def read(text: bytes) -> Read:
    """Read a list. It is UTF-8; what is not is replaced."""
    text = text.removeprefix(BOM_UTF8)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    try:
        return _Reading(text, is_rules=False).result()
    except _HostsFileError:
        rules = _HOSTS_LINE.sub(_as_rule, text.decode("utf-8", "replace"))
        return _Reading(rules.encode(), is_rules=True).result()


class _HostsFileError(Exception):
    """The text has lines of a hosts file."""


def _pieces(text: bytes) -> Iterator[bytes]:
    """The text in pieces of whole lines."""
    start, stop = 0, 0
    while stop >= 0:
        stop = text.find(b"\n", start + _PIECE)
        yield text[start : stop if stop >= 0 else None]
        start = stop + 1


class _Reading:
    """A list being read."""

    def __init__(self, text: bytes, *, is_rules: bool) -> None:
        """`is_rules`: what could be lines of a hosts file has been rewritten."""
        self._text = text
        self._is_rules = is_rules
        self._disabled = _disabled(text)
        self._measure = Measure()
        self._building = Building()
        self._filings = {name: Filing() for name in GROUPS}
        self._known: dict[str, tuple[Filing, ...]] = {}
        self._refused: dict[str, str] = {}
        self._skipped: Counter[str] = Counter()
        self._first = 0

    def result(self) -> Read:
        """All of it read."""
        for piece in _pieces(self._text):
            self._read(piece)
        text = self._measure.text(self._text)
        filed = {name: filing.done() for name, filing in self._filings.items()}
        return Read(text, self._building.table(text), filed, dict(self._skipped))

    def _read(self, piece: bytes) -> None:
        text = piece.decode("utf-8", "replace")
        lines = text.split("\n")
        hosts = _LINES.findall(piece)
        self._measure.add(lines if text.isascii() else piece.split(b"\n"))
        if self._disabled:
            self._switch_off(lines, hosts)
        self._building.add(hosts)
        self._read_others(compress(enumerate(lines, self._first), map(not_, hosts)))
        self._first += len(lines)

    def _switch_off(self, lines: list[str], hosts: list[bytes]) -> None:
        for number, line in enumerate(lines):
            if line in self._disabled:
                lines[number], hosts[number] = "", b""
                self._skipped["switched off by badfilter"] += 1

    def _read_others(self, lines: Iterable[tuple[int, str]]) -> None:
        known = self._known.get
        for number, line in lines:
            rule = _SIMPLE.match(line)
            try:
                if rule is None:
                    self._read_any(number, line)
                    continue
                host, text, options = rule.groups("")
                for filing in known(options) or self._fitting(options):
                    if host:
                        filing.add_host(host, number)
                    elif not filing.add_text(text, number):
                        filing.add(number, text, options)
            except RuleError as error:
                self._skipped[str(error)] += 1

    def _read_any(self, number: int, line: str) -> None:
        if not line or line[0] in "![#":
            return
        if ("#" in line or "$$" in line or "$@" in line) and _COSMETIC.search(line):
            raise RuleError("cosmetic")
        if line[0] in _ADDRESS and _HOSTS_LINE.match(line):
            if not self._is_rules:
                raise _HostsFileError
            raise RuleError("names this machine itself")
        exception, pattern, options = split_rule(line)
        if not options and not pattern.strip("*"):
            raise RuleError("a rule that matches every URL")
        if pattern[:1] == "/" == pattern[-1:] or "=/" in options:
            parse_rule(line)  # an expression is read now: whether it is refused must be counted
        for filing in self._fitting(options, exception=exception):
            filing.add(number, pattern, options)

    def _fitting(self, options: str, *, exception: bool = False) -> tuple[Filing, ...]:
        """Where a rule with these options is filed; raises RuleError where they cannot be kept."""
        key = f"@@{options}" if exception else options
        if key in self._refused:
            raise RuleError(self._refused[key])
        if key not in self._known:
            try:
                groups = _groups(parse_options(options) if options else PLAIN, exception=exception)
            except RuleError as error:
                self._refused[key] = str(error)
                raise
            self._known[key] = tuple(self._filings[group] for group in groups)
        return self._known[key]


def _as_rule(line: re.Match[str]) -> str:
    """The rule that a line of a hosts file is."""
    host = line[1].lower()
    return line[0] if host in _LOCAL or is_ip(host) else f"||{host}^"


def _groups(options: Options, *, exception: bool) -> tuple[Group, ...]:
    if options.badfilter:
        raise RuleError("badfilter")
    if options.modifier == "removeheader" and not exception:
        _check_header(options.value.lower().removeprefix("request:"))
    if options.modifier in {"cookie", "removeparam", "removeheader"}:
        return ("keep",) if exception else ("modify",)
    if exception:
        return ("pages",) if options.types == DOCUMENT else ("allow",)
    if options.modifier == "redirect-rule":
        return ("stand-in",)
    return ("block", "important") if options.important else ("block",)


def _check_header(name: str) -> None:
    if not name:
        raise RuleError("removeheader names no header")
    if name in _NEEDED or name.startswith(_GUARDING):
        raise RuleError(
            "a list does not remove this header: pages would break or lose their protection"
        )


def _disabled(text: bytes) -> frozenset[str]:
    """The lines that `$badfilter` switches off: the same line without the word."""
    found = set()
    for line in _lines_with(b"badfilter", text):
        if parts := _BADFILTER.fullmatch(line):
            before, after = parts[1], parts[2] or ""
            joined = f"{before},{after}" if "$" in before and after else before
            found.add(joined if "$" in before or not after else f"{before}${after}")
    return frozenset(found)


def _lines_with(word: bytes, text: bytes) -> Iterator[str]:
    place = text.find(word)
    while place >= 0:
        start = text.rfind(b"\n", 0, place) + 1
        stop = text.find(b"\n", place)
        stop = stop if stop >= 0 else len(text)
        yield text[start:stop].decode("utf-8", "replace")
        place = text.find(word, stop)
