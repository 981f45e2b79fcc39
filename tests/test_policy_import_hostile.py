"""Documents that nobody would publish: always an answer, with its place, in bounded time."""

from __future__ import annotations

import resource
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz_policy_import import MARKS
from optout_proxy.errors import InputError
from optout_proxy.importer import MOST_BYTES
from policy_promises import hold, read

SECONDS = 30.0
"""Of processor time, on the slowest machine that runs the tests; a second or two is usual."""


def padded(piece: str, size: int = 1_000_000) -> bytes:
    return (piece * (size // len(piece) + 1))[:size].encode()


PAGE = b"<html><body>"
LONG = {
    "unclosed comments": PAGE + padded("<!--"),
    "unclosed tags": PAGE + padded("<a "),
    "unclosed quotes": PAGE + padded('<a href="'),
    "mixed quotes": PAGE + padded("<a x=\"<a y='"),
    "only less-than": PAGE + padded("<"),
    "deep nesting": PAGE + padded("<div><p>x"),
    "nested tables": PAGE + padded("<table><tr><td>x"),
    "unclosed script": PAGE + b"<script>" + padded("</scrip "),
    "unclosed figures": PAGE + padded("<svg><nav>x"),
    "many terms": PAGE + b"<dl>" + padded("<dt>Google Analytics<dd>opt out at http://a.example/x "),
    "many links": PAGE + padded("<a href=http://x.example/opt-out>Google Analytics "),
    "entities": PAGE + padded("&amp;&#x41;&nbsp;&#xD800;&#0;"),
    "a million headings": padded("#### Tool name: Google Analytics\n", 33_000_000)[
        : MOST_BYTES - 1
    ],
    "a million small headings": padded("# x\n", 4_000_000),
    "a hundred thousand headings": padded("#### Google Analytics\n"),
    "brackets": padded("["),
    "half links": padded("[a]("),
    "stars": padded("**"),
    "names": padded("Google Analytics "),
    "addresses": padded("http://"),
    "hosts": padded("a.b.c/"),
    "mail": padded("a.b+c@d.e "),
    "dates": padded("12/12/2012 "),
    "days": padded("30 days policy change notice "),
    "labels": padded("**Purpose:** x\n\n"),
    "unknown labels": b"#### Tool name: X\n" + padded("**Foo:** x\n\n"),
    "verbs": padded("we do not use kept retain prevent opt out "),
    "columns": padded("Service provider\nPrivacy policy\nOpt-out\n"),
    "rows": b"| Name | Purpose | Opt-out |\n|---|---|---|\n"
    + padded("| X | y | http://x.example/ |\n"),
    "pipes": padded("|"),
    "one word": padded("a"),
    "spaces": padded(" \u00a0"),
    "line ends": padded("\n"),
    "carriage returns": padded("\r"),
}


def test_an_address_with_control_characters_is_no_text_of_a_link():
    home = "<link rel=canonical href='https://shop.example/privacy'>"
    told = "<h4>Tool name: Crazy Egg</h4><p><b>Purpose:</b> see the web<a href=\x0ex></a> page</p>"
    hold(f"{home}{told}".encode(), "a.html")


@pytest.mark.parametrize("raw", LONG.values(), ids=LONG.keys())
def test_whatever_is_repeated_is_answered_in_time(raw):
    start = time.process_time()
    hold(raw, "a.md")
    assert time.process_time() - start < SECONDS


REFUSED = [
    ("50 MB", b"Tool name: X\n" * 4_000_000, "has more than 16 MB"),
    ("too many lines", b"\n" * 200_001, "has more than 200000 lines"),
    ("zeros", bytes(1000), "is not a text"),
    ("random bytes", bytes(range(1, 30)) * 100, "is not a text"),
    ("a PDF", b"%PDF-1.7\n...", "is a PDF"),
    ("an office document", b"PK\x03\x04....", "is a ZIP archive or an office document"),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0", "is a picture"),
    ("compressed", b"\x1f\x8b\x08\x00....", "is compressed"),
    ("UTF-16 without a mark", "Tool name: X".encode("utf-16-le"), "is not a text"),
]


@pytest.mark.parametrize(("raw", "what"), [it[1:] for it in REFUSED], ids=[it[0] for it in REFUSED])
def test_what_is_no_policy_is_refused_with_the_way_out(raw, what):
    with pytest.raises(InputError, match=what) as refused:
        read(raw)
    assert refused.value.right


def test_memory_is_bounded():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hold(padded("#### Google Analytics\n\nopt out at http://a.example/x\n\n", 1_900_000), "a.md")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 600_000  # kB


@pytest.mark.parametrize(
    "text",
    [
        "Tool name:",
        "Tool name: \u202e\u200b",
        "Tool name: ™",
        "Tool name: 中文\nPurpose: 茶\nTool name: 日本\nPurpose: 茶",
        "Tool name: X\nPurpose:\nPurpose:\nExpress opt out:",
        "#### Tool name: a\n\n| Purpose | |\n|---|---|\n",
        "Tool name: X\nPrivacy policy: http://[::1/ http://a_b/ https:///x",
        "Tool name: X\nTerms: http://user:pass@x.example:99/a?b#c",
        "Tool name: X\nNotes: begins May 99, 2018 and 2018-13-40",
        "https://web.archive.org/web/99999999999999/https://x.example/\nTool name: X",
        "https://" + "a" * 5000 + ".example/\nTool name: X",
    ],
)
def test_odd_texts_keep_the_promises(text):
    for name in ("a.txt", "a.md", "a.html"):
        hold(text.encode(), name)


@pytest.mark.parametrize(
    "opened", ["<script>var a", "<style>p {", "<!-- a", '<a href="x', "<p class="]
)
def test_a_page_that_ends_inside_something_says_so(opened):
    page = f"<html><body><p>Google Analytics is used.</p>\n{opened}\nCrazy Egg"
    imported = read(page, "a.html")
    assert [entry.tool.id for entry in imported.entries] == ["google-analytics"]
    assert any(line.startswith("line 2: what is opened with") for line in imported.warnings)


def test_a_link_with_letters_of_another_script_is_left_out_and_said():
    imported = read(
        "#### Tool name: X\n\n**Privacy policy:** [a](https://пример.example/)\n\n**Terms:** b"
    )
    assert imported.entries[0].tool.privacy_policy.links == ()
    assert any("a link is left out" in line for line in imported.warnings)


PIECES = st.lists(
    st.one_of(st.sampled_from([mark for mark in MARKS if mark != "\ud800"]), st.text(max_size=20)),
    max_size=60,
)


@given(pieces=PIECES, name=st.sampled_from(["a.md", "a.txt", "a.html"]))
def test_any_document_made_of_what_policies_are_made_of_keeps_the_promises(pieces, name):
    hold("".join(pieces).encode("utf-8", "replace"), name)


@given(raw=st.binary(max_size=400), name=st.sampled_from(["a.md", "a.html"]))
def test_any_bytes_are_answered(raw, name):
    hold(raw, name)


@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=300))
def test_any_value_of_a_field_comes_back_from_the_file(text):
    hold(f"Tool name: Crazy Egg\nPurpose: {text}\nExpress opt out: {text}\n".encode(), "a.txt")
