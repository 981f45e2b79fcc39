"""Dates as policies write them."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE: Final = re.compile(
    rf"""\b(?:
        (?P<month> {_MONTH} )\.? \s{{0,2}} (?P<day> \d{{1,2}} )(?: st|nd|rd|th )?,? \s{{0,2}}
        (?P<year> \d{{4}} )
      | (?P<day2> \d{{1,2}} )(?: st|nd|rd|th )?\.? \s{{1,2}}(?: of\s )?
        (?P<month2> {_MONTH} )\.?,? \s{{1,2}} (?P<year2> \d{{4}} )
      | (?P<iso> \d{{4}}-\d{{2}}-\d{{2}} )
      | (?P<first> \d{{1,2}} )(?P<mark>[/.])(?P<second> \d{{1,2}} )(?P=mark)(?P<year3> \d{{4}} )
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_EFFECTIVE: Final = re.compile(
    r"^(?:this (?:privacy |cookies? )?(?:policy|notice|statement) (?:is|was|becomes) )?"
    r"(?:effective(?: date)?(?: as of| on| from)?|in effect since|date)\b[\s:]{0,4}$",
    re.IGNORECASE,
)
_UPDATED: Final = re.compile(
    r"\b(?:last (?:updated|revised|modified|changed|reviewed)|updated|revised)"
    r"(?: on| as of)?[\s:]{0,4}$",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"\beffective (?:date|as of|on|from)?[\s:]{0,4}$", re.IGNORECASE)


def full_dates(text: str) -> Iterator[tuple[date, int, bool]]:
    """Every whole date of a text: the day, where it stands, and whether it can be read two ways."""
    if not re.search(r"\d{4}", text):
        return
    for match in _DATE.finditer(text):
        day, doubtful = _read(match)
        if day:
            yield day, match.start(), doubtful


def _read(match: re.Match[str]) -> tuple[date | None, bool]:
    if match["iso"]:
        return _date(*map(int, match["iso"].split("-"))), False
    if match["month"]:
        month = _MONTHS[match["month"].lower()]
        return _date(int(match["year"]), month, int(match["day"])), False
    if match["month2"]:
        month = _MONTHS[match["month2"].lower()]
        return _date(int(match["year2"]), month, int(match["day2"])), False
    first, second, year = int(match["first"]), int(match["second"]), int(match["year3"])
    # With strokes the month stands first, as in the United States; with points the day does.
    if match["mark"] == "." or first > 12:
        return _date(year, second, first), match["mark"] == "/" and first <= 12
    return _date(year, first, second), second <= 12 and first != second


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if 1990 <= year <= 2100 else None
    except ValueError:
        return None


def effective_in(text: str) -> tuple[date, bool, bool] | None:
    """The day a paragraph says a policy took effect: day, doubtful, and only "last updated"."""
    for day, start, doubtful in full_dates(text):
        before = text[max(0, start - 80) : start]
        if _EFFECTIVE.search(before.lstrip()) or _WORDS.search(before):
            return day, doubtful, False
        if _UPDATED.search(before):
            return day, doubtful, True
    return None
