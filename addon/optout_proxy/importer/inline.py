"""Text with links in it: what a reader of the published page sees, and where each link stands."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.importer.addresses import Addresses
    from optout_proxy.registry.policy_file import Link


class Placed(msgspec.Struct, frozen=True):
    """A link, and the part of the text that carries it."""

    start: int
    end: int
    link: Link


class Rich(msgspec.Struct, frozen=True):
    """A text of one line, spaces and quotes normalised, with its links in order."""

    text: str
    links: tuple[Placed, ...] = ()
    strong: int = 0
    """How far the bold text that it begins with goes."""

    def part(self, start: int, end: int | None = None) -> Rich:
        """A part of it, without spaces around."""
        stop = len(self.text) if end is None else end
        inner = self.text[start:stop]
        begin = start + len(inner) - len(inner.lstrip())
        text = inner.strip()
        links = tuple(
            Placed(it.start - begin, it.end - begin, it.link)
            for it in self.links
            if it.start >= begin and it.end <= begin + len(text)
        )
        return Rich(text, links, max(0, min(self.strong - begin, len(text))))


# Typographic variants that must not make two texts of one. Bidirectional marks, zero-width
# characters and soft hyphens are not seen, and serve to hide.
_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u00a0\u2007\u202f\t\v\f\n\r\u2028\u2029\u0085", " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"),
        **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
        **{chr(code): " " for code in (*range(9), *range(14, 32), 127)},
        # What cannot be written as UTF-8 is no text.
        **{chr(code): "\ufffd" for code in range(0xD800, 0xE000)},
    }
)


def plain(text: str) -> str:
    """Normalise quotes and spaces, and drop what is not seen."""
    return " ".join(text.translate(_PLAIN).split())


def clipped(text: str, most: int = 1000) -> str:
    """A text no longer than may be; where it was cut, it says so."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "\u2026"


