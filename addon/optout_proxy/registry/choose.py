"""Changing a level in the user's file: comments and layout stay, and nothing else changes."""

from __future__ import annotations

import codecs
import os
import stat
import time
from collections.abc import MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from msgspec.structs import replace
from tomlkit.items import AbstractTable, Whitespace

from optout_proxy import shipped
from optout_proxy.errors import InputError, OptoutError
from optout_proxy.model import LEVELS, Level
from optout_proxy.registry.settings import (
    Settings,
    SiteChoices,
    find_files,
    host_advice,
    load_settings,
    user_config,
)
from optout_proxy.registry.toml_table import is_host, one_of, shown, suggest
from optout_proxy.registry.toml_text import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomlkit import TOMLDocument

type _Table = MutableMapping[str, Any]
"""A table as tomlkit has it; one written in several places is no `AbstractTable`."""

_PATIENCE: Final = 2.0
"""Seconds to wait for another writer."""
_STALE: Final = 10.0
"""Seconds after which a draft is what a crashed writer left behind."""


def choose(
    path: Path,
    tool: str,
    level: Level,
    known_tools: frozenset[str],
    site: str | None = None,
) -> Path:
    """Write a tool's level, everywhere or on one site, and say which file it was written to.

    The file is replaced in one step, its mode kept and a symbolic link followed. One that cannot
    be written is copied to the user's configuration folder first. OptoutError, and no change,
    where a word is unknown or the change would touch anything else.
    """
    _known(tool, level, site, known_tools)
    load_settings(path, known_tools)
    target = path if _is_writable(path) else _own_copy(path)
    with _replacing(target) as draft:
        # Read anew: another writer may have had the turn before.
        raw = path.read_bytes()
        text = decode(raw, path)
        before = find_files(text, path, known_tools)
        wanted = replace(_with(before, tool, level, site), file=target.absolute())
        new = edited(text, path, tool, level, site)
        if not _means(new, target, wanted, known_tools):
            raise _by_hand(path, tool, level, site) if target == path else _no_copy(path)
        mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
        _write(draft, mark + new.encode())
    return target


def edited(text: str, file: Path | str, tool: str, level: Level, site: str | None = None) -> str:
    """Change a level in a configuration text; what tomlkit cannot follow is an InputError."""
    windows = text.count("\r\n") == text.count("\n") > 0
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n") if windows else text)
        _put(_levels_of(document, site), tool, level)
        new = tomlkit.dumps(document)
    except Exception as error:  # tomlkit raises what it likes; the file stays as it was
        raise _by_hand(file, tool, level, site) from error
    return new.replace("\n", "\r\n") if windows else new


def _levels_of(document: TOMLDocument, site: str | None) -> _Table:
    """Find the table with the levels, everywhere or of one site; made where there is none."""
    if site is None:
        return _table_in(document, "opt_out")
    sites = _table_in(document, "sites")
    host = next((name for name in sites if name.lower() == site.lower()), site.lower())
    return _table_in(sites, host)


def _table_in(outer: _Table, name: str) -> _Table:
    if name not in outer:
        outer[name] = tomlkit.table(is_super_table=name == "sites")
    inner = outer[name]
    if not isinstance(inner, MutableMapping):
        raise TypeError(name)
    return inner


def _put(table: _Table, tool: str, level: Level) -> None:
    if tool in table:
        _change(table, tool, level)
    elif isinstance(table, AbstractTable):
        _add(table, tool, level)
    else:
        table[tool] = level


def _change(table: _Table, tool: str, level: Level) -> None:
    old = table[tool].as_string()
    table[tool] = level
    new = table[tool]
    # A comment beside the value stays in its column.
    longer = len(new.as_string()) - len(old)
    if len(new.trivia.comment_ws) > 1:
        new.trivia.comment_ws = " " * max(1, len(new.trivia.comment_ws) - longer)


def _add(table: AbstractTable, tool: str, level: Level) -> None:
    """Add a line after the last one, before the blank line that parts this table from the next."""
    body = table.value.body
    last = max((at for at, (key, _) in enumerate(body) if key), default=-1)
    blank = (
        at
        for at, (_, item) in enumerate(body)
        if at > last and isinstance(item, Whitespace) and "\n" in item.as_string()
    )
    end = next(blank, len(body))
    rest = body[end:]
    del body[end:]
    table.append(tool, tomlkit.item(level))
    body.extend(rest)


