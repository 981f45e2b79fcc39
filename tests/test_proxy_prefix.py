"""What is put in front of a script goes out first, whole, and once; the body follows as it came."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from loopback import Tap, world
from optout_proxy.model import Decision, Headers, Request, ResponseDecision
from scripted import Notebook, Scripted

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Asked

pytestmark = pytest.mark.wire
PREFIX = b"/* in front */\n"
BODY = b"real();" * 9000


@dataclass(frozen=True)
class Prefixing(Scripted):
    """Puts something in front of every body it lets through."""

    def decide_response(
        self, request: Request, decision: Decision, status: int, headers: Headers
    ) -> ResponseDecision:
        size = dict(headers).get(b"Content-Length")
        if size is None:
            return ResponseDecision(prefix=PREFIX)
        longer = b"%d" % (int(size) + len(PREFIX))
        return ResponseDecision(((b"Content-Length", longer),), prefix=PREFIX)


async def sized(_asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


async def chunked(
    _asked: Asked, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(BODY), 7000):
        piece = BODY[start : start + 7000]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


@pytest.mark.parametrize("origin", [sized, chunked])
def test_the_prefix_comes_first_and_the_body_whole(tmp_path: Path, origin) -> None:
    async def ask(engine: Scripted) -> bytes:
        taps = {"tracker.example": Tap(origin)}
        async with world(engine, Notebook(), tmp_path, taps) as around:
            return (await around.get("https://tracker.example/tag.js")).body

    assert asyncio.run(ask(Prefixing())) == PREFIX + BODY
    assert asyncio.run(ask(Scripted())) == BODY
