"""A document's blocks, with the tools each names, and which of them an entry was made from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.importer.fields import tool_of
from optout_proxy.importer.imported import Entry
from optout_proxy.importer.loose import Stretch, loose_values
from optout_proxy.importer.names import Named, Names, slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.fields import Part
    from optout_proxy.importer.imported import Sure

HEAD: Final = re.compile(
    r"([A-Z][\w.+&'()/ \u2122\u00ae-]{1,48}?)\s{0,2}(?:\s[-\u2013\u2014]\s|:\s)(?=\S)"
)
"""What a line of a list begins with: a name, then a dash or a colon."""
OPT_OUT_HEAD: Final = re.compile(
    r"opt[\s-]?out|how (?:could|can|do|to) .{0,10}?\b(?:block|disable|refuse|reject|decline)",
    re.IGNORECASE,
)
PLUG_IN: Final = re.compile(r"plug[\s-]?in|widget|\bbutton|\bembed", re.IGNORECASE)


class Outline:
    """What the readers of the different layouts share."""

    def __init__(self, blocks: Sequence[Block], names: Names, own: tuple[str, ...]) -> None:
        self.blocks = blocks
        self.names = names
        self.own = own
        self.named = [names.find(block.text) for block in blocks]
        """The tools that each block names."""
        self.claimed: set[int] = set()
        """The blocks that a surer layout has made an entry from."""
        self.warnings: list[str] = []

    def entry(
        self,
        tool_id: str | None,
        name: str,
        blocks: Sequence[Block],
        values: Mapping[str, Sequence[Part]],
        how: tuple[str, Sure],
    ) -> Entry:
        """An entry from some blocks; `how` it was found, and how sure that is."""
        lines = (blocks[0].lines[0], max(block.lines[1] for block in blocks))
        file = self.names.tool_files.get(tool_id or "")
        tool = tool_of(tool_id or slug(name, lines[0]), name, lines, values, file, self.own)
        return Entry(tool, how[0], how[1], file is not None)

    def is_named_line(self, number: int) -> bool:
        """Whether a line is the name of a tool and nothing else."""
        text = self.blocks[number].text
        named = self.names.find(text, headed=True) if len(text) < 80 else []
        return bool(named) and named[0].start == 0 and _is_name_only(text[named[0].end :])


def whole_values(block: Block, start: int, *, under_opt_out: bool = False) -> dict[str, list[Part]]:
    """The fields that one block states, from some place on."""
    return loose_values(Stretch([block]), start, len(block.text), under_opt_out=under_opt_out)


def distinct(named: Iterable[Named]) -> list[Named]:
    """The first mention of each tool."""
    return list({it.tool: it for it in reversed(list(named))}.values())[::-1]


def announces(block: Block) -> bool:
    """Whether a title or a table's head says that ways to opt out follow."""
    text = block.text
    return (
        len(text) < 150
        and text[-1:] not in ".!"
        and not block.rich.links
        and bool(OPT_OUT_HEAD.search(text))
    )


def _is_name_only(rest: str) -> bool:
    """Whether nothing follows a name, or only what makes no sentence of it."""
    rest = rest.strip(" \u2122\u00ae:.,")
    return not rest or (len(rest) <= 40 and bool(re.match(r"(?:with|and|&|\+|/|\()", rest)))
