"""Services that a policy speaks of without declaring them as tools."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from optout_proxy.hosts import host_of, site_of
from optout_proxy.importer.inline import clipped
from optout_proxy.importer.kinds import is_operators
from optout_proxy.importer.names import slug, tidy
from optout_proxy.registry.policy_file import Link, Mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.imported import Entry
    from optout_proxy.importer.names import Names
    from optout_proxy.registry.policy_file import Lines

_MOST: Final = 50
_NAME: Final = re.compile(r"[A-Z][\w.&'-]*(?: [A-Z][\w.&'-]*){0,3}")


def mentions_of(
    blocks: Sequence[Block], entries: Sequence[Entry], names: Names, sites: tuple[str, ...]
) -> tuple[Mention, ...]:
    """Known tools that are no entry, and services whose own privacy policy an entry links."""
    held = {entry.tool.id for entry in entries}
    found = {
        it.id: it for it in (*_known(blocks, held, names), *_linked(blocks, entries, names, sites))
    }
    kept = [it for it in found.values() if it.id not in held]
    return tuple(sorted(kept, key=lambda it: it.mentions[0])[:_MOST])


def _known(blocks: Sequence[Block], held: set[str], names: Names) -> Iterable[Mention]:
    places: dict[str, list[tuple[Block, str]]] = {}
    for block in blocks:
        for one in names.find(block.text):
            if one.tool not in held:
                places.setdefault(one.tool, []).append((block, one.text))
    for tool, found in places.items():
        file = names.tool_files[tool]
        linked = (it.link for block, _ in found for it in block.rich.links)
        links = tuple(dict.fromkeys(link for link in linked if is_operators(link.url, file)))
        blocks_of = list({block.lines: block for block, _ in found}.values())
        yield Mention(
            tool, tidy(found[0][1]), _sentence(blocks_of[0], found[0][1]), links, _lines(blocks_of)
        )


def _linked(
    blocks: Sequence[Block], entries: Sequence[Entry], names: Names, sites: tuple[str, ...]
) -> Iterable[Mention]:
    for entry in entries:
        file = names.tool_files.get(entry.tool.id)
        for link in (
            *entry.tool.notes.links,
            *entry.tool.purpose.links,
            *entry.tool.data_collected.links,
        ):
            theirs = site_of(host_of(link.url))
            known = theirs in sites or (file is not None and is_operators(link.url, file))
            if known or not _NAME.fullmatch(link.text) or "privacy" not in urlsplit(link.url).path:
                continue
            about = [block for block in blocks if _says(block.text, link.text)]
            if about:
                yield _mention(link, about)


def _mention(link: Link, about: list[Block]) -> Mention:
    text = _sentence(about[0], link.text)
    return Mention(
        slug(link.text, about[0].lines[0]), tidy(link.text), text, (link,), _lines(about)
    )


def _says(text: str, name: str) -> bool:
    return (
        re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None if name in text else False
    )


def _lines(blocks: Sequence[Block]) -> tuple[Lines, ...]:
    return tuple(dict.fromkeys(block.lines for block in blocks))[:50]


def _sentence(block: Block, name: str) -> str:
    for sentence in re.split(r"(?<=[.!?])\s+", block.text):
        if name in sentence:
            return clipped(sentence)
    return clipped(block.text)
