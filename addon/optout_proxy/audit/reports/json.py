"""JSON: the whole result; `docs/audit.md` describes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told

_FOREIGN: Final = re.compile(r"[^\n\x20-\x7e]")


def write(told: Told) -> bytes:
    """The result as one JSON object, in ASCII: what a site wrote may steer a terminal."""
    text = msgspec.json.format(msgspec.json.encode(told.result), indent=1).decode()
    return f"{_FOREIGN.sub(_escaped, text)}\n".encode("ascii")


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))
