"""What is answered in place of a tool: surrogates, placeholders, and answers that are empty.

A surrogate is a script (or JSON) that a page gets instead of a tool's, so that it goes on working;
a placeholder is a small page shown where a tool's widget would be. Rules name them by file name
(`redirect=gtag.js`). Placeholders hold slots, `{{tool}}`, that `fill` replaces.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from optout_proxy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SLOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tool": "Name of the tool, as its tool file has it.",
        "host": "Host of the request that was stopped.",
        "why": "One sentence: why it was stopped.",
        "link": "Address to go to instead; what offers it is not shown where it is empty.",
        "once": "Address that loads it here, once; not shown where it is empty.",
        "always": "Command that lets the tool in on this site; empty where no tool file names it.",
        "policy": "Address of the policy that declares the tool; not shown where it is empty.",
    }
)
"""What a placeholder may hold, and what is put there."""

ADDRESSES: Final = frozenset({"link", "once", "policy"})
"""Slots that become the target of a link: only http and https, or the placeholder could be
made to run script."""

_MAY_BE_EMPTY: Final = ADDRESSES | {"always"}

CONTENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json; charset=utf-8",
        ".html": "text/html; charset=utf-8",
    }
)

_FOLDERS: Final = ("surrogates", "placeholders", "prefixes")
_NAME: Final = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
_SLOT: Final = re.compile(rb"\{\{([^{}]*)\}\}")


@dataclass(frozen=True, slots=True)
class Resource:
    """One answer, whole: `body` goes out as it is, unless it is a placeholder to `fill`."""

    name: str
    content_type: str
    body: bytes


EMPTY_SCRIPT: Final = Resource("empty.js", CONTENT_TYPES[".js"], b"")
EMPTY_CSS: Final = Resource("empty.css", "text/css; charset=utf-8", b"")
EMPTY_JSON: Final = Resource("empty.json", CONTENT_TYPES[".json"], b"{}")
EMPTY_HTML: Final = Resource(
    "empty.html", CONTENT_TYPES[".html"], b'<!DOCTYPE html><html lang="en"><title>Stopped</title>'
)
TRANSPARENT_GIF: Final = Resource(
    "transparent.gif",
    "image/gif",
    base64.b64decode(b"R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
)
"""1x1, GIF89a."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The surrogates and placeholders that rules may name."""

    by_name: Mapping[str, Resource]

    def get(self, name: str) -> Resource | None:
        """Resource of this file name; None where there is none."""
        return self.by_name.get(name)


def load_resources(folder: Path) -> Resources:
    """All of `surrogates/`, `placeholders/` and `prefixes/` in `folder` (the blocklists).

    Raises InputError for a file that could not be answered with.
    """
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", right="name the one that holds surrogates/")
    found: dict[str, Resource] = {}
    for file in _files(folder):
        if file.name in found:
            raise InputError(file, "a second resource of this name", right="a name of its own")
        found[file.name] = parse_resource(file.name, file.read_bytes(), file=file)
    return Resources(MappingProxyType(found))


def parse_resource(name: str, body: bytes, *, file: Path | str = "") -> Resource:
    """Resource whose name, text and slots are sound.

    Raises InputError, which names `file` (or `name`).
    """
    place = file or name
    stem, dot, ending = name.rpartition(".")
    content_type = CONTENT_TYPES.get(dot + ending)
    if content_type is None:
        raise InputError(place, "has no known ending", right=" or ".join(CONTENT_TYPES))
    if not _NAME.fullmatch(stem):
        raise InputError(place, "is no resource name", right="a-z and 0-9, joined by - or .")
    _check_text(place, body)
    if ending == "json":
        _check_json(place, body)
    if ending == "html":
        _check_slots(place, body)
    return Resource(name, content_type, body)


def fill(template: bytes, **slots: str) -> bytes:
    """Template with its slots filled by HTML-escaped text.

    An address that is neither http nor https is left empty. Raises ValueError for a slot that
    does not exist, and for one of the template's that was not given and may not be empty.
    """
    unknown = slots.keys() - SLOTS.keys()
    if unknown:
        raise ValueError(f"no such slot: {', '.join(sorted(unknown))}")
    pieces = list(_pieces(template))
    for place in range(1, len(pieces), 2):
        name = pieces[place].decode("utf-8", "replace")
        if name not in slots and name not in _MAY_BE_EMPTY:
            raise ValueError(f"slot {name} is not filled")
        pieces[place] = _escaped(name, slots.get(name, ""))
    return b"".join(pieces)


@lru_cache(64)
def _pieces(template: bytes) -> tuple[bytes, ...]:
    """A template taken apart: text and names of slots in turn."""
    return tuple(_SLOT.split(template))


def _files(folder: Path) -> Iterator[Path]:
    for name in _FOLDERS:
        inside = folder / name
        for file in sorted(inside.iterdir()) if inside.is_dir() else ():
            if not file.name.startswith("."):
                yield file


def _escaped(name: str, value: str) -> bytes:
    if name in ADDRESSES and not value.lower().startswith(("http://", "https://")):
        return b""
    return html.escape(value).encode("utf-8", "replace")


def _check_text(place: Path | str, body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        line = _line_at(body, wrong.start)
        raise InputError(place, "is not UTF-8", line=line, right="save it as UTF-8") from wrong


def _check_json(place: Path | str, body: bytes) -> None:
    try:
        json.loads(body)
    except json.JSONDecodeError as wrong:
        raise InputError(place, f"is not JSON: {wrong.msg}", line=wrong.lineno) from wrong


def _check_slots(place: Path | str, body: bytes) -> None:
    for match in _SLOT.finditer(body):
        name = match[1].decode()
        if name not in SLOTS:
            line = _line_at(body, match.start())
            right = f"one of {', '.join(SLOTS)}"
            raise InputError(place, f"has an unknown slot {{{{{name}}}}}", line=line, right=right)


def _line_at(body: bytes, offset: int) -> int:
    return body.count(b"\n", 0, offset) + 1
