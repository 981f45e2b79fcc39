"""Our own validators: a page that we changed is asked for again when the choices change.

An `ETag` we hand on carries the origin's, and the stamp of what was done to the page. When it
comes back under the same stamp, the origin gets its own validator and may say 304; under another,
it gets none and sends the page. Where the origin has only `Last-Modified`, that takes the place of
its tag. `Cache-Control` gains `no-cache`, so that a browser asks each time; `no-store` would cost
the back/forward cache.

Ranges: what we changed has no strong validator and no `Accept-Ranges`, so nobody joins a part of
it to a part of another (RFC 9110 section 13.1.5 and 14.3). A 206 is a part of the origin's bytes
and goes through as it is; a `Range` that rests on our validator (`If-Range`) is not sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.edits import headers
from optout_proxy.pages.coding import KNOWN

if TYPE_CHECKING:
    from optout_proxy.model import Headers

_MARK: Final = ";optout="
_TAG: Final = re.compile(r"(W/)?\"([^\"]*)\"")
_OURS: Final = re.compile(r"W/\"([^\"]*);optout=([swd])([0-9a-f]+)\"")
_DIRECTIVE: Final = re.compile(r"[^,\"]*(?:\"[^\"]*\"[^,\"]*)*")
_OF_THE_BODY: Final = frozenset(
    {
        b"content-length",
        b"content-encoding",
        b"content-md5",
        b"content-digest",
        b"repr-digest",
        b"digest",
        b"accept-ranges",
        b"use-as-dictionary",
        b"etag",
    }
)
"""What speaks of the body as it was sent. (`use-as-dictionary` would have later answers
compressed against bytes that the browser never got: RFC 9842.)"""
_DICTIONARY: Final = frozenset({b"available-dictionary", b"dictionary-id"})
_RANGE: Final = frozenset({b"range", b"if-range"})


def marked(lines: Headers, stamp: str) -> Headers:
    """Head of a changed page: its own validator, nothing about the body as it was."""
    tag = _marked_tag(lines, stamp)
    kept, _ = headers.without(lines, _OF_THE_BODY)
    if tag:
        kept = headers.replaced(kept, b"ETag", tag)
    return _revalidated(kept)


def confirmed(lines: Headers, stamp: str) -> Headers:
    """Head of a 304 that confirms a page changed under this stamp.

    It keeps no policy: the browser would put it in place of the one that it stored, which allows
    what stands in the stored page, and has its nonces.
    """
    tag = _marked_tag(lines, stamp)
    kept, _ = headers.without(
        lines, _OF_THE_BODY | {b"content-security-policy", b"content-security-policy-report-only"}
    )
    if tag:
        kept = headers.replaced(kept, b"ETag", tag)
    return _revalidated(kept)


def asked(lines: Headers, stamp: str) -> Headers:
    """Head of a request for a page: validators are the origin's own, or there are none.

    `stamp` is that of the plan now in force, empty where pages go through as they are. Then a
    validator of the origin's passes; else it tells of a page that was never changed, and goes.
    """
    lines = _without_our_range(lines)
    lines = _with_origins_validators(lines, stamp)
    return _accepting(lines) if stamp else lines


def _marked_tag(lines: Headers, stamp: str) -> bytes | None:
    tag = headers.value(lines, b"etag")
    if tag is not None and (found := _TAG.fullmatch(tag.decode("latin-1").strip())):
        strength = "w" if found[1] else "s"
        return _written(found[2], strength, stamp)
    changed = headers.value(lines, b"last-modified")
    if changed is None:
        return None
    return _written(changed.decode("latin-1").strip().replace(" ", "_"), "d", stamp)


def _written(text: str, kind: str, stamp: str) -> bytes:
    text = text.replace('"', "")
    return f'W/"{text}{_MARK}{kind}{stamp}"'.encode("latin-1")


def _revalidated(lines: Headers) -> Headers:
    value = b", ".join(headers.values(lines, b"cache-control")).decode("latin-1")
    words = [word.strip() for word in _DIRECTIVE.findall(value) if word.strip()]
    if not {"no-cache", "no-store"}.isdisjoint(word.lower() for word in words):
        return lines
    said = ", ".join([*words, "no-cache"]).encode("latin-1")
    return headers.replaced(lines, b"Cache-Control", said)


def _with_origins_validators(lines: Headers, stamp: str) -> Headers:
    asked_for = b", ".join(headers.values(lines, b"if-none-match")).decode("latin-1")
    ours = _OURS.findall(asked_for)
    if not ours:
        return lines if not stamp else _unvalidated(lines)
    current = [(text, kind) for text, kind, of in ours if of == stamp]
    if not current:
        return _unvalidated(lines)
    dates = [text.replace("_", " ") for text, kind in current if kind == "d"]
    tags = [f'"{text}"' if kind == "s" else f'W/"{text}"' for text, kind in current if kind != "d"]
    if tags:
        return headers.replaced(lines, b"If-None-Match", ", ".join(tags).encode("latin-1"))
    lines = headers.replaced(lines, b"If-Modified-Since", dates[0].encode("latin-1"))
    return headers.replaced(lines, b"If-None-Match", None)


def _unvalidated(lines: Headers) -> Headers:
    return headers.without(lines, frozenset({b"if-none-match", b"if-modified-since"}))[0]


def _without_our_range(lines: Headers) -> Headers:
    rests_on = headers.value(lines, b"if-range") or b""
    return headers.without(lines, _RANGE)[0] if _MARK.encode() in rests_on else lines


def _accepting(lines: Headers) -> Headers:
    """Only codings that can be undone here; others are passed over (`dcb`, `dcz`)."""
    lines = headers.without(lines, _DICTIONARY)[0]
    accepted = headers.value(lines, b"accept-encoding")
    if accepted is None:
        return lines
    words = [word.strip() for word in accepted.decode("latin-1").split(",")]
    kept = [
        word for word in words if word.partition(";")[0].strip().lower() in KNOWN | {"*", "x-gzip"}
    ]
    if len(kept) == len(words):
        return lines
    return headers.replaced(
        lines, b"Accept-Encoding", ", ".join(kept).encode("latin-1") or b"identity"
    )
