"""Two visits against what was promised: a row a tool, and whether the whole proves anything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from optout_proxy.demo.certificates import AUTHORITY
from optout_proxy.demo.promise import Fate, Outcome, OwnSite, Unread, expired_by, promised
from optout_proxy.demo.result import Played, Row, Show, Site, counted, seen, sent, total
from optout_proxy.demo.table import (
    ASKS,
    BYSTANDER,
    COOKIES,
    LANDING,
    LINK,
    PAGE,
    PAGE_HOST,
    STYLE,
    TOOLS,
    Ask,
)
from optout_proxy.ledger import Verification, read, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optout_proxy.demo.origins import Traffic
    from optout_proxy.demo.promise import Outcomes, Promise
    from optout_proxy.registry import Registry

type _Lines = Counter[tuple[str, str, str, str]]
"""Ledger lines of requests by tool, level, action and host."""


def judge(registry: Registry, visits: Visits, ledger: Path) -> Show:
    """Hold both visits and the ledger against the user's choices."""
    return _Judge(registry, visits, ledger).show()


class Visits(NamedTuple):
    """The visit, played twice."""

    without: Outcomes
    through: Outcomes
    late: Traffic
    """What reached a stand-in after the browser was done and the proxy had stopped."""


class _Judge:
    def __init__(self, registry: Registry, visits: Visits, ledger: Path) -> None:
        self._registry = registry
        self._choices = registry.choices
        self._without, self._through, self._late = visits
        self._verified: Verification | None = verify(ledger) if ledger.is_dir() else None
        self._lines = _lines(ledger) if ledger.is_dir() else Counter()
        operators = {tool: registry.tool_files[tool].tool.operator for tool in TOOLS}
        self._fates = {ask: promised(ask, self._choices, operators) for ask in ASKS}

    def show(self) -> Show:
        return Show(
            config=str(self._registry.settings.file),
            tools=tuple(self._row(tool) for tool in TOOLS),
            site=self._site(),
            ledger=self._verified.state if self._verified else "missing",
            unread=self._through[BYSTANDER].got.issuer == AUTHORITY,
            ledger_lines=self._verified.lines if self._verified else 0,
            broken=tuple(self._whole()),
        )

    def _row(self, tool: str) -> Row:
        done: Counter[str] = Counter()
        for (name, _, action, _), times in self._lines.items():
            done[action] += times if name == tool else 0
        return Row(
            id=tool,
            name=self._registry.tool_files[tool].tool.name,
            level=self._choices.level(tool, PAGE_HOST),
            requests=tuple(self._played(ask) for ask in ASKS if ask.tool == tool),
            opt_out_said=any(
                fate.action == "signal" and fate.is_visible
                for ask, fate in self._fates.items()
                if ask.tool == tool
            ),
            done={action: times for action, times in done.items() if times},
            broken=(*self._unproved(tool), *self._unwritten(tool)),
        )

    def _played(self, ask: Ask) -> Played:
        fate, through = self._fates[ask], self._through[ask]
        return Played(
            role=ask.role,
            url=ask.url,
            type=ask.type,
            action=fate.action,
            tried=sent(ask),
            without=counted(self._without[ask].reached),
            through=counted(through.reached),
            arrived=seen(through.reached),
            answered=", ".join(through.got.values(b"optout-proxy")),
            broken=(*self._control(ask), *_broken(fate, ask, through)),
        )

    def _control(self, ask: Ask) -> Iterator[str]:
        """Without the product everything must arrive as it is, or the demo itself is at fault."""
        for what in _broken(Fate(ask, "allow", "allow"), ask, self._without[ask]):
            yield f"without the product: {what}"

    def _unproved(self, tool: str) -> Iterator[str]:
        """A promise that is kept without the product proves nothing about the product."""
        asking = [fate for ask, fate in self._fates.items() if ask.tool == tool and fate.is_visible]
        if asking and not any(any(fate.broken_by(self._without[fate.ask])) for fate in asking):
            yield "the visit without the product looks the same"

    def _unwritten(self, tool: str) -> Iterator[str]:
        """What was promised must stand in the ledger, as often as it was asked."""
        wanted: _Lines = Counter(
            (tool, fate.level, fate.action, ask.host)
            for ask, fate in self._fates.items()
            if ask.tool == tool and fate.action != "allow"
        )
        site = OwnSite(LANDING, self._choices)
        if site.takes(tool) and any(mark.tool == tool for mark in (*COOKIES, *LINK)):
            wanted[tool, self._choices.level(tool, PAGE_HOST), "strip", PAGE_HOST] += 1
        for (_, _, action, host), times in (wanted - self._lines).items():
            yield f"the ledger has {times} too few lines of “{action}” for {host}"

    def _site(self) -> Site:
        asks = (LANDING, STYLE)
        named = {mark.name for mark in COOKIES}
        expired = expired_by(self._through[LANDING].got)
        return Site(
            host=PAGE_HOST,
            page=PAGE,
            without=total(counted(self._without[ask].reached) for ask in asks),
            through=total(counted(self._through[ask].reached) for ask in asks),
            expired=tuple(sorted(expired & named)),
            broken=tuple(
                what
                for ask in asks
                for what in (
                    *self._control(ask),
                    *_broken(OwnSite(ask, self._choices), ask, self._through[ask]),
                )
            ),
        )

    def _whole(self) -> Iterator[str]:
        if not any(fate.is_visible for fate in self._fates.values()):
            yield "no tool is opted out, so there is nothing to show"
        elif not self._verified or self._verified.state != "ok" or self._verified.unclosed:
            yield "the ledger does not verify"
        if self._late.connections:
            yield f"something reached {', '.join(self._late.connections)} when all was over"
        opened = self._choices.inspects_pages_of(BYSTANDER.host)
        unread = Unread(BYSTANDER, opened)
        for what in _broken(unread, BYSTANDER, self._through[BYSTANDER]):
            yield f"{BYSTANDER.host}: {what}"


def _broken(promise: Promise, ask: Ask, outcome: Outcome) -> Iterator[str]:
    yield from promise.broken_by(outcome)
    if strangers := {*outcome.reached.connections, *outcome.reached.hellos} - {ask.host}:
        yield f"others were connected to as well: {', '.join(sorted(strangers))}"


def _lines(ledger: Path) -> _Lines:
    return Counter(
        (entry.line.tool, entry.line.level, entry.line.action, entry.line.host)
        for entry in read(ledger)
        if entry.line.event == "request"
    )
