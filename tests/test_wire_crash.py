"""On the wire: killed under load, the ledger still has every enforcement a client saw done."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter

import pytest

from wire import BIN, Origin, configured, mitmdump, optout_run

pytestmark = pytest.mark.wire

CLIENTS = 6
HOSTS = frozenset(
    ["www.google-analytics.com", "www.facebook.com", "www.googletagmanager.com", "www.mass.gov"]
)
ASKED = (
    ("https://www.google-analytics.com/g/collect?v=2&tid=G-ABCDE", "empty"),  # answered
    ("https://www.facebook.com/tr/?id=1&ev=PageView", "image"),  # answered
    ("https://www.googletagmanager.com/gtm.js?id=GTM-ABCDE", "script"),  # sent, stripped
)


async def _loops(door, number, answered, *, http2):
    """Ask for ever, each time from a page of this client's own; count what was answered."""
    site = f"page{number}.example"
    async with door.client(http2=http2, address=f"127.0.3.{number + 1}") as client:
        while True:
            for url, dest in ASKED:
                lines = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", dest)]
                got = await client.ask(url, headers=[*lines, ("Referer", f"https://{site}/")])
                if got.status == 0:
                    return
                answered[site] += 1


async def _killed(door, seconds, answered):
    """Let clients ask for a while, then kill the proxy in the middle of it."""
    loops = [
        asyncio.create_task(_loops(door, number, answered, http2=number % 2 == 1))
        for number in range(CLIENTS)
    ]
    await asyncio.sleep(seconds)
    door.process.kill()
    await door.process.wait()
    await asyncio.gather(*loops)


def rounds(door, folder, spans):
    """How often each client was answered, over several runs that were each killed."""

    async def main():
        answered = Counter()
        config = configured(folder, "block", google_tag_manager="strip")
        async with Origin(HOSTS).listening() as origin:
            for seconds in spans:
                async with door(origin, folder, config) as opened:
                    await _killed(opened, seconds, answered)
        return answered

    return asyncio.run(main())


def written(folder):
    """How often the ledger has a request of each client; a torn last line is no line."""
    lines = Counter()
    for file in (folder / "ledger").glob("*.jsonl"):
        for text in file.read_bytes().split(b"\n")[:-1]:
            line = json.loads(text)
            if line["event"] == "request":
                lines[line["site"]] += 1
    return lines


def missing(answered, lines):
    return {site: (count, lines[site]) for site, count in answered.items() if lines[site] < count}


def verified(folder):
    command = [BIN / "optout", "ledger", "verify", folder / "ledger"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("door", [optout_run, mitmdump], ids=["optout-run", "mitmdump"])
def test_all_that_clients_saw_answered_is_in_the_ledger_after_a_kill(door, tmp_path):
    spans = (0.2, 0.5, 0.9, 1.3) if door is optout_run else (0.4, 0.8)
    answered = rounds(door, tmp_path, spans)
    lines = written(tmp_path)
    assert sum(answered.values()) > 100, "there was load"
    assert missing(answered, lines) == {}
    # Of each run at most what was in flight is written and was not seen answered.
    assert sum(lines.values()) - sum(answered.values()) <= CLIENTS * len(spans)
    files = list((tmp_path / "ledger").glob("*.jsonl"))
    assert len(files) == len(spans)
    result = verified(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_control_one_line_less_is_noticed_twice(tmp_path):
    answered = rounds(optout_run, tmp_path, (0.4,))
    (file,) = (tmp_path / "ledger").glob("*.jsonl")
    lines = file.read_bytes().split(b"\n")
    ours = [n for n, line in enumerate(lines) if b'"site":"page0.example"' in line]
    cut = ours[: len(ours) - answered["page0.example"] + 1]
    file.write_bytes(b"\n".join(line for n, line in enumerate(lines) if n not in cut))
    assert set(missing(answered, written(tmp_path))) == {"page0.example"}
    assert verified(tmp_path).returncode == 4
