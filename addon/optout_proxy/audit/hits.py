"""Requests to tools: what each carries, says and means."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.express import cookies_in
from optout_proxy.audit.identifiers import is_plumbing, may_identify
from optout_proxy.audit.seen import CARRY_DATA, page_key
from optout_proxy.audit.signals import signals_of
from optout_proxy.audit.tally import (
    MOST_EVIDENCE,
    MOST_PAGES,
    Deviation,
    Evidence,
    FileTally,
    ToolTally,
    count_name,
)
from optout_proxy.audit.verdict import Carried, Opinion, Reason, of_hit
from optout_proxy.edits import body as bodies
from optout_proxy.edits.url import query_value

if TYPE_CHECKING:
    from optout_proxy.audit.entry import Entry
    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.seen import Seen
    from optout_proxy.engine.tool import Tool
    from optout_proxy.model import Request

_MOST_BODY: Final = 64 * 1024


class Hits:
    """Judges the requests of one file that a tool's rule recognised."""

    def __init__(self, lens: Lens, found: FileTally, *, has_cookies: bool) -> None:
        self._lens = lens
        self._found = found
        self._has_cookies = has_cookies
        self.opted_pages: dict[str, set[str]] = {}
        """Tool → sites whose own cookies hold its opt-out."""

    def note(self, seen: Seen, tool: Tool) -> str | None:
        """Count a request to a tool and say what it means; None where it means nothing."""
        tally, role, fate = self._found.tool(tool.id), seen.decision.role, seen.entry.fate
        if fate in {"answered-here", "stopped"}:
            tally.answered_here += 1
            return "enforced"
        if fate != "sent" or role is None:
            return None
        tally.roles[role] = tally.roles.get(role, 0) + 1
        if role not in CARRY_DATA or seen.request is None:
            return None
        opinion = self._judged(seen, seen.request, tool, tally)
        if opinion is not None:
            tally.hits += 1
            if len(tally.pages) < MOST_PAGES:
                tally.pages[page_key(seen.page) if seen.page else ""] = None
        strayed = self._strayed(seen, tally)
        return opinion.verdict if opinion else strayed

    def _judged(self, seen: Seen, request: Request, tool: Tool, tally: ToolTally) -> Opinion | None:
        carried = self._carried(seen.entry, request, tool)
        told = signals_of(seen.entry.url, seen.entry.body)
        opted = self.opted_pages.get(tool.id, ())
        delivery = self._lens.expressed.delivery(
            tool,
            request,
            cookies_in(seen.lines.get("cookie", "")),
            on_page=seen.from_.site in opted,
            known=self._has_cookies,
        )
        tally.delivered += delivery == "seen"
        for name in (*carried.cookies, *carried.params):
            count_name(tally.identities, name)
        for flag in told.flags:
            count_name(tally.flags, flag)
        category = self._lens.category(tool.id)
        level, effect = seen.decision.level, tool.express.effect
        opinion = of_hit(level, carried, told, delivery, effect, category)
        if opinion is not None:
            self.convict(seen, tool.id, opinion, carried, told.flags)
        return opinion

    def convict(
        self, seen: Seen, tool: str, opinion: Opinion, carried: Carried, flags: tuple[str, ...]
    ) -> None:
        """Count an opinion about a request, and keep the request as evidence."""
        tally, entry = self._found.tool(tool), seen.entry
        tally.opinions[opinion] = tally.opinions.get(opinion, 0) + 1
        tally.add_evidence(
            Evidence(
                file=self._found.path,
                index=entry.index,
                url=entry.url[:2000],
                page=seen.page[:2000],
                started=entry.started[:40],
                role=seen.decision.role,
                verdict=opinion.verdict,
                reason=opinion.reason,
                carried=carried,
                flags=flags,
                rule=seen.decision.rule,
            )
        )

    def _carried(self, entry: Entry, request: Request, tool: Tool) -> Carried:
        """The identity on a hit: what `strip` would take away, from its path and body too."""
        joined, readable = _joined(entry, request)
        decision = self._lens.stripping.decide(joined)
        if joined is not request and decision.tool != tool.id:
            decision = self._lens.stripping.decide(request)
            readable = False
        removed = decision.removed
        cookies = tuple(name for name in removed.cookies if not is_plumbing(name))
        # A value of one letter, `uaw=0` or an empty one, tells nobody apart.
        params = tuple(n for n in removed.params if len(query_value(joined.url, n) or "") > 1)
        unknown = self._not_captured(entry, is_whole=readable and not decision.stops)
        if unknown is None and removed.cookies and not cookies:
            unknown = "doubtful-cookies"
        if unknown is None and may_identify(joined.url):
            unknown = "possible-identifier"
        return Carried(cookies, params, unknown)

    def _not_captured(self, entry: Entry, *, is_whole: bool) -> Reason | None:
        """What of a hit the capture does not hold."""
        if not entry.has_headers:
            return "headers-not-captured"
        if not self._has_cookies:
            return "cookies-not-captured"
        return None if is_whole else "body-not-captured"

    def _strayed(self, seen: Seen, tally: ToolTally) -> str | None:
        """Whether a hit is outside what the policy says about where and when."""
        limit = self._lens.limits.get(seen.decision.tool or "")
        if limit is None or not seen.page:
            return None
        is_whole = bool(seen.entry.page) or seen.page.partition("://")[2].partition("/")[2] != ""
        page = seen.page if is_whole else ""
        why = limit.strayed(seen.from_.host, page, seen.entry.started[:10])
        if why is None:
            return None
        tally.strayed += 1
        if len(tally.deviations) < MOST_EVIDENCE:
            place = (self._found.path, seen.entry.index, seen.page[:2000])
            tally.deviations.append(Deviation(*place, why))
        return "deviation"


def _joined(entry: Entry, request: Request) -> tuple[Request, bool]:
    """The request with all its fields in the query; and whether its body could be read as fields.

    Floodlight writes its parameters into the path: `/activity;src=1;type=a`.
    """
    fields, readable = _fields(entry, request)
    path = request.url.partition("?")[0].partition("#")[0].partition(";")[2]
    more = "&".join(filter(None, (path.replace(";", "&"), fields)))
    if not more:
        return request, readable
    mark = "&" if "?" in request.url else "?"
    url = request.url.partition("#")[0] + mark + more
    return msgspec.structs.replace(request, url=url), readable


def _fields(entry: Entry, request: Request) -> tuple[str, bool]:
    """The fields of a body as a query, and whether the body could be read as fields."""
    if not entry.body:
        return "", entry.has_body
    lines = request.headers
    kind = next((v for n, v in lines if n.lower() == b"content-type"), b"text/plain")
    body = _unpacked(entry.body)
    fields = bodies.fields(body, kind.decode("latin-1")) if len(body) <= _MOST_BODY else None
    if fields is None:
        return "", False
    return "&".join(f"{_safe(name)}={_safe(value)}" for name, value in fields), True


def _safe(text: str) -> str:
    """A field as it can stand in a query, readable to rules that look for its name or value."""
    return text.replace("%", "%25").replace("&", "%26").replace("#", "%23").replace("?", "%3F")


def _unpacked(body: bytes) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, _MOST_BODY + 1)
    except zlib.error:
        return body
