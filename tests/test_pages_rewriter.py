"""A page is changed where it is named and nowhere else, in any encoding, at any cut."""

from __future__ import annotations

import gzip
import resource
import tracemalloc
from xml.etree import ElementTree as ET

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optout_proxy.pages import Flag, PagePlan
from optout_proxy.pages.coding import Decoder
from page_parts import (
    FULL,
    HTML,
    LEFT_ALONE,
    NO_EFFECT,
    XHTML,
    rewrite,
    rewriter,
    short,
    written,
)

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD = {**HTML, **XHTML}
SET = b"<script>{prelude}</script>"
META = b'<meta name="twitter:dnt" content="on">'


def kind(name: str) -> str:
    return "xhtml" if name in XHTML else "html"


# --- nothing that is not named


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("size", [1, 3, 10**9])
def test_a_page_in_which_nothing_is_named_is_byte_for_byte_what_it_was(name, size):
    assert rewrite(ODD[name], NO_EFFECT, size=size, kind=kind(name)) == ODD[name]


@pytest.mark.parametrize("name", ODD)
def test_what_is_put_in_is_all_that_differs(name):
    out = rewrite(ODD[name], kind=kind(name))
    for put_in in inserted(kind(name)):
        assert out.count(put_in) <= 1
        out = out.replace(put_in, b"")
    assert out.replace(b'<meta charset="windows-1252" data-optout>', b"") == ODD[name]


def inserted(kind: str) -> list[bytes]:
    if kind == "html":
        return [b"<script>" + written().prelude + b"</script>", META]
    code = written().prelude.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    space = b' xmlns="http://www.w3.org/1999/xhtml"'
    return [
        b"<script" + space + b">" + code + b"</script>",
        b"<meta" + space + b' name="twitter:dnt" content="on"/>',
    ]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_where_the_body_is_cut_changes_nothing(name, size):
    whole = rewrite(ODD[name], kind=kind(name))
    assert rewrite(ODD[name], kind=kind(name), size=size) == whole


@calm
@given(st.lists(st.sampled_from(sorted(ODD)), max_size=6), st.integers(1, 400), st.booleans())
def test_any_mixture_at_any_cut_gives_the_same_bytes(names, size, xml):
    body = b"".join(ODD[name] for name in names)
    kind = "xhtml" if xml else "html"
    assert rewrite(body, size=size, kind=kind) == rewrite(body, kind=kind)
    assert rewrite(body, NO_EFFECT, size=size, kind=kind) == body


@calm
@given(st.binary(max_size=2000), st.integers(1, 400))
def test_no_noise_is_changed_or_raises(noise, size):
    assert rewrite(noise, NO_EFFECT, size=size) == noise
    assert rewrite(noise, size=size) == rewrite(noise)


@pytest.mark.parametrize("name", LEFT_ALONE)
@pytest.mark.parametrize("size", [1, 10**9])
def test_what_is_no_readable_markup_is_left_alone_and_that_is_said(name, size):
    body = LEFT_ALONE[name]
    one = rewriter()
    out = b"".join(one.feed(body[n : n + size]) for n in range(0, len(body), size)) + one.end()
    assert out == body
    assert one.reason


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "iso-2022-jp", "csiso2022kr", "unicode"])
def test_a_page_in_an_encoding_of_other_bytes_is_left_alone(charset):
    one = rewriter(charset=charset)
    assert one.feed(b"<p>") + one.end() == b"<p>"
    assert one.reason == f"is in {charset}"


def test_a_byte_order_mark_outranks_the_head():
    one = rewriter(charset="utf-16")
    assert b"<script>" in one.feed(b"\xef\xbb\xbf<p>")
    assert one.reason == ""


@pytest.mark.parametrize(
    "charset", ["utf-8", "shift_jis", "gb18030", "unicode-1-1-utf-8", "x-sjis"]
)
def test_a_page_in_an_encoding_of_ascii_bytes_is_rewritten(charset):
    assert short(rewrite(b"<p>\x83\x5c", charset=charset)).startswith(SET)


