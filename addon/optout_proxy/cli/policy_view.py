"""The review view of an import: what was read, beside the lines it was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from optout_proxy.registry.policy_file import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from optout_proxy.importer.imported import Entry, Imported
    from optout_proxy.model import Level
    from optout_proxy.registry.policy_file import Field, Lines, OptOut
    from optout_proxy.registry.tool_file import ToolFile

_MOST_LINES: Final = 3
_LONGEST: Final = 240


def show(
    imported: Imported, tool_files: Mapping[str, ToolFile], levels: Mapping[str, Level]
) -> None:
    """Print an import for the person who reviews it. Text from a document is never markup."""
    console = Console(highlight=False)
    for line in (*_head(imported), *_tools(imported, tool_files, levels), *_rest(imported)):
        console.print(line, soft_wrap=True)


def _head(imported: Imported) -> Iterator[Text]:
    source = imported.source
    yield Text.assemble(
        (_seen(imported.name or imported.file), "bold"),
        f"  {source.lines} lines, SHA-256 {source.sha256[:12]}…",
    )
    covered = ", ".join(imported.sites) or "unknown sites"
    yield Text(f"covers {covered}; effective {imported.effective or 'not said'}")
    if imported.changes:
        changes = imported.changes
        yield Text(f"changes are announced {changes.notice_days} days ahead ({_on(changes.lines)})")


def _tools(
    imported: Imported, tool_files: Mapping[str, ToolFile], levels: Mapping[str, Level]
) -> Iterator[Text]:
    if not imported.entries:
        yield Text("\nIt declares no tools, as far as can be told from its text.")
        return
    unknown = sum(not entry.recognised for entry in imported.entries)
    yield Text(
        f"\n{len(imported.entries)} tools, {unknown} of them declared and not recognisable yet"
    )
    for entry in imported.entries:
        file = tool_files.get(entry.tool.id)
        yield from _tool(entry, imported)
        said = _enforced(entry, file, levels.get(entry.tool.id))
        yield Text(f"  → {said}", "green" if file else "yellow")


def _tool(entry: Entry, imported: Imported) -> Iterator[Text]:
    tool = entry.tool
    known = "" if entry.recognised else "  no tool file yet"
    yield Text.assemble(
        "\n", (_seen(tool.name), "bold"), f"  {tool.id}  {_on(tool.lines)}", (known, "yellow")
    )
    yield Text(f"  found by {entry.found} ({entry.sure})", "dim")
    for name in FIELDS:
        yield from _field(name, tool.fields[name], imported)
    for extra in entry.extras:
        yield Text.assemble(
            ("  also         ", "yellow"), _seen(f"{extra.label}: {extra.text}"[:_LONGEST])
        )
    for other in entry.elsewhere:
        yield Text(
            _seen(f"  again        {_on(other.lines)}, as {other.label}  {other.text}"), "dim"
        )


def _field(name: str, field: Field | OptOut, imported: Imported) -> Iterator[Text]:
    label = f"  {name:<15}"
    if field.state != "stated":
        where = f" ({_on(field.lines)})" if field.lines else ""
        yield Text.assemble((label, "cyan"), f"{field.state}{where}")
        return
    kinds = f"[{', '.join(getattr(field, 'kinds', ()))}] " if getattr(field, "kinds", ()) else ""
    yield Text.assemble((label, "cyan"), kinds, _seen(", ".join(link.url for link in field.links)))
    if field.lines:
        yield from _quoted(field.lines, imported)


def _quoted(lines: Lines, imported: Imported) -> Iterator[Text]:
    """The lines of the document, as they stand there."""
    told = 0
    for number in range(lines[0], min(lines[1], len(imported.text)) + 1):
        line = imported.text[number - 1].strip()
        if not line:
            continue
        if told == _MOST_LINES:
            yield Text(f"       … to line {lines[1]}", "dim")
            return
        shown = line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
        yield Text(f"  {number:>6} │ {_seen(shown)}", "dim")
        told += 1


def _enforced(entry: Entry, file: ToolFile | None, level: Level | None) -> str:
    """What enforcement will do about a tool, whatever the policy offers."""
    if not file:
        return f"nothing can be enforced yet; begin a tool file: --skeleton {entry.tool.id}"
    express = file.tool.express
    offered = ", ".join(entry.tool.opt_out.kinds) or entry.tool.opt_out.state
    chosen = f"your level: {level}" if level else f"recommended: {file.tool.recommended}"
    return f"the policy offers: {offered}; {chosen}. {express.says}"


def _rest(imported: Imported) -> Iterator[Text]:
    for mention in imported.also_mentioned:
        places = ", ".join(_on(place) for place in mention.mentions[:5])
        yield Text(_seen(f"\nalso mentioned: {mention.name} ({places})"))
    for statement in imported.statements:
        yield Text(_seen(f"keeps: {_on(statement.lines)}: {statement.text[:_LONGEST]}"))
    for warning in imported.warnings:
        yield Text.assemble(("look: ", "yellow"), _seen(warning))


def _on(lines: Lines) -> str:
    return f"line {lines[0]}" if lines[0] == lines[1] else f"lines {lines[0]}-{lines[1]}"


def _seen(text: str) -> str:
    """A text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
