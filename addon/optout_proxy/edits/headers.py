"""Edits of header lines: order and spelling of everything not named stay as they came.

Names are asked for in bytes and compared without regard to case. Where nothing changes, the very
same tuple comes back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.edits.cookies import cut_cookies

if TYPE_CHECKING:
    from collections.abc import Collection

    from optout_proxy.edits.cookies import CutsCookie
    from optout_proxy.model import Headers

_ORIGIN: Final = re.compile(rb"([a-z][a-z0-9+.-]*://)(?:[^/\\?#]*@)?+([^/\\?#@]+)", re.IGNORECASE)


def value(headers: Headers, name: bytes) -> bytes | None:
    """Value of the first line of that name."""
    name, size = name.lower(), len(name)
    for key, text in headers:
        if len(key) == size and key.lower() == name:
            return text
    return None


def values(headers: Headers, name: bytes) -> tuple[bytes, ...]:
    """Values of all lines of that name, in order."""
    name, size = name.lower(), len(name)
    return tuple([text for key, text in headers if len(key) == size and key.lower() == name])


def without(headers: Headers, names: Collection[bytes]) -> tuple[Headers, tuple[str, ...]]:
    """All lines but those of `names` (lower case); also the names removed, each once.

    Removed names come back as they were spelled.
    """
    kept: list[tuple[bytes, bytes]] = []
    removed: dict[bytes, str] = {}
    for line in headers:
        lower = line[0].lower()
        if lower in names:
            removed.setdefault(lower, line[0].decode("latin-1"))
        else:
            kept.append(line)
    return (tuple(kept), tuple(removed.values())) if removed else (headers, ())


def replaced(headers: Headers, name: bytes, value: bytes | None) -> Headers:
    """One line of that name with that value; None removes all of them.

    The first one keeps its place and spelling, later ones go. A new line comes last, its name
    spelled as given, or in lower case where all others are (HTTP/2 knows no other).
    """
    lower = name.lower()
    lines: list[tuple[bytes, bytes]] = []
    for line in headers:
        if line[0].lower() != lower:
            lines.append(line)
        elif value is not None:
            lines.append((line[0], value))
            value = None
    if value is not None:
        lines.append((lower if _is_lower(headers) else name, value))
    return headers if lines == list(headers) else tuple(lines)


def edit_cookie_headers(headers: Headers, cuts: CutsCookie) -> tuple[Headers, tuple[str, ...]]:
    """Cut cookies from every `Cookie` line (HTTP/2 sends several); also the names cut, each once.

    A line that has no cookie left goes.
    """
    lines: list[tuple[bytes, bytes]] = []
    cut: dict[str, None] = {}
    for line in headers:
        if len(line[0]) != 6 or line[0].lower() != b"cookie":
            lines.append(line)
            continue
        rest, names = cut_cookies(line[1], cuts)
        cut.update(dict.fromkeys(names))
        if rest is not None:
            lines.append((line[0], rest) if names else line)
    return (tuple(lines), tuple(cut)) if cut else (headers, ())


def origin_referer(headers: Headers) -> Headers:
    """Cut `Referer` to its origin (`https://host/`); one that names no origin goes."""
    referer = value(headers, b"referer")
    return headers if referer is None else replaced(headers, b"referer", _origin(referer))


def _origin(url: bytes) -> bytes | None:
    found = _ORIGIN.match(url)
    if not found:
        return None
    origin = found[1] + found[2]
    return url if url == origin else origin + b"/"


def _is_lower(headers: Headers) -> bool:
    return all(key == key.lower() for key, _ in headers)
