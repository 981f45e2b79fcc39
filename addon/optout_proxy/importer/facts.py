"""What a document says about itself: whose it is, since when, how it changes, what is kept."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

from optout_proxy.hosts import host_of, parents, site_of
from optout_proxy.importer.addresses import archived_on
from optout_proxy.importer.dates import effective_in, full_dates
from optout_proxy.importer.inline import clipped
from optout_proxy.importer.names import tidy
from optout_proxy.registry.policy_file import Changes, Field, Link, Source, Statement
from optout_proxy.registry.toml_table import is_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.importer.addresses import Addresses
    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.document import Document

_CHANGES: Final = re.compile(
    r"\b(?:at least |for |of )?(?P<days>\d{1,3})[\s-]days?\b"
    r"(?=[^.]{0,80}\b(?:before|prior|advance|notice|take|when(?:ever)?))"
    r"|\b(?:notice|posted?)\b[^.]{0,60}\b(?P<days2>\d{1,3}) days\b",
    re.IGNORECASE,
)
_IS_CHANGE: Final = re.compile(
    r"\b(?:chang|revis|amend|updat|modif)\w*[^.]{0,80}\b(?:policy|notice|statement)"
    r"|policy is changed"
    r"|\b(?:policy|notice|statement)\b[^.]{0,80}\b(?:chang|revis|amend|updat|modif)",
    re.IGNORECASE,
)
_KEPT: Final = re.compile(
    r"\b(?:retain|kept|keep|stor(?:e|ed|es)|discard|delet|expir|eras|purg|preserv)\w*\b[^.]{0,120}?"
    r"\b(?:(?P<count>\d{1,4}|one|two|three|four|five|six|seven|ten|twelve|thirty|ninety)\s?(?:\(\d+\)\s)?"
    r"(?P<unit>day|week|month|year)s?|(?P<ever>indefinitely|permanently|for ever|forever))\b",
    re.IGNORECASE,
)
_COLLECTS: Final = re.compile(
    r"\b(?:retain|kept|keep|stor(?:e|ed|es)|collect)\w*\b[^.]{0,160}?"
    r"\b(?P<ever>indefinitely|permanently|forever)\b",
    re.IGNORECASE,
)
_MAIL: Final = re.compile(
    r"(?<![\w.+@-])[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}(?![\w@])", re.IGNORECASE
)
_CONTACT: Final = re.compile(
    r"\b(?:contact|questions?|write to|e-?mail us|concerns)\b", re.IGNORECASE
)
_MOST_KEPT: Final = 20
_SPAN: Final = re.compile(
    r"indefinitely|permanently|for ?ever|days?|weeks?|months?|years?", re.IGNORECASE
)
_OUT_OF_SIGHT: Final = "It happens on the publisher's or the operator's servers."
_TITLE: Final = re.compile(
    r"\b(?:privacy|cookies?)\b.{0,40}\b(?:policy|notice|statement)\b", re.IGNORECASE
)


def source_of(document: Document, addresses: Addresses) -> Source:
    """The document, with where it was published and archived, as far as it says so."""
    day = archived_on(addresses.snapshot)
    archived = None
    if day:
        try:
            archived = date(int(day[:4]), int(day[4:6]), int(day[6:]))
        except ValueError:
            archived = None
    url = re.sub(r"^http:", "https:", addresses.home) if addresses.snapshot else addresses.home
    return Source(document.sha256, document.lines, url, addresses.snapshot, archived)


def sites_of(addresses: Addresses, blocks: Sequence[Block]) -> tuple[str, ...]:
    """The sites a policy covers: the publisher's, and its own other hosts that it names as such."""
    home = _home(addresses, blocks) or site_in_title(blocks)
    if not home or not is_host(home):
        return ()
    found = [home]
    for block in blocks:
        for placed in block.rich.links:
            host = host_of(placed.link.url)
            rest = placed.link.url.partition("://")[2].partition("/")[2]
            own = home in parents(host) and host not in (home, f"www.{home}")
            if own and not rest and host not in found and len(found) < 50:
                found.append(host)
    return tuple(found)


