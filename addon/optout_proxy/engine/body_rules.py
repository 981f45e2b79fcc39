"""Request bodies: whose they are, and which of their fields are emptied."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

from optout_proxy.edits import body as bodies
from optout_proxy.rules.rule import parse_rule

if TYPE_CHECKING:
    from optout_proxy.engine.tool import BodyRule, Tool
    from optout_proxy.model import Request, Role, RuleRef

type Fields = tuple[tuple[str, str], ...]
"""Names and values of a body, in order."""


class Body:
    """A body rule, compiled."""

    def __init__(self, tool: Tool, body: BodyRule, ref: RuleRef) -> None:
        self.tool = tool
        self.body = body
        self.ref = ref
        self.role: Role = body.role or "collects"
        self.where = parse_rule(body.where)
        self._wanted = {name: _glob(value) for name, value in body.fields.items()}
        self._blank = tuple(_glob(name, flags=0) for name in body.blank)

    def fits(self, fields: Fields) -> bool:
        """Whether each field asked for is there with a value that fits."""
        return all(
            any(name == wanted and glob.fullmatch(value) for name, value in fields)
            for wanted, glob in self._wanted.items()
        )

    def blanks(self, fields: Fields) -> frozenset[str]:
        """The names of the fields to empty."""
        if not self.fits(fields):
            return frozenset()
        return frozenset(
            name for name, _ in fields if any(glob.fullmatch(name) for glob in self._blank)
        )


def _glob(text: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    """A text in which `*` stands for anything.

    Each part is looked for once, and never again (`(?>…)`): a body of 64 kB cannot stall it.
    """
    first, *parts = map(re.escape, text.split("*"))
    between = "".join(f"(?>.*?{part})" for part in parts[:-1])
    last = "".join(f".*{part}" for part in parts[-1:])
    return re.compile(first + between + last, flags | re.DOTALL)


def content_type(request: Request) -> str:
    """The `Content-Type` of a request's body; empty where it says none."""
    return _line(request, b"content-type")


def _line(request: Request, wanted: bytes) -> str:
    for name, value in request.headers:
        if name.lower() == wanted:
            return value.decode("latin-1")
    return ""


_UNTYPED: Final = frozenset({"", "application/octet-stream", "application/x-ndjson"})
"""What a page calls a body that it does not describe; read as text, since some hits are sent so."""
_MOST_BODY: Final = 64 * 1024


def fields_of(request: Request) -> Fields | None:
    """The fields of a request's body; None where it is in no format that has any."""
    kind = content_type(request)
    if kind.partition(";")[0].strip().lower() in _UNTYPED:
        kind = "text/plain"
    return bodies.fields(_unpacked(request), kind)


def _unpacked(request: Request) -> bytes:
    """The body without gzip or deflate: its beginning, since little can hold very much."""
    body = request.body or b""
    if _line(request, b"content-encoding").strip().lower() not in {"gzip", "deflate", "x-gzip"}:
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, _MOST_BODY)
    except zlib.error:
        return body
