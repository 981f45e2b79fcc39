"""A document imported again over a policy file that a person has worked on.

What the person wrote stays, comments and layout too. What only says where things stand (hash,
lines) follows the document. Every other difference is shown, and left to the person.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from optout_proxy.errors import InputError
from optout_proxy.importer.policy import as_policy
from optout_proxy.importer.written import tool_block
from optout_proxy.registry.policy_file import FIELDS, parse_policy
from optout_proxy.registry.toml_text import line_of, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optout_proxy.importer.imported import Imported
    from optout_proxy.registry.policy_file import DeclaredTool, Field, Lines, OptOut, Policy

_TABLE: Final = re.compile(r"\s*\[")
_OF_TOOL: Final = re.compile(r"\s*\[{1,2}\s*tool\s*\.")


def merged(path: Path, imported: Imported, today: str) -> tuple[str, tuple[str, ...]]:
    """The text of a reviewed file after a new import, and what of it is kept, new or gone."""
    text = read_text(path)
    ours, fresh = parse_policy(text, path), as_policy(imported)
    shown = tuple(differences(ours, fresh))
    if ours.source.sha256 == fresh.source.sha256:
        return text, (*shown, f"{path} was made from this very document: it stays as it is.")
    try:
        new = _updated(text, ours, fresh, imported, today)
        parse_policy(new, path)
    except Exception as error:  # tomlkit raises what it likes; the file stays as it was
        right = "import into another file with -o, and carry over what you wrote"
        raise InputError(path, f"cannot follow the new document: {error}", right=right) from error
    return new, (*shown, *_lost(ours, fresh))


def _lost(ours: Policy, fresh: Policy) -> Iterator[str]:
    """Statements of which nobody but a person can say where they stand now."""
    moved = _moves(ours, fresh)
    lost = [it.id for it in ours.statements if _found(it.lines, moved) is None]
    if lost:
        yield f"look: where these statements stand now is for you to say: {', '.join(lost)}"


# --- What differs ---------------------------------------------------------------------------------


def differences(ours: Policy, fresh: Policy) -> Iterator[str]:
    """Every difference between a reviewed file and a new import but wording and places."""
    for name in ("name", "sites", "effective"):
        before, after = getattr(ours, name), getattr(fresh, name)
        if after and before != after:
            yield f"kept: {name} is {_said(before)} in the file; the document says {_said(after)}"
    new = {tool.id: tool for tool in fresh.tools}
    old = {tool.id: tool for tool in ours.tools}
    for tool_id in [*new, *(name for name in old if name not in new)]:
        if tool_id not in old:
            yield f"new: {tool_id}, on lines {new[tool_id].lines[0]}-{new[tool_id].lines[1]}"
        elif tool_id not in new:
            yield f"gone: {tool_id} is in the file and not in the document"
        else:
            yield from _of_tool(old[tool_id], new[tool_id])


def _of_tool(old: DeclaredTool, new: DeclaredTool) -> Iterator[str]:
    if old.name != new.name:
        yield f"kept: {old.id} is called {old.name!r}; the document says {new.name!r}"
    for name in FIELDS:
        before, after = old.fields[name], new.fields[name]
        if _facts(before) != _facts(after):
            said = f"the document says {_field(after)}"
            yield f"kept: {old.id}, {name} is {_field(before)} in the file; {said}"


def _facts(field: Field | OptOut) -> tuple[object, ...]:
    """What of a field is the document's, whoever puts it into words."""
    urls = tuple(link.url for link in field.links)
    return field.state, urls, frozenset(getattr(field, "kinds", ()))


def _field(field: Field | OptOut) -> str:
    if field.state != "stated":
        return f'"{field.state}"'
    parts = [", ".join(getattr(field, "kinds", ())), ", ".join(link.url for link in field.links)]
    return "; ".join(part for part in parts if part) or "stated, without links"


