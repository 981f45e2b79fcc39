"""What an audit says: the value that every report shows. `docs/audit.md` has it as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.tally import (
    CanaryFound,
    Deviation,
    Evidence,
    FileTally,
    SiteTally,
    ToolTally,
    Total,
)
from optout_proxy.audit.verdict import CONCLUSIVE, SAYS, Circumstances, Reason, Verdict, of_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from optout_proxy.audit.entry import Unreadable
    from optout_proxy.audit.jars import JarCookie
    from optout_proxy.audit.lens import Lens
    from optout_proxy.model import Level, Role, RuleRef
    from optout_proxy.registry.policy_file import DeclaredTool, Policy
    from optout_proxy.registry.settings import Waiver

FORMAT: Final = 1
"""Version of the JSON: it grows where a key changes its meaning, not where one is added."""
_LASTING_DAYS: Final = 365


class FileResult(msgspec.Struct, frozen=True):
    path: str
    entries: int
    read: int
    unreadable: tuple[Unreadable, ...]
    problem: str
    made_by: str
    has_cookies: bool
    answered_here: int
    page_loads: int
    gpc: int
    """Requests that said `Sec-GPC: 1`."""


class OptOutSeen(msgspec.Struct, frozen=True):
    """What was seen of a tool's own opt-out."""

    exists: bool
    says: str
    cookies_set: int
    shortest_days: float | None
    """The shortest life of those that do not end with the session."""
    lasting: bool | None
    """Whether each lasts a year; None where none was set."""
    delivered: int
    """Hits that it was seen on."""
    in_jar: bool | None
    """Whether the cookie jar holds its cookie; None without a jar, or where it has none."""


class ToolResult(msgspec.Struct, frozen=True):
    """The verdict on one opted-out tool, and what it rests on."""

    name: str
    level: Level
    verdict: Verdict
    reason: Reason
    says: str
    hits: int
    """Requests that carried data to it and left the browser."""
    baseline_hits: int | None
    """None without a baseline."""
    answered_here: int
    roles: dict[Role, int]
    findings: dict[str, int]
    """`verdict: reason` of the hits, with how many."""
    identifiers: dict[str, int]
    """Names of cookies and parameters that told the visitor apart, with how many requests."""
    baseline_identifiers: dict[str, int] | None
    flags: dict[str, int]
    cookies: dict[str, float | None]
    """Cookies set for it: days they last, null for the session."""
    in_jar: tuple[str, ...]
    """Names of cookies in the jar that tell the visitor apart for it."""
    opt_out: OptOutSeen
    deviations: tuple[Deviation, ...]
    deviating: int
    evidence: tuple[Evidence, ...]
    rule: RuleRef | None
    """Where what decided stands: a line of the tool file."""
    declared: str
    """Where the policy declares it, `file:line`; empty where it does not."""
    waiver: Waiver | None


class UndeclaredResult(msgspec.Struct, frozen=True):
    site: str
    operator: str
    product: str
    known_by: tuple[str, ...]
    identifiers: tuple[str, ...]
    requests: int
    file: str
    index: int
    host: str
    waiver: Waiver | None


class NeverSeenResult(msgspec.Struct, frozen=True):
    tool: str
    name: str
    pages: int
    """Pages that were loaded, in none of which it was seen: the denominator."""
    recognisable: bool
    declared: str
    waiver: Waiver | None


class Result(msgspec.Struct, frozen=True):
    """An audit."""

    format: int
    files: tuple[FileResult, ...]
    baseline: tuple[FileResult, ...]
    tools: dict[str, ToolResult]
    undeclared: tuple[UndeclaredResult, ...]
    undeclared_on: str
    """Whose pages `undeclared` is about: `policy` where its sites' pages were seen, else `any`."""
    never_seen: tuple[NeverSeenResult, ...]
    canary: tuple[CanaryFound, ...]
    pages: int
    page_loads: int
    entries: int
    unreadable: int
    policy: tuple[str, ...]
    expired_waivers: tuple[Waiver, ...]
    unused_waivers: tuple[Waiver, ...]
    notes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every entry of every file could be read."""
        return not any(file.unreadable or file.problem for file in self.files)


class Waivers:
    """Which findings somebody answers for today."""

    def __init__(self, waivers: Sequence[Waiver], today: date) -> None:
        self._good = [waiver for waiver in waivers if waiver.expires >= today]
        self.expired = tuple(waiver for waiver in waivers if waiver.expires < today)
        self._used: list[Waiver] = []

    def of(self, finding: str, *names: str) -> Waiver | None:
        """The waiver of a finding about any of some names."""
        for waiver in self._good:
            if waiver.finding == finding and waiver.tool in names:
                self._used.append(waiver)
                return waiver
        return None

    @property
    def unused(self) -> tuple[Waiver, ...]:
        """Those that are good, and that nothing needed."""
        return tuple(waiver for waiver in self._good if waiver not in self._used)


def result_of(
    total: Total,
    baseline: Total | None,
    lens: Lens,
    today: date,
    jar: Sequence[JarCookie] = (),
    *,
    enforced: frozenset[str] = frozenset(),
) -> Result:
    """Join what was seen with what is declared and chosen.

    `enforced` names the tools about which a ledger beside the captures has lines.
    """
    waivers = Waivers(lens.registry.settings.waivers, today)
    owners = {cookie: lens.owners_anywhere(cookie.host, cookie.name) for cookie in jar}
    join = _Join(total, baseline, lens, owners, enforced)
    names = [name for name in _ordered(lens) if name in lens.opted_out]
    tools = {name: _tool(name, join, waivers) for name in names}
    undeclared = tuple(_undeclared(total, waivers))
    never_seen = tuple(_never_seen(total, lens, waivers))
    return Result(
        format=FORMAT,
        files=_files(total),
        baseline=_files(baseline) if baseline else (),
        tools=tools,
        undeclared=undeclared,
        undeclared_on="policy" if total.policy_loads else "any",
        never_seen=never_seen,
        canary=tuple(total.canaries),
        pages=len(total.pages),
        page_loads=total.page_loads,
        entries=total.entries,
        unreadable=sum(len(file.unreadable) for file in total.files),
        policy=tuple(policy.name for policy in lens.registry.policies),
        expired_waivers=waivers.expired,
        unused_waivers=waivers.unused,
        notes=tuple(_notes(total)),
    )


def _ordered(lens: Lens) -> list[str]:
    """Tools in the policy's order, then the others by name."""
    declared = [tool.id for policy in lens.registry.policies for tool in policy.tools]
    return [name for name in dict.fromkeys([*declared, *sorted(lens.tools)]) if name in lens.tools]


