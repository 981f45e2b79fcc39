"""Read a HAR of any dialect, entry by entry.

http://www.softwareishard.com/blog/har-12-spec/, and what browsers and tools make of it: names with
`_` in front are theirs. What is expected is decoded by type and quickly; an entry that is otherwise
is read loosely, and only where no address can be found in it, it is unreadable.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

import msgspec

from optout_proxy.audit.entry import Entry, Fate, Pair, Traits, Unreadable, wire
from optout_proxy.audit.slices import Damaged, Slice, Source, slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.model import Type


class _Post(msgspec.Struct, gc=False):
    mime: str | None = msgspec.field(name="mimeType", default=None)
    text: str | None = None
    params: list[Pair] | None = None
    encoding: str | None = None
    encoding_told: str | None = msgspec.field(name="_encoding", default=None)


class _Asked(msgspec.Struct, gc=False):
    url: str
    method: str | None = None
    headers: list[Pair] | None = None
    cookies: list[Pair] | None = None
    post: _Post | None = msgspec.field(name="postData", default=None)
    body_size: float | None = msgspec.field(name="bodySize", default=None)


class _Content(msgspec.Struct, gc=False):
    mime: str | None = msgspec.field(name="mimeType", default=None)


class _Came(msgspec.Struct, gc=False):
    status: float | None = None
    headers: list[Pair] | None = None
    content: _Content | None = None
    error: str | None = msgspec.field(name="_error", default=None)


class _Whole(msgspec.Struct, gc=False):
    """What we read of an entry."""

    request: _Asked
    response: _Came | None = None
    pageref: str | None = None
    started: str | None = msgspec.field(name="startedDateTime", default=None)
    kind: str | None = msgspec.field(name="_resourceType", default=None)
    from_cache: str | bool | None = msgspec.field(name="_fromCache", default=None)


class _Page(msgspec.Struct, gc=False):
    id: str = ""
    title: str = ""


_ENTRY: Final = msgspec.json.Decoder(_Whole)
_PAGES: Final = msgspec.json.Decoder(list[_Page])
_MAKER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TYPES: Final[dict[str, Type]] = {
    "stylesheet": "stylesheet",
    "css": "stylesheet",
    "image": "image",
    "font": "font",
    "media": "media",
    "script": "script",
    "xhr": "xmlhttprequest",
    "fetch": "xmlhttprequest",
    "eventsource": "xmlhttprequest",
    "ping": "ping",
    "beacon": "ping",
    "websocket": "websocket",
    "subdocument": "subdocument",
    "iframe": "subdocument",
}
_BY_MIME: Final[tuple[tuple[str, Type], ...]] = (
    ("javascript", "script"),
    ("image/", "image"),
    ("text/css", "stylesheet"),
    ("font", "font"),
    ("video/", "media"),
    ("audio/", "media"),
    ("html", "subdocument"),
)
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_OPENED: Final = frozenset({"document", "other"})
_STOPPED: Final = (
    "blocked_by_client",
    "blocked_by_csp",
    "name_not_resolved",
    "connection_refused",
    "internet_disconnected",
    "address_unreachable",
    "proxy_connection_failed",
    "tunnel_connection_failed",
)
"""Errors of Chrome after which nothing was sent."""
_MOST_PAGES: Final = 100_000


def read_har(stream: Source, traits: Traits) -> Iterator[Entry | Unreadable]:
    """Every entry of a HAR, read or with why not; what the file says of itself goes to `traits`."""
    views = _PageViews()
    index = 0
    pieces = slices(stream)
    while True:
        try:
            piece = next(pieces, None)
        except Damaged as damage:
            traits.problem = str(damage)
            return
        if piece is None:
            return
        if piece.key:
            _beside(piece, traits, views)
            continue
        yield (
            parse_entry(piece.text, index, views) if not piece.why else Unreadable(index, piece.why)
        )
        index += 1


def _beside(piece: Slice, traits: Traits, views: _PageViews) -> None:
    if piece.key == "pages":
        views.titles(bytes(piece.text))
    elif piece.key in {"creator", "browser"}:
        name = _maker(bytes(piece.text))
        traits.made_by = ", ".join(filter(None, (traits.made_by, name)))


def _maker(text: bytes) -> str:
    try:
        told = _MAKER.decode(text)
        words = [msgspec.json.decode(told[key]) for key in ("name", "version") if key in told]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return " ".join(str(word) for word in words)[:100]


def parse_entry(text: bytes | msgspec.Raw, index: int, views: _PageViews) -> Entry | Unreadable:
    """One entry of a HAR."""
    try:
        whole = _ENTRY.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = loose(bytes(text))
        if isinstance(found, str):
            return Unreadable(index, found)
        whole = found
    if not whole.request.url.strip():
        return Unreadable(index, "its request has no address")
    return _entry(whole, index, views)


def _entry(whole: _Whole, index: int, views: _PageViews) -> Entry:
    asked, came = whole.request, whole.response or _Came()
    pairs = _headers(asked)
    kind, page = views.place(whole)
    body, has_body = _body(asked)
    set_cookies, answered = _told(came.headers)
    return Entry(
        index=index,
        url=asked.url,
        method=(asked.method or "GET").upper(),
        pairs=pairs,
        has_headers=bool(pairs),
        body=body,
        has_body=has_body,
        type=kind,
        page=page,
        started=whole.started or "",
        status=int(came.status or 0) if came.status == came.status else 0,
        fate="answered-here" if answered else _fate(whole, came),
        set_cookies=set_cookies,
    )


def _fate(whole: _Whole, came: _Came) -> Fate:
    if whole.from_cache:
        return "cached"
    error = (came.error or "").lower()
    return "stopped" if error and any(word in error for word in _STOPPED) else "sent"


def _headers(asked: _Asked) -> list[Pair]:
    pairs = asked.headers or []
    if pairs and pairs[0].name[:1] == ":":  # HTTP/2's, which browsers write first
        pairs = [pair for pair in pairs if pair.name[:1] != ":"]
    if asked.cookies and not any(pair.name.lower() == "cookie" for pair in pairs):
        # Firebug and some others write cookies only here.
        text = "; ".join(f"{cookie.name}={cookie.value}" for cookie in asked.cookies)
        pairs = [*pairs, Pair("Cookie", text)]
    return pairs


def _told(lines: list[Pair] | None) -> tuple[tuple[bytes, ...], bool]:
    """The `Set-Cookie` values of a response, and whether it was made by this proxy."""
    cookies: list[bytes] = []
    answered = False
    for line in lines or ():
        size = len(line.name)
        if size == 10 and line.name.lower() == "set-cookie":
            # Several in one line are separated by line breaks, which no header can hold.
            cookies += [wire(one) for one in line.value.split("\n") if one]
        elif size == 12 and line.name.lower() == "optout-proxy":
            answered = True
    return tuple(cookies), answered


def _body(asked: _Asked) -> tuple[bytes | None, bool]:
    """The request body, and whether the capture holds what there was of it."""
    post = asked.post
    if post is not None and post.text:
        if "base64" in {post.encoding, post.encoding_told}:
            return _decoded(post.text)
        return wire(post.text), True
    if post is not None and post.params:
        pairs = (f"{quote_plus(p.name)}={quote_plus(p.value)}" for p in post.params)
        return "&".join(pairs).encode(), True
    return None, _had_none(asked)


def _had_none(asked: _Asked) -> bool:
    """Whether a request whose body is not in the capture had none; in doubt it had one."""
    told = next((p.value for p in asked.headers or () if p.name.lower() == "content-length"), None)
    if told is not None:
        return told.strip() == "0"
    if asked.body_size is not None and asked.body_size >= 0:
        return asked.body_size == 0
    return (asked.method or "GET").upper() not in _WITH_BODY


def _decoded(text: str) -> tuple[bytes | None, bool]:
    try:
        return base64.b64decode(text, validate=True), True
    except (binascii.Error, ValueError):
        return None, False


class _PageViews:
    """Which document each page view of a capture shows, and which entry is it."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}
        self._pages: dict[str, str] = {}
        self._leads_on: set[str] = set()

    def titles(self, text: bytes) -> None:
        """Pages that are named by their address, as Chrome does."""
        try:
            pages = _PAGES.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        self._titles = {
            page.id: page.title for page in pages if page.title.startswith(("http://", "https://"))
        }

    def place(self, whole: _Whole) -> tuple[Type | None, str]:
        """Type and page of an entry; the page of a document is not told."""
        kind = self._kind(whole)
        view = whole.pageref or ""
        if not view:
            return (None if kind == "subdocument" else kind), ""
        if view not in self._pages or view in self._leads_on:
            if (kind in {"document", "subdocument"} or _tells_nothing(whole)) and _opens(whole):
                self._opened(view, whole)
                return "document", ""
            if view not in self._pages:
                return kind, self._titles.get(view, "")
        return ("subdocument" if kind == "document" else kind), self._pages[view]

    def _opened(self, view: str, whole: _Whole) -> None:
        if len(self._pages) < _MOST_PAGES:
            self._pages[view] = whole.request.url
        status = whole.response.status if whole.response else None
        if status and 300 <= status < 400 and status != 304:
            self._leads_on.add(view)
        else:
            self._leads_on.discard(view)

    @staticmethod
    def _kind(whole: _Whole) -> Type | None:
        told = (whole.kind or "").lower()
        if told == "document":
            return "document"
        if told in _TYPES:
            return _TYPES[told]
        content = whole.response.content if whole.response else None
        mime = ((content.mime if content else "") or "").lower()
        return next((kind for word, kind in _BY_MIME if word in mime), None)


