"""What the importer promises about any document: what tests and the fuzzer hold it to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from optout_proxy import shipped
from optout_proxy.errors import InputError
from optout_proxy.importer import Imported, as_json, import_document
from optout_proxy.importer.policy import as_policy
from optout_proxy.importer.reviewed import merged
from optout_proxy.importer.written import written
from optout_proxy.registry.policy_file import parse_policy
from optout_proxy.registry.tool_file import load_all

if TYPE_CHECKING:
    from pathlib import Path

TOOL_FILES = {file.tool.id: file for file in load_all(shipped.folder() / "blocklists")}
TODAY = "2026-11-24"
FIELD = ["state", "text", "links", "lines"]
TOP = ["source", "sha256", "effective", "sites", "tools", "also_mentioned", "warnings"]


def read(raw: bytes | str, name: str = "shop.md") -> Imported:
    """Import a document."""
    return import_document(raw if isinstance(raw, bytes) else raw.encode(), name, TOOL_FILES)


def hold(raw: bytes, name: str) -> Imported | None:
    """Import a document and check every promise; None where it was refused, with a sentence."""
    try:
        imported = import_document(raw, name, TOOL_FILES, "shop.example")
    except InputError as error:
        if not str(error).isprintable():
            raise
        return None
    _places(imported)
    _json(imported)
    text = written(imported, TODAY)
    assert parse_policy(text, "shop.toml") == as_policy(imported)
    text.encode()
    return imported


def hold_again(before: Imported, after: Imported, file: Path) -> None:
    """Import one document over the file of another, and check what then stands there."""
    file.write_text(written(before, TODAY), encoding="utf-8")
    text, _ = merged(file, after, TODAY)
    old, new = parse_policy(file.read_text("utf-8"), file), parse_policy(text, file)
    fresh = as_policy(after)
    assert sorted(tool.id for tool in new.tools) == sorted(tool.id for tool in fresh.tools)
    assert (new.source.sha256, new.source.lines) == (fresh.source.sha256, fresh.source.lines)
    kept = {tool.id: tool for tool in old.tools}
    for tool in new.tools:
        if tool.id in kept:
            assert [it.text for it in tool.fields.values()] == [
                it.text for it in kept[tool.id].fields.values()
            ]
    file.write_text(text, encoding="utf-8")
    assert merged(file, after, TODAY)[0] == text


def _places(imported: Imported) -> None:
    """Every value stands on lines of the document, and every link is one that a policy may hold."""
    last = imported.source.lines
    for entry in imported.entries:
        first, end = entry.tool.lines
        assert 1 <= first <= end <= last
        for field in entry.tool.fields.values():
            assert (field.lines is None) == (field.state == "absent")
            if field.lines:
                assert first <= field.lines[0] <= field.lines[1] <= end
            for link in field.links:
                assert link.url.startswith(("http://", "https://", "mailto:"))


def _json(imported: Imported) -> None:
    told = json.loads(msgspec.json.encode(as_json(imported)))
    assert list(told) == TOP
    for tool in told["tools"]:
        for name in ("purpose", "data_collected", "privacy_policy", "terms", "notes"):
            assert list(tool[name]) == FIELD
        assert list(tool["opt_out"]) == [*FIELD, "kinds"]
