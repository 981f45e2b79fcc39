"""Regular expressions of rules: refused where they could stall the proxy, with their literals."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# The standard library's own parser: private, but the only one that reads exactly what `re` runs.
_parser: Final[Any] = re._parser  # type: ignore[attr-defined]  # noqa: SLF001
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_LONGEST: Final = 1000
_MANY: Final = 16
"""A repeat that may run more often than this counts as open."""
_STEEPEST: Final = 2
"""Open repeats side by side, and one for the place to start at: the power of the text's length
that a search may cost. The third power took 1.3 s on 2,048 characters, the second 4 ms."""
LONGEST_TEXT: Final = 4096
"""An expression looks at so many characters of a URL (the 99th percentile of real ones is 1,600)
from its start, and at as many from the end of a longer one."""


class UnsafeExpressionError(ValueError):
    """An expression that may take more than linear time, or that names nothing to look for."""


def compile_expression(body: str, *, match_case: bool = False) -> re.Pattern[str]:
    """Compile the text between the slashes of `/…/`.

    Raises `UnsafeExpressionError` where it is no expression of Python's `re`, where repeats are
    nested or adjacent over the same characters (`re` backtracks: `(?:[a-z]+-?)+` took 13 s on a
    28-letter name), or where it is too long.
    """
    if len(body) > _LONGEST:
        raise UnsafeExpressionError(f"longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings(action="error"):
            tree = _parser.parse(body)
            _refuse_slow(tree)
            return re.compile(body, re.ASCII | (0 if match_case else re.IGNORECASE))
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise UnsafeExpressionError(f"not a regular expression: {error}") from None


@lru_cache(4096)
def literals(body: str) -> tuple[str, ...]:
    """Runs of characters that every match contains, lower case; what an index can look for."""
    try:
        tree = _parser.parse(body)
    except re.error:
        return ()
    found: list[str] = []
    _collect(tree, found)
    return tuple(text.lower() for text in found if text)


def _refuse_slow(tree: Any) -> None:
    items = [(str(op), argument) for op, argument in tree]
    while items and items[-1][0] in _REPEATS and items[-1][1][0] == 0:
        items.pop()  # an open repeat at the very end matches at once and is never tried again
    starts = not (items and items[0][0] == "AT")
    if _degree(items) + starts > _STEEPEST:
        raise UnsafeExpressionError(f"too many open repeats (`.*`, `+`): at most {_STEEPEST}")


def _collect(tree: Iterable[Any], found: list[str]) -> None:
    run: list[str] = []

    def flush() -> None:
        found.append("".join(run))
        run.clear()

    for op, argument in tree:
        name = str(op)
        if name == "LITERAL":
            run.append(chr(argument))
            continue
        if name == "SUBPATTERN" and _is_plain(argument[3]):
            run.extend(chr(code) for _, code in argument[3])
            continue
        if name == "AT":
            continue
        flush()
        if name == "SUBPATTERN":
            _collect(argument[3], found)
        elif name == "ASSERT" and argument[0] == 1:
            _collect(argument[1], found)
        elif name in _REPEATS and argument[0] > 0:
            _collect(argument[2], found)
    flush()


def _is_plain(tree: Iterable[Any]) -> bool:
    return all(str(op) == "LITERAL" for op, _ in tree)


def _degree(tree: Any, *, repeated: bool = False) -> int:
    """Power of the text's length that matching at one place may cost.

    Refuses what may cost more than a power: inside an open repeat nothing may vary in length.
    """
    own, ahead = 0, 0
    for op, argument in tree:
        name = str(op)
        if name in _REPEATS:
            own += _repeat_degree(argument, repeated=repeated)
        elif name == "GROUPREF":
            raise UnsafeExpressionError("a back-reference can take forever")
        elif name == "BRANCH":
            if repeated:
                raise UnsafeExpressionError("alternatives inside a repeat can take forever")
            own += max(_degree(branch) for branch in argument[1])
        elif name in {"ASSERT", "ASSERT_NOT"}:
            ahead = max(ahead, _degree(argument[1], repeated=repeated))
        elif name == "SUBPATTERN":
            own += _degree(argument[3], repeated=repeated)
        elif name == "ATOMIC_GROUP":
            own += _degree(argument, repeated=repeated)
    return own + ahead


def _repeat_degree(argument: tuple[int, int, Any], *, repeated: bool) -> int:
    low, high, inner = argument
    if repeated and low != high:
        raise UnsafeExpressionError("a repeat inside a repeat can take forever")
    is_open = high > _MANY
    return int(is_open and low != high) + _degree(inner, repeated=repeated or is_open)
