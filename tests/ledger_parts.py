"""What the tests of the ledger share: a clock to turn, a request, and a credit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from optout_proxy.ledger import Ledger
from optout_proxy.model import Credit, Removed, Request, RuleRef

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "https://www.mass.gov/topics"
REQUEST = Request(
    url="https://www.google-analytics.com/g/collect?v=2&cid=111.222",
    host="www.google-analytics.com",
    page=PAGE,
    page_host="www.mass.gov",
    type="xmlhttprequest",
)
RULE = RuleRef("blocklists/google-analytics.toml", 12, "||google-analytics.com^")
CREDIT = Credit("google-analytics", "block", "block", RULE, Removed(("_ga",), ("cid",), ()))


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self, text: str = "2026-11-24T10:00:00Z") -> None:
        self.now = datetime.fromisoformat(text).astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **span: float) -> None:
        self.now += timedelta(**span)


def written(folder: Path, *, lines: int = 5, clock: Clock | None = None) -> Path:
    """A closed file with an opening, `lines` enforcements and a closing line."""
    known = set(folder.glob("*.jsonl"))
    ledger = Ledger(folder, clock=clock or Clock())
    for number in range(lines):
        ledger.record(REQUEST, (Credit(f"tool-{number}", "block", "block", RULE),))
    ledger.close()
    (file,) = set(folder.glob("*.jsonl")) - known
    return file
