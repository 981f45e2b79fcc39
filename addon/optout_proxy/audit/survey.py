"""Look at one file: `path → rows`, and what they add up to. Nothing is left behind for the next."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.entry import Entry, Traits, Unreadable
from optout_proxy.audit.express import cookies_in, days_of
from optout_proxy.audit.opening import read_capture
from optout_proxy.audit.signals import signals_of
from optout_proxy.audit.tally import (
    MOST_EVIDENCE,
    MOST_NAMES,
    MOST_PAGES,
    MOST_SITES,
    CanaryFound,
    Deviation,
    Evidence,
    FileTally,
    Row,
    SiteTally,
    ToolTally,
    merge_days,
)
from optout_proxy.audit.trackers import tracker_of
from optout_proxy.audit.verdict import Carried, Opinion, Reason, of_hit
from optout_proxy.edits import body as bodies
from optout_proxy.edits.cookies import set_cookie_name
from optout_proxy.edits.url import query_value
from optout_proxy.hosts import host_of, site_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optout_proxy.audit.lens import Lens
    from optout_proxy.engine.tool import Tool
    from optout_proxy.model import Decision, Request, Role

_CARRY_DATA: Final[frozenset[Role]] = frozenset({"collects", "telemetry"})
_NAMING: Final = frozenset(
    {
        "referer",
        "origin",
        "cookie",
        "accept",
        "content-type",
        "content-encoding",
        "sec-fetch-dest",
        "sec-fetch-site",
        "sec-fetch-storage-access",
        "sec-gpc",
    }
)
_SHORTEST_VALUE: Final = 8
"""Letters from which on a value can tell people apart."""
_PLUMBING: Final = (
    "__cf", "cf_", "ak_bm", "bm_", "_abck", "jsessionid", "phpsessid", "asp.net_sessionid",
    "awsalb", "incap_", "visid_incap", "nlbi_", "ts01", "bigip", "arraffinity",
)  # fmt: skip
"""Beginnings of cookies that spread load and keep robots out, and follow nobody."""
_MOST_BODY: Final = 64 * 1024
_MEMO: Final = 4096


def survey(
    path: Path,
    lens: Lens,
    note: Callable[[Row], None] | None = None,
    *,
    may_lack_cookies: bool = False,
) -> FileTally:
    """Read a file and tell what it shows; `note` is given a row for each entry, in order.

    Whether a file holds any cookies is known at its end: where the tally is `doubtful` then, look
    again with `may_lack_cookies`.
    """
    traits = Traits()
    found = FileTally(str(path))
    look = _Look(lens, found, has_cookies=not may_lack_cookies)
    for entry in read_capture(path, traits):
        found.entries += 1
        row = look.at(entry)
        if note is not None:
            note(row)
    found.made_by, found.problem = traits.made_by, traits.problem
    return found


class _Look:
    """The looking at one file: what must be remembered from one entry to the next."""

    def __init__(self, lens: Lens, found: FileTally, *, has_cookies: bool) -> None:
        self._lens = lens
        self._has_cookies = has_cookies
        self._found = found
        self._values: dict[str, str] = {}
        """Identifiers of the page's own cookies → the cookie's name."""
        self._owners: dict[tuple[str, str], tuple[str, ...]] = {}
        self._last_cookies: dict[str, str] = {}
        self._opted_pages: dict[str, set[str]] = {}
        """Tool → sites whose cookies hold its opt-out."""

    def at(self, entry: Entry | Unreadable) -> Row:
        """Look at an entry; one that cannot be judged counts as unreadable, whatever is wrong."""
        if isinstance(entry, Unreadable):
            return self._unreadable(entry, "")
        try:
            row = self._read(entry)
        except Exception as error:  # noqa: BLE001 - an odd entry costs itself and nothing else
            why = f"it cannot be judged: {type(error).__name__}: {error}"[:200]
            return self._unreadable(Unreadable(entry.index, why), entry.url)
        self._found.read += 1
        return row

    def _unreadable(self, entry: Unreadable, url: str) -> Row:
        self._found.unreadable.append(entry)
        return Row(self._found.path, entry.index, url, None, None, None, "unreadable")

    # -- one entry -----------------------------------------------------------------------------

    def _read(self, entry: Entry) -> Row:
        lines = _lines(entry)
        request, decision = self._decided(entry, lines)
        page = entry.page or lines.get("referer", "")
        host = request.host if request else host_of(entry.url)
        page_host = request.page_host if request and not entry.page else host_of(page)
        seen = _Seen(entry, lines, host, page, page_host, request, decision)
        self._note_traits(seen)
        self._note_page(seen)
        finding = self._note_tool(seen) if decision.role else self._note_others(seen)
        self._note_set_cookies(seen)
        if self._lens.canary is not None:
            finding = self._note_canary(seen) or finding
        is_known = decision.role is not None or (decision.tool or "").startswith("list:")
        return Row(
            self._found.path,
            entry.index,
            entry.url,
            decision.tool if is_known else None,
            decision.role,
            decision.action if is_known else "allow",
            finding,
        )

    def _decided(self, entry: Entry, lines: dict[str, str]) -> tuple[Request | None, Decision]:
        """What the proxy would do; the request as named, unless no rule can know its address."""
        engine = self._lens.engine
        referer = lines.get("referer", "")
        if self._is_plain(entry, referer or entry.page, lines):
            decision = engine.decide_url(entry.url, referer or entry.page, entry.type or "other")
            if decision.role is None:
                return None, decision
        named = referer or lines.get("origin") or not entry.page
        told = lines.get("sec-fetch-dest")
        request = engine.name(
            entry.url,
            method=entry.method,
            headers=entry.headers,
            page=None if named else entry.page,
            type=None if told else entry.type,
            body=entry.body[:_MOST_BODY] if entry.body else None,
        )
        return request, engine.decide(request)

    def _is_plain(self, entry: Entry, page: str, lines: dict[str, str]) -> bool:
        """Whether the address and page alone make the strictest reading of an entry."""
        if self._lens.has_lists or entry.body or "sec-fetch-storage-access" in lines:
            return False
        if lines.get("sec-fetch-site") != "cross-site" or not page:
            return True
        return site_of(host_of(entry.url)) != site_of(host_of(page))

    def _note_traits(self, seen: _Seen) -> None:
        found = self._found
        if not found.has_cookies and ("cookie" in seen.lines or seen.entry.set_cookies):
            found.has_cookies = True
        if seen.entry.fate == "answered-here":
            found.answered_here += 1
        if seen.lines.get("sec-gpc") == "1":
            found.gpc += 1

    def _note_page(self, seen: _Seen) -> None:
        entry = seen.entry
        if not seen.is_document or not (200 <= entry.status < 300 or entry.status == 304):
            return
        if entry.fate not in {"sent", "cached"}:
            return
        self._found.page_loads += 1
        self._found.policy_loads += self._lens.choices.covers(seen.host)
        pages, key = self._found.pages, page_key(entry.url)
        if key in pages or len(pages) < MOST_PAGES:
            pages[key] = pages.get(key, 0) + 1

    # -- a tool's request ----------------------------------------------------------------------

    def _note_tool(self, seen: _Seen) -> str | None:
        decision, entry = seen.decision, seen.entry
        tool, role = self._lens.tools[decision.tool or ""], decision.role
        tally = self._found.tool(tool.id)
        if entry.fate in {"answered-here", "stopped"}:
            tally.answered_here += 1
            return "enforced"
        if entry.fate != "sent" or role is None:
            return None
        tally.roles[role] = tally.roles.get(role, 0) + 1
        undeclared = self._note_undeclared_tool(seen, tool, role)
        if role not in _CARRY_DATA or seen.request is None:
            return undeclared
        opinion = self._judged(seen, seen.request, tool, tally)
        if opinion is not None:
            tally.hits += 1
            if len(tally.pages) < MOST_PAGES:
                tally.pages[page_key(seen.page) if seen.page else ""] = None
        strayed = self._note_limits(seen, tool, tally)
        return (opinion.verdict if opinion else None) or strayed or undeclared

    def _judged(
        self, seen: _Seen, request: Request, tool: Tool, tally: ToolTally
    ) -> Opinion | None:
        lens, decision = self._lens, seen.decision
        carried = self._carried(seen.entry, request, tool)
        told = signals_of(seen.entry.url, seen.entry.body)
        cookies = cookies_in(seen.lines.get("cookie", ""))
        page_site = site_of(seen.page_host)
        delivery = lens.expressed.delivery(
            tool, request, cookies,
            on_page=page_site in self._opted_pages.get(tool.id, ()), known=self._has_cookies,
        )  # fmt: skip
        tally.delivered += delivery == "seen"
        for name in (*carried.cookies, *carried.params):
            _add(tally.identities, name)
        for flag in told.flags:
            _add(tally.flags, flag)
        category = lens.category(tool.id)
        opinion = of_hit(decision.level, carried, told, delivery, tool.express.effect, category)
        if opinion is not None:
            tally.opinions[opinion] = tally.opinions.get(opinion, 0) + 1
            self._note_evidence(seen, tally, opinion, carried, told.flags)
        return opinion

    def _note_evidence(
        self, seen: _Seen, tally: ToolTally, opinion: Opinion, carried: Carried,
        flags: tuple[str, ...],
    ) -> None:  # fmt: skip
        entry = seen.entry
        tally.add_evidence(
            Evidence(
                self._found.path, entry.index, entry.url[:2000], seen.page[:2000],
                entry.started[:40], seen.decision.role, opinion.verdict, opinion.reason, carried,
                flags, seen.decision.rule,
            )
        )  # fmt: skip

    def _carried(self, entry: Entry, request: Request, tool: Tool) -> Carried:
        """The identity on a hit: what `strip` would take away, from its body too."""
        fields, readable = _fields(entry, request)
        joined = request
        if fields:
            mark = "&" if "?" in request.url else "?"
            url = request.url.partition("#")[0] + mark + fields
            joined = msgspec.structs.replace(request, url=url)
        decision = self._lens.stripping.decide(joined)
        if fields and decision.tool != tool.id:
            decision = self._lens.stripping.decide(request)
            readable = False
        removed = decision.removed
        cookies = tuple(name for name in removed.cookies if not _is_plumbing(name))
        unknown: Reason | None = None
        if not entry.has_headers:
            unknown = "headers-not-captured"
        elif not self._has_cookies:
            unknown = "cookies-not-captured"
        elif not readable or decision.stops:
            unknown = "body-not-captured"
        elif removed.cookies and not cookies:
            unknown = "doubtful-cookies"
        params = tuple(name for name in removed.params if query_value(joined.url, name) != "")
        return Carried(cookies, params, unknown)

    def _note_limits(self, seen: _Seen, tool: Tool, tally: ToolTally) -> str | None:
        limit = self._lens.limits.get(tool.id)
        if limit is None or not seen.page:
            return None
        is_whole = bool(seen.entry.page) or seen.page.partition("://")[2].partition("/")[2] != ""
        page = seen.page if is_whole else ""
        why = limit.strayed(seen.page_host, page, seen.entry.started[:10])
        if why is None:
            return None
        tally.strayed += 1
        if len(tally.deviations) < MOST_EVIDENCE:
            place = (self._found.path, seen.entry.index, seen.page[:2000])
            tally.deviations.append(Deviation(*place, why))
        return "deviation"

    def _note_undeclared_tool(self, seen: _Seen, tool: Tool, role: Role) -> str | None:
        if tool.id in self._lens.named or role in {"visits", "permits"}:
            return None
        by = (f"blocklists/{tool.id}.toml", f"{tool.operator}: {tool.name}")
        site = self._site(seen)
        self._told(seen, site, by)
        return "undeclared"

    # -- everybody else ------------------------------------------------------------------------

    def _note_others(self, seen: _Seen) -> str | None:
        entry = seen.entry
        if entry.fate != "sent" or not seen.host or entry.url.startswith(("data:", "blob:")):
            return None
        own_site = site_of(seen.host)
        if seen.is_document or (seen.page_host and own_site == site_of(seen.page_host)):
            self._note_own_cookies(seen)
            return None
        return self._note_third_party(seen)

    def _note_own_cookies(self, seen: _Seen) -> None:
        """Remember who follows visitors by the page's own cookies, and by which values."""
        header = seen.lines.get("cookie", "")
        if not header or self._last_cookies.get(seen.host) == header:
            return
        if len(self._last_cookies) < _MEMO:
            self._last_cookies[seen.host] = header
        cookies = cookies_in(header)
        for tool in self._lens.expressed.on_page(cookies):
            self._opted_pages.setdefault(tool, set()).add(site_of(seen.host))
        for name, value in cookies.items():
            for tool in self._owners_of(seen.host, name):
                _add(self._found.tool(tool).identities, name)
                if len(value) >= _SHORTEST_VALUE and len(self._values) < MOST_NAMES:
                    self._values[_telling(value)] = name

    def _owners_of(self, host: str, name: str) -> tuple[str, ...]:
        """The tools whose identity a page's own cookie is."""
        key = (site_of(host), name)
        owners = self._owners.get(key)
        if owners is None:
            owners = self._lens.owners(host, name)
            if len(self._owners) < _MEMO:
                self._owners[key] = owners
        return owners

    def _note_third_party(self, seen: _Seen) -> str | None:
        lens, host = self._lens, seen.host
        operator = lens.operators.of(host)
        if operator is not None and operator == lens.operators.of(seen.page_host):
            return None
        if lens.choices.covers(host):
            return None
        site = self._site(seen)
        listed = seen.decision.tool or ""
        told = None
        if listed.startswith("list:"):
            told = (listed, listed.removeprefix("list:"))
        elif tracker := tracker_of(host, lens.trackers):
            told = ("known operators", f"{tracker.operator}: {tracker.product}")
        if told is not None:
            self._told(seen, site, told)
        is_certain = seen.page_host or seen.lines.get("sec-fetch-site") == "cross-site"
        is_named = operator is not None and told is None
        identifier = None if is_named or not is_certain else self._identifier(seen)
        if identifier is not None:
            if len(site.identifiers) < MOST_EVIDENCE:
                site.identifiers[identifier] = None
            self._told(seen, site, None)
        return "undeclared" if told or identifier else None

    def _identifier(self, seen: _Seen) -> str | None:
        """The name of what tells the visitor apart on a request; None where nothing seems to."""
        for name, value in cookies_in(seen.lines.get("cookie", "")).items():
            if len(value) >= _SHORTEST_VALUE and not _is_plumbing(name):
                return f"cookie {name}"[:100]
        url = seen.entry.url
        if self._values and "?" in url:
            for value, name in self._values.items():
                if value in url:
                    return f"value of {name}"[:100]
        return None

    def _site(self, seen: _Seen) -> SiteTally:
        sites, name = self._found.sites, site_of(seen.host)
        site = sites.get(name)
        if site is None:
            site = SiteTally()
            if len(sites) < MOST_SITES:
                sites[name] = site
        site.requests += 1
        site.on_policy += seen.page_host == "" or self._lens.choices.covers(seen.page_host)
        return site

    def _told(self, seen: _Seen, site: SiteTally, by: tuple[str, str] | None) -> None:
        """Note what told that a site is a tracker."""
        if by is not None and len(site.known) < MOST_EVIDENCE:
            site.known[by] = None
        place = (self._found.path, seen.entry.index, seen.host)
        site.first = site.first if site.first[0] else place
        if seen.page_host == "" or self._lens.choices.covers(seen.page_host):
            site.told_on_policy = True
            site.first_on_policy = site.first_on_policy or place

    # -- what comes back, and the canary -------------------------------------------------------

    def _note_set_cookies(self, seen: _Seen) -> None:
        for line in seen.entry.set_cookies:
            name = set_cookie_name(line)
            value = line.partition(b";")[0].partition(b"=")[2].strip().decode("latin-1")
            days = days_of(line, _instant(seen.entry.started))
            opted = self._lens.expressed.sets(seen.host, name, value)
            for tool in opted:
                self._found.tool(tool).opt_out_days.append(days)
                self._opted_pages.setdefault(tool, set()).add(site_of(seen.host))
            if opted or days == 0:
                continue
            for tool in self._setters(seen, name):
                merge_days(self._found.tool(tool).cookies, [(name[:100], days)])

    def _setters(self, seen: _Seen, name: str) -> tuple[str, ...]:
        decision = seen.decision
        if decision.role and decision.tool and decision.role not in {"visits", "permits"}:
            return (decision.tool,)
        own = seen.is_document or site_of(seen.host) == site_of(seen.page_host)
        return self._owners_of(seen.host, name) if own else ()

    def _note_canary(self, seen: _Seen) -> str | None:
        canary, decision = self._lens.canary, seen.decision
        is_own = site_of(seen.host) == site_of(seen.page_host)
        if canary is None or seen.entry.fate != "sent" or seen.is_document or is_own:
            return None
        found = canary.found_in(seen.entry)
        if found is None:
            return None
        tool = decision.tool if decision.role else None
        if len(self._found.canaries) < MOST_NAMES:
            place = (self._found.path, seen.entry.index, seen.host)
            self._found.canaries.append(CanaryFound(*place, tool, found))
        if tool is None:
            site = self._site(seen)
            self._told(seen, site, ("canary", "it received the canary"))
            return "undeclared"
        if decision.role in _CARRY_DATA and decision.level != "allow":
            tally = self._found.tool(tool)
            opinion = Opinion("violated", "canary-sent")
            tally.opinions[opinion] = tally.opinions.get(opinion, 0) + 1
            self._note_evidence(seen, tally, opinion, Carried(), (found,))
            return "violated"
        return "canary"


