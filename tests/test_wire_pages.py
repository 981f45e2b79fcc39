"""On the wire: pages of the policy's sites, rewritten on their way, and left alone elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from optout_proxy.edits import headers as lines_of
from wire import Origin, Reply, configured, mitmdump, ours

pytestmark = pytest.mark.wire

GOV = "https://www.mass.gov/topics"
ELSEWHERE = "https://shop.example/"
HOSTS = frozenset(["www.mass.gov", "shop.example"])
PROTOCOLS = pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
NAVIGATION = (
    ("Accept", "text/html"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Site", "none"),
)
ANALYTICS = "https://www.google-analytics.com/analytics.js"
PAGE = (
    "<!doctype html><html><head><title>é</title>"
    f'<script src="{ANALYTICS}" integrity="sha384-AAAA" crossorigin></script>'
    '<script src="/own.js" integrity="sha384-BBBB"></script>'
    "</head><body>text</body></html>"
).encode()
HTML = ("Content-Type", "text/html; charset=utf-8")


def got(folder, *urls, reply, level="block", http2=False, door=ours, more=(), method="GET"):
    """What came of some pages, asked for one after another; and what the ledger says."""

    async def main():
        origin = Origin(HOSTS, reply)
        config = configured(folder, level)
        async with origin.listening(), door(origin, folder, config) as opened:
            async with opened.client(http2=http2) as client:
                came = [
                    await client.ask(url, method=method, headers=[*NAVIGATION, *more])
                    for url in urls
                ]
            return came, origin.reached, [json.loads(one) for one in opened.written().splitlines()]

    return asyncio.run(main())


def page(*more, body=PAGE):
    return lambda _: Reply(headers=(HTML, *more), body=body)


@PROTOCOLS
@pytest.mark.parametrize("door", [ours, mitmdump])
def test_a_page_of_the_policys_site_is_changed_and_nothing_else_in_it(tmp_path, door, http2):
    (came,), _, ledger = got(tmp_path, GOV, reply=page(), door=door, http2=http2)
    scripts = re.findall(rb"<script>.*?</script>", came.body, re.DOTALL)
    assert b"globalPrivacyControl" in scripts[0]
    rest = re.sub(rb"<script>.*?</script>|<meta [^>]*>", b"", came.body, flags=re.DOTALL)
    assert rest == PAGE.replace(b'integrity="sha384-AAAA"', b"")
    assert came.header(b"content-length") in {b"", None}
    assert [one["host"] for one in ledger if one["event"] == "page-changed"] == ["www.mass.gov"]


@PROTOCOLS
@pytest.mark.parametrize(
    ("what", "url", "level", "headers"),
    [
        ("another site's page", ELSEWHERE, "block", (HTML,)),
        ("a page where every tool is allowed and no signal asked", GOV, "allow", (HTML,)),
        ("what is no page", GOV, "block", (("Content-Type", "text/plain"),)),
        ("a download", GOV, "block", (HTML, ("Content-Disposition", "attachment"))),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_left_as_it_came(tmp_path, what, url, level, headers, http2):
    def reply(_):
        return Reply(headers=headers, body=PAGE)

    (came,), _, _ = got(tmp_path, url, reply=reply, level=level, http2=http2)
    if what.startswith("a page where every tool"):
        assert came.body.replace(b"<script>", b"", 1).count(b"integrity") == 2
    else:
        assert came.body == PAGE


@PROTOCOLS
@pytest.mark.parametrize(("accepts", "coding"), [("gzip, br, zstd", b"zstd"), ("gzip", None)])
def test_a_packed_page_is_changed_and_packed_for_those_who_take_zstd(
    tmp_path, accepts, coding, http2
):
    reply = page(("Content-Encoding", "gzip"), body=gzip.compress(PAGE))
    more = [("Accept-Encoding", accepts)]
    (came,), _, _ = got(tmp_path, GOV, reply=reply, http2=http2, more=more)
    assert came.header(b"content-encoding") == coding
    body = zstd.decompress(came.body) if coding else came.body
    assert b"globalPrivacyControl" in body


def test_a_policy_of_the_page_allows_what_is_put_in_and_nothing_more(tmp_path):
    policy = ("Content-Security-Policy", "script-src 'self' 'nonce-abc'; object-src 'none'")
    (came,), _, _ = got(tmp_path, GOV, reply=page(policy))
    said = came.header(b"content-security-policy").decode()
    assert "object-src 'none'" in said
    assert "unsafe-inline" not in said
    nonce = re.search(rb'<script nonce="([^"]+)">', came.body)
    digest = re.search(r"'sha256-[^']+'", said)
    assert nonce or digest


def test_a_page_that_was_changed_is_asked_for_again_and_may_be_confirmed(tmp_path):
    tagged = page(("ETag", '"one"'))
    (came,), _, _ = got(tmp_path, GOV, reply=tagged)
    ours_tag = came.header(b"etag").decode()
    assert ours_tag != '"one"'
    assert b"no-cache" in came.header(b"cache-control")

    def unchanged(reached):
        asked = lines_of.value(reached.headers, b"if-none-match")
        return (
            Reply(status=304, headers=(("ETag", '"one"'),))
            if asked == b'"one"'
            else Reply(headers=(HTML, ("ETag", '"one"')), body=PAGE)
        )

    (same,), _, _ = got(tmp_path, GOV, reply=unchanged, more=[("If-None-Match", ours_tag)])
    assert (same.status, same.header(b"etag").decode()) == (304, ours_tag)
    (other,), _, _ = got(
        tmp_path, GOV, reply=unchanged, level="signal", more=[("If-None-Match", ours_tag)]
    )
    assert other.status == 200
    assert other.header(b"etag").decode() not in {ours_tag, '"one"'}


@PROTOCOLS
def test_only_the_head_of_a_page_may_be_asked_for(tmp_path, http2):
    def reply(_):
        return Reply(headers=(HTML,), body=b"")

    (came,), _, _ = got(tmp_path, GOV, reply=reply, http2=http2, method="HEAD")
    assert (came.status, came.body) == (200, b"")


def test_a_page_cut_short_by_its_coding_ends_and_is_noted(tmp_path):
    reply = page(("Content-Encoding", "gzip"), body=gzip.compress(PAGE * 50)[:-20])
    (came, again), _, ledger = got(tmp_path, GOV, GOV, reply=reply)
    assert (came.status, again.status) == (200, 200)
    assert [one["event"] for one in ledger].count("page-cut-short") == 2
