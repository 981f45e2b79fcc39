"""A response that carries a page: what becomes of its head, and who rewrites its body."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.edits import csp, headers
from optout_proxy.pages import documents, validators
from optout_proxy.pages.coding import Encoder, accepts_packing, can_decode, codings
from optout_proxy.pages.page import Page
from optout_proxy.pages.rewriter import Rewriter

if TYPE_CHECKING:
    from optout_proxy.model import Headers
    from optout_proxy.pages.page import Replaced
    from optout_proxy.pages.prelude import Written

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})


class Opened(msgspec.Struct, frozen=True):
    """What is done to a response."""

    headers: Headers
    """The lines to hand on; the very same where nothing changes. Without a `Content-Length`, so
    an HTTP/1.1 connection needs `Transfer-Encoding: chunked`."""
    rewriter: Rewriter | None = None
    """Who is fed the body; None where it goes through as it is."""
    reason: str = ""
    """Why a page is left alone."""


def open_page(
    written: Written,
    *,
    url: str,
    status: int,
    lines: Headers,
    nonce: str,
    accepts: bytes = b"",
    replaced: Replaced | None = None,
) -> Opened:
    """What is done to the response for a page.

    `accepts` is the `Accept-Encoding` of whoever asks: what came packed is packed again if it may.
    `nonce` is a fresh random one in base64, of at least 16 bytes, for this response alone.
    `replaced(url, type)` says whether a script or a style is answered with another body.
    """
    plan = written.plan
    if plan.is_empty:
        return Opened(lines)
    if status == HTTPStatus.NOT_MODIFIED:
        return Opened(validators.confirmed(lines, written.stamp))
    content_type = headers.value(lines, b"content-type") or b""
    kind = documents.kind_of(content_type)
    if kind is None or not _is_shown(status, lines):
        return Opened(lines)
    if reason := _unreadable(status, lines):
        return Opened(lines, reason=reason)
    allowed = _allowed(written, lines, nonce)
    page = Page(
        url=url,
        kind=kind,
        charset=documents.charset_of(content_type),
        codings=codings(lines),
        packs=bool(codings(lines)) and accepts_packing(accepts),
        scripts=allowed.scripts,
        nonce=allowed.nonce,
        own_nonce=nonce,
        replaced=replaced,
    )
    return Opened(_head(allowed.headers, page, written.stamp), Rewriter(written, page))


def _allowed(written: Written, lines: Headers, nonce: str) -> csp.Allowed:
    """The lines with policies that allow what is put in, as far as scripts are."""
    more_follow = bool(written.id_flags)
    if not (written.prelude or more_follow):
        return csp.Allowed(lines)
    return csp.allow(lines, csp.Ours(written.digest, nonce, more_follow=more_follow))


def _head(lines: Headers, page: Page, stamp: str) -> Headers:
    head = validators.marked(lines, stamp)
    if not page.packs:
        return head
    return headers.replaced(head, b"Content-Encoding", Encoder.name.encode("ascii"))


def _is_shown(status: int, lines: Headers) -> bool:
    """Whether a browser shows the body: no redirect, no download."""
    disposition = headers.value(lines, b"content-disposition") or b""
    is_download = disposition.strip().lower().startswith(b"attachment")
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return status >= HTTPStatus.OK and status not in _BODILESS and not (is_redirect or is_download)


def _unreadable(status: int, lines: Headers) -> str:
    """Why a page cannot be rewritten, as far as its head tells."""
    if status == HTTPStatus.PARTIAL_CONTENT or headers.value(lines, b"content-range"):
        return "is a part of a page"
    if not can_decode(codings(lines)):
        return "has an unknown content coding"
    return ""
