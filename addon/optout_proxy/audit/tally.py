"""What one file, or many, showed: counts and a bounded sample of evidence, ready to be added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.verdict import Carried, Opinion, Reason, Verdict, rests_on_cookies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.audit.entry import Unreadable
    from optout_proxy.model import Action, Role, RuleRef

MOST_EVIDENCE: Final = 10
"""Requests kept per tool and opinion; all are counted, and all are in the rows."""
MOST_NAMES: Final = 200
MOST_PAGES: Final = 20_000
MOST_SITES: Final = 20_000


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line of `--rows`: what became of one entry."""

    file: str
    index: int
    url: str
    tool: str | None
    role: Role | None
    action: Action | None
    finding: str | None


class Evidence(msgspec.Struct, frozen=True):
    """One request that decided something."""

    file: str
    index: int
    url: str
    page: str
    started: str
    role: Role | None
    verdict: Verdict | None
    reason: Reason | None
    carried: Carried
    flags: tuple[str, ...]
    rule: RuleRef | None


class Deviation(msgspec.Struct, frozen=True):
    """A request outside what the policy says about where and when."""

    file: str
    index: int
    page: str
    why: str


class CanaryFound(msgspec.Struct, frozen=True):
    """A request that carries the text which was typed as a canary."""

    file: str
    index: int
    host: str
    tool: str | None
    found: str


class ToolTally(msgspec.Struct):
    """What was seen of one tool."""

    roles: dict[Role, int] = {}
    hits: int = 0
    """Requests that carried data to it and left the browser."""
    answered_here: int = 0
    opinions: dict[Opinion, int] = {}
    evidence: list[Evidence] = []
    pages: dict[str, None] = {}
    """Pages that made it report."""
    identities: dict[str, int] = {}
    """Names of cookies and parameters that told the visitor apart."""
    flags: dict[str, int] = {}
    cookies: dict[str, float | None] = {}
    """Cookies set for it, and for how many days at most; None: for the session."""
    opt_out_days: list[float | None] = []
    """How long each opt-out cookie that was set lasts."""
    delivered: int = 0
    """Hits that its own opt-out was seen on."""
    deviations: list[Deviation] = []
    strayed: int = 0

    def add_evidence(self, one: Evidence) -> None:
        """Keep a request, where not enough are kept that say the same."""
        same = sum(1 for e in self.evidence if (e.verdict, e.reason) == (one.verdict, one.reason))
        if same < MOST_EVIDENCE:
            self.evidence.append(one)

    def add(self, other: ToolTally) -> None:
        """Add what another file showed."""
        _count(self.roles, other.roles)
        _count(self.opinions, other.opinions)
        _count(self.identities, other.identities)
        _count(self.flags, other.flags)
        self.hits += other.hits
        self.answered_here += other.answered_here
        self.delivered += other.delivered
        self.strayed += other.strayed
        self.deviations = [*self.deviations, *other.deviations][:MOST_EVIDENCE]
        self.opt_out_days = [*self.opt_out_days, *other.opt_out_days][:MOST_NAMES]
        for one in other.evidence:
            self.add_evidence(one)
        merge_days(self.cookies, other.cookies.items())
        self.pages.update(other.pages)


class SiteTally(msgspec.Struct):
    """What was seen of one third-party site."""

    requests: int = 0
    on_policy: int = 0
    """Of these, from pages that the policy covers, or from nobody known."""
    known: dict[tuple[str, str], None] = {}
    """Who knows it as a tracker, and as whose: `(by, as)`."""
    identifiers: dict[str, None] = {}
    first: tuple[str, int, str] = ("", 0, "")
    """File, index and host of the first request that told."""
    first_on_policy: tuple[str, int, str] | None = None
    told_on_policy: bool = False

    def add(self, other: SiteTally) -> None:
        """Add what another file showed."""
        self.requests += other.requests
        self.on_policy += other.on_policy
        self.known.update(other.known)
        self.identifiers.update(other.identifiers)
        self.told_on_policy = self.told_on_policy or other.told_on_policy
        self.first_on_policy = self.first_on_policy or other.first_on_policy


class FileTally(msgspec.Struct):
    """What one file showed."""

    path: str
    entries: int = 0
    read: int = 0
    unreadable: list[Unreadable] = []
    problem: str = ""
    made_by: str = ""
    has_cookies: bool = False
    """Whether any cookie is in it: exporters remove them all, or none."""
    answered_here: int = 0
    pages: dict[str, int] = {}
    """Pages that were loaded, as host and path, and how often."""
    page_loads: int = 0
    policy_loads: int = 0
    """Of these, pages that the policy covers."""
    gpc: int = 0
    """Requests that said `Sec-GPC: 1`."""
    tools: dict[str, ToolTally] = {}
    sites: dict[str, SiteTally] = {}
    canaries: list[CanaryFound] = []

    @property
    def whole(self) -> bool:
        """Whether everything in it could be read."""
        return not self.unreadable and not self.problem

    @property
    def doubtful(self) -> bool:
        """Whether it says of cookies that they were not there, and holds none at all."""
        opinions = (one for tally in self.tools.values() for one in tally.opinions)
        return not self.has_cookies and any(map(rests_on_cookies, opinions))

    def tool(self, name: str) -> ToolTally:
        """The tally of a tool."""
        found = self.tools.get(name)
        if found is None:
            found = self.tools[name] = ToolTally()
        return found


class Total(msgspec.Struct):
    """What all files showed together."""

    files: list[FileTally] = []
    tools: dict[str, ToolTally] = {}
    sites: dict[str, SiteTally] = {}
    pages: dict[str, int] = {}
    page_loads: int = 0
    policy_loads: int = 0
    answered_here: int = 0
    canaries: list[CanaryFound] = []

    def add(self, file: FileTally) -> None:
        """Add a file; its particulars are kept, what grows with its traffic is not kept twice."""
        self.page_loads += file.page_loads
        self.policy_loads += file.policy_loads
        self.answered_here += file.answered_here
        self.canaries = [*self.canaries, *file.canaries][:MOST_NAMES]
        _count(self.pages, file.pages)
        for name, tally in file.tools.items():
            self.tools.setdefault(name, ToolTally()).add(tally)
        for site, seen in file.sites.items():
            if site in self.sites:
                self.sites[site].add(seen)
            elif len(self.sites) < MOST_SITES:
                self.sites[site] = seen
        self.files.append(msgspec.structs.replace(file, tools={}, sites={}, pages={}, canaries=[]))

    @property
    def entries(self) -> int:
        return sum(file.entries for file in self.files)

    @property
    def whole(self) -> bool:
        """Whether everything in all files could be read."""
        return all(file.whole for file in self.files)


def _count[K](counts: dict[K, int], more: dict[K, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def merge_days(kept: dict[str, float | None], more: Iterable[tuple[str, float | None]]) -> None:
    """Keep for each cookie the longest life that it was given."""
    for name, days in more:
        if len(kept) < MOST_NAMES or name in kept:
            before = kept.get(name)
            kept[name] = max(before or 0, days) if days is not None else before


def count_name(counts: dict[str, int], name: str) -> None:
    """Count a name from outside, shortened, while there is room for new ones."""
    name = name[:100]
    if name in counts or len(counts) < MOST_NAMES:
        counts[name] = counts.get(name, 0) + 1
