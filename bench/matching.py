"""Deciding, against the package `adblock` (adblock-rust), on the same rules and requests."""

from __future__ import annotations

import json
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import adblock

from measure import Asked, Row, in_turn, memory_of, noise_free, row, seconds
from optout_proxy import shipped
from optout_proxy.engine import Choices, Engine
from optout_proxy.engine.community import Community, Listed
from optout_proxy.registry.tool_file import load_all
from optout_proxy.resources import Resources, load_resources
from optout_proxy.rules.lists import load_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CORPORA = Path(__file__).resolve().parent.parent.parent / "shared" / "corpora"
EASYPRIVACY = CORPORA / "lists" / "easyprivacy.txt"
PEER = f"adblock {adblock.__version__}"


@cache
def requests() -> list[Asked]:
    """Real requests where they lie beside the checkout, else made-up ones."""
    files = sorted((CORPORA / "requests").glob("*.jsonl"))
    if not files:
        print("no outside requests here: measured on made-up ones", file=sys.stderr)
        return [
            (
                f"https://host{n % 97}.example/path/{n}/file.js?v={n}",
                "https://page.example/",
                "script",
            )
            for n in range(5000)
        ]
    lines = (json.loads(line) for file in files for line in file.open())
    return [(one["url"], one["page"], one["type"]) for one in lines]


def engine_of_tools() -> Engine:
    folder = shipped.folder() / "blocklists"
    tools = [file.tool for file in load_all(folder)]
    return Engine(tools, Choices(every="block"), load_resources(folder))


def peer_of_tools() -> Callable[[str, str, str], object]:
    """The peer with the very rules by which the tool files recognise requests."""
    rules = [
        ref.text
        for file in load_all(shipped.folder() / "blocklists")
        for role, ref in file.tool.rules
        if role not in {"visits", "permits"}
    ]
    return peer("\n".join(rules))


def peer(text: str) -> Callable[[str, str, str], object]:
    rules = adblock.FilterSet()
    rules.add_filter_list(text)
    return adblock.Engine(rules).check_network_urls


def engine_of_list() -> Engine:
    listed = Listed("easyprivacy.txt", load_list(EASYPRIVACY), "block")
    return Engine([], Choices(), Resources({}), Community((listed,)))


def rows(*, quick: bool) -> Iterator[Row]:
    asked = requests()[:: 50 if quick else 5]
    pairs = [("tool files", engine_of_tools().decide_url, peer_of_tools(), 0.9, 1.8)]
    if EASYPRIVACY.is_file():
        pairs.append(
            ("EasyPrivacy", engine_of_list().decide_url, peer(EASYPRIVACY.read_text()), 0.85, 1.5)
        )
    for name, ours, theirs, first, first_tail in pairs:
        mine, others = noise_free(ours, asked), noise_free(theirs, asked)  # type: ignore[arg-type]
        half, tail = len(asked) // 2, len(asked) * 99 // 100
        yield row(f"decide p50, {name}", PEER, mine[half], others[half], "µs", first)
        yield row(f"decide p99, {name}", PEER, mine[tail], others[tail], "µs", first_tail)
    if EASYPRIVACY.is_file():
        yield from _loading()


def _loading() -> Iterator[Row]:
    text = EASYPRIVACY.read_text()
    with tempfile.TemporaryDirectory() as folder:
        load_list(EASYPRIVACY, Path(folder))
        ours, kept, theirs = in_turn(
            5,
            lambda: seconds(lambda: load_list(EASYPRIVACY)),
            lambda: seconds(lambda: load_list(EASYPRIVACY, Path(folder))),
            lambda: seconds(lambda: peer(text)),
        )
    yield row("load EasyPrivacy", PEER, ours * 1000, theirs * 1000, "ms", 0.45)
    yield row("load EasyPrivacy from cache", PEER, kept * 1000, theirs * 1000, "ms", None)
    mine = memory_of(
        "from optout_proxy.rules.lists import load_list; from pathlib import Path",
        f"kept = load_list(Path({str(EASYPRIVACY)!r}))",
    )
    others = memory_of(
        "import adblock",
        f"rules = adblock.FilterSet(); rules.add_filter_list(open({str(EASYPRIVACY)!r}).read());"
        "kept = adblock.Engine(rules); del rules",
    )
    yield row("memory of EasyPrivacy", PEER, mine, others, "MB", 0.25)


def disagreements(*, quick: bool) -> Iterator[str]:
    """How often a list's verdict is the peer's, and each kind of difference."""
    if not EASYPRIVACY.is_file():
        return
    asked = requests()[:: 10 if quick else 1]
    ours, theirs = engine_of_list().decide_url, peer(EASYPRIVACY.read_text())
    kinds: dict[str, int] = {}
    for url, page, kind in asked:
        mine = ours(url, page, kind).stops  # type: ignore[arg-type]
        verdict = theirs(url, page, kind)
        if mine != verdict.matched:  # type: ignore[attr-defined]
            why = explained(kind, page, mine=mine)
            kinds[why] = kinds.get(why, 0) + 1
    share = 1 - sum(kinds.values()) / len(asked)
    met = "met" if share >= 0.999 else "NOT met"
    yield f"\nEasyPrivacy: {share:.3%} of {len(asked)} verdicts are the peer's (99.9 %: {met})."
    for why, count in sorted(kinds.items(), key=lambda pair: -pair[1]):
        yield f"  {count:>4}  {why}"


def explained(kind: str, page: str, *, mine: bool) -> str:
    if kind == "document" and not mine:
        return (
            "the peer stops a top-level navigation by ||host^; by the language, only $document does"
        )
    if not page.startswith("http"):
        return f"the page {page!r} names no host: the peer takes domain= for fulfilled"
    if mine:
        return "the peer takes % for a part of words, and finds no word of the rule in the URL"
    return "unexplained"
