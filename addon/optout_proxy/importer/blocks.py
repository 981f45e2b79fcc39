"""What a document is made of, whatever it is written in: headings, paragraphs, items, rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from optout_proxy.importer.document import MOST_BLOCKS, MOST_TEXT, too_much
from optout_proxy.importer.inline import Placed, Rich

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optout_proxy.importer.document import Document
    from optout_proxy.registry.policy_file import Lines

type Kind = Literal["heading", "text", "item", "term", "row", "quote"]


class Block(msgspec.Struct, frozen=True):
    """One paragraph, heading, list item, defined term or table row."""

    kind: Kind
    rich: Rich
    lines: Lines
    """First and last line in the document, from 1."""
    level: int = 0
    """Of a heading: 1 to 6, and 9 for a line of plain text that only looks like one."""
    cells: tuple[Rich, ...] = ()
    """Of a row."""
    is_header: bool = False
    """A row that names the columns of the rows below it."""

    @property
    def text(self) -> str:
        return self.rich.text


def bounded(blocks: Iterable[Block], document: Document) -> Iterator[Block]:
    """Hand blocks on, and refuse a document that has too many or too much in them."""
    letters = 0
    for number, block in enumerate(blocks):
        letters += len(block.text)
        if number >= MOST_BLOCKS:
            raise too_much(document.name, f"{MOST_BLOCKS} paragraphs")
        if letters > MOST_TEXT:
            raise too_much(document.name, f"{MOST_TEXT} characters of text")
        if block.text:
            yield block


def row(cells: list[Rich], lines: Lines, *, is_header: bool = False) -> Block:
    """A row, which as a text reads like its cells one after the other."""
    return Block("row", joined(cells, " | "), lines, 0, tuple(cells), is_header)


def joined(parts: list[Rich], between: str) -> Rich:
    """Several texts as one; links stay with their words."""
    links: list[Placed] = []
    length = 0
    for part in parts:
        links += [Placed(it.start + length, it.end + length, it.link) for it in part.links]
        length += len(part.text) + len(between)
    text = between.join(part.text for part in parts)
    return Rich(text, tuple(links), parts[0].strong if parts else 0)
