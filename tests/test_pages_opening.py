"""The head of a page fits what its body becomes, and a changed choice shows at once."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optout_proxy.pages import Flag, PagePlan, asked, open_page
from optout_proxy.pages.coding import Decoder
from page_parts import FULL, URL, written

calm = settings(deadline=None)

HTML = (b"Content-Type", b"text/html; charset=utf-8")
GPC = PagePlan(gpc=True)
STAMP = written(GPC).stamp
OTHER = written(FULL).stamp


def opened(*lines: tuple[bytes, bytes], status: int = 200, plan: PagePlan = GPC):
    return open_page(written(plan), url=URL, status=status, lines=lines, nonce="OWN")


# --- which responses


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(b"Content-Type", b"application/json")], 200),
        ([(b"Content-Type", b"text/plain")], 200),
        ([(b"Content-Type", b"text/xml")], 200),
        ([(b"Content-Type", b"image/svg+xml")], 200),
        ([], 200),
        ([HTML], 204),
        ([HTML], 302),
        ([HTML], 101),
        ([HTML, (b"Content-Disposition", b"Attachment; filename=a.html")], 200),
    ],
)
def test_what_is_no_page_goes_through_as_it_is(lines, status):
    result = opened(*lines, status=status)
    assert result.headers == tuple(lines)
    assert (result.rewriter, result.reason) == (None, "")


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        ([HTML, (b"Content-Range", b"bytes 0-9/20")], 206, "is a part of a page"),
        ([HTML, (b"Content-Encoding", b"dcb")], 200, "has an unknown content coding"),
    ],
)
def test_a_page_that_cannot_be_read_goes_through_as_it_is_and_that_is_said(lines, status, reason):
    result = opened(*lines, status=status)
    assert result.headers == tuple(lines)
    assert (result.rewriter, result.reason) == (None, reason)


@pytest.mark.parametrize("status", [200, 201, 203, 400, 404, 500, 503])
@pytest.mark.parametrize(
    "type_", [b"text/html", b"TEXT/HTML;charset=x", b"application/xhtml+xml", b" text/html "]
)
def test_a_page_is_rewritten_whatever_its_status(status, type_):
    assert opened((b"content-type", type_), status=status).rewriter is not None


def test_a_plan_without_effect_changes_no_head():
    lines = (HTML, (b"ETag", b'"1"'))
    assert opened(*lines, plan=PagePlan()).headers == lines
    assert opened(*lines, plan=PagePlan()).rewriter is None
    assert written(PagePlan()).stamp == ""


# --- what the head says


def test_what_speaks_of_the_body_as_it_was_goes_and_the_rest_stays():
    stays = [HTML, (b"Set-Cookie", b"a=1"), (b"Last-Modified", b"x"), (b"Vary", b"Cookie")]
    goes = [
        (b"Content-Length", b"10"),
        (b"Content-Encoding", b"gzip"),
        (b"Content-MD5", b"x"),
        (b"Digest", b"x"),
        (b"Repr-Digest", b"x"),
        (b"Content-Digest", b"x"),
        (b"Accept-Ranges", b"bytes"),
        (b"Use-As-Dictionary", b"match=*"),
    ]
    head = opened(*stays, *goes).headers
    assert head[:4] == tuple(stays)
    assert {name for name, _ in head[4:]} == {b"ETag", b"Cache-Control"}


@pytest.mark.parametrize(
    ("came", "becomes"),
    [
        ([], [b"no-cache"]),
        ([b"max-age=600"], [b"max-age=600, no-cache"]),
        ([b"public, max-age=600, immutable"], [b"public, max-age=600, immutable, no-cache"]),
        ([b"no-cache"], [b"no-cache"]),
        ([b"No-Cache, private"], [b"No-Cache, private"]),
        ([b"no-store"], [b"no-store"]),
        ([b'no-cache="Set-Cookie, X"'], [b'no-cache="Set-Cookie, X", no-cache']),
        ([b"private", b"max-age=1"], [b"private, max-age=1, no-cache"]),
        ([b""], [b"no-cache"]),
    ],
)
def test_a_browser_asks_each_time_and_may_still_keep_the_page(came, becomes):
    head = opened(HTML, *((b"Cache-Control", value) for value in came)).headers
    assert [value for name, value in head if name == b"Cache-Control"] == becomes


@pytest.mark.parametrize(
    ("etag", "mark", "back"),
    [
        (b'"abc"', b'W/"abc;optout=s%s"', b'"abc"'),
        (b'W/"abc"', b'W/"abc;optout=w%s"', b'W/"abc"'),
        (b'""', b'W/";optout=s%s"', b'""'),
        (b'"a,b;c"', b'W/"a,b;c;optout=s%s"', b'"a,b;c"'),
        (b'"x;optout=s00"', b'W/"x;optout=s00;optout=s%s"', b'"x;optout=s00"'),
    ],
)
def test_a_validator_of_ours_carries_the_origins_and_gives_it_back(etag, mark, back):
    head = dict(opened(HTML, (b"ETag", etag)).headers)
    assert head[b"ETag"] == mark % STAMP.encode()
    assert asked(((b"If-None-Match", head[b"ETag"]),), STAMP) == ((b"If-None-Match", back),)


def test_a_date_takes_the_place_of_a_validator_that_is_not_there():
    date = b"Tue, 24 Nov 2026 10:00:00 GMT"
    head = dict(opened(HTML, (b"Last-Modified", date)).headers)
    asks = ((b"If-None-Match", head[b"ETag"]), (b"If-Modified-Since", date))
    assert asked(asks, STAMP) == ((b"If-Modified-Since", date),)
    assert asked(asks[:1], STAMP) == ((b"If-Modified-Since", date),)
    assert asked(asks, OTHER) == ()


@pytest.mark.parametrize("etag", [b"abc", b"", b"W/abc"])
def test_a_validator_that_is_none_goes(etag):
    assert b"ETag" not in dict(opened(HTML, (b"ETag", etag)).headers)


# --- what is asked for

MINE = b'W/"abc;optout=s%s"' % STAMP.encode()
THEIRS = b'"abc"'
SINCE = (b"If-Modified-Since", b"Tue, 24 Nov 2026 10:00:00 GMT")


@pytest.mark.parametrize(
    ("asks", "stamp", "sent", "why"),
    [
        ([(b"If-None-Match", MINE)], STAMP, [(b"If-None-Match", THEIRS)], "the same choices"),
        ([(b"If-None-Match", MINE)], OTHER, [], "other choices"),
        ([(b"If-None-Match", MINE), SINCE], OTHER, [], "other choices"),
        ([(b"If-None-Match", MINE), SINCE], "", [], "no choices any more"),
        ([(b"If-None-Match", THEIRS), SINCE], STAMP, [], "kept from before the choices"),
        ([SINCE], STAMP, [], "kept from before the choices"),
        ([(b"If-None-Match", b"*")], STAMP, [], "of any choices"),
        ([(b"If-None-Match", THEIRS), SINCE], "", [(b"If-None-Match", THEIRS), SINCE], "not ours"),
        (
            [(b"if-none-match", b'"z", ' + MINE)],
            STAMP,
            [(b"if-none-match", THEIRS)],
            "only what was kept under these choices",
        ),
        ([(b"Range", b"bytes=5-"), (b"If-Range", MINE)], STAMP, [], "half of our bytes is no use"),
        (
            [(b"Range", b"bytes=5-"), (b"If-Range", THEIRS)],
            STAMP,
            [(b"Range", b"bytes=5-"), (b"If-Range", THEIRS)],
            "a part of the origin's bytes",
        ),
    ],
)
def test_a_validator_is_sent_only_where_a_304_would_be_right(asks, stamp, sent, why):
    assert asked(tuple(asks), stamp) == tuple(sent), why


@pytest.mark.parametrize(
    ("accepts", "sent"),
    [
        (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
        (b"gzip, deflate, br, zstd, dcb, dcz", b"gzip, deflate, br, zstd"),
        (b"dcb;q=1.0,gzip;q=0.5", b"gzip;q=0.5"),
        (b"compress", b"identity"),
        (b"*", b"*"),
        (b"identity;q=0, *;q=0", b"identity;q=0, *;q=0"),
    ],
)
def test_only_codings_that_can_be_undone_are_asked_for(accepts, sent):
    lines = ((b"Accept-Encoding", accepts), (b"Available-Dictionary", b":x:"))
    assert asked(lines, STAMP) == ((b"Accept-Encoding", sent),)
    assert asked(lines, "") == lines


def test_a_request_that_says_nothing_of_this_is_the_very_same():
    lines = ((b"Host", b"a"), (b"Accept-Encoding", b"gzip"))
    assert asked(lines, STAMP) is lines


# --- 304


def test_a_304_says_our_validator_again_and_keeps_the_stored_policy():
    lines = (
        (b"ETag", THEIRS),
        (b"Content-Security-Policy", b"script-src 'nonce-new'"),
        (b"Set-Cookie", b"a=1"),
        (b"Content-Length", b"10"),
    )
    result = opened(*lines, status=304)
    assert result.rewriter is None
    assert result.headers == (
        (b"Set-Cookie", b"a=1"),
        (b"ETag", MINE),
        (b"Cache-Control", b"no-cache"),
    )


@calm
@given(
    st.text("abc,;\\!~=", max_size=12),
    st.booleans(),
    st.sampled_from([GPC, FULL]),
    st.sampled_from([GPC, FULL]),
)
def test_a_page_kept_under_one_plan_is_never_confirmed_under_another(text, weak, before, now):
    etag = f'{"W/" if weak else ""}"{text}"'.encode()
    mine = dict(opened(HTML, (b"ETag", etag), plan=before).headers)[b"ETag"]
    sent = asked(((b"If-None-Match", mine),), written(now).stamp)
    assert sent == (((b"If-None-Match", etag),) if before == now else ())


# --- policies and plans together


def test_the_policy_allows_the_prelude_by_its_hash():
    result = opened(HTML, (b"Content-Security-Policy", b"script-src 'self'"))
    digest = written(GPC).digest
    assert result.headers[1][1] == f"script-src 'self' '{digest}'".encode()
    assert result.rewriter.feed(b"<p>" + b" " * 999).startswith(b"<script>(")


def test_the_policys_own_nonce_is_carried():
    policy = (b"Content-Security-Policy", b"script-src 'nonce-abc'")
    result = opened(HTML, policy)
    assert policy in result.headers
    assert result.rewriter.feed(b"<p>").startswith(b'<script nonce="abc">(')


def test_a_policy_that_lets_no_script_run_gets_none_of_ours():
    result = opened(HTML, (b"Content-Security-Policy", b"sandbox"))
    assert result.rewriter.feed(b"<p>") == b"<p>"


def test_a_plan_without_scripts_changes_no_policy():
    policy = (b"Content-Security-Policy", b"script-src 'self'")
    plan = PagePlan(integrity=True, markup=('<meta name="a" content="b">',))
    assert policy in opened(HTML, policy, plan=plan).headers


def test_flags_that_follow_are_allowed_by_a_nonce_of_ours():
    plan = PagePlan(flags=(Flag("ga-disable-*", "true"),))
    result = opened(HTML, (b"Content-Security-Policy", b"script-src a.example"), plan=plan)
    assert result.headers[1][1] == b"script-src a.example 'nonce-OWN'"
    assert b'<script nonce="OWN">(' in result.rewriter.feed(b"<script src=?id=G-ABCD1234></script>")


@pytest.mark.parametrize(
    ("coding", "accepts", "sent"),
    [
        (b"gzip", b"gzip, br, zstd", b"zstd"),
        (b"gzip", b"gzip, br", None),
        (b"identity", b"gzip, br, zstd", None),
    ],
)
def test_what_came_packed_is_packed_again_for_whoever_takes_it(coding, accepts, sent):
    body = b"<p>one</p>" * 500
    lines = (HTML, (b"Content-Encoding", coding))
    opened = open_page(written(GPC), url=URL, status=200, lines=lines, nonce="OWN", accepts=accepts)
    assert dict(opened.headers).get(b"Content-Encoding") == sent
    packed = gzip.compress(body) if coding == b"gzip" else body
    out = opened.rewriter.feed(packed) + opened.rewriter.end()
    plain = b"".join(Decoder(["zstd"]).feed(out)) if sent else out
    assert plain.endswith(b"</script>" + body)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PagePlan(gpc=True), PagePlan(gpc=True, cookies=("_ga",))),
        (PagePlan(gpc=True), PagePlan(gpc=True, version="2")),
        (PagePlan(integrity=True), PagePlan(integrity=True, version="2")),
        (PagePlan(flags=(Flag("a", "1"),)), PagePlan(flags=(Flag("a", "2"),))),
    ],
)
def test_what_is_done_otherwise_has_another_stamp(one, other):
    assert written(one).stamp != written(other).stamp
    assert written(one).stamp == written(one).stamp
