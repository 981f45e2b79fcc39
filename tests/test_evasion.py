"""How a site or a tool would slip past recognition, or abuse it; with the shipped tool files.

Two promises: what is unknown never opens a door, and nothing legitimate breaks on the way.
"""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from engines import headers
from optout_proxy import shipped
from optout_proxy.engine import Choices, Engine
from optout_proxy.registry.tool_file import load_all
from optout_proxy.resources import load_resources

if TYPE_CHECKING:
    from optout_proxy.model import Decision, Level, Request

PAGE = "https://www.mass.gov/"
HIT = "https://www.google-analytics.com/g/collect?v=2&tid=G-ABCDE12345"
PIXEL = "https://www.facebook.com/tr?id=1234567890&ev=PageView"
STUDY = "https://acme.optimalworkshop.com/treejack/abcd1234"
FILLER = "z" * 5000


@cache
def engine(level: Level) -> Engine:
    folder = shipped.folder() / "blocklists"
    tools = [file.tool for file in load_all(folder)]
    return Engine(tools, Choices(every=level, inspect="all"), load_resources(folder))


def decide(url: str, level: Level = "block", **facts: object) -> tuple[Request, Decision]:
    request = engine(level).name(url, **facts)  # type: ignore[arg-type]
    return request, engine(level).decide(request)


def whose(decision: Decision) -> str:
    return f"{decision.tool} {decision.role}" if decision.role else "nobody's"


# -- addresses -----------------------------------------------------------------------------------

