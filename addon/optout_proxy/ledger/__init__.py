"""The ledger: what was enforced, written so that it can be proved.

`Ledger` writes, `read` and `totals` read, `verify` tells whether anybody changed it since.
"""

from optout_proxy.ledger.evidence import Finding, Verification, verify
from optout_proxy.ledger.files import Head
from optout_proxy.ledger.folders import state_folder
from optout_proxy.ledger.reader import Entry, Line, heads, read
from optout_proxy.ledger.totals import Totals, parse_since, select, totals
from optout_proxy.ledger.writer import Ledger

__all__ = [
    "Entry",
    "Finding",
    "Head",
    "Ledger",
    "Line",
    "Totals",
    "Verification",
    "heads",
    "parse_since",
    "read",
    "select",
    "state_folder",
    "totals",
    "verify",
]
