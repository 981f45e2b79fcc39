"""TOML as people write it: read with `tomllib`, and every key can be found again by its line.

`tomllib` keeps no positions, and an error is only worth reading with its line. So the text is
walked a second time, leniently, when somebody asks where something stands.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from optout_proxy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

type KeyPath = tuple[str | int, ...]
"""Keys from the top of the file down; a number counts the `[[x]]` or list elements from 0."""


def read_text(path: Path) -> str:
    """Read a UTF-8 file, without its byte order mark; InputError where that cannot be."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except IsADirectoryError:
        raise InputError(path, "is a folder", right="name the file inside it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(path, f"cannot be read: {why}") from None
    return decode(raw, path)


def decode(raw: bytes, file: Path | str) -> str:
    """Turn UTF-8 bytes into text, without a byte order mark; InputError for anything else."""
    save_as = "save it as UTF-8 text"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(file, "is UTF-16 text", right=save_as)
    if b"\0" in raw:
        raise InputError(file, "is not a text file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(file, "is not UTF-8 text", line=line, right=save_as) from None


def parse_toml(text: str, file: Path | str) -> dict[str, object]:
    """Read the values of a TOML text; a syntax error is an InputError with its line."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise InputError(file, "lists or tables are nested too deeply") from None
    except ValueError as error:
        raise _syntax_error(text, file, str(error)) from None


def line_of(text: str, path: KeyPath) -> int:
    """Line of a key, a `[table]` header, the n-th `[[x]]` or a list element.

    Where the path leads nowhere: the line of the nearest table around it, or 1.
    """
    lines = _walked(text).keys
    return next((lines[part] for part in _outwards(path) if part in lines), 1)


def first_line_of_value(text: str, path: KeyPath) -> int:
    """Line where a value begins; of a multi-line string, the line of its first content.

    So line n (from 0) of a literal multi-line string stands on the result plus n.
    """
    return _walked(text).values.get(path) or line_of(text, path)


def spell(path: KeyPath) -> str:
    """Write a path as a person would: `sites."shop.example".gpc`, `waiver[0].tool`."""
    written = ""
    for part in path:
        dot = "." if written else ""
        written += f"[{part}]" if isinstance(part, int) else dot + quoted(part)
    return written


def quoted(key: str) -> str:
    """Write a key as TOML wants it: bare where that is allowed."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", key):
        return key
    return json.dumps(key, ensure_ascii=False)


# --- What is wrong with a text that does not parse -----------------------------------------------

_PLACE: Final = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_TWICE: Final = re.compile(r"Cannot |Duplicate ")
_RIGHT: Final = (
    ("Invalid value", 'put words between quotes: key = "value"'),
    ("Expected '=' after a key", 'write key = "value"'),
    ("Expected newline", "end the line after the value, or close what was opened before it"),
    ("Invalid statement", 'write key = "value", a [table], or a # comment'),
    ("Invalid initial character", 'put a key with other signs than A-Z, 0-9, "-", "_" in quotes'),
    ("Unterminated string", "close it with the quotes that opened it"),
    ('Expected "', "close the string with the quotes that opened it"),
    ("Illegal character '\\n'", "close the string with the quotes that opened it"),
    ("Found invalid character '\\n'", "close the string with the quotes that opened it"),
    ("Unescaped '\\'", "use single quotes for text with backslashes"),
    ("Invalid date", "write a date that exists, such as 2027-01-31"),
    ("Unclosed array", "close it with ]"),
    ("Unclosed inline table", "close it with } on the same line"),
)


def _syntax_error(text: str, file: Path | str, message: str) -> InputError:
    place = _PLACE.search(message)
    what = message[: place.start()] if place else "A value is out of bounds"
    walk = _walked(text)
    if _TWICE.match(what):
        return _written_twice(walk, file, place)
    # At the end of the text the culprit is what was opened before and never closed.
    line = int(place["line"]) if place and place["line"] else walk.unclosed or walk.last
    right = next((advice for start, advice in _RIGHT if what.startswith(start)), "")
    what = f"this is no TOML: {what[:1].lower()}{what[1:]}"
    return InputError(file, what, line=line, right=right)


def _written_twice(walk: _Walk, file: Path | str, place: re.Match[str] | None) -> InputError:
    right = "keep one of them"
    if walk.twice:
        path, first, line = walk.twice
        stands = f"{spell(path)} stands here a second time, first on line {first}"
        return InputError(file, stands, line=line, right=right)
    line = int(place["line"]) if place and place["line"] else walk.last
    return InputError(file, "this is written in two ways at once", line=line, right=right)


# --- Where everything stands ---------------------------------------------------------------------

# Lenient on purpose: `tomllib` has judged the text, or its judgement is being explained.
_PIECE: Final = re.compile(
    r"""
      (?P<word>
          \"{3} (?: \\. | [^\\] )*? \"{3} \"{0,2}
        | '{3} .*? '{3} '{0,2}
        | \"{3} .* | '{3} .*                        # never closed: the rest of the text
        | \" (?: \\. | [^"\\\n] )* \"?
        | ' [^'\n]* '?
        | [^\s\[\]{},=.#"']+
      )
    | (?P<newline> \n )
    | (?P<mark> [\[\]{},=] )
    | (?P<nothing> \#[^\n]* | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class _Open:
    """A list or an inline table whose end has not come yet."""

    path: KeyPath
    item: int | None
    """Number of the element being read; None in an inline table."""


@dataclass(slots=True)
class _Walk:
    """One pass over a text, noting where keys and values begin."""

    keys: dict[KeyPath, int] = field(default_factory=dict)
    values: dict[KeyPath, int] = field(default_factory=dict)
    twice: tuple[KeyPath, int, int] | None = None
    """The first key written twice, with both lines."""
    last: int = 1
    """Line of the key or table met last."""
    unclosed: int = 0
    """Line of the first string that is never closed; 0 where all are."""

    line: int = 1
    expect: Literal["key", "value", "end"] = "key"
    table: KeyPath = ()
    header: int = 0
    """How many `[` the header being read opened."""
    key: list[str] = field(default_factory=list)
    waiting: KeyPath = ()
    """Whose value comes next."""
    open: list[_Open] = field(default_factory=list)
    written: set[KeyPath] = field(default_factory=set)
    counts: dict[KeyPath, int] = field(default_factory=dict)
    """Number of the latest element of each `[[x]]`."""

    def read(self, text: str) -> None:
        for piece in _PIECE.finditer(text):
            self._take(piece.lastgroup or "", piece.group())
            self.line += piece.group().count("\n")

    def _take(self, kind: str, piece: str) -> None:
        if kind == "word":
            self._word(piece)
        elif kind == "newline" and not self.open:
            self.expect, self.key, self.header = "key", [], 0
        elif kind == "mark":
            self._mark(piece)

    def _word(self, piece: str) -> None:
        if not self.unclosed and not _is_closed(piece):
            self.unclosed = self.line
        if self.expect == "key":
            self.key.append(_plain(piece))
        elif self.expect == "value":
            self._begin(piece)

    def _mark(self, piece: str) -> None:
        if piece == "=":
            self._equals()
        elif piece == "[":
            self._bracket()
        elif piece == "{" and self.expect == "value":
            self.open.append(_Open(self._begin(piece), None))
            self.expect, self.key = "key", []
        elif piece == ",":
            self._comma()
        else:
            self._close()

    def _equals(self) -> None:
        if self.expect == "key":
            base = self.open[-1].path if self.open else self.table
            self.waiting = self._note((*base, *self.key))
            self.expect, self.key = "value", []

    def _bracket(self) -> None:
        if self.expect == "value":
            self.open.append(_Open(self._begin("["), 0))
            self._await_item(0)
        elif self.expect == "key" and not self.open:
            self.header += 1

    def _comma(self) -> None:
        if not self.open:
            return
        inside = self.open[-1]
        if inside.item is None:
            self.expect, self.key = "key", []
        else:
            inside.item += 1
            self._await_item(inside.item)

    def _close(self) -> None:
        if self.header:
            self._declare()
        elif self.open:
            self.open.pop()
        self.expect = "end"

    def _await_item(self, item: int) -> None:
        self.waiting, self.expect = (*self.open[-1].path, item), "value"

    def _begin(self, piece: str) -> KeyPath:
        """Note that a value begins here, and say whose it is."""
        self.keys.setdefault(self.waiting, self.line)
        self.values[self.waiting] = self.line + piece.startswith(("'''\n", '"""\n'))
        self.expect = "end"
        return self.waiting

    def _declare(self) -> None:
        """Enter the table that the header just closed names."""
        path = self._inside(self.key[:-1]) + tuple(self.key[-1:])
        if self.header > 1:
            self.keys.setdefault(path, self.line)
            self.counts[path] = self.counts.get(path, -1) + 1
        self.table = self._note(self._inside(self.key))
        self.header, self.key = 0, []

    def _inside(self, key: list[str]) -> KeyPath:
        """Find the path a header means: in the latest element of every `[[x]]` on the way."""
        path: KeyPath = ()
        for part in key:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path])
        return path

    def _note(self, path: KeyPath) -> KeyPath:
        for outer in list(_outwards(path))[1:]:
            self.keys.setdefault(outer, self.line)
        if path in self.written and not self.twice:
            self.twice = (path, self.keys[path], self.line)
        self.written.add(path)
        self.keys[path] = self.last = self.line
        return path


@lru_cache(8)
def _walked(text: str) -> _Walk:
    walk = _Walk()
    walk.read(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    return walk


def _is_closed(piece: str) -> bool:
    """Whether a bare word, or a string with the quotes it began with at its end."""
    mark = piece[:3] if piece.startswith(('"""', "'''")) else piece[:1]
    return mark[0] not in "\"'" or (len(piece) >= 2 * len(mark) and piece.endswith(mark))


def _plain(piece: str) -> str:
    """Take the quotes off a key."""
    if not piece.startswith(('"', "'")):
        return piece
    try:
        return str(tomllib.loads(f"key = {piece}")["key"])
    except tomllib.TOMLDecodeError:
        return piece.strip("\"'")


def _outwards(path: KeyPath) -> Iterator[KeyPath]:
    """List the path, then each table around it, the whole file excepted."""
    return (path[:end] for end in range(len(path), 0, -1))
