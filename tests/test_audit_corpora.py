"""The 56 outside captures: every request to a tool, reviewed against the captures at two levels.

`reviewed_har.csv` holds for each the first half of the SHA-256 of its file's name, its place and
its address, and what was reviewed: whose it is, in which role, what it means at `strip` and at
`block`. Of the captures themselves nothing is kept. What stands in no line is a request to no tool.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from captures import lens_at, shipped_registry
from corpora import CORPORA, needs_corpora
from optout_proxy.audit.survey import survey

if TYPE_CHECKING:
    from optout_proxy.audit.tally import Row

TABLE = Path(__file__).with_name("reviewed_har.csv")
HARS = sorted((CORPORA / "har").glob("*/*.har"))
LEVELS = ("strip", "block")
NOTHING = "-"


class Reviewed(NamedTuple):
    tool: str
    role: str
    strip: str
    block: str


def reviewed() -> dict[str, Reviewed]:
    with TABLE.open(encoding="ascii", newline="") as file:
        return {row.pop("request"): Reviewed(**row) for row in csv.DictReader(file)}


def key(file: str, index: int, url: str) -> str:
    text = f"{Path(file).name}\n{index}\n{url}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


def judged() -> dict[str, Reviewed]:
    """What is found at both levels of every request to a tool."""
    found: dict[str, dict[str, Row]] = {}
    for level in LEVELS:
        lens = lens_at(dict.fromkeys(shipped_registry().tool_files, level))
        for file in HARS:
            rows: list[Row] = []
            tally = survey(file, lens, rows.append)
            if tally.doubtful:
                rows.clear()
                survey(file, lens, rows.append, may_lack_cookies=True)
            for row in rows:
                if row.role is not None:
                    found.setdefault(key(row.file, row.index, row.url), {})[level] = row
    return {name: together(rows) for name, rows in found.items()}


def together(rows: dict[str, Row]) -> Reviewed:
    one = rows["block"]
    assert rows["strip"].tool == one.tool
    findings = [rows[level].finding or NOTHING for level in LEVELS]
    return Reviewed(str(one.tool), str(one.role), *findings)


def test_the_table_holds_every_role_and_finding() -> None:
    table = reviewed().values()
    assert Counter(one.role for one in table).keys() == {
        "loads", "collects", "telemetry", "widgets",
    }  # fmt: skip
    assert {one.strip for one in table} == {
        "violated", "honoured", "inconclusive", "enforced", NOTHING,
    }  # fmt: skip
    assert len(table) > 250


@needs_corpora
@pytest.mark.corpora
def test_every_reviewed_finding_is_still_found_and_no_other() -> None:
    table, found = reviewed(), judged()
    assert {n: one for n, one in found.items() if table.get(n) != one} == {}
    assert table.keys() == found.keys()
