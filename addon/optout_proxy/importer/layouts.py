"""The ways in which policies name tools, from the surest to the least sure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final


from optout_proxy.importer.fields import Part, tool_of
from optout_proxy.importer.imported import Entry
from optout_proxy.importer.labelled import Section, closes, labelled_entry, read_fields
from optout_proxy.importer.labels import column_of
from optout_proxy.importer.loose import Stretch, loose_values
from optout_proxy.importer.names import Named, Names, slug, tidy
from optout_proxy.registry.policy_file import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.imported import Sure
    from optout_proxy.importer.labelled import Labelled

_WINDOW: Final = 5
"""How many paragraphs may belong to a tool that the first of them names."""
_ROW_WINDOW: Final = 8
_HEAD: Final = re.compile(r"([A-Z][\w.+&'()/ \u2122\u00ae-]{1,48}?)\s{0,2}(?:\s[-\u2013\u2014]\s|:\s)(?=\S)")
_OPT_OUT_HEAD: Final = re.compile(
    r"opt[\s-]?out|how (?:could|can|do|to) .{0,10}?\b(?:block|disable|refuse|reject|decline)", re.IGNORECASE
)
_PLUG_IN: Final = re.compile(r"plug[\s-]?in|widget|\bbutton|\bembed", re.IGNORECASE)


class Reader:
    """Reads the entries of one document."""

    def __init__(self, blocks: Sequence[Block], names: Names, own: tuple[str, ...]) -> None:
        self.blocks = blocks
        self.names = names
        self.own = own
        self.warnings: list[str] = []
        self._named = [names.find(block.text) for block in blocks]
        self._claimed: set[int] = set()

    def entries(self) -> Iterator[Entry]:
        """Every entry, in no particular order; the same tool may come more than once."""
        yield from self._tables()
        yield from self._sections()
        yield from self._lists()
        yield from self._lines()
        yield from self._sentences()

    # --- Tables -----------------------------------------------------------------------------------

    def _tables(self) -> Iterator[Entry]:
        columns: list[str | None] = []
        for number, block in enumerate(self.blocks):
            if block.kind != "row":
                columns = []
            elif block.is_header or (not columns and _columns(block)):
                columns = _columns(block)
                self._claimed.add(number)
            elif entry := self._row(block, columns):
                self._claimed.add(number)
                yield entry

    def _row(self, block: Block, columns: list[str | None]) -> Entry | None:
        at = columns.index("name") if "name" in columns else 0
        name = tidy(block.cells[at].text) if at < len(block.cells) else ""
        tool_id = self.names.tool_of(name)
        told = sum(column in FIELDS for column in columns)
        if not name or len(name) > 100 or not (tool_id or ("name" in columns and told)):
            return None
        values = dict(_cells(block, columns)) if told else self._loose(block)
        found = "a row of a table, its columns named" if told else "a row of a table"
        return self._entry(tool_id, name, (block,), values, found, "likely")

    def _loose(self, block: Block) -> dict[str, list[Part]]:
        stretch = Stretch([block])
        return loose_values(stretch, 0, len(stretch.rich.text))

    # --- Headed sections --------------------------------------------------------------------------

    def _sections(self) -> Iterator[Entry]:
        for number, block in enumerate(self.blocks):
            if block.kind not in ("heading", "term") or number in self._claimed:
                continue
            section = Section(block, tuple(self._body(number)))
            yield from self._section(number, section)

    def _body(self, number: int) -> Iterator[Block]:
        head = self.blocks[number]
        for block in self.blocks[number + 1 : number + 200]:
            ends = block.kind in ("term", "heading") if head.kind == "term" else closes(head, block)
            if ends:
                return
            yield block

    def _section(self, number: int, section: Section) -> Iterator[Entry]:
        named = self._distinct(self.names.find(section.head.text, headed=True))
        if not named and (number + 1 >= len(self.blocks) or not _may_be_name(section.head.text)):
            return
        read = read_fields(section) if _has_labels(section) else None
        if read and (named or len(read.values) >= 2):
            yield from self._labelled(number, section, read, named)
        elif named:
            yield from self._headed(number, section, named)

    def _labelled(
        self, number: int, section: Section, read: Labelled, named: Sequence[Named]
    ) -> Iterator[Entry]:
        self._claim(number, section)
        self.warnings += read.warnings
        name = tidy(section.head.text)
        for one in [it.text for it in named[1:]] or [name]:
            found = "a heading, with labelled fields"
            sure: Sure = "certain" if named else "likely"
            yield labelled_entry(one, section, read, self.names, self.own, found, sure)

    def _headed(self, number: int, section: Section, named: Sequence[Named]) -> Iterator[Entry]:
        if not section.body:
            return
        self._claim(number, section)
        blocks = (section.head, *section.body)
        stretch = Stretch(blocks)
        values = loose_values(stretch, len(section.head.text), len(stretch.rich.text))
        for one in named:
            yield self._entry(one.tool, tidy(one.text), blocks, values, "a heading", "likely")

    def _claim(self, number: int, section: Section) -> None:
        # Other tools that the section names in passing are still looked for.
        self._claimed.add(number)

    # --- Lists of "Name - what it does" -----------------------------------------------------------

    def _lists(self) -> Iterator[Entry]:
        at = 0
        while at < len(self.blocks):
            end = at
            while end < len(self.blocks) and self._is_listed(end):
                end += 1
            if end - at >= 3 and any(self._head_tool(number) for number in range(at, end)):
                yield from self._run(at, end)
            at = max(end, at + 1)

    def _is_listed(self, number: int) -> bool:
        block = self.blocks[number]
        return block.kind in ("text", "item") and bool(_HEAD.match(block.text)) and len(block.text) < 600

    def _head_tool(self, number: int) -> str | None:
        head = _HEAD.match(self.blocks[number].text)
        return self.names.tool_of(head[1]) if head else None

    def _run(self, at: int, end: int) -> Iterator[Entry]:
        """A list in which each line names something, of which one at least is a known tool."""
        asked = self._asks_how(at)
        for number in range(at, end):
            block = self.blocks[number]
            head = _HEAD.match(block.text)
            tool_id = self._head_tool(number)
            if not head or not (tool_id or asked):
                continue
            self._claimed.add(number)
            stretch = Stretch([block])
            values = loose_values(stretch, head.end(), len(block.text), under_opt_out=asked)
            sure: Sure = "likely" if tool_id else "possible"
            name = tidy(head[1])
            yield self._entry(tool_id, name, (block,), values, "a line of a list", sure)

    def _asks_how(self, at: int) -> bool:
        """Whether what stands above a list announces ways to opt out."""
        above = self.blocks[max(0, at - 2) : at]
        return any(_OPT_OUT_HEAD.search(block.text) and len(block.text) < 200 for block in above)

    # --- Lines that begin with a name -------------------------------------------------------------

    def _lines(self) -> Iterator[Entry]:
        under = False
        for number, block in enumerate(self.blocks):
            if _OPT_OUT_HEAD.search(block.text) and len(block.text) < 150 and not block.rich.links:
                under = True
            named = self._named[number]
            if number in self._claimed or block.kind in ("heading", "row"):
                continue
            if named and named[0].start == 0:
                yield from self._line(number, block, named, under=under)
            elif (tool_id := self.names.brand_of(block.text)) and self._plug_ins_above(number):
                yield self._named_line(number, tool_id, tidy(block.text), block)

    def _line(self, number: int, block: Block, named: Sequence[Named], *, under: bool) -> Iterator[Entry]:
        rest = block.text[named[0].end :]
        if _is_name_only(rest):
            for one in self._distinct(named):
                yield self._named_line(number, one.tool, tidy(one.text), block)
        elif re.match(r"[\s\u2122\u00ae]{0,3}(?:[-\u2013\u2014:(]|\s[-\u2013\u2014]\s)", rest):
            yield self._window(number, named[0], len(block.text), "a line that begins with its name", "likely")
        elif under and block.rich.links and re.match(r"\s(?:[A-Z][a-z]+ )?[A-Z(]", rest):
            self._claimed.add(number)
            stretch = Stretch([block])
            values = loose_values(stretch, named[0].end, len(block.text), under_opt_out=True)
            name = tidy(named[0].text)
            yield self._entry(named[0].tool, name, (block,), values, "a row of a table in text", "likely")

    def _named_line(self, number: int, tool_id: str, name: str, block: Block) -> Entry:
        """A line that is nothing but a name, and the lines below it."""
        end = number + 1
        while end < min(len(self.blocks), number + 1 + _ROW_WINDOW) and not self._begins_other(end):
            end += 1
        blocks = self.blocks[number:end]
        self._claimed.add(number)
        stretch = Stretch(blocks)
        values = loose_values(stretch, len(block.text), len(stretch.rich.text))
        return self._entry(tool_id, name, blocks, values, "a line with its name alone", "likely")

    def _begins_other(self, number: int) -> bool:
        block = self.blocks[number]
        if block.kind == "heading" or _HEAD.match(block.text) is not None and not block.rich.links:
            return True
        named = self._named[number]
        return bool(
            (named and named[0].start == 0 and _is_name_only(block.text[named[0].end :]))
            or self.names.brand_of(block.text)
        )

    def _plug_ins_above(self, number: int) -> bool:
        above = self.blocks[max(0, number - 24) : number]
        return any(_PLUG_IN.search(block.text) and len(block.text) < 80 for block in above)

    # --- Sentences --------------------------------------------------------------------------------

    def _sentences(self) -> Iterator[Entry]:
        for number, block in enumerate(self.blocks):
            if number in self._claimed or block.kind == "heading":
                continue
            named = self._named[number]
            for place, one in enumerate(named):
                if any(it.tool == one.tool for it in named[:place]):
                    continue
                later = (it.start for it in named[place + 1 :] if it.tool != one.tool)
                end = next(later, len(block.text))
                yield self._window(number, one, end, "a sentence that names it", "possible")

    def _window(self, number: int, one: Named, end: int, found: str, sure: Sure) -> Entry:
        """From where a tool is named to where the text ceases to speak of it."""
        last = self._last_about(number, one) if end == len(self.blocks[number].text) else number
        blocks = self.blocks[number : last + 1]
        stretch = Stretch(blocks)
        stop = end if last == number else len(stretch.rich.text)
        start = max((it.start for it in stretch.sentences() if it.start <= one.start), default=0)
        values = loose_values(stretch, start, stop)
        return self._entry(one.tool, tidy(one.text), blocks, values, found, sure)

    def _last_about(self, number: int, one: Named) -> int:
        words = self.names.operator_words(one.tool)
        last = number
        for at in range(number + 1, min(len(self.blocks), number + _WINDOW)):
            block = self.blocks[at]
            others = any(it.tool != one.tool for it in self._named[at])
            if block.kind in ("heading", "row") or _HEAD.match(block.text) or others:
                break
            ours = any(it.tool == one.tool for it in self._named[at])
            about = any(word in block.text for word in words) and _OPT_OUT_HEAD.search(block.text)
            last = at if ours or about else last
        return last

    # ----------------------------------------------------------------------------------------------

    def _distinct(self, named: Iterable[Named]) -> list[Named]:
        return list({it.tool: it for it in reversed(list(named))}.values())[::-1]

    def _entry(
        self,
        tool_id: str | None,
        name: str,
        blocks: Sequence[Block],
        values: dict[str, list[Part]],
        found: str,
        sure: Sure,
    ) -> Entry:
        lines = (blocks[0].lines[0], max(block.lines[1] for block in blocks))
        file = self.names.tool_files.get(tool_id or "")
        tool = tool_of(tool_id or slug(name), name, lines, values, file, self.own)
        return Entry(tool, found, sure, file is not None)


def _columns(block: Block) -> list[str | None]:
    columns = [column_of(cell.text) if len(cell.text) < 80 else None for cell in block.cells]
    return columns if block.is_header or sum(column is not None for column in columns) >= 2 else []


def _cells(block: Block, columns: Sequence[str | None]) -> Iterator[tuple[str, list[Part]]]:
    held: dict[str, list[Part]] = {}
    for column, cell in zip(columns, block.cells, strict=False):
        if column in FIELDS:
            held.setdefault(column or "", []).append(Part(cell, block.lines))
    yield from held.items()


def _has_labels(section: Section) -> bool:
    return bool(read_fields(section).values)


def _may_be_name(text: str) -> bool:
    return len(text) <= 100


def _is_name_only(rest: str) -> bool:
    """Whether nothing follows a name, or only what makes no sentence of it."""
    rest = rest.strip(" \u2122\u00ae:.,")
    return not rest or (len(rest) <= 40 and bool(re.match(r"(?:with|and|&|\+|/|\()", rest)))


