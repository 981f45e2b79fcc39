"""A document → what it declares: the way through, from bytes to entries."""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.importer import facts
from optout_proxy.importer.addresses import Addresses, find_addresses
from optout_proxy.importer.document import parse_document
from optout_proxy.importer.hypertext import html_blocks
from optout_proxy.importer.imported import Entry, Extra, Imported
from optout_proxy.importer.lists import list_entries
from optout_proxy.importer.markdown import markdown_blocks, text_blocks
from optout_proxy.importer.mentions import mentions_of
from optout_proxy.importer.names import Names
from optout_proxy.importer.outline import Outline
from optout_proxy.importer.passages import line_entries, sentence_entries
from optout_proxy.importer.sections import declared_entries, section_entries
from optout_proxy.importer.tables import table_entries
from optout_proxy.registry.policy_file import DeclaredTool, Field, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.document import Document
    from optout_proxy.registry.tool_file import ToolFile

_MOST_ENTRIES: Final = 2000
_LAYOUTS: Final = (table_entries, section_entries, list_entries, line_entries, sentence_entries)
"""The ways in which policies name tools, from the surest to the least sure."""
_RANK: Final = {"certain": 0, "likely": 1, "possible": 2}


def import_document(
    raw: bytes, name: str, tool_files: Mapping[str, ToolFile], site: str = ""
) -> Imported:
    """Read the bytes of a published policy; InputError where they are none."""
    return import_policy(parse_document(raw, name), tool_files, site)


def import_policy(
    document: Document, tool_files: Mapping[str, ToolFile], site: str = ""
) -> Imported:
    """Read a document: its tools, what it says about itself, and what is odd about it."""
    addresses, blocks = _blocks(document, site)
    names = Names(tool_files)
    sites = facts.sites_of(addresses, blocks)
    sites = tuple(dict.fromkeys((site, *sites))) if site else sites
    warnings = list(document.warnings)
    entries, told = _entries(blocks, names, sites)
    warnings += told
    effective, notes = facts.effective_of(blocks)
    warnings += [*notes, *facts.contradictions(effective, blocks)]
    warnings += [*addresses.notes, *_refused(addresses)]
    if not sites:
        warnings.append("which site the policy covers cannot be told from the document")
    return Imported(
        file=document.name,
        name=facts.name_of(blocks, sites),
        sites=sites,
        effective=effective,
        source=facts.source_of(document, addresses),
        entries=entries,
        contact=facts.contact_of(blocks),
        changes=facts.changes_of(blocks),
        also_mentioned=mentions_of(blocks, entries, names, sites),
        statements=tuple(facts.retention_of(blocks)),
        warnings=tuple(warnings),
        text=tuple(document.text.split("\n")),
    )


def _blocks(document: Document, site: str) -> tuple[Addresses, list[Block]]:
    """The blocks of a document, and where its links lead from.

    Where it does not say where it was published, its title may name the site: it is read again.
    """
    addresses = find_addresses(document.text)
    if not addresses.base and site:
        addresses.base = f"https://{site}/"
    blocks = blocks_of(document, addresses)
    named = facts.site_in_title(blocks) if not addresses.base else ""
    if not named:
        return addresses, blocks
    addresses = Addresses()
    addresses.base = f"https://{named}/"
    return addresses, blocks_of(document, addresses)


def blocks_of(document: Document, addresses: Addresses) -> list[Block]:
    """Cut a document into blocks, by what it is written in."""
    readers = {"html": html_blocks, "markdown": markdown_blocks, "text": text_blocks}
    return readers[document.form](document, addresses)


def _refused(addresses: Addresses) -> Iterable[str]:
    for line, what in sorted(addresses.refused.items())[:20]:
        yield f"line {line}: a link is left out, it leads to {what}"


