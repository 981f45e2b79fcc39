"""Content codings undone as the bytes arrive: gzip, deflate, br, zstd, and stacks of them.

What came packed may be packed again, as zstd. Measured on 1 MB of markup in pieces of 16 kB, each
flushed: zstd takes 1.6 ms and gives a fifth, gzip 16 ms, br 7 ms; and a proxy in Python needs
about 6 ms to send 1 MB by HTTP/2. The first piece is out after 60 microseconds.

Whatever comes in, what goes out comes in bounded pieces: a bomb expands a piece at a time, and
past all measure it is an error. Bytes behind the end of a gzip or deflate body are ignored, as
browsers do. Sources: RFC 9110 section 8.4, RFC 1950 to 1952, RFC 7932, RFC 8878, RFC 9659.
"""

from __future__ import annotations

import re
import sys
import zlib
from typing import TYPE_CHECKING, Final, Protocol

import brotli

from optout_proxy.edits import headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.model import Headers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KNOWN: Final = frozenset({"gzip", "deflate", "br", "zstd", "identity"})
"""Codings that can be undone here: what a request for a page may accept."""

PIECE: Final = 64 * 1024
"""Bytes that one piece of output is asked to hold at most."""
_SIP: Final = 1024
"""Bytes given to a decoder at once. The libraries keep back what a failing call had decoded, so
this is the most of a corrupt body whose content is lost."""
_MOST_STACKED: Final = 4
_BOMB: Final = 256 * 1024 * 1024
"""Below this much output nothing is a bomb, however small it came in."""
_BOMB_RATIO: Final = 1000
_PACK_LEVEL: Final = 1
_ACCEPTED: Final = re.compile(r"zstd(?:;q=(?:1(?:\.0*)?|0\.\d*[1-9]\d*))?")
_ZSTD_WINDOW: Final = 23
"""8 MB, the most that a browser accepts (RFC 9659)."""


class CodingError(ValueError):
    """A body that its content coding does not fit; everything before it has been handed out."""


class _Step(Protocol):
    """One coding, undone."""

    @property
    def finished(self) -> bool:
        """Whether the coded body has come to its end."""

    def pieces(self, sip: bytes) -> Iterator[bytes]:
        """What these bytes give."""


class Decoder:
    """Undoes a stack of codings."""

    def __init__(self, codings: Sequence[str]) -> None:
        """Take codings in the order in which they were applied; ValueError for an unknown one."""
        self._steps = [_step(name) for name in reversed(codings) if name != "identity"]
        self._came = 0
        self._went = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes give, in bounded pieces; CodingError where they fit no more."""
        self._came += len(data)
        for piece in self._through(data, 0):
            self._went += len(piece)
            if self._went > _BOMB and self._went > self._came * _BOMB_RATIO:
                raise CodingError("expands beyond measure")
            yield piece

    def missing(self) -> str:
        """What is wrong when the body is over; empty where it is whole, or empty itself."""
        is_whole = not self._came or all(step.finished for step in self._steps)
        return "" if is_whole else "ends too early"

    def _through(self, data: bytes, first: int) -> Iterator[bytes]:
        if first == len(self._steps):
            if data:
                yield data
            return
        step = self._steps[first]
        for start in range(0, len(data), _SIP):
            for piece in _guarded(step, data[start : start + _SIP]):
                yield from self._through(piece, first + 1)


class Encoder:
    """Packs as zstd; each piece can be read when it comes."""

    name: Final = "zstd"

    def __init__(self) -> None:
        self._zstd = zstd.ZstdCompressor(level=_PACK_LEVEL)

    def feed(self, data: bytes) -> bytes:
        """These bytes, packed and flushed."""
        return self._zstd.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK) if data else b""

    def end(self) -> bytes:
        """What ends the packed body."""
        return self._zstd.flush()


def accepts_packing(accept_encoding: bytes) -> bool:
    """Whether whoever asks takes what `Encoder` gives."""
    words = accept_encoding.decode("latin-1").lower().replace(" ", "").split(",")
    return any(_ACCEPTED.fullmatch(word) for word in words)


def codings(lines: Headers) -> tuple[str, ...]:
    """Content codings of a message, lower case, in the order in which they were applied."""
    named = b",".join(headers.values(lines, b"content-encoding")).decode("latin-1").lower()
    names = (name.strip() for name in named.split(","))
    return tuple(name.removeprefix("x-") for name in names if name and name != "identity")


def can_decode(names: Sequence[str]) -> bool:
    """Whether a body with these codings can be read here."""
    return len(names) <= _MOST_STACKED and KNOWN.issuperset(names)


def _guarded(step: _Step, sip: bytes) -> Iterator[bytes]:
    try:
        yield from step.pieces(sip)
    except (zlib.error, brotli.error, zstd.ZstdError) as wrong:
        raise CodingError(f"is corrupt: {wrong}") from None


def _step(name: str) -> _Step:
    match name:
        case "gzip":
            return _Inflate(zlib.MAX_WBITS | 16)
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
    raise ValueError(f"no such content coding: {name}")


class _Inflate:
    def __init__(self, bits: int) -> None:
        self._zlib = zlib.decompressobj(bits)

    @property
    def finished(self) -> bool:
        return self._zlib.eof

    def pieces(self, sip: bytes) -> Iterator[bytes]:
        while not self._zlib.eof:
            piece = self._zlib.decompress(sip, PIECE)
            sip = self._zlib.unconsumed_tail
            if piece:
                yield piece
            # A full piece may have left output behind that no input is waiting for.
            if not sip and len(piece) < PIECE:
                return


class _Deflate:
    """`deflate` is the zlib format by the standard and often raw: its first two bytes tell."""

    def __init__(self) -> None:
        self._head = b""
        self._inflate: _Inflate | None = None

    @property
    def finished(self) -> bool:
        return self._inflate is not None and self._inflate.finished

    def pieces(self, sip: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            self._head += sip
            if len(self._head) < 2:
                return
            sip, self._head = self._head, b""
            is_zlib = sip[0] & 0x0F == 8 and int.from_bytes(sip[:2]) % 31 == 0
            self._inflate = _Inflate(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        yield from self._inflate.pieces(sip)


class _Brotli:
    def __init__(self) -> None:
        self._brotli = brotli.Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self._brotli.is_finished())

    def pieces(self, sip: bytes) -> Iterator[bytes]:
        while not self._brotli.is_finished():
            piece = self._brotli.process(sip, output_buffer_limit=PIECE)
            sip = b""
            if piece:
                yield piece
            # A full piece may have left output behind that no input is waiting for.
            if len(piece) < PIECE and self._brotli.can_accept_more_data():
                return


class _Zstd:
    """Frame after frame; a body may have several (RFC 8878 section 3.1)."""

    def __init__(self) -> None:
        self._zstd = self._frame()
        self._is_fresh = True

    @property
    def finished(self) -> bool:
        return self._is_fresh

    def pieces(self, sip: bytes) -> Iterator[bytes]:
        while sip or not self._zstd.needs_input:
            self._is_fresh = False
            piece = self._zstd.decompress(sip, PIECE)
            sip = b""
            if piece:
                yield piece
            if self._zstd.eof:
                sip = self._zstd.unused_data
                self._zstd = self._frame()
                self._is_fresh = True

    @staticmethod
    def _frame() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
        )
