"""The ways in which policies name tools, from the surest to the least sure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final


from optout_proxy.importer.fields import Part, tool_of
from optout_proxy.importer.imported import Entry
from optout_proxy.importer.kinds import is_operators
from optout_proxy.importer.labelled import Section, closes, labelled_entry, read_fields
from optout_proxy.importer.labels import column_of
from optout_proxy.importer.loose import Stretch, loose_values
from optout_proxy.importer.names import Named, Names, slug, tidy
from optout_proxy.registry.policy_file import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.imported import Sure
    from optout_proxy.importer.kinds import is_operators
from optout_proxy.importer.labelled import Labelled

_WINDOW: Final = 5
"""How many paragraphs may belong to a tool that the first of them names."""
_ROW_WINDOW: Final = 8
_HEAD: Final = re.compile(
    r"([A-Z][\w.+&'()/ \u2122\u00ae-]{1,48}?)\s{0,2}(?:\s[-\u2013\u2014]\s|:\s)(?=\S)"
)
_OPT_OUT_HEAD: Final = re.compile(
    r"opt[\s-]?out|how (?:could|can|do|to) .{0,10}?\b(?:block|disable|refuse|reject|decline)",
    re.IGNORECASE,
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
        yield from self._flat_tables()
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

    def _flat_tables(self) -> Iterator[Entry]:
        """Tables of which a copy kept the cells only, each on a line of its own."""
        for start, columns in _flat_heads(self.blocks):
            at = start + len(columns)
            heads = [block.text for block in self.blocks[start:at]]
            rows = _flat_rows(self.blocks, at, columns)
            if len(rows) < 2:
                continue
            for cells in rows:
                name = tidy(cells[0].text)
                tool_id = self.names.tool_of(name)
                if _PLUG_IN.search(heads[columns.index("name")]):
                    tool_id = tool_id or self.names.brand_of(name)
                values = {
                    column: [Part(cell.rich, cell.lines)]
                    for column, cell in zip(columns, cells, strict=True)
                    if column in FIELDS and column is not None
                }
                self._claimed.update(range(at, at + len(cells)))
                at += len(cells)
                yield self._entry(
                    tool_id, name, cells, values, "a table of which cells are left", "likely"
                )

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
            if block.level == 9 and self._is_named_line(number):
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
        named = _distinct(self.names.find(section.head.text, headed=True))
        read = read_fields(section) if _has_labels(section) else None
        if read and (named or _is_declared(section, read)):
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
        return (
            block.kind in ("text", "item")
            and bool(_HEAD.match(block.text))
            and len(block.text) < 600
        )

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
            if head and _PLUG_IN.search(block.text):
                tool_id = tool_id or self.names.brand_of(head[1])
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
        return any(_announces(block) for block in self.blocks[max(0, at - 2) : at])

    # --- Lines that begin with a name -------------------------------------------------------------

    def _lines(self) -> Iterator[Entry]:
        under = False
        for number, block in enumerate(self.blocks):
            under = under or _announces(block)
            if number in self._claimed or block.kind == "row":
                continue
            if self._is_named_line(number):
                for one in _distinct(self.names.find(block.text, headed=True)):
                    yield self._named_line(number, one)
            elif (named := self._named[number]) and named[0].start == 0 and block.kind != "heading":
                yield from self._line(number, block, named, under=under)

    def _is_named_line(self, number: int) -> bool:
        """Whether a line is the name of a tool and nothing else."""
        text = self.blocks[number].text
        named = self.names.find(text, headed=True) if len(text) < 80 else []
        return bool(named) and named[0].start == 0 and _is_name_only(text[named[0].end :])

    def _line(
        self, number: int, block: Block, named: Sequence[Named], *, under: bool
    ) -> Iterator[Entry]:
        rest = block.text[named[0].end :]
        if re.match(r"[\s\u2122\u00ae]{0,3}(?:[-\u2013\u2014:(]|\s[-\u2013\u2014]\s)", rest):
            yield self._window(
                number, named[0], len(block.text), "a line that begins with its name", "likely"
            )
        elif under and block.rich.links and re.match(r"\s(?:[A-Z][a-z]+ )?[A-Z(]", rest):
            self._claimed.add(number)
            stretch = Stretch([block])
            values = loose_values(stretch, named[0].end, len(block.text), under_opt_out=True)
            name = tidy(named[0].text)
            yield self._entry(
                named[0].tool, name, (block,), values, "a row of a table in text", "likely"
            )

    def _named_line(self, number: int, one: Named) -> Entry:
        """A line that is nothing but a name, and the lines below it that are about it."""
        head = self.blocks[number]
        end = number + 1
        linked = False
        while end < min(len(self.blocks), number + 1 + _ROW_WINDOW):
            if self._is_other(end, one.tool, first=end == number + 1, linked=linked):
                break
            linked = linked or bool(self.blocks[end].rich.links)
            end += 1
        blocks = self.blocks[number:end]
        self._claimed.add(number)
        stretch = Stretch(blocks)
        values = loose_values(stretch, len(head.text), len(stretch.rich.text))
        return self._entry(
            one.tool, tidy(one.text), blocks, values, "a line with its name alone", "likely"
        )

    def _is_other(self, number: int, tool_id: str, *, first: bool, linked: bool) -> bool:
        """Whether a line below a tool's name is about something else."""
        block = self.blocks[number]
        if self._is_named_line(number) or block.kind == "row":
            return True
        if first:
            return block.kind == "heading" and block.level != 9
        file = self.names.tool_files[tool_id]
        theirs = any(is_operators(it.link.url, file) for it in block.rich.links)
        if block.kind == "heading" or (block.rich.links and not theirs and linked):
            return True
        return linked and not theirs and (len(block.text) > 300 or bool(_HEAD.match(block.text)))

    # --- Sentences --------------------------------------------------------------------------------

    def _sentences(self) -> Iterator[Entry]:
        for number, block in enumerate(self.blocks):
            if number in self._claimed or block.kind == "heading":
                continue
            named = self._named[number]
            held = {it.tool for it in named}
            named = [*named, *(it for it in self.names.networks(block.text) if it.tool not in held)]
            named.sort(key=lambda it: it.start)
            firsts = {one.tool: one for one in reversed(named)}
            for place, one in enumerate(named):
                if firsts[one.tool] is not one:
                    continue
                later = (it.start for it in named[place + 1 :] if it.tool != one.tool)
                end = next(later, len(block.text))
                yield self._window(number, one, end, "a sentence that names it", "possible")

    def _window(self, number: int, one: Named, end: int, found: str, sure: Sure) -> Entry:
        """From where a tool is named to where the text ceases to speak of it."""
        whole = end == len(self.blocks[number].text)
        last = self._last_about(number, one, bridged=sure != "possible") if whole else number
        blocks = self.blocks[number : last + 1]
        stretch = Stretch(blocks)
        stop = end if last == number else len(stretch.rich.text)
        start = max((it.start for it in stretch.sentences() if it.start <= one.start), default=0)
        values = loose_values(stretch, start, stop)
        return self._entry(one.tool, tidy(one.text), blocks, values, found, sure)

    def _last_about(self, number: int, one: Named, *, bridged: bool) -> int:
        """The last paragraph that goes on about a tool; `bridged`: others may stand between."""
        words = self.names.operator_words(one.tool)
        last = number
        for at in range(number + 1, min(len(self.blocks), number + _WINDOW)):
            block = self.blocks[at]
            others = any(it.tool != one.tool for it in self._named[at])
            if block.kind in ("heading", "row") or _HEAD.match(block.text) or others:
                break
            ours = any(it.tool == one.tool for it in self._named[at])
            about = any(word in block.text for word in words) and _OPT_OUT_HEAD.search(block.text)
            if ours or about:
                last = at
            elif not bridged:
                break
        return last

    # ----------------------------------------------------------------------------------------------

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
        tool = tool_of(tool_id or slug(name, lines[0]), name, lines, values, file, self.own)
        return Entry(tool, found, sure, file is not None)