def _files(total: Total) -> tuple[FileResult, ...]:
    return tuple(_file(file) for file in total.files)


def _file(file: FileTally) -> FileResult:
    return FileResult(
        path=file.path,
        entries=file.entries,
        read=file.read,
        unreadable=tuple(file.unreadable),
        problem=file.problem,
        made_by=file.made_by,
        has_cookies=file.has_cookies,
        answered_here=file.answered_here,
        page_loads=file.page_loads,
        gpc=file.gpc,
    )


class _Join(msgspec.Struct, frozen=True):
    """All that the verdict on a tool is made of."""

    total: Total
    baseline: Total | None
    lens: Lens
    owners: Mapping[JarCookie, tuple[str, ...]]
    enforced: frozenset[str]

    def circumstances(self, name: str) -> Circumstances:
        """Under what a tool was seen, or was not."""
        seen, before = self.seen(name), self.before(name)
        return Circumstances(
            opinions=seen.opinions,
            has_baseline=before is not None,
            baseline_hits=before.hits if before else 0,
            pages_missing=_missing(before, self.total) if before else 0,
            other_requests=sum(seen.roles.values()) - seen.hits,
            enforcing=bool(self.total.answered_here or seen.answered_here or self.enforced),
            unreadable=not self.total.whole,
        )

    def seen(self, name: str) -> ToolTally:
        return self.total.tools.get(name, ToolTally())

    def before(self, name: str) -> ToolTally | None:
        return self.baseline.tools.get(name, ToolTally()) if self.baseline else None


def _tool(name: str, join: _Join, waivers: Waivers) -> ToolResult:
    lens, seen, before = join.lens, join.seen(name), join.before(name)
    opinion = of_tool(join.circumstances(name))
    told = [e for e in seen.evidence if (e.verdict, e.reason) == (opinion.verdict, opinion.reason)]
    return ToolResult(
        name=lens.tools[name].name,
        level=_level(name, lens),
        verdict=opinion.verdict,
        reason=opinion.reason,
        says=SAYS[opinion.reason],
        hits=seen.hits,
        baseline_hits=before.hits if before else None,
        answered_here=seen.answered_here,
        roles=seen.roles,
        findings={f"{one.verdict}: {one.reason}": n for one, n in seen.opinions.items()},
        identifiers=_most(seen.identities),
        baseline_identifiers=_most(before.identities) if before else None,
        flags=_most(seen.flags),
        cookies=seen.cookies,
        in_jar=tuple(dict.fromkeys(c.name[:100] for c, who in join.owners.items() if name in who)),
        opt_out=_opt_out(name, seen, lens, list(join.owners)),
        deviations=tuple(seen.deviations),
        deviating=seen.strayed,
        evidence=tuple(seen.evidence),
        rule=told[0].rule if told else None,
        declared=declared_at(name, lens),
        waiver=waivers.of(opinion.verdict, name),
    )


def _level(name: str, lens: Lens) -> Level:
    """The level of a tool on most pages; the strictest of a site where it is allowed elsewhere."""
    choices = lens.choices
    usual = choices.level(name, "")
    if usual != "allow":
        return usual
    order: tuple[Level, ...] = ("block", "strip", "signal")
    chosen = {site.get(name, "allow") for site in choices.sites.values()}
    return next((level for level in order if level in chosen), usual)


def _missing(before: ToolTally, total: Total) -> int:
    """Pages that made a tool report in the baseline, and that were not loaded again."""
    hosts = {page.partition("/")[0] for page in total.pages}
    missing = 0
    for page in before.pages:
        host, _, path = page.partition("/")
        # A page that is known by its origin alone may be any page there; one that is not known at
        # all, any page.
        again = page in total.pages or (not path and host in hosts) or (not page and total.pages)
        missing += not again
    return missing


