"""400 real requests, each judged by hand against the fact sheets, and judged alike by the engine.

`reviewed.csv` holds for each the first half of the SHA-256 of its address, page and type, and the
verdict at level `block`: whose it is, in which role, what is done. 200 are hits, spread over all
tools, roles and rules that the outside captures exercise; 200 are near misses: the same operators'
hosts, the same words in the path, look-alikes on the page's own site. Of the captures themselves
nothing is kept.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from corpora import CORPORA, needs_corpora
from optout_proxy import shipped
from optout_proxy.engine import Choices, Engine
from optout_proxy.registry.tool_file import load_all
from optout_proxy.resources import load_resources

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Path(__file__).with_name("reviewed.csv")
NOBODYS = "-"
TYPES = {
    "document": "document",
    "script": "script",
    "stylesheet": "stylesheet",
    "image": "image",
    "font": "font",
    "media": "media",
    "xhr": "xmlhttprequest",
    "fetch": "xmlhttprequest",
    "ping": "ping",
    "websocket": "websocket",
}


class Verdict(NamedTuple):
    tool: str
    role: str
    action: str


def reviewed() -> dict[str, Verdict]:
    with TABLE.open(encoding="ascii", newline="") as file:
        return {row.pop("request"): Verdict(**row) for row in csv.DictReader(file)}


def key(url: str, page: str, kind: str) -> str:
    text = f"{url}\n{page}\n{kind}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


def listed() -> Iterator[tuple[str, str, str]]:
    for file in sorted((CORPORA / "requests").glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            yield row["url"], row["page"], row["type"]


def captured() -> Iterator[tuple[str, str, str]]:
    """Requests of the HAR files; the page is what `Referer` says."""
    for file in sorted((CORPORA / "har").glob("*/*.har")):
        try:
            log = json.loads(file.read_text("utf-8-sig")).get("log", {})
        except ValueError:
            continue  # one of the captures is broken on purpose
        for entry in log.get("entries", []):
            asked = entry.get("request", {})
            lines = {line["name"].lower(): line["value"] for line in asked.get("headers", [])[::-1]}
            kind = TYPES.get(entry.get("_resourceType", ""), "other")
            yield asked.get("url", ""), lines.get("referer", ""), kind


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """What the engine says of each reviewed request that the captures hold."""
    folder = shipped.folder() / "blocklists"
    tools = [file.tool for file in load_all(folder)]
    engine = Engine(tools, Choices(every="block", inspect="all"), load_resources(folder))
    wanted, found = reviewed(), {}
    for url, page, kind in (*listed(), *captured()):
        if (name := key(url, page, kind)) in wanted and name not in found:
            decision = engine.decide(engine.name(url, page=page, type=kind))
            tool = decision.tool if decision.role else NOBODYS
            found[name] = Verdict(str(tool), decision.role or NOBODYS, decision.action)
    return found


def differing(table: dict[str, Verdict], verdicts: dict[str, Verdict]) -> dict[str, object]:
    return {
        name: (said, verdicts.get(name))
        for name, said in table.items()
        if said != verdicts.get(name)
    }


def test_the_table_holds_200_hits_and_200_near_misses() -> None:
    table = reviewed()
    hits = [verdict for verdict in table.values() if verdict.tool != NOBODYS]
    assert (len(hits), len(table) - len(hits)) == (200, 200)
    assert {verdict.role for verdict in hits} >= {"loads", "collects", "telemetry", "widgets"}


@needs_corpora
@pytest.mark.corpora
def test_every_reviewed_verdict_is_the_engines(verdicts: dict[str, Verdict]) -> None:
    assert differing(reviewed(), verdicts) == {}


@needs_corpora
@pytest.mark.corpora
def test_the_verdicts_of_other_requests_would_not_do(verdicts: dict[str, Verdict]) -> None:
    table = reviewed()
    names = sorted(table)
    shuffled = dict(zip(names, (table[name] for name in (*names[1:], names[0])), strict=True))
    assert len(differing(shuffled, verdicts)) > len(table) / 2
