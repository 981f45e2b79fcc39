"""A document as it was published: bytes of any charset → text, with what was odd about it."""

from __future__ import annotations

import codecs
import hashlib
import re
from typing import Final, Literal

import msgspec

from optout_proxy.errors import InputError

type Form = Literal["html", "markdown", "text"]

# The longest policy met so far has 40 kB of text in 630 lines. A page saved with all it loads may
# have some MB, most of which no reader sees. Beyond these bounds a document is refused, so that an
# answer comes within seconds whatever is given.
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_LINES: Final = 200_000
MOST_TEXT: Final = 2_000_000
"""Characters that a reader sees."""
MOST_BLOCKS: Final = 50_000
MOST_TAGS: Final = 400_000

_BINARY: Final = (
    (b"%PDF", "is a PDF", "save its text, or the page it was printed from"),
    (b"PK\x03\x04", "is a ZIP archive or an office document", "save it as text or HTML"),
    (b"\x1f\x8b", "is compressed", "unpack it first"),
    (b"\x89PNG", "is a picture", "save the page itself"),
    (b"\xff\xd8\xff", "is a picture", "save the page itself"),
    (b"\xd0\xcf\x11\xe0", "is an office document", "save it as text or HTML"),
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET: Final = re.compile(
    rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE
)
_TAGS: Final = re.compile(
    r"<(?:!doctype html|html|head|body)\b|</(?:p|div|h[1-6]|li|td|tr|dd|dt|section|article)>",
    re.IGNORECASE,
)
_MARKS: Final = re.compile(r"^#{1,6}\s|^(?:\*\*|__)\S|\]\(https?://|^\|.*\|\s*$", re.MULTILINE)
# Bytes of the C0 range that no text has; where they are frequent, the file is none.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


class Document(msgspec.Struct, frozen=True):
    """A text with the hash of the bytes it came from."""

    name: str
    sha256: str
    text: str
    """Line ends are `\\n` alone."""
    form: Form
    lines: int
    warnings: tuple[str, ...] = ()


def parse_document(raw: bytes, name: str) -> Document:
    """Read the bytes of a document; InputError where they are no text, or no end of it."""
    if len(raw) > MOST_BYTES:
        raise too_much(name, f"{MOST_BYTES // 2**20} MB")
    for start, what, right in _BINARY:
        if raw.startswith(start):
            raise InputError(name, what, right=right)
    text, warnings = _decoded(raw, name)
    if len(_CONTROL.findall(text[:100_000])) > len(text[:100_000]) // 50:
        raise InputError(name, "is not a text", right="save the page as HTML, Markdown or text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    if lines > MOST_LINES:
        raise too_much(name, f"{MOST_LINES} lines")
    form = _form(text, name)
    if form != "html" and len(text) > 2 * MOST_TEXT:
        raise too_much(name, f"{2 * MOST_TEXT} characters")
    sha256 = hashlib.sha256(raw).hexdigest()
    return Document(name, sha256, text, form, max(1, lines), warnings)


def too_much(name: str, what: str) -> InputError:
    """Refuse what is too long to be a policy."""
    what = f"has more than {what}, and no policy is that long"
    return InputError(name, what, right="cut out the part that is one")


def _decoded(raw: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, "replace"), ()
    if b"\0" in raw:
        raise InputError(name, "is not a text", right="save the page as HTML, Markdown or text")
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    encoding = _declared(raw) or "windows-1252"
    said = f"line {line} is not UTF-8: the document was read as {encoding}"
    return raw.decode(encoding, "replace"), (said,)


def _declared(raw: bytes) -> str | None:
    """The charset that a page names, where Python knows it for a text encoding."""
    found = _CHARSET.search(raw, 0, 4096)
    if not found:
        return None
    try:
        known = codecs.lookup(found[1].decode("ascii", "replace"))
        b"".decode(known.name)
    except (LookupError, ValueError):
        return None
    # https://encoding.spec.whatwg.org: a page that says latin-1 or ASCII means windows-1252.
    name = known.name
    return None if name in ("iso8859-1", "ascii", "utf-8") else name


def _form(text: str, name: str) -> Form:
    head = text[:200_000]
    if name.lower().endswith((".html", ".htm", ".xhtml")) or len(_TAGS.findall(head)) >= 2:
        return "html"
    return "markdown" if len(_MARKS.findall(head)) >= 2 else "text"
