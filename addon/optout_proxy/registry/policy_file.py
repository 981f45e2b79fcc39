"""What a privacy policy declares: `policies/<site>.toml`, typed, every mistake with its place.

The file states what the publisher's document says, in our words, and where it says so. How a tool
is recognised is no business of it; nor is what the user chose.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from optout_proxy.hosts import host_of
from optout_proxy.registry.toml_table import Table, is_host, shown, suggest
from optout_proxy.registry.toml_text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from optout_proxy.registry.toml_text import KeyPath

type State = Literal["stated", "na", "empty", "absent"]
"""A field that says something; says "N/A"; has a label and nothing after it; is not there."""
type OptOutKind = Literal["none", "link", "login", "cookie", "abstain", "reference"]
"""How one opts out: a page, after a log-in, by a cookie, by staying away, as told elsewhere."""
type Outside = Literal["enforce", "verify", "nothing"]
"""What somebody outside the publisher's and the operator's own servers can do about a statement."""

STATES: Final[tuple[State, ...]] = get_args(State.__value__)
OPT_OUT_KINDS: Final[tuple[OptOutKind, ...]] = get_args(OptOutKind.__value__)
OUTSIDE: Final[tuple[Outside, ...]] = get_args(Outside.__value__)

type Lines = tuple[int, int]
"""First and last line in the source document, from 1."""


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str
    url: str
    assumed_scheme: bool = False
    """The document names the host only; `https://` is ours."""
    archived_as: str = ""
    """What the link looks like in the archived document, where archiving damaged it."""


class Field(msgspec.Struct, frozen=True):
    """One of the six things a policy says about a tool."""

    state: State
    text: str
    links: tuple[Link, ...]
    lines: Lines | None
    """None where the field is absent."""


class OptOut(Field, frozen=True):
    """A field that also says by which means one opts out."""

    kinds: tuple[OptOutKind, ...]


class Limits(msgspec.Struct, frozen=True):
    """Where and when a policy says that a tool is used at all."""

    pages: str
    """In words: the policy names no addresses."""
    since: date | None
    lines: Lines


class DeclaredTool(msgspec.Struct, frozen=True):
    id: str
    name: str
    lines: Lines
    purpose: Field
    data_collected: Field
    privacy_policy: Field
    terms: Field
    opt_out: OptOut
    notes: Field
    limits: Limits | None = None

    @property
    def fields(self) -> dict[str, Field | OptOut]:
        """List the six fields by name, in the document's order."""
        return {name: getattr(self, name) for name in FIELDS}


class Mention(msgspec.Struct, frozen=True):
    """A service the policy speaks of without declaring it as a tool."""

    id: str
    name: str
    text: str
    links: tuple[Link, ...]
    mentions: tuple[Lines, ...]


class Statement(msgspec.Struct, frozen=True):
    """Something the policy promises or admits, and what can be done about it from outside."""

    id: str
    text: str
    outside: Outside
    how: str
    """How it is enforced or verified, or why neither can be done."""
    lines: Lines
    tools: tuple[str, ...]
    """The tools and mentions it is about; empty where it is about all or none."""
    links: tuple[Link, ...]


class Changes(msgspec.Struct, frozen=True):
    """How the publisher announces a new version."""

    notice_days: int
    text: str
    lines: Lines


class Source(msgspec.Struct, frozen=True):
    """The document the file was made from."""

    sha256: str
    lines: int
    """How many it has."""
    url: str = ""
    """Where the publisher has it."""
    snapshot: str = ""
    """Where an archive has it, as it was."""
    archived: date | None = None


class Policy(msgspec.Struct, frozen=True):
    name: str
    sites: tuple[str, ...]
    """Hosts it covers, with their subdomains."""
    effective: date | None
    source: Source
    contact: Field | None
    changes: Changes | None
    tools: tuple[DeclaredTool, ...]
    also_mentioned: tuple[Mention, ...]
    statements: tuple[Statement, ...]
    reviewed: date | None = None
    """The day on which a person read the file through."""


FIELDS: Final = ("purpose", "data_collected", "privacy_policy", "terms", "opt_out", "notes")

_TOP: Final = (
    *("name", "sites", "effective", "reviewed", "source", "contact", "changes"),
    *("tool", "also_mentioned", "statement"),
)
_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_WITHIN: Final = "write the first and the last line, such as [35, 47]"


def load_policy(path: Path) -> Policy:
    """Read a policy file; InputError where it does not hold what a policy file must."""
    return parse_policy(read_text(path), path)


