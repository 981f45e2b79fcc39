"""Markdown and plain text → blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.importer.blocks import Block, Kind, bounded, row
from optout_proxy.importer.inline import markdown, unmarked
from optout_proxy.importer.labels import TOOL_NAME, label_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer.addresses import Addresses
    from optout_proxy.importer.document import Document

_HEADING: Final = re.compile(r"\s{0,3}(?P<marks>#{1,6})(?:\s+(?P<text>.*?))?(?:\s#+)?\s*$")
_UNDER: Final = re.compile(r"\s{0,3}(=+|-{3,})\s*$")
_RULE: Final = re.compile(r"\s{0,3}(?:-\s*){3,}$|\s{0,3}(?:\*\s*){3,}$|\s{0,3}(?:_\s*){3,}$")
_ITEM: Final = re.compile(r"\s{0,8}(?:\d{1,3}[.)]|[-*+\u2022\u25cf\u00b7])\s+(?=\S)")
_ROW: Final = re.compile(r"\s{0,3}\|.*\|\s*$")
_DIVIDER: Final = re.compile(r"\s{0,3}\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_LABEL_LINE: Final = re.compile(r"\s{0,3}(?:\*\*|__)[^*_]{1,60}:")


class _Piece(msgspec.Struct, frozen=True):
    kind: Kind
    raw: str
    lines: tuple[int, int]
    level: int = 0


def markdown_blocks(document: Document, addresses: Addresses) -> list[Block]:
    """Read Markdown: what stands between blank lines is one paragraph."""
    lines = document.text.split("\n")
    made = (_block(piece, addresses) for piece in _pieces(lines))
    return _tables(list(bounded(made, document)))


def text_blocks(document: Document, addresses: Addresses) -> list[Block]:
    """Read plain text: each line is a block, and some look like headings."""
    lines = enumerate(document.text.split("\n"), start=1)
    made = (_line(line, addresses, number) for number, line in lines if line.strip())
    return list(_with_titles(list(bounded(made, document))))


def _line(line: str, addresses: Addresses, number: int) -> Block:
    item = _ITEM.match(line)
    rich = unmarked(line[item.end() :] if item else line, addresses, number)
    return Block("item" if item else "text", rich, (number, number))


# --- Markdown -------------------------------------------------------------------------------------


def _pieces(lines: list[str]) -> Iterator[_Piece]:
    """Cut a document into paragraphs, headings, items and rows, each with its lines."""
    held: list[str] = []
    kind: Kind = "text"
    start = 1
    for number, line in enumerate([*lines, ""], start=1):
        heading = _HEADING.match(line)
        if held and _UNDER.match(line) and kind == "text":
            yield _Piece("heading", " ".join(held), (start, number), 1 if "=" in line else 2)
            held = []
            continue
        begins = _begins(line)
        if held and (begins or not line.strip()):
            yield _Piece(kind, " ".join(held), (start, number - 1))
            held = []
        if heading:
            text = heading["text"] or ""
            yield _Piece("heading", text, (number, number), len(heading["marks"]))
        elif line.strip() and not _RULE.match(line):
            if not held:
                kind, start = begins or "text", number
            held.append(_inner(line, kind))


def _begins(line: str) -> Kind | None:
    """What a line begins, whether or not a blank line stands before it."""
    if _HEADING.match(line) or _LABEL_LINE.match(line) or _RULE.match(line):
        return "text"
    if line.lstrip().startswith(">"):
        return "quote"
    if _ROW.match(line) or _DIVIDER.fullmatch(line):
        return "row"
    return "item" if _ITEM.match(line) else None


def _inner(line: str, kind: Kind) -> str:
    if kind == "quote":
        return line.lstrip(" >")
    return _ITEM.sub("", line, count=1) if kind == "item" else line


def _block(piece: _Piece, addresses: Addresses) -> Block:
    if piece.kind == "row":
        cells = piece.raw.strip().strip("|").split("|")
        rich = [markdown(cell, addresses, piece.lines[0]) for cell in cells[:50]]
        return row(rich, piece.lines)
    return Block(
        piece.kind, markdown(piece.raw, addresses, piece.lines[0]), piece.lines, piece.level
    )


def _tables(blocks: list[Block]) -> list[Block]:
    """Mark the rows above a divider as headers, and drop the dividers."""
    found: list[Block] = []
    for block in blocks:
        if block.kind == "row" and all(re.fullmatch(r"[:\s-]*", cell.text) for cell in block.cells):
            if found and found[-1].kind == "row":
                found[-1] = msgspec.structs.replace(found[-1], is_header=True)
        else:
            found.append(block)
    return found


# --- Plain text -----------------------------------------------------------------------------------


def _with_titles(blocks: list[Block]) -> Iterator[Block]:
    before: Block | None = None
    for number, block in enumerate(blocks):
        after = blocks[number + 1] if number + 1 < len(blocks) else None
        if _is_title(block, before, after):
            block = msgspec.structs.replace(block, kind="heading", level=9)  # noqa: PLW2901
        yield block
        before = block


def _is_title(block: Block, before: Block | None, after: Block | None) -> bool:
    """Whether a line of plain text looks like the title of what follows."""
    text = block.text
    if TOOL_NAME.match(text):
        return True
    ends_before = before is None or before.kind == "heading" or _ends(before, block)
    return bool(
        after
        and ends_before
        and len(text) <= 90
        and len(text.split()) <= 10
        and (text[0].isupper() or text[0].isdigit())
        and text[-1] not in ".,;:!"
        and not block.rich.links
        and not label_of(text)
        and "@" not in text
        and after.text[0] not in "abcdefghijklmnopqrstuvwxyz"
    )


def _ends(before: Block, block: Block) -> bool:
    """Whether a sentence or a paragraph ended before this line."""
    links = before.rich.links
    ends_in_link = bool(links) and links[-1].end >= len(before.text) - 1
    return ends_in_link or before.text[-1] in '.!?:;)"' or block.lines[0] > before.lines[1] + 1