class _Seen(msgspec.Struct, frozen=True):
    """An entry, and all that was made of it."""

    entry: Entry
    lines: dict[str, str]
    host: str
    page: str
    page_host: str
    request: Request | None
    decision: Decision

    @property
    def is_document(self) -> bool:
        """Whether somebody opened it, rather than a page asked for it."""
        if told := self.lines.get("sec-fetch-dest"):
            return told == "document"
        if self.entry.type is not None:
            return self.entry.type == "document"
        return "text/html" in self.lines.get("accept", "") and self.entry.method == "GET"


def _lines(entry: Entry) -> dict[str, str]:
    """The header lines that tell what a request is; several `Cookie` lines as one."""
    found: dict[str, str] = {}
    for pair in entry.pairs:
        low = pair.name.lower()
        if low in _NAMING:
            if low not in found:
                found[low] = pair.value
            elif low == "cookie":
                found[low] += f"; {pair.value}"
    return found


def _fields(entry: Entry, request: Request) -> tuple[str, bool]:
    """The fields of a body as a query, and whether the body could be read as fields."""
    if not entry.body:
        return "", entry.has_body
    kind = next((v for n, v in request.headers if n.lower() == b"content-type"), b"text/plain")
    body = _unpacked(entry.body)
    if len(body) > _MOST_BODY:
        return "", False
    fields = bodies.fields(body, kind.decode("latin-1"))
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


def _instant(started: str) -> datetime:
    """When a request was made; now where the capture does not say, which only shortens lives."""
    try:
        told = datetime.fromisoformat(started)
    except ValueError:
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _telling(value: str) -> str:
    """The part of an identifier that travels: of `GA1.2.111.222` what stands behind the version."""
    pieces = value.split(".")
    tail = ".".join(pieces[-2:]) if len(pieces) >= 4 else value
    return tail if len(tail) >= _SHORTEST_VALUE else value


def page_key(url: str) -> str:
    """A page without its query: host and path."""
    host = host_of(url)
    rest = url.partition("://")[2].partition("?")[0].partition("#")[0]
    path = rest.partition("/")[2].rstrip("/")
    return f"{host}/{path}"[:500]


def _is_plumbing(name: str) -> bool:
    return name.lower().startswith(_PLUMBING)


def _add(counts: dict[str, int], name: str) -> None:
    name = name[:100]
    if name in counts or len(counts) < MOST_NAMES:
        counts[name] = counts.get(name, 0) + 1
