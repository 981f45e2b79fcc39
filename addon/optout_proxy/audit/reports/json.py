"""JSON: the whole result; `docs/audit.md` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.result import Result


def write(result: Result, lens: Lens, *, is_terminal: bool) -> bytes:  # noqa: ARG001 - one form
    """The result as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"
