"""The pattern of a rule: what it says about the text of a URL.

Only `||`, `|`, `*` and `^` mean something. `*` becomes a chain of `str.find`, which is linear and
cannot backtrack; `re` runs for real `/expressions/` and for an inner `^` only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from optout_proxy.rules.expression import (
    LONGEST_TEXT,
    UnsafeExpressionError,
    compile_expression,
    literals,
)
from optout_proxy.rules.options import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable

_SEPARATOR: Final = r"(?:[^a-zA-Z0-9_.%\-]|$)"
_HOST: Final = re.compile(r"[a-z0-9_\-.\x80-\uffff\[\]:]*", re.IGNORECASE)
_TERMINATORS: Final = frozenset("^/?:")


class Test(Protocol):
    """Whether a URL fits: its text, and where its host starts and ends in it."""

    def __call__(self, url: str, start: int, end: int, /) -> bool: ...


type _Step = Callable[[str, int], int]
"""Finds a segment in a text from a position on; the position after it, or -1."""

type Kind = Literal["host", "start", "free", "expression"]


class Shape(msgspec.Struct, frozen=True):
    """A pattern taken apart, before it is compiled."""

    kind: Kind
    host: str
    """The whole host of `||host^…`; empty where the pattern does not name one."""
    rest: str
    """What follows that host; for other kinds the pattern without its anchors."""
    at_end: bool


def shape_of(pattern: str) -> Shape:
    """Take a pattern apart. Raises RuleError where it names nothing."""
    if len(pattern) > 2 and pattern[0] == "/" and pattern[-1] == "/":
        return Shape("expression", "", pattern[1:-1], at_end=False)
    at_end = pattern.endswith("|") and len(pattern) > 1
    text = pattern.removesuffix("|") if at_end else pattern
    if text.startswith("||"):
        return _host_shape(text[2:], at_end=at_end)
    if text.startswith("|"):
        return Shape("start", "", text[1:], at_end=at_end)
    return Shape("free", "", text, at_end=at_end)


def _host_shape(text: str, *, at_end: bool) -> Shape:
    if not text or text[0] in "*^":
        return Shape("free", "", text.lstrip("*"), at_end=at_end)
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return Shape("host", name.lower(), rest, at_end=at_end)
    host = _HOST.match(text)
    name = host[0].partition(":")[0] if host else ""
    following = text[len(name) : len(name) + 1]
    whole = following in _TERMINATORS if following else "." in name.strip(".")
    if name and whole and not name.endswith("."):
        return Shape("host", name.lower(), text[len(name) :], at_end=at_end)
    return Shape("host", "", text, at_end=at_end)


def compile_test(shape: Shape, *, match_case: bool) -> Test:
    """Compile a shape to a test of the URL; the URL comes in lower case unless `match_case`."""
    if shape.kind == "expression":
        return _expression(shape.rest, match_case=match_case)
    rest = shape.rest if match_case else shape.rest.lower()
    if shape.kind == "host" and shape.host:
        return _on_host(shape.host, _after_host(rest, at_end=shape.at_end))
    if shape.kind == "host":
        return _at_labels(_chain(rest, anchored=True, at_end=shape.at_end))
    chain = _chain(rest, anchored=shape.kind == "start", at_end=shape.at_end)
    if shape.kind == "free" and _is_literal(rest) and not shape.at_end:
        return lambda url, _start, _end: rest in url
    return lambda url, _start, _end: chain(url, 0) >= 0


def _on_host(host: str, rest: Test) -> Test:
    size = len(host)

    def test(url: str, start: int, end: int) -> bool:
        begin = end - size
        named = begin == start or (begin > start and url[begin - 1] == ".")
        return named and url.startswith(host, begin) and rest(url, start, end)

    return test


def _after_host(rest: str, *, at_end: bool) -> Test:
    if rest in {"", "^", "^*"}:
        return lambda url, _start, end: not at_end or end == len(url)
    if _is_literal(rest) and not at_end:
        return lambda url, _start, end: url.startswith(rest, end)
    if rest.startswith("^*") and _is_literal(inner := rest[2:]) and not at_end:
        return lambda url, _start, end: url.find(inner, end) >= 0
    chain = _chain(rest, anchored=True, at_end=at_end)
    return lambda url, _start, end: chain(url, end) >= 0


def _at_labels(chain: _Step) -> Test:
    def test(url: str, start: int, end: int) -> bool:
        at = start
        while at != -1 and at < end:
            if chain(url, at) >= 0:
                return True
            at = url.find(".", at, end) + 1 or -1
        return False

    return test


def _expression(body: str, *, match_case: bool) -> Test:
    try:
        search = compile_expression(body, match_case=match_case).search
    except UnsafeExpressionError as error:
        raise RuleError(str(error)) from None

    def test(url: str, _start: int, _end: int) -> bool:
        if len(url) <= LONGEST_TEXT:
            return search(url) is not None
        return search(url[:LONGEST_TEXT]) is not None or search(url[-LONGEST_TEXT:]) is not None

    return test


def _is_literal(text: str) -> bool:
    return "*" not in text and "^" not in text


def _chain(rest: str, *, anchored: bool, at_end: bool) -> _Step:
    """One step for all segments between the stars of `rest`."""
    segments = rest.split("*")
    steps: list[_Step] = []
    for n, segment in enumerate(segments):
        if segment or (at_end and n == len(segments) - 1):
            last = at_end and n == len(segments) - 1
            steps.append(_step(segment, anchored=anchored and n == 0, last=last))
    if len(steps) == 1:
        return steps[0]

    def chain(url: str, at: int) -> int:
        for step in steps:
            at = step(url, at)
            if at < 0:
                return -1
        return at

    return chain


def _step(segment: str, *, anchored: bool, last: bool) -> _Step:
    if "^" in segment or last:
        source = re.escape(segment).replace(r"\^", _SEPARATOR) + (r"\Z" if last else "")
        expression = re.compile(source)
        found = expression.match if anchored else expression.search

        def by_expression(url: str, at: int) -> int:
            match = found(url, at)
            return match.end() if match else -1

        return by_expression
    size = len(segment)
    if anchored:
        return lambda url, at: at + size if url.startswith(segment, at) else -1

    def by_find(url: str, at: int) -> int:
        place = url.find(segment, at)
        return place + size if place >= 0 else -1

    return by_find


def literals_of(shape: Shape) -> tuple[str, ...]:
    """Lower-case texts that every matching URL contains."""
    if shape.kind == "expression":
        return literals(shape.rest)
    return tuple(part for part in re.split(r"[*^]", shape.rest.lower()) if part)


words_inside: Final = re.compile(r"[^a-z0-9%*]([a-z0-9%]+)(?=[^a-z0-9%*])").findall
"""Runs of letters and digits inside a text that stand alone whatever is around the text."""


def words_of(shape: Shape) -> list[str]:
    """Runs of letters and digits that stand alone in every matching URL (delimited both sides)."""
    if shape.kind == "expression":
        return [word for text in literals(shape.rest) for word in words_inside(text)]
    before = "*" if shape.kind == "free" else "^"
    after = "^" if shape.at_end else "*"
    return words_inside(f"{before}{shape.rest.lower()}{after}")