def _known(tool: str, level: str, site: str | None, known_tools: frozenset[str]) -> None:
    if tool not in known_tools:
        raise OptoutError(f"there is no tool {shown(tool)}; {suggest(tool, sorted(known_tools))}")
    if level not in LEVELS:
        raise OptoutError(f"there is no level {shown(level)}; {one_of(LEVELS)}")
    if site is not None and not is_host(site.lower()):
        raise OptoutError(f"{shown(site)} is no host; {host_advice(site)}")


def _by_hand(file: Path | str, tool: str, level: Level, site: str | None) -> InputError:
    table = "[opt_out]" if site is None else f'[sites."{site.lower()}"]'
    what = f"a level for {tool} cannot be written without changing something else"
    return InputError(file, what, right=f'write {tool} = "{level}" under {table} yourself')


def _with(settings: Settings, tool: str, level: Level, site: str | None) -> Settings:
    if site is None:
        return replace(settings, opt_out={**settings.opt_out, tool: level})
    old = settings.sites.get(site.lower(), SiteChoices())
    new = replace(old, opt_out={**old.opt_out, tool: level})
    return replace(settings, sites={**settings.sites, site.lower(): new})


def _means(text: str, file: Path, wanted: Settings, known_tools: frozenset[str]) -> bool:
    """Whether a text, in this place, says what is wanted and nothing else."""
    try:
        return _without_lines(find_files(text, file, known_tools)) == _without_lines(wanted)
    except InputError:
        return False


def _without_lines(settings: Settings) -> Settings:
    """Forget where things stand, which an added line changes."""
    return replace(settings, waivers=tuple(replace(it, line=0) for it in settings.waivers))


# --- Where it is written --------------------------------------------------------------------------


def _is_writable(path: Path) -> bool:
    """Whether the file is the user's to change: not one inside the installed package."""
    real = Path(os.path.realpath(path))
    ours = shipped.folder()
    if ours.name == "_shipped" and real.is_relative_to(os.path.realpath(ours)):
        return False
    may = os.access(real, os.W_OK) and os.access(real.parent, os.W_OK)
    # The administrator may write anything; a file marked read-only is meant to stay.
    return may and bool(real.stat().st_mode & stat.S_IWUSR)


def _no_copy(path: Path) -> InputError:
    what = "cannot be written, and its paths would lead elsewhere from a copy"
    return InputError(path, what, right="make it writable")


def _own_copy(path: Path) -> Path:
    """Name the user's own configuration to write in place of one that cannot be written."""
    own = user_config()
    if own is None or os.path.realpath(own) == os.path.realpath(path):
        raise InputError(path, "cannot be written", right="make it writable, or work on a copy")
    if os.path.lexists(own):
        right = f"make it writable, or use {own}"
        raise InputError(path, f"cannot be written, and {own} is there already", right=right)
    return own


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a draft that replaces the target in one step, unless something goes wrong.

    The draft is also the lock: while it is there, no other writer begins.
    """
    real = Path(os.path.realpath(target))
    draft = real.with_name(f".{real.name}.draft")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        _claim(draft)
        try:
            if real.exists():
                _keep_access(real, draft)
            yield draft
            draft.replace(real)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(target, f"cannot be written: {error.strerror}") from error


def _write(draft: Path, raw: bytes) -> None:
    """Write to the disk itself, so that a power cut leaves the old file or the new one."""
    with draft.open("wb") as out:
        out.write(raw)
        out.flush()
        os.fsync(out.fileno())


def _claim(draft: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            draft.touch(exist_ok=False)
        except FileExistsError:
            if time.monotonic() > until:
                right = f"try again, or delete {draft} if nobody is"
                raise InputError(draft, "somebody else is changing this", right=right) from None
            _forget_stale(draft)
            time.sleep(0.01)
        else:
            return


def _forget_stale(draft: Path) -> None:
    with suppress(FileNotFoundError):
        if time.time() - draft.stat().st_mtime > _STALE:
            draft.unlink()


def _keep_access(real: Path, draft: Path) -> None:
    """Give the draft the mode of the file, and its owner where the administrator writes."""
    was = real.stat()
    draft.chmod(stat.S_IMODE(was.st_mode))
    if hasattr(os, "chown") and os.geteuid() == 0:
        os.chown(draft, was.st_uid, was.st_gid)