def _flat_heads(blocks: Sequence[Block]) -> Iterator[tuple[int, list[str | None]]]:
    """Runs of short lines that name columns: one for the name, two or more for fields."""
    number = 0
    while number < len(blocks):
        if _flat_column(blocks[number]) != "name":
            number += 1
            continue
        end = number
        while end < len(blocks) and end < number + 10 and _is_flat_head(blocks[end]):
            end += 1
        columns = [_flat_column(block) for block in blocks[number:end]]
        while columns and columns[-1] is None:
            columns.pop()
        fields = [column for column in columns if column in FIELDS]
        if len(fields) >= 2 and {"privacy_policy", "opt_out"} & set(fields):
            yield number, columns
        number = max(end, number + 1)


def _is_flat_head(block: Block) -> bool:
    return block.kind != "row" and len(block.text) < 60 and not block.rich.links


def _flat_column(block: Block) -> str | None:
    return column_of(block.text) if _is_flat_head(block) else None


def _flat_rows(
    blocks: Sequence[Block], at: int, columns: Sequence[str | None]
) -> list[Sequence[Block]]:
    """The rows below: as long as every cell under "privacy" and "opt-out" is one address."""
    rows: list[Sequence[Block]] = []
    size = len(columns)
    while at + size <= len(blocks):
        cells = blocks[at : at + size]
        addressed = (
            _is_address(cell)
            for column, cell in zip(columns, cells, strict=True)
            if column in ("privacy_policy", "opt_out", "terms")
        )
        if not all(addressed) or cells[0].rich.links or len(cells[0].text) > 60:
            break
        rows.append(cells)
        at += size
    return rows