def parse_policy(text: str, file: Path | str) -> Policy:
    """Read the text of a policy file: hosts, dates, kinds, ids and line numbers are checked."""
    top = Table.parse(text, file)
    top.only(_TOP)
    source = _source(_required(top, "source"))
    document = (1, source.lines)
    tools = tuple(_tool(table, document) for table in top.tables("tool"))
    also = tuple(_mention(table, document) for table in top.tables("also_mentioned"))
    _distinct(top, ("tool", "also_mentioned"))
    _in_order(top, tools)
    known = tuple(tool.id for tool in tools) + tuple(service.id for service in also)
    statements = tuple(_statement(it, document, known) for it in top.tables("statement"))
    _distinct(top, ("statement",))
    return Policy(
        name=top.string("name"),
        sites=_sites(top),
        effective=_day(top, "effective"),
        source=source,
        contact=_field(top, "contact", document) if "contact" in top else None,
        changes=_changes(top.table("changes"), document) if "changes" in top else None,
        tools=tools,
        also_mentioned=also,
        statements=statements,
        reviewed=_day(top, "reviewed"),
    )


# --- The document ---------------------------------------------------------------------------------


def _source(table: Table) -> Source:
    table.only(("sha256", "lines", "url", "snapshot", "archived"))
    sha256 = table.string("sha256")
    if not _SHA256.fullmatch(sha256):
        right = "write the 64 hexadecimal digits that sha256sum gives, in lower case"
        raise table.wrong("sha256", f"{table.name('sha256')} is no SHA-256", right)
    return Source(
        sha256=sha256,
        lines=table.count("lines"),
        url=_url(table, "url") if "url" in table else "",
        snapshot=_url(table, "snapshot") if "snapshot" in table else "",
        archived=_day(table, "archived"),
    )


def _sites(top: Table) -> tuple[str, ...]:
    sites = top.strings("sites")
    if not sites:
        raise top.wrong(
            "sites", "no site is named", 'write the hosts it covers: sites = ["a.example"]'
        )
    for number, site in enumerate(sites):
        if not is_host(site):
            right = 'write a host in lower case, such as "shop.example"'
            raise top.wrong(("sites", number), f"{shown(site)} is no host", right)
    return sites


def _changes(table: Table, document: Lines) -> Changes:
    table.only(Changes.__struct_fields__)
    return Changes(table.count("notice_days"), table.string("text"), _lines(table, document))


def _statement(table: Table, document: Lines, known: tuple[str, ...]) -> Statement:
    table.only(Statement.__struct_fields__)
    tools = table.strings("tools")
    for number, tool in enumerate(tools):
        if tool not in known:
            what = f"this policy names no tool {shown(tool)}"
            raise table.wrong(("tools", number), what, suggest(tool, known))
    return Statement(
        id=_id(table),
        text=table.string("text"),
        outside=table.word("outside", OUTSIDE),
        how=table.string("how"),
        lines=_lines(table, document),
        tools=tools,
        links=_links(table),
    )


def _mention(table: Table, document: Lines) -> Mention:
    table.only(Mention.__struct_fields__)
    places = _list(table, "mentions")
    return Mention(
        id=_id(table),
        name=table.string("name"),
        text=table.string("text"),
        links=_links(table),
        mentions=tuple(
            _range(table, ("mentions", number), place, document)
            for number, place in enumerate(places)
        ),
    )


# --- A tool ---------------------------------------------------------------------------------------


def _tool(table: Table, document: Lines) -> DeclaredTool:
    table.only(DeclaredTool.__struct_fields__)
    lines = _lines(table, document)
    limits = _limits(table.table("limits"), lines) if "limits" in table else None
    return DeclaredTool(
        id=_id(table),
        name=table.string("name"),
        lines=lines,
        purpose=_field(table, "purpose", lines),
        data_collected=_field(table, "data_collected", lines),
        privacy_policy=_field(table, "privacy_policy", lines),
        terms=_field(table, "terms", lines),
        opt_out=_opt_out(table, lines),
        notes=_field(table, "notes", lines),
        limits=limits,
    )


def _field(tool: Table, name: str, within: Lines) -> Field:
    table = _required(tool, name)
    table.only(Field.__struct_fields__)
    return _stated(table, within)


def _opt_out(tool: Table, within: Lines) -> OptOut:
    table = _required(tool, "opt_out")
    table.only(OptOut.__struct_fields__)
    field = _stated(table, within)
    kinds = _kinds(table, field)
    return OptOut(field.state, field.text, field.links, field.lines, kinds)


def _stated(table: Table, within: Lines) -> Field:
    state = table.word("state", STATES, "stated")
    says = tuple(key for key in ("text", "links") if key in table)
    if state == "stated" and not says:
        raise table.wrong(
            (), f"{table.name()} states nothing", "give its text or links, or a state"
        )
    if state != "stated" and says:
        right = f"leave {says[0]} out, or state"
        raise table.wrong(says[0], f'{table.name(says[0])} beside state = "{state}"', right)
    if state == "absent" and "lines" in table:
        what = f"{table.name('lines')} of what is absent"
        raise table.wrong("lines", what, "leave lines out")
    return Field(
        state,
        table.string("text") if "text" in table else "",
        _links(table),
        None if state == "absent" else _lines(table, within),
    )


