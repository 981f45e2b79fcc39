"""Cut a JSON text of any size into the entries of a HAR, without ever holding more than one.

msgspec tells at full speed where a value ends. Where it cannot, because the value is damaged, the
brackets are counted instead, so that one odd entry costs one entry and not the file.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Source(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; none at the end."""


class Slice(NamedTuple):
    """A piece of a HAR: an entry (`key` is empty), or a value of the log beside them."""

    key: str
    text: bytes | msgspec.Raw
    why: str = ""
    """Why an entry is not here; empty where it is."""


_CHUNK: Final = 1 << 20
LARGEST: Final = 64 << 20
"""Bytes of the largest entry that is read: more is no request but its body."""
_GROWTH: Final = 8 << 20
"""Bytes by which more of a large value is held at most: it is looked at anew each time."""
_MOST_PLACES: Final = 2000
"""Places at which the entry behind a damaged one is looked for."""
_LARGEST_KEY: Final = 4096
_BESIDE: Final = frozenset({"creator", "browser", "pages"})
_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_WRONG: Final = re.compile(r"malformed: .*\(byte (\d+)\)")
_BETWEEN: Final = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
_BLANK: Final = re.compile(rb"[ \t\r\n]*+")
_SCALAR: Final = re.compile(rb"[^,\]}\s]*+")
_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MARK: Final = re.compile(rb'["{}\[\]]')
_NEXT: Final = re.compile(rb'\}[ \t\r\n]*+,[ \t\r\n]*+\{[ \t\r\n]*+"[^"\\]*+"')
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SKIP: Final = msgspec.json.Decoder(msgspec.Raw)


class Damaged(Exception):  # noqa: N818 - a state of the text, not a fault of ours
    """The text breaks off or is no HAR from here on."""


def slices(stream: Source) -> Iterator[Slice]:
    """Every entry, in order, and of the log what tells who wrote it.

    Raises Damaged, after what could be cut, where the text is no HAR or breaks off.
    """
    text = _Text(stream)
    if text.peek() != b"{":
        raise Damaged("it is no JSON object")
    yield from _object(text, depth=0)
    if not text.has_entries:
        raise Damaged("it has no log with entries")


def _object(text: _Text, depth: int) -> Iterator[Slice]:
    """Walk an object down to the entries; a HAR may be wrapped in one more object."""
    text.skip(1)
    while (mark := text.peek()) != b"}":
        if mark != b'"':
            raise Damaged("it breaks off" if not mark else "it is no JSON from here on")
        key = text.key()
        if text.peek() != b":":
            raise Damaged("it is no JSON from here on")
        text.skip(1)
        opened = text.peek()
        if key == "entries" and opened == b"[":
            text.has_entries = True
            yield from _entries(text)
        elif opened == b"{" and depth < 2 and (key == "log" or depth == 0):
            yield from _object(text, depth + 1)
        else:
            value = text.value()
            if key in _BESIDE and value is not None:
                yield Slice(key, value)
        if text.peek() == b",":
            text.skip(1)
    text.skip(1)


def _entries(text: _Text) -> Iterator[Slice]:
    text.skip(1)
    while (mark := text.peek()) != b"]":
        if not mark:
            raise Damaged("it breaks off")
        if mark == b"," or mark in b"}:":
            text.skip(1)
            continue
        if several := text.several():
            yield from [Slice("", one) for one in several]
            continue
        try:
            value = text.value()
        except Damaged as cut:
            yield Slice("", b"", f"cut short: {cut}")
            raise
        if value is None:
            yield Slice("", b"", f"larger than {LARGEST >> 20} MB")
        else:
            yield Slice("", value)
    text.skip(1)


