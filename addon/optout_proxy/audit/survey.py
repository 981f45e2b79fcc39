"""Look at one file: `path → rows`, and what they add up to. Nothing is left behind for the next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from optout_proxy.audit.entry import Entry, Traits, Unreadable
from optout_proxy.audit.express import days_of
from optout_proxy.audit.hits import Hits
from optout_proxy.audit.opening import read_capture
from optout_proxy.audit.others import Others
from optout_proxy.audit.seen import CARRY_DATA, Eye, page_key
from optout_proxy.audit.tally import (
    MOST_NAMES,
    MOST_PAGES,
    CanaryFound,
    FileTally,
    Row,
    merge_days,
)
from optout_proxy.audit.verdict import Carried, Opinion
from optout_proxy.edits.cookies import set_cookie_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optout_proxy.audit.canary import Canary
    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.seen import Seen


def survey(
    path: Path,
    lens: Lens,
    note: Callable[[Row], None] | None = None,
    *,
    may_lack_cookies: bool = False,
) -> FileTally:
    """Read a file and tell what it shows; `note` is given a row for each entry, in order.

    Whether a file holds any cookies is known at its end: where the tally is `doubtful` then, look
    again with `may_lack_cookies`.
    """
    traits = Traits()
    found = FileTally(str(path).encode("utf-8", "replace").decode())
    look = _Look(lens, found, has_cookies=not may_lack_cookies)
    for entry in read_capture(path, traits):
        found.entries += 1
        row = look.at(entry)
        if note is not None:
            note(row)
    found.made_by, found.problem = traits.made_by, traits.problem
    return found


class _Look:
    """The looking at one file: what must be remembered from one entry to the next."""

    def __init__(self, lens: Lens, found: FileTally, *, has_cookies: bool) -> None:
        self._lens = lens
        self._found = found
        self._eye = Eye(lens)
        self._hits = Hits(lens, found, has_cookies=has_cookies)
        self._others = Others(lens, found, self._hits)

    def at(self, entry: Entry | Unreadable) -> Row:
        """Look at an entry; one that cannot be judged counts as unreadable, whatever is wrong."""
        if isinstance(entry, Unreadable):
            return self._unreadable(entry, "")
        try:
            row = self._row(self._eye.see(entry))
        except Exception as error:  # noqa: BLE001 - an odd entry costs itself and nothing else
            why = f"it cannot be judged: {type(error).__name__}: {error}"[:200]
            return self._unreadable(Unreadable(entry.index, why), entry.url)
        self._found.read += 1
        return row

    def _unreadable(self, entry: Unreadable, url: str) -> Row:
        self._found.unreadable.append(entry)
        return Row(self._found.path, entry.index, url, None, None, None, "unreadable")

    def _row(self, seen: Seen) -> Row:
        entry, decision = seen.entry, seen.decision
        self._note_traits(seen)
        if seen.is_document:
            self._note_page(seen)
        if decision.role:
            tool = self._lens.tools[decision.tool or ""]
            is_sent = entry.fate == "sent"
            undeclared = self._others.undeclared_tool(seen, tool) if is_sent else None
            finding = self._hits.note(seen, tool) or undeclared
        else:
            finding = self._others.note(seen)
        if entry.set_cookies:
            self._note_set_cookies(seen)
        if self._lens.canary is not None:
            finding = self._note_canary(seen, self._lens.canary) or finding
        known = decision.tool if decision.role or _is_listed(decision.tool) else None
        action = decision.action if known else "allow"
        place = (self._found.path, entry.index, entry.url)
        return Row(*place, known, decision.role, action, finding)

    def _note_traits(self, seen: Seen) -> None:
        found, lines = self._found, seen.lines
        if not found.has_cookies and ("cookie" in lines or seen.entry.set_cookies):
            found.has_cookies = True
        found.answered_here += seen.entry.fate == "answered-here"
        if "sec-gpc" in lines:
            found.gpc += lines["sec-gpc"] == "1"

    def _note_page(self, seen: Seen) -> None:
        entry = seen.entry
        has_come = 200 <= entry.status < 300 or entry.status == 304
        if not has_come or entry.fate not in {"sent", "cached"}:
            return
        self._found.page_loads += 1
        self._found.policy_loads += seen.place.covered
        pages, key = self._found.pages, page_key(entry.url)
        if key in pages or len(pages) < MOST_PAGES:
            pages[key] = pages.get(key, 0) + 1

    def _note_set_cookies(self, seen: Seen) -> None:
        now = _instant(seen.entry.started)
        for line in seen.entry.set_cookies:
            name = set_cookie_name(line)
            value = line.partition(b";")[0].partition(b"=")[2].strip().decode("latin-1")
            days = days_of(line, now)
            opted = self._lens.expressed.sets(seen.place.host, name, value)
            for tool in opted:
                self._found.tool(tool).opt_out_days.append(days)
                self._hits.opted_pages.setdefault(tool, set()).add(seen.place.site)
            if opted or days == 0:
                continue
            for tool in self._setters(seen, name):
                merge_days(self._found.tool(tool).cookies, [(name[:100], days)])

    def _setters(self, seen: Seen, name: str) -> tuple[str, ...]:
        """The tools that a cookie which is being set is for."""
        decision = seen.decision
        if decision.role and decision.tool and decision.role not in {"visits", "permits"}:
            return (decision.tool,)
        return self._others.owners(seen, name) if seen.is_own else ()

    def _note_canary(self, seen: Seen, canary: Canary) -> str | None:
        decision = seen.decision
        if seen.entry.fate != "sent" or seen.is_own:
            return None
        form = canary.found_in(seen.entry)
        if form is None:
            return None
        tool = decision.tool if decision.role else None
        if len(self._found.canaries) < MOST_NAMES:
            place = (self._found.path, seen.entry.index, seen.place.host)
            self._found.canaries.append(CanaryFound(*place, tool, form))
        if tool is None:
            self._others.received_canary(seen)
            return "undeclared"
        if decision.role in CARRY_DATA and decision.level != "allow":
            opinion = Opinion("violated", "canary-sent")
            self._hits.convict(seen, tool, opinion, Carried(), (form,))
            return "violated"
        return "canary"


def _is_listed(tool: str | None) -> bool:
    return tool is not None and tool.startswith("list:")


def _instant(started: str) -> datetime:
    """When a request was made; now where the capture does not say, which only shortens lives."""
    try:
        told = datetime.fromisoformat(started)
    except ValueError:
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)
