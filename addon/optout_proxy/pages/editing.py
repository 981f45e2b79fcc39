"""What is put into a page, and what is taken out of it, tag by tag."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from optout_proxy.edits import csp
from optout_proxy.pages import documents
from optout_proxy.pages.plan import Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optout_proxy.pages.page import Loaded, Page
    from optout_proxy.pages.prelude import Written
    from optout_proxy.pages.tags import Tag

_MOST_FLAGS: Final = 64
"""Flags that one page is given for the ids it names; it names one or two."""
_BREAKS: Final = re.compile(r"[\t\n\r]")
_EDGES: Final = "".join(map(chr, range(0x21)))
_BEFORE_QUERY: Final = re.compile(r"[^?#]*")
_AUTHORITY: Final = re.compile(r"^https?://[^/?#]*", re.IGNORECASE)
_OTHER_SCHEME: Final = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LINKED: Final[dict[str, Loaded]] = {"stylesheet": "stylesheet", "modulepreload": "script"}
_PRELOADED: Final[dict[str, Loaded]] = {"script": "script", "style": "stylesheet"}
_XHTML: Final = b' xmlns="http://www.w3.org/1999/xhtml"'


class PageEdits:
    """The edits of one page: the `Watcher` of its scanner."""

    def __init__(self, written: Written, page: Page, stop: Callable[[str], None]) -> None:
        """`stop` is told why nothing more of the page can be read."""
        self._written = written
        self._page = page
        self._stop = stop
        self._base = page.url
        self._has_base = False
        self._is_xml = page.kind == "xhtml"
        self._scripts = page.scripts
        self._nonce = page.nonce
        self._marked = written.marked
        self._flags_set: set[str] = set()
        self.without_integrity = 0
        """How many tags lost their `integrity`."""
        self.looks_ahead = 0
        self.shown = self._shown()

    def _shown(self) -> frozenset[str]:
        names = {tag.name for tag in self._marked} | {"meta"}
        if self._written.plan.integrity and self._page.replaced:
            names |= {"base", "link", "script"}
        return frozenset(names)

    # --- what the scanner asks

    def before(self, ahead: bytes) -> bytes:
        """The prelude, and the elements for the head."""
        inserted = b"".join(self._element(tag) for tag in self._written.inserted)
        prelude = self._written.prelude
        if not prelude or not self._scripts:
            return inserted
        return self._charset_early(ahead) + self._script(prelude) + inserted

    def tag(self, tag: Tag) -> bytes:
        """A start tag as it is to be."""
        name = tag.local_name if self._is_xml else tag.name
        match name:
            case "base":
                self._see_base(tag)
            case "meta":
                tag = self._meta(tag)
            case "script" | "link":
                tag = self._without_integrity(tag, name)
        return self._with_marks(tag, name).raw

    def wants(self, tag: Tag) -> bool:
        """Any script may name an id, data too: it is often run later."""
        return self._sets_id_flags and tag.get("src") is None

    def script(self, tag: Tag, text: bytes) -> bytes:
        """The flags that name the ids which this script names, each once a page."""
        if not self._sets_id_flags:
            return b""
        said = text or (tag.get("src") or "").encode("latin-1", "replace")
        flags = [flag for flag in self._named(said) if flag.name not in self._flags_set]
        flags = flags[: _MOST_FLAGS - len(self._flags_set)]
        self._flags_set.update(flag.name for flag in flags)
        return self._script(self._written.flag_script(flags)) if flags else b""

    @property
    def _sets_id_flags(self) -> bool:
        return self._scripts and bool(self._written.id_flags)

    def _named(self, text: bytes) -> Iterator[Flag]:
        """The flags whose ids stand in a text."""
        for flag, ids in self._written.id_flags:
            for name in dict.fromkeys(found[0] for found in ids.finditer(text)):
                if name.isascii():
                    yield Flag(flag.name.replace("*", name.decode()), flag.value)

    # --- what is put in

    def _script(self, code: bytes) -> bytes:
        nonce = f' nonce="{self._nonce}"'.encode("ascii") if self._nonce else b""
        if not self._is_xml:
            return b"<script" + nonce + b">" + code + b"</script>"
        # Escaped rather than in a CDATA section: the text, and so its hash, stay the same.
        code = code.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        return b"<script" + _XHTML + nonce + b">" + code + b"</script>"

    def _element(self, tag: Tag) -> bytes:
        if not self._is_xml:
            return tag.raw
        name = b"<" + tag.name.encode("ascii")
        return name + _XHTML + tag.raw[len(name) : -1] + b"/>"

    def _charset_early(self, ahead: bytes) -> bytes:
        """What keeps a charset among the bytes in which browsers look for it.

        They look at the first 1,024 (HTML section 13.2.3.2). One that stood there is moved out by
        what we insert, so it is said in front of that too; the prelude takes it away again.
        """
        label = b"" if self._is_xml else documents.declared(ahead)
        return b'<meta charset="' + label + b'" data-optout>' if label else b""

    # --- what is changed

    def _see_base(self, tag: Tag) -> None:
        href = tag.get("href")
        if href is not None and not self._has_base:
            self._has_base = True
            self._base = joined(self._base, href)

    def _without_integrity(self, tag: Tag, name: str) -> Tag:
        replaced = self._page.replaced
        if replaced is None or tag.get("integrity") is None:
            return tag
        fetched = _fetched(tag, name)
        if fetched is None or not replaced(joined(self._base, fetched[1]), fetched[0]):
            return tag
        self.without_integrity += 1
        return tag.without("integrity")

    def _meta(self, tag: Tag) -> Tag:
        http_equiv = (tag.get("http-equiv") or "").strip().lower()
        content = tag.get("content")
        if http_equiv == "content-security-policy" and content is not None:
            return self._allowed(tag, content)
        label = tag.get("charset") or (content if http_equiv == "content-type" else None)
        if label:
            self.looks_ahead = 0
            if not self._page.charset and documents.SHIFTED.search(label):
                self._stop("is in ISO-2022-JP from here on")
        return tag

    def _allowed(self, tag: Tag, policy: str) -> Tag:
        if not self._sets_id_flags:
            return tag
        if not policy.isascii():  # no policy that a browser reads, and none that we can write
            self._scripts = False
            return tag
        allowed = csp.allow_in_meta(policy, self._nonce, self._page.own_nonce)
        self._scripts, self._nonce = allowed.scripts, allowed.nonce
        return tag if allowed.policy == policy else tag.with_value("content", allowed.policy)

    def _with_marks(self, tag: Tag, name: str) -> Tag:
        for mark in self._marked:
            if mark.name == name and _classes(mark) <= _classes(tag):
                for attribute in mark.attributes:
                    if attribute.name != "class":
                        tag = tag.with_attribute(attribute.name, attribute.value)
        return tag


def joined(base: str, address: str) -> str:
    """Absolute URL as a browser makes it of http(s) addresses (WHATWG URL section 4.4)."""
    address = _BREAKS.sub("", address.strip(_EDGES))
    if not _OTHER_SCHEME.match(address):
        address = _BEFORE_QUERY.sub(lambda front: front[0].replace("\\", "/"), address, count=1)
    try:
        return _AUTHORITY.sub(lambda front: front[0].lower(), urljoin(base, address), count=1)
    except ValueError:
        return ""


def _classes(tag: Tag) -> set[str]:
    return set((tag.get("class") or "").split())


def _fetched(tag: Tag, name: str) -> tuple[Loaded, str] | None:
    """As what type a tag fetches which address; None where it fetches neither."""
    if name == "script":
        address = tag.get("src")
        return ("script", address) if address else None
    relations = (tag.get("rel") or "").lower().split()
    type_ = next((_LINKED[word] for word in relations if word in _LINKED), None)
    if type_ is None and "preload" in relations:
        type_ = _PRELOADED.get((tag.get("as") or "").strip().lower())
    address = tag.get("href")
    return (type_, address) if type_ and address else None
