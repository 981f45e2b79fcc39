"""Percent-encoding, read the way a server reads it and never lossy."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_BROKEN: Final = re.compile("[\udc80-\udcff]")


def decoded(raw: bytes) -> str:
    """Percent-decoded UTF-8; a byte that is no UTF-8 stays percent-encoded (`%E9`)."""
    text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "surrogateescape")
    return text if text.isascii() else _BROKEN.sub(_encoded, text)


def wire(text: str) -> bytes:
    """Bytes that a text of a request stands for: latin-1, as `model.Request.url` has it.

    A text that a person typed may hold characters beyond latin-1; it becomes UTF-8.
    """
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _encoded(stray: re.Match[str]) -> str:
    return f"%{ord(stray[0]) - 0xDC00:02X}"