def _home(addresses: Addresses, blocks: Sequence[Block]) -> str:
    """The publisher's host; its whole site where the document calls itself by that name."""
    host = host_of(addresses.home).removeprefix("www.")
    site = site_of(host)
    if not host or host == site:
        return host
    called = re.compile(rf"(?<![\w.@/-]){re.escape(site)}(?![\w-])", re.IGNORECASE)
    return site if any(called.search(block.text) for block in blocks[:60]) else host


def site_in_title(blocks: Sequence[Block]) -> str:
    """The domain that a title gives: "Privacy policy | Shop.example"."""
    for block in blocks[:20]:
        if block.kind == "heading" and _TITLE.search(block.text):
            for word in re.findall(r"[\w-]+(?:\.[\w-]+)+", block.text.lower()):
                if is_host(word):
                    return site_of(word)
    return ""


def name_of(blocks: Sequence[Block], sites: tuple[str, ...]) -> str:
    """The publisher's site as the document spells it."""
    if not sites:
        return ""
    pattern = re.compile(rf"(?<![\w.@/-]){re.escape(sites[0])}(?![\w-])", re.IGNORECASE)
    for block in blocks[:50]:
        for found in pattern.finditer(block.text):
            if found.group()[:1].isupper():
                return tidy(found.group())
    return sites[0]


def effective_of(blocks: Sequence[Block]) -> tuple[date | None, list[str]]:
    """The day the policy took effect; failing that, the day it was last updated."""
    updated: tuple[date, list[str]] | None = None
    for block in blocks:
        if len(block.text) > 600 or not (said := effective_in(block.text)):
            continue
        day, doubtful, is_update = said
        where = f"line {block.lines[0]}"
        notes = [f"{where}: the date was read as {day}, month first"] if doubtful else []
        if not is_update:
            return day, notes
        updated = updated or (day, [*notes, f"{where}: {day} is when it was last updated"])
    return updated or (None, [])


def contradictions(effective: date | None, blocks: Sequence[Block]) -> Iterator[str]:
    """Where a document speaks of days that come after the one it says it took effect on."""
    told: set[date] = set()
    for block in blocks:
        of_archive = any("//web.archive.org/web/" in it.link.archived_as for it in block.rich.links)
        for day, _, _ in full_dates(block.text) if effective and not of_archive else ():
            if effective and day > effective and day not in told and len(told) < 5:
                told.add(day)
                spoken = f"it says {effective}, but speaks of {day}"
                yield f"line {block.lines[0]}: {spoken}: it was changed since"


def changes_of(blocks: Sequence[Block]) -> Changes | None:
    """How a new version is announced, where a number of days is given."""
    for block in blocks:
        if "day" in block.text and _IS_CHANGE.search(block.text):
            for sentence in re.split(r"(?<=[.!?])\s", block.text):
                found = _CHANGES.search(sentence)
                if found and (days := int(found["days"] or found["days2"])):
                    return Changes(days, clipped(sentence), block.lines)
    return None


def contact_of(blocks: Sequence[Block]) -> Field | None:
    """Whom to write to about privacy: the last e-mail address under words that say so."""
    best: Field | None = None
    for block in blocks:
        mail = _mail_of(block)
        if mail and _CONTACT.search(block.text):
            best = Field("stated", clipped(block.text), (mail,), block.lines)
    return best


def _mail_of(block: Block) -> Link | None:
    linked = (it.link for it in block.rich.links if it.link.url.startswith("mailto:"))
    if found := next(linked, None):
        return found
    if "@" not in block.text or not (match := _MAIL.search(block.text)):
        return None
    mail = match.group()
    return Link(mail, f"mailto:{mail}") if is_host(mail.rpartition("@")[2].lower()) else None


def retention_of(blocks: Sequence[Block]) -> Iterator[Statement]:
    """How long something is kept, sentence by sentence."""
    told = 0
    for block in blocks:
        if not _SPAN.search(block.text):
            continue
        for sentence in re.split(r"(?<=[.!?])\s+", block.text):
            if told < _MOST_KEPT and (_KEPT.search(sentence) or _COLLECTS.search(sentence)):
                told += 1
                text = clipped(sentence)
                yield Statement(f"kept-{told}", text, "nothing", _OUT_OF_SIGHT, block.lines, (), ())
