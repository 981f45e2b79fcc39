"""HTML → blocks.

The standard library's parser reads the tags. Left to find them itself it takes quadratic time
(65 s for 100 kB of `<a <a <a`), so each is cut out first, by the rules of the HTML standard for
what has no end: it goes on to the end of the document. That is one pass, and needs no memory.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

from optout_proxy.importer.blocks import Block, Kind, bounded, joined, row
from optout_proxy.importer.document import MOST_TAGS, MOST_TEXT, too_much
from optout_proxy.importer.inline import Builder, Rich

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer.addresses import Addresses
    from optout_proxy.importer.document import Document

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_BLOCKS: Final = frozenset(
    {
        *_HEADINGS,
        *("p", "div", "li", "ul", "ol", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr"),
        *("td", "th", "caption", "section", "article", "header", "footer", "main", "nav", "aside"),
        *("blockquote", "pre", "form", "fieldset", "legend", "details", "summary", "figure", "hr"),
        *("br", "body", "html", "head", "address", "option", "select", "button", "figcaption"),
    }
)
_CELLS: Final = frozenset({"td", "th"})
# What is written in these is no text of the document. The first go on to the end of a page where
# they are not closed, as in a browser; of the others an open one is passed over.
_RAW: Final = frozenset(
    {"script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp"}
)
_UNSEEN: Final = frozenset(
    {"template", "noscript", "svg", "math", "canvas", "object", "select", "video", "audio", "nav"}
)
_LONGEST_TAG: Final = 100_000
_MOST_CELLS: Final = 50
_MOST_PARAGRAPHS: Final = 3
"""In one cell: a table with more is there for the layout."""
_TAG: Final = re.compile(
    r"""</?[a-zA-Z][^\s/>]*+ (?: [^>="']++ | =\s*+ (?: "[^"]*+" | '[^']*+' )? | ["'] )*+ >""",
    re.VERBOSE,
)
_RUN: Final = re.compile(r"<+")
_TAG_NAME: Final = re.compile(r"</?([a-zA-Z][^\s/>]*)")


def html_blocks(document: Document, addresses: Addresses) -> list[Block]:
    """Read a page: its headings, paragraphs, items, terms and rows, each with its lines."""
    return list(bounded(_blocks(document, addresses), document))


def _blocks(document: Document, addresses: Addresses) -> Iterator[Block]:
    reader = _Reader(addresses)
    line = 1
    tags = letters = 0
    for piece, is_tag in _pieces(document.text, addresses.notes):
        if is_tag:
            reader.tag(piece, line)
            tags += 1
        elif piece:
            reader.text(piece, line)
            letters += len(piece.strip())
        line += piece.count("\n")
        if tags > MOST_TAGS:
            raise too_much(document.name, f"{MOST_TAGS} tags")
        if letters > MOST_TEXT:
            raise too_much(document.name, f"{MOST_TEXT} characters of text")
        yield from reader.take()
    reader.flush(line)
    yield from reader.take()


# --- Where each tag ends --------------------------------------------------------------------------


def _pieces(text: str, notes: list[str]) -> Iterator[tuple[str, bool]]:
    """Cut a page into texts and tags; comments and unseen elements become the lines they take."""
    at = 0
    never_closed: set[str] = set()
    while at < len(text):
        start = text.find("<", at)
        if start < 0:
            yield text[at:], False
            return
        if start > at:
            yield text[at:start], False
        end, is_tag = _end(text, start)
        if end == len(text) and not text.endswith(">"):
            _note(text, start, notes)
        piece = text[start:end]
        if is_tag:
            yield piece, True
            at = _after_unseen(text, end, piece, never_closed)
            if at == len(text) > end:
                _note(text, start, notes)
            yield "\n" * text.count("\n", end, at), False
        else:
            yield (piece if not piece.strip("<") else "\n" * piece.count("\n")), False
            at = end


def _note(text: str, start: int, notes: list[str]) -> None:
    """Say that a page ends inside a tag, a comment or a script: nothing behind it is read."""
    line = text.count("\n", 0, start) + 1
    opened = " ".join(text[start : start + 20].split())
    notes.append(f"line {line}: what is opened with {opened!r} has no end; the rest is not read")


def _end(text: str, start: int) -> tuple[int, bool]:
    """Where the construct ends that begins with a `<`, and whether it is a tag."""
    if text.startswith("<!--", start):
        end = text.find("-->", start + 4)
        return (end + 3 if end >= 0 else len(text)), False
    follows = text[start + 1 : start + 3]
    if follows[:1] in ("!", "?") or (follows[:1] == "/" and not follows[1:].isalpha()):
        end = text.find(">", start)
        return (end + 1 if end >= 0 else len(text)), False
    letter = follows.lstrip("/")[:1]
    if not (letter.isascii() and letter.isalpha()):
        # No tag; of many in a row, only the last may begin one.
        run = _RUN.match(text, start)
        return max(start + 1, run.end() - 1 if run else 0), False
    tag = _TAG.match(text, start)
    return (tag.end(), True) if tag else (len(text), False)


def _after_unseen(text: str, end: int, tag: str, never_closed: set[str]) -> int:
    """Where reading goes on after a tag: behind the end of an element that is not for readers."""
    found = _TAG_NAME.match(tag)
    name = found[1].lower() if found else ""
    if name not in _RAW | _UNSEEN or name in never_closed or tag.startswith("</"):
        return end
    if name not in _RAW and tag.endswith("/>"):
        return end
    close = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, end)
    if close:
        return close.start()
    never_closed.add(name)
    return len(text) if name in _RAW else end


# --- What each tag means --------------------------------------------------------------------------


class _Tag(HTMLParser):
    """Reads one tag at a time."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.attributes: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.attributes = {name: value or "" for name, value in attrs}

    def read(self, tag: str) -> dict[str, str]:
        self.attributes = {}
        if len(tag) <= _LONGEST_TAG:
            self.feed(tag)
        self.reset()
        return self.attributes


