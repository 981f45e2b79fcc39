"""Finds the tags that matter in markup as it arrives, and hands all else on unread.

After the tokenizer of HTML section 13.2.5, as far as it decides where a tag starts and ends:
comments, raw text, scripts with their escapes, CDATA sections in foreign content, attributes
quoted in all ways, at any cut between two pieces. One expression runs over everything that is of
no interest, which is almost all of a page.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from optout_proxy.pages.tags import ATTRIBUTES, NAME_ENDS, TAG_NAME, XML_NAME, Tag, names

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HELD: Final = 256 * 1024
"""Bytes of a tag, or of a script, that are held back to be looked at; a longer one goes through."""

RAW: Final = frozenset(
    {"style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"}
)
"""Elements without tags inside. `noscript` is one where scripts run, and elsewhere nothing of
ours is needed."""
_ALWAYS: Final = RAW | {"script", "plaintext", "svg", "math"}

# HTML section 13.2.6.5: what stands in foreign content, what leads back to HTML inside it, and
# what ends it.
_FOREIGN: Final = frozenset({"svg", "math"})
_LEADS_BACK: Final = frozenset(
    {"foreignobject", "desc", "title", "mi", "mo", "mn", "ms", "mtext", "annotation-xml"}
)
_BREAKS_OUT: Final = frozenset(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li"
    " listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)

_INERT: Final = frozenset({"html", "head", "title", "base"})
"""What may stand before the first place where something could run."""
_INERT_META: Final = frozenset({"content-type", "content-language", "x-ua-compatible"})
_IMPLIES_HEAD: Final = frozenset({"head", "body", "html", "br"})

_SPACES: Final = re.compile(rb"[\t\n\f\r ]*+")
_WHOLE_TAG: Final = re.compile(rb"</?" + TAG_NAME + ATTRIBUTES + rb">")
_WHOLE_XML_TAG: Final = re.compile(rb"</?" + XML_NAME + ATTRIBUTES + rb">")
_HALF_TAG: Final = re.compile(rb"</?[^\t\n\f\r />]++" + ATTRIBUTES)
_MORE_ATTRIBUTES: Final = re.compile(ATTRIBUTES)
_OPEN_QUOTE: Final = re.compile(
    rb"[^\t\n\f\r />][^\t\n\f\r />=]*+[\t\n\f\r ]*+=[\t\n\f\r ]*+([\"'])"
)
_COMMENT_END: Final = re.compile(rb"--!?>")
_ABRUPT: Final = re.compile(rb"-{0,3}>")
_SCRIPT: Final = re.compile(rb"<!--|-->|<(?:/?)(?i:script)" + NAME_ENDS)
_XML_SCRIPT: Final = re.compile(rb"<!--|-->|<!\[CDATA\[|\]\]>|</(?:[\w.-]++:)?script[\t\n\r >]")
_XML_DOCTYPE: Final = re.compile(rb"\[|\]|>|\"[^\"]*+\"|'[^']*+'|<!--.*?-->", re.DOTALL)

_MORE: Final = False
"""What a step says where it needs more bytes to go on."""


class Watcher(Protocol):
    """Is shown what was found, and says what to put in its place."""

    shown: frozenset[str]
    """Names of the start tags to show."""

    def before(self) -> bytes:
        """What to put before the first thing in the document that could run a script."""

    def tag(self, tag: Tag) -> bytes:
        """What to put in place of a start tag."""

    def wants(self, tag: Tag) -> bool:
        """Whether to hold back this script until its text is known."""

    def script(self, tag: Tag, text: bytes) -> bytes:
        """What to put before a script, given its start tag and (the beginning of) its text."""


class Scanner:
    """Reads one document; what comes in goes out again, with the watcher's edits."""

    def __init__(self, watcher: Watcher, *, xml: bool = False) -> None:
        self._watcher = watcher
        self._xml = xml
        self._whole_tag = _WHOLE_XML_TAG if xml else _WHOLE_TAG
        self._buffer = bytearray()
        self._at = 0
        self._sent = 0
        self._out: list[bytes] = []
        self._final = False
        self._step: Callable[[], bool] = self._opening
        self._waits_for = b""
        self._stack: list[str] = []
        self._raw_end = _SCRIPT
        self._escaped = 0
        self._held: Tag | None = None
        self._held_end = 0
        self._seen_root = False

    def feed(self, data: bytes) -> bytes:
        """What is decided once these bytes have come."""
        self._buffer += data
        if self._waits_for and len(self._buffer) - self._at <= MOST_HELD:
            if self._waits_for not in data:
                return b""
        self._waits_for = b""
        return self._run()

    def end(self) -> bytes:
        """All that is left: the document is over."""
        self._final = True
        self._waits_for = b""
        out = self._run()
        self._hold_no_more()
        self._at = len(self._buffer)
        return out + self._flush()

    def stop(self) -> None:
        """Look at nothing any more: what follows goes through."""
        self._step = self._through

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
        self._at = self._dull().match(self._buffer, self._at).end()  # type: ignore[union-attr]
        return self._markup()

    def _dull(self) -> re.Pattern[bytes]:
        if self._xml:
            return _dull_xml(self._watcher.shown)
        if not self._stack:
            return _dull_html(self._watcher.shown)
        return _dull_foreign() if self._is_foreign else _dull_inside(self._watcher.shown)

    @property
    def _is_foreign(self) -> bool:
        return bool(self._stack) and self._stack[-1] in _FOREIGN

    def _opening(self) -> bool:
        """Go on to the first place where a script could run, and put in what belongs before it."""
        self._at = _SPACES.match(self._buffer, self._at).end()  # type: ignore[union-attr]
        if self._at == len(self._buffer):
            return _MORE
        if self._buffer[self._at] != 0x3C:
            return self._open(self._at)
        return self._markup()

    def _open(self, place: int) -> bool:
        if not self._xml or self._seen_root:
            self._replace(place, place, self._watcher.before())
        self._step = self._content
        return True

    def _markup(self) -> bool:
        """Read what starts at `<`, or wait for more of it."""
        buffer, at = self._buffer, self._at
        if at == len(buffer):
            return _MORE
        after = bytes(buffer[at + 1 : at + 2])
        if after == b"!":
            return self._declaration()
        if after == b"?":
            return self._skip_to(b"?>" if self._xml else b">", 2)
        if after == b"/":
            return self._end_tag()
        if after.isalpha() or (self._xml and (after in b"_:" or after > b"\x7f") and after):
            return self._tag()
        if not after and not self._final:
            return _MORE
        return self._text(1)

    def _text(self, size: int) -> bool:
        """Take so many bytes for text."""
        if self._step == self._opening:
            return self._open(self._at)
        self._at += size
        return self._at < len(self._buffer)

    def _declaration(self) -> bool:
        front = bytes(self._buffer[self._at : self._at + 9])
        if front.startswith(b"<!--"):
            return self._comment()
        is_cdata_here = self._xml or self._is_foreign
        if front == b"<![CDATA[" and is_cdata_here:
            return self._skip_to(b"]]>", 9)
        if not self._final and (b"<!--".startswith(front) or b"<![CDATA[".startswith(front)):
            return _MORE
        if self._xml:
            return self._xml_doctype()
        return self._skip_to(b">", 2)

    def _end_tag(self) -> bool:
        after = bytes(self._buffer[self._at + 2 : self._at + 3])
        if not after and not self._final:
            return _MORE
        if after.isalpha() or self._xml:
            return self._tag()
        if after == b">":
            self._at += 3
            return True
        return self._skip_to(b">", 2) if after else self._text(2)

    def _skip_to(self, end: bytes, size: int) -> bool:
        """Hand on everything up to and with `end`, which starts `size` bytes on at the earliest."""
        back = self._step
        self._at += size

        def step() -> bool:
            found = self._buffer.find(end, self._at)
            if found < 0:
                self._at = max(self._at, len(self._buffer) - len(end) + 1)
                return _MORE
            self._at = found + len(end)
            self._step = back
            return True

        self._step = step
        return True

    def _comment(self) -> bool:
        """`<!-->` and `<!--->` are comments too."""
        abrupt = _ABRUPT.match(self._buffer, self._at + 4)
        if abrupt and abrupt.end() - abrupt.start() <= 4 and not self._xml:
            self._at = abrupt.end()
            return True
        if not self._final and len(self._buffer) < self._at + 8:
            return _MORE
        back = self._step
        self._at += 4

        def step() -> bool:
            found = _COMMENT_END.search(self._buffer, self._at)
            if found is None:
                self._at = max(self._at, len(self._buffer) - 3)
                return _MORE
            self._at = found.end()
            self._step = back
            return True

        self._step = step
        return True

    def _xml_doctype(self) -> bool:
        """A doctype with what it declares inside: held whole, or not understood."""
        depth = 0
        for found in _XML_DOCTYPE.finditer(bytes(self._buffer), self._at + 2):
            depth += {b"[": 1, b"]": -1}.get(found[0], 0)
            if found[0] == b">" and depth <= 0:
                self._at = found.end()
                return True
        if not self._final and len(self._buffer) - self._at <= MOST_HELD:
            return _MORE
        self._step = self._through
        return True

    # --- tags

    def _tag(self) -> bool:
        found = self._whole_tag.match(self._buffer, self._at)
        if found is None:
            return self._half_tag()
        tag = Tag(found[0])
        if self._step == self._opening and not self._is_inert(tag):
            return self._open(self._at)
        self._seen_root = self._seen_root or tag.local_name == "html"
        start, self._at = self._at, found.end()
        if tag.is_end:
            self._leave(tag.name)
            return True
        return self._start_tag(tag, start)

    def _is_inert(self, tag: Tag) -> bool:
        name = tag.local_name
        if tag.is_end:
            return name not in _IMPLIES_HEAD
        if name == "meta":
            return (tag.get("http-equiv") or "content-type").strip().lower() in _INERT_META
        return name in _INERT

    def _start_tag(self, tag: Tag, start: int) -> bool:
        was_foreign = self._is_foreign
        if not self._xml:
            self._enter(tag)
        name = tag.local_name if self._xml else tag.name
        if was_foreign and self._is_foreign:
            return True
        if name == "script":
            return self._start_script(tag, start)
        if name in self._watcher.shown and (edited := self._watcher.tag(tag)) != tag.raw:
            self._replace(start, self._at, edited)
        self._start_raw(tag, name)
        return True

    def _start_raw(self, tag: Tag, name: str) -> None:
        if name == "plaintext" and not self._xml:
            self._step = self._through
        elif name == "title" if self._xml else name in RAW and not self._leads_back(tag):
            if not (self._xml and tag.closes_itself):
                self._raw(
                    re.compile(
                        rb"</(?i:" + re.escape(tag.name.encode("latin-1")) + rb")" + NAME_ENDS
                    )
                )

    def _leads_back(self, tag: Tag) -> bool:
        """Whether this very tag has just led back from foreign content to HTML."""
        return bool(self._stack) and self._stack[-1] == tag.name

    def _enter(self, tag: Tag) -> None:
        """Keep account of foreign content."""
        if self._is_foreign and tag.name in _BREAKS_OUT:
            while self._is_foreign:
                self._stack.pop()
        elif tag.closes_itself:
            return
        elif tag.name in _FOREIGN or (self._is_foreign and tag.name in _LEADS_BACK):
            self._stack.append(tag.name)

    def _leave(self, name: str) -> None:
        if name in self._stack:
            while self._stack.pop() != name:
                pass
        elif self._is_foreign and name in {"p", "br"}:
            while self._is_foreign:
                self._stack.pop()

    def _half_tag(self) -> bool:
        """Wait for the rest of a tag, or let one through that is too long to be held."""
        if self._final:
            self._at = len(self._buffer)
            return _MORE
        half = _HALF_TAG.match(self._buffer, self._at)
        end = half.end() if half else self._at
        quote = _OPEN_QUOTE.match(self._buffer, end)
        if len(self._buffer) - self._at <= MOST_HELD:
            self._waits_for = quote[1] if quote else b">"
            return _MORE
        name = Tag(bytes(self._buffer[self._at : self._at + 64])).name
        if self._step == self._opening:
            self._open(self._at)
        self._at = end
        self._step = lambda: self._long_tag(name)
        return True

    def _long_tag(self, name: str) -> bool:
        """Let the rest of a long tag through, attribute by attribute."""
        buffer = self._buffer
        self._at = _MORE_ATTRIBUTES.match(buffer, self._at).end()  # type: ignore[union-attr]
        if buffer[self._at : self._at + 1] == b">":
            self._at += 1
            self._step = self._content
            self._start_raw(Tag(f"<{name}>".encode("latin-1")), name)
            if name == "script" and not self._is_foreign:
                self._raw(_SCRIPT)
            return True
        if quote := _OPEN_QUOTE.match(buffer, self._at):
            self._at = quote.end()
            return self._skip_to(quote[1], 0)
        if len(buffer) - self._at > MOST_HELD:
            self._step = self._content
            return self._skip_to(b">", 0)
        return _MORE

    # --- text without tags

    def _through(self) -> bool:
        self._at = len(self._buffer)
        return _MORE

    def _raw(self, end: re.Pattern[bytes]) -> None:
        """Hand on text up to the end tag that alone can end it."""
        back = self._opening if self._step == self._opening else self._content
        self._raw_end = end
        self._escaped = 0
        self._step = lambda: self._raw_text(back)

    def _raw_text(self, back: Callable[[], bool]) -> bool:
        if self._is_script_text:
            return self._script_text()
        found = self._raw_end.search(self._buffer, self._at)
        self._at = found.start() if found else self._tail(12)
        if found:
            self._step = back
            return True
        return _MORE

    def _tail(self, size: int) -> int:
        """Where something may have begun that the next bytes complete."""
        near = max(self._at, len(self._buffer) - size)
        found = self._buffer.rfind(b"<", near)
        return len(self._buffer) if found < 0 else found

    @property
    def _is_script_text(self) -> bool:
        return self._raw_end is _SCRIPT or self._raw_end is _XML_SCRIPT

    # --- scripts

    def _start_script(self, tag: Tag, start: int) -> bool:
        edited = self._watcher.tag(tag) if "script" in self._watcher.shown else tag.raw
        is_inline = tag.get("src") is None
        if self._xml and tag.closes_itself:
            is_inline = False
        if is_inline and self._watcher.wants(tag):
            self._send(start)
            self._held, self._held_end = tag, self._at
        else:
            before = b"" if is_inline else self._watcher.script(tag, b"")
            if before or edited != tag.raw:
                self._replace(start, self._at, before + edited)
        if not (self._xml and tag.closes_itself):
            self._raw(_XML_SCRIPT if self._xml else _SCRIPT)
        return True

    def _script_text(self) -> bool:
        step = self._xml_script_step if self._raw_end is _XML_SCRIPT else self._script_step
        while found := self._raw_end.search(self._buffer, self._at):
            if step(found):
                self._at = found.start()
                self._hold_no_more()
                self._step = self._content
                return True
        self._at = max(self._at, len(self._buffer) - 9)
        if self._at - self._held_end > MOST_HELD:
            self._hold_no_more()
        return _MORE

    def _script_step(self, found: re.Match[bytes]) -> bool:
        """Whether this ends the script (HTML section 13.2.5.15 to 13.2.5.34).

        Escaped is what follows `<!--`, twice escaped what follows `<script` in there.
        """
        text = found[0].lower()
        self._at = found.end()
        if text == b"<!--":
            self._escaped = self._escaped or 1
            self._at = found.start() + 2  # its dashes may be those of `-->`
        elif text == b"-->":
            self._escaped = 0
        elif text == b"</script":
            if self._escaped < 2:
                return True
            self._escaped = 1
        elif self._escaped:
            self._escaped = 2
        return False

    def _xml_script_step(self, found: re.Match[bytes]) -> bool:
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
        if self._held is None:
            return
        tag, self._held = self._held, None
        text = bytes(self._buffer[self._held_end : self._at])
        before = self._watcher.script(tag, text)
        edited = self._watcher.tag(tag) if "script" in self._watcher.shown else tag.raw
        if before or edited != tag.raw:
            self._replace(self._sent, self._held_end, before + edited)


