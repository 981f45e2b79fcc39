"""What a line says of an enforcement, and how much at most."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.hosts import site_of
from optout_proxy.model import NOTHING, Removed

if TYPE_CHECKING:
    from optout_proxy.model import Credit, Request, RuleRef

_LONGEST_HOST: Final = 253
"""RFC 1035: no host name is longer."""
_LONGEST_NAME: Final = 128
_MOST_NAMES: Final = 100
_LONGEST_TEXT: Final = 1024
_LONGEST_URL: Final = 16384

_URL: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,31}://)(?:[^\s/?#]*@)?([^\s/?#\"'<>]*)[^\s\"'<>]*"
)
_QUERY: Final = re.compile(r"\?[^\s\"'<>]+")
_OWN_EVENTS: Final = frozenset({"opened", "closed", "gap", "request", "response", "unreadable"})
_SEALED: Final = frozenset({"time", "event", "seq", "prev", "sum"})


class Enforcement(msgspec.Struct, frozen=True):
    """One credit, as the ledger keeps it."""

    time: str
    event: str
    tool: str
    level: str
    action: str
    site: str
    host: str
    rule: str
    removed: Removed


class FullEnforcement(Enforcement, frozen=True):
    """One credit with the addresses too: `detail = "full"`."""

    method: str
    type: str
    url: str
    page: str


def enforcement(
    event: str, request: Request, credit: Credit, time: str, *, full: bool
) -> Enforcement:
    """Say one credit in a line; whole addresses only where `full`."""
    rule = credit.rule
    line = Enforcement(
        time,
        event if event == "response" else "request",
        cut(credit.tool, _LONGEST_HOST),
        credit.level,
        credit.action,
        cut(_site(request), _LONGEST_HOST),
        cut(request.host, _LONGEST_HOST),
        _place(rule) if rule else "",
        _limited(credit.removed) if credit.removed else NOTHING,
    )
    return _with_addresses(line, request) if full else line


def _with_addresses(line: Enforcement, request: Request) -> FullEnforcement:
    return FullEnforcement(
        **msgspec.structs.asdict(line),
        method=cut(request.method, _LONGEST_NAME),
        type=request.type,
        url=cut(request.url, _LONGEST_URL),
        page=cut(request.page, _LONGEST_URL),
    )


def _site(request: Request) -> str:
    if request.page_host:
        return site_of(request.page_host)
    return site_of(request.host) if request.type == "document" else ""


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."


@lru_cache(1024)
def _place(rule: RuleRef) -> str:
    return cut(f"{rule.file}:{rule.line}", _LONGEST_TEXT)


@lru_cache(1024)
def _limited(removed: Removed) -> Removed:
    return Removed(_few(removed.cookies), _few(removed.params), _few(removed.headers))


def _few(names: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(cut(name, _LONGEST_NAME) for name in names[:_MOST_NAMES])
    more = len(names) - len(kept)
    return (*kept, f"and {more} more") if more else kept


def note(
    event: str, fields: dict[str, str | int | None], time: str, *, full: bool
) -> dict[str, str | int]:
    """Say what is no enforcement; unless `full`, addresses in it are cut to their origins.

    Query strings that stand alone go too. What is None is left out; an event or a field named like
    one of the ledger's own gets a `_` behind it.
    """
    line: dict[str, str | int] = {
        "time": time,
        "event": cut(_named(event, _OWN_EVENTS), _LONGEST_NAME),
    }
    for name, value in fields.items():
        if value is not None:
            line[_named(name, _SEALED)] = _said(value, full=full)
    return line


def _named(name: str, taken: frozenset[str]) -> str:
    return f"{name}_" if name in taken else name


def _said(value: str | int, *, full: bool) -> str | int:
    if not isinstance(value, str):
        return value
    if full:
        return cut(value, _LONGEST_URL)
    return cut(_QUERY.sub("?", _URL.sub(r"\1\2", value)), _LONGEST_TEXT)
