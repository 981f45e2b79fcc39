"""One page on its way: decoded, scanned, edited, and handed on as it comes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from optout_proxy.edits import csp
from optout_proxy.pages import documents
from optout_proxy.pages.coding import PIECE, CodingError, Decoder
from optout_proxy.pages.scan import Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from optout_proxy.pages.documents import Kind
    from optout_proxy.pages.prelude import Written
    from optout_proxy.pages.tags import Tag

    type Replaced = Callable[[str, str], bool]
    """Whether the answer for an address, asked for as this type, is not what its origin sends."""

IDS: Final = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:G|GT|AW|DC|UA|GTM)-[A-Z0-9]{4,14}(?:-[0-9]{1,4})?(?![A-Za-z0-9_-])"
)
"""Ids of Google's tags: `G-…`, `UA-…-1`, `AW-…` …"""
_MOST_IDS: Final = 64
_BASE_STOPS: Final = re.compile(r"[\t\n\r]")
_EDGES: Final = "".join(map(chr, range(0x21)))
_SPECIAL: Final = re.compile(r"https?:|[^:/?#]*[/?#\\]|[^:]*$", re.IGNORECASE)
_LINKED: Final = {"stylesheet": "stylesheet", "modulepreload": "script"}
_NAMESPACE: Final = "http://www.w3.org/1999/xhtml"


