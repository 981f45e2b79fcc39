"""Fields of an entry, put together from the paragraphs that state them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.importer.blocks import joined
from optout_proxy.importer.dates import full_dates
from optout_proxy.importer.inline import Rich, clipped
from optout_proxy.importer.kinds import kinds_of
from optout_proxy.importer.labels import is_not_applicable
from optout_proxy.registry.policy_file import FIELDS, DeclaredTool, Field, Limits, OptOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from optout_proxy.registry.policy_file import Lines, OptOutKind
    from optout_proxy.registry.tool_file import ToolFile

ABSENT: Final = Field("absent", "", (), None)
NO_PAGES: Final = "Pages that the notes do not name"
_LONGEST: Final = 20_000

_PAGES: Final = re.compile(
    r"\b(?:only )?(?:on|to) ((?:a (?:small|limited) number of|a few|some|certain|selected|specific)"
    r" [^.;]{0,120}?\bpages\b[^.;()]{0,120})",
    re.IGNORECASE,
)
_BEGINS: Final = re.compile(
    r"\b(?:begin|begins|start|starts|beginning|starting|effective|from|since|only on or after"
    r"|on or after)\b[^.;]{0,30}$",
    re.IGNORECASE,
)


class Part(msgspec.Struct, frozen=True):
    """A paragraph of a field's value."""

    rich: Rich
    lines: Lines


def field_of(parts: Sequence[Part]) -> Field:
    """A field as its paragraphs state it; its state tells "N/A", nothing and something apart."""
    lines = (parts[0].lines[0], parts[-1].lines[1])
    rich = _whole(parts)
    if not rich.text and not rich.links:
        return Field("empty", "", (), lines)
    if is_not_applicable(rich.text):
        return Field("na", rich.text, (), lines)
    return Field(
        "stated", clipped(rich.text, _LONGEST), tuple(it.link for it in rich.links[:100]), lines
    )


def opt_out_of(parts: Sequence[Part], tool: ToolFile | None, own: tuple[str, ...]) -> OptOut:
    """The opt-out field, with its kinds."""
    field = field_of(parts)
    kinds: tuple[OptOutKind, ...] = ("none",) if field.state == "na" else ()
    if field.state == "stated":
        kinds = kinds_of(_whole(parts), field.links, tool, own)
    return OptOut(field.state, field.text, field.links, field.lines, kinds)


def _whole(parts: Sequence[Part]) -> Rich:
    told = [part.rich for part in parts if part.rich.text]
    return joined(told, "\n") if told else Rich("")


def tool_of(
    tool_id: str,
    name: str,
    lines: Lines,
    values: Mapping[str, Sequence[Part]],
    tool: ToolFile | None,
    own: tuple[str, ...],
) -> DeclaredTool:
    """A declared tool from the paragraphs of its fields."""
    fields = {field: field_of(values[field]) if values.get(field) else ABSENT for field in FIELDS}
    said = values.get("opt_out")
    opt_out = opt_out_of(said, tool, own) if said else OptOut("absent", "", (), None, ())
    return DeclaredTool(
        id=tool_id,
        name=name,
        lines=lines,
        purpose=fields["purpose"],
        data_collected=fields["data_collected"],
        privacy_policy=fields["privacy_policy"],
        terms=fields["terms"],
        opt_out=opt_out,
        notes=fields["notes"],
        limits=limits_of(fields["notes"]),
    )


def limits_of(notes: Field) -> Limits | None:
    """Where and since when a tool is used, as far as its notes say so."""
    pages = _PAGES.search(notes.text)
    since = _since(notes.text)
    if notes.lines is None or not (pages or since):
        return None
    told = pages[1].strip(" ,") if pages else NO_PAGES
    return Limits(told[:1].upper() + told[1:], since, notes.lines)


def _since(text: str) -> date | None:
    """The day from which something holds, where the words before it say that it begins."""
    for day, start, _ in full_dates(text):
        if _BEGINS.search(text[max(0, start - 60) : start]):
            return day
    return None
