"""What the user chose: `config.toml`, read once, every mistake refused with its place.

A misread opt-out is an opt-out that is not kept. So nothing is guessed here: an unknown key, tool
or word is an error that says what was probably meant.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from optout_proxy import shipped
from optout_proxy.hosts import host_of, normal_host
from optout_proxy.model import LEVELS, Level
from optout_proxy.registry.toml_table import Table, is_host, shown, suggest
from optout_proxy.registry.toml_text import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from optout_proxy.errors import InputError
    from optout_proxy.registry.toml_text import KeyPath

type Pages = Literal["any", "policy"]
type Inspect = Literal["minimal", "all"]
type Pinned = Literal["refuse", "pass"]
type Undecided = Literal["closed", "open"]
type PersistentCookies = Literal["keep", "session"]
type Detail = Literal["private", "full"]
type ListUse = Literal["observe", "block"]
type Finding = Literal["violated", "undeclared", "never-seen", "not-exercised", "inconclusive"]

PAGES: Final[tuple[Pages, ...]] = get_args(Pages.__value__)
INSPECT: Final[tuple[Inspect, ...]] = get_args(Inspect.__value__)
PINNED: Final[tuple[Pinned, ...]] = get_args(Pinned.__value__)
UNDECIDED: Final[tuple[Undecided, ...]] = get_args(Undecided.__value__)
PERSISTENT_COOKIES: Final[tuple[PersistentCookies, ...]] = get_args(PersistentCookies.__value__)
DETAIL: Final[tuple[Detail, ...]] = get_args(Detail.__value__)
LIST_USES: Final[tuple[ListUse, ...]] = get_args(ListUse.__value__)
FINDINGS: Final[tuple[Finding, ...]] = get_args(Finding.__value__)


class SiteChoices(msgspec.Struct, frozen=True):
    """What differs on the pages of one host and of its subdomains."""

    opt_out: Mapping[str, Level] = {}
    gpc: bool | None = None
    """None where the site says nothing: as in `Signals`."""


class Scope(msgspec.Struct, frozen=True):
    pages: Pages = "any"
    inspect: Inspect = "minimal"
    pinned: Pinned = "refuse"
    undecided: Undecided = "closed"


class Signals(msgspec.Struct, frozen=True):
    gpc: bool = True
    persistent_cookies: PersistentCookies = "keep"


class LedgerChoices(msgspec.Struct, frozen=True):
    folder: Path | None = None
    """None: the user's state folder."""
    keep_days: int = 30
    detail: Detail = "private"


class CommunityList(msgspec.Struct, frozen=True):
    name: str
    """As the configuration names it."""
    path: Path
    use: ListUse


class Waiver(msgspec.Struct, frozen=True):
    """A finding of the audit that somebody accepts until a day."""

    tool: str
    """A tool's id; for `undeclared`, the site that was not declared."""
    finding: Finding
    owner: str
    reason: str
    expires: date
    """The last day it holds."""
    line: int


class Settings(msgspec.Struct, frozen=True):
    """The whole of a configuration file; paths are absolute."""

    file: Path
    policies: tuple[Path, ...] = ()
    opt_out: Mapping[str, Level] = {}
    """The levels written down; a tool that has none here has its recommended one."""
    sites: Mapping[str, SiteChoices] = {}
    scope: Scope = Scope()
    signals: Signals = Signals()
    ledger: LedgerChoices = LedgerChoices()
    lists: tuple[CommunityList, ...] = ()
    waivers: tuple[Waiver, ...] = ()


_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "scope": Scope.__struct_fields__,
    "signals": Signals.__struct_fields__,
    "ledger": LedgerChoices.__struct_fields__,
}
_TOP: Final = ("policies", "opt_out", "sites", *_SECTIONS, "lists", "waiver")
_KEEP_ONE: Final = "keep one of them"
_WAIVER: Final = ("tool", "finding", "owner", "reason", "expires")


def load_settings(path: Path, known_tools: frozenset[str]) -> Settings:
    """Read a configuration file and find the files it names; InputError where one is missing."""
    return find_files(read_text(path), path, known_tools)


def find_files(text: str, path: Path, known_tools: frozenset[str]) -> Settings:
    """Read a configuration as if the file held this text, and find the files it names.

    A policy that is not beside the file is looked for among those we ship.
    """
    settings = parse_settings(text, path, known_tools)
    top = Table.parse(text, path)
    policies = tuple(
        _policy_file(top, number, beside) for number, beside in enumerate(settings.policies)
    )
    for chosen in settings.lists:
        if not chosen.path.is_file():
            what = f"there is no list {shown(chosen.name)} beside this file"
            raise top.wrong(("lists", chosen.name), what, "name a file that is there")
    return msgspec.structs.replace(settings, policies=policies)