class Rewriter:
    """Changes one page as its bytes come; nothing it is fed makes it raise.

    `reason` says why a page is left alone, `failure` why it ends early: its content coding broke
    off. What was handed out by then is right, and nothing more comes.
    """

    def __init__(
        self,
        written: Written,
        *,
        url: str,
        kind: Kind = "html",
        charset: str = "",
        codings: Sequence[str] = (),
        scripts: bool = True,
        nonce: str = "",
        own_nonce: str = "",
        replaced: Replaced | None = None,
    ) -> None:
        edits = Edits(written, url, kind, charset, scripts, nonce, own_nonce, replaced)
        self._scanner = Scanner(edits, xml=kind == "xhtml")
        edits.stop = self._stop
        self._decoder = Decoder(codings) if codings else None
        self._charset = charset
        self._front: bytes | None = b""
        self._is_left_alone = False
        self._may_shift = False
        self.reason = ""
        self.failure = ""
        self.edits = edits

    def feed(self, data: bytes) -> bytes:
        """What goes out for these bytes, at once; for a body that may be a bomb use `pieces`."""
        return b"".join(self.pieces(data))

    def end(self) -> bytes:
        """What is left when the body is over."""
        if not self.failure:
            try:
                if self._decoder:
                    self._decoder.end()
            except CodingError as wrong:
                self.failure = str(wrong)
        out = self._sniffed(b"", final=True) if self._front is not None else b""
        return out + (b"" if self._is_left_alone else self._scanner.end())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What goes out for these bytes, in pieces of bounded size."""
        if self.failure or not data:
            return
        try:
            for piece in self._decoded(data):
                if out := self._rewritten(piece):
                    yield out
        except CodingError as wrong:
            self.failure = str(wrong)

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is not None:
            return self._decoder.feed(data)
        return (data[start : start + PIECE] for start in range(0, len(data), PIECE))

    def _rewritten(self, piece: bytes) -> bytes:
        if self._is_left_alone:
            return piece
        if self._front is not None:
            return self._sniffed(piece, final=False)
        return self._scanned(piece)

    def _sniffed(self, piece: bytes, *, final: bool) -> bytes:
        front = (self._front or b"") + piece
        told = documents.sniff(front, self._charset, final=final)
        if told is None:
            self._front = front
            return b""
        self._front = None
        self.reason, start = told
        if self.reason:
            self._is_left_alone = True
            return front
        self._may_shift = not (self._charset or start)
        return front[:start] + self._scanned(front[start:])

    def _scanned(self, piece: bytes) -> bytes:
        if self._may_shift and (found := documents.SHIFT.search(piece)):
            out = self._scanner.feed(piece[: found.start()])
            self._stop("is in ISO-2022-JP from here on")
            return out + self._scanner.feed(piece[found.start() :])
        return self._scanner.feed(piece)

    def _stop(self, reason: str) -> None:
        self.reason = reason
        self._may_shift = False
        self._scanner.stop()


class Edits:
    """The edits of one page: the `Watcher` of its scanner."""

    def __init__(
        self,
        written: Written,
        url: str,
        kind: Kind,
        charset: str,
        scripts: bool,
        nonce: str,
        own_nonce: str,
        replaced: Replaced | None,
    ) -> None:
        self._written = written
        self._plan = written.plan
        self._base = url
        self._has_base = False
        self._xml = kind == "xhtml"
        self._charset = charset
        self._scripts = scripts
        self._nonce = nonce
        self._own_nonce = own_nonce
        self._replaced = replaced if self._plan.integrity else None
        self._marked = self._plan.marked
        self._ids: set[bytes] = set()
        self.without_integrity = 0
        self.stop: Callable[[str], None] = lambda _: None
        self.shown = self._shown()

    def _shown(self) -> frozenset[str]:
        names = {tag.name for tag in self._marked} | {"meta"}
        if self._replaced is not None:
            names |= {"base", "link", "script"}
        return frozenset(names)

    def before(self) -> bytes:
        inserted = b"".join(self._element(tag) for tag in self._plan.inserted)
        prelude = self._written.prelude
        return (self._script(prelude) if prelude and self._scripts else b"") + inserted

    def tag(self, tag: Tag) -> bytes:
        match tag.local_name if self._xml else tag.name:
            case "base":
                self._see_base(tag)
            case "meta":
                return self._meta(tag).raw
            case "script" | "link" as name:
                tag = self._script_or_link(tag, name)
        return self._with_marks(tag).raw

    def wants(self, tag: Tag) -> bool:
        return self._scripts and bool(self._plan.id_flags)

    def script(self, tag: Tag, text: bytes) -> bytes:
        """The flags that name the ids which this script names, each id once a page."""
        if not self.wants(tag):
            return b""
        named = text or (tag.get("src") or "").encode("latin-1", "replace")
        out = b""
        for found in IDS.findall(named):
            if found not in self._ids and len(self._ids) < _MOST_IDS:
                self._ids.add(found)
                out += self._script(self._written.flag_script(found.decode("ascii")))
        return out

    def _script(self, code: bytes) -> bytes:
        nonce = f' nonce="{self._nonce}"'.encode("latin-1") if self._nonce else b""
        if not self._xml:
            return b"<script" + nonce + b">" + code + b"</script>"
        code = code.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        space = f' xmlns="{_NAMESPACE}"'.encode("ascii")
        return b"<script" + space + nonce + b">" + code + b"</script>"

    def _element(self, tag: Tag) -> bytes:
        if not self._xml:
            return tag.raw
        return b'<%s xmlns="%s"%s/>' % (tag.raw[1:5], _NAMESPACE.encode(), tag.raw[5:-1])

    def _see_base(self, tag: Tag) -> None:
        href = tag.get("href")
        if href is not None and not self._has_base:
            self._has_base = True
            self._base = _joined(self._base, href)

    def _script_or_link(self, tag: Tag, name: str) -> Tag:
        asks = self._replaced
        if asks is None or tag.get("integrity") is None:
            return tag
        type_, address = _fetched(tag, name)
        if not type_ or not asks(_joined(self._base, address), type_):
            return tag
        self.without_integrity += 1
        return tag.without("integrity")

    def _meta(self, tag: Tag) -> Tag:
        http_equiv = (tag.get("http-equiv") or "").strip().lower()
        content = tag.get("content")
        if http_equiv == "content-security-policy" and content is not None:
            return self._allowed(tag, content)
        said = tag.get("charset") or (content if http_equiv == "content-type" else None) or ""
        if not self._charset and documents.SHIFTED.search(said):
            self.stop("is in ISO-2022-JP from here on")
        return tag

    def _allowed(self, tag: Tag, policy: str) -> Tag:
        if not (self._scripts and self._plan.id_flags):
            return tag
        allowed = csp.allow_in_meta(policy, self._nonce, self._own_nonce)
        self._scripts, self._nonce = allowed.scripts, allowed.nonce
        return tag if allowed.policy == policy else tag.with_value("content", allowed.policy)

    def _with_marks(self, tag: Tag) -> Tag:
        for mark in self._marked:
            if mark.name == tag.name and _classes(mark) <= _classes(tag):
                for attribute in mark.attributes:
                    if attribute.name != "class":
                        tag = tag.with_attribute(attribute.name, attribute.value)
        return tag


def _classes(tag: Tag) -> set[str]:
    return set((tag.get("class") or "").split())


def _fetched(tag: Tag, name: str) -> tuple[str, str]:
    """As what type a tag fetches which address; two empty texts where it fetches neither."""
    if name == "script":
        return ("script", tag.get("src") or "") if tag.get("src") else ("", "")
    relations = (tag.get("rel") or "").lower().split()
    type_ = next((_LINKED[word] for word in relations if word in _LINKED), "")
    if not type_ and "preload" in relations:
        as_ = (tag.get("as") or "").strip().lower()
        type_ = {"script": "script", "style": "stylesheet"}.get(as_, "")
    return (type_, tag.get("href") or "") if tag.get("href") else ("", "")


def _joined(base: str, address: str) -> str:
    """Absolute URL as a browser makes it of http(s) addresses (WHATWG URL section 4.4)."""
    address = _BASE_STOPS.sub("", address.strip(_EDGES))
    front, mark, rest = _split(address)
    if _SPECIAL.match(front):
        front = front.replace("\\", "/")
    try:
        return urljoin(base, front + mark + rest)
    except ValueError:
        return ""


def _split(address: str) -> tuple[str, str, str]:
    """Address up to its query or fragment, and the rest."""
    found = re.search(r"[?#]", address)
    if not found:
        return address, "", ""
    return address[: found.start()], found[0], address[found.end() :]
