"""Findings as reports list them: what, about whom, how grave, and at which line it is decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from optout_proxy import shipped
from optout_proxy.audit.reports import words
from optout_proxy.registry.toml_text import line_of, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.reports import Told
    from optout_proxy.audit.result import ToolResult
    from optout_proxy.registry.settings import Waiver

type Grave = Literal["error", "warning", "note"]


class Place(msgspec.Struct, frozen=True):
    """A line of a file in the repository."""

    file: str
    line: int


class Found(msgspec.Struct, frozen=True):
    """One finding."""

    kind: str
    """The word that `--fail-on` and waivers use."""
    about: str
    """A tool's id or a site."""
    says: str
    grave: Grave
    place: Place
    evidence: tuple[str, ...] = ()
    waiver: Waiver | None = None


def findings(told: Told) -> Iterator[Found]:
    """Everything that is not well, the gravest first."""
    every = [*_tools(told), *_deviations(told), *_undeclared(told), *_never_seen(told)]
    order = ("error", "warning", "note")
    yield from sorted(every, key=lambda one: order.index(one.grave))


def fails(one: Found, told: Told) -> bool:
    """Whether a finding is one that the build is to fail for."""
    return one.kind in told.fail_on and one.waiver is None


def _grave(kind: str, waiver: Waiver | None, told: Told) -> Grave:
    if waiver is not None:
        return "note"
    if kind in told.fail_on:
        return "error"
    return "note" if kind in {"never-seen", "not-exercised"} else "warning"


def _tools(told: Told) -> Iterator[Found]:
    for name, tool in told.result.tools.items():
        if tool.verdict in {"honoured", "signal-delivered"}:
            continue
        decided = [
            words.of_evidence(one)
            for one in tool.evidence
            if (one.verdict, one.reason) == (tool.verdict, tool.reason)
        ]
        grave = _grave(tool.verdict, tool.waiver, told)
        place = _rule_place(name, tool)
        text = f"{words.told(tool)} [{tool.reason}]"
        yield Found(tool.verdict, name, text, grave, place, tuple(decided), tool.waiver)


def _rule_place(name: str, tool: ToolResult) -> Place:
    if tool.rule is not None:
        return Place(tool.rule.file, tool.rule.line)
    return Place(f"blocklists/{name}.toml", 1)


def _deviations(told: Told) -> Iterator[Found]:
    for name, tool in told.result.tools.items():
        if not tool.deviating:
            continue
        where = [
            f"{words.plain(d.file)}, entry {d.index}: {words.plain(d.page)}: {words.plain(d.why)}"
            for d in tool.deviations
        ]
        text = f"{tool.name}: {tool.deviating} hits outside what the policy says: {where[0]}"
        grave = _grave("deviation", None, told)
        yield Found("deviation", name, text, grave, policy_place(name, told.lens), tuple(where))


def _undeclared(told: Told) -> Iterator[Found]:
    place = policy_place("", told.lens)
    for one in told.result.undeclared:
        first = f"{words.plain(one.file)}, entry {one.index}: {words.plain(one.host)}"
        grave = _grave("undeclared", one.waiver, told)
        text = words.of_undeclared(one)
        yield Found("undeclared", words.plain(one.site), text, grave, place, (first,), one.waiver)


def _never_seen(told: Told) -> Iterator[Found]:
    for one in told.result.never_seen:
        grave = _grave("never-seen", one.waiver, told)
        place = policy_place(one.tool, told.lens)
        text = words.of_never_seen(one)
        yield Found("never-seen", one.tool, text, grave, place, (), one.waiver)


def policy_place(tool: str, lens: Lens) -> Place:
    """The line of the policy file that declares a tool; its first line for what it does not."""
    files = lens.registry.settings.policies
    for path, policy in zip(files, lens.registry.policies, strict=True):
        for number, declared in enumerate(policy.tools):
            if declared.id == tool:
                return Place(_shown(path), line_of(read_text(path), ("tool", number)))
    return Place(_shown(files[0]) if files else "config.toml", 1)


def _shown(path: Path) -> str:
    """A path as a repository names it."""
    whole = path.absolute()
    for folder in (Path.cwd(), shipped.folder()):
        if whole.is_relative_to(folder):
            return whole.relative_to(folder).as_posix()
    return path.name
