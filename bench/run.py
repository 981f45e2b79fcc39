"""`make bench`: what we measure, side by side with a peer, in one run, as ratios.

Absolute times depend on the machine and on what else it does; a ratio inside one run does not.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

import audit
import matching
import wire

if TYPE_CHECKING:
    from measure import Row


PARTS = {"matching": matching, "audit": audit, "wire": wire}


def draw(rows: list[Row]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("measure", "peer", "ours", "peer's", "ratio", "first", "met"):
        table.add_column(title, justify="left" if title in {"measure", "peer"} else "right")
    for row in rows:
        met = "" if row.first is None else "yes" if row.met else "NO"
        first = "" if row.first is None else f"{row.first:g}"
        table.add_row(row.measure, row.peer, row.ours, row.theirs, f"{row.ratio:.3g}", first, met)
    Console(width=150).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests and flows")
    parser.add_argument("--only", choices=PARTS, help="measure only this part")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}")
    parts = [given.only] if given.only else list(PARTS)
    rows = [row for part in parts for row in PARTS[part].rows(quick=given.quick)]
    draw(rows)
    if "matching" in parts:
        for line in matching.disagreements(quick=given.quick):
            print(line)
    if given.json:
        given.json.write_text(json.dumps([row.plain() for row in rows], indent=1))


if __name__ == "__main__":
    main()
