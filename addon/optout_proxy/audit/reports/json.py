"""JSON: the whole result; `docs/audit.md` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told


def write(told: Told) -> bytes:
    """The result as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(told.result), indent=1) + b"\n"
