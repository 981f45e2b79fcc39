"""The words by which policies label what they say about a tool. Labels are data: add a row."""

from __future__ import annotations

import re
from typing import Final

LABELS: Final[dict[str, tuple[str, ...]]] = {
    "purpose": (
        "purpose",
        "purposes",
        "purpose of cookies",
        "purpose of use",
        "purpose of processing",
        "description",
        "what it does",
        "what we use it for",
        "why we use it",
        "function",
        "use",
        "usage",
    ),
    "data_collected": (
        "data collected",
        "collected data",
        "data collection",
        "data",
        "information collected",
        "information we collect",
        "data we collect",
        "data processed",
        "what it collects",
    ),
    "privacy_policy": (
        "privacy policy",
        "privacy notice",
        "privacy statement",
        "privacy",
        "privacy information",
        "privacy and security policy",
        "privacy and/or security policy",
        "data protection",
        "provider's privacy policy",
    ),
    "terms": (
        "terms of use",
        "terms of service",
        "terms and conditions",
        "terms & conditions",
        "terms",
    ),
    "opt_out": (
        "express opt out",
        "opt out",
        "opting out",
        "how to opt out",
        "how you can opt out",
        "opt out link",
        "opt out information",
        "opt out information under",
        "information on how to opt out",
        "opt out link/more details",
    ),
    "notes": ("special notes", "special note", "notes", "remarks", "further notes"),
}
NAME_LABELS: Final = (
    *("tool", "tool name", "name", "name of tool", "name of social plug-in"),
    *("provider", "service provider", "service", "provided by", "set by", "placed by"),
    *("vendor", "vendor name", "third party", "company", "partner", "technology", "plug-in"),
    *("third party service", "party", "who"),
)
"""What a column is called that names the tool of each row."""
COOKIE_LABELS: Final = ("cookie", "cookies", "cookie name", "name of cookie", "name of the cookie")
"""What a column is called that names a cookie: a tool's, or one of the site's own."""

_NOT_APPLICABLE: Final = frozenset(
    {"n/a", "n.a", "na", "none", "not applicable", "nil", "-", "--", "\u2013", "\u2014", "n / a"}
)


def _spelled(label: str) -> str:
    words = (re.escape(word) for word in re.split(r"[\s-]+", label))
    return r"[\s-]{1,3}".join(words)


def _pattern(labels: tuple[str, ...]) -> str:
    return "|".join(_spelled(label) for label in sorted(labels, key=len, reverse=True))


_ANY: Final = "|".join(f"(?P<{name}>{_pattern(labels)})" for name, labels in LABELS.items())
_LABEL: Final = re.compile(_ANY, re.IGNORECASE)
_LABELLED: Final = re.compile(rf"(?:{_ANY})\s{{0,3}}[:\uff1a]\s{{0,3}}", re.IGNORECASE)
_NAME: Final = re.compile(_pattern(NAME_LABELS), re.IGNORECASE)
_COOKIE: Final = re.compile(_pattern(COOKIE_LABELS), re.IGNORECASE)
TOOL_NAME: Final = re.compile(
    r"(?:name of (?:the )?tool|tool name)\s{0,3}[:\uff1a]\s{0,3}", re.IGNORECASE
)
"""What a heading begins with that declares a tool by name."""


def label_of(text: str) -> tuple[str, int] | None:
    """The field that a paragraph is labelled as, and where its value begins."""
    found = _LABELLED.match(text)
    return (found.lastgroup or "", found.end()) if found else None


def label_alone(text: str) -> str | None:
    """The field whose label a heading, a defined term or a cell is, with or without a colon."""
    text = text.strip().rstrip(":?").rstrip()
    found = _LABEL.fullmatch(text)
    return found.lastgroup if found else None


def column_of(text: str) -> str | None:
    """What a column holds: a field, `name`, `cookie`, or something of no interest."""
    text = text.strip().rstrip(":?").rstrip()
    if field := label_alone(text):
        return field
    if _NAME.fullmatch(text):
        return "name"
    if _COOKIE.fullmatch(text):
        return "cookie"
    if re.search(
        r"opt[\s-]?out|how (?:to|can i|could i) (?:block|disable|refuse)", text, re.IGNORECASE
    ):
        return "opt_out"
    if re.search(r"privacy|data protection", text, re.IGNORECASE):
        return "privacy_policy"
    return "purpose" if re.match(r"(?:description|purpose)\b", text, re.IGNORECASE) else None


def unknown_label(text: str, strong: int) -> str | None:
    """A bold label that is none of ours, so that what follows is not taken for another's value."""
    head = text[:strong].rstrip()
    if not head.endswith(":") and not text[strong : strong + 3].lstrip().startswith(":"):
        return None
    label = head.rstrip(": ")
    return label if 0 < len(label) <= 60 and len(label.split()) <= 6 else None


def is_not_applicable(text: str) -> bool:
    """Whether a value says that there is none."""
    return text.strip().rstrip(".").strip().casefold() in _NOT_APPLICABLE