def _entries(
    blocks: Sequence[Block], names: Names, sites: tuple[str, ...]
) -> tuple[tuple[Entry, ...], list[str]]:
    """The tools of a document: those it lists as such, else those it names otherwise."""
    outline = Outline(blocks, names, sites)
    listed = _some(declared_entries(outline), outline)
    found = listed or _some(chain.from_iterable(read(outline) for read in _LAYOUTS), outline)
    entries = _one_each(found)
    return entries, [*outline.warnings, *_notes(entries)]


def _some(entries: Iterable[Entry], outline: Outline) -> list[Entry]:
    """The first of many entries: no policy has that many."""
    found = list(islice(entries, _MOST_ENTRIES + 1))
    if len(found) > _MOST_ENTRIES:
        outline.warnings.append(f"only the first {_MOST_ENTRIES} entries are kept")
    return found[:_MOST_ENTRIES]


def _one_each(found: Sequence[Entry]) -> tuple[Entry, ...]:
    """One entry a tool, the surest; the other places that name it are noted in it."""
    held: dict[str, list[Entry]] = {}
    for entry in sorted(found, key=lambda it: (_RANK[it.sure], it.tool.lines)):
        held.setdefault(entry.tool.id, []).append(entry)
    entries = [_together(same) for same in held.values()]
    return tuple(sorted(entries, key=lambda it: (it.tool.lines[0], it.tool.lines[1])))


def _together(same: list[Entry]) -> Entry:
    first, others = _fullest(same)
    elsewhere = tuple(
        Extra(it.tool.name, _opt_out_said(it), it.tool.lines)
        for it in sorted(others, key=lambda it: it.tool.lines)
        if it.tool.lines != first.tool.lines
    )
    return msgspec.structs.replace(first, elsewhere=elsewhere[:20])


def _fullest(same: list[Entry]) -> tuple[Entry, list[Entry]]:
    """The entry to keep: the surest; among equals, the first that states an opt-out with a link."""
    rank = _RANK[same[0].sure]
    equals = [it for it in same if _RANK[it.sure] == rank]
    best = next((it for it in equals if it.tool.opt_out.links), None)
    best = best or next((it for it in equals if it.tool.opt_out.state != "absent"), equals[0])
    return best, [it for it in same if it is not best]


def _opt_out_said(entry: Entry) -> str:
    links = ", ".join(link.url for link in entry.tool.opt_out.links)
    return f"opt-out: {links}" if links else ""


def _notes(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        tool = entry.tool
        where = f"line {tool.lines[0]}"
        if not entry.recognised:
            yield f"{where}: {tool.name} is declared, but not recognisable yet (no tool file)"
        for other in entry.elsewhere:
            differs = other.text and other.text != _opt_out_said(entry)
            if differs or entry.sure == "certain":
                places = f"lines {other.lines[0]}-{other.lines[1]}"
                said = f"; {other.text}" if other.text else ""
                yield f"{places}: {tool.id} again, as {other.label}{said}"


def as_policy(imported: Imported) -> Policy:
    """What a policy file made from an import says: links that are all of a text stand for it."""
    return Policy(
        name=imported.name or "unknown",
        sites=imported.sites,
        effective=imported.effective,
        source=imported.source,
        contact=_filed(imported.contact) if imported.contact else None,
        changes=imported.changes,
        tools=tuple(_filed_tool(entry.tool) for entry in imported.entries),
        also_mentioned=imported.also_mentioned,
        statements=imported.statements,
    )


def _filed_tool(tool: DeclaredTool) -> DeclaredTool:
    fields = {name: _filed(field) for name, field in tool.fields.items()}
    return msgspec.structs.replace(tool, **fields)


def _filed[F: Field](field: F) -> F:
    if field.state == "stated" and not (field.links and _is_links_only(field)):
        return field
    return msgspec.structs.replace(field, text="")


def _is_links_only(field: Field) -> bool:
    """Whether a text is its links and what parts them."""
    rest = field.text
    for link in field.links:
        rest = rest.replace(link.text, " ", 1)
    return not re.sub(r"\band\b|\bor\b|[\W_]", "", rest)
