"""Whether a tool's own opt-out is seen on a hit, and where its cookies were set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.edits.dates import cookie_date
from optout_proxy.edits.url import query_value
from optout_proxy.engine import plain
from optout_proxy.hosts import parents
from optout_proxy.rules.rule import parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from optout_proxy.audit.verdict import Delivery
    from optout_proxy.engine.tool import Supplied, Tool
    from optout_proxy.model import Request
    from optout_proxy.rules.rule import Rule

_SECONDS: Final = re.compile(r"-?[0-9]+")

type Cookies = Mapping[str, str]


class Expressed:
    """The express opt-outs of all tools, ready to be looked for."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._params: dict[str, list[tuple[Rule, str, str]]] = {}
        self._pages: dict[str, frozenset[tuple[str, str]]] = {}
        self._supplied: list[tuple[str, Supplied]] = []
        for tool in tools:
            express = tool.express
            self._params[tool.id] = [(parse_rule(p.where), p.name, p.value) for p in express.params]
            self._pages[tool.id] = frozenset((c.name, c.value) for c in express.page_cookies)
            self._supplied += [(tool.id, cookie) for cookie in express.cookies]

    def delivery(
        self, tool: Tool, request: Request, cookies: Cookies, *, on_page: bool, known: bool
    ) -> Delivery:
        """What became of a tool's opt-out on a hit.

        `on_page` says whether the page's own cookies held it; `known` whether the capture holds
        cookies at all.
        """
        express = tool.express
        if not express.exists:
            return "none"
        fitting = [c for c in express.cookies if c.host in parents(request.host)]
        if any(cookies.get(c.name) == c.value for c in fitting):
            return "seen"
        if (said := self._by_param(tool, request)) is not None:
            return "seen" if said else "absent"
        if fitting or self._pages[tool.id]:
            return _by_cookie(known=known, ignored=on_page and not fitting)
        if express.cookies or express.params:
            return "not-for-host"
        return "needs-login" if express.login else "unobservable"

    def _by_param(self, tool: Tool, request: Request) -> bool | None:
        """Whether the opt-out parameters are there; None where none belongs there."""
        query = plain.query(request)
        wanted = [
            (name, value) for where, name, value in self._params[tool.id] if where.matches(query)
        ]
        if not wanted:
            return None
        return all(query_value(request.url, name) == value for name, value in wanted)

    def on_page(self, cookies: Cookies) -> list[str]:
        """The tools whose opt-out the cookies of a page hold."""
        return [
            tool
            for tool, wanted in self._pages.items()
            if any(cookies.get(name) == value for name, value in wanted)
        ]

    def sets(self, host: str, name: str, value: str) -> list[str]:
        """The tools whose opt-out a cookie is, set for a host."""
        own = [
            tool
            for tool, c in self._supplied
            if (c.name, c.value) == (name, value) and c.host in parents(host)
        ]
        return own + [tool for tool, wanted in self._pages.items() if (name, value) in wanted]


def _by_cookie(*, known: bool, ignored: bool) -> Delivery:
    if not known:
        return "unknown"
    return "ignored" if ignored else "cookie-absent"


def cookies_in(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header, the first of each name."""
    found: dict[str, str] = {}
    for piece in header.split(";"):
        name, equals, value = piece.strip().partition("=")
        if equals:
            found.setdefault(name, value)
    return found


def days_of(line: bytes, now: datetime) -> float | None:
    """For how many days a raw `Set-Cookie` value keeps its cookie; None: until the session ends.

    RFC 6265, 5.3: `Max-Age` wins over `Expires`; the last of each counts.
    """
    age: float | None = None
    expires: datetime | None = None
    for piece in line.decode("latin-1").split(";")[1:]:
        name, _, text = piece.partition("=")
        name, text = name.strip().lower(), text.strip()
        if name == "max-age" and _SECONDS.fullmatch(text):
            age = float(text[:15])
        elif name == "expires":
            expires = cookie_date(text) or expires
    if age is None and expires is not None:
        age = (expires - now).total_seconds()
    return None if age is None else max(0.0, age / 86_400)
