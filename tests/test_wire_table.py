"""On the wire: every example of every tool file, at every level, over both protocols.

What reached the stand-in, and what came back, is held against the design's table. The control is
the same table through a bare mitmdump.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from wire import Origin, configured, mitmdump, optout_run, ours
from wire_table import (
    LEVELS,
    Asking,
    coming_back,
    connected_early,
    hosts,
    judge,
    promised,
    rewritten,
    rows,
)

pytestmark = pytest.mark.wire

ROLES = {"loads", "collects", "telemetry", "widgets"}
TABLE = rows()
EVERYWHERE = '[scope]\ninspect = "all"'
PROTOCOLS = pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])


def each_kind():
    """The first example of each tool, role and type: enough to see that another door is as good."""
    kinds = {(row.tool, row.example.role, row.example.type): row for row in reversed(TABLE)}
    return [row for row in TABLE if row in kinds.values()]


async def _through(door, table, *, http2):
    asking = Asking(door, http2)
    try:
        return [await asking.ask(row) for row in table]
    finally:
        await asking.leave()


def seen_through(door, level, table, folder, *, http2):
    """What happened to each row at a level, and the ledger's text."""

    async def main():
        async with Origin(hosts(table), coming_back).listening() as origin:
            config = configured(folder, level, more=EVERYWHERE)
            async with door(origin, folder, config) as opened:
                seen = await _through(opened, table, http2=http2)
            return seen, opened.written()

    return asyncio.run(main())


@cache
def seen_at(level, *, http2):
    """The whole table through our runner; asked once, looked at by several tests."""
    with tempfile.TemporaryDirectory() as folder:
        return seen_through(ours, level, TABLE, Path(folder), http2=http2)


def faults(seen, level):
    return [str(fault) for one in seen for fault in judge(one, level)]


@PROTOCOLS
@pytest.mark.parametrize("level", LEVELS)
def test_every_example_of_every_tool_gets_what_its_level_says(level, http2):
    seen, ledger = seen_at(level, http2=http2)
    assert faults(seen, level) == []
    # What the examples hold as values must not be in the ledger (all invented: ABCDE, 111.222 …).
    for value in ("ABCDE", "111.222", "user1", "user1@", "private?q", "1234567890"):
        assert value not in ledger


@pytest.mark.parametrize(
    ("door", "level", "http2"),
    [
        (optout_run, "strip", True),
        (optout_run, "block", False),
        (mitmdump, "strip", False),
        (mitmdump, "block", True),
    ],
)
def test_the_real_commands_do_the_same(door, level, http2, tmp_path):
    seen, _ = seen_through(door, level, each_kind(), tmp_path, http2=http2)
    assert faults(seen, level) == []


def test_no_host_is_connected_to_for_a_request_that_is_answered_here():
    seen, _ = seen_at("block", http2=False)
    assert [str(one.row) for one in seen if connected_early(one)] == []


def test_at_strip_only_the_google_tag_has_something_written_in_front_of_it():
    seen, _ = seen_at("strip", http2=False)
    assert [str(one.row) for one in seen if rewritten(one)] == []


def refused_at_block(asking, folder, *, http2=False):
    """What came of `(url, method, headers)` at level `block`, and what reached the stand-in."""

    async def main():
        async with Origin(hosts(TABLE), coming_back).listening() as origin:
            config = configured(folder, "block", more=EVERYWHERE)
            async with ours(origin, folder, config) as opened, opened.client(http2=http2) as client:
                got = [
                    await client.ask(url, method=method, headers=lines)
                    for url, method, lines in asking
                ]
            return got, origin.counts()

    return asyncio.run(main())


@PROTOCOLS
def test_what_a_fetch_asks_beforehand_is_granted_here_so_that_the_fetch_is_answered_here(
    http2, tmp_path
):
    fetched = [
        row
        for row in TABLE
        if (row.example.type, row.example.role) == ("xmlhttprequest", "collects")
        and row.is_named
        and row.origin == "https://www.mass.gov"
        and "facebook.com/tr" not in row.url  # an event by its body, sent as a form: never asked
        and not row.example.body
    ]
    asked = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-odd")]
    lines = [("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Mode", "cors"), *asked]
    asking = [
        (row.url, "OPTIONS", [*lines, ("Sec-Fetch-Site", row.site), ("Origin", row.origin)])
        for row in fetched
    ]
    granted, counts = refused_at_block(asking, tmp_path, http2=http2)
    for row, got in zip(fetched, granted, strict=True):
        assert got.status == 204, row
        assert got.header(b"access-control-allow-origin") == b"https://www.mass.gov", row
        assert got.header(b"access-control-allow-methods") == b"POST", row
        assert got.header(b"access-control-allow-headers") == b"x-odd", row
        assert got.header(b"optout-proxy").endswith(f" {row.tool}".encode()), row
    assert len(granted) > 15
    assert counts[2] == 0


def test_a_websocket_to_a_tool_is_refused_here(tmp_path):
    addresses = [
        "https://www.google-analytics.com/live",
        "https://recording.crazyegg.com/live",
        "https://device.4seeresults.com/live",
        "https://stats.g.doubleclick.net/live",
    ]
    upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Origin", "https://www.mass.gov"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Dest", "websocket"),
    ]
    refused, counts = refused_at_block([(url, "GET", upgrade) for url in addresses], tmp_path)
    assert [got.status for got in refused] == [403] * len(addresses)
    assert all(got.header(b"optout-proxy").startswith(b"block ") for got in refused)
    assert counts == (0, 0, 0)


@PROTOCOLS
def test_control_without_the_product_the_table_fails_for_every_tool(http2, tmp_path):
    def bare(origin, folder, _config):
        return mitmdump(origin, folder, None)

    seen, _ = seen_through(bare, "block", TABLE, tmp_path, http2=http2)
    enforced = [one for one in seen if one.row.example.role in ROLES]
    for level in LEVELS[1:]:
        kept = [str(one.row) for one in enforced if not judge(one, level)]
        assert kept == [], level
        tools = {tool for tool, _ in groupby(enforced, lambda one: one.row.tool)}
        assert len(tools) == 12
    taken = [one for one in seen if one.row.example.role == "identity" and one.row.example.removes]
    assert [str(one.row) for one in taken if not judge(one, "strip")] == []


def test_the_table_asks_for_every_role_of_every_tool_and_every_action():
    asked = {(row.tool, row.example.role) for row in TABLE}
    ruled = {(row.tool, role) for row in TABLE for role, _ in row.file.tool.rules}
    assert ruled <= asked
    actions = {
        promised(row.example, level)
        for row in TABLE
        for level in LEVELS
        if row.example.role != "none"
    }
    assert actions == {
        *("allow", "signal", "strip", "surrogate", "placeholder", "redirect", "block"),
    }
