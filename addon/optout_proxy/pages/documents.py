"""What kind of document a response carries, and whether its bytes can be edited as they stand.

Tags are found in any encoding in which the bytes of `<`, `>`, quotes and letters stand for these
and nothing else: UTF-8, the single-byte ones, and those of the East but ISO-2022-JP (WHATWG
Encoding). In the others the page goes through as it is, and that is said. What we insert is ASCII,
so that it is right in all of them, whatever a `<meta charset>` says, and wherever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    type Kind = Literal["html", "xhtml"]

MOST_SNIFFED: Final = 1024
"""Bytes in which a document must show its first tag, if it starts with none."""

UNREADABLE: Final = re.compile(
    r"utf-?16|utf-?32|ucs-?[24]|unicodef|unicode$|iso-10646|(?:cs)?iso-?2022|hz-gb|replacement",
    re.IGNORECASE,
)
"""Labels of encodings whose bytes mean something else. Of these, a `<meta>` in a page that can be
read at all may only mean ISO-2022-JP and the replacement encoding (HTML section 13.2.3.3)."""
SHIFTED: Final = re.compile(r"iso-?2022|hz-gb|replacement", re.IGNORECASE)
SHIFT: Final = re.compile(rb"\x1b[$(]")
"""How ISO-2022-JP announces bytes that are no ASCII; browsers guess it from that."""

_META_CHARSET: Final = re.compile(
    rb"<!--.*?-->|<meta[\t\n\f\r /][^>]*?charset[\t\n\f\r ]*=[\t\n\f\r ]*[\"']?"
    rb"([A-Za-z0-9_:.()+-]{1,40})",
    re.IGNORECASE | re.DOTALL,
)

_KINDS: Final[dict[str, Kind]] = {"text/html": "html", "application/xhtml+xml": "xhtml"}
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*(?:\"([^\"]*)\"|([^\s;]+))", re.IGNORECASE)
_BOM: Final = b"\xef\xbb\xbf"
_WIDE_BOMS: Final = (b"\xfe\xff", b"\xff\xfe")
_SPACES: Final = re.compile(rb"[\t\n\f\r ]*+")
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has (WHATWG MIME Sniffing section 3)."""


def kind_of(content_type: bytes) -> Kind | None:
    """Kind of document that a `Content-Type` names; None where it is no page."""
    essence = content_type.decode("latin-1").partition(";")[0].strip().lower()
    return _KINDS.get(essence)


def charset_of(content_type: bytes) -> str:
    """The charset that a `Content-Type` names, lower case; empty where it names none."""
    found = _CHARSET.search(content_type.decode("latin-1"))
    return (found[1] or found[2] or "").strip().lower() if found else ""


def declared(front: bytes) -> bytes:
    """The charset that a `<meta>` among these bytes declares; empty where none does."""
    return next((label for label in _META_CHARSET.findall(front) if label), b"")


def sniff(front: bytes, charset: str, *, final: bool) -> tuple[str, int] | None:
    """Why a document is left alone (empty: it is not), and where its markup starts.

    None where its first bytes do not tell yet.
    """
    if front.startswith(_WIDE_BOMS):
        return "is in UTF-16", 0
    start = len(_BOM) if front.startswith(_BOM) else 0
    at = _text_start(front, start)
    if not final and len(front) < min(max(at + 2, len(_BOM)), MOST_SNIFFED):
        return None
    if not start and UNREADABLE.match(charset):
        return f"is in {charset[:40]}", 0
    if b"\x00" in front[at : at + 2]:
        return "is in UTF-16, or no text", 0
    return ("", start) if front.startswith(b"<", at) else _text(front, at, start, final=final)


def _text_start(front: bytes, start: int) -> int:
    found = _SPACES.match(front, start)
    return found.end() if found else start


def _text(front: bytes, at: int, start: int, *, final: bool) -> tuple[str, int] | None:
    """The same for what does not start with a tag: text in front of one, or no markup at all."""
    head = front[:MOST_SNIFFED]
    tag = head.find(b"<", at)
    text = head[at : tag if tag >= 0 else len(head)]
    if text[:1] in {b"{", b"["} or _NOT_TEXT.search(text):
        return "is no HTML", 0
    if tag >= 0:
        return "", start
    return ("has no tag where it starts", 0) if final or len(front) >= MOST_SNIFFED else None
