"""Lists in which each line is a name, a dash or a colon, and what there is to say of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.importer.names import tidy
from optout_proxy.importer.outline import HEAD, PLUG_IN, Outline, announces, whole_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer.imported import Entry, Sure

_SHORTEST: Final = 3
_LONGEST_LINE: Final = 600
_INTRODUCES: Final = re.compile(
    r"\b(?:tools|providers|services|vendors|partners|technologies|third part\w+|plug-?ins)\b"
    r"[^.]{0,60}:$",
    re.IGNORECASE,
)


def list_entries(outline: Outline) -> Iterator[Entry]:
    """An entry a line of each list that has a known tool in it."""
    at = 0
    while at < len(outline.blocks):
        end = at
        while end < len(outline.blocks) and _is_listed(outline, end):
            end += 1
        if end - at >= _SHORTEST and any(_tool_at(outline, it) for it in range(at, end)):
            yield from _run(outline, at, end)
        at = max(end, at + 1)


def _is_listed(outline: Outline, number: int) -> bool:
    block = outline.blocks[number]
    is_short = block.kind in ("text", "item") and len(block.text) < _LONGEST_LINE
    return is_short and HEAD.match(block.text) is not None


def _tool_at(outline: Outline, number: int) -> str | None:
    """The known tool that a line of a list is about."""
    text = outline.blocks[number].text
    head = HEAD.match(text)
    if not head:
        return None
    brand = outline.names.brand_of(head[1]) if PLUG_IN.search(text) else None
    return outline.names.tool_of(head[1]) or brand


def _run(outline: Outline, at: int, end: int) -> Iterator[Entry]:
    """Known tools, and unknown ones where the list is introduced as one of tools or of opt-outs."""
    above = outline.blocks[max(0, at - 2) : at]
    asked = any(announces(block) for block in above)
    listed = asked or any(_INTRODUCES.search(block.text) for block in above)
    for number in range(at, end):
        block = outline.blocks[number]
        head = HEAD.match(block.text)
        tool_id = _tool_at(outline, number)
        if head and (tool_id or listed):
            outline.claimed.add(number)
            values = whole_values(block, head.end(), under_opt_out=asked)
            sure: Sure = "likely" if tool_id else "possible"
            yield outline.entry(
                tool_id, tidy(head[1]), (block,), values, ("a line of a list", sure)
            )
