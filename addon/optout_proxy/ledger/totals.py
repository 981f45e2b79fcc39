"""What a ledger adds up to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.errors import InputError
from optout_proxy.ledger.lines import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optout_proxy.ledger.reader import Entry, Line

_DURATION: Final = re.compile(r"([0-9]{1,6})\s*([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class Totals(msgspec.Struct, frozen=True):
    """Counts of lines, most first; days in order."""

    enforced: int
    responses: int
    """Those of `enforced` that are about a response: its request may have a line of its own."""
    tools: dict[str, int]
    actions: dict[str, int]
    sites: dict[str, int]
    days: dict[str, int]
    tool_actions: dict[str, dict[str, int]]
    notes: dict[str, int]
    """Lines that are no enforcement, by event, those that are `unreadable` among them."""
    lost: int
    """Lines that the ledger says could not be written."""
    first: str
    """Time of the first line; empty where there is none."""
    last: str


def totals(
    entries: Iterable[Entry], *, since: datetime | None = None, tool: str | None = None
) -> Totals:
    """Add up the entries that `select` picks; holds no entry, only the counts."""
    count = _Count()
    for entry in select(entries, since=since, tool=tool):
        count.add(entry.line, enforced=entry.enforced)
    return count.totals()


def select(
    entries: Iterable[Entry], *, since: datetime | None = None, tool: str | None = None
) -> Iterator[Entry]:
    """Pick the entries since a moment, and of one tool where one is named."""
    start = stamp(since) if since else ""
    for entry in entries:
        if entry.line.time >= start and tool in (None, entry.line.tool):
            yield entry


def parse_since(text: str, now: datetime) -> datetime:
    """Read the moment that `2h`, `3d` or `2026-11-24T10:00` means, or raise InputError.

    Dates and times without a zone are UTC, as the ledger's days are.
    """
    if found := _DURATION.fullmatch(text.strip()):
        return _before(now, timedelta(**{_UNITS[found[2]]: int(found[1])}))
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        right = "write 15m, 2h, 3d, 1w, 2026-11-24 or 2026-11-24T10:00"
        raise InputError("since", f"{text!r} is no duration and no date", right=right) from error


def _before(now: datetime, span: timedelta) -> datetime:
    try:
        return now - span
    except OverflowError:
        return _EARLIEST


class _Count:
    def __init__(self) -> None:
        self._tools: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._sites: Counter[str] = Counter()
        self._days: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._lost = 0
        self._first = self._last = ""

    def add(self, line: Line, *, enforced: bool) -> None:
        self._first = min(self._first or line.time, line.time)
        self._last = max(self._last, line.time)
        self._lost += line.lost
        if not enforced:
            self._notes[line.event] += 1
            return
        self._events[line.event] += 1
        self._tools[line.tool][line.action] += 1
        self._sites[line.site] += 1
        self._days[line.time[:10]] += 1

    def totals(self) -> Totals:
        tools = Counter({tool: actions.total() for tool, actions in self._tools.items()})
        actions = sum(self._tools.values(), Counter[str]())
        return Totals(
            enforced=self._events.total(),
            responses=self._events["response"],
            tools=dict(tools.most_common()),
            actions=dict(actions.most_common()),
            sites=dict(self._sites.most_common()),
            days=dict(sorted(self._days.items())),
            tool_actions={
                tool: dict(self._tools[tool].most_common()) for tool, _ in tools.most_common()
            },
            notes=dict(self._notes.most_common()),
            lost=self._lost,
            first=self._first,
            last=self._last,
        )