GA, PX = "google-analytics collects", "facebook-pixel collects"
DISGUISES = [
    # how, address, whose
    ("as it is", HIT, GA),
    ("host in upper case", "https://WWW.Google-Analytics.COM/g/collect", GA),
    ("path in upper case", "https://www.facebook.com/TR?ID=1234567890", PX),
    ("a dot behind the host", "https://www.google-analytics.com./g/collect", GA),
    ("two dots behind the host", "https://www.google-analytics.com../g/collect", GA),
    ("a name before the host", "https://www.mass.gov:pw@www.google-analytics.com/g/collect", GA),
    ("two names before the host", "https://a@b@www.google-analytics.com/g/collect", GA),
    (
        "the host as a name",
        "https://www.google-analytics.com@www.example.org/g/collect",
        "nobody's",
    ),
    ("the host as a subdomain", "https://google-analytics.com.example.org/collect", "nobody's"),
    ("a host too long to exist", f"https://{'a.' * 50_000}google-analytics.com/", GA),
    ("another port", "https://www.google-analytics.com:8443/g/collect", GA),
    ("no encryption", "http://www.google-analytics.com/g/collect", GA),
    ("a web socket", "wss://www.google-analytics.com/g/collect", GA),
    ("the scheme in upper case", "HTTPS://www.google-analytics.com/g/collect", GA),
    ("an encoded host", "https://www.google%2Danalytics.com/g/collect", GA),
    ("full-width letters", "https://www.google\uff0danalytics.com/g/collect", GA),
    ("ideographic dots", "https://www\u3002google-analytics\u3002com/g/collect", GA),
    ("a soft hyphen", "https://www.goo\u00adgle-analytics.com/g/collect", GA),
    ("a letter that only looks alike", "https://www.g\u043eogle-analytics.com/", "nobody's"),
    ("backslashes", "https:\\\\www.google-analytics.com\\g\\collect", GA),
    ("a backslash before a name", "https://www.google-analytics.com\\@www.example.org/", GA),
    ("an encoded letter", "https://www.facebook.com/%74r?id=1234567890", PX),
    ("an empty segment", "https://www.facebook.com//tr?id=1234567890", PX),
    ("a dot segment", "https://www.facebook.com/./tr?id=1234567890", PX),
    ("an encoded dot segment", "https://www.facebook.com/a/%2e%2E/tr?id=1234567890", PX),
    ("a parameter of the path", "https://www.facebook.com/tr;a=b?id=1234567890", PX),
    ("a longer word", "https://www.facebook.com/travel?id=1234567890", "nobody's"),
    ("a file, encoded", "https://connect.facebook.net/en_US/%66bevents.js", "facebook-pixel loads"),
    (
        "a locale of three letters",
        "https://connect.facebook.net/fil_PH/sdk.js",
        "facebook-like loads",
    ),
    (
        "a country, encoded",
        "https://www.google.de/page%61d/1p-user-list/1/",
        "google-adwords collects",
    ),
    (
        "Floodlight, encoded",
        "https://ad.doubleclick.net/%61ctivity;src=1",
        "google-adwords collects",
    ),
    (
        "a widget, empty segment",
        "https://www.facebook.com//plugins/like.php",
        "facebook-like widgets",
    ),
    (
        "the invitation, empty segment",
        "https://app.optimalworkshop.com//survey_status/questions/a/active",
        "treejack telemetry",
    ),
    # whose tag it is, by the prefix of its id
    (
        "an encoded id",
        "https://www.googletagmanager.com/gtag/js?%69d=G%2DAB",
        "google-analytics loads",
    ),
    (
        "an encoded dash",
        "https://www.googletagmanager.com/gtag/js?id=AW%2D1",
        "google-adwords loads",
    ),
    # addresses without a host name
    ("an address of digits", "https://192.0.2.1/tr?id=1234567890&ev=PageView", PX),
    ("an address of version 6", "https://[2001:db8::1]/g/collect?v=2&tid=G-ABCDE12345", GA),
    # on the page's own host, by parameters alone
    ("any order", "https://www.mass.gov/a?tid=G-ABCDE12345&cid=1&v=2", GA),
    ("an encoded name", "https://www.mass.gov/a?v=2&%74id=G-ABCDE12345", GA),
    ("an encoded value", "https://www.mass.gov/a?%76=%32&tid=%47%2dABCDE12345", GA),
    ("other values before", "https://www.mass.gov/a?v=9&v=2&tid=a&tid=G-ABCDE12345", GA),
    ("empty parameters", "https://www.mass.gov/a?&&v=2&&&tid=G-ABCDE12345&", GA),
    ("a second question mark", "https://www.mass.gov/a?b?v=2&tid=G-ABCDE12345&v=2", GA),
    ("a long value before", f"https://www.mass.gov/a?b={FILLER}&v=2&tid=G-ABCDE1&c={FILLER}", GA),
    ("a long value between", f"https://www.mass.gov/a?v=2&b={FILLER}&tid=G-ABCDE12345", GA),
    ("100 kB before", f"https://www.mass.gov/a?b={FILLER * 20}&v=2&tid=G-ABCDE12345", GA),
    ("a long path", f"https://www.mass.gov/{FILLER}/{FILLER}/tr?id=1234567890&ev=PageView", PX),
    ("a container, encoded", "https://www.mass.gov/a?id=%47TM-ABCDE", "google-tag-manager loads"),
    # what no server reads as a hit
    ("in the fragment", "https://www.mass.gov/a#?v=2&tid=G-ABCDE12345", "nobody's"),
    ("half in the fragment", "https://www.mass.gov/a?v=2#&tid=G-ABCDE12345", "nobody's"),
    ("separated by semicolons", "https://www.mass.gov/a?v=2;tid=G-ABCDE12345", "nobody's"),
    ("with &amp;", "https://www.mass.gov/a?v=2&amp;tid=G-ABCDE12345", "nobody's"),
    ("encoded twice", "https://www.mass.gov/a?v=2&%2574id=G-ABCDE12345", "nobody's"),
    ("as a part of a value", "https://www.mass.gov/a?u=v=2%26tid=G-ABCDE12345", "nobody's"),
    (
        "a permit in the query",
        f"{PIXEL}&a=https://www.facebook.com/ads/website_custom_audiences",
        PX,
    ),
]


@pytest.mark.parametrize(
    ("url", "owner"), [row[1:] for row in DISGUISES], ids=[row[0] for row in DISGUISES]
)
def test_an_address_is_known_however_it_is_written(url: str, owner: str) -> None:
    request, decision = decide(url, page=PAGE, type="other")
    assert whose(decision) == owner
    assert engine("block").decide_url(url, PAGE, "other") == decision
    assert request.url == url


