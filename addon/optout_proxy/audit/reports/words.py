"""What all reports say alike: texts from outside made harmless, and findings told in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from optout_proxy.audit.result import NeverSeenResult, Result, ToolResult, UndeclaredResult
    from optout_proxy.audit.tally import Evidence
    from optout_proxy.registry.settings import Waiver

LIMITS: Final = (
    "This is evidence about what a browser sent in these captures, and no statement about the law.",
    (
        "Not in a capture: QUIC past a proxy, pinned hosts, what a server hands on by itself, "
        "storage in the browser, cookies that scripts set and no request carries."
    ),
)
_SEEN: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, most: int = 300) -> str:
    """Text from outside on one line, without what steers a terminal or is no character in XML."""
    shown = "".join(char if char.isprintable() else _SEEN for char in text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def many(count: int, what: str) -> str:
    """A number of things."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def told(tool: ToolResult) -> str:
    """A verdict in one sentence."""
    counted = many(tool.hits, "hit")
    if tool.baseline_hits is not None:
        counted += f", {tool.baseline_hits} in the baseline"
    return f"{tool.name} ({tool.level}): {tool.verdict}: {tool.says} ({counted})"


def of_evidence(one: Evidence) -> str:
    """A request that decided something, in one line."""
    carried = ", ".join(
        [f"cookie {plain(name, 60)}" for name in one.carried.cookies]
        + [f"parameter {plain(name, 60)}" for name in one.carried.params]
    )
    said = " ".join(plain(flag, 60) for flag in one.flags)
    parts = (f"{plain(one.file)}, entry {one.index}: {plain(one.url)}", carried, said)
    return "; ".join(part for part in parts if part)


def of_undeclared(one: UndeclaredResult) -> str:
    """An undeclared tracker in one sentence."""
    whose = f" ({one.operator}: {one.product})" if one.operator else ""
    why = [f"known by {plain(by, 80)}" for by in one.known_by]
    why += [f"received the {plain(name, 80)}" for name in one.identifiers[:3]]
    return f"{plain(one.site)}{whose}: {'; '.join(why)}; {many(one.requests, 'request')}"


def of_never_seen(one: NeverSeenResult) -> str:
    """A declared tool that was not seen, in one sentence."""
    if not one.recognisable:
        return f"{plain(one.name)}: declared ({plain(one.declared)}), and no tool file knows it"
    return f"{one.name}: declared ({plain(one.declared)}), and seen on 0 of {one.pages} pages"


def of_waiver(waiver: Waiver) -> str:
    """Who answers for a finding, and until when."""
    return f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"


def headline(result: Result) -> str:
    """What was looked at."""
    files = many(len(result.files), "capture")
    unread = f", {result.unreadable} of them unreadable" if result.unreadable else ""
    entries = f"{result.entries} {'entry' if result.entries == 1 else 'entries'}"
    return f"{files}, {entries}{unread}, {many(result.page_loads, 'page')} loaded"