def _is_address(cell: Block) -> bool:
    links = cell.rich.links
    return len(links) == 1 and links[0].start == 0 and links[0].end >= len(cell.text) - 1


def _columns(block: Block) -> list[str | None]:
    columns = [column_of(cell.text) if len(cell.text) < 80 else None for cell in block.cells]
    return columns if block.is_header or sum(column is not None for column in columns) >= 2 else []


def _cells(block: Block, columns: Sequence[str | None]) -> Iterator[tuple[str, list[Part]]]:
    held: dict[str, list[Part]] = {}
    for column, cell in zip(columns, block.cells, strict=False):
        if column in FIELDS:
            held.setdefault(column or "", []).append(Part(cell, block.lines))
    yield from held.items()


def _distinct(named: Iterable[Named]) -> list[Named]:
    """The first mention of each tool."""
    return list({it.tool: it for it in reversed(list(named))}.values())[::-1]


def _has_labels(section: Section) -> bool:
    return bool(read_fields(section).values)


def _is_declared(section: Section, read: Labelled) -> bool:
    """Whether an unknown name is a tool's: real markup, and fields that only a tool has."""
    head = section.head
    fields = read.values.keys()
    return (
        head.level != 9
        and len(head.text) <= 80
        and len(fields) >= 2
        and bool(fields & {"opt_out", "data_collected"})
        and column_of(head.text) is None
    )


def _announces(block: Block) -> bool:
    """Whether a title or a table's head says that ways to opt out follow."""
    text = block.text
    return (
        len(text) < 150
        and text[-1:] not in ".!"
        and not block.rich.links
        and bool(_OPT_OUT_HEAD.search(text))
    )


def _is_name_only(rest: str) -> bool:
    """Whether nothing follows a name, or only what makes no sentence of it."""
    rest = rest.strip(" \u2122\u00ae:.,")
    return not rest or (len(rest) <= 40 and bool(re.match(r"(?:with|and|&|\+|/|\()", rest)))
