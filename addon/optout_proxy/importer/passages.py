"""Lines that begin with a tool's name, and sentences that name one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from optout_proxy.importer.kinds import is_operators
from optout_proxy.importer.loose import Stretch, loose_values
from optout_proxy.importer.names import tidy
from optout_proxy.importer.outline import (
    HEAD,
    OPT_OUT_HEAD,
    Outline,
    announces,
    distinct,
    whole_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer.fields import Part
    from optout_proxy.importer.imported import Entry, Sure
    from optout_proxy.importer.names import Named

_WINDOW: Final = 5
"""How many paragraphs may belong to a tool that the first of them names."""
_ROW_WINDOW: Final = 8
"""How many lines may follow one that is a name alone."""
_MANY: Final = ("opt_out", "privacy_policy", "terms")
"""Fields that more than one passage may state."""
_PARTED: Final = re.compile(r"[\s\u2122\u00ae]{0,3}[-\u2013\u2014:(]")
_GOES_ON: Final = re.compile(r"\s(?:[A-Z][a-z]+ )?[A-Z(]")


def line_entries(outline: Outline) -> Iterator[Entry]:
    """An entry a line that is, or begins with, the name of a known tool."""
    under_opt_out = False
    for number, block in enumerate(outline.blocks):
        under_opt_out = under_opt_out or announces(block)
        if number in outline.claimed or block.kind == "row":
            continue
        named = outline.named[number]
        if outline.is_named_line(number):
            for one in distinct(outline.names.find(block.text, headed=True)):
                yield _named_line(outline, number, one)
        elif named and named[0].start == 0 and block.kind != "heading":
            yield from _line(outline, number, named[0], under_opt_out=under_opt_out)


def _line(outline: Outline, number: int, one: Named, *, under_opt_out: bool) -> Iterator[Entry]:
    block = outline.blocks[number]
    rest = block.text[one.end :]
    if _PARTED.match(rest):
        how: tuple[str, Sure] = ("a line that begins with its name", "likely")
        yield _passage(outline, number, [(one, 0, len(block.text))], how)
    elif under_opt_out and block.rich.links and _GOES_ON.match(rest):
        outline.claimed.add(number)
        values = whole_values(block, one.end, under_opt_out=True)
        how = ("a row of a table, run together", "likely")
        yield outline.entry(one.tool, tidy(one.text), (block,), values, how)


def _named_line(outline: Outline, number: int, one: Named) -> Entry:
    """A line that is nothing but a name, and the lines below it that are about it."""
    end = number + 1
    linked = False
    while end < min(len(outline.blocks), number + 1 + _ROW_WINDOW):
        is_first = end == number + 1
        if _is_other(outline, end, one.tool, is_first=is_first, linked=linked):
            break
        linked = linked or bool(outline.blocks[end].rich.links)
        end += 1
    outline.claimed.add(number)
    blocks = outline.blocks[number:end]
    stretch = Stretch(blocks)
    values = loose_values(stretch, len(blocks[0].text), len(stretch.rich.text))
    how: tuple[str, Sure] = ("a line with its name alone", "likely")
    return outline.entry(one.tool, tidy(one.text), blocks, values, how)


def _is_other(outline: Outline, number: int, tool: str, *, is_first: bool, linked: bool) -> bool:
    """Whether a line below a tool's name is about something else."""
    block = outline.blocks[number]
    if outline.is_named_line(number) or block.kind == "row":
        return True
    if is_first:
        return block.kind == "heading" and block.level != 9
    if block.kind == "heading":
        return True
    file = outline.names.tool_files[tool]
    theirs = any(is_operators(it.link.url, file) for it in block.rich.links)
    others = bool(block.rich.links) or len(block.text) > 300 or bool(HEAD.match(block.text))
    return linked and not theirs and others


def sentence_entries(outline: Outline) -> Iterator[Entry]:
    """An entry a tool that a paragraph names in passing."""
    for number, block in enumerate(outline.blocks):
        if number in outline.claimed or block.kind == "heading":
            continue
        named = [*outline.named[number], *_networks(outline, number)]
        named.sort(key=lambda it: it.start)
        spans = list(_spans(named, len(block.text)))
        for one in distinct(named):
            ours = [span for span in spans if span[0].tool == one.tool]
            yield _passage(outline, number, ours, ("a sentence that names it", "possible"))


def _networks(outline: Outline, number: int) -> list[Named]:
    held = {it.tool for it in outline.named[number]}
    found = outline.names.networks(outline.blocks[number].text)
    return [it for it in found if it.tool not in held]


def _spans(named: list[Named], length: int) -> Iterator[tuple[Named, int, int]]:
    """What of a paragraph is about which tool: from where it is named to where another is.

    Each with the end of the mention of another tool before it.
    """
    runs = [one for at, one in enumerate(named) if not at or named[at - 1].tool != one.tool]
    for at, one in enumerate(runs):
        before = max((it.end for it in named if it.end <= one.start), default=0) if at else 0
        yield one, before, runs[at + 1].start if at + 1 < len(runs) else length


def _passage(
    outline: Outline, number: int, spans: list[tuple[Named, int, int]], how: tuple[str, Sure]
) -> Entry:
    """What the parts of a paragraph that are about one tool say of it."""
    one = spans[0][0]
    to_the_end = spans[-1][2] == len(outline.blocks[number].text)
    bridged = how[1] != "possible"
    last = _last_about(outline, number, one, bridged=bridged) if to_the_end else number
    blocks = outline.blocks[number : last + 1]
    stretch = Stretch(blocks)
    begins = [sentence.start for sentence in stretch.sentences()]
    values: dict[str, list[Part]] = {}
    for place, (mention, before, end) in enumerate(spans):
        sentence = max((it for it in begins if it <= mention.start), default=0)
        is_last = place == len(spans) - 1 and to_the_end
        stop = len(stretch.rich.text) if is_last else end
        for field, parts in loose_values(stretch, max(sentence, before), stop).items():
            if field in _MANY or field not in values:
                values.setdefault(field, []).extend(parts)
    _leave_out_foreign(outline, number, one.tool, values)
    return outline.entry(one.tool, tidy(one.text), blocks, values, how)


def _leave_out_foreign(
    outline: Outline, number: int, tool: str, values: dict[str, list[Part]]
) -> None:
    """Take away links to operators of other tools that the same paragraph names."""
    files = outline.names.tool_files
    others = [files[it.tool] for it in outline.named[number] if it.tool != tool]

    def is_foreign(url: str) -> bool:
        theirs = any(is_operators(url, file) for file in others)
        return theirs and not is_operators(url, files[tool])

    for field in _MANY:
        kept: list[Part] = []
        for part in values.pop(field, []):
            links = tuple(it for it in part.rich.links if not is_foreign(it.link.url))
            if links or not part.rich.links:
                kept.append(replace(part, rich=replace(part.rich, links=links)))
        if kept:
            values[field] = kept


def _last_about(outline: Outline, number: int, one: Named, *, bridged: bool) -> int:
    """The last paragraph that goes on about a tool; `bridged`: others may stand between."""
    words = outline.names.operator_words(one.tool)
    last = number
    for at in range(number + 1, min(len(outline.blocks), number + _WINDOW)):
        block, named = outline.blocks[at], {it.tool for it in outline.named[at]}
        if block.kind in ("heading", "row") or HEAD.match(block.text) or named - {one.tool}:
            break
        speaks = any(word in block.text for word in words) and OPT_OUT_HEAD.search(block.text)
        if named or speaks:
            last = at
        elif not bridged:
            break
    return last