def _policy_file(top: Table, number: int, beside: Path) -> Path:
    name = top.strings("policies")[number]
    ours = shipped.folder() / name
    found = next((path for path in (beside, ours) if path.is_file()), None)
    if found is None:
        what = f"there is no policy file {shown(name)} beside this file or among those we ship"
        ships = sorted(path.name for path in (shipped.folder() / "policies").glob("*.toml"))
        raise top.wrong(("policies", number), what, f"we ship policies/{', '.join(ships)}")
    return found


def parse_settings(text: str, file: Path | str, known_tools: frozenset[str]) -> Settings:
    """Read a configuration text; paths are taken from the folder of `file` and not looked at."""
    top = Table.parse(text, file)
    _known_keys(top, known_tools)
    here = Path(file).absolute()
    signals = _signals(top.table("signals"))
    return Settings(
        file=here,
        policies=_policies(top, here.parent),
        opt_out=_levels(top.table("opt_out"), known_tools),
        sites=_sites(top.table("sites"), known_tools, signals),
        scope=_scope(top.table("scope")),
        signals=signals,
        ledger=_ledger(top.table("ledger"), here.parent),
        lists=_lists(top.table("lists"), here.parent),
        waivers=tuple(_waiver(table, known_tools) for table in top.tables("waiver")),
    )


def _known_keys(top: Table, known_tools: frozenset[str]) -> None:
    """Refuse unknown keys, and say of a known one that stands elsewhere where it belongs."""
    tables = [(top, _TOP)]
    tables += [(top.table(section), keys) for section, keys in _SECTIONS.items()]
    for table, keys in tables:
        for key in table.values:
            if key not in keys:
                raise _stray(table, key, keys, known_tools)


def _stray(
    table: Table, key: str, keys: tuple[str, ...], known_tools: frozenset[str]
) -> InputError:
    homes = _homes(key)
    if key in known_tools:
        homes.append("under [opt_out]")
    if key in _TOP and table.path:
        homes.append("above the first [table]")
    if homes:
        return table.wrong(key, f"{table.name(key)} is out of place", f"it belongs {homes[0]}")
    return table.unknown(key, keys)


def _homes(key: str) -> list[str]:
    return [f"under [{section}]" for section, keys in _SECTIONS.items() if key in keys]