class Builder:
    """Puts pieces together into one Rich, collapsing spaces as a browser does."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._pieces: list[str] = []
        self._length = 0
        self._ends_in_space = True
        self._links: list[tuple[int, int, str]] = []
        self._open: tuple[int, str] | None = None
        self._bold = 0
        self._strong = 0

    def write(self, text: str) -> None:
        text = re.sub(r" +", " ", text.translate(_PLAIN))
        if self._ends_in_space:
            text = text.removeprefix(" ")
        if text:
            self._pieces.append(text)
            self._length += len(text)
            self._ends_in_space = text.endswith(" ")

    def bold(self, on: bool) -> None:
        """Begin or end bold text; only what the whole begins with is of interest."""
        self._bold = max(0, self._bold + (1 if on else -1))
        if not on and not self._bold and not self._strong:
            self._strong = self._length
        elif on and self._length and not self._strong:
            self._strong = -1

    def link(self, target: str) -> None:
        self.end_link()
        self._open = (self._length, target)

    def end_link(self) -> None:
        if self._open:
            start, target = self._open
            self._links.append((start, self._length, target))
            self._open = None

    @property
    def is_empty(self) -> bool:
        return not self._length and not self._links

    def finish(self, line: int) -> Rich:
        """All that was written; links that lead nowhere are left out and noted by line."""
        self.end_link()
        text = "".join(self._pieces)
        rich = Rich(text, tuple(self._placed(text, line)), max(0, self._strong)).part(0)
        return _with_bare(rich, self.addresses)

    def _placed(self, text: str, line: int) -> Iterable[Placed]:
        for start, end, target in self._links:
            shown = text[start:end]
            begin = start + len(shown) - len(shown.lstrip())
            label = shown.strip()
            found = self.addresses.resolve(target, label or target, line)
            if found:
                yield Placed(begin, begin + len(label), found)


# --- Addresses that stand in the text as such ----------------------------------------------------

_ENDS: Final = ".,;:!?\"'*_"
_BARE: Final = re.compile(
    r"""
    (?<![\w@./-])
    (?P<url>
        https?:// [^\s<>"'|\]]{3,2000}
      | www\. [\w-]{1,63} (?: \.[\w-]{1,63} ){1,5} / [^\s<>"'|\]]{0,2000}
      | [a-z0-9-]{1,63} (?: \.[a-z0-9-]{1,63} ){0,4} \.[a-z]{2,12} / [^\s<>"'|\]]{1,2000}
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _with_bare(rich: Rich, addresses: Addresses) -> Rich:
    """Add the addresses that no markup makes a link."""
    if "/" not in rich.text:
        return rich
    taken = [(it.start, it.end) for it in rich.links]
    found = list(rich.links)
    for match in _BARE.finditer(rich.text):
        url = trimmed(match["url"])
        start, end = match.start(), match.start() + len(url)
        if any(start < stop and end > begin for begin, stop in taken):
            continue
        if link := addresses.bare(url):
            found.append(Placed(start, end, link))
    found.sort(key=lambda it: it.start)
    return msgspec.structs.replace(rich, links=tuple(found))


def trimmed(url: str) -> str:
    """Take off what ends the sentence around an address, not the address."""
    while url:
        if url[-1] in _ENDS or (url[-1] == ")" and url.count("(") < url.count(")")):
            url = url[:-1]
        else:
            break
    return url


# --- Markdown -------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r"""
      !\[ (?P<alt> [^\[\]]{0,500} ) \]\( [^()\s]{0,2000} \)
    | \[ (?P<label> [^\[\]]{0,2000} ) \]
      \( \s{0,3} <? (?P<target> [^\s()<>]{0,2000} (?: \([^\s()]{0,500}\) [^\s()<>]{0,2000} )? ) >?
         (?: \s{1,3} "[^"]{0,300}" )? \s{0,3} \)
    | < (?P<auto> (?: https?:// | mailto: ) [^<>\s]{1,2000} ) >
    | (?P<bold> \*\*|__ )
    | (?P<mark> [*_`] )
    | \\ (?P<escaped> [\\`*_{}\[\]()\#+.!<>|-] )
    """,
    re.VERBOSE,
)


def markdown(raw: str, addresses: Addresses, line: int) -> Rich:
    """Read a paragraph of Markdown; marks that are badly closed, as in archives, are marks."""
    builder = Builder(addresses)
    _feed(builder, html.unescape(raw) if "&" in raw else raw)
    return builder.finish(line)


def _feed(builder: Builder, raw: str, *, inside_link: bool = False) -> None:
    at = 0
    bold = False
    for token in _TOKEN.finditer(raw):
        builder.write(raw[at : token.start()])
        at = token.end()
        kind = token.lastgroup
        if kind == "bold" and not _in_word(raw, token):
            bold = not bold
            builder.bold(bold)
        elif kind == "mark" and (token["mark"] != "_" or not _in_word(raw, token)):
            continue
        elif kind == "escaped":
            builder.write(token["escaped"])
        elif kind == "auto":
            builder.link(token["auto"])
            builder.write(token["auto"].removeprefix("mailto:"))
            builder.end_link()
        elif kind == "alt":
            builder.write(token["alt"])
        elif token["target"] is not None and not inside_link:
            builder.link(token["target"])
            _feed(builder, token["label"], inside_link=True)
            builder.end_link()
        else:
            builder.write(token.group())
    builder.write(raw[at:])


def _in_word(raw: str, token: re.Match[str]) -> bool:
    """Whether an underscore stands inside a word or an address, where it is no mark."""
    if token.group()[0] != "_":
        return False
    before, after = raw[token.start() - 1 : token.start()], raw[token.end() : token.end() + 1]
    return (before.isalnum() or before in "/=&?-") and bool(before) and after.isalnum()


def unmarked(text: str, addresses: Addresses, line: int) -> Rich:
    """Read a line of plain text."""
    builder = Builder(addresses)
    builder.write(text)
    return builder.finish(line)