def _said(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


# --- The file, following the document -------------------------------------------------------------


def _updated(text: str, ours: Policy, fresh: Policy, imported: Imported, today: str) -> str:
    text = _without_gone(text, ours, fresh, today)
    document = tomlkit.parse(text)
    _follow_source(document["source"], fresh)
    new = {tool.id: tool for tool in fresh.tools}
    for table in document.get("tool", []):
        if table["id"] in new:
            _follow_tool(table, new[table["id"]])
    _follow_rest(document, ours, fresh)
    return _with_new(tomlkit.dumps(document), ours, fresh, imported)


def _follow_source(table: Any, fresh: Policy) -> None:
    source = fresh.source
    table["sha256"], table["lines"] = source.sha256, source.lines
    for name in ("url", "snapshot", "archived"):
        value = getattr(source, name)
        if value:
            table[name] = value
        elif name != "url" and name in table:
            del table[name]


def _follow_tool(table: Any, tool: DeclaredTool) -> None:
    _place(table, "lines", tool.lines)
    for name in FIELDS:
        if name in table and "lines" in table[name]:
            _place(table[name], "lines", tool.fields[name].lines or tool.lines)
    if "limits" in table:
        _place(table["limits"], "lines", tool.notes.lines or tool.lines)


def _follow_rest(document: Any, ours: Policy, fresh: Policy) -> None:
    """Contact, changes and statements: to where the same is said now, else within the document."""
    moved = _moves(ours, fresh)
    last = fresh.source.lines
    for name in ("contact", "changes"):
        if name in document:
            there = getattr(fresh, name)
            old = tuple(document[name]["lines"])
            _place(document[name], "lines", there.lines if there else _moved(old, moved, last))
    held = {tool.id for tool in fresh.tools} | {it.id for it in ours.also_mentioned}
    for table in document.get("statement", []):
        _place(table, "lines", _moved(tuple(table["lines"]), moved, last))
        for tool in [tool for tool in table.get("tools", []) if tool not in held]:
            table["tools"].remove(tool)
    found = {it.id: it for it in fresh.also_mentioned}
    for table in document.get("also_mentioned", []):
        if table["id"] in found:
            table["mentions"] = [list(place) for place in found[table["id"]].mentions]
        else:
            table["mentions"] = [
                list(_moved(tuple(place), moved, last)) for place in table["mentions"]
            ]


def _moves(ours: Policy, fresh: Policy) -> dict[Lines, Lines]:
    """Where each field of a tool stood, and where it stands now."""
    new = {tool.id: tool for tool in fresh.tools}
    moved: dict[Lines, Lines] = {}
    for tool in ours.tools:
        for name, field in tool.fields.items():
            now = new[tool.id].fields[name].lines if tool.id in new else None
            if field.lines and now:
                moved[field.lines] = now
    return moved


def _moved(lines: tuple[int, ...], moved: dict[Lines, Lines], last: int) -> Lines:
    return _found(lines, moved) or (min(lines[0], last), min(lines[1], last))


def _found(lines: tuple[int, ...], moved: dict[Lines, Lines]) -> Lines | None:
    inside = (now for old, now in moved.items() if old[0] <= lines[0] and lines[1] <= old[1])
    return next(inside, None)


def _place(table: Any, key: str, lines: Lines) -> None:
    array = table[key]
    if list(array) != list(lines):
        array[0], array[1] = lines


def _without_gone(text: str, ours: Policy, fresh: Policy, today: str) -> str:
    """Turn tools that the document no longer names into comments."""
    held = {tool.id for tool in fresh.tools}
    lines = text.split("\n")
    for number in reversed(range(len(ours.tools))):
        tool = ours.tools[number]
        if tool.id not in held:
            start, end = _block(text, lines, number)
            note = f"# {today}: the document no longer names {tool.id}. What stood here:"
            lines[start:end] = [note, *(f"# {line}".rstrip() for line in lines[start:end])]
    return "\n".join(lines)


def _block(text: str, lines: list[str], number: int) -> tuple[int, int]:
    """First and last line of a `[[tool]]`, from 0, without what introduces the next table."""
    start = line_of(text, ("tool", number)) - 1
    end = start + 1
    while end < len(lines) and (not _TABLE.match(lines[end]) or _OF_TOOL.match(lines[end])):
        end += 1
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return start, end


def _with_new(text: str, ours: Policy, fresh: Policy, imported: Imported) -> str:
    """Put in tools that the file does not have yet, where the document has them."""
    known = {tool.id for tool in ours.tools}
    for entry, tool in zip(imported.entries, fresh.tools, strict=True):
        if tool.id in known:
            continue
        lines = text.split("\n")
        order = [it["id"] for it in tomlkit.parse(text).get("tool", [])]
        before = [it.id for it in fresh.tools if it.lines[0] <= tool.lines[0] and it.id in order]
        at = (
            _block(text, lines, order.index(before[-1]))[1]
            if before
            else _before_first(text, lines)
        )
        block = tool_block(entry, tool).split("\n")
        around = ["", "", *block] if before else [*block, "", ""]
        lines[at:at] = around
        text = "\n".join(lines)
    return text


def _before_first(text: str, lines: list[str]) -> int:
    """Where the first tool of a file goes: before its tools, else at its end."""
    if re.search(r"^\s*\[\[\s*tool\s*\]\]", text, re.MULTILINE):
        return line_of(text, ("tool", 0)) - 1
    rest = (
        n for n, line in enumerate(lines) if re.match(r"\s*\[\[\s*(also_mentioned|statement)", line)
    )
    at = next(rest, len(lines))
    while at and lines[at - 1].startswith("#"):
        at -= 1
    return at
