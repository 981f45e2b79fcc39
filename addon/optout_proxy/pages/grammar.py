"""What HTML's tokenizer goes by: elements without tags, foreign content, and how to find them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from optout_proxy.pages.tags import ATTRIBUTES, NAME_ENDS, TAG_NAME, XML_NAME, names

RAW: Final = frozenset(
    {"style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"}
)
"""Elements without tags inside. `noscript` is one where scripts run, and elsewhere nothing of
ours is needed."""
_ALWAYS: Final = RAW | {"script", "plaintext", "svg", "math"}

# HTML section 13.2.6.5: what stands in foreign content, what leads back to HTML inside it, and
# what ends it.
FOREIGN: Final = frozenset({"svg", "math"})
LEADS_BACK: Final = {
    "svg": frozenset({"foreignobject", "desc", "title"}),
    "math": frozenset({"mi", "mo", "mn", "ms", "mtext", "annotation-xml"}),
}
HTML_ANNOTATIONS: Final = frozenset({"text/html", "application/xhtml+xml"})
"""An `annotation-xml` leads back only with one of these encodings."""
_BREAKS_OUT: Final = """
    b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li
    listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var
"""
BREAKS_OUT: Final = frozenset(_BREAKS_OUT.split())
FONT_BREAKS_OUT: Final = frozenset({"color", "face", "size"})
"""A `font` breaks out only with one of these attributes."""
_EDGES: Final = FOREIGN.union(*LEADS_BACK.values())

INERT: Final = frozenset({"html", "head", "title", "base"})
"""What may stand before the first place where something could run."""
INERT_META: Final = frozenset({"content-type", "content-language", "x-ua-compatible"})
IMPLIES_HEAD: Final = frozenset({"head", "body", "html", "br"})

SPACES: Final = re.compile(rb"[\t\n\f\r ]*+")
WHOLE_TAG: Final = re.compile(rb"</?" + TAG_NAME + ATTRIBUTES + rb">")
WHOLE_XML_TAG: Final = re.compile(rb"</?" + XML_NAME + ATTRIBUTES + rb">")
HALF_TAG: Final = re.compile(rb"</?[^\t\n\f\r />]++" + ATTRIBUTES)
MORE_ATTRIBUTES: Final = re.compile(ATTRIBUTES)
_OPEN_VALUE: Final = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+[\t\n\f\r ]*+=[\t\n\f\r ]*+"
OPEN_QUOTE: Final = re.compile(_OPEN_VALUE + rb"([\"'])")
OPEN_UNQUOTED: Final = re.compile(_OPEN_VALUE + rb"[^\t\n\f\r >\"']")
UNQUOTED_END: Final = re.compile(rb"(?=[\t\n\f\r >])")
COMMENT_END: Final = re.compile(rb"--!?>")
ABRUPT: Final = re.compile(rb"<!---?>")
"""These are comments too, and whole."""
SCRIPT: Final = re.compile(rb"<(?:!--|/(?i:script)" + NAME_ENDS + rb")")
ESCAPED_SCRIPT: Final = re.compile(rb"<!--|-->|</?(?i:script)" + NAME_ENDS)
XML_SCRIPT: Final = re.compile(rb"<!--|-->|<!\[CDATA\[|\]\]>|</(?:[\w.-]++:)?script[\t\n\r >]")
XML_DOCTYPE: Final = re.compile(
    rb"\[|\]|>|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|<!--(?:[^-]|-(?!->))*+(?:-->|\Z)"
)
"""What ends a doctype, and what hides it; an open one hides everything behind it."""


def end_of(pattern: re.Pattern[bytes], text: bytearray, at: int) -> int:
    """Where what the pattern matches at `at` ends; `at` where it matches nothing."""
    found = pattern.match(text, at)
    return found.end() if found else at


@lru_cache(64)
def literal(text: bytes) -> re.Pattern[bytes]:
    """Expression for this very text."""
    return re.compile(re.escape(text))


@lru_cache(64)
def raw_end(name: str) -> re.Pattern[bytes]:
    """The end tag that alone ends the text of such an element."""
    return re.compile(rb"</(?i:" + re.escape(name.encode("latin-1")) + rb")" + NAME_ENDS)


@lru_cache(64)
def dull_html(shown: frozenset[str]) -> re.Pattern[bytes]:
    """Text, and whole tags of no interest, in HTML proper."""
    return _dull_run(rb"</" + TAG_NAME + ATTRIBUTES + rb">", names(_ALWAYS | shown), TAG_NAME)


@lru_cache(64)
def dull_inside(shown: frozenset[str]) -> re.Pattern[bytes]:
    """The same, where HTML stands inside foreign content."""
    ends = names(_EDGES)
    end = rb"</(?!" + ends + rb")" + TAG_NAME + ATTRIBUTES + rb">"
    return _dull_run(end, names(_ALWAYS | shown), TAG_NAME)


@lru_cache(1)
def dull_foreign() -> re.Pattern[bytes]:
    """The same in foreign content."""
    ends = names(_EDGES | {"p", "br"})
    end = rb"</(?!" + ends + rb")" + TAG_NAME + ATTRIBUTES + rb">"
    return _dull_run(end, names(_EDGES | BREAKS_OUT | {"font"}), TAG_NAME)


@lru_cache(64)
def dull_xml(shown: frozenset[str]) -> re.Pattern[bytes]:
    """The same in XML, where names may have a prefix."""
    telling = names({"script", "title"} | shown, prefixed=True)
    return _dull_run(rb"</" + XML_NAME + ATTRIBUTES + rb">", telling, XML_NAME)


def _dull_run(end_tag: bytes, telling: bytes, name: bytes) -> re.Pattern[bytes]:
    start_tag = rb"<(?!" + telling + rb")" + name + ATTRIBUTES + rb">"
    return re.compile(rb"(?:[^<]++|" + end_tag + rb"|" + start_tag + rb")*+")
