"""A line of the ledger: JSON in printable ASCII, sealed to the line before it.

A line ends in `"seq"` (its number in the file, from 1), `"prev"` (SHA-256 of the raw line before
it, newline included: `tail -n 1 FILE | sha256sum`) and `"sum"` (the first 16 digits of the SHA-256
of everything before `,"sum"`). `prev` binds the lines to one another; `sum` lets the last line,
which nothing follows yet, answer for itself.
"""

from __future__ import annotations

import json
import re
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

START: Final = "0" * 64
"""`prev` of a line that nothing comes before."""

_SUM: Final = b',"sum":"'
_SEAL: Final = re.compile(rb',"seq":([1-9][0-9]*),"prev":"([0-9a-f]{64})"\Z')
_BEGIN: Final = b'{"time":"'
_ENCODER: Final = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """`value` as JSON in printable ASCII, so that no name a site chose can steer a terminal."""
    try:
        text = _ENCODER.encode(value)
    except UnicodeEncodeError:  # a lone surrogate: no UTF-8, and so no JSON, holds one
        loose = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        text = loose.encode("utf-8", "replace")
    if text.isascii() and b"\x7f" not in text:
        return text
    return json.dumps(json.loads(text), separators=(",", ":")).encode().replace(b"\x7f", rb"\u007f")


def seal(fields: bytes, seq: int, prev: str) -> tuple[bytes, str]:
    """Make the JSON object `fields` a raw line bound to the line before; and give its hash."""
    bound = b'%b,"seq":%d,"prev":"%b"' % (fields[:-1], seq, prev.encode())
    digest = sha256(bound)
    tail = b'%b%b"}\n' % (_SUM, digest.hexdigest()[:16].encode())
    digest.update(tail)
    return bound + tail, digest.hexdigest()


def hash_of(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def follows(raw: bytes, seq: int, prev: str) -> bool:
    """Whether the raw line is as it was written, is line `seq`, and comes after `prev`."""
    bound, _, tail = raw.rpartition(_SUM)
    expected = b',"seq":%d,"prev":"%b"' % (seq, prev.encode())
    return bound.endswith(expected) and tail == b'%b"}\n' % hash_of(bound)[:16].encode()


def fault(raw: bytes, seq: int) -> str:
    """Say why a raw line does not follow as line `seq`."""
    bound, _, tail = raw.rpartition(_SUM)
    found = _SEAL.search(bound)
    if not found or tail != b'%b"}\n' % hash_of(bound)[:16].encode():
        return "was changed after it was written"
    number = int(found[1])
    if number > seq:
        return f"was written as line {number}: what came before it is missing"
    if number < seq:
        return f"was written as line {number}: it was repeated, moved or added"
    return "does not follow from what is before it: that was replaced"


def number_of(raw: bytes) -> int | None:
    """Read the number a raw line says it has; None where it is no line of ours."""
    found = _SEAL.search(raw.rpartition(_SUM)[0])
    return int(found[1]) if found else None


def is_torn(fragment: bytes) -> bool:
    """Whether bytes without a newline, at the end of a file, can be a line cut short.

    Zero bytes are what some file systems leave in place of a tail lost to a power cut.
    """
    text = fragment.rstrip(b"\0")
    return text.startswith(_BEGIN[: len(text)])


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`: as text in the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
