"""What an import gives: the policy as the document states it, and how each entry was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from optout_proxy.registry.policy_file import (
        Changes,
        DeclaredTool,
        Field,
        Lines,
        Mention,
        Source,
        Statement,
    )

type Sure = Literal["certain", "likely", "possible"]
"""The document declares it by name; a heading, a list or a table does; a sentence names it."""


class Extra(msgspec.Struct, frozen=True):
    """Something that stands in an entry under a label we do not know: kept, never dropped."""

    label: str
    text: str
    lines: Lines


class Entry(msgspec.Struct, frozen=True):
    """One tool, as the document declares it."""

    tool: DeclaredTool
    found: str
    """How it was found, in words."""
    sure: Sure
    recognised: bool
    """There is a tool file for it."""
    extras: tuple[Extra, ...] = ()
    elsewhere: tuple[Extra, ...] = ()
    """Other places that name the same tool, each with what it is called there."""


class Imported(msgspec.Struct, frozen=True):
    """A document, read."""

    file: str
    name: str
    """Of the publisher's site, as the document spells it; empty where it cannot be told."""
    sites: tuple[str, ...]
    effective: date | None
    source: Source
    entries: tuple[Entry, ...] = ()
    contact: Field | None = None
    changes: Changes | None = None
    also_mentioned: tuple[Mention, ...] = ()
    statements: tuple[Statement, ...] = ()
    warnings: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    """The lines of the document, to quote from."""


def as_json(imported: Imported) -> dict[str, Any]:
    """The contract of `optout policy import --json`."""
    return {
        "source": imported.file,
        "sha256": imported.source.sha256,
        "effective": imported.effective.isoformat() if imported.effective else None,
        "sites": list(imported.sites),
        "tools": [_tool(entry) for entry in imported.entries],
        "also_mentioned": msgspec.to_builtins(imported.also_mentioned),
        "warnings": list(imported.warnings),
    }


def _tool(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(entry.tool)
    return {**told, "found": entry.found, "sure": entry.sure, "recognised": entry.recognised}