SENT = [
    # at strip: as it came, as it goes
    ("https://www.mass.gov/a?%76=2&tid=G%2DAB&%63id=1.2&b=%2f", "?%76=2&tid=G%2DAB&b=%2f"),
    (f"https://www.mass.gov/a?v=2&b={FILLER}&cid=1&tid=G-AB", f"?v=2&b={FILLER}&tid=G-AB"),
    ("https://www.mass.gov//a/./b?v=2&tid=G-AB&cid=1&cid=2", "?v=2&tid=G-AB"),
    ("https://www.facebook.com/%74r?id=1&fbp=1&ud%5Bem%5D=1", "?id=1"),
]


@pytest.mark.parametrize(("url", "query"), SENT)
def test_a_disguised_hit_loses_its_identity_and_nothing_else(url: str, query: str) -> None:
    _, decision = decide(url, "strip", page=PAGE, type="image")
    assert decision.send is not None
    assert decision.send.url == url.partition("?")[0] + query


# -- what the browser says -----------------------------------------------------------------------

CROSS = {"sec_fetch_site": "cross-site"}
SIGNS = [
    # signs, stopped?
    ("nothing at all", {}, True),
    ("only what it accepts", {"accept": "*/*"}, True),
    ("a type nobody knows", {"sec_fetch_dest": "zebra", **CROSS}, True),
    ("an empty type", {"sec_fetch_dest": "", **CROSS}, True),
    ("no page", {"sec_fetch_dest": "image", **CROSS}, True),
    ("a page cut to its origin", {"sec_fetch_dest": "image", "referer": PAGE, **CROSS}, True),
    ("a sandboxed frame", {"origin": "null", "sec_fetch_dest": "empty", **CROSS}, True),
    ("a sandboxed frame, old browser", {"origin": "null", "accept": "*/*"}, True),
    ("a data: page", {"referer": "data:text/html,a", "sec_fetch_dest": "image", **CROSS}, True),
    ("a blob: page", {"referer": "blob:https://www.mass.gov/1", "accept": "*/*"}, True),
    ("a srcdoc frame", {"referer": "about:srcdoc", "origin": "null"}, True),
    ("a service worker", {"referer": f"{PAGE}sw.js", "sec_fetch_dest": "empty", **CROSS}, True),
    ("a worker's script", {"sec_fetch_dest": "serviceworker", **CROSS}, True),
    ("a ping of a link", {"ping_from": PAGE, "ping_to": "https://a.example/"}, True),
    ("a prefetched file", {"sec_fetch_dest": "empty", "sec_purpose": "prefetch", **CROSS}, True),
    (
        "a prefetched page",
        {"sec_fetch_dest": "document", "sec_purpose": "prefetch", "referer": PAGE, **CROSS},
        True,
    ),
    (
        "a prerendered page",
        {"sec_fetch_dest": "document", "sec_purpose": "prefetch;prerender", **CROSS},
        True,
    ),
    ("a page, says Accept alone", {"accept": "text/html", "referer": PAGE}, True),
    ("a page somebody opens", {"sec_fetch_dest": "document", "referer": PAGE, **CROSS}, False),
    ("a page somebody typed", {"sec_fetch_dest": "document", "sec_fetch_site": "none"}, False),
    ("Facebook's own page", {"referer": "https://www.facebook.com/massgov"}, False),
    (
        "the same from inside a frame of its",
        {"referer": "https://www.facebook.com/plugins/page.php?href=a"},
        True,
    ),
]


@pytest.mark.parametrize(
    ("lines", "stopped"), [row[1:] for row in SIGNS], ids=[row[0] for row in SIGNS]
)
def test_what_is_not_said_opens_no_door(lines: dict[str, str], stopped: bool) -> None:
    _, decision = decide(PIXEL, headers=headers(**lines))
    assert decision.stops is stopped


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "post", "X1"])
def test_no_method_opens_a_door(method: str) -> None:
    _, decision = decide(PIXEL, page=PAGE, type="xmlhttprequest", method=method)
    assert whose(decision) == PX