@pytest.mark.parametrize(
    ("body", "early"),
    [
        (
            b"<p><meta charset=ISO-2022-JP><blockquote class=twitter-tweet>",
            b'<meta charset="ISO-2022-JP" data-optout>',
        ),
        (b"<p><a>\x1b$B<blockquote class=twitter-tweet>", b""),
        (b"<p><a title='\x1b(J'><blockquote class=twitter-tweet>", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 10**9])
def test_a_page_that_turns_out_to_be_shifted_is_left_alone_from_there(body, early, size):
    one = rewriter()
    pieces = [body[n : n + size] for n in range(0, len(body), size)]
    out = short(b"".join(map(one.feed, pieces)) + one.end())
    assert out == early + SET + META + body
    assert one.reason == "is in ISO-2022-JP from here on"


# --- where the prelude stands


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        (b"<p>", b"{set}<p>"),
        (b"x<p>", b"{set}x<p>"),
        (
            b"<!DOCTYPE html>\n<html><head>\n<script>",
            b"<!DOCTYPE html>\n<html><head>\n{set}<script>",
        ),
        (
            b"<!DOCTYPE html><meta charset=utf-8><title>a</title><link>",
            b"<!DOCTYPE html><meta charset=utf-8><title>a</title>{set}<link>",
        ),
        (b"<!-- a --><html><body onload=x>", b"<!-- a --><html>{set}<body onload=x>"),
        (b"<html></html>", b"<html>{set}</html>"),
        (b"<html><head>", b"<html><head>"),
    ],
)
def test_the_prelude_comes_before_anything_that_could_run_a_script(body, becomes):
    assert short(rewrite(body, charset="utf-8")) == becomes.replace(b"{set}", SET + META)


def test_the_prelude_carries_the_nonce_of_the_page():
    out = short(rewrite(b"<p>", nonce="abc"))
    assert out == b'<script nonce="abc">{prelude}</script>' + META + b"<p>"


def test_where_no_script_may_run_only_the_markup_is_put_in():
    body = b"<script src=gtag/js?id=G-ABCD1234></script>"
    assert rewrite(body, scripts=False) == META + body


def test_a_charset_stays_among_the_bytes_in_which_browsers_look():
    body = b"<head><script>a()</script><meta charset=windows-1252></head>" + b"x" * 2000
    early = b'<head><meta charset="windows-1252" data-optout>' + SET + META + body[6:]
    assert short(rewrite(body)) == early
    assert short(rewrite(body, size=1)) == early
    assert short(rewrite(body, charset="utf-8")) == b"<head>" + SET + META + body[6:]


def test_only_a_page_without_a_charset_waits_and_for_no_more_than_a_kilobyte():
    known, unknown = rewriter(charset="utf-8"), rewriter()
    assert known.feed(b"<head><script>a()</script>").endswith(b"</script>")
    assert unknown.feed(b"<head><script>a()</script>") == b"<head>"
    assert unknown.feed(b"x" * 1000).endswith(b"x" * 1000)


@pytest.mark.parametrize("name", ["xhtml", "xhtml without head", "prefixed"])
def test_xhtml_stays_well_formed_and_the_script_reads_the_same(name):
    root = ET.fromstring(rewrite(XHTML[name], kind="xhtml"))  # noqa: S314 - written right above
    scripts = root.findall(".//{http://www.w3.org/1999/xhtml}script")
    assert scripts[0].text == written().prelude.decode()
    assert root.find(".//{http://www.w3.org/1999/xhtml}meta[@name='twitter:dnt']") is not None


def test_xml_that_is_no_page_is_left_as_it_is():
    assert (
        rewrite(b"<svg><script>a</script></svg>", kind="xhtml") == b"<svg><script>a</script></svg>"
    )


# --- integrity


def replaced(url: str, type_: str) -> bool:
    return (url, type_) in {
        ("https://t.example/a.js?x=1&y=2", "script"),
        ("https://www.mass.gov/orgs/b.js", "script"),
        ("https://t.example/c.css", "stylesheet"),
        ("https://cdn.example/d/e.js", "script"),
    }


GONE = [
    b'<script src="https://t.example/a.js?x=1&amp;y=2"{} crossorigin></script>',
    b"<script async{} src='//t.example/a.js?x=1&y=2'></script>",
    b"<SCRIPT SRC=b.js{}></SCRIPT>",
    b"<script src='\n /orgs/./b.js'{}></script>",
    b"<script src='\\orgs\\b.js'{}></script>",
    b"<script src=HTTPS://WWW.MASS.GOV/orgs/b.js{}></script>",
    b"<link rel=stylesheet href=https://t.example/c.css{}>",
    b"<link rel='preload foo' as=script href=b.js{}>",
    b"<link rel=modulepreload href=b.js{}>",
    b"<link rel=preload as=STYLE href=https://t.example/c.css{}>",
]
STAYS = [
    b"<script src=other.js integrity=sha256-x></script>",
    b"<script integrity=sha256-x>b.js</script>",
    b"<link rel=icon href=b.js integrity=sha256-x>",
    b"<link rel=stylesheet href=b.js integrity=sha256-x>",
    b"<a href=b.js integrity=sha256-x>",
    b"<!-- <script src=b.js integrity=sha256-x></script> -->",
    b"<textarea><script src=b.js integrity=sha256-x></script></textarea>",
    b"<script>'<script src=b.js integrity=sha256-x>'</script>",
    b"<a title='<script src=b.js integrity=sha256-x>'>",
    b"<script src='' integrity=sha256-x></script>",
    b"<script src=data:b.js integrity=sha256-x></script>",
]
ONLY_INTEGRITY = PagePlan(integrity=True)


