"""Tags as an HTML tokenizer reads them (HTML section 13.2.5.6 to 13.2.5.40), and edits of them.

Everything is bytes, and offsets into them: what an edit does not name stays as it came, whatever
its encoding (any in which ASCII bytes stand for ASCII; see `documents`).
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_S: Final = rb"\t\n\f\r "
_NAME: Final = rb"[^" + _S + rb"/>][^" + _S + rb"/>=]*+"
"""An attribute's name; `=` may be its first character."""
_VALUE: Final = (
    rb"(?:\"([^\"]*+)\"|'([^']*+)'|([^"
    + _S
    + rb">\"'][^"
    + _S
    + rb">]*+)(?=["
    + _S
    + rb">])|(?=>))"
)
_PLAIN_VALUE: Final = _VALUE.replace(rb"([^", rb"(?:[^")
_ATTRIBUTE: Final = rb"(?:[%s]*+=[%s]*+%s|(?=[%s]*+[^=%s]))"
_ONE: Final = _NAME + _ATTRIBUTE % (_S, _S, _PLAIN_VALUE, _S, _S)

ATTRIBUTES: Final = rb"(?:[" + _S + rb"/]++|" + _ONE + rb")*+"
"""All that may stand between a tag's name and its `>`: nothing of it is taken half."""
TAG_NAME: Final = rb"[a-zA-Z][^" + _S + rb"/>]*+"
XML_NAME: Final = rb"[a-zA-Z_:\x80-\xff][^" + _S + rb"/>]*+"
NAME_ENDS: Final = rb"(?=[" + _S + rb"/>])"

_PAIR: Final = re.compile(
    rb"[" + _S + rb"/]*+(" + _NAME + rb")(?:[%s]*+=[%s]*+%s)?+" % (_S, _S, _VALUE)
)
_START: Final = re.compile(rb"</?([^" + _S + rb"/>]*+)")
_REFERENCE: Final = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z0-9]+;?)=?")


class Attribute(NamedTuple):
    """One attribute: its name in lower case, its value as it stands, and where they stand."""

    name: str
    raw: bytes
    start: int
    end: int

    @property
    def value(self) -> str:
        """The value with character references resolved; bytes beyond ASCII as latin-1."""
        return attribute_text(self.raw.decode("latin-1"))


class Tag:
    """A complete tag, `<` to `>`."""

    __slots__ = ("_attributes", "name", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        found = _START.match(raw)
        self.name = found[1].decode("latin-1").lower() if found else ""
        self._attributes: tuple[Attribute, ...] | None = None

    @property
    def local_name(self) -> str:
        """Name without a namespace prefix, for XML."""
        return self.name.rpartition(":")[2]

    @property
    def is_end(self) -> bool:
        return self.raw.startswith(b"</")

    @property
    def closes_itself(self) -> bool:
        """Whether it ends with `/>` where the slash belongs to no value."""
        if not self.raw.endswith(b"/>"):
            return False
        return not self.attributes or self.attributes[-1].end < len(self.raw) - 1

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """In order, repeated names too: the first of a name counts."""
        if self._attributes is None:
            self._attributes = tuple(_attributes(self.raw))
        return self._attributes

    def get(self, name: str) -> str | None:
        """Value of an attribute, references resolved; None where there is none."""
        if name.encode("ascii") not in self.raw.lower():
            return None  # most tags have few of the attributes that are asked for
        return next((a.value for a in self.attributes if a.name == name), None)

    def without(self, name: str) -> Tag:
        """The tag without an attribute: all of its repetitions go, or the second would count."""
        return self._cut([(a.start, a.end, b"") for a in self.attributes if a.name == name])

    def with_attribute(self, name: str, value: str) -> Tag:
        """The tag with an attribute, in front of all others; what it had of that name goes.

        Name and value are ASCII, here and below: what encoding the page is in is not known.
        """
        bare = self.without(name)
        place = 1 + len(self.name)
        added = f' {name}="{quoted(value)}"'.encode("ascii")
        return Tag(bare.raw[:place] + added + bare.raw[place:])

    def with_value(self, name: str, value: str) -> Tag:
        """The tag with another value for an attribute that it has."""
        first = next(a for a in self.attributes if a.name == name)
        written = f'{name}="{quoted(value)}"'.encode("ascii")
        return self._cut([(first.start, first.end, written)])

    def _cut(self, spans: list[tuple[int, int, bytes]]) -> Tag:
        raw = self.raw
        for start, end, instead in reversed(spans):
            raw = raw[:start] + instead + raw[end:]
        return Tag(raw) if spans else self


def attribute_text(text: str) -> str:
    """Text of an attribute value, its character references resolved.

    A name without `;` before `=`, a letter or a digit is no reference (HTML section 13.2.5.73).
    """
    return _REFERENCE.sub(_resolved, text) if "&" in text else text


def quoted(value: str) -> str:
    """Value as it stands between double quotes."""
    text = value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return text.replace(">", "&gt;")


def names(words: Iterable[str], *, prefixed: bool = False) -> bytes:
    """Expression for these names in any case, gathered by first letter; no longer name fits."""
    by_letter: dict[str, list[str]] = {}
    for word in sorted(words):
        by_letter.setdefault(word[0], []).append(re.escape(word[1:]))
    groups = (f"{letter}(?:{'|'.join(rests)})" for letter, rests in by_letter.items())
    prefix = rb"(?:[\w.-]++:)?" if prefixed else b""
    return prefix + b"(?i:" + "|".join(groups).encode("ascii") + b")" + NAME_ENDS


def _attributes(raw: bytes) -> Iterable[Attribute]:
    start = _START.match(raw)
    position = start.end() if start else 0
    while pair := _PAIR.match(raw, position):
        position = pair.end()
        value = next((group for group in pair.groups()[1:] if group is not None), b"")
        yield Attribute(pair[1].decode("latin-1").lower(), value, pair.start(1), position)


def _resolved(match: re.Match[str]) -> str:
    text = match[0]
    after = "=" if text.endswith("=") else ""
    name = text.removesuffix("=")
    if name.startswith("&#"):
        return unescape(name) + after
    if name.endswith(";") and name[1:] in html5:
        return html5[name[1:]] + after
    known = _known_prefix(name[1:])
    is_cut_short = len(known) < len(name) - 1 and not name[1 + len(known) :].startswith(";")
    if not known or is_cut_short or after:
        return text
    return html5[known] + name[1 + len(known) :]


def _known_prefix(name: str) -> str:
    """The longest reference without `;` that a name starts with."""
    ends = range(len(name), 1, -1)
    return next((name[:end] for end in ends if name[:end] in html5 and name[end - 1] != ";"), "")