def _kinds(table: Table, field: Field) -> tuple[OptOutKind, ...]:
    kinds: list[OptOutKind] = []
    for number, written in enumerate(table.strings("kinds")):
        kind = next((kind for kind in OPT_OUT_KINDS if kind == written), None)
        if kind is None or kind in kinds:
            what = f"{table.name('kinds', number)} is {shown(written)}"
            raise table.wrong(("kinds", number), what, f"each of {', '.join(OPT_OUT_KINDS)} once")
        kinds.append(kind)
    _fitting(table, field, kinds)
    return tuple(kinds)


def _fitting(table: Table, field: Field, kinds: list[OptOutKind]) -> None:
    """Refuse kinds that the rest of the field contradicts."""
    name = table.name("kinds")
    if "none" in kinds and len(kinds) > 1:
        raise table.wrong("kinds", f'{name}: "none" and something', 'leave "none" out')
    if field.state == "stated" and not kinds:
        raise table.wrong("kinds", f"{name} is empty", "say by which means one opts out")
    if field.state != "stated" and kinds not in ([], ["none"]):
        right = 'write kinds = ["none"]'
        raise table.wrong("kinds", f'{name} of a field that is "{field.state}"', right)
    if "link" in kinds and not field.links:
        raise table.wrong("kinds", f'{name}: "link" without links', "give the links")


def _limits(table: Table, within: Lines) -> Limits:
    table.only(Limits.__struct_fields__)
    return Limits(table.string("pages"), _day(table, "since"), _lines(table, within))


# --- Links, lines, ids ----------------------------------------------------------------------------


def _links(table: Table) -> tuple[Link, ...]:
    return tuple(_link(link) for link in table.tables("links"))


def _link(table: Table) -> Link:
    table.only(Link.__struct_fields__)
    text, url = table.string("text"), _url(table, "url")
    assumed = table.flag("assumed_scheme", default=False)
    if assumed and not url.startswith("https://"):
        what = f"{table.name('assumed_scheme')} of {shown(url)}"
        raise table.wrong("assumed_scheme", what, "the scheme we assume is https://")
    archived_as = _url(table, "archived_as") if "archived_as" in table else ""
    return Link(text, url, assumed, archived_as)


def _url(table: Table, key: str) -> str:
    url = table.string(key)
    web = url.startswith(("http://", "https://")) and is_host(host_of(url))
    mail = url.startswith("mailto:") and is_host(url.rpartition("@")[2].lower())
    if not (web or mail) or re.search(r"\s", url):
        right = "write the whole address, such as https://shop.example/privacy"
        raise table.wrong(key, f"{table.name(key)} is {shown(url)}, no address", right)
    return url


def _lines(table: Table, within: Lines) -> Lines:
    return _range(table, ("lines",), _list(table, "lines"), within)


def _range(table: Table, key: KeyPath, value: object, within: Lines) -> Lines:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 2 or any(type(number) is not int for number in numbers):
        raise table.wrong(key, f"{table.name(*key)} is no range of lines", _WITHIN)
    first, last = numbers
    if not within[0] <= first <= last <= within[1]:
        right = f"it must ascend, and lie in {list(within)}"
        raise table.wrong(key, f"{table.name(*key)} is {numbers}", right)
    return first, last


def _list(table: Table, key: str) -> list[object]:
    value = table.values.get(key)
    if not isinstance(value, list):
        raise table.wrong(
            key, f"{table.name(key)} is {'no list' if key in table else 'missing'}", _WITHIN
        )
    return value


def _id(table: Table) -> str:
    name = table.string("id")
    if not _ID.fullmatch(name):
        right = 'write small letters and digits, with "-" between words'
        raise table.wrong("id", f"{table.name('id')} is {shown(name)}", right)
    return name


def _distinct(top: Table, lists: Iterable[str]) -> None:
    seen: dict[object, int] = {}
    for table in (table for name in lists for table in top.tables(name)):
        name = table.values["id"]
        if name in seen:
            what = f'the id "{name}" stands here a second time, first on line {seen[name]}'
            raise table.wrong("id", what, "give each its own")
        seen[name] = table.wrong("id", "").line or 0


def _in_order(top: Table, tools: tuple[DeclaredTool, ...]) -> None:
    """Refuse tools out of order; several may be named in one paragraph."""
    for number, (before, tool) in enumerate(pairwise(tools), start=1):
        if tool.lines[0] < before.lines[0]:
            what = f"{tool.id} begins on line {tool.lines[0]}, before {before.id}"
            raise top.wrong(("tool", number, "lines"), what, "keep the document's order")


def _required(table: Table, key: str) -> Table:
    if key not in table:
        right = f"write [{key}]"
        if key in FIELDS:
            right = f'write {key} = {{ state = "absent" }} where the policy has none'
        raise table.wrong(key, f"{table.name(key)} is missing", right)
    return table.table(key)


def _day(table: Table, key: str) -> date | None:
    return table.day(key) if key in table else None
