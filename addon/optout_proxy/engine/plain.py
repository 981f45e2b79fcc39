"""A request as its server reads it: what disguises an address, undone for rules to look at.

A server takes `/%74r`, `//tr` and `/./tr` for `/tr`, and never sees a fragment. Nothing of this is
sent: what goes on stays byte for byte as it came.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import msgspec

from optout_proxy.rules.expression import LONGEST_TEXT
from optout_proxy.rules.rule import Query

if TYPE_CHECKING:
    from optout_proxy.model import Request

# RFC 3986, 2.3 and 6.2.2.2: letters, digits and -._~ mean the same with and without encoding.
_ENCODED: Final = re.compile(
    r"%(2[DEde]|3[0-9]|4[1-9A-Fa-f]|5[0-9Aa]|5[Ff]|6[1-9A-Fa-f]|7[0-9Aa]|7[Ee])"
)
DISGUISED_PATH: Final = ("//", "/.")
"""What a path has that names the same by a detour."""
_LONGEST_HOST: Final = 253
_LONGEST_PIECE: Final = 128
_LONGEST_PATH: Final = 1024


def query(request: Request) -> Query:
    """What the rules of tool files are asked about a request."""
    return Query(plain(request), strict=True)


def plain(request: Request) -> Request:
    """The request with a plain address, for rules to look at and not to be sent."""
    url = plain_url(request.url)
    return request if url is request.url else msgspec.structs.replace(request, url=url)


@lru_cache(8192)
def plain_host(host: str) -> str:
    """The host as it is looked up: ASCII, nothing encoded, no dot behind it.

    Of one that is too long to exist (RFC 1035, 2.3.4) only the end, by which rules would know it.
    """
    host = host[-_LONGEST_HOST:]
    if host.isascii() and host.isprintable() and "%" not in host and not host.endswith("."):
        return host
    text = "".join(unquote(host).split()).rstrip(".")
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host


def plain_url(url: str) -> str:
    """The URL without disguise; the very same string where it wears none."""
    if not _is_disguised(url):
        return url
    seen = url.partition("#")[0]
    if "%" in seen:
        seen = _ENCODED.sub(_decoded, seen)
    front, mark, asked = seen.partition("?")
    front = front.replace("\\", "/")
    path = front.find("/", front.find("://") + 3)
    if path > 0 and ("//" in front[path:] or "/." in front[path:]):
        front = front[:path] + _walked(front[path:])
    if len(url) > LONGEST_TEXT:
        front, asked = _shortened(front), "&".join(_telling(asked))
    return f"{front}{mark}{asked}"


def _is_disguised(url: str) -> bool:
    return is_encoded(url) or "/." in url or url.count("//") > 1


def is_encoded(url: str) -> bool:
    """Whether a URL could hide something elsewhere than in `DISGUISED_PATH`."""
    # One search for all of this takes ten times as long, and every request comes by here.
    return (
        "#" in url
        or "\\" in url
        or ("%" in url and _ENCODED.search(url) is not None)
        or len(url) > LONGEST_TEXT
    )


def _decoded(encoded: re.Match[str]) -> str:
    return chr(int(encoded[1], 16))


def _walked(path: str) -> str:
    """The path without empty and dot segments."""
    segments = path.split("/")
    walked: list[str] = []
    for segment in segments:
        if segment == "..":
            del walked[-1:]
        elif segment not in {"", "."}:
            walked.append(segment)
    is_folder = walked and segments[-1] in {"", ".", ".."}
    return "/".join(("", *walked, *([""] if is_folder or not walked else [])))


def _shortened(path: str) -> str:
    """Both ends of an absurdly long path, so that what tells is within an expression's sight."""
    if len(path) <= 2 * _LONGEST_PATH:
        return path
    return path[:_LONGEST_PATH] + path[-_LONGEST_PATH:]


def _telling(asked: str) -> dict[str, None]:
    """The parameters of a long query, each once and without the end of a long value."""
    return dict.fromkeys(piece[:_LONGEST_PIECE] for piece in asked.split("&"))
