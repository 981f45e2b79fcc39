"""Header lines that nobody names keep their order, their spelling and their place."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optout_proxy.edits.headers import (
    edit_cookie_headers,
    origin_referer,
    replaced,
    value,
    values,
    without,
)

# A busy machine is no defect: examples have no deadline.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

H1 = (
    (b"Host", b"x.example"),
    (b"ETag", b'"1"'),
    (b"etag", b"2"),
    (b"ACCEPT", b""),
    (b"Set-Cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
)
H2 = ((b"accept", b"*/*"), (b"cookie", b"a=1"))


def named(*names):
    return lambda name: name in names


def test_the_first_value_of_a_name_is_found_in_any_case():
    assert value(H1, b"etag") == b'"1"'
    assert value(H1, b"Accept") == b""
    assert value(H1, b"tag") is None
    assert value((), b"etag") is None
    assert values(H1, b"SET-COOKIE") == (b"a=1", b"b=2")
    assert values(H1, b"cookie") == ()


def test_named_lines_leave_and_their_names_are_told_once_as_spelled():
    names = frozenset({b"set-cookie", b"etag", b"age"})
    assert without(H1, names) == ((H1[0], H1[3]), ("ETag", "Set-Cookie"))


@pytest.mark.parametrize("names", [frozenset(), frozenset({b"cookie", b"e"})])
def test_without_a_named_line_the_very_same_headers_come_back(names):
    same, removed = without(H1, names)
    assert same is H1
    assert removed == ()


@pytest.mark.parametrize(
    ("headers", "name", "set_to", "expected"),
    [
        (H1, b"ETAG", b"3", (H1[0], (b"ETag", b"3"), *H1[3:])),
        (H1, b"etag", None, (H1[0], *H1[3:])),
        (H1, b"Sec-GPC", b"1", (*H1, (b"Sec-GPC", b"1"))),
        (H2, b"Sec-GPC", b"1", (*H2, (b"sec-gpc", b"1"))),  # HTTP/2 knows lower case only
        (((b"sec-gpc", b"0"),), b"Sec-GPC", b"1", ((b"sec-gpc", b"1"),)),
        ((), b"Sec-GPC", None, ()),
    ],
)
def test_a_line_is_replaced_in_place_added_last_or_removed(headers, name, set_to, expected):
    assert replaced(headers, name, set_to) == expected


def test_what_is_there_already_is_no_change():
    assert replaced(H1, b"host", b"x.example") is H1
    assert replaced(H1, b"age", None) is H1


@pytest.mark.parametrize(
    ("lines", "left", "names"),
    [
        ([(b"Cookie", b"_ga=1; a=2")], [(b"Cookie", b"a=2")], ("_ga",)),
        ([(b"Cookie", b"_ga=1")], [], ("_ga",)),
        (
            [(b"cookie", b"a=1"), (b"cookie", b"_ga=1"), (b"cookie", b"b=1; _gid=2;_ga=3")],
            [(b"cookie", b"a=1"), (b"cookie", b"b=1")],
            ("_ga", "_gid"),
        ),
        ([(b"Cookie2", b"_ga=1"), (b"COOKIE", b"_ga=2")], [(b"Cookie2", b"_ga=1")], ("_ga",)),
    ],
)
def test_cookies_are_cut_from_every_cookie_line(lines, left, names):
    around = [(b"A", b"_ga=1")], [(b"Z", b"_ga=2")]
    headers = (*around[0], *lines, *around[1])
    expected = (*around[0], *left, *around[1])
    assert edit_cookie_headers(headers, named("_ga", "_gid")) == (expected, names)


@pytest.mark.parametrize("headers", [(), H1, H2, ((b"Cookie", b""), (b"cookie", b" a ;; b=1 "))])
def test_without_a_named_cookie_the_very_same_headers_come_back(headers):
    same, names = edit_cookie_headers(headers, named("_ga"))
    assert same is headers
    assert names == ()


@pytest.mark.parametrize(
    ("referer", "origin"),
    [
        (b"https://www.mass.gov/a/b?c=d", b"https://www.mass.gov/"),
        (b"https://www.mass.gov/", b"https://www.mass.gov/"),
        (b"https://www.mass.gov", b"https://www.mass.gov"),
        (b"https://www.mass.gov?c=/d@e", b"https://www.mass.gov/"),
        (b"https://www.mass.gov\\a", b"https://www.mass.gov/"),
        (b"HTTP://X.example:8080/a#b", b"HTTP://X.example:8080/"),
        (b"https://me:secret@x.example/a", b"https://x.example/"),
        (b"https://a@b@x.example/", b"https://x.example/"),
        (b"https://[::1]:8443/a", b"https://[::1]:8443/"),
        (b"android-app://com.app/https/x", b"android-app://com.app/"),
        (b"/a?b=c", None),
        (b"about:blank", None),
        (b"https://", None),
        (b"https://me@/a", None),
        (b"", None),
    ],
)
def test_a_referer_tells_its_origin_and_no_more(referer, origin):
    line = () if origin is None else ((b"ReFerer", origin),)
    assert origin_referer((H1[0], (b"ReFerer", referer), *H1[1:])) == (H1[0], *line, *H1[1:])


def test_without_a_referer_the_very_same_headers_come_back():
    assert origin_referer(H1) is H1


header_lines = st.lists(
    st.tuples(st.sampled_from([b"a", b"A", b"b", b"Cookie", b"cookie"]), st.binary(max_size=4))
).map(tuple)


@calm
@given(header_lines, st.sampled_from([b"a", b"b", b"cookie"]))
def test_other_lines_keep_order_and_spelling(headers, name):
    others = tuple(line for line in headers if line[0].lower() != name)
    assert without(headers, frozenset({name}))[0] == others
    assert replaced(headers, name, None) == others
    changed = replaced(headers, name, b"new")
    assert values(changed, name) == (b"new",)
    assert replaced(changed, name, None) == others


@calm
@given(header_lines)
def test_no_cut_is_no_change(headers):
    assert edit_cookie_headers(headers, lambda _: False)[0] is headers
