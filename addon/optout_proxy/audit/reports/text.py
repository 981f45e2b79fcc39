"""Text for a terminal."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from optout_proxy.audit.reports import words

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told
    from optout_proxy.audit.result import Result, ToolResult

_STYLES: Final = {
    "violated": "bold red",
    "inconclusive": "yellow",
    "not-exercised": "dim",
    "signal-delivered": "cyan",
    "honoured": "green",
}
_SHOWN: Final = 3
_MOST_SITES: Final = 25
_WIDTH: Final = 100


def write(told: Told) -> bytes:
    """The result for a person to read; colours only where a terminal shows them."""
    result, is_terminal = told.result, told.is_terminal
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=is_terminal,
        color_system="auto" if is_terminal else None,
        width=shutil.get_terminal_size().columns if is_terminal else _WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(words.headline(result))
    _print_files(console, result)
    console.print()
    console.print(_table(result))
    _print_evidence(console, result)
    _print_others(console, result)
    for note in (*result.notes, *_waivers(result), *words.LIMITS):
        console.print(Text(note, style="dim"), soft_wrap=True)
    return out.getvalue().encode("utf-8", "replace")


def _print_files(console: Console, result: Result) -> None:
    for file in (*result.files, *result.baseline):
        if file.problem:
            console.print(Text(f"  {words.plain(file.path)}: {words.plain(file.problem)}"))
        for one in file.unreadable[:_SHOWN]:
            why = f"  {words.plain(file.path)}, entry {one.index}: {words.plain(one.why)}"
            console.print(Text(why), soft_wrap=True)
        if len(file.unreadable) > _SHOWN:
            console.print(f"  and {len(file.unreadable) - _SHOWN} more of this file")


def _table(result: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("tool", "level", "verdict", "hits", "before", "why"):
        table.add_column(title, justify="right" if title in {"hits", "before"} else "left")
    for name, tool in result.tools.items():
        before = "" if tool.baseline_hits is None else str(tool.baseline_hits)
        verdict = Text(tool.verdict, style=_STYLES[tool.verdict])
        table.add_row(Text(name), tool.level, verdict, str(tool.hits), before, Text(_why(tool)))
    return table


def _why(tool: ToolResult) -> str:
    if tool.waiver is not None:
        return f"{tool.says}; {words.of_waiver(tool.waiver)}"
    return tool.says


def _print_evidence(console: Console, result: Result) -> None:
    for name, tool in result.tools.items():
        told = [e for e in tool.evidence if (e.verdict, e.reason) == (tool.verdict, tool.reason)]
        if not told and not tool.deviations:
            continue
        console.print()
        console.print(Text(f"{name}: {tool.verdict} ({tool.reason})", style="bold"))
        for one in told[:_SHOWN]:
            console.print(Text(f"  {words.of_evidence(one)}"), soft_wrap=True)
        if tool.rule is not None:
            rule = tool.rule
            place = f"  rule {rule.file}:{rule.line}  {rule.text}"
            console.print(Text(place), soft_wrap=True)
        for deviation in tool.deviations[:_SHOWN]:
            place = f"{words.plain(deviation.file)}, entry {deviation.index}"
            why = f"  deviates: {deviation.why}: {words.plain(deviation.page)} ({place})"
            console.print(Text(why), soft_wrap=True)


def _print_others(console: Console, result: Result) -> None:
    where = "on the policy's pages" if result.undeclared_on == "policy" else "on any page"
    sections = (
        (f"Undeclared, {where}", [words.of_undeclared(one) for one in result.undeclared]),
        ("Declared, never seen", [words.of_never_seen(one) for one in result.never_seen]),
        (
            "The canary was received",
            [
                f"{words.plain(c.host)} ({c.tool or 'no tool'}): {words.plain(c.found)}, "
                f"{words.plain(c.file)}, entry {c.index}"
                for c in result.canary
            ],
        ),
    )
    for title, lines in sections:
        if lines:
            console.print()
            console.print(Text(f"{title}: {len(lines)}", style="bold"))
        for line in lines[:_MOST_SITES]:
            console.print(Text(f"  {line}"), soft_wrap=True)
        if len(lines) > _MOST_SITES:
            console.print(f"  and {len(lines) - _MOST_SITES} more: --format json has them all")
    console.print()


def _waivers(result: Result) -> list[str]:
    expired = [
        f"A waiver of {one.owner} for {one.tool} ({one.finding}) ended on {one.expires}."
        for one in result.expired_waivers
    ]
    unused = [
        f"A waiver of {one.owner} for {one.tool} ({one.finding}) is not needed."
        for one in result.unused_waivers
    ]
    return expired + unused
