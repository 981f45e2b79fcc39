"""Entries whose fields carry labels, such as the Mass.gov policy has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.importer.fields import Part, tool_of
from optout_proxy.importer.imported import Entry, Extra, Sure
from optout_proxy.importer.inline import Rich
from optout_proxy.importer.labels import TOOL_NAME, label_alone, label_of, unknown_label
from optout_proxy.importer.names import Names, slug, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.registry.policy_file import Lines

_LONGEST_NAME: Final = 200


class Section(msgspec.Struct, frozen=True):
    """A heading and what stands under it."""

    head: Block
    body: tuple[Block, ...]

    @property
    def lines(self) -> Lines:
        last = self.body[-1].lines[1] if self.body else self.head.lines[1]
        return self.head.lines[0], last


class Labelled(msgspec.Struct, frozen=True):
    """The fields of a section, as far as it labels any."""

    values: dict[str, list[Part]]
    extras: tuple[Extra, ...]
    warnings: tuple[str, ...]


def declared_sections(blocks: Sequence[Block]) -> Iterator[tuple[str, Section]]:
    """Each section that begins by declaring a tool by name, with that name."""
    starts = [number for number, block in enumerate(blocks) if _declared(block)]
    for place, start in enumerate(starts):
        stop = starts[place + 1] if place + 1 < len(starts) else len(blocks)
        head = blocks[start]
        end = next((at for at in range(start + 1, stop) if closes(head, blocks[at])), stop)
        yield _declared(head) or "", Section(head, tuple(blocks[start + 1 : end]))


def closes(head: Block, block: Block) -> bool:
    """Whether a heading ends the section of another: it is no deeper, and no label."""
    if head.kind == "term":
        return block.kind in ("term", "heading")
    if block.kind != "heading":
        return False
    if head.kind != "heading" or head.level == 9:
        return label_alone(block.text) is None
    return block.level <= head.level


def _declared(block: Block) -> str | None:
    if block.kind == "row" or len(block.text) > _LONGEST_NAME:
        return None
    found = TOOL_NAME.match(block.text)
    return tidy(block.text[found.end() :]) or None if found else None


def read_fields(section: Section) -> Labelled:
    """Read the labelled fields of a section; whatever has no label belongs to the one before."""
    values: dict[str, list[Part]] = {}
    extras: list[Extra] = []
    warnings: list[str] = []
    current: list[Part] | None = None
    for block in section.body:
        where = f"line {block.lines[0]}"
        field, part = _labelled(block)
        if field:
            if field in values:
                warnings.append(f"{where}: {field} stands here a second time; both are kept")
            current = values.setdefault(field, [])
            current.append(part)
        elif label := _unknown(block):
            extras.append(Extra(label, block.text, block.lines))
            warnings.append(f'{where}: the label "{label}" is not known; kept as a comment')
            current = None
        elif current is not None:
            current.append(Part(block.rich, block.lines))
        else:
            extras.append(Extra("", block.text, block.lines))
    return Labelled(values, tuple(extras), tuple(warnings))


def _labelled(block: Block) -> tuple[str | None, Part]:
    """The field that a block begins, and the first part of its value."""
    nothing = Part(Rich(""), block.lines)
    if block.kind in ("heading", "term") and (field := label_alone(block.text)):
        return field, nothing
    if len(block.cells) > 1 and (field := label_alone(block.cells[0].text)):
        rest = block.rich.part(len(block.cells[0].text) + len(" | "))
        return field, Part(rest, block.lines)
    if found := label_of(block.text):
        return found[0], Part(block.rich.part(found[1]), block.lines)
    return None, nothing


def _unknown(block: Block) -> str | None:
    if block.kind in ("heading", "term"):
        return block.text.rstrip(": ")[:60]
    return unknown_label(block.text, block.rich.strong)


def labelled_entry(
    name: str,
    section: Section,
    read: Labelled,
    names: Names,
    own: tuple[str, ...],
    how: tuple[str, Sure],
) -> Entry:
    """An entry from a section with labelled fields; `how` it was found, and how sure that is."""
    tool_id = names.tool_of(name)
    file = names.tool_files.get(tool_id or "")
    tool = tool_of(
        tool_id or slug(name, section.lines[0]), name, section.lines, read.values, file, own
    )
    return Entry(tool, how[0], how[1], file is not None, read.extras)
