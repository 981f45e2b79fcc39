"""Pages on their way through mitmproxy: asked for so that they can be rewritten, and rewritten."""

from __future__ import annotations

import base64
import logging
import secrets
from typing import TYPE_CHECKING, NamedTuple

from optout_proxy import shipped
from optout_proxy.edits import headers
from optout_proxy.pages import asked, load_prelude, open_page
from optout_proxy.proxy.flows import set_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mitmproxy.http import HTTPFlow

    from optout_proxy.model import Decision, Request
    from optout_proxy.pages import Rewriter, Written
    from optout_proxy.proxy.contracts import Engine, Noting

logger = logging.getLogger(__name__)

_PAGES = frozenset({"document", "subdocument"})


class Asked(NamedTuple):
    """A page that was asked for, and what is to be written into it."""

    written: Written
    engine: Engine
    request: Request
    accepts: bytes
    """The `Accept-Encoding` of the browser."""


class PageFlows:
    """Asks for pages, and rewrites them as they come."""

    def __init__(self, note: Noting) -> None:
        self._note = note
        self._prelude = load_prelude(shipped.folder() / "blocklists")

    def ask(
        self, flow: HTTPFlow, engine: Engine, request: Request, decision: Decision
    ) -> Asked | None:
        """Ask for a page with validators that its origin knows; None where it is not rewritten."""
        if request.type not in _PAGES:
            return None
        plan = engine.page_plan(request, decision)
        written = None if plan.is_empty else self._prelude.write(plan)
        lines = flow.request.headers.fields
        accepts = headers.value(lines, b"accept-encoding") or b""
        changed = asked(lines, written.stamp if written else "")
        if changed != lines:
            set_headers(flow.request, changed)
        if written is None or request.method == "HEAD":
            return None
        return Asked(written, engine, request, accepts)

    def open(self, flow: HTTPFlow, page: Asked) -> None:
        """Rewrite the body of a response from now on, where it carries a page."""
        head = flow.response
        if head is None:
            return
        request = page.request
        opened = open_page(
            page.written,
            url=request.url,
            status=head.status_code,
            lines=head.headers.fields,
            nonce=base64.b64encode(secrets.token_bytes(18)).decode(),
            accepts=page.accepts,
            replaced=lambda url, kind: page.engine.replaces(url, request.url, kind),
        )
        if opened.headers != head.headers.fields:
            set_headers(head, opened.headers)
        if opened.reason:
            self._note("page-not-changed", host=request.host, why=opened.reason)
        if opened.rewriter is not None:
            self._note("page-changed", host=request.host)
            _chunk(flow)
            head.stream = self._rewriting(flow, opened.rewriter, request.host)

    def _rewriting(
        self, flow: HTTPFlow, rewriter: Rewriter, host: str
    ) -> Callable[[bytes], Iterator[bytes]]:
        """What mitmproxy streams a body through; no bytes say that it is over.

        A fault ends the flow: mitmproxy would leave the client waiting.
        """
        failed = False

        def stream(piece: bytes) -> Iterator[bytes]:
            nonlocal failed
            if failed:
                return
            try:
                yield from rewriter.stream(piece)
            except Exception as error:
                failed = True
                logger.exception("A page of %s could not be rewritten", host)
                self._note("fault", hook="page", error=type(error).__name__, host=host)
                if flow.killable:
                    flow.kill()
            if not piece:
                self._tell(rewriter, host)

        return stream

    def _tell(self, rewriter: Rewriter, host: str) -> None:
        if rewriter.reason:
            self._note("page-not-changed", host=host, why=rewriter.reason)
        if rewriter.failure:
            self._note("page-cut-short", host=host, why=rewriter.failure)


def _chunk(flow: HTTPFlow) -> None:
    """Let the length be told as the body comes, where the client's protocol needs it told."""
    head = flow.response
    if head is None or not flow.request.is_http11 or "transfer-encoding" in head.headers:
        return
    lines = (*head.headers.fields, (b"Transfer-Encoding", b"chunked"))
    head.headers.fields = lines