@lru_cache(64)
def _dull_html(shown: frozenset[str]) -> re.Pattern[bytes]:
    """Text, and whole tags of no interest, in HTML proper."""
    return _dull_run(rb"</" + TAG_NAME + ATTRIBUTES + rb">", names(_ALWAYS | shown), TAG_NAME)


@lru_cache(64)
def _dull_inside(shown: frozenset[str]) -> re.Pattern[bytes]:
    """The same, where HTML stands inside foreign content."""
    ends = names(_FOREIGN | _LEADS_BACK)
    end = rb"</(?!" + ends + rb")" + TAG_NAME + ATTRIBUTES + rb">"
    return _dull_run(end, names(_ALWAYS | shown), TAG_NAME)


@lru_cache(1)
def _dull_foreign() -> re.Pattern[bytes]:
    """The same in foreign content."""
    ends = names(_FOREIGN | _LEADS_BACK | {"p", "br"})
    end = rb"</(?!" + ends + rb")" + TAG_NAME + ATTRIBUTES + rb">"
    return _dull_run(end, names(_FOREIGN | _LEADS_BACK | _BREAKS_OUT), TAG_NAME)


@lru_cache(64)
def _dull_xml(shown: frozenset[str]) -> re.Pattern[bytes]:
    """The same in XML, where names may have a prefix."""
    telling = names({"script", "title"} | shown, prefixed=True)
    return _dull_run(rb"</" + XML_NAME + ATTRIBUTES + rb">", telling, XML_NAME)


def _dull_run(end_tag: bytes, telling: bytes, name: bytes) -> re.Pattern[bytes]:
    start_tag = rb"<(?!" + telling + rb")" + name + ATTRIBUTES + rb">"
    return re.compile(rb"(?:[^<]++|" + end_tag + rb"|" + start_tag + rb")*+")
