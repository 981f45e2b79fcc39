"""Look for a text that a tester typed, in every form in which trackers send what they record."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from optout_proxy.audit.entry import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.audit.entry import Entry

_HASHES: Final = ("md5", "sha1", "sha256", "sha512")
_MOST: Final = 8 << 20
"""Bytes of an unpacked body that are looked at: little can expand to very much."""
SHORTEST: Final = 4


class Canary:
    """A text in all its forms; the forms are looked for without regard to case."""

    def __init__(self, text: str) -> None:
        """Prepare to look for a text of at least `SHORTEST` letters; ValueError for less."""
        if len(text.strip()) < SHORTEST:
            raise ValueError(f"a canary needs {SHORTEST} letters, or it is found everywhere")
        self._exact: dict[bytes, str] = {}
        self._any_case: dict[bytes, str] = {}
        for name, form in _exact_forms(text):
            self._exact.setdefault(form, name)
        for name, form in _any_case_forms(text):
            self._any_case.setdefault(form.lower(), name)

    def found_in(self, entry: Entry) -> str | None:
        """In which form and where an entry carries it: `sha256 in the address`; None where not."""
        for place, text in _places(entry):
            if form := self._form(text):
                return f"{form} in {place}"
        return None

    def _form(self, text: bytes) -> str | None:
        for form, name in self._exact.items():
            if form in text:
                return name
        low = text.lower()
        return next((name for form, name in self._any_case.items() if form in low), None)


def _places(entry: Entry) -> Iterator[tuple[str, bytes]]:
    yield "the address", entry.url.encode("utf-8", "replace")
    for pair in entry.pairs:
        if len(pair.value) >= SHORTEST:
            yield f"the header {pair.name}"[:80], wire(pair.value)
    if entry.body:
        yield "the body", entry.body
        if (unpacked := _unpacked(entry.body)) is not None:
            yield "the packed body", unpacked


def _unpacked(body: bytes) -> bytes | None:
    """A body without gzip or deflate, as far as it is looked at; None where it is not packed."""
    if body[:2] != b"\x1f\x8b" and body[:1] != b"\x78":
        return None
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, _MOST)
    except zlib.error:
        return None


def _any_case_forms(text: str) -> Iterator[tuple[str, bytes]]:
    raw = text.encode()
    yield "plain", raw
    yield "URL-encoded", quote(text, safe="").encode()
    yield "URL-encoded", quote_plus(text).encode()
    yield "URL-encoded twice", quote(quote(text, safe=""), safe="").encode()
    yield "escaped", text.encode("unicode_escape")
    yield "hexadecimal", raw.hex().encode()
    for shape in {text, text.strip(), text.strip().lower()}:
        for name in _HASHES:
            yield name, _hash(name, shape).hex().encode()


def _exact_forms(text: str) -> Iterator[tuple[str, bytes]]:
    for shape in {text, text.strip().lower()}:
        for form in _base64_forms(shape.encode()):
            yield "base64", form
            yield "base64", form.translate(bytes.maketrans(b"+/", b"-_"))
        for name in _HASHES:
            yield f"{name} as base64", base64.b64encode(_hash(name, shape)).rstrip(b"=")


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """The letters that stay the same wherever the text stands in what was encoded."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        start = (0, 2, 3)[shift]
        whole = (shift + len(raw)) * 4 // 3
        if len(encoded[start:whole]) >= SHORTEST + 2:
            yield encoded[start:whole]


def _hash(name: str, text: str) -> bytes:
    return hashlib.new(name, text.encode(), usedforsecurity=False).digest()
