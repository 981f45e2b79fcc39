"""What an audit says, in the forms that people, machines and build servers read.

A form is a module with `write(told) -> bytes`. Everything that came out of a capture is hostile to
all of them: addresses, cookie names and pages are the audited site's.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.result import Result


class Told(msgspec.Struct, frozen=True):
    """What is to be reported, and how."""

    result: Result
    lens: Lens
    fail_on: frozenset[str] = frozenset({"violated"})
    is_terminal: bool = False


def write(told: Told, form: str) -> bytes:
    """The report in one form."""
    module = importlib.import_module(f"optout_proxy.audit.reports.{form}")
    written: bytes = module.write(told)
    return written
