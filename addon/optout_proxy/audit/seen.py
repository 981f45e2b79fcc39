"""An entry with all that is made of it before anybody judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.entry import wire
from optout_proxy.audit.trackers import Tracker, tracker_of
from optout_proxy.engine.naming import Lines, type_of
from optout_proxy.hosts import host_of, site_of

if TYPE_CHECKING:
    from optout_proxy.audit.entry import Entry
    from optout_proxy.audit.lens import Lens
    from optout_proxy.model import Decision, Request, Role

_NAMING: Final = frozenset(
    {
        "referer",
        "origin",
        "cookie",
        "accept",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-purpose",
        "sec-fetch-site",
        "sec-fetch-storage-access",
        "sec-gpc",
    }
)
CARRY_DATA: Final[frozenset[Role]] = frozenset({"collects", "telemetry"})
"""The roles of requests that carry data about the visit."""
_MOST_BODY: Final = 64 * 1024
_MEMO: Final = 8192


class Place(msgspec.Struct, frozen=True, gc=False):
    """What is known of a host."""

    host: str
    site: str = ""
    operator: str | None = None
    covered: bool = False
    """Whether the policy speaks of it."""
    tracker: Tracker | None = None

    def is_same_site(self, other: Place) -> bool:
        """Whether two hosts are of one site; an unknown one is of none."""
        return self.site == other.site != ""


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One entry, where it went, from which page, and what the proxy would do."""

    entry: Entry
    lines: dict[str, str]
    """The header lines that tell what a request is, by lower-case name."""
    place: Place
    page: str
    from_: Place
    """The host of the page."""
    decision: Decision
    request: Request | None
    """As the engine named it; None where no rule can know its address."""

    @property
    def is_document(self) -> bool:
        """Whether somebody opened it, rather than a page asked for it."""
        if told := self.lines.get("sec-fetch-dest"):
            return told == "document"
        if self.entry.type is not None:
            return self.entry.type == "document"
        return "text/html" in self.lines.get("accept", "") and self.entry.method == "GET"

    @property
    def is_own(self) -> bool:
        """Whether it went to the page's own site, a navigation to it included."""
        return self.place.is_same_site(self.from_) or self.is_document

    @property
    def counts_for_policy(self) -> bool:
        """Whether it came from a page that the policy covers; an unknown page may be one."""
        return self.from_.covered or not self.from_.host


class Eye:
    """Looks at entries through a lens; remembers hosts, and nothing that changes an answer."""

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        self._places: dict[str, Place] = {}

    def see(self, entry: Entry) -> Seen:
        """An entry, named and decided as the proxy would."""
        lines = lines_of(entry)
        referer = lines.get("referer", "")
        page = entry.page or referer
        place, from_ = self.place(host_of(entry.url)), self.place(host_of(page))
        if self._is_plain(entry, lines, place, from_ if page == referer else None):
            asked_by = referer or entry.page
            decision = self._lens.engine.decide_url(entry.url, asked_by, entry.type or "other")
            if decision.role is None:
                return Seen(entry, lines, place, page, from_, decision, None)
            if page == referer and _says_the_same(entry, lines, place.is_same_site(from_)):
                request = self._named(entry, lines) if decision.role in CARRY_DATA else None
                return Seen(entry, lines, place, page, from_, decision, request)
        request = self._named(entry, lines)
        if not entry.page and request.page_host != from_.host:
            from_ = self.place(request.page_host)
        decision = self._lens.engine.decide(request)
        return Seen(entry, lines, place, page or request.page, from_, decision, request)

    def _named(self, entry: Entry, lines: dict[str, str]) -> Request:
        named = lines.get("referer") or lines.get("origin") or not entry.page
        return self._lens.engine.name(
            entry.url,
            method=entry.method,
            headers=entry.headers,
            page=None if named else entry.page,
            type=None if lines.get("sec-fetch-dest") else entry.type,
            body=entry.body[:_MOST_BODY] if entry.body else None,
        )

    def _is_plain(
        self, entry: Entry, lines: dict[str, str], place: Place, from_: Place | None
    ) -> bool:
        """Whether address and page alone make the strictest reading of an entry.

        `from_` is None where the engine would be given another page than the capture tells.
        """
        if self._lens.has_lists or entry.body or "sec-fetch-storage-access" in lines:
            return False
        if lines.get("sec-fetch-site") != "cross-site":
            return True
        return from_ is not None and not place.is_same_site(from_)

    def place(self, host: str) -> Place:
        """What is known of a host."""
        found = self._places.get(host)
        if found is None:
            lens = self._lens
            found = Place(
                host,
                site_of(host),
                lens.operators.of(host),
                lens.choices.covers(host),
                tracker_of(host, lens.trackers),
            )
            if len(self._places) < _MEMO:
                self._places[host] = found
        return found


def _says_the_same(entry: Entry, lines: dict[str, str], is_same_site: bool) -> bool:
    """Whether the headers say of type and party what address and page say without them."""
    said = lines.get("sec-fetch-site", "")
    if said and (said == "cross-site") == is_same_site:
        return False
    dest = lines.get("sec-fetch-dest", "")
    if not dest:
        return entry.type is not None
    if "sec-purpose" in lines:
        return False
    mode = lines.get("sec-fetch-mode", "")
    told = Lines(((b"sec-fetch-dest", wire(dest)), (b"sec-fetch-mode", wire(mode))))
    return type_of(entry.url, entry.method, told) == (entry.type, False)


def lines_of(entry: Entry) -> dict[str, str]:
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


def page_key(url: str) -> str:
    """A page without its query: host and path."""
    rest = url.partition("://")[2].partition("?")[0].partition("#")[0]
    path = rest.partition("/")[2].rstrip("/")
    return f"{host_of(url)}/{path}"[:500]