@pytest.mark.parametrize("tag", GONE)
def test_integrity_goes_from_a_tag_whose_body_is_replaced_and_nothing_else_does(tag):
    body = tag.replace(b"{}", b' integrity="sha256-x"')
    assert rewrite(body, ONLY_INTEGRITY, replaced=replaced, size=1) == tag.replace(b"{}", b" ")


@pytest.mark.parametrize("body", STAYS)
def test_integrity_stays_everywhere_else(body):
    assert rewrite(body, ONLY_INTEGRITY, replaced=replaced) == body


def test_an_address_is_read_against_the_first_base_of_the_page():
    body = (
        b"<script src=e.js integrity=x></script><base target=a><base href=//cdn.example/d/>"
        b"<base href=/other/><script src=e.js integrity=x></script>"
    )
    one = rewriter(ONLY_INTEGRITY, replaced=replaced)
    out = one.feed(body) + one.end()
    assert out == body[: -len(b"integrity=x></script>")] + b"></script>"
    assert one.without_integrity == 1


def test_no_plan_no_question():
    def refuses(url: str, type_: str) -> bool:
        raise AssertionError

    plan = PagePlan(gpc=True)
    assert rewrite(b"<script src=b.js integrity=x></script>", plan, replaced=refuses)


# --- flags that name an id

ID = PagePlan(flags=(Flag("ga-disable-*", "true"),))


def flags(body: bytes, **page: object) -> list[bytes]:
    """The scripts put in, each as the ids it sets, with what follows it."""
    out = rewrite(body, ID, **page)
    code = written(ID).flag_code.encode()
    return out.replace(b"(" + code + b")", b"FLAG").split(b"FLAG")


@pytest.mark.parametrize("size", [1, 10**9])
def test_a_flag_is_set_right_before_the_script_that_names_the_id(size):
    body = (
        b'<p><script async src="https://www.googletagmanager.com/gtag/js?id=G-ABCD1234&amp;l=x">'
        b"</script><script>gtag('config', 'G-ABCD1234'); gtag('config', 'UA-12345-6')</script>"
    )
    before, first, second = flags(body, size=size)
    assert before == b"<p><script>"
    assert first.startswith(b'({["ga-disable-G-ABCD1234"]: true});</script><script async src=')
    assert first.endswith(b"</script><script>")
    assert second.startswith(b'({["ga-disable-UA-12345-6"]: true});</script><script>gtag(')


@pytest.mark.parametrize(
    "text",
    [
        b"<p>G-ABCD1234</p>",
        b"<!-- <script>'G-ABCD1234'</script> -->",
        b"<script>'g-abcd1234', 'XG-ABCD1234', 'G-ABC', 'G-ABCD1234x', 'IMG-ABCD1234'</script>",
        b"<a href=G-ABCD1234>",
        b"<script src=https://x.example/></script>",
        b"<svg><script>'G-ABCD1234'</script></svg>",
    ],
)
def test_no_flag_is_set_for_what_is_no_id_of_a_script(text):
    assert rewrite(text, ID) == text


def test_a_flag_carries_the_nonce_and_a_meta_policy_behind_the_head_allows_it():
    body = (
        b"<head><meta http-equiv='content-security-policy' content='script-src &#39;self&#39;'>"
        b"<script src=?id=G-ABCD1234></script>"
    )
    out = rewrite(body, ID, nonce="OWN", own_nonce="OWN")
    assert b"content=\"script-src 'self' 'nonce-OWN'\">" in out
    assert out.index(b'<script nonce="OWN">') > out.index(b"<meta")


def test_a_meta_policy_that_could_only_be_loosened_stops_the_flags_instead():
    body = (
        b"<head><meta http-equiv=content-security-policy content='script-src a.example'>"
        b"<script src=?id=G-ABCD1234></script>"
    )
    assert rewrite(body, ID, nonce="theirs") == body


def test_a_meta_policy_is_left_alone_where_nothing_follows_it():
    body = b"<head><meta http-equiv=content-security-policy content='script-src a.example'><p>"
    out = rewrite(body, PagePlan(gpc=True))
    assert out.endswith(body[6:])


def test_a_page_with_a_list_of_ids_gets_no_more_than_it_could_use():
    body = b"<script>" + b" ".join(b"G-AAAA%d" % n for n in range(1000, 1200)) + b"</script>"
    assert rewrite(body, ID).count(b"ga-disable-") == 64


