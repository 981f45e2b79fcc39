"""Parameters elsewhere than in a URL's query: inside an address it carries, and in its path.

Text is cut out, as in `edits.url`: whatever is not named stays byte for byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.edits.percent import decoded, wire

if TYPE_CHECKING:
    from optout_proxy.edits.url import CutsParam

_ASKS: Final = re.compile(r"\?|%3f", re.IGNORECASE)
_FRAGMENT: Final = re.compile(r"#|%23", re.IGNORECASE)
_AND: Final = re.compile(r"(&|%26)", re.IGNORECASE)
_IS: Final = re.compile(r"=|%3d", re.IGNORECASE)


def cut_carried(url: str, cuts: CutsParam) -> str:
    """Cut parameters of addresses that are values of a URL's parameters (`dl=https%3A%2F%2F…`).

    `cuts` is asked with name and text decoded. An address that is encoded twice stays as it is.
    """
    front, mark, rest = url.partition("?")
    asked, hash_mark, fragment = rest.partition("#")
    pieces = []
    for piece in asked.split("&"):
        name, equals, value = piece.partition("=")
        pieces.append(f"{name}{equals}{_cut_inside(value, cuts)}")
    return f"{front}{mark}{'&'.join(pieces)}{hash_mark}{fragment}"


def cut_path_params(url: str, cuts: CutsParam) -> str:
    """Cut `;name=value` from a URL's path, as Floodlight has them."""
    end = min(place for place in (url.find("?"), url.find("#"), len(url)) if place >= 0)
    head, *pieces = url[:end].split(";")
    kept = [piece for piece in pieces if "=" not in piece or not cuts(*_named(piece))]
    return ";".join((head, *kept)) + url[end:]


def _cut_inside(value: str, cuts: CutsParam) -> str:
    asks = _ASKS.search(value)
    if asks is None:
        return value
    fragment = _FRAGMENT.search(value, asks.end())
    end = fragment.start() if fragment else len(value)
    pieces = ["", *_AND.split(value[asks.end() : end])]
    kept = [
        (separator, piece)
        for separator, piece in zip(pieces[::2], pieces[1::2], strict=True)
        if not piece or not cuts(*_named(piece))
    ]
    if not any(piece for _, piece in kept):
        return value[: asks.start()] + value[end:] if len(kept) < len(pieces) // 2 else value
    inside = "".join(f"{separator}{piece}" for separator, piece in kept)
    return value[: asks.end()] + inside.removeprefix(kept[0][0]) + value[end:]


def _named(piece: str) -> tuple[str, str]:
    """Name of a parameter, and its text `name=value`, both decoded."""
    name, value = (*_IS.split(piece, maxsplit=1), "")[:2]
    plain = _plain(name)
    return plain, f"{plain}={_plain(value)}"


def _plain(text: str) -> str:
    return decoded(wire(decoded(wire(text)))) if "%" in text else text
