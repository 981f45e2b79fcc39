"""What is to be changed in a page: the choices in force there, as plain values."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from optout_proxy.pages.tags import Tag

_UNSAFE: Final = re.compile(r"</|<!|\]\]>|[\u2028\u2029\x00]|[^\x00-\x7f]")
_MARKUP: Final = re.compile(r"<([a-z]+)((?: [a-z][a-z0-9_:-]*=\"[ !#-%'-;=?-~]*\")*)>")


GOOGLE_IDS: Final = (
    r"(?<![A-Za-z0-9_-])(?:G|GT|AW|DC|UA)-[A-Z0-9]{4,14}(?:-[0-9]{1,4})?(?![A-Za-z0-9_-])"
)
"""Ids of Google's tags: `G-…`, `UA-…-1`, `AW-…`. Not `GTM-…`: a container has no such flag."""


def _check_expression(text: str) -> None:
    try:
        re.compile(text)
    except re.error as wrong:
        raise ValueError(f"{text!r} is no expression: {wrong}") from None


class Flag(msgspec.Struct, frozen=True):
    """A global that a tool reads as an opt-out; a `*` in the name stands for an id in the page."""

    name: str
    value: str
    """A JavaScript expression: ASCII, and nothing that could end the script around it."""
    ids: str = GOOGLE_IDS
    """Expression for the ids that `*` stands for."""

    def __post_init__(self) -> None:
        _check_expression(self.ids)
        if _UNSAFE.search(self.value):
            raise ValueError(f"{self.value!r} could end the script that it is put into")

    @property
    def names_an_id(self) -> bool:
        return "*" in self.name


class PagePlan(msgspec.Struct, frozen=True):
    """What the choices in force ask for in one page. ValueError for what cannot be done."""

    gpc: bool = False
    """Whether `navigator.globalPrivacyControl` is true; it must agree with the header sent."""
    flags: tuple[Flag, ...] = ()
    cookies: tuple[str, ...] = ()
    """Names of cookies that scripts do not set: exact, `prefix*`, or `/expression/`."""
    storage: tuple[str, ...] = ()
    """Keys of localStorage and sessionStorage, written likewise."""
    markup: tuple[str, ...] = ()
    """`<meta …>` elements to put into the head. Any other tag says what is to be written on tags
    like it: those that have its name and its classes get its other attributes."""
    integrity: bool = False
    """Whether `integrity` goes from tags whose body is replaced (see `open_page`)."""
    version: str = ""
    """What else the page depends on: it must change when the answers for its scripts do."""

    def __post_init__(self) -> None:
        for text in self.markup:
            if not _MARKUP.fullmatch(text):
                raise ValueError(f"{text!r} is no start tag with quoted attributes")
        for name in (*self.cookies, *self.storage):
            _check_expression(expression(name))

    @property
    def is_empty(self) -> bool:
        """Whether pages go through as they are."""
        return not (self.integrity or self.has_prelude or self.markup or self.flags)

    @property
    def has_prelude(self) -> bool:
        """Whether a script is put before the page's own."""
        return self.gpc or bool(self.cookies or self.storage or self.plain_flags)

    @property
    def plain_flags(self) -> tuple[Flag, ...]:
        return tuple(flag for flag in self.flags if not flag.names_an_id)

    @property
    def id_flags(self) -> tuple[Flag, ...]:
        return tuple(flag for flag in self.flags if flag.names_an_id)

    @property
    def inserted(self) -> tuple[Tag, ...]:
        """Elements to put into the head."""
        return tuple(tag for tag in self._tags if tag.name == "meta")

    @property
    def marked(self) -> tuple[Tag, ...]:
        """Patterns of tags to write attributes on."""
        return tuple(tag for tag in self._tags if tag.name != "meta")

    @property
    def _tags(self) -> tuple[Tag, ...]:
        return tuple(Tag(text.encode("ascii")) for text in self.markup)

    def stamp(self, *more: bytes) -> str:
        """Short text that differs where what is done to a page differs."""
        said = msgspec.json.encode((self, [part.hex() for part in more]))
        return hashlib.sha256(said).hexdigest()[:12]


def expression(pattern: str) -> str:
    """Regular expression for an exact name, for `prefix*`, or of `/expression/`.

    It is one in Python and in JavaScript alike. `*` may stand anywhere in a name.
    """
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return pattern[1:-1]
    parts = (re.sub(r"[^A-Za-z0-9_ -]", r"\\\g<0>", part) for part in pattern.split("*"))
    return f"^{'.*'.join(parts)}$"