def test_ids_may_be_of_any_form():
    plan = PagePlan(flags=(Flag("off_*", "1", ids="site-[0-9]+"), Flag("ga-disable-*", "true")))
    out = rewrite(b"<script>'site-42', 'G-ABCD1234', 'site-42'</script>", plan)
    assert b'({["off_site-42"]: 1, ["ga-disable-G-ABCD1234"]: true});' in out


# --- marks


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        (
            b"<p><blockquote class='a twitter-tweet'>",
            b"<p><blockquote data-dnt=\"true\" class='a twitter-tweet'>",
        ),
        (b"<p><blockquote class=twitter-tweets>", b"<p><blockquote class=twitter-tweets>"),
        (b"<p><div class=twitter-tweet>", b"<p><div class=twitter-tweet>"),
        (
            b"<p><BLOCKQUOTE class=twitter-tweet data-dnt=false>",
            b'<p><BLOCKQUOTE data-dnt="true" class=twitter-tweet >',
        ),
    ],
)
def test_an_attribute_is_written_on_the_tags_that_are_named(body, becomes):
    plan = PagePlan(markup=('<blockquote class="twitter-tweet" data-dnt="true">',))
    assert rewrite(body, plan) == becomes


# --- on the way


def test_the_first_bytes_go_out_before_the_last_have_come():
    one = rewriter(charset="utf-8")
    assert short(one.feed(b"<!DOCTYPE html><html><head><title>a</title><link ")) == (
        b"<!DOCTYPE html><html><head><title>a</title>"
    )
    assert short(one.feed(b"rel=x><p>one")) == SET + META + b"<link rel=x><p>one"


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_coded_page_goes_out_as_it_comes(coding):
    packer = brotli.Compressor() if coding == "br" else None
    one = rewriter(charset="utf-8", codings=(coding,))
    if packer:
        first = packer.process(b"<p>one</p>") + packer.flush()
    else:
        first = gzip.compress(b"<p>one</p>")[:-8]
    assert one.feed(first).endswith(b"<p>one</p>")


@pytest.mark.parametrize("packs", [True, False])
def test_no_piece_of_a_stream_is_empty_and_no_bytes_end_it(packs):
    body = gzip.compress(HTML["foreign"] * 50)
    one = rewriter(charset="utf-8", codings=("gzip",), packs=packs)
    pieces = [out for n in range(len(body)) for out in one.stream(body[n : n + 1])]
    pieces += one.stream(b"")
    assert all(pieces)
    whole = rewriter(charset="utf-8").feed(HTML["foreign"] * 50)
    out = b"".join(pieces)
    assert (b"".join(Decoder(["zstd"]).feed(out)) if packs else out) == whole


@pytest.mark.parametrize("cut", [5, 4000, -1])
def test_a_page_that_breaks_off_ends_where_it_broke_off_and_that_is_said(cut):
    body = b"".join(b"<p>line %d</p>" % (n * n) for n in range(3000))
    coded = gzip.compress(body)
    one = rewriter(charset="utf-8", codings=("gzip",))
    out = short(one.feed(coded[:cut]) + one.end()).replace(SET + META, b"")
    assert one.failure == "ends too early"
    assert body.startswith(out)
    assert bool(out) is (cut != 5)


def test_after_a_failure_nothing_more_comes_and_nothing_raises():
    one = rewriter(charset="utf-8", codings=("gzip",))
    assert one.feed(b"no gzip at all, though the head says so") == b""
    assert one.failure.startswith("is corrupt")
    assert one.feed(b"<p>") + one.end() == b""


def test_memory_stays_flat_while_fifty_megabytes_pass():
    unit = b"<div class='a'><p>%s</p><script>a < 2;</script></div>\n" % (b"some words " * 400) * 15
    one = rewriter(charset="utf-8")
    one.feed(unit)
    tracemalloc.start()
    total = sum(len(one.feed(unit)) for _ in range(50_000_000 // len(unit) // 10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total += sum(len(one.feed(unit)) for _ in range(50_000_000 // len(unit) * 9 // 10))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000
    assert total > 49_000_000
    assert peak < 1_000_000


def test_a_bomb_of_a_page_passes_in_small_pieces():
    bomb = brotli.compress(b"<p>" + b"x" * 20_000_000, quality=1)
    one = rewriter(charset="utf-8", codings=("br",))
    assert max(map(len, one.pieces(bomb))) < 300_000


def test_a_full_plan_is_not_empty_and_an_empty_one_is():
    assert not FULL.is_empty
    assert PagePlan().is_empty
    assert PagePlan(version="2").is_empty