def _policies(top: Table, folder: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    for number, name in enumerate(top.strings("policies")):
        path = _path(top, ("policies", number), name, folder)
        if path in found:
            raise top.wrong(("policies", number), f"{shown(name)} is named twice", _KEEP_ONE)
        found.append(path)
    return tuple(found)


def _path(table: Table, key: KeyPath, name: str, folder: Path) -> Path:
    """Where a path leads: `~` is the user's home, a relative one starts from the folder."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:
        what = f"{shown(name)}: nobody knows that home folder"
        raise table.wrong(key, what, "write the whole path") from None


def _levels(table: Table, known_tools: frozenset[str]) -> dict[str, Level]:
    return {tool: _level(table, tool, known_tools) for tool in table.values}


def _level(table: Table, tool: str, known_tools: frozenset[str]) -> Level:
    if tool not in known_tools:
        homes = _homes(tool)
        right = f"it belongs {homes[0]}" if homes else suggest(tool, sorted(known_tools))
        raise table.wrong(tool, f"{table.name(tool)}: there is no such tool", right)
    return table.word(tool, LEVELS)


def _sites(table: Table, known_tools: frozenset[str], signals: Signals) -> dict[str, SiteChoices]:
    sites: dict[str, SiteChoices] = {}
    for name in table.values:
        host = _host(table, name)
        if host in sites:
            what = f"{table.name(name)}: this site stands here a second time"
            raise table.wrong(name, what, _KEEP_ONE)
        sites[host] = _site(table.table(name), known_tools)
        if sites[host].gpc and not signals.gpc:
            right = "write gpc = true under [signals], and gpc = false for the sites without it"
            raise table.wrong((name, "gpc"), "gpc = true, where the signal is off", right)
    return sites


def _site(table: Table, known_tools: frozenset[str]) -> SiteChoices:
    levels = {tool: _level(table, tool, known_tools) for tool in table.values if tool != "gpc"}
    return SiteChoices(levels, table.flag("gpc") if "gpc" in table else None)


def _host(table: Table, name: str) -> str:
    """Read the host a site's table is named after."""
    whole = ".".join((name, *_tables_inside(table.values[name])))
    if whole != name:
        raise table.wrong(name, f"[sites.{whole}] needs quotes", f'write [sites."{whole}"]')
    if not is_host(name.lower()):
        raise table.wrong(name, f"{shown(name)} is no host", host_advice(name))
    return name.lower()


def _tables_inside(value: object) -> list[str]:
    """Follow the tables in a table down: `[sites.shop.example]` means three of them."""
    if not isinstance(value, dict):
        return []
    inner = next((key for key, below in value.items() if isinstance(below, dict)), None)
    return [] if inner is None else [inner, *_tables_inside(value[inner])]


def host_advice(name: str) -> str:
    """Say how a site is written, for what was written instead."""
    if not name.isascii():
        return "write it as requests carry it, with xn--"
    host = (host_of(name) or normal_host(name.partition("/")[0])).removeprefix("*.")
    return f'write "{host}"' if is_host(host) else 'write a host such as "shop.example"'


def _scope(table: Table) -> Scope:
    usual = Scope()
    return Scope(
        pages=table.word("pages", PAGES, usual.pages),
        inspect=table.word("inspect", INSPECT, usual.inspect),
        pinned=table.word("pinned", PINNED, usual.pinned),
        undecided=table.word("undecided", UNDECIDED, usual.undecided),
    )


def _signals(table: Table) -> Signals:
    usual = Signals()
    cookies = table.word("persistent_cookies", PERSISTENT_COOKIES, usual.persistent_cookies)
    return Signals(
        gpc=table.flag("gpc", default=usual.gpc),
        persistent_cookies=cookies,
    )


def _ledger(table: Table, folder: Path) -> LedgerChoices:
    usual, chosen = LedgerChoices(), None
    if "folder" in table:
        chosen = _path(table, ("folder",), table.string("folder"), folder)
    return LedgerChoices(
        folder=chosen,
        keep_days=table.count("keep_days", usual.keep_days, most=36_500),
        detail=table.word("detail", DETAIL, usual.detail),
    )


def _lists(table: Table, folder: Path) -> tuple[CommunityList, ...]:
    lists: dict[Path, CommunityList] = {}
    for name in table.values:
        path = _path(table, (name,), name, folder)
        if path in lists:
            raise table.wrong(name, f"{shown(name)} is named twice", _KEEP_ONE)
        lists[path] = CommunityList(name, path, table.word(name, LIST_USES))
    return tuple(lists.values())


def _waiver(table: Table, known_tools: frozenset[str]) -> Waiver:
    table.only(_WAIVER)
    finding = table.word("finding", FINDINGS)
    tool = table.string("tool")
    undeclared = finding == "undeclared" and is_host(tool)
    if tool not in known_tools and not tool.startswith("list:") and not undeclared:
        what = f"{table.name('tool')}: there is no tool {shown(tool)}"
        raise table.wrong("tool", what, suggest(tool, sorted(known_tools)))
    return Waiver(
        tool=tool,
        finding=finding,
        owner=table.string("owner"),
        reason=table.string("reason"),
        expires=table.day("expires"),
        line=table.line,
    )


# --- Which file -----------------------------------------------------------------------------------


def find_config(explicit: Path | None = None) -> Path:
    """Choose the configuration: the one named, `./config.toml`, the user's own, or the shipped one.

    The first that is there is taken, even if it cannot be read: to pass over it would enforce
    other choices than the user's.
    """
    if explicit is not None:
        return explicit
    ours = shipped.folder() / "config.toml"
    own = user_config()
    places = (Path("config.toml"), *((own,) if own else ()))
    return next((path for path in places if os.path.lexists(path)), ours)


def user_config() -> Path | None:
    """Name the user's own configuration file, there or not; None where the user has no home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return config_folder(sys.platform, os.environ, home) / "optout-proxy" / "config.toml"


def config_folder(platform: str, environ: Mapping[str, str], home: Path) -> Path:
    """Name the folder where a platform keeps users' configurations.

    The XDG base directory specification has relative paths ignored.
    """
    named = Path(environ.get("APPDATA" if platform == "win32" else "XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named
    usual = {"win32": "AppData/Roaming", "darwin": "Library/Application Support"}
    return home / usual.get(platform, ".config")
