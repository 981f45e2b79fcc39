"""A cookie that a rule names leaves, in both directions; the others arrive as they were sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.cookiejar import CookieJar, http2time
from types import SimpleNamespace
from urllib.request import Request

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora import CORPORA, needs_corpora
from optout_proxy.edits.cookies import (
    capped,
    cut_cookies,
    expiring,
    session_only,
    set_cookie,
    set_cookie_name,
    supply_cookie,
)
from optout_proxy.edits.dates import cookie_date

# A busy machine is no defect: examples have no deadline.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def named(*names):
    return lambda name: name in names


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"_ga=1", None),
        (b"_ga=1; _ga=2", None),
        (b"_ga=1; ", None),
        (b" ; _ga=1;;", None),
        (b"_ga=1; a=2", b"a=2"),
        (b"_ga=1;a=2", b"a=2"),
        (b"_ga=1;  a=2", b"a=2"),
        (b"a=2; _ga=1", b"a=2"),
        (b"a=2; _ga=1;", b"a=2;"),
        (b"a=1; _ga=1; b=2", b"a=1; b=2"),
        (b"a=1 ;_ga=1 ;\tb = 2 ", b"a=1 ;\tb = 2 "),
        (b" a=1; _ga=; _ga=a=b; b", b" a=1; b"),
        (b"a; _ga=1; =b; ; c=", b"a; =b; ; c="),
        (b"_ga =1; a=1", b"a=1"),
        (b'q="x; _ga=1; y"', b'q="x; y"'),  # quotes hide nothing
        (b'_ga="1, 2"; q="a b"; j={"a":1,"b":"%22"}', b'q="a b"; j={"a":1,"b":"%22"}'),
        (b"\xe9=\xff; _ga=1", b"\xe9=\xff"),
    ],
)
def test_named_cookies_leave_and_nothing_else_changes(value, left):
    assert cut_cookies(value, named("_ga")) == (left, ("_ga",))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b";",
        b"_ga",  # a cookie without a name, whose value is `_ga`
        b"_GA=1; _ga1=1; x_ga=1; a=_ga; a=_ga=1",
        b"a=1,_ga=2",
        b"%5Fga=1",  # clients and servers decode no cookie name
        b'a="1; 2";;b=\t; =;  c',
    ],
)
def test_what_no_rule_names_comes_back_as_the_very_same_bytes(value):
    same, names = cut_cookies(value, named("_ga"))
    assert same is value
    assert names == ()


def test_names_cut_are_told_once_in_the_order_met():
    assert cut_cookies(b"b=1; a=2; b=3; \xe9=1; x", lambda _: True) == (None, ("b", "a", "é", ""))


@pytest.mark.parametrize(
    ("value", "with_it"),
    [
        (None, b"id=OPT_OUT"),
        (b"", b"id=OPT_OUT"),
        (b" ; ", b"id=OPT_OUT"),
        (b"a=1", b"a=1; id=OPT_OUT"),
        (b"a=1;", b"a=1; id=OPT_OUT"),
        (b"a=1; ", b"a=1;  id=OPT_OUT"),
        (b"id", b"id; id=OPT_OUT"),
        (b"ID=1", b"ID=1; id=OPT_OUT"),
        (b"id=1", b"id=OPT_OUT"),
        (b"a=1;id=2;  b=\xff", b"a=1;id=OPT_OUT;  b=\xff"),
        (b"id=1; a=1;  id=2 ; b", b"id=OPT_OUT; a=1; b"),
        (b"a=1; id=OPT_OUT", b"a=1; id=OPT_OUT"),
    ],
)
def test_one_cookie_is_supplied_in_place_or_at_the_end(value, with_it):
    assert supply_cookie(value, "id", "OPT_OUT") == with_it


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"a=1", "a"),
        (b" a = 1 ; b=2", "a"),
        (b"\ta\t=\tb", "a"),
        (b"a=1=2; a=3", "a"),
        (b"a=; Path=/", "a"),
        (b"a b=1", "a b"),
        (b'"a=b"=1', '"a'),
        (b"\xe9=1", "é"),
        (b"a,b=1", "a,b"),
        (b"a; b=1", ""),
        (b"=a", ""),
        (b" =a=b", ""),
        (b";a=1", ""),
        (b"", ""),
    ],
)
def test_a_cookie_has_the_name_a_client_keeps_it_under(line, name):
    assert set_cookie_name(line) == name


@pytest.mark.parametrize(
    ("line", "session"),
    [
        (b"a=1; Max-Age=60", b"a=1"),
        (b"a=1; Max-Age=60; Path=/", b"a=1; Path=/"),
        (b"a=1;path=/ ;MAX-AGE = 60 ; Secure;", b"a=1;path=/ ; Secure;"),
        (b"a=1; Expires=Wed, 01 Dec 2027 00:00:00 GMT; HttpOnly", b"a=1; HttpOnly"),
        (b"a=1; Expires=Wed, 01 Dec 2027 00:00:00 GMT; Max-Age=9; expires=", b"a=1"),
        (b'a="x; max-age=60; b"', b'a="x; b"'),  # quotes protect no attribute either
        (b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9", b"a=1"),
        (b"a=1; Max-Age=0; Max-Age=9", b"a=1"),
    ],
)
def test_a_cookie_is_kept_for_the_session_only(line, session):
    assert session_only(line, now=NOW) == session


@pytest.mark.parametrize(
    "line",
    [
        b"a=1",
        b"max-age=1; Path=/",  # a cookie of that name
        b"a=1; x-max-age=60; expires",
        b"a=1; Expires=never; Max-Age=x",
        # A deletion stays a deletion.
        b"a=; Max-Age=0",
        b"a=; max-age=-1; expires=Wed, 01 Dec 2027 00:00:00 GMT",
        b"a=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/",
        b"a=; Expires=Mon, 01 Mar 2027 11:00:00 GMT",
        b"a=; Max-Age=9; Max-Age=0",
    ],
)
def test_session_cookies_and_deletions_stay_as_they_are(line):
    assert session_only(line, now=NOW) is line
    assert capped(line, 1, now=NOW) is line


def test_without_a_clock_a_date_before_the_programs_own_is_past():
    line = b"a=; expires=Sat, 01 Aug 2026 00:00:00 GMT"
    assert session_only(line) is line
    assert capped(line, 60) is line


@pytest.mark.parametrize(
    ("line", "short"),
    [
        (b"a=1; Max-Age=61", b"a=1; Max-Age=60"),
        (b"a=1; Max-Age=61; Path=/;", b"a=1; Path=/; Max-Age=60"),
        (b"a=1; Max-Age=%b; Path=/" % (b"9" * 6000), b"a=1; Path=/; Max-Age=60"),
        (b"a=1; Expires=Wed, 01 Dec 2027 00:00:00 GMT; Secure", b"a=1; Secure; Max-Age=60"),
        (b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=99", b"a=1; Max-Age=60"),
        (b"a=1; Max-Age=60", None),
        (b"a=1; Max-Age=5; Expires=Wed, 01 Dec 2027 00:00:00 GMT", None),
        (b"a=1; Expires=Mon, 01 Mar 2027 12:00:59 GMT", None),
    ],
)
def test_a_cookie_lives_no_longer_than_its_cap(line, short):
    assert capped(line, 60, now=NOW) == (line if short is None else short)


OVER = b"_x=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"


@pytest.mark.parametrize(
    ("host", "domains"),
    [
        ("www.mass.gov", [b"www.mass.gov", b"mass.gov"]),
        ("a.b.shop.co.uk", [b"a.b.shop.co.uk", b"b.shop.co.uk", b"shop.co.uk"]),
        ("mass.gov", [b"mass.gov"]),
        ("me.github.io", [b"me.github.io"]),
        ("github.io", []),  # a public suffix has no cookies for its subdomains
        ("co.uk", []),
        ("localhost", []),
        ("127.0.0.1", []),
        ("::1", []),
        ("", []),
        ("a.b;x=1", []),
    ],
)
def test_a_cookie_is_expired_for_the_host_and_every_domain_it_may_have(host, domains):
    assert expiring("_x", host) == (OVER, *(OVER + b"; Domain=" + domain for domain in domains))


def test_a_client_accepts_the_expiry_of_a_prefixed_cookie():
    (host_only,) = expiring("__Host-id", "www.mass.gov")
    assert host_only.endswith(b"Max-Age=0; Secure; HttpOnly")
    lines = expiring("__secure-id", "www.mass.gov")
    assert len(lines) == 3
    assert all(b"; Secure" in line for line in lines)
    assert b"Domain" not in set_cookie("__HOST-id", "1", domain="mass.gov")
    assert b"; Secure" in set_cookie("__Http-id", "1", domain="mass.gov")


@pytest.mark.parametrize("name", ["_x", "__Secure-x", "__Host-x"])
def test_a_clients_jar_forgets_an_expired_cookie_wherever_it_was_set_and_no_other(name):
    jar = CookieJar()
    places = [] if name == "__Host-x" else ["; Domain=www.mass.gov", "; Domain=mass.gov"]
    for place in ("", *places):
        _receive(jar, f"{name}=1; Path=/; Secure; Max-Age=9999{place}")
        _receive(jar, f"{name}y=1; Path=/; Max-Age=9999{place}")
    assert len(jar) == 2 * (1 + len(places))
    for line in expiring(name, "www.mass.gov"):
        _receive(jar, line.decode())
    assert {cookie.name for cookie in jar} == {f"{name}y"}
    assert len(jar) == 1 + len(places)


def _receive(jar, line):
    head = Message()
    head["Set-Cookie"] = line
    response = SimpleNamespace(info=lambda: head)
    jar.extract_cookies(response, Request("https://www.mass.gov/a/b"))


def test_a_cookie_without_a_name_cannot_be_expired():
    assert expiring("", "www.mass.gov") == ()


def test_a_cookie_is_set_for_the_whole_site_or_host():
    assert set_cookie("AMP_TOKEN", "%24OPT_OUT") == b"AMP_TOKEN=%24OPT_OUT; Path=/"
    assert set_cookie("a", "1", domain="mass.gov", max_age=60) == (
        b"a=1; Path=/; Max-Age=60; Domain=mass.gov"
    )


@pytest.mark.parametrize("text", ["a;b", "a\r\nX: y", "a\x00", "a\nb"])
def test_nothing_breaks_out_of_a_cookie_that_is_ours(text):
    for broken in (
        lambda: supply_cookie(b"a=1", "x", text),
        lambda: set_cookie("x", text),
        lambda: set_cookie("x", "1", domain=text),
    ):
        with pytest.raises(ValueError, match="cannot be part of a cookie"):
            broken()
    assert expiring(text, "mass.gov") == ()


cookie_text = st.text(st.sampled_from('a_=; \t"é'), max_size=30).map(lambda t: t.encode("latin-1"))


@calm
@given(cookie_text)
def test_no_cut_is_no_change(value):
    assert cut_cookies(value, lambda _: False)[0] is value
    assert session_only(value) is value


@calm
@given(cookie_text, st.sets(st.sampled_from(["", "a", "_", "é", '"', "a a"])))
def test_what_is_left_are_the_original_cookies_in_order(value, names):
    left, cut = cut_cookies(value, named(*names))
    kept = [pair for pair in _sent(value) if pair[0] not in names]
    assert _sent(left or b"") == kept
    assert (left is value) == (not cut)
    assert set(cut) == {name for name, _ in _sent(value)} & names


@calm
@given(cookie_text, st.sampled_from(["a", "_", "é"]))
def test_a_supplied_cookie_is_there_once_beside_the_others(value, name):
    supplied = supply_cookie(value, name, "v")
    pairs = _sent(supplied)
    assert [text for key, text in pairs if key == name] == [b"v"]
    assert [p for p in pairs if p[0] != name] == [p for p in _sent(value) if p[0] != name]
    assert supply_cookie(supplied, name, "v") == supplied


def _sent(value):
    """The independent judge: cookies as a server reads them off a `Cookie` header."""
    pairs = []
    for text in re.findall(rb"[^;]+", value):
        found = re.fullmatch(rb"[ \t]*([^=]*?)[ \t]*=(.*)", text, re.DOTALL)
        name, rest = found.groups() if found else (b"", text)
        if text.strip(b" \t"):
            pairs.append((name.decode("latin-1"), rest.strip(b" \t")))
    return pairs


def _jar(lines):
    """The independent judge: cookies a client keeps and sends to /cookie-parser (RFC 6265)."""
    jar = {}
    for line in lines:
        pair, *attributes = re.split(rb"[ \t]*;[ \t]*", line.strip(b" \t"))
        name, equals, text = (part.strip(b" \t") for part in pair.partition(b"="))
        if not equals:
            name, text = b"", name
        known = {}
        for attribute in attributes:
            key, _, setting = attribute.partition(b"=")
            known[key.strip(b" \t").lower()] = setting.strip(b" \t").decode("latin-1")
        key = (name, known.get(b"domain", ""), known.get(b"path", ""))
        jar.pop(key, None)
        age = known.get(b"max-age", "")
        date = http2time(known.get(b"expires", ""))
        if re.fullmatch("-?[0-9]+", age):
            over = int(age) <= 0
        else:
            over = date is not None and date < NOW.timestamp()
        if not over:
            jar[key] = text
    return jar


def _cases():
    for file in sorted((CORPORA / "cookies" / "parser").glob("*-test")):
        lines = re.findall(rb"^Set-Cookie: ?(.*?)\r?$", file.read_bytes(), re.MULTILINE)
        sent = file.with_name(file.name.replace("-test", "-expected")).read_bytes()
        yield file.name, lines, re.findall(rb"^Cookie: ?(.*?)\r?$", sent, re.MULTILINE)


@needs_corpora
def test_removing_one_cookie_leaves_the_others_in_a_clients_jar():
    cases = list(_cases())
    assert len(cases) == 222
    lines_seen = 0
    for case, lines, _ in cases:
        whole = _jar(lines)
        for gone in {set_cookie_name(line) for line in lines}:
            rest = _jar([line for line in lines if set_cookie_name(line) != gone])
            raw = gone.encode("latin-1")
            assert rest == {k: v for k, v in whole.items() if k[0] != raw}, case
        for line in lines:
            lines_seen += 1
            assert {key[0] for key in _jar([line])} <= {set_cookie_name(line).encode("latin-1")}
    assert lines_seen == 271


@needs_corpora
def test_a_name_of_the_http_state_cases_is_the_one_sent_back():
    cases = json.loads((CORPORA / "cookies" / "parser.json").read_text("utf-8"))
    for case in cases:
        names = {set_cookie_name(line.encode("latin-1", "replace")) for line in case["received"]}
        for sent in case["sent"]:
            if sent["name"].isascii():
                assert sent["name"] in names, case["test"]


@needs_corpora
def test_shortening_a_cookie_changes_its_end_only():
    for case, lines, _ in _cases():
        for line in lines:
            for changed in (session_only(line, now=NOW), capped(line, 60, now=NOW)):
                assert _jar([changed]) == _jar([line]), case
                assert set_cookie_name(changed) == set_cookie_name(line)
            short = session_only(line, now=NOW)
            if short is not line:
                assert not re.search(rb";\s*(?:max-age|expires)\b", short, re.IGNORECASE)
                pieces = iter(line.split(b";"))
                assert all(piece in pieces for piece in short.split(b";"))


@needs_corpora
def test_a_cookie_header_of_the_http_state_cases_keeps_the_other_cookies():
    headers = [header for _, _, sent in _cases() for header in sent]
    assert len(headers) > 120
    for header in headers:
        assert cut_cookies(header, lambda _: False)[0] is header
        for gone, _ in _sent(header):
            left, cut = cut_cookies(header, named(gone))
            assert cut == (gone,)
            assert _sent(left or b"") == [pair for pair in _sent(header) if pair[0] != gone]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00"),
        ("Thu, 01-Jan-70 00:00:01 GMT", "1970-01-01T00:00:01"),
        ("Mon Dec 10 16:32:30 2007 GMT", "2007-12-10T16:32:30"),
        ("1 december 69 1:2:3", "2069-12-01T01:02:03"),
        ("Tue, 30 Feb 2027 00:00:00 GMT", None),
        ("Tue, 01 Feb 1600 00:00:00 GMT", None),
        ("Tue, 01 Feb 2027 24:00:00 GMT", None),
        ("Tue, 01 Feb 20271 00:00:00 GMT", None),
        ("01 Feb 2027", None),
        ("٣ Feb 2027 00:00:00", None),
        ("", None),
    ],
)
def test_a_date_is_read_as_clients_read_it(text, date):
    read = cookie_date(text)
    assert (read and read.replace(tzinfo=None).isoformat()) == date


@needs_corpora
def test_the_dates_of_the_http_state_cases_are_read():
    rows = 0
    for name in ("examples.json", "bsd-examples.json"):
        text = (CORPORA / "cookies" / "dates" / name).read_text("utf-8")
        for row in json.loads(text[text.index("[") :]):
            rows += 1
            read = cookie_date(row["test"])
            said = read and read.strftime("%a, %d %b %Y %H:%M:%S GMT")
            assert said == row["expected"], row["test"]
    assert rows == 70


@calm
@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)))  # noqa: DTZ001 - made aware below
def test_every_date_a_server_writes_is_read(moment):
    moment = (moment.replace(microsecond=0)).replace(tzinfo=UTC)
    assert cookie_date(moment.strftime("%a, %d %b %Y %H:%M:%S GMT")) == moment
    line = b"a=1; expires=" + moment.strftime("%a, %d-%b-%y %H:%M:%S GMT").encode()
    assert (capped(line, 60, now=moment - timedelta(minutes=1))) is line
