"""Fields of a request body: what they say, and emptying some of them byte for byte.

Bodies come from the outside and may be cut short, mislabelled or hostile: nothing here raises, and
nothing takes more than linear time. Each format is read once, by a scanner that tells where a
value stands; reading and emptying use the same one, so that they never disagree.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from optout_proxy.edits.percent import decoded, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FORM_PIECE: Final = re.compile(rb"[^&]++")
_TEXT_PIECE: Final = re.compile(rb"[^&\r\n]++")
_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
_PART_NAME: Final = re.compile(
    rb'^content-disposition:[^\r\n]*?[; \t]name=(?:"((?:[^"\\\r\n]|\\.)*+)"|([^\s;"]++))',
    re.IGNORECASE | re.MULTILINE,
)
# Every alternative ends at once or runs to the end of what it reads, never back: an unclosed
# string is a token too, or each of its quotes would be tried as the start of another.
_JSON_TOKEN: Final = re.compile(
    rb"""
      "(?P<string>[^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)(?:[ \t\r\n]*+(?P<colon>:))?
    | (?P<array>\[) | (?P<object>\{) | (?P<close>[\]}])
    | (?P<bare>[^\s\[\]{},:"]++)
    """,
    re.DOTALL | re.VERBOSE,
)


class _Field(NamedTuple):
    """A field and where its value stands in the body."""

    name: str
    start: int
    end: int
    reads: Callable[[bytes], str]


def fields(body: bytes, content_type: str) -> tuple[tuple[str, str], ...] | None:
    """Fields of a body as `(name, value)`, in order, duplicates kept; None for other formats.

    Read are forms (urlencoded and multipart), JSON, and text as analytics beacons send it: lines
    of `a=b&c=d` (GA4 separates events by CRLF), or JSON. Of JSON every scalar below a key, at any
    depth: numbers as written, `true`, `null`; the elements of an array under the array's key.
    """
    located = _located(body, content_type)
    if located is None:
        return None
    return tuple([(field.name, field.reads(body[field.start : field.end])) for field in located])


def blank(body: bytes, content_type: str, names: frozenset[str]) -> tuple[bytes, tuple[str, ...]]:
    """Empty the values of the fields of `names`; also the names emptied, each once.

    The fields stay, as does every other byte. Of JSON only strings are emptied, since a number has
    no empty value. Where nothing is emptied, the very same bytes come back.
    """
    kept: list[bytes] = []
    emptied: dict[str, None] = {}
    end = 0
    for field in _located(body, content_type) or ():
        if field.name in names and field.start < field.end and field.reads is not _bare:
            emptied[field.name] = None
            kept.append(body[end : field.start])
            end = field.end
    return (b"".join((*kept, body[end:])), tuple(emptied)) if emptied else (body, ())


def _located(body: bytes, content_type: str) -> Iterator[_Field] | None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _parts(body, content_type)
    if kind.endswith(("/json", "+json")):
        return _scalars(body)
    if kind not in {"text/plain", "application/x-www-form-urlencoded"}:
        return None
    if body.lstrip()[:1] in {b"{", b"["}:  # JSON under a label that needs no CORS preflight
        return _scalars(body)
    return _pairs(body, _TEXT_PIECE if kind == "text/plain" else _FORM_PIECE)


def _pairs(body: bytes, piece: re.Pattern[bytes]) -> Iterator[_Field]:
    for found in piece.finditer(body):
        name, _, value = found[0].partition(b"=")
        yield _Field(_form_text(name), found.end() - len(value), found.end(), _form_text)


def _parts(body: bytes, content_type: str) -> Iterator[_Field] | None:
    boundary = _BOUNDARY.search(content_type)
    if not boundary:
        return None
    return _parts_between(body, b"--" + wire(boundary[1] or boundary[2]))


def _parts_between(body: bytes, mark: bytes) -> Iterator[_Field]:
    """Named parts of a multipart body (RFC 7578); a part cut short ends with the body."""
    start = body.find(mark)
    while start != -1:
        following = body.find(b"\r\n" + mark, start + len(mark))
        end = len(body) if following == -1 else following
        head = body.find(b"\r\n\r\n", start, end)
        if head != -1 and (named := _PART_NAME.search(body, start, head)):
            yield _Field(_part_name(named[1] or named[2] or b""), head + 4, end, _text)
        start = -1 if following == -1 else following + 2


def _scalars(body: bytes) -> Iterator[_Field]:
    """Scalars of a JSON text with the key they stand under."""
    key: str | None = None
    in_array = False
    outer: list[tuple[str | None, bool]] = []
    for token in _JSON_TOKEN.finditer(body):
        match token.lastgroup:
            case "colon":
                key = _json_text(token[1])
                continue
            case "array" | "object" as opened:
                outer.append((key, in_array))
                in_array = opened == "array"
            case "close":
                key, in_array = outer.pop() if outer else (None, False)
            case "string" | "bare" as scalar if key is not None:
                yield _Field(key, *token.span(scalar), _json_text if scalar == "string" else _bare)
        if not in_array:
            key = None  # its value is read; what follows in a broken object is not it


def _form_text(raw: bytes) -> str:
    return decoded(raw.replace(b"+", b" "))


def _part_name(raw: bytes) -> str:
    """Read a part's name; browsers percent-encode quotes and line breaks in it (HTML)."""
    return decoded(raw) if b"%" in raw else _text(raw.replace(b'\\"', b'"'))


def _json_text(raw: bytes) -> str:
    text = _text(raw)
    if "\\" not in text:
        return text
    try:
        plain: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _bare(raw: bytes) -> str:
    """Read a number, `true`, `false` or `null`: as written."""
    return _text(raw)
