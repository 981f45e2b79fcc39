"""Tables of tools: as markup, and as a copy of the page left them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.importer.fields import Part
from optout_proxy.importer.labels import column_of
from optout_proxy.importer.names import tidy
from optout_proxy.importer.outline import PLUG_IN, Outline, whole_values
from optout_proxy.registry.policy_file import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.imported import Entry

type Columns = list[str | None]
"""What each column holds: `name`, `cookie`, a field, or something of no interest."""

_OWN: Final = re.compile(
    r"(?:first[ -]party|own|our own|us|we|ourselves|this (?:web)?site|internal|n/?a|-|)",
    re.IGNORECASE,
)
_MOST_COLUMNS: Final = 10
_ADDRESSED: Final = ("privacy_policy", "opt_out", "terms")


def table_entries(outline: Outline) -> Iterator[Entry]:
    """An entry a row, where a row names a known tool or the columns say what they hold."""
    yield from _flat_entries(outline)
    columns: Columns = []
    is_plug_in = False
    for number, block in enumerate(outline.blocks):
        if block.kind != "row":
            columns = []
        elif block.is_header or (not columns and _columns(block)):
            columns, is_plug_in = _columns(block), bool(PLUG_IN.search(block.text))
            outline.claimed.add(number)
        elif entry := _row(outline, block, columns, is_plug_in=is_plug_in):
            outline.claimed.add(number)
            yield entry


def _row(outline: Outline, block: Block, columns: Columns, *, is_plug_in: bool) -> Entry | None:
    told = any(column in FIELDS for column in columns)
    name, tool_id = _named(outline, block, columns, is_plug_in=is_plug_in)
    if not name or not (tool_id or told):
        return None
    if told:
        values, found = _cells(block, columns), "a row of a table, its columns named"
    else:
        values, found = whole_values(block, 0), "a row of a table"
    return outline.entry(tool_id, name, (block,), values, (found, "likely"))


def _named(
    outline: Outline, block: Block, columns: Columns, *, is_plug_in: bool
) -> tuple[str, str | None]:
    """What a row is about: a known tool, else what the column for names holds."""
    pairs = list(zip(columns, block.cells, strict=False)) or [("cookie", block.cells[0])]
    names = [tidy(cell.text) for column, cell in pairs if column == "name"]
    cookies = [tidy(cell.text) for column, cell in pairs if column == "cookie"]
    for name in (*names, *cookies):
        brand = outline.names.brand_of(name) if is_plug_in else None
        if tool_id := outline.names.tool_of(name) or brand:
            return name, tool_id
    # A cookie that no known tool sets may be the site's own.
    strangers = (name for name in names if 0 < len(name) <= 100 and not _is_own(outline, name))
    return next(strangers, ""), None


def _is_own(outline: Outline, name: str) -> bool:
    return _OWN.fullmatch(name) is not None or name.lower().removeprefix("www.") in outline.own


def _columns(block: Block) -> Columns:
    columns = [column_of(cell.text) if len(cell.text) < 80 else None for cell in block.cells]
    return columns if block.is_header or sum(column is not None for column in columns) >= 2 else []


def _cells(block: Block, columns: Columns) -> dict[str, list[Part]]:
    held: dict[str, list[Part]] = {}
    for column, cell in zip(columns, block.cells, strict=False):
        if column and column in FIELDS:
            held.setdefault(column, []).append(Part(cell, block.lines))
    return held


# --- Tables of which a copy kept the cells only, each on a line of its own -----------------------


def _flat_entries(outline: Outline) -> Iterator[Entry]:
    for start, columns in _flat_heads(outline.blocks):
        at = start + len(columns)
        rows = _flat_rows(outline.blocks, at, columns)
        if len(rows) < 2:
            continue
        head = outline.blocks[start]
        outline.claimed.update(range(at, at + len(rows) * len(columns)))
        for cells in rows:
            yield _flat_row(outline, cells, columns, is_plug_in=bool(PLUG_IN.search(head.text)))


def _flat_row(
    outline: Outline, cells: Sequence[Block], columns: Columns, *, is_plug_in: bool
) -> Entry:
    name = tidy(cells[0].text)
    brand = outline.names.brand_of(name) if is_plug_in else None
    values = {
        column: [Part(cell.rich, cell.lines)]
        for column, cell in zip(columns, cells, strict=True)
        if column and column in FIELDS
    }
    how = "a table of which the cells are left"
    return outline.entry(outline.names.tool_of(name) or brand, name, cells, values, (how, "likely"))


def _flat_heads(blocks: Sequence[Block]) -> Iterator[tuple[int, Columns]]:
    """Runs of short lines that name columns: the first for the name, two or more for fields."""
    number = 0
    while number < len(blocks):
        columns = _flat_columns(blocks[number : number + _MOST_COLUMNS])
        fields = {column for column in columns if column in FIELDS}
        if len(fields) >= 2 and fields.intersection(_ADDRESSED):
            yield number, columns
        number += max(1, len(columns))


def _flat_columns(blocks: Sequence[Block]) -> Columns:
    columns: Columns = []
    for block in blocks:
        is_head = block.kind != "row" and len(block.text) < 60 and not block.rich.links
        column = column_of(block.text) if is_head else None
        if not is_head or (not columns and column not in ("name", "cookie")):
            break
        columns.append(column)
    while columns and columns[-1] is None:
        columns.pop()
    return columns


def _flat_rows(blocks: Sequence[Block], at: int, columns: Columns) -> list[Sequence[Block]]:
    """The rows below: as long as every cell under "privacy" and "opt-out" is one address."""
    rows: list[Sequence[Block]] = []
    size = len(columns)
    while at + size <= len(blocks) and _is_flat_row(blocks[at : at + size], columns):
        rows.append(blocks[at : at + size])
        at += size
    return rows


def _is_flat_row(cells: Sequence[Block], columns: Columns) -> bool:
    if cells[0].rich.links or len(cells[0].text) > 60:
        return False
    pairs = zip(columns, cells, strict=True)
    return all(_is_address(cell) for column, cell in pairs if column in _ADDRESSED)


def _is_address(cell: Block) -> bool:
    links = cell.rich.links
    return len(links) == 1 and links[0].start == 0 and links[0].end >= len(cell.text) - 1
