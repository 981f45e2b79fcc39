"""CSV for spreadsheets: one line a tool, an undeclared site and a tool never seen.

A cell that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV
injection).
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from optout_proxy.audit.reports import words
from optout_proxy.audit.reports.findings import Found, findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optout_proxy.audit.reports import Told

_COLUMNS: Final = (
    "kind", "about", "level", "verdict", "reason", "says", "hits", "baseline_hits", "waiver",
    "place", "evidence",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def write(told: Told) -> bytes:
    """The result as CSV with a head line."""
    out = io.StringIO()
    lines = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    lines.writerow(_COLUMNS)
    found = list(findings(told))
    decided = {one.about: one for one in found if one.kind not in {"undeclared", "never-seen"}}
    for name, tool in told.result.tools.items():
        one = decided.get(name)
        before = "" if tool.baseline_hits is None else tool.baseline_hits
        facts = (name, tool.level, tool.verdict, tool.reason, tool.says, tool.hits, before)
        lines.writerow(_cells(("verdict", *facts, *_ends(one))))
    for one in found:
        if one.kind in {"undeclared", "never-seen", "deviation"}:
            cells = (one.kind, one.about, "", "", "", one.says, "", "", *_ends(one))
            lines.writerow(_cells(cells))
    return out.getvalue().encode()


def _ends(one: Found | None) -> tuple[str, str, str]:
    if one is None:
        return "", "", ""
    waiver = words.of_waiver(one.waiver) if one.waiver else ""
    return waiver, f"{one.place.file}:{one.place.line}", " / ".join(one.evidence[:3])


def _cells(values: Sequence[object]) -> list[str]:
    return [_cell(str(value)) for value in values]


def _cell(text: str) -> str:
    shown = words.plain(text, 2000)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
