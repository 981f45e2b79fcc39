"""Sections under a heading, or under a defined term, that names a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.importer.labelled import (
    Section,
    closes,
    declared_sections,
    labelled_entry,
    read_fields,
)
from optout_proxy.importer.labels import column_of, label_alone
from optout_proxy.importer.loose import Stretch, loose_values
from optout_proxy.importer.names import tidy
from optout_proxy.importer.outline import Outline, distinct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.imported import Entry, Sure
    from optout_proxy.importer.labelled import Labelled
    from optout_proxy.importer.names import Named

_LONGEST: Final = 200
"""Blocks in a section: what comes after is hardly about one tool."""


def declared_entries(outline: Outline) -> Iterator[Entry]:
    """An entry a section that declares a tool by name, as the Mass.gov policy does."""
    for name, section in declared_sections(outline.blocks):
        read = read_fields(section)
        outline.warnings += read.warnings
        how: tuple[str, Sure] = ("a heading that declares it as a tool", "certain")
        yield labelled_entry(name, section, read, outline.names, outline.own, how)


def section_entries(outline: Outline) -> Iterator[Entry]:
    """An entry a heading that names a tool, or whose section labels a tool's fields."""
    for number, block in enumerate(outline.blocks):
        if block.kind not in ("heading", "term") or number in outline.claimed:
            continue
        if block.level != 9 or not outline.is_named_line(number):
            yield from _section(outline, number, Section(block, tuple(_body(outline, number))))


def _body(outline: Outline, number: int) -> Iterator[Block]:
    head = outline.blocks[number]
    for block in outline.blocks[number + 1 : number + 1 + _LONGEST]:
        if closes(head, block):
            return
        yield block


def _section(outline: Outline, number: int, section: Section) -> Iterator[Entry]:
    named = distinct(outline.names.find(section.head.text, headed=True))
    read = read_fields(section)
    if read.values and (named or _is_declared(section, read)):
        outline.claimed.add(number)
        outline.warnings += read.warnings
        yield from _labelled(outline, section, read, named)
    elif named and section.body:
        outline.claimed.add(number)
        yield from _headed(outline, section, named)


def _labelled(
    outline: Outline, section: Section, read: Labelled, named: Sequence[Named]
) -> Iterator[Entry]:
    sure: Sure = "certain" if named else "likely"
    several = [it.text for it in named] if len(named) > 1 else [section.head.text]
    for name in several:
        how = ("a heading, with labelled fields", sure)
        yield labelled_entry(tidy(name), section, read, outline.names, outline.own, how)


def _headed(outline: Outline, section: Section, named: Sequence[Named]) -> Iterator[Entry]:
    blocks = (section.head, *section.body)
    stretch = Stretch(blocks)
    values = loose_values(stretch, len(section.head.text), len(stretch.rich.text))
    for one in named:
        yield outline.entry(one.tool, tidy(one.text), blocks, values, ("a heading", "likely"))


def _is_declared(section: Section, read: Labelled) -> bool:
    """Whether an unknown name is a tool's: real markup, and fields that only a tool has."""
    head = section.head
    fields = read.values.keys()
    headings = [block for block in section.body if block.kind == "heading"]
    return (
        head.level != 9
        and len(head.text) <= 80
        and len(fields) >= 2
        and bool(fields & {"opt_out", "data_collected"})
        and column_of(head.text) is None
        and all(label_alone(block.text) for block in headings)
    )
