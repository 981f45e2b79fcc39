"""Typed reading of TOML tables: what is wrong is said with its line and what would be right."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from optout_proxy.errors import InputError
from optout_proxy.hosts import is_ip
from optout_proxy.registry.toml_text import KeyPath, line_of, parse_toml, spell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file, which knows where it stands.

    Readers return the value of a key, or the default where the key is absent; without a default
    the key must be there. All raise InputError with the line of the key.
    """

    file: Path | str
    text: str
    path: KeyPath
    values: dict[str, object]

    @classmethod
    def parse(cls, text: str, file: Path | str) -> Table:
        """Read a whole TOML text as one table."""
        return cls(file, text, (), parse_toml(text, file))

    def __contains__(self, key: str) -> bool:
        return key in self.values

    @property
    def line(self) -> int:
        """Line where the table begins."""
        return line_of(self.text, self.path)

    def wrong(self, key: str | KeyPath, what: str, right: str = "") -> InputError:
        """Say what is wrong with a key of this table."""
        inner = (key,) if isinstance(key, str) else key
        line = line_of(self.text, (*self.path, *inner))
        return InputError(self.file, what, line=line, right=right)

    def name(self, *key: str | int) -> str:
        """Name a key from the top of the file down."""
        return spell((*self.path, *key))

    def only(self, keys: Iterable[str]) -> None:
        """Refuse any key but these."""
        known = tuple(keys)
        for key in self.values:
            if key not in known:
                raise self.unknown(key, known)

    def unknown(self, key: str, known: Sequence[str]) -> InputError:
        """Refuse a key, with the known one that is most like it."""
        return self.wrong(key, f"unknown key {self.name(key)}", suggest(key, known))

    def string(self, key: str, default: str | None = None) -> str:
        """Read a text that is not empty and has no control characters but line breaks."""
        value = self._read(key, str, "write a text in quotes", default)
        if value is not default and not _is_text(value):
            raise self.wrong(key, f"{self.name(key)} is {shown(value)}", "write a text in quotes")
        return value

    def word[W: str](self, key: str, words: Sequence[W], default: W | None = None) -> W:
        """Read one of some words."""
        value = self._read(key, str, one_of(words), default)
        chosen = next((word for word in words if word == value), default)
        if chosen is None or chosen != value:
            what = f"{self.name(key)} is {shown(value)}"
            raise self.wrong(key, what, one_of(words))
        return chosen

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Read true or false."""
        return self._read(key, bool, "write true or false, without quotes", default)

    def count(
        self, key: str, default: int | None = None, *, least: int = 1, most: int = 1_000_000
    ) -> int:
        """Read a whole number within bounds."""
        right = f"write a whole number from {least} to {most}, without quotes"
        value = self._read(key, int, right, default)
        if not least <= value <= most:
            raise self.wrong(key, f"{self.name(key)} is {value}", right)
        return value

    def day(self, key: str) -> date:
        """Read a date without a time."""
        right = "write a date without quotes, such as 2027-01-31"
        value = self._read(key, date, right, None)
        if isinstance(value, datetime):
            raise self.wrong(key, f"{self.name(key)} is a time", right)
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; empty where the key is absent."""
        right = 'write a list of texts, such as ["one", "two"]'
        items = self._read(key, list, right, [])
        for number, item in enumerate(items):
            if not isinstance(item, str) or not _is_text(item):
                raise self.wrong((key, number), f"{self.name(key, number)} is {shown(item)}", right)
        return tuple(items)

    def table(self, key: str) -> Table:
        """Read a table; an empty one where the key is absent."""
        values = self._read(key, dict, f"write a table: [{self.name(key)}]", {})
        return Table(self.file, self.text, (*self.path, key), values)

    def tables(self, key: str) -> tuple[Table, ...]:
        """Read a list of tables; empty where the key is absent."""
        right = f"write [[{self.name(key)}]] above each"
        items = self._read(key, list, right, [])
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                raise self.wrong((key, number), f"{self.name(key, number)} is no table", right)
        return tuple(
            Table(self.file, self.text, (*self.path, key, number), item)
            for number, item in enumerate(items)
        )

    def _read[V](self, key: str, kind: type[V], right: str, default: V | None) -> V:
        value = self.values.get(key, default)
        if value is None:
            raise self.wrong(key, f"{self.name(key)} is missing", right)
        # In Python true is a number too; in TOML it is not.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"{self.name(key)} is {shown(value)}", right)
        return value


def suggest(word: str, known: Iterable[str]) -> str:
    """Advise what was probably meant by a word nobody knows."""
    names = {name.replace("_", "-"): name for name in known}
    near = get_close_matches(word.lower().replace("_", "-"), names, n=1)
    if near:
        return f'did you mean "{names[near[0]]}"?'
    return f"known: {', '.join(names.values())}" if names else ""


def one_of(words: Sequence[str]) -> str:
    """Advise to write one of some words."""
    quoted = [f'"{word}"' for word in words]
    return f"write {', '.join(quoted[:-1])} or {quoted[-1]}"


_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def is_host(name: str) -> bool:
    """Whether a name is a host as requests carry it: lower case, ASCII, without port."""
    if is_ip(name):
        return True
    last = name.rpartition(".")[2]
    return len(name) <= 253 and bool(_HOST.fullmatch(name)) and not last.isdigit()


def _is_text(value: str) -> bool:
    return bool(value.strip()) and not _CONTROL.search(value)


def shown(value: object) -> str:
    """Show a value as one would write it, on one line."""
    if isinstance(value, str | bool | int):
        shown = json.dumps(value, ensure_ascii=False)
        return shown if len(shown) <= 60 else shown[:57] + "…"
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else str(value)
