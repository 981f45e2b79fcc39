"""Finds the tags that matter in markup as it arrives, and hands all else on unread.

After the tokenizer of HTML section 13.2.5, as far as it decides where a tag starts and ends:
comments, raw text, scripts with their escapes, CDATA sections in foreign content, attributes
quoted in all ways, at any cut between two pieces. One expression runs over everything that is of
no interest, which is almost all of a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from optout_proxy.pages import grammar
from optout_proxy.pages.grammar import end_of
from optout_proxy.pages.tags import Tag

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

MOST_HELD: Final = 256 * 1024
"""Bytes of a tag, or of a script, that are held back to be looked at; a longer one goes through."""

_DEEPEST: Final = 512
"""Elements inside each other of which browsers keep account too."""

_MORE: Final = False
"""What a step says where it needs more bytes to go on."""


class Watcher(Protocol):
    """Is shown what was found, and says what to put in its place."""

    shown: frozenset[str]
    """Names of the start tags to show."""

    @property
    def looks_ahead(self) -> int:
        """How many bytes of the document, from its start, must have come before `before`."""

    def before(self, ahead: bytes) -> bytes:
        """What to put before the first thing in the document that could run a script.

        `ahead` is what follows there, up to the bytes that `looks_ahead` asked for.
        """

    def tag(self, tag: Tag) -> bytes:
        """What to put in place of a start tag."""

    def wants(self, tag: Tag) -> bool:
        """Whether to hold back this script until its text is known."""

    def script(self, tag: Tag, text: bytes) -> bytes:
        """What to put before a script, given its start tag and (the beginning of) its text."""


class Scanner:
    """Reads one document; what comes in goes out again, with the watcher's edits.

    A step reads one thing and says whether it got on. `_at` is how far the buffer is read, `_sent`
    how far it has gone out.
    """

    def __init__(self, watcher: Watcher, *, xml: bool = False) -> None:
        self._watcher = watcher
        self._xml = xml
        self._whole_tag = grammar.WHOLE_XML_TAG if xml else grammar.WHOLE_TAG
        self._buffer = bytearray()
        self._at = 0
        self._sent = 0
        self._gone = 0
        self._out: list[bytes] = []
        self._final = False
        self._step: Callable[[], bool] = self._opening
        self._waits_for = b""
        self._waits_to_open = False
        self._stack: list[str] = []
        self._escaped = 0
        self._held: Tag | None = None
        self._held_end = 0
        self._seen_root = False

    def feed(self, data: bytes) -> bytes:
        """What is decided once these bytes have come."""
        self._buffer += data
        is_short = len(self._buffer) - self._at <= MOST_HELD
        if self._waits_for and is_short and self._waits_for not in data:
            return b""
        self._waits_for = b""
        return self._run()

    def end(self) -> bytes:
        """All that is left: the document is over."""
        self._final = True
        self._waits_for = b""
        out = self._run()
        self._at = len(self._buffer)
        self._hold_no_more()
        return out + self._flush()

    def stop(self) -> None:
        """Look at nothing any more: what follows goes through."""
        if self._waits_to_open:
            self._put_in_front()
        self._hold_no_more()
        self._step = self._through
        self._waits_for = b""

    def _run(self) -> bytes:
        while self._step() is not _MORE:
            pass
        return self._flush()

    def _flush(self) -> bytes:
        if self._held is None:
            self._send(self._at)
        out = b"".join(self._out)
        self._out.clear()
        del self._buffer[: self._sent]
        self._at -= self._sent
        self._held_end -= self._sent
        self._gone += self._sent
        self._sent = 0
        return out

    def _send(self, end: int) -> None:
        if end > self._sent:
            self._out.append(bytes(self._buffer[self._sent : end]))
            self._sent = end

    def _replace(self, start: int, end: int, instead: bytes) -> None:
        self._send(start)
        self._out.append(instead)
        self._sent = end

    # --- between tags

    def _content(self) -> bool:
        """Go on to the next thing of interest."""
        self._at = end_of(self._dull(), self._buffer, self._at)
        return self._markup()

    def _dull(self) -> re.Pattern[bytes]:
        shown = self._watcher.shown
        if self._xml:
            return grammar.dull_xml(shown)
        if not self._stack:
            return grammar.dull_html(shown)
        return grammar.dull_foreign() if self._is_foreign else grammar.dull_inside(shown)

    @property
    def _is_foreign(self) -> bool:
        return bool(self._stack) and self._stack[-1] in grammar.FOREIGN

    @property
    def _is_opening(self) -> bool:
        return self._step == self._opening

    def _opening(self) -> bool:
        """Go on to the first place where a script could run."""
        self._at = end_of(grammar.SPACES, self._buffer, self._at)
        if self._at == len(self._buffer):
            return _MORE
        if self._buffer[self._at] != ord("<"):
            return self._open()
        return self._markup()

    def _open(self) -> bool:
        """Put in here what belongs before everything that could run a script."""
        ahead = self._watcher.looks_ahead - self._gone
        self._waits_to_open = not self._final and len(self._buffer) < ahead
        if self._waits_to_open:
            return _MORE
        if not self._xml or self._seen_root:
            self._put_in_front()
        self._step = self._content
        return True

    def _put_in_front(self) -> None:
        end = max(self._at, self._watcher.looks_ahead - self._gone)
        ahead = bytes(self._buffer[self._at : end])
        self._replace(self._at, self._at, self._watcher.before(ahead))

    def _markup(self) -> bool:
        """Read what starts at `<`, or wait for more of it."""
        after = bytes(self._buffer[self._at + 1 : self._at + 2])
        if after.isalpha() or (self._xml and _starts_xml_name(after)):
            return self._tag()
        match after:
            case b"!":
                return self._declaration()
            case b"?":
                return self._skip_to(b"?>" if self._xml else b">", 2)
            case b"/":
                return self._end_tag()
            case b"" if not self._final or self._at == len(self._buffer):
                return _MORE
        return self._text()

    def _text(self) -> bool:
        """Take a `<` for text."""
        if self._is_opening:
            return self._open()
        self._at += 1
        return True

    def _declaration(self) -> bool:
        front = bytes(self._buffer[self._at : self._at + 9])
        if front.startswith(b"<!--"):
            return self._comment()
        if front == b"<![CDATA[" and (self._xml or self._is_foreign):
            return self._skip_to(b"]]>", 9)
        if not self._final and (b"<!--".startswith(front) or b"<![CDATA[".startswith(front)):
            return _MORE
        if self._xml:
            return self._xml_doctype()
        return self._skip_to(b">", 2)

    def _end_tag(self) -> bool:
        after = bytes(self._buffer[self._at + 2 : self._at + 3])
        if after.isalpha() or (self._xml and after):
            return self._tag()
        if after:  # `</>` is nothing, all else a comment
            return self._skip_to(b">", 2)
        return self._text() if self._final else _MORE

    def _comment(self) -> bool:
        if grammar.ABRUPT.match(self._buffer, self._at) and not self._xml:
            return self._skip_to(b">", 4)
        if not self._final and len(self._buffer) < self._at + 6:
            return _MORE
        self._at += 4
        return self._skip(grammar.COMMENT_END, 3)

    def _skip_to(self, end: bytes, size: int) -> bool:
        """Hand on everything up to and with `end`, which starts `size` bytes on at the earliest."""
        self._at += size
        return self._skip(grammar.literal(end), len(end) - 1)

    def _skip(self, end: re.Pattern[bytes], cut: int) -> bool:
        """Hand on everything up to and with `end`, of which at most `cut` bytes may be here yet."""
        back = self._step

        def step() -> bool:
            found = end.search(self._buffer, self._at)
            if found is None:
                self._at = max(self._at, len(self._buffer) - cut)
                return _MORE
            self._at = found.end()
            self._step = back
            return True

        self._step = step
        return True

    def _xml_doctype(self) -> bool:
        """A doctype with what it declares inside: held whole, or not understood."""
        depth = 0
        for found in grammar.XML_DOCTYPE.finditer(bytes(self._buffer), self._at + 2):
            depth += {b"[": 1, b"]": -1}.get(found[0], 0)
            if found[0] == b">" and depth <= 0:
                self._at = found.end()
                return True
        if not self._final and len(self._buffer) - self._at <= MOST_HELD:
            self._waits_for = b">"
            return _MORE
        self._step = self._through
        return True

    # --- tags

    def _tag(self) -> bool:
        found = self._whole_tag.match(self._buffer, self._at)
        if found is None or found.end() - self._at > MOST_HELD:
            return self._half_tag()
        tag = Tag(found[0])
        if self._is_opening and not _is_inert(tag):
            return self._open()
        start, self._at = self._at, found.end()
        if tag.is_end:
            self._leave(tag.name)
        elif not self._enter(tag):
            self._start_tag(tag, start)
        return True

    def _start_tag(self, tag: Tag, start: int) -> None:
        name = tag.local_name if self._xml else tag.name
        self._seen_root = self._seen_root or name == "html"
        if name == "script":
            self._start_script(tag, start)
            return
        if name in self._watcher.shown and (edited := self._watcher.tag(tag)) != tag.raw:
            self._replace(start, self._at, edited)
        self._start_text(tag, name)

    def _start_text(self, tag: Tag, name: str) -> None:
        """Start the text of an element that holds no tags."""
        if self._xml:
            if name == "title" and not tag.closes_itself:
                self._raw(tag.name)
        elif name == "plaintext":
            self._step = self._through
        elif name in grammar.RAW:
            self._raw(name)

    def _enter(self, tag: Tag) -> bool:
        """Keep account of foreign content; whether the tag is of that."""
        if self._xml:
            return False
        if self._is_foreign and _breaks_out(tag):
            self._break_out()
            return False
        is_foreign = self._is_foreign
        opens = tag.name in grammar.FOREIGN or (is_foreign and _leads_back(tag, self._stack[-1]))
        if opens and not tag.closes_itself and len(self._stack) < _DEEPEST:
            self._stack.append(tag.name)
        return is_foreign or opens

    def _leave(self, name: str) -> None:
        if name in self._stack:
            while self._stack.pop() != name:
                pass
        elif name in {"p", "br"}:
            self._break_out()

    def _break_out(self) -> None:
        while self._is_foreign:
            self._stack.pop()

    def _half_tag(self) -> bool:
        """Wait for the rest of a tag, or let one through that is too long to be held."""
        if self._final:
            self._at = len(self._buffer)
            return _MORE
        end = end_of(grammar.HALF_TAG, self._buffer, self._at)
        if len(self._buffer) - self._at <= MOST_HELD:
            quote = grammar.OPEN_QUOTE.match(self._buffer, end)
            self._waits_for = quote[1] if quote else b">"
            return _MORE
        if self._is_opening:
            return self._open()
        name = Tag(bytes(self._buffer[self._at : self._at + 64])).name
        self._at = end
        self._step = lambda: self._long_tag(name)
        return True

    def _long_tag(self, name: str) -> bool:
        """Let the rest of a long tag through, attribute by attribute."""
        buffer = self._buffer
        self._at = end_of(grammar.MORE_ATTRIBUTES, buffer, self._at)
        if buffer[self._at : self._at + 1] == b">":
            self._at += 1
            self._after_long_tag(name)
            return True
        if quote := grammar.OPEN_QUOTE.match(buffer, self._at):
            self._at = quote.end()
            return self._skip_to(quote[1], 0)
        if len(buffer) - self._at <= MOST_HELD:
            return _MORE
        if grammar.OPEN_UNQUOTED.match(buffer, self._at):
            return self._skip(grammar.UNQUOTED_END, 0)
        self._at = len(buffer) - 1  # a name without end: its last letter stands for it
        return _MORE

    def _after_long_tag(self, name: str) -> None:
        self._step = self._content
        if self._is_foreign:
            return
        if name == "script":
            self._raw_script()
        else:
            self._start_text(Tag(f"<{name}>".encode("latin-1")), name)

    # --- text without tags

    def _through(self) -> bool:
        self._at = len(self._buffer)
        return _MORE

    def _raw(self, name: str) -> None:
        """Hand on text up to the end tag that alone can end it."""
        back = self._step
        end = grammar.raw_end(name)

        def step() -> bool:
            found = end.search(self._buffer, self._at)
            if found is None:
                self._at = max(self._at, len(self._buffer) - len(name) - 2)
                return _MORE
            self._at = found.start()
            self._step = back
            return True

        self._step = step

    # --- scripts

    def _start_script(self, tag: Tag, start: int) -> None:
        is_empty = self._xml and tag.closes_itself
        is_inline = tag.get("src") is None and not is_empty
        if is_inline and self._watcher.wants(tag):
            self._send(start)
            self._held, self._held_end = tag, self._at
        else:
            self._put_before(tag, start, self._at, b"")
        if not is_empty:
            self._raw_script()

    def _put_before(self, tag: Tag, start: int, end: int, text: bytes) -> None:
        """Put out a script's start tag, and before it what the watcher wants there."""
        before = self._watcher.script(tag, text)
        edited = self._watcher.tag(tag) if "script" in self._watcher.shown else tag.raw
        if before or edited != tag.raw:
            self._replace(start, end, before + edited)

    def _raw_script(self) -> None:
        self._escaped = 0
        self._step = self._script_text

    def _script_text(self) -> bool:
        while found := self._script_mark().search(self._buffer, self._at):
            if self._ends_script(found):
                self._at = found.start()
                self._hold_no_more()
                self._step = self._content
                return True
        self._at = max(self._at, len(self._buffer) - 9)
        if self._at - self._held_end > MOST_HELD:
            self._hold_no_more()
        return _MORE

    def _script_mark(self) -> re.Pattern[bytes]:
        if self._xml:
            return grammar.XML_SCRIPT
        return grammar.ESCAPED_SCRIPT if self._escaped else grammar.SCRIPT

    def _ends_script(self, found: re.Match[bytes]) -> bool:
        """Whether this ends the script (HTML section 13.2.5.15 to 13.2.5.34).

        Escaped is what follows `<!--`, twice escaped what follows `<script` in there.
        """
        if self._xml:
            return self._ends_xml_script(found)
        text = found[0].lower()
        self._at = found.end()
        if text == b"<!--":
            self._escaped = self._escaped or 1
            self._at = found.start() + 2  # its dashes may be those of `-->`
        elif text == b"-->":
            self._escaped = 0
        elif text == b"<script":
            self._escaped = 2
        elif self._escaped < 2:
            return True
        else:
            self._escaped = 1
        return False

    def _ends_xml_script(self, found: re.Match[bytes]) -> bool:
        """Whether this ends the script: an end tag outside CDATA sections and comments."""
        opens = {b"<!--": 1, b"<![CDATA[": 2}
        closes = {b"-->": 1, b"]]>": 2}
        self._at = found.end()
        if not self._escaped:
            self._escaped = opens.get(found[0], 0)
            return found[0].startswith(b"</")
        if closes.get(found[0]) == self._escaped:
            self._escaped = 0
        return False

    def _hold_no_more(self) -> None:
        """Let the held script go, now that its text, or as much as is looked at, is known."""
        if self._held is None:
            return
        tag, self._held = self._held, None
        end = min(self._at, self._held_end + MOST_HELD)
        self._put_before(tag, self._sent, self._held_end, bytes(self._buffer[self._held_end : end]))


def _is_inert(tag: Tag) -> bool:
    """Whether a tag may stand before the place where scripts may first run."""
    name = tag.local_name
    if tag.is_end:
        return name not in grammar.IMPLIES_HEAD
    if name == "meta":
        return (tag.get("http-equiv") or "content-type").strip().lower() in grammar.INERT_META
    return name in grammar.INERT


def _breaks_out(tag: Tag) -> bool:
    """Whether a tag in foreign content ends it."""
    if tag.name == "font":
        return not grammar.FONT_BREAKS_OUT.isdisjoint(a.name for a in tag.attributes)
    return tag.name in grammar.BREAKS_OUT


def _leads_back(tag: Tag, root: str) -> bool:
    """Whether what a tag in foreign content holds is HTML again."""
    if tag.name == "annotation-xml":
        is_html = (tag.get("encoding") or "").lower() in grammar.HTML_ANNOTATIONS
        return is_html and root == "math"
    return tag.name in grammar.LEADS_BACK[root]


def _starts_xml_name(letter: bytes) -> bool:
    return letter in {b"_", b":"} or letter > b"\x7f"