class _Text:
    """A JSON text, of which a window is held."""

    def __init__(self, stream: Source) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0
        self._ended = False
        self._between: bytes | None = None
        self._alone = False
        self.has_entries = False

    def peek(self) -> bytes:
        """The next byte that is no blank; empty at the end."""
        while True:
            blank = _BLANK.match(self._held, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._held):
                return self._held[self._at : self._at + 1]
            if not self._more():
                return b""

    def skip(self, count: int) -> None:
        self._at += count

    def key(self) -> str:
        """The string that stands here."""
        raw = self.value() or b""
        if len(raw) > _LARGEST_KEY:
            return ""
        try:
            return msgspec.json.decode(raw, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""

    def value(self) -> bytes | None:
        """The value that stands here; None where it is too large, and then it is passed over.

        Raises Damaged where the text ends inside it.
        """
        while True:
            end = self._end()
            if end is not None:
                value = self._held[self._at : self._at + end]
                self._at += end
                self._learn(self._at)
                return value
            if len(self._held) - self._at > LARGEST:
                self._pass_over()
                return None
            if not self._more():
                raise Damaged("it breaks off")

    def several(self) -> list[msgspec.Raw]:
        """As many values as are held whole, cut at once; none where that is not certain.

        All but the first entry begin as the one before: with the same bytes between and the same
        key first. Whether what lies between two such places is whole values, msgspec decides.
        """
        if self._between is None:
            return []
        last = self._held.rfind(self._between, self._at)
        if last == -1:
            return []
        try:
            cut = _LIST.decode(b"[%b]" % self._held[self._at : last + 1])
        except (msgspec.DecodeError, RecursionError):
            # Not again before more of the text is held, or damage would be met once an entry.
            self._between, self._alone = None, True
            return []
        self._at = last + 1
        return cut

    def _learn(self, end: int) -> None:
        """Learn what stands between one entry and the next."""
        found = None if self._alone else _NEXT.match(self._held, end - 1)
        self._between = found[0] if found else None

    def _end(self) -> int | None:
        """Bytes of the value that stands here; None where it does not end in what is held."""
        view = memoryview(self._held)[self._at :]
        try:
            _SKIP.decode(view)
        except msgspec.DecodeError as error:
            if trailing := _TRAILING.search(str(error)):
                return int(trailing[1]) - 1
            if wrong := _WRONG.search(str(error)):
                return self._damaged_end(self._at + int(wrong[1]))
        except RecursionError:
            return self._counted_end()
        else:
            return len(view) if self._ended or self._held[self._at] in b'{["' else None
        # Cut off, as far as can be seen; or half a surrogate pair, which looks the same.
        return self._counted_end() if self._ended or len(view) >= _CHUNK else None

    def _damaged_end(self, wrong: int) -> int | None:
        """Where a damaged value ends: where its brackets do, or where the next entry begins.

        A bracket too few would otherwise swallow every entry behind it.
        """
        if self._held[self._at] not in b'{["':
            return self._counted_end()
        # What is wrong is often the beginning of the next entry: a brace before it counts too.
        closed = self._held.rfind(b"}", self._at, wrong)
        places = _BETWEEN.finditer(self._held, wrong if closed == -1 else closed)
        for between in islice(places, _MOST_PLACES):
            if self._is_entry(between.end()):
                damaged = self._held[self._at : between.start() + 1]
                end = _Brackets().feed(damaged, 0)
                return len(damaged) if end is None else end
        return self._counted_end()

    def _is_entry(self, start: int) -> bool:
        view = memoryview(self._held)[start : start + _GROWTH // 2]
        try:
            _SKIP.decode(view)
        except msgspec.DecodeError as error:
            trailing = _TRAILING.search(str(error))
            return trailing is not None and b'"request"' in bytes(view[: int(trailing[1])])
        except RecursionError:
            return False
        return b'"request"' in bytes(view)

    def _counted_end(self) -> int | None:
        held, at = self._held, self._at
        if held[at : at + 1] not in {b"{", b"[", b'"'}:
            scalar = _SCALAR.match(held, at)
            end = scalar.end() if scalar else at
            return max(end - at, 1) if end < len(held) or self._ended else None
        end_found = _Brackets().feed(held, at)
        return None if end_found is None else end_found - at

    def _pass_over(self) -> None:
        """Go behind a value without holding it."""
        brackets = _Brackets()
        while (end := brackets.feed(self._held, self._at)) is None:
            self._at = len(self._held)
            if not self._more():
                raise Damaged("it breaks off")
        self._at = end

    def _more(self) -> bool:
        """Hold more of the text, and no more of what has been read."""
        left = self._held[self._at :]
        chunk = self._stream.read(max(_CHUNK, min(len(left), _GROWTH)))
        self._held, self._at = left + chunk, 0
        self._ended = not chunk
        self._alone = False
        return bool(chunk)


class _Brackets:
    """Counts brackets outside strings, over as many pieces as a value has."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, piece: bytes, at: int) -> int | None:
        """Where in the piece the value ends; None where it goes on behind it."""
        if self._escaped and at < len(piece):
            at, self._escaped = at + 1, False
        while at < len(piece):
            at = self._through_string(piece, at) if self._in_string else self._to_mark(piece, at)
            if self._depth == 0 and not self._in_string and at <= len(piece):
                return at
        return None

    def _through_string(self, piece: bytes, at: int) -> int:
        rest = _IN_STRING.match(piece, at)
        at = rest.end() if rest else at
        if piece[at : at + 1] == b'"':
            self._in_string = False
            return at + 1
        self._escaped = piece[at : at + 1] == b"\\"
        return len(piece) + 1

    def _to_mark(self, piece: bytes, at: int) -> int:
        mark = _MARK.search(piece, at)
        if mark is None:
            return len(piece) + 1
        if mark[0] == b'"':
            self._in_string = True
        else:
            self._depth += 1 if mark[0] in b"{[" else -1
        return mark.end()
