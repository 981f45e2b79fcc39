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
_PIECES: Final = re.compile(
    r"""
      (?P<long> \"{3} (?: \\. | [^\\] )*? \"{3,5} | '{3} .*? '{3,5} )
    | \" (?: \\. | [^"\\\n] )* \" | ' [^'\n]* ' | \# [^\n]* | .
    """,
    re.VERBOSE | re.DOTALL,
)


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
    return _with_new(_in_order(tomlkit.dumps(document), fresh), ours, fresh, imported)


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
    """Turn into comments tools that are gone, and mentions of what is declared as a tool now."""
    held = {tool.id for tool in fresh.tools}
    gone = [(at, tool.id) for at, tool in enumerate(ours.tools) if tool.id not in held]
    now_tools = [(at, it.id) for at, it in enumerate(ours.also_mentioned) if it.id in held]
    for at, name in reversed(now_tools):
        note = f"{name} is declared as a tool now"
        text = _commented(text, "also_mentioned", at, f"# {today}: {note}. What stood here:")
    for at, name in reversed(gone):
        note = f"the document no longer names {name}"
        text = _commented(text, "tool", at, f"# {today}: {note}. What stood here:")
    return text


def _commented(text: str, table: str, number: int, note: str) -> str:
    lines = text.split("\n")
    start, end = _block(text, lines, table, number)
    lines[start:end] = [note, *(f"# {line}".rstrip() for line in lines[start:end])]
    return "\n".join(lines)


def _block(text: str, lines: list[str], table: str, number: int) -> tuple[int, int]:
    """First and last line of a `[[table]]`, from 0, with the comment right above it.

    What introduces the next table is not part of it.
    """
    inside = _inside_strings(text)
    within = re.compile(rf"\s*\[{{1,2}}\s*{table}\s*\.")
    start = line_of(text, (table, number)) - 1
    end = start + 1
    while end < len(lines) and (
        end in inside or not _TABLE.match(lines[end]) or within.match(lines[end])
    ):
        end += 1
    while end > start + 1 and end - 1 not in inside and _says_nothing(lines[end - 1]):
        end -= 1
    while start and start - 1 not in inside and lines[start - 1].startswith("#"):
        start -= 1
    return start, end


def _says_nothing(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _inside_strings(text: str) -> frozenset[int]:
    """Lines, from 0, that begin inside a text of several lines."""
    found: set[int] = set()
    line = 0
    for piece in _PIECES.finditer(text):
        breaks = piece.group().count("\n")
        if breaks and piece.lastgroup == "long":
            found.update(range(line + 1, line + breaks + 1))
        line += breaks
    return frozenset(found)


def _in_order(text: str, fresh: Policy) -> str:
    """Put the tools of a file in the order of the document; what stands between them stays."""
    order = {tool.id: number for number, tool in enumerate(fresh.tools)}
    places = [order[table["id"]] for table in tomlkit.parse(text).get("tool", [])]
    if places == sorted(places):
        return text
    lines = text.split("\n")
    spans = [_block(text, lines, "tool", number) for number in range(len(places))]
    blocks = [lines[start:end] for start, end in spans]
    sorted_blocks = [blocks[places.index(place)] for place in sorted(places)]
    for (start, end), block in reversed(list(zip(spans, sorted_blocks, strict=True))):
        lines[start:end] = block
    return "\n".join(lines)


def _with_new(text: str, ours: Policy, fresh: Policy, imported: Imported) -> str:
    """Put in tools that the file does not have yet, where the document has them."""
    known = {tool.id for tool in ours.tools}
    for number, (entry, tool) in enumerate(zip(imported.entries, fresh.tools, strict=True)):
        if tool.id in known:
            continue
        lines = text.split("\n")
        held = [table["id"] for table in tomlkit.parse(text).get("tool", [])]
        before = [held.index(it.id) for it in fresh.tools[:number] if it.id in held]
        at = _block(text, lines, "tool", max(before))[1] if before else _before_first(text, lines)
        block = tool_block(entry, tool).split("\n")
        lines[at:at] = ["", "", *block] if before else [*block, "", ""]
        text = "\n".join(lines)
    return text


def _before_first(text: str, lines: list[str]) -> int:
    """Where the first tool of a file goes: before its tools, else before what follows them."""
    tables = tomlkit.parse(text)
    for name in ("tool", "also_mentioned", "statement"):
        if name in tables:
            at = line_of(text, (name, 0)) - 1
            inside = _inside_strings(text)
            while at and at - 1 not in inside and lines[at - 1].startswith("#"):
                at -= 1
            return at
    return len(lines)
