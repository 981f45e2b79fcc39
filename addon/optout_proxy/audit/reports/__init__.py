"""What an audit says, in the forms that people, machines and build servers read.

A form is a module with `write(result, lens) -> bytes`. Everything that came out of a capture is
hostile to all of them: addresses, cookie names and pages are the audited site's.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.result import Result


def write(result: Result, lens: Lens, form: str, *, is_terminal: bool = False) -> bytes:
    """The report in one form."""
    module = importlib.import_module(f"optout_proxy.audit.reports.{form}")
    written: bytes = module.write(result, lens, is_terminal=is_terminal)
    return written
