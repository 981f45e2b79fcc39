"""Attributes are read as a browser reads them, and edits touch nothing beside what they name."""

from __future__ import annotations

import html
from html.entities import html5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from html_tokens import Tokens
from optout_proxy.pages.tags import Tag, attribute_text, quoted

calm = settings(deadline=None)


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        (b"<p>", []),
        (b"<p/>", []),
        (b"<p a>", [("a", b"")]),
        (b"<P A=B>", [("a", b"B")]),
        (b"<p a='b' c=\"d\">", [("a", b"b"), ("c", b"d")]),
        (b"<p a = b c>", [("a", b"b"), ("c", b"")]),
        (b"<p a=b/>", [("a", b"b/")]),
        (b"<p a=b />", [("a", b"b")]),
        (b"<p/a/b=c>", [("a", b""), ("b", b"c")]),
        (b"<p =a>", [("=a", b"")]),
        (b"<p a==b>", [("a", b"=b")]),
        (b"<p a=>", [("a", b"")]),
        (b"<p a='1'b='2'>", [("a", b"1"), ("b", b"2")]),
        (b"<p a=1 a=2>", [("a", b"1"), ("a", b"2")]),
        (b"<p a='\n>'>", [("a", b"\n>")]),
        (b"<p \xe9=\x82\xa0>", [("\xe9", b"\x82\xa0")]),
        (b"<p a\x00b='\x00'>", [("a\x00b", b"\x00")]),
    ],
)
def test_attributes_are_read_however_they_are_written(tag, attributes):
    assert [(a.name, a.raw) for a in Tag(tag).attributes] == attributes


def test_the_first_of_a_name_counts_and_references_are_resolved():
    tag = Tag(b'<a href="/?a=1&amp;b=2" HREF=x>')
    assert (tag.name, tag.get("href"), tag.get("hre")) == ("a", "/?a=1&b=2", None)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("&amp;&lt;&#38;&#x26;", "&<&&"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("?a=1&copy2", "?a=1&copy2"),
        ("?a=1&copy", "?a=1©"),
        ("?a=1&copy/", "?a=1©/"),
        ("&notit;", "&notit;"),
        ("&notin;", "∉"),
        ("&#39;self&#39;", "'self'"),
        ("&unknown;&", "&unknown;&"),
        ("&#0;", "\ufffd"),
        ("&#x3Dx", "=x"),
    ],
)
def test_references_are_read_as_in_an_attribute(text, resolved):
    assert attribute_text(text) == resolved


@pytest.mark.parametrize(
    ("tag", "name", "without"),
    [
        (b'<script src=a integrity="x" async>', "integrity", b"<script src=a  async>"),
        (b"<script INTEGRITY=x src=a>", "integrity", b"<script  src=a>"),
        (b"<script integrity = 'x' integrity=y src=a>", "integrity", b"<script   src=a>"),
        (b'<script src="a"integrity="x"async>', "integrity", b'<script src="a"async>'),
        (b"<script src=integrity=x>", "integrity", b"<script src=integrity=x>"),
        (b"<script integrity>", "integrity", b"<script >"),
        (b"<script data-integrity=x>", "integrity", b"<script data-integrity=x>"),
    ],
)
def test_an_attribute_goes_with_its_repetitions_and_nothing_else(tag, name, without):
    assert Tag(tag).without(name).raw == without
    assert Tag(without).get(name) is None


@pytest.mark.parametrize(
    ("tag", "becomes"),
    [
        (b"<a>", b'<a data-dnt="true">'),
        (b"<A href=x/>", b'<A data-dnt="true" href=x/>'),
        (b"<a x data-dnt=false y>", b'<a data-dnt="true" x  y>'),
        (b"<a data-dnt=1 DATA-DNT=2>", b'<a data-dnt="true"  >'),
        (b"<a/>", b'<a data-dnt="true"/>'),
    ],
)
def test_an_attribute_is_set_whatever_it_was(tag, becomes):
    assert Tag(tag).with_attribute("data-dnt", "true").raw == becomes
    assert Tag(becomes).get("data-dnt") == "true"


def test_a_value_is_replaced_in_its_place():
    tag = Tag(b"<meta a=1 content='x' b>").with_value("content", "\"'<>&")
    assert tag.raw == b'<meta a=1 content="&quot;\'&lt;&gt;&amp;" b>'
    assert tag.get("content") == "\"'<>&"


@pytest.mark.parametrize(
    ("tag", "closes"),
    [
        (b"<p/>", True),
        (b"<p />", True),
        (b"<p a=b/>", False),
        (b"<p a='b'/>", True),
        (b"<p>", False),
    ],
)
def test_a_slash_closes_unless_a_value_ends_in_it(tag, closes):
    assert Tag(tag).closes_itself is closes


def test_a_prefix_is_no_part_of_the_local_name():
    assert (Tag(b"<h:Head>").name, Tag(b"<h:Head>").local_name) == ("h:head", "head")


PARTS = st.sampled_from(
    [" ", "/", "\n", "a", "b", "=", '"', "'", "x=1", "y='2'", 'z="3"', "é", ">", "<", "integrity=q"]
)


@calm
@given(st.lists(PARTS, max_size=20).map("".join))
def test_attributes_are_those_of_the_tokenizer_of_the_standard(inside):
    tokens = Tokens(f"<p {inside}>")
    for (start, end), attributes in zip(tokens.tags, tokens.attributes, strict=True):
        read = Tag(f"<p {inside}>"[start:end].encode("latin-1")).attributes
        assert [(a.name, a.raw.decode("latin-1")) for a in read] == attributes
        for attribute in read:
            assert attribute.start < attribute.end <= end


@calm
@given(st.lists(PARTS, max_size=20).map("".join))
def test_taking_an_attribute_out_leaves_the_others(inside):
    raw = f"<p {inside}>".encode("latin-1")
    tokens = Tokens(raw.decode("latin-1"))
    if tokens.tags[:1] == [(0, len(raw))]:
        others = [pair for pair in tokens.attributes[0] if pair[0] != "integrity"]
        after = Tokens(Tag(raw).without("integrity").raw.decode("latin-1"))
        assert after.attributes[:1] == [others]


@calm
@given(st.text(max_size=30))
def test_what_is_quoted_is_read_back(text):
    assert attribute_text(quoted(text)) == text


@calm
@given(st.sampled_from(sorted(html5)))
def test_every_reference_with_a_semicolon_is_known(name):
    if name.endswith(";"):
        assert attribute_text(f"&{name}") == html.unescape(f"&{name}")
