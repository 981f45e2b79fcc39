"""Name a request: its type, its page and its party, from what the browser says of it.

Fetch Metadata (https://www.w3.org/TR/fetch-metadata/) where the browser sends it; else `Accept`
and the end of the path, and then the type is a guess.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.hosts import host_of, parents, site_of, suffix_of
from optout_proxy.rules.rule import crosses_sites

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optout_proxy.engine.places import Place
    from optout_proxy.engine.tool import Tool
    from optout_proxy.model import Headers, Type

_DESTINATIONS: Final[dict[str, Type]] = {
    "document": "document",
    "iframe": "subdocument",
    "frame": "subdocument",
    "fencedframe": "subdocument",
    "embed": "object",
    "object": "object",
    "script": "script",
    "worker": "script",
    "sharedworker": "script",
    "serviceworker": "script",
    "audioworklet": "script",
    "paintworklet": "script",
    "style": "stylesheet",
    "image": "image",
    "font": "font",
    "audio": "media",
    "video": "media",
    "track": "media",
    "websocket": "websocket",
    "empty": "xmlhttprequest",
}
_ENDINGS: Final[dict[str, Type]] = {
    "js": "script",
    "mjs": "script",
    "css": "stylesheet",
    "png": "image",
    "gif": "image",
    "jpg": "image",
    "jpeg": "image",
    "webp": "image",
    "svg": "image",
    "ico": "image",
    "woff": "font",
    "woff2": "font",
    "ttf": "font",
    "otf": "font",
    "mp4": "media",
    "webm": "media",
    "mp3": "media",
}


_COUNTRY: Final = re.compile(r"com|cat|(?:com?\.)?[a-z]{2}")
"""Suffixes under which an operator has domains of its own (`google.*`). Under others, such as
`web.app` or `github.io`, anybody may call a site `google`."""


class Operators:
    """Who runs a site, as far as tool files say."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        tools = tuple(tools)
        self._sites = {site: tool.operator for tool in tools for site in tool.operator_sites}
        self._frames = frozenset(site for tool in tools for site in tool.frame_sites)

    def of(self, host: str) -> str | None:
        """The operator of a host's site; None where nobody says."""
        names = _names_of(site_of(host)) if host else ()
        return next((self._sites[name] for name in names if name in self._sites), None)

    def only_frames(self, site: str) -> bool:
        """Whether a site's pages stand in frames of other sites, so that nobody visits them."""
        return site in self._frames


def _names_of(site: str) -> Iterator[str]:
    """What `operator_sites` may call a site."""
    yield from parents(site)
    suffix = suffix_of(site)
    if suffix and _COUNTRY.fullmatch(suffix):
        yield f"{site.removesuffix(suffix)}*"


class Lines:
    """The header lines that name a request, by lower-case name; the first of each."""

    __slots__ = ("_found",)

    def __init__(self, headers: Headers) -> None:
        self._found = {name.lower(): value for name, value in reversed(headers)}

    def __getitem__(self, name: bytes) -> str:
        return self._found.get(name, b"").decode("latin-1")


def type_of(url: str, method: str, lines: Lines) -> tuple[Type, bool]:
    """The type of a request, and whether it is a guess."""
    if lines[b"upgrade"].lower() == "websocket" or url[:3] in {"ws:", "wss"}:
        return "websocket", False
    if destination := lines[b"sec-fetch-dest"].lower():
        kind = _DESTINATIONS.get(destination, "other")
        if kind == "document" and is_prefetch(lines):
            return kind, True
        beacon = kind == "xmlhttprequest" and method == "POST"
        if beacon and lines[b"sec-fetch-mode"].lower() == "no-cors":
            return "ping", False
        return kind, False
    return _guess(url, lines), True


def is_prefetch(lines: Lines) -> bool:
    """Whether a page has it fetched in case that somebody should open it: so far, nobody does.

    https://wicg.github.io/nav-speculation/prefetch.html#sec-purpose-header
    """
    return lines[b"sec-purpose"].lower().startswith("prefetch")


def _guess(url: str, lines: Lines) -> Type:
    accept = lines[b"accept"].lower()
    if "text/html" in accept or "application/xhtml" in accept:
        return "document"
    if accept.startswith("text/css"):
        return "stylesheet"
    if accept.startswith("image/"):
        return "image"
    if lines[b"ping-to"]:
        return "ping"
    path = url.partition("?")[0].partition("#")[0]
    ending = path.rpartition("/")[2].rpartition(".")
    return _ENDINGS.get(ending[2].lower(), "other") if ending[1] else "other"


def page_of(lines: Lines, host: str) -> str:
    """URL of the document that caused a request, as far as the browser tells; else empty."""
    if host_of(referer := lines[b"referer"]):
        return referer
    if host_of(origin := lines[b"origin"]):
        return f"{origin}/"
    if lines[b"sec-fetch-site"].lower() == "same-origin":
        return f"https://{host}/"
    return ""


def party_of(kind: Type, place: Place, asking: Place, lines: Lines) -> tuple[bool, bool]:
    """Whether a request is third party (site and operator), and whether it crosses sites."""
    if not _crosses(kind, place, asking, lines[b"sec-fetch-site"].lower()):
        return False, False
    return place.operator is None or place.operator != asking.operator, True


def _crosses(kind: Type, place: Place, asking: Place, said: str) -> bool:
    if said == "cross-site":
        return True
    if said in {"same-origin", "same-site", "none"}:
        return False
    return crosses_sites(kind, place.host, asking.host)
