"""One page on its way: decoded, scanned, edited, and handed on as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optout_proxy.pages import documents
from optout_proxy.pages.coding import PIECE, CodingError, Decoder, Encoder
from optout_proxy.pages.editing import PageEdits
from optout_proxy.pages.scan import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.pages.page import Page
    from optout_proxy.pages.prelude import Written


class Rewriter:
    """Changes one page as its bytes come, and hands it on plain, or packed as `Page.packs` says.

    Nothing it is fed makes it raise. `reason` says why a page is left alone, `failure` why it ends
    early: its content coding broke off. What was handed out by then is right; nothing follows it.
    """

    def __init__(self, written: Written, page: Page) -> None:
        self._page = page
        self._edits = PageEdits(written, page, self._stop)
        self._scanner = Scanner(self._edits, xml=page.kind == "xhtml")
        self._decoder = Decoder(page.codings) if page.codings else None
        self._encoder = Encoder() if page.packs else None
        self._front = b""
        self._is_sniffed = False
        self._is_left_alone = False
        self._may_shift = False
        self._last = b""
        self.reason = ""
        self.failure = ""

    @property
    def without_integrity(self) -> int:
        """How many tags lost their `integrity`."""
        return self._edits.without_integrity

    def feed(self, data: bytes) -> bytes:
        """What goes out for these bytes, whole: `pieces` gives it bit by bit."""
        return b"".join(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What goes out for these bytes, in pieces of bounded size, however far they expand."""
        if self.failure or not data:
            return
        try:
            for piece in self._decoded(data):
                if out := self._rewritten(piece):
                    yield self._encoder.feed(out) if self._encoder else out
        except CodingError as wrong:
            self.failure = str(wrong)

    def stream(self, data: bytes) -> Iterator[bytes]:
        """What goes out for these bytes; no bytes say that the body is over.

        No piece is empty: in a chunked message an empty one would end it.
        """
        if data:
            yield from self.pieces(data)
        elif last := self.end():
            yield last

    def end(self) -> bytes:
        """What is left when the body is over."""
        if self._decoder and not self.failure:
            self.failure = self._decoder.missing()
        out = b"" if self._is_sniffed else self._sniffed(b"", final=True)
        out += b"" if self._is_left_alone else self._scanner.end()
        return self._encoder.feed(out) + self._encoder.end() if self._encoder else out

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is not None:
            return self._decoder.feed(data)
        return (data[start : start + PIECE] for start in range(0, len(data), PIECE))

    def _rewritten(self, piece: bytes) -> bytes:
        if not self._is_sniffed:
            return self._sniffed(piece, final=False)
        return piece if self._is_left_alone else self._scanned(piece)

    def _sniffed(self, piece: bytes, *, final: bool) -> bytes:
        """Nothing until the first bytes tell what this is; then what they become."""
        front, self._front = self._front + piece, b""
        told = documents.sniff(front, self._page.charset, final=final)
        if told is None:
            self._front = front
            return b""
        self._is_sniffed = True
        self.reason, start = told
        if self.reason:
            self._is_left_alone = True
            return front
        self._may_shift = not (self._page.charset or start)
        may_guess = self._may_shift and self._page.kind == "html"
        self._edits.looks_ahead = documents.MOST_SNIFFED if may_guess else 0
        return front[:start] + self._scanned(front[start:])

    def _scanned(self, piece: bytes) -> bytes:
        if not self._may_shift:
            return self._scanner.feed(piece)
        # The last byte of the piece before may have begun what announces the shift.
        last, self._last = self._last, piece[-1:]
        shift = documents.SHIFT.search(last + piece)
        if shift is None:
            return self._scanner.feed(piece)
        start = max(0, shift.start() - len(last))
        out = self._scanner.feed(piece[:start])
        self._stop("is in ISO-2022-JP from here on")
        return out + self._scanner.feed(piece[start:])

    def _stop(self, reason: str) -> None:
        self.reason = reason
        self._may_shift = False
        self._scanner.stop()
