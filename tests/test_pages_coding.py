"""Whatever the coding, the cut and the damage: what could be read goes out, in bounded pieces."""

from __future__ import annotations

import gzip
import hashlib
import sys
import tracemalloc
import zlib

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optout_proxy.pages.coding import (
    KNOWN,
    PIECE,
    CodingError,
    Decoder,
    Encoder,
    accepts_packing,
    can_decode,
    codings,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

calm = settings(deadline=None)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


CODED = {
    "gzip": ("gzip", gzip.compress),
    "deflate as the standard has it": ("deflate", zlib.compress),
    "deflate as it is often sent": ("deflate", raw_deflate),
    "br": ("br", lambda body: brotli.compress(body, quality=5)),
    "zstd": ("zstd", zstd.compress),
}
NOISE = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(625))
BODY = b"".join(b"<p>line %d</p>" % number for number in range(20_000)) + NOISE


def decoded(coded: bytes, *names: str, size: int = 10**9) -> tuple[bytes, str]:
    """What comes out, and what is wrong."""
    decoder = Decoder(names)
    out = []
    try:
        for start in range(0, len(coded), size):
            out.extend(decoder.feed(coded[start : start + size]))
    except CodingError as wrong:
        return b"".join(out), str(wrong)
    return b"".join(out), decoder.missing()


@pytest.mark.parametrize("how", CODED)
@pytest.mark.parametrize("size", [1, 2, 999, 10**9])
def test_a_body_comes_out_whole_however_it_is_cut(how, size):
    name, pack = CODED[how]
    assert decoded(pack(BODY), name, size=size) == (BODY, "")


@pytest.mark.parametrize("how", CODED)
def test_what_is_there_of_a_body_that_breaks_off_goes_out_and_that_is_said(how):
    name, pack = CODED[how]
    out, wrong = decoded(pack(BODY)[:-9], name)
    assert wrong == "ends too early"
    assert BODY.startswith(out)
    assert len(out) > len(BODY) - 200_000


CHECKED = [how for how in CODED if how != "deflate as it is often sent"]  # it has no checksum


@pytest.mark.parametrize("how", CHECKED)
def test_what_comes_before_the_damage_goes_out_and_that_is_said(how):
    name, pack = CODED[how]
    coded = bytearray(pack(BODY[:-20_000] * 2))
    coded[len(coded) // 2 : len(coded) // 2 + 400] = b"\xff" * 400
    out, wrong = decoded(bytes(coded), name)
    assert wrong
    assert out[:1000] == BODY[:1000]


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_what_was_never_coded_is_said_to_be_corrupt(name):
    out, wrong = decoded(b"<!DOCTYPE html><p>not coded at all</p>" * 9, name)
    assert (out, "corrupt" in wrong) == (b"", True)


@pytest.mark.parametrize("how", CODED)
def test_an_empty_body_is_whole_and_so_is_a_coded_one_of_nothing(how):
    name, pack = CODED[how]
    assert decoded(b"", name) == (b"", "")
    assert decoded(pack(b""), name) == (b"", "")


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_what_follows_the_end_is_ignored_as_browsers_do(name):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[name]
    assert decoded(pack(b"<p>") + b"\0\0trailing", name) == (b"<p>", "")


def test_a_zstd_body_may_have_several_frames():
    assert decoded(zstd.compress(b"a") + zstd.compress(b"b"), "zstd", size=1) == (b"ab", "")


def test_codings_are_undone_in_reverse():
    coded = brotli.compress(gzip.compress(zlib.compress(BODY)))
    assert decoded(coded, "deflate", "gzip", "br", size=777) == (BODY, "")


def test_a_zstd_window_wider_than_a_browsers_is_refused():
    options = {zstd.CompressionParameter.window_log: 27}
    coded = zstd.ZstdCompressor(options=options)
    body = coded.compress(NOISE) + coded.compress(bytes(1000)) + coded.flush()
    assert decoded(body, "zstd")[1].startswith("is corrupt")


BOMBS = {
    "gzip": lambda size: gzip.compress(bytes(size), 9),
    "br": lambda size: brotli.compress(bytes(size), quality=1),
    "zstd": lambda size: zstd.compress(bytes(size)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_expands_a_piece_at_a_time(name):
    coded = BOMBS[name](30_000_000)
    decoder = Decoder([name])
    tracemalloc.start()
    pieces = [len(piece) for piece in decoder.feed(coded)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(pieces) == 30_000_000
    assert max(pieces) <= 2 * PIECE
    assert peak < 2_000_000


def test_what_expands_beyond_measure_is_given_up(monkeypatch):
    monkeypatch.setattr("optout_proxy.pages.coding._BOMB", 10_000_000)
    out, wrong = decoded(BOMBS["zstd"](30_000_000), "zstd")
    assert wrong == "expands beyond measure"
    assert len(out) <= 10_000_000 + PIECE


@pytest.mark.parametrize(
    ("lines", "names", "known"),
    [
        ([], (), True),
        ([b"identity"], (), True),
        ([b"gzip"], ("gzip",), True),
        ([b"X-GZip"], ("gzip",), True),
        ([b" gzip , br"], ("gzip", "br"), True),
        ([b"gzip", b"zstd"], ("gzip", "zstd"), True),
        ([b"gzip, identity"], ("gzip",), True),
        ([b"dcb"], ("dcb",), False),
        ([b"utf-8"], ("utf-8",), False),
        ([b"compress"], ("compress",), False),
        ([b"gzip" + b",gzip" * 4], ("gzip",) * 5, False),
    ],
)
def test_the_codings_of_a_head_are_read_in_order(lines, names, known):
    head = tuple((b"Content-Encoding", line) for line in lines)
    assert codings(head) == names
    assert can_decode(names) is known


def test_an_unknown_coding_is_no_decoder():
    with pytest.raises(ValueError, match="no such content coding: dcb"):
        Decoder(["dcb"])
    assert "dcb" not in KNOWN


@pytest.mark.parametrize("size", [1, 1000, 10**9])
def test_what_is_packed_can_be_read_as_it_comes(size):
    encoder, decoder = Encoder(), Decoder(["zstd"])
    body = BODY[:50_000]
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        assert b"".join(decoder.feed(encoder.feed(piece))) == piece
    assert list(decoder.feed(encoder.end())) == []
    assert decoder.missing() == ""


@pytest.mark.parametrize(
    ("accepts", "packs"),
    [
        (b"gzip, deflate, br, zstd", True),
        (b"ZSTD;q=0.5", True),
        (b"zstd; q=1.0", True),
        (b"zstd;q=0", False),
        (b"zstd;q=0.00", False),
        (b"gzip, deflate, br", False),
        (b"*", False),
        (b"", False),
    ],
)
def test_what_is_packed_is_asked_for(accepts, packs):
    assert accepts_packing(accepts) is packs


@calm
@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_no_noise_does_more_than_fail(noise, name):
    _, wrong = decoded(noise, name, size=100)
    assert isinstance(wrong, str)


@calm
@given(
    st.binary(max_size=5000),
    st.lists(st.sampled_from(list(CODED)), max_size=3),
    st.integers(1, 5000),
)
def test_any_stack_at_any_cut_gives_the_body_back(body, stack, size):
    coded = body
    for how in stack:
        coded = CODED[how][1](coded)
    assert decoded(coded, *(CODED[how][0] for how in stack), size=size) == (body, "")
