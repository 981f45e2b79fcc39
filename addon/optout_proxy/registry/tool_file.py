"""Tool files: `blocklists/<tool-id>.toml`, everything we know about one tool.

`docs/tool-files.md` describes the form; `lint` holds a file to its own examples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from optout_proxy.engine.tool import (
    BodyRule,
    Effect,
    Express,
    PageCookie,
    PageSide,
    Prefix,
    Supplied,
    SuppliedParam,
    Tool,
)
from optout_proxy.errors import InputError
from optout_proxy.model import ACTIONS, LEVELS, ROLES, TYPES, Action, Role, RuleRef, Type
from optout_proxy.pages.plan import GOOGLE_IDS, Flag, PagePlan
from optout_proxy.registry.toml_table import Table, is_host
from optout_proxy.registry.toml_text import first_line_of_value, read_text
from optout_proxy.rules.options import RuleError
from optout_proxy.rules.rule import parse_rule

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

type Category = Literal[
    "analytics",
    "tag-manager",
    "search",
    "advertising",
    "survey",
    "social",
    "heatmap",
    "research",
    "prototype",
    "forms",
]
type ExampleRole = Literal[
    "loads", "collects", "telemetry", "widgets", "visits", "permits", "identity", "none"
]

CATEGORIES: Final[tuple[Category, ...]] = get_args(Category.__value__)
EFFECTS: Final[tuple[Effect, ...]] = get_args(Effect.__value__)
EXAMPLE_ROLES: Final[tuple[ExampleRole, ...]] = get_args(ExampleRole.__value__)
_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TOP: Final = (
    "name",
    "aliases",
    "operator",
    "operator_sites",
    "frame_sites",
    "category",
    "recommended",
    "plain_link",
    "why",
    "reviewed",
    "sources",
    "rules",
    "body",
    "page",
    "express",
    "example",
)
_IDENTITY: Final = frozenset({"cookie", "removeparam", "removeheader"})
_RECOGNISING: Final = frozenset({"", "redirect", "urlskip"})


class Expected(msgspec.Struct, frozen=True):
    """Names that `strip` removes from an example: exactly these."""

    cookies: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


class Example(msgspec.Struct, frozen=True):
    """A request and what the file promises about it."""

    url: str
    role: ExampleRole
    line: int
    page: str = "https://www.mass.gov/"
    type: Type = "other"
    source: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    actions: tuple[Action, ...] = ()
    """At the levels allow, signal, strip and block; empty: as the role table says."""
    strip_url: str = ""
    signal_url: str = ""
    removes: Expected | None = None


class ToolFile(msgspec.Struct, frozen=True):
    """One tool file, read."""

    file: str
    tool: Tool
    aliases: tuple[str, ...]
    category: Category
    why: str
    reviewed: date
    sources: tuple[str, ...]
    examples: tuple[Example, ...]


def load_tool_file(path: Path, name: str | None = None) -> ToolFile:
    """Read a tool file; `name` is how it is called in places (default: the path)."""
    return parse_tool_file(read_text(path), path.stem, name or str(path))


def load_all(folder: Path) -> list[ToolFile]:
    """Every tool file of a folder, by tool id."""
    return [
        load_tool_file(path, f"{folder.name}/{path.name}") for path in sorted(folder.glob("*.toml"))
    ]


def parse_tool_file(text: str, tool_id: str, file: str) -> ToolFile:
    """Read the text of a tool file; InputError with the line for anything that is wrong."""
    top = Table.parse(text, file)
    top.only(_TOP)
    if not _ID.fullmatch(tool_id):
        raise InputError(file, f"{tool_id!r} is no tool id", right="a-z and 0-9, joined by -")
    tool = Tool(
        id=tool_id,
        name=top.string("name"),
        operator=top.string("operator"),
        operator_sites=_sites(top),
        frame_sites=_frame_sites(top),
        recommended=top.word("recommended", LEVELS),
        rules=_rules(top),
        identity=_identity(top),
        bodies=tuple(_body(table) for table in top.tables("body")),
        express=_express(top.table("express")),
        page=_page(top.table("page")),
        plain_link=top.string("plain_link", ""),
    )
    return ToolFile(
        file=file,
        tool=tool,
        aliases=top.strings("aliases"),
        category=top.word("category", CATEGORIES),
        why=top.string("why"),
        reviewed=top.day("reviewed"),
        sources=_sources(top),
        examples=tuple(_example(table) for table in top.tables("example")),
    )


def _sites(top: Table) -> frozenset[str]:
    sites = top.strings("operator_sites")
    for number, site in enumerate(sites):
        if not is_host(site.removesuffix(".*")):
            right = "a host, or google.* for every public suffix"
            raise top.wrong(("operator_sites", number), f"{site!r} is no host", right)
    return frozenset(sites)


def _frame_sites(top: Table) -> frozenset[str]:
    sites = top.strings("frame_sites")
    for number, site in enumerate(sites):
        if site not in top.strings("operator_sites"):
            right = "name it among operator_sites too"
            raise top.wrong(("frame_sites", number), f"{site!r} is none of the operator's", right)
    return frozenset(sites)


def _sources(top: Table) -> tuple[str, ...]:
    if not (sources := top.strings("sources")):
        raise top.wrong("sources", "sources is empty", "name where the facts come from")
    return sources


def _rules(top: Table) -> tuple[tuple[Role, RuleRef], ...]:
    table = top.table("rules")
    table.only((*ROLES, "identity"))
    found: list[tuple[Role, RuleRef]] = []
    for role in ROLES:
        for ref in _lines(table, role):
            _check_recognising(table, role, ref)
            found.append((role, ref))
    return tuple(found)


def _lines(table: Table, key: str) -> list[RuleRef]:
    """The rules of a multi-line text, each with its line in the file."""
    if key not in table:
        return []
    first = first_line_of_value(table.text, (*table.path, key))
    lines = str(table.values[key]).splitlines()
    return [
        RuleRef(str(table.file), first + number, line.strip())
        for number, line in enumerate(lines)
        if line.strip() and not line.strip().startswith(("!", "# "))
    ]


def _parsed(ref: RuleRef) -> str:
    """The modifier of a rule; InputError where the line is no rule."""
    try:
        return parse_rule(ref.text).options.modifier
    except RuleError as error:
        raise InputError(ref.file, f"{ref.text!r}: {error}", line=ref.line) from None


def _check_recognising(table: Table, role: Role, ref: RuleRef) -> None:
    modifier = _parsed(ref)
    is_exception = ref.text.startswith("@@")
    if is_exception != (role == "permits"):
        right = "an exception (@@) belongs under permits, and only there"
        raise InputError(table.file, f"{ref.text!r} under {role}", line=ref.line, right=right)
    if modifier not in _RECOGNISING:
        right = "it belongs under identity"
        raise InputError(table.file, f"{modifier}= under {role}", line=ref.line, right=right)


def _identity(top: Table) -> tuple[RuleRef, ...]:
    refs = _lines(top.table("rules"), "identity")
    for ref in refs:
        if _parsed(ref) not in _IDENTITY:
            right = "identity holds cookie=, removeparam= and removeheader= rules"
            raise InputError(ref.file, f"{ref.text!r} takes nothing", line=ref.line, right=right)
    return tuple(refs)


def _body(table: Table) -> tuple[BodyRule, RuleRef]:
    table.only(("role", "where", "fields", "blank"))
    fields = table.table("fields")
    wanted = {name: fields.string(name) for name in fields.values}
    blank = table.strings("blank")
    if not wanted and not blank:
        raise table.wrong((), "a [[body]] needs fields, blank or both")
    where = table.string("where")
    ref = RuleRef(str(table.file), table.line, where)
    _parsed(ref)
    role = table.word("role", ROLES) if wanted else None
    return BodyRule(where=where, role=role, fields=wanted, blank=blank), ref


def _express(table: Table) -> Express:
    table.only(Express.__struct_fields__)
    effect: Effect | None = table.word("effect", EFFECTS) if "effect" in table else None
    return Express(
        exists=table.flag("exists"),
        says=table.string("says"),
        login=table.flag("login", default=False),
        effect=effect,
        cookies=tuple(_supplied(one) for one in table.tables("cookies")),
        page_cookies=tuple(
            PageCookie(one.string("name"), one.string("value"))
            for one in table.tables("page_cookies")
        ),
        params=tuple(_param(one) for one in table.tables("params")),
        pages=table.strings("pages"),
    )


def _supplied(one: Table) -> Supplied:
    one.only(Supplied.__struct_fields__)
    host = one.string("host")
    if not is_host(host):
        raise one.wrong("host", f"{host!r} is no host")
    return Supplied(host, one.string("name"), one.string("value"), one.strings("replaces"))


def _param(one: Table) -> SuppliedParam:
    one.only(SuppliedParam.__struct_fields__)
    where = one.string("where")
    _parsed(RuleRef(str(one.file), one.line, where))
    return SuppliedParam(where, one.string("name"), one.string("value"))


def _page(table: Table) -> PageSide:
    table.only(PageSide.__struct_fields__)
    flags = tuple(_flag(one) for one in table.tables("flags"))
    storage, markup = table.strings("storage"), table.strings("markup")
    for key, plan in (("storage", {"storage": storage}), ("markup", {"markup": markup})):
        try:
            msgspec.convert(plan, PagePlan)
        except msgspec.ValidationError as error:
            raise table.wrong(key, str(error)) from None
    return PageSide(flags, storage, markup, _prefix(table))


def _flag(table: Table) -> Flag:
    table.only(Flag.__struct_fields__)
    name, value = table.string("name"), table.string("value")
    try:
        return Flag(name, value, table.string("ids", GOOGLE_IDS))
    except ValueError as error:
        raise table.wrong("value", str(error)) from None


def _prefix(page: Table) -> Prefix | None:
    if "prefix" not in page:
        return None
    table = page.table("prefix")
    table.only(Prefix.__struct_fields__)
    where = table.string("where")
    _parsed(RuleRef(str(table.file), table.line, where))
    return Prefix(table.string("script"), where)


def _example(table: Table) -> Example:
    table.only((*(field for field in Example.__struct_fields__ if field != "line"),))
    actions = table.strings("actions")
    if actions and (len(actions) != len(LEVELS) or not set(actions) <= set(ACTIONS)):
        right = f"four of {', '.join(ACTIONS)}: at {', '.join(LEVELS)}"
        raise table.wrong("actions", "wrong actions", right)
    page = table.values.get("page", Example.__struct_defaults__[0])
    return Example(
        url=table.string("url"),
        role=table.word("role", EXAMPLE_ROLES),
        line=table.line,
        page=str(page),
        type=table.word("type", TYPES, "other"),
        source=table.string("source", ""),
        method=table.string("method", "GET"),
        headers=_headers(table),
        body=table.string("body", ""),
        actions=tuple(_action(word) for word in actions),
        strip_url=table.string("strip_url", ""),
        signal_url=table.string("signal_url", ""),
        removes=_expected(table) if "removes" in table else None,
    )


def _action(word: str) -> Action:
    return next(action for action in ACTIONS if action == word)


def _headers(table: Table) -> tuple[tuple[str, str], ...]:
    lines = table.values.get("headers", [])
    good = isinstance(lines, list) and all(
        isinstance(line, list) and len(line) == 2 and all(isinstance(x, str) for x in line)
        for line in lines
    )
    if not good or not isinstance(lines, list):
        raise table.wrong("headers", "wrong headers", 'write [["Name", "value"]]')
    return tuple((line[0], line[1]) for line in lines)


def _expected(table: Table) -> Expected:
    removes = table.table("removes")
    removes.only(Expected.__struct_fields__)
    return Expected(
        removes.strings("cookies"), removes.strings("params"), removes.strings("headers")
    )
