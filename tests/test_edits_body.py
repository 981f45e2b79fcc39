"""Fields of a body are read whatever its state, and emptied without touching a byte beside them."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optout_proxy.edits.body import blank, fields

# A busy machine is no defect: examples have no deadline.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain;charset=UTF-8"
JSON = "application/json"
PARTS = "multipart/form-data; boundary=----XyZ"


def parts(*written, end=b"------XyZ--\r\n"):
    """A multipart body of `(headers, content)` as browsers write it."""
    return b"".join(b"------XyZ\r\n%b\r\n\r\n%b\r\n" % part for part in written) + end


def part(name, content, more=b""):
    return b'Content-Disposition: form-data; name="%b"%b' % (name, more), content


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        (b"", FORM, []),
        (b"v=2&tid=G-1", FORM, [("v", "2"), ("tid", "G-1")]),
        (b"a=1&a=&b&&=c&d=e=f", FORM, [("a", "1"), ("a", ""), ("b", ""), ("", "c"), ("d", "e=f")]),
        (b"a%5Bb%5D=%C3%A9+x%2B%E9%", FORM + "; charset=x", [("a[b]", "é x+%E9%")]),
        (b"en=a&_et=1\r\nen=b\r\n\r\n", TEXT, [("en", "a"), ("_et", "1"), ("en", "b")]),
        (b"a=1\nb=2", "Text/Plain", [("a", "1"), ("b", "2")]),
        (b"a=1\r\n2&b=3", FORM, [("a", "1\r\n2"), ("b", "3")]),
        (b' {"v": "2"}', TEXT, [("v", "2")]),
        (b'[{"v":"2"}]', FORM, [("v", "2")]),
    ],
)
def test_fields_of_forms_and_beacons_are_read(body, content_type, found):
    assert fields(body, content_type) == tuple(found)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{}", []),
        (b"", []),
        (b'\xef\xbb\xbf{"a":"b"}', [("a", "b")]),
        (
            b'{"s":"x","n":-1.50e3,"t":true,"f":false,"z":null}',
            [("s", "x"), ("n", "-1.50e3"), ("t", "true"), ("f", "false"), ("z", "null")],
        ),
        (b'{"a":{"b":[1,{"c":"2"},[3]],"d":"4"},"e" : "5"}', ["b1", "c2", "b3", "d4", "e5"]),
        (b'["no", 1, {"a":"1"}, "key"]', ["a1"]),
        (b'{"a":"1"}\n{"a":"2"}', ["a1", "a2"]),
        (rb'{"\u0061\"":"\u00e9\n\\\"}{"}', [('a"', 'é\n\\"}{')]),
        (rb'{"a":"\ud83d\ude00\ud800"}', [("a", "\U0001f600\ufffd")]),
        (b'{"a":"\xff\xc3\xa9"}', [("a", "\ufffdé")]),
        (b'{"":"1"}', [("", "1")]),
        # Broken, cut short, hostile: what is there is read.
        (b'{"a":"1","b', ["a1"]),
        (b'{"a":{"b":"1"},"c', ["b1"]),
        (b'{"a":["1"],"c', ["a1"]),
        (b'{"a":["1"', ["a1"]),
        (b'{"a":"1', ["a1"]),
        (rb'{"a":"1\"', [("a", '1"')]),
        (rb'{"a":"1' + b"\\", ["a1"]),
        (rb'{"a":"\x"}', [("a", r"\x")]),
        (b'}]{"a":"1"}}', ["a1"]),
        (b"{'a':'1'}", []),
    ],
)
def test_scalars_of_json_are_read_by_key(body, found):
    pairs = [(one[0], one[1:]) if isinstance(one, str) else one for one in found]
    assert fields(body, JSON) == tuple(pairs)
    assert fields(body, "application/csp-report+JSON; x=y") == tuple(pairs)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", []),
        (parts(), []),
        (parts(part(b"a", b"1"), part(b"b", b"")), [("a", "1"), ("b", "")]),
        (parts(part(b"a", b"1\r\n\r\n--\r\n2")), [("a", "1\r\n\r\n--\r\n2")]),
        (parts(part(b"a%22%0D%0A\xc3\xa9", b"\xff")), [('a"\r\né', "\ufffd")]),
        (parts(part(rb"a\"b", b"1")), [('a"b', "1")]),
        (parts((b"X: y\r\ncontent-disposition:form-data ;name=a", b"1")), [("a", "1")]),
        (parts(part(b"f", b"x", b'; filename="name=y"\r\nContent-Type: a/b')), [("f", "x")]),
        (parts((b'Content-Disposition: form-data; filename="a"', b"1")), []),
        (parts((b"X-Content-Disposition: form-data; name=a", b"1")), []),
        (b"preamble\r\n" + parts(part(b"a", b"1")) + b"epilogue", [("a", "1")]),
        (parts(part(b"a", b"1"), end=b""), [("a", "1\r\n")]),  # cut short
        (parts((b'Content-Disposition: form-data; name="a', b"1")), []),
        (b'------XyZ\r\nContent-Disposition: form-data; name="a"\r\n------XyZ--', []),
    ],
)
def test_parts_of_a_multipart_form_are_read(body, found):
    assert fields(body, PARTS) == tuple(found)
    assert fields(body, 'Multipart/Form-Data; charset=x; Boundary="----XyZ"') == tuple(found)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        ";",
        "text/html",
        "application/octet-stream",
        "application/jsonp",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=a",
    ],
)
def test_other_formats_have_no_fields_and_are_never_changed(content_type):
    body = b"a=1"
    assert fields(body, content_type) is None
    assert blank(body, content_type, frozenset("a"))[0] is body


@pytest.mark.parametrize(
    ("content_type", "body", "emptied", "names"),
    [
        (FORM, b"a=1&id=2&b=%7b&id=&i%64=x=y&", b"a=1&id=&b=%7b&id=&i%64=&", ("id",)),
        (FORM, b"fp=1&id=2&fp=3", b"fp=&id=&fp=", ("fp", "id")),
        (FORM, b"id=1\r\n2", b"id=", ("id",)),
        (TEXT, b"id=1&a\r\na=2&id=3\r\n", b"id=&a\r\na=2&id=\r\n", ("id",)),
        (TEXT, b'{"id":"1"}', b'{"id":""}', ("id",)),
        (JSON, b'{ "id" : "1\\"2" ,"a":"id"}', b'{ "id" : "" ,"a":"id"}', ("id",)),
        (JSON, b'{"a":[{"id":"1"}],"id":["2",3,""]}', b'{"a":[{"id":""}],"id":["",3,""]}', ("id",)),
        (JSON, b'{"id":{"a":"1","id":"2"}}', b'{"id":{"a":"1","id":""}}', ("id",)),
        (JSON, b'{"\\u0069d":"1","a":"2', b'{"\\u0069d":"","a":"2', ("id",)),
        (
            PARTS,
            parts(part(b"a", b"1"), part(b"id", b"2\r\n3"), part(b"b", b"4")),
            parts(part(b"a", b"1"), part(b"id", b""), part(b"b", b"4")),
            ("id",),
        ),
    ],
)
def test_named_fields_are_emptied_and_nothing_else_changes(content_type, body, emptied, names):
    assert blank(body, content_type, frozenset({"id", "fp"})) == (emptied, names)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b""),
        (FORM, b"id&id=&ID=1&xid=2&a=id&a=1;id=2"),
        (TEXT, b"id\r\nid=\r\n"),
        (JSON, b'{"id":1,"ID":"2","a":{"id":null,"b":["id",{"id":""}]}}'),
        (JSON, b'"id":'),
        (PARTS, parts(part(b"id", b""), part(b"a", b"id"))),
        (PARTS, b"id=1"),
    ],
)
def test_what_nobody_names_comes_back_as_the_very_same_bytes(content_type, body):
    same, names = blank(body, content_type, frozenset({"id"}))
    assert same is body
    assert names == ()


@pytest.mark.parametrize("content_type", [FORM, TEXT, JSON, PARTS])
@pytest.mark.parametrize(
    "unit",
    [
        b'"',
        b'\\"',
        b'"\\',
        b"[",
        b'{"a":',
        b"1,",
        b"&",
        b"%",
        b"a=%25+&",
        b"\r\n",
        b"\r\n------XyZ",
        b"------XyZ\r\ncontent-disposition:",
        b"content-disposition: form-data; name=",
        b'\r\ncontent-disposition:; name="\\',
        b"\r\n\r\n",
        b" ",
    ],
)
def test_a_hostile_body_takes_linear_time(content_type, unit):
    body = b"------XyZ" + unit * (400_000 // len(unit))
    started = time.process_time()
    for text in (body, body + b"\r\n\r\n", b'{"a' + body):
        assert fields(text, content_type) is not None
        blank(text, content_type, frozenset({"a", ""}))
    assert time.process_time() - started < 6  # quadratic would take minutes


kinds = st.sampled_from([FORM, TEXT, JSON, PARTS])
alphabet = [*(bytes([one]) for one in b'a=&"\\{}[]:, 1\xff'), b"\r\n", b"%61", b'"a":', b'"x"']
parts_of_parts = [b"------XyZ", b'Content-Disposition: form-data; name="a"', b"\r\n\r\n"]
pieces = st.sampled_from([*alphabet, *parts_of_parts])
bodies = st.lists(pieces, max_size=30).map(b"".join)
names = st.sets(st.sampled_from(["a", "aa", "", "1"])).map(frozenset)


@calm
@given(bodies, kinds)
def test_no_names_are_no_change(body, kind):
    assert blank(body, kind, frozenset())[0] is body


@calm
@given(bodies, kinds, names)
def test_what_is_left_are_the_original_bytes_in_order(body, kind, gone):
    left, emptied = blank(body, kind, gone)
    assert set(emptied) <= gone
    assert (left is body) == (not emptied)
    rest = iter(body)
    assert all(byte in rest for byte in left)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@calm
@given(st.dictionaries(st.sampled_from(["a", "b", "é"]), trees), st.booleans())
def test_emptying_a_valid_json_leaves_it_valid_and_the_rest_equal(tree, ascii_only):
    body = json.dumps(tree, ensure_ascii=ascii_only).encode()
    left, _ = blank(body, JSON, frozenset({"a"}))
    assert json.loads(left) == _emptied(tree, None)
    assert list(fields(body, JSON)) == list(_scalars(tree, None))


def _emptied(tree, key):
    if isinstance(tree, dict):
        return {name: _emptied(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_emptied(value, key) for value in tree]
    return "" if key == "a" and isinstance(tree, str) else tree


def _scalars(tree, key):
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _scalars(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from _scalars(value, key)
    elif key is not None:
        yield key, tree if isinstance(tree, str) else json.dumps(tree)