def test_a_prefetch_fails_so_that_opening_the_page_asks_for_it_anew() -> None:
    signs = {"sec_fetch_dest": "document", "referer": PAGE, **CROSS}
    _, prefetched = decide(STUDY, headers=headers(**signs, sec_purpose="prefetch"))
    assert prefetched.answer is not None
    assert prefetched.answer.status == 503
    _, opened = decide(STUDY, headers=headers(**signs))
    assert (whose(opened), opened.action) == ("treejack visits", "allow")


# -- bodies --------------------------------------------------------------------------------------

FORM, TEXT, JSON = (
    "application/x-www-form-urlencoded",
    "text/plain;charset=UTF-8",
    "application/json",
)
PART = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
BODIES = [
    # how, content type, body, known?
    ("a form", FORM, b"v=2&tid=G-AB", True),
    ("encoded names and values", FORM, b"%76=%32&%74id=%47%2DAB", True),
    ("lines of text", TEXT, b"v=2&tid=G-AB\r\nen=scroll", True),
    ("without a type", "", b"v=2&tid=G-AB", True),
    ("as bytes", "application/octet-stream", b"v=2&tid=G-AB", True),
    ("JSON", JSON, b'{"v": "2", "tid": "G-AB"}', True),
    ("JSON with a number", JSON, b'{"v": 2, "tid": "G-AB"}', True),
    ("a JSON array", JSON, b'[{"v": 1}, {"v": 2, "tid": "G-AB"}]', True),
    ("JSON with escapes", JSON, rb'{"\u0076": "2", "t\u0069d": "\u0047-AB"}', True),
    ("JSON called text", TEXT, b'{"a": [{"v": 2}], "b": {"tid": "G-AB"}}', True),
    ("lines of JSON", "application/x-ndjson", b'{"v": 2}\n{"tid": "G-AB"}', True),
    (
        "parts",
        "multipart/form-data; boundary=B",
        PART % (b"v", b"2") + PART % (b"tid", b"G-AB"),
        True,
    ),
    ("small letters", FORM, b"v=2&tid=g-ab", True),
    ("twice", FORM, b"v=1&v=2&tid=a&tid=G-AB", True),
    ("a form of the visitor's", FORM, b"name=a&version=2&tid=G-AB", False),
    ("another number", JSON, b'{"v": 3, "tid": "G-AB"}', False),
    ("a picture", "image/png", b"v=2&tid=G-AB", False),
]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("kind", "body", "known"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_body_is_known_however_it_is_written(
    kind: str, body: bytes, known: bool, method: str
) -> None:
    lines = headers(content_type=kind) if kind else ()
    _, decision = decide(
        "https://www.mass.gov/a", page=PAGE, type="xmlhttprequest", method=method,
        headers=lines, body=body,
    )  # fmt: skip
    assert decision.stops is known


@pytest.mark.parametrize(
    ("coding", "body", "known"),
    [
        ("gzip", gzip.compress(b"v=2&tid=G-AB"), True),
        ("deflate", zlib.compress(b"v=2&tid=G-AB"), True),
        ("gzip", b"v=2&tid=G-AB", True),  # a lie
        ("gzip", gzip.compress(b"v=2&tid=G-AB")[:-9], True),  # cut short
        ("gzip", gzip.compress(b"v=2&tid=G-AB&a=" + bytes(50_000_000)), True),  # 64 kB are read
        ("gzip", gzip.compress(b"name=a"), False),
    ],
    ids=["gzip", "deflate", "a lie", "cut short", "a bomb", "a form of the visitor's"],
)
def test_a_packed_body_is_read(coding: str, body: bytes, known: bool) -> None:
    lines = headers(content_type=FORM, content_encoding=coding)
    _, decision = decide(
        "https://www.mass.gov/a", page=PAGE, type="ping", method="POST", headers=lines, body=body
    )
    assert decision.stops is known


# -- permits, visits, embeds ---------------------------------------------------------------------

CLAIMS = [
    # address, page, type, whose
    ("https://adssettings.google.com/", "", "document", "google-adwords permits"),
    ("https://adssettings.google.com/x", PAGE, "image", "nobody's"),
    ("https://www.crazyegg.com/opt-out?x=1", PAGE, "image", "nobody's"),
    (f"https://tools.google.com/dlpage/gaoptout?{HIT.partition('?')[2]}", PAGE, "script", GA),
    (
        "https://googleads.g.doubleclick.net/ads/controlcookies/getcookies",
        "https://adssettings.google.com/",
        "xmlhttprequest",
        "google-adwords permits",
    ),
    (
        "https://googleads.g.doubleclick.net/pagead/viewthroughconversion/1/",
        "https://www.mass.gov/adssettings.google.com/",
        "image",
        "google-adwords collects",
    ),
    (
        "https://googleads.g.doubleclick.net/aclk?x=/ads/preferences/&adurl=https://a.example/",
        PAGE,
        "document",
        "google-adwords collects",
    ),
    (STUDY, PAGE, "document", "treejack visits"),
    (STUDY, PAGE, "subdocument", "treejack widgets"),
    (STUDY, PAGE, "other", "treejack widgets"),
    ("https://cxsurvey.foresee.com/sv?a=1", PAGE, "document", "foresee visits"),
    ("https://cxsurvey.foresee.com/sv?a=1", PAGE, "subdocument", "foresee widgets"),
    # a page of the operator's, and a frame of its that looks like one
    (PIXEL, "https://www.facebook.com/massgov", "image", "nobody's"),
    (PIXEL, "https://www.facebook.com//plugins/%6cike.php?href=a", "image", PX),
    (
        "https://static.xx.fbcdn.net/rsrc.php/v3/y1/r/a.png",
        "https://static.xx.fbcdn.net/rsrc.php/v3/y1/l/a.css",
        "image",
        "nobody's",
    ),
    (
        "https://cm.g.doubleclick.net/pixel?google_nid=a",
        "https://tpc.googlesyndication.com/safeframe/1-0-40/html/container.html",
        "image",
        "google-adwords collects",
    ),
    (HIT, "https://www.google.com/search?q=a", "ping", "nobody's"),
    # anybody may be called so
    (HIT, "https://google.web.app/", "image", GA),
    (HIT, "https://google.github.io/", "image", GA),
    (HIT, "https://google.evil.example/", "image", GA),
    (HIT, "https://www.google.co.uk/", "image", "nobody's"),
]


@pytest.mark.parametrize(("url", "page", "kind", "owner"), CLAIMS)
def test_nobody_is_believed_for_a_name_alone(url: str, page: str, kind: str, owner: str) -> None:
    _, decision = decide(url, page=page, type=kind)
    assert whose(decision) == owner


# -- where a redirector leads --------------------------------------------------------------------

TARGETS = [
    ("https://shop.example/?item=1", True),
    ("http://shop.example/", True),
    ("HTTPS://shop.example/", True),
    ("", False),
    ("javascript:alert(1)", False),
    ("data:text/html,a", False),
    ("blob:https://shop.example/1", False),
    ("file:///etc/passwd", False),
    ("intent://shop#Intent;end", False),
    ("//shop.example/", False),
    ("https:/shop.example", False),
    ("https:///shop.example/", False),
    ("https://shop .example/", False),
    ("https://shop.example/\r\nSet-Cookie: a=1", False),
    ("https://shop.example/\x00", False),
    ("https://[::1", False),
]


@pytest.mark.parametrize(("target", "followed"), TARGETS)
def test_a_redirector_leads_to_web_pages_only(target: str, followed: bool) -> None:
    url = f"https://www.googleadservices.com/pagead/aclk?adurl={quote(target, safe='')}"
    _, decision = decide(url, page="https://www.example.org/", type="document")
    assert decision.answer is not None
    said = dict(decision.answer.headers)
    assert said.get(b"Location") == (target.encode() if followed else None)
    assert decision.action == ("redirect" if followed else "block")