def _most(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:50])


def _opt_out(name: str, seen: ToolTally, lens: Lens, jar: Sequence[JarCookie]) -> OptOutSeen:
    express = lens.tools[name].express
    lasting = [days for days in seen.opt_out_days if days is not None]
    wanted = bool(express.cookies or express.page_cookies)
    return OptOutSeen(
        exists=express.exists,
        says=express.says,
        cookies_set=len(seen.opt_out_days),
        shortest_days=min(lasting, default=None),
        lasting=all(d is not None and d >= _LASTING_DAYS - 1 for d in seen.opt_out_days)
        if seen.opt_out_days
        else None,
        delivered=seen.delivered,
        in_jar=any(name in lens.expressed.sets(c.host, c.name, c.value) for c in jar)
        if jar and wanted
        else None,
    )


def declared_at(name: str, lens: Lens) -> str:
    """Where a policy file declares a tool, `file:line` of the document; empty where none does."""
    place = _declaration(name, lens)
    return f"{place[0].name}, line {place[1].lines[0]}" if place else ""


def _declaration(name: str, lens: Lens) -> tuple[Policy, DeclaredTool] | None:
    for policy in lens.registry.policies:
        for tool in policy.tools:
            if tool.id == name:
                return policy, tool
    return None


def _undeclared(total: Total, waivers: Waivers) -> Iterable[UndeclaredResult]:
    on_policy = bool(total.policy_loads)
    told = {
        site: seen
        for site, seen in total.sites.items()
        if (seen.told_on_policy if on_policy else bool(seen.first[0]))
    }
    for site, seen in sorted(told.items(), key=lambda item: (-item[1].requests, item[0])):
        first = (seen.first_on_policy if on_policy else None) or seen.first
        names = [name for by, name in seen.known if ": " in name and by != "canary"]
        operator, _, product = names[0].partition(": ") if names else ("", "", "")
        by = tuple(f"{by} ({name})" if by == "canary" else by for by, name in seen.known)
        yield UndeclaredResult(
            site=site,
            operator=operator,
            product=product,
            known_by=tuple(dict.fromkeys(by)),
            identifiers=tuple(seen.identifiers),
            requests=seen.requests,
            file=first[0],
            index=first[1],
            host=first[2],
            waiver=waivers.of("undeclared", site, *_ids(seen)),
        )


def _ids(seen: SiteTally) -> list[str]:
    """The tools and lists that know a site, as a waiver names them."""
    tools = [by.removeprefix("blocklists/").removesuffix(".toml") for by, _ in seen.known]
    return [*(by for by, _ in seen.known), *tools]


def _never_seen(total: Total, lens: Lens, waivers: Waivers) -> Iterable[NeverSeenResult]:
    pages = total.policy_loads or total.page_loads
    for policy in lens.registry.policies:
        for tool in policy.tools:
            seen = total.tools.get(tool.id)
            if seen is None or not (seen.roles or seen.answered_here):
                yield NeverSeenResult(
                    tool=tool.id,
                    name=tool.name,
                    pages=pages,
                    recognisable=tool.id in lens.tools,
                    declared=f"{policy.name}, line {tool.lines[0]}",
                    waiver=waivers.of("never-seen", tool.id),
                )


def _notes(total: Total) -> Iterable[str]:
    bare = sum(1 for file in total.files if file.entries and not file.has_cookies)
    if bare:
        yield (
            f"{bare} of {len(total.files)} captures hold no cookies at all, as exporters write "
            "them that remove cookies; they cannot acquit where a verdict rests on cookies."
        )
    if total.answered_here:
        yield (
            f"{total.answered_here} requests were answered by this product: a capture made while "
            "it enforces can convict, and never acquit. What a browser records behind the proxy is "
            "what it sent, before anything was taken away."
        )


def exit_code(result: Result, fail_on: frozenset[str], *, allow_inconclusive: bool = False) -> int:
    """What the audit ends with: 5 nothing to judge, 1 found, 3 in doubt, 0 neither."""
    if not result.entries:
        return 5
    if any(found(result, finding) for finding in fail_on):
        return 1
    return 0 if allow_inconclusive or not in_doubt(result) else 3


def found(result: Result, finding: str) -> list[str]:
    """The names of what was found of one kind, but for what somebody answers for."""
    if finding == "undeclared":
        return [one.site for one in result.undeclared if one.waiver is None]
    if finding == "never-seen":
        return [one.tool for one in result.never_seen if one.waiver is None]
    if finding == "deviation":
        return [name for name, tool in result.tools.items() if tool.deviating]
    return [
        name
        for name, tool in result.tools.items()
        if tool.verdict == finding and tool.waiver is None
    ]


def in_doubt(result: Result) -> bool:
    """Whether it cannot be said that the opt-outs hold."""
    conclusive = any(tool.verdict in CONCLUSIVE for tool in result.tools.values())
    return bool(found(result, "inconclusive")) or not result.whole or not conclusive
