"""Requests to whoever is no tool: the page's own site, and third parties that may track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.audit.express import cookies_in
from optout_proxy.audit.identifiers import SHORTEST, identifying, travelling
from optout_proxy.audit.tally import (
    MOST_EVIDENCE,
    MOST_NAMES,
    MOST_SITES,
    FileTally,
    SiteTally,
    count_name,
)

if TYPE_CHECKING:
    from optout_proxy.audit.hits import Hits
    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.seen import Seen
    from optout_proxy.engine.tool import Tool

_MEMO: Final = 4096


class Others:
    """Notes who else was asked for something in one file, and what they received."""

    def __init__(self, lens: Lens, found: FileTally, hits: Hits) -> None:
        self._lens = lens
        self._found = found
        self._hits = hits
        self._values: dict[str, str] = {}
        """Identifiers of the pages' own cookies → the cookie's name."""
        self._owners: dict[tuple[str, str], tuple[str, ...]] = {}
        self._last: dict[str, str] = {}
        """Host → the `Cookie` header that was looked at last."""

    def note(self, seen: Seen) -> str | None:
        """Note a request that no tool's rule knows; says `undeclared` where it is to a tracker."""
        if seen.entry.fate != "sent" or not seen.place.host:
            return None
        if not seen.is_own:
            return self._third_party(seen)
        header = seen.lines.get("cookie")
        if header and self._last.get(seen.place.host) != header:
            self._own_cookies(seen, header)
        return None

    def _own_cookies(self, seen: Seen, header: str) -> None:
        """Remember who follows visitors by the page's own cookies, and by which values."""
        if len(self._last) < _MEMO:
            self._last[seen.place.host] = header
        cookies = cookies_in(header)
        for tool in self._lens.expressed.on_page(cookies):
            self._hits.opted_pages.setdefault(tool, set()).add(seen.place.site)
        for name, value in cookies.items():
            for tool in self.owners(seen, name):
                count_name(self._found.tool(tool).identities, name)
                if len(value) >= SHORTEST and len(self._values) < MOST_NAMES:
                    self._values[travelling(value)] = name

    def owners(self, seen: Seen, name: str) -> tuple[str, ...]:
        """The tools whose identity a cookie of a page's own site is."""
        key = (seen.place.site, name)
        owners = self._owners.get(key)
        if owners is None:
            owners = self._lens.owners(seen.place.host, name)
            if len(self._owners) < _MEMO:
                self._owners[key] = owners
        return owners

    def _third_party(self, seen: Seen) -> str | None:
        place, operator = seen.place, seen.place.operator
        if place.covered or (operator is not None and operator == seen.from_.operator):
            return None
        told = self._told_by(seen)
        is_certain = seen.from_.host or seen.lines.get("sec-fetch-site") == "cross-site"
        is_named = operator is not None and told is None
        identifier = "" if is_named or not is_certain else self._identifier(seen)
        site = self._site(seen)
        if told is None and not identifier:
            return None
        if identifier and len(site.identifiers) < MOST_EVIDENCE:
            site.identifiers[identifier] = None
        self._tell(seen, site, told)
        return "undeclared"

    def _told_by(self, seen: Seen) -> tuple[str, str] | None:
        """Who knows a host as a tracker's, and as whose."""
        listed = seen.decision.tool or ""
        if listed.startswith("list:"):
            return listed, listed.removeprefix("list:")
        tracker = seen.place.tracker
        return ("known operators", f"{tracker.operator}: {tracker.product}") if tracker else None

    def _identifier(self, seen: Seen) -> str:
        """What tells the visitor apart on a request; empty where nothing seems to."""
        if (header := seen.lines.get("cookie")) and (name := identifying(header)):
            return f"cookie {name}"
        url = seen.entry.url
        if self._values and "?" in url:
            for value, name in self._values.items():
                if value in url:
                    return f"value of {name}"[:100]
        return ""

    def undeclared_tool(self, seen: Seen, tool: Tool) -> str | None:
        """Note a tool that the policy does not name."""
        if tool.id in self._lens.named or seen.decision.role in {"visits", "permits"}:
            return None
        by = (f"blocklists/{tool.id}.toml", f"{tool.operator}: {tool.name}")
        self._tell(seen, self._site(seen), by)
        return "undeclared"

    def received_canary(self, seen: Seen) -> None:
        """Note a third party that received the canary."""
        self._tell(seen, self._site(seen), ("canary", "it received the canary"))

    def _site(self, seen: Seen) -> SiteTally:
        sites, name = self._found.sites, seen.place.site
        site = sites.get(name)
        if site is None:
            site = SiteTally()
            if len(sites) < MOST_SITES:
                sites[name] = site
        site.requests += 1
        site.on_policy += seen.counts_for_policy
        return site

    def _tell(self, seen: Seen, site: SiteTally, by: tuple[str, str] | None) -> None:
        """Note what told that a site is a tracker."""
        if by is not None and len(site.known) < MOST_EVIDENCE:
            site.known[by] = None
        place = (self._found.path, seen.entry.index, seen.place.host)
        site.first = site.first if site.first[0] else place
        if seen.counts_for_policy:
            site.told_on_policy = True
            site.first_on_policy = site.first_on_policy or place