def _tells_nothing(whole: _Whole) -> bool:
    """Whether a response does not say what it is: it leads on, failed, or is not in the capture."""
    came = whole.response
    if came is None or not came.status or 300 <= came.status < 400:
        return True
    return not (came.content and came.content.mime)


def _opens(whole: _Whole) -> bool:
    """Whether an entry may be the document of its page view, by what the browser said of it.

    In doubt it is none: what a page asks for is judged more strictly than what somebody opens.
    """
    asked = whole.request
    lines = {pair.name.lower(): pair.value for pair in asked.headers or ()}
    if "sec-fetch-dest" in lines:
        return lines["sec-fetch-dest"] == "document"
    if (asked.method or "GET").upper() != "GET" or (whole.kind or "other").lower() not in _OPENED:
        return False
    status = whole.response.status if whole.response else None
    return status != 204 and "text/html" in lines.get("accept", "text/html")


# --- Entries that are not as the specification has them ------------------------------------------


def loose(text: bytes) -> _Whole | str:
    """An entry read by what can be used of it; or why nothing can."""
    try:
        value = json.loads(text.decode("utf-8", "replace"), strict=False)
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return f"it is no JSON: {error}"[:200]
    if not isinstance(value, dict):
        return "it is no object"
    asked = _table(value, "request")
    if not asked:
        return "it has no request"
    url = asked.get("url")
    if not isinstance(url, str):
        return "its request has no address"
    came = _table(value, "response")
    content = _table(came, "content")
    return _Whole(
        request=_Asked(
            url=_clean(url),
            method=_text(asked, "method"),
            headers=_pairs(asked.get("headers")),
            cookies=_pairs(asked.get("cookies")),
            post=_loose_post(asked.get("postData")),
            body_size=_number(asked, "bodySize"),
        ),
        response=_Came(
            status=_number(came, "status"),
            headers=_pairs(came.get("headers")),
            content=_Content(_text(content, "mimeType")),
            error=_text(came, "_error"),
        ),
        pageref=_text(value, "pageref"),
        started=_text(value, "startedDateTime"),
        kind=_text(value, "_resourceType"),
        from_cache=_text(value, "_fromCache"),
    )


def _table(value: dict[str, object], key: str) -> dict[str, object]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _text(value: dict[str, object], key: str) -> str | None:
    inner = value.get(key)
    return _clean(inner) if isinstance(inner, str) else None


def _clean(text: str) -> str:
    """Text that can be encoded: halves of surrogate pairs are replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _number(value: dict[str, object], key: str) -> float | None:
    inner = value.get(key)
    if isinstance(inner, str) and inner.strip().isdigit():
        return float(inner.strip()[:9])
    return inner if isinstance(inner, int | float) and abs(inner) < 1e9 else None


def _pairs(value: object) -> list[Pair] | None:
    if isinstance(value, dict):
        return [Pair(_clean(str(name)), _clean(str(one))) for name, one in value.items()]
    if not isinstance(value, list):
        return None
    return [
        Pair(_clean(str(one.get("name", ""))), _clean(str(one.get("value", ""))))
        for one in value
        if isinstance(one, dict)
    ]


def _loose_post(value: object) -> _Post | None:
    if not isinstance(value, dict):
        return None
    encoding = _text(value, "encoding") or _text(value, "_encoding")
    params = _pairs(value.get("params")) or None
    return _Post(_text(value, "mimeType"), _text(value, "text"), params, encoding)