class _Reader:
    """Collects the blocks of a page."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._made: list[Block] = []
        self._tags = _Tag()
        self._builder = Builder(addresses)
        self._kind: Kind = "text"
        self._level = 0
        self._start = 0
        self._last = 0
        self._cells: list[Rich] | None = None
        self._row_start = 0
        self._only_heads = True
        self._in_cell = self._in_head = False
        self._parts: list[list[Block]] = [[]]

    def take(self) -> list[Block]:
        """The blocks that ended since it was asked last."""
        taken, self._made = self._made, []
        return taken

    def text(self, piece: str, line: int) -> None:
        if not piece.strip():
            self._builder.write(" ")
            return
        if not self._start:
            self._start = line + piece[: len(piece) - len(piece.lstrip())].count("\n")
        self._last = line + piece.rstrip().count("\n")
        # Marks of Markdown that its renderer could not pair are left in pages as they stood.
        self._builder.write(html.unescape(piece).replace("**", ""))

    def tag(self, piece: str, line: int) -> None:
        found = _TAG_NAME.match(piece)
        name = found[1].lower() if found else ""
        closing = piece.startswith("</")
        if name == "a":
            self._anchor(piece, closing)
        elif name in ("b", "strong"):
            self._builder.bold(not closing)
        elif name in _BLOCKS:
            self._block(name, closing, line)

    def _anchor(self, piece: str, closing: bool) -> None:
        if closing:
            self._builder.end_link()
        elif href := self._tags.read(piece).get("href"):
            self._builder.link(href)

    def _block(self, name: str, closing: bool, line: int) -> None:
        if name in ("tr", "table"):
            self._end_row(line)
            if name == "tr" and not closing:
                self._cells, self._row_start, self._only_heads = [], line, True
        elif self._cells is None:
            self.flush(line)
            self._begin(name, closing)
        elif name in _CELLS:
            self._cell(name, closing, line)
        elif name in _HEADINGS and not closing and not self._in_head:
            # A table that holds headings is there for the layout.
            self._dissolve(line)
            self._begin(name, closing)
        elif name == "p":
            self._end_part(line)
        else:
            self._builder.write(" ")

    def _begin(self, name: str, closing: bool) -> None:
        if closing or name in ("br", "hr"):
            self._kind = self._kind if name == "br" else "text"
        elif name in _HEADINGS:
            self._kind, self._level = "heading", _HEADINGS[name]
        elif name in ("li", "dt", "blockquote"):
            kinds: dict[str, Kind] = {"li": "item", "dt": "term", "blockquote": "quote"}
            self._kind = kinds[name]
        elif name != "p" or self._kind not in ("item", "quote"):
            self._kind = "text"

    def _cell(self, name: str, closing: bool, line: int) -> None:
        self._end_cell(line)
        if not closing:
            self._in_cell, self._in_head = True, name == "th"
            self._only_heads = self._only_heads and name == "th"

    def _end_part(self, line: int) -> None:
        """End a paragraph inside a cell."""
        if self._start and self._in_cell:
            lines = (self._start, max(self._start, self._last))
            self._parts[-1].append(Block("text", self._builder.finish(self._start), lines))
        elif self._in_cell and not self._builder.is_empty:
            self._parts[-1].append(Block("text", self._builder.finish(line), (line, line)))
        self._reset()

    def _end_cell(self, line: int) -> None:
        """End the cell being read: its end tag may be left out."""
        if self._in_cell and self._cells is not None and len(self._cells) < _MOST_CELLS:
            self._end_part(line)
            self._cells.append(joined([part.rich for part in self._parts[-1]], " "))
        self._parts.append([])
        self._in_cell = False
        self._reset()

    def _end_row(self, line: int) -> None:
        if self._cells is None:
            self.flush(line)
            return
        self._end_cell(line)
        if any(len(parts) > _MOST_PARAGRAPHS for parts in self._parts):
            self._dissolve(line)
        elif any(cell.text for cell in self._cells):
            heads = self._only_heads and len(self._cells) > 1
            end = max(self._row_start, self._last)
            self._made.append(row(self._cells, (self._row_start, end), is_header=heads))
        self._cells, self._parts = None, [[]]

    def _dissolve(self, line: int) -> None:
        """Make paragraphs of a row that is none, and of whatever comes after in its table."""
        self._end_cell(line)
        self._made += [part for parts in self._parts for part in parts]
        self._cells, self._parts = None, [[]]

    def flush(self, line: int) -> None:
        """End the block being read."""
        if self._start:
            rich = self._builder.finish(self._start or line)
            if rich.text:
                level = self._level if self._kind == "heading" else 0
                lines = (self._start, max(self._start, self._last))
                self._made.append(Block(self._kind, rich, lines, level))
        self._reset()

    def _reset(self) -> None:
        self._builder = Builder(self.addresses)
        self._start = 0
