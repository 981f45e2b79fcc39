"""The rule language: what each line means, said as a table of requests it fits and does not fit."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optout_proxy.hosts import host_of
from optout_proxy.model import Request
from optout_proxy.rules.expression import LONGEST_TEXT, UnsafeExpressionError, compile_expression
from optout_proxy.rules.index import Index
from optout_proxy.rules.options import RuleError
from optout_proxy.rules.rule import Query, parse_rule


def request(url: str, page: str = "https://page.example/", **facts: object) -> Request:
    page_host = host_of(page)
    host = host_of(url)
    facts.setdefault("type", "image")
    facts.setdefault("third_party", host != page_host)
    facts.setdefault("cross_site", facts["third_party"])
    return Request(url=url, host=host, page=page, page_host=page_host, **facts)  # type: ignore[arg-type]


def fits(rule: str, url: str, **facts: object) -> bool:
    return parse_rule(rule).matches(Query(request(url, **facts), strict=False))  # type: ignore[arg-type]


FITTING = [
    ("||a.com^", "https://a.com/"),
    ("||a.com^", "https://a.com"),
    ("||a.com^", "http://sub.a.com:8080/x"),
    ("||a.com^", "https://A.COM/"),
    ("||a.com^", "https://user:pw@a.com/"),
    ("||a.com^", "https://a.com./"),
    ("||a.com^", "https://a.com?x"),
    ("||a.com", "https://a.com/x"),
    ("||a.com/path", "https://www.a.com/path/more"),
    ("||a.com/path^", "https://a.com/path"),
    ("||a.com/path^", "https://a.com/path?q"),
    ("||a.com^*/x.js", "https://a.com/deep/x.js"),
    ("||a.com/*/x.js", "https://a.com/deep/x.js"),
    ("||ads.", "https://ads.shop.com/"),
    ("||ads.", "https://www.ads.shop.com/"),
    ("||ads*.com^", "https://ads1.com/"),
    ("|https://a.", "https://a.com/"),
    ("end.js|", "https://a.com/end.js"),
    ("||a.com/x|", "https://a.com/x"),
    ("/ads/*", "https://a.com/ads/1"),
    ("/ads^", "https://a.com/ads"),
    ("/ads^", "https://a.com/ads/x"),
    ("^id=G-", "https://a.com/?id=G-1"),
    ("^id=G-", "https://a.com/?x&id=g-1"),
    ("&ev=PageView&", "https://a.com/?a&ev=pageview&b"),
    (r"/banner\d+\.gif/", "https://a.com/banner12.gif"),
    (r"/x\.js\?v=[0-9]+$/", "https://a.com/x.js?v=1"),
    ("/Ad^$match-case", "https://a.com/Ad/1"),
    ("||[2001:db8::1]^", "https://[2001:db8::1]/x"),
    ("||1.2.3.4^", "http://1.2.3.4/x"),
]
NOT_FITTING = [
    ("||a.com^", "https://ba.com/"),
    ("||a.com^", "https://a.com.evil.org/"),
    ("||a.com^", "https://evil.org/?u=https://a.com/"),
    ("||a.com^", "https://a.com@evil.org/"),
    ("||a.com/path^", "https://a.com/pathfinder"),
    ("||a.com/tr^", "https://a.com/travel"),
    ("||a.com^*/x.js", "https://a.com/x.css"),
    ("||ads.", "https://loads.com/"),
    ("|https://a.", "https://b.com/https://a."),
    ("end.js|", "https://a.com/end.js?x"),
    ("||a.com/x|", "https://a.com/xy"),
    ("/ads^", "https://a.com/adsx"),
    ("^id=G-", "https://a.com/?uid=G-1"),
    (r"/banner\d+\.gif/", "https://a.com/banner.gif"),
    ("/Ad^$match-case", "https://a.com/ad/1"),
]


@pytest.mark.parametrize(("rule", "url"), FITTING)
def test_a_pattern_fits(rule: str, url: str) -> None:
    assert fits(rule, url)


@pytest.mark.parametrize(("rule", "url"), NOT_FITTING)
def test_a_pattern_does_not_fit(rule: str, url: str) -> None:
    assert not fits(rule, url)


@pytest.mark.parametrize(
    ("rule", "facts", "expected"),
    [
        ("||a.com^$script", {"type": "script"}, True),
        ("||a.com^$script", {"type": "image"}, False),
        ("||a.com^$~script", {"type": "image"}, True),
        ("||a.com^$~script", {"type": "script"}, False),
        ("||a.com^$xhr", {"type": "xmlhttprequest"}, True),
        ("||a.com^$css,font", {"type": "font"}, True),
        ("||a.com^", {"type": "document"}, False),
        ("||a.com^$document", {"type": "document"}, True),
        ("||a.com^$all", {"type": "document"}, True),
        ("||a.com^$~image", {"type": "document"}, False),
        ("||a.com^$third-party", {"third_party": True}, True),
        ("||a.com^$third-party", {"third_party": False}, False),
        ("||a.com^$3p", {"third_party": True}, True),
        ("||a.com^$~third-party", {"third_party": False}, True),
        ("||a.com^$1p", {"third_party": True}, False),
        ("||a.com^$domain=page.example", {}, True),
        ("||a.com^$domain=other.example", {}, False),
        ("||a.com^$domain=~page.example", {}, False),
        ("||a.com^$domain=example|~page.example", {}, False),
        ("||a.com^$from=page.example", {}, True),
        ("||a.com^$domain=page.*", {"page": "https://page.co.uk/"}, True),
        ("||a.com^$domain=page.*", {"page": "https://page.evil.co.uk/"}, False),
        ("/x$to=a.com", {}, True),
        ("/x$to=b.com", {}, False),
        ("/x$to=~a.com", {}, False),
        ("/x$to=a.*", {}, True),
        ("/x$denyallow=a.com,domain=page.example", {}, False),
        ("/x$denyallow=b.com,domain=page.example", {}, True),
        ("||a.com^$method=post", {"method": "POST"}, True),
        ("||a.com^$method=post|put", {"method": "GET"}, False),
        ("||a.com^$method=~get", {"method": "GET"}, False),
        ("||a.com^$method=~get", {"method": "POST"}, True),
        ("$ping,third-party", {"type": "ping"}, True),
        ("$ping,third-party", {"type": "image"}, False),
    ],
)
def test_options_narrow_a_rule(rule: str, facts: dict[str, object], expected: bool) -> None:
    assert fits(rule, "https://a.com/x", **facts) is expected


@pytest.mark.parametrize("kind", ["script", "image", "xmlhttprequest", "ping", "other"])
def test_an_unknown_type_fits_every_rule_of_a_tool_file(kind: str) -> None:
    asked = Query(request("https://a.com/x", type="other"), strict=True)
    assert parse_rule(f"||a.com^${kind}").matches(asked)
    assert not parse_rule("||a.com^$document").matches(asked)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("||a.com^$popup", "popup"),
        ("||a.com^$csp=x", "unknown option 'csp'"),
        ("||a.com^$nonsense", "unknown option 'nonsense'"),
        ("*", "every URL"),
        ("", "every URL"),
        ("/ab/", "literal of 3"),
        (r"/(?:[a-z]+-?)+\.js/", "repeat inside a repeat"),
        ("/a.*b.*c.*ddd/", "open repeats"),
        ("/(abc/", "not a regular expression"),
        ("||a.com^$domain=/x/", "expressions in a list"),
        ("||a.com^$method=brew", "unknown method"),
        ("||a.com^$cookie=a,removeparam=b", "two modifiers"),
    ],
)
def test_what_is_not_applied_says_why(line: str, reason: str) -> None:
    with pytest.raises(RuleError, match=re.escape(reason)):
        parse_rule(line)


@pytest.mark.parametrize(
    ("rule", "name", "text", "expected"),
    [
        ("$cookie=_ga", "_ga", "_ga", True),
        ("$cookie=_ga", "_gat", "_gat", False),
        ("$cookie", "anything", "anything", True),
        (r"$cookie=/^_ga(_.*)?\$/", "_ga_ABC", "_ga_ABC", True),
        (r"$cookie=/^_ga(_.*)?\$/", "_gat", "_gat", False),
        ("$cookie=_ga;maxAge=3600", "_ga", "_ga", True),
        ("||a.com^$removeparam=cid,~document", "cid", "cid=1", True),
        ("||a.com^$removeparam=/^utm_/", "utm_x", "utm_x=1", True),
        ("||a.com^$removeparam=/^v=secret\\$/", "v", "v=secret", True),
        ("||a.com^$removeparam=/^v=secret\\$/", "v", "v=other", False),
        ("||a.com^$removeparam=~keep", "drop", "drop=1", True),
        ("||a.com^$removeparam=~keep", "keep", "keep=1", False),
    ],
)
def test_a_rule_names_what_it_takes(rule: str, name: str, text: str, expected: bool) -> None:
    assert parse_rule(rule).names(name, text) is expected


def test_a_name_that_an_expression_found_is_written_as_its_prefix() -> None:
    assert parse_rule(r"$cookie=/^_dc_gtm_.*/").literal_name == "_dc_gtm_*"
    assert not parse_rule("$cookie=_ga").literal_name


HOSTILE = [
    ("/^https?://.*/.*swf[0-9]/", "https://" + "/" * LONGEST_TEXT),
    (r"/\?(?=(?:[^#]*&)?v=2(?:&|$))(?=(?:[^#]*&)?tid=G-)/", "https://a/?" + "?&" * LONGEST_TEXT),
    ("/aaa.*bbb/", "https://a/" + "aaa" * LONGEST_TEXT),
    ("*a*b*c*d*e*f*g*h", "https://a/" + "abcdefg" * LONGEST_TEXT),
    ("||a*^b*^c*^d", "https://a/" + "^b" * LONGEST_TEXT),
]


@pytest.mark.parametrize(("rule", "url"), HOSTILE)
def test_no_accepted_pattern_stalls_on_a_hostile_url(rule: str, url: str) -> None:
    # A bound against exponential time, wide enough for any machine: seconds, not milliseconds.
    started = time.process_time()
    fits(rule, url)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "body",
    ["(a+)+b", "(a|ab)+c", "(?:[a-z]+-?)+", r"(\w+\s?)+!", r"(x)\1", "a{1,9999}b*c*d*e", "("],
)
def test_expressions_that_may_take_forever_are_refused(body: str) -> None:
    with pytest.raises(UnsafeExpressionError):
        compile_expression(body)


words = st.text(alphabet="abcdefgh./?&=-_*^|", min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(words, min_size=1, max_size=30), words)
def test_an_index_finds_what_asking_every_rule_finds(lines: list[str], tail: str) -> None:
    rules = []
    for line in [*lines, f"||host.example/{tail}", "/abc/d$third-party"]:
        try:
            rules.append((line, parse_rule(line)))
        except RuleError:
            continue
    index = Index.of([line for line, _ in rules])
    asked = Query(request(f"https://host.example/{tail}"), strict=False)
    one_by_one = sorted(n for n, (_, rule) in enumerate(rules) if rule.matches(asked))
    assert sorted({n for n, _ in index.matching(asked)}) == one_by_one
