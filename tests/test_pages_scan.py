"""Tags are found where a browser finds them, at any cut, and all else goes through unread."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from html_tokens import Tokens
from optout_proxy.pages import scan
from optout_proxy.pages.scan import Scanner
from optout_proxy.pages.tags import Tag

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = frozenset(
    [
        "a",
        "b",
        "p",
        "br",
        "html",
        "head",
        "body",
        "meta",
        "base",
        "link",
        "script",
        "title",
        "style",
    ]
)


class Marks:
    """Puts a mark before every tag shown, and `^` where the document opens."""

    shown = NAMES
    looks_ahead = 0

    def __init__(self, *, holds: bool = False) -> None:
        self.holds = holds
        self.texts: list[bytes] = []

    def before(self, ahead: bytes) -> bytes:
        return b"^"

    def tag(self, tag: Tag) -> bytes:
        return b"#" + tag.raw

    def wants(self, tag: Tag) -> bool:
        return self.holds

    def script(self, tag: Tag, text: bytes) -> bytes:
        self.texts.append(text)
        return b""


def scanned(document: bytes, *cuts: int, xml: bool = False, holds: bool = False) -> bytes:
    scanner = Scanner(Marks(holds=holds), xml=xml)
    places = [0, *sorted(cuts), len(document)]
    pieces = [document[a:b] for a, b in itertools.pairwise(places)]
    return b"".join([*map(scanner.feed, pieces), scanner.end()])


def byte_by_byte(document: bytes, **how: bool) -> bytes:
    return scanned(document, *range(len(document)), **how)


FINDS = [
    (b"<p>", b"^#<p>"),
    (b"<P CLASS=x>", b"^#<P CLASS=x>"),
    (b"<p\n>", b"^#<p\n>"),
    (b"<p/>", b"^#<p/>"),
    (b"<px>", b"^<px>"),
    (b"<p\x00>", b"^<p\x00>"),
    (b"x", b"^x"),
    (b"<", b"^<"),
    (b"a < b <p>", b"^a < b #<p>"),
    (b"</><p>", b"</>^#<p>"),
    (b"</ <p><p>", b"</ <p>^#<p>"),
    (b"<?php <p> ?><p>", b"<?php <p>^ ?>#<p>"),
    (b"<3 <p>", b"^<3 #<p>"),
    # comments
    (b"<!-- <p> --><p>", b"<!-- <p> -->^#<p>"),
    (b"<!--><p>", b"<!-->^#<p>"),
    (b"<!---><p>", b"<!--->^#<p>"),
    (b"<!----><p>", b"<!---->^#<p>"),
    (b"<!-- <p> --!><p>", b"<!-- <p> --!>^#<p>"),
    (b"<!--!> <p> --><p>", b"<!--!> <p> -->^#<p>"),
    (b"<!--->--><p>", b"<!--->^-->#<p>"),
    (b"<!- <p>", b"<!- <p>"),
    (b"<!DOCTYPE html '<p>' ><p>", b"<!DOCTYPE html '<p>^' >#<p>"),
    (b"<![CDATA[ <p> ]]><p>", b"<![CDATA[ <p>^ ]]>#<p>"),
    # attributes
    (b'<p a=">"><p>', b'^#<p a=">">#<p>'),
    (b"<p a='>'><p>", b"^#<p a='>'>#<p>"),
    (b'<p a="\'>"><p>', b'^#<p a="\'>">#<p>'),
    (b'<p a=x">"><p>', b'^#<p a=x">">#<p>'),
    (b'<p a"><p>">', b'^#<p a">#<p>">'),
    (b'<p a = ">"><p>', b'^#<p a = ">">#<p>'),
    (b'<p ="><p>">', b'^#<p =">#<p>">'),
    (b'<p a=b=">"><p>', b'^#<p a=b=">">#<p>'),
    (b"<p a=><p>", b"^#<p a=>#<p>"),
    (b"<p a= ><p>", b"^#<p a= >#<p>"),
    (b'<p a="x"b=">"><p>', b'^#<p a="x"b=">">#<p>'),
    (b'<p / a=">" / ><p>', b'^#<p / a=">" / >#<p>'),
    (b"<p <p>", b"^#<p <p>"),
    (b'</p a=">"><p>', b'</p a=">">^#<p>'),
    # text without tags
    (b"<title><p></title><p>", b"#<title><p></title>^#<p>"),
    (b"<title></titlex></TITLE ><p>", b"#<title></titlex></TITLE >^#<p>"),
    (b"<style><p></style><p>", b"^#<style><p></style>#<p>"),
    (b"<p><textarea><p></textarea/><p>", b"^#<p><textarea><p></textarea/>#<p>"),
    (b"<p><xmp></x><p></xmp><p>", b"^#<p><xmp></x><p></xmp>#<p>"),
    (b"<noscript><p></noscript><p>", b"^<noscript><p></noscript>#<p>"),
    (b"<p><iframe><p></iframe><p>", b"^#<p><iframe><p></iframe>#<p>"),
    (b"<p><plaintext><p></plaintext><p>", b"^#<p><plaintext><p></plaintext><p>"),
    # scripts
    (b"<script><p></script><p>", b"^#<script><p></script>#<p>"),
    (b"<script></scriptx></script\n><p>", b"^#<script></scriptx></script\n>#<p>"),
    (b"<script><!--</script><p>", b"^#<script><!--</script>#<p>"),
    (
        b"<script><!--<script></script><p></script><p>",
        b"^#<script><!--<script></script><p></script>#<p>",
    ),
    (b"<script><!--<script>--></script><p>", b"^#<script><!--<script>--></script>#<p>"),
    (b"<script><!--<scriptx></script><p>", b"^#<script><!--<scriptx></script>#<p>"),
    (b"<script><!--><script></script><p>", b"^#<script><!--><script></script>#<p>"),
    (b"<script><script></script><p>", b"^#<script><script></script>#<p>"),
    # foreign content
    (b"<p><svg><p>", b"^#<p><svg>#<p>"),
    (b"<b><svg><style><a></style></svg><a>", b"^#<b><svg><style><a></style></svg>#<a>"),
    (b"<b><svg><title><a></title></svg><a>", b"^#<b><svg><title>#<a></title></svg>#<a>"),
    (b"<b><svg><![CDATA[<p>]]><p>", b"^#<b><svg><![CDATA[<p>]]>#<p>"),
    (b"<b><svg/><![CDATA[<p>]]><p>", b"^#<b><svg/><![CDATA[<p>]]>#<p>"),
    (
        b"<b><svg><foreignObject><style><a></style></foreignObject><style><a></svg><a>",
        b"^#<b><svg><foreignObject>#<style><a></style></foreignObject><style><a></svg>#<a>",
    ),
    (b"<b><math><mi><a></mi><a></math><a>", b"^#<b><math><mi>#<a></mi><a></math>#<a>"),
    (b"<b><svg><path d='<p>'/><script><p>", b"^#<b><svg><path d='<p>'/><script>#<p>"),
    # nothing but a beginning
    (b"<p", b"^<p"),
    (b'<p a="<p>', b'^<p a="<p>'),
    (b"<!-- <p>", b"<!-- <p>"),
    (b"<title><p>", b"#<title><p>"),
    (b"<script><p>", b"^#<script><p>"),
]


def without_opening(document: bytes) -> bytes:
    return document.replace(b"^", b"")


@pytest.mark.parametrize(("document", "marked"), FINDS)
def test_a_tag_is_one_where_a_browser_finds_one(document, marked):
    assert without_opening(scanned(document)) == without_opening(marked)
    assert without_opening(byte_by_byte(document)) == without_opening(marked)


OPENS = [
    (b"", b""),
    (b" \n", b" \n"),
    (b"<p>", b"^<p>"),
    (b"text", b"^text"),
    (b" text", b" ^text"),
    (b"<!DOCTYPE html>\n<html>\n<head>\n<script>", b"<!DOCTYPE html>\n<html>\n<head>\n^<script>"),
    (b"<head><meta charset=x><script>", b"<head><meta charset=x>^<script>"),
    (b"<meta name=a content=b><link>", b"<meta name=a content=b>^<link>"),
    (b"<meta http-equiv=refresh>", b"^<meta http-equiv=refresh>"),
    (
        b"<meta HTTP-EQUIV='Content-Security-Policy'>",
        b"^<meta HTTP-EQUIV='Content-Security-Policy'>",
    ),
    (
        b"<meta http-equiv=Content-Type content=x><p>",
        b"<meta http-equiv=Content-Type content=x>^<p>",
    ),
    (
        b"<title><script></title><base href=/><style>",
        b"<title><script></title><base href=/>^<style>",
    ),
    (b"<!-- <script> --><html><!-- --></head><p>", b"<!-- <script> --><html><!-- -->^</head><p>"),
    (b"<head></head><body>", b"<head>^</head><body>"),
    (b"<head><frameset>", b"<head>^<frameset>"),
    (b"<html><frameset><noframes><p>", b"<html>^<frameset><noframes><p>"),
    (b"<head>\x00<p>", b"<head>^\x00<p>"),
    (b"<html manifest='>'><noscript>", b"<html manifest='>'>^<noscript>"),
    (b"</p><script>", b"</p>^<script>"),
    (b"</br><script>", b"^</br><script>"),
    (
        b"<?xml version='1.0'?><!DOCTYPE html><template>",
        b"<?xml version='1.0'?><!DOCTYPE html>^<template>",
    ),
]


@pytest.mark.parametrize(("document", "opened"), OPENS)
def test_a_document_opens_before_the_first_thing_that_could_run_a_script(document, opened):
    assert scanned(document).replace(b"#", b"") == opened
    assert byte_by_byte(document).replace(b"#", b"") == opened


XML = [
    (b"<html><head><p>", b"#<html>#<head>^#<p>"),
    (b"<?xml version='1.0'?>\n<html/>", b"<?xml version='1.0'?>\n#<html/>"),
    (
        b"<h:html><h:head><h:title><a></h:title><h:p>",
        b"#<h:html>#<h:head>#<h:title><a></h:title>^#<h:p>",
    ),
    (
        b"<!DOCTYPE html [ <!ENTITY a '<p>>'> ]><html><p>",
        b"<!DOCTYPE html [ <!ENTITY a '<p>>'> ]>#<html>^#<p>",
    ),
    (
        b'<!DOCTYPE html [<!-- \' ]> --><!ENTITY a "]>">]><html/>',
        b'<!DOCTYPE html [<!-- \' ]> --><!ENTITY a "]>">]>#<html/>',
    ),
    (b"<!DOCTYPE html [<!-- ><html><p>", b"<!DOCTYPE html [<!-- ><html><p>"),
    (b"<html><![CDATA[<p>]]><p>", b"#<html>^<![CDATA[<p>]]>#<p>"),
    (b"<html><style><a/></style><p>", b"#<html>^#<style>#<a/></style>#<p>"),
    (b"<html><title/><p>", b"#<html>#<title/>^#<p>"),
    (b"<html><script/><p>", b"#<html>^#<script/>#<p>"),
    (
        b"<html><script><![CDATA[</script><p>]]></script><p>",
        b"#<html>^#<script><![CDATA[</script><p>]]></script>#<p>",
    ),
    (
        b"<html><script><!--</script><p>--></script><p>",
        b"#<html>^#<script><!--</script><p>--></script>#<p>",
    ),
    (b"<svg><script>", b"<svg>#<script>"),
    (b"<html><_p><p>", b"#<html>^<_p>#<p>"),
    ("<html><é><p>".encode(), "#<html>^<é>#<p>".encode()),
]


@pytest.mark.parametrize(("document", "marked"), XML)
def test_xml_is_read_as_xml(document, marked):
    if b"^<![CDATA" in marked:
        marked = marked.replace(b"^<![CDATA[<p>]]>", b"<![CDATA[<p>]]>^")
    assert scanned(document, xml=True) == marked
    assert byte_by_byte(document, xml=True) == marked


LETTERS = [
    *"<><></ </ab>!-='\" \n/",
    *("<!--", "-->", "--!>", "<a", "<b ", "</b>", "x=", '="', "='", "<p>", "a", "é", "\x00"),
    *("<script>", "</script>", "</script", "<title>", "</title>", "<style", "</style ", "<br/>"),
    *("<plaintext>", "<textarea>", "</textarea>", "<?", "<!DOCTYPE html>", "<noscript>"),
]
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=40).map("".join)
CUTS = st.lists(st.integers(0, 200), max_size=12)


@settings(calm, max_examples=600)
@given(TEXTS, st.booleans())
def test_the_tags_are_those_of_the_tokenizer_of_the_standard(text, holds):
    found = Tokens(text)
    marked = "<p>" + text
    for start, end in reversed(found.tags):
        if Tag(text[start:end].encode()).name in NAMES:
            marked = f"{marked[: start + 3]}#{marked[start + 3 :]}"
    assert scanned(f"<p>{text}".encode(), holds=holds) == f"^#{marked}".encode()


@settings(calm, max_examples=400)
@given(TEXTS, CUTS, st.booleans(), st.booleans())
def test_where_the_pieces_are_cut_changes_nothing(text, cuts, xml, holds):
    document = text.encode()
    whole = scanned(document, xml=xml, holds=holds)
    cuts = [cut for cut in cuts if cut < len(document)]
    assert scanned(document, *cuts, xml=xml, holds=holds) == whole
    assert byte_by_byte(document, xml=xml, holds=holds) == whole


@calm
@given(TEXTS, st.binary(max_size=30), st.booleans())
def test_without_marks_the_document_is_what_it_was(text, noise, xml):
    document = text.encode() + noise + text.encode()
    scanner = Scanner(Plain(), xml=xml)
    assert scanner.feed(document) + scanner.end() == document


class Plain(Marks):
    def before(self, ahead: bytes) -> bytes:
        return b""

    def tag(self, tag: Tag) -> bytes:
        return tag.raw


# --- scripts that are held back


def test_a_held_script_is_shown_with_its_text_and_goes_out_at_its_end():
    marks = Marks(holds=True)
    scanner = Scanner(marks)
    assert scanner.feed(b"<p><script>a('</b>')") == b"^#<p>"
    assert scanner.feed(b"; b()</scr") == b""
    assert scanner.feed(b"ipt>") == b"#<script>a('</b>'); b()</script>"
    assert marks.texts == [b"a('</b>'); b()"]


def test_a_script_that_names_a_source_is_not_held():
    scanner = Scanner(Marks(holds=True))
    assert scanner.feed(b"<p><script src=a>x") == b"^#<p>#<script src=a>"


def test_a_script_without_end_goes_out_with_the_document():
    scanner = Scanner(Marks(holds=True))
    assert scanner.feed(b"<script>a()") + scanner.end() == b"^#<script>a()"


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 10**6])
def test_a_script_longer_than_the_bound_is_held_no_longer(size, monkeypatch):
    monkeypatch.setattr(scan, "MOST_HELD", 100)
    marks = Marks(holds=True)
    scanner = Scanner(marks)
    document = b"<script>" + b"x" * 120 + b"G-1;" * 200 + b"</script><p>"
    pieces = [document[n : n + size] for n in range(0, len(document), size)]
    out = b"".join(map(scanner.feed, pieces)) + scanner.end()
    assert out == b"^#" + document[:-3] + b"#<p>"
    assert marks.texts == [b"x" * 100]


# --- tags that are too long to be held


@pytest.mark.parametrize("size", [1, 13, 100, 10**6])
@pytest.mark.parametrize(
    "tag",
    [
        b'<a b="%s">' % (b">" * 300),
        b"<a b='%s' c>" % (b"x " * 300),
        b"<a b=%s c='>'>" % (b"x" * 300),
        b"<a %s b='>'>" % (b"x y=1 z='>' " * 40),
        b"<a %s='>'>" % (b"x" * 300),
        b"<script src='%s'>if (a<b) '<p>'</script>" % (b"x" * 300),
        b"<title x='%s'><p></title>" % (b"x" * 300),
        b"</a x='%s'>" % (b">" * 300),
    ],
)
def test_a_tag_longer_than_the_bound_goes_through_untouched(tag, size, monkeypatch):
    monkeypatch.setattr(scan, "MOST_HELD", 100)
    document = b"<br>" + tag + b"<p>"
    scanner = Scanner(Marks())
    pieces = [document[n : n + size] for n in range(0, len(document), size)]
    out = b"".join(map(scanner.feed, pieces)) + scanner.end()
    assert out == b"^#<br>" + tag + b"#<p>"


def test_what_comes_first_comes_before_a_tag_that_is_too_long(monkeypatch):
    monkeypatch.setattr(scan, "MOST_HELD", 100)
    tag = b'<body x="%s">' % (b">" * 300)
    scanner = Scanner(Marks())
    assert scanner.feed(tag) + scanner.end() == b"^" + tag


def test_no_more_than_the_bound_is_ever_held_back(monkeypatch):
    monkeypatch.setattr(scan, "MOST_HELD", 1000)
    scanner = Scanner(Marks(holds=True))
    document = b'<p><a x="' + b"y" * 50_000 + b'"><script>' + b"z" * 50_000 + b"</script>"
    out = came = 0
    for n in range(0, len(document), 500):
        came += 500
        out += len(scanner.feed(document[n : n + 500]))
        assert came - out <= 1600


def test_a_stop_lets_go_what_was_held():
    scanner = Scanner(Marks(holds=True))
    assert scanner.feed(b"<p><script>a()") == b"^#<p>"
    scanner.stop()
    assert scanner.feed(b"; b()") == b"#<script>a(); b()"


def test_foreign_content_is_followed_no_deeper_than_browsers_do():
    document = b"<p>" + b"<svg>" * 100_000 + b"</svg>" * 100_000 + b"<p>"
    assert scanned(document) == b"^#" + document[:-3] + b"#<p>"


def test_after_a_stop_everything_goes_through():
    scanner = Scanner(Marks())
    assert scanner.feed(b"<p><p a='") == b"^#<p>"
    scanner.stop()
    assert scanner.feed(b"><p>") + scanner.end() == b"<p a='><p>"
