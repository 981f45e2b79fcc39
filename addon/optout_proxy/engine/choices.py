"""What the user chose, joined with what the policies declare: a level for every tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from optout_proxy.hosts import parents

if TYPE_CHECKING:
    from optout_proxy.model import Level


class Choices(msgspec.Struct, frozen=True):
    """The choices in force. Hosts named here cover their subdomains."""

    levels: dict[str, Level] = {}
    """Level per tool; a tool that is not here is allowed."""
    sites: dict[str, dict[str, Level]] = {}
    """Exceptions: page host → tool → level."""
    without_gpc: frozenset[str] = frozenset()
    """Page hosts that are not sent `Sec-GPC`."""
    policy_sites: frozenset[str] = frozenset()
    """Hosts that the loaded policies cover."""
    pages: Literal["any", "policy"] = "any"
    inspect: Literal["minimal", "all"] = "minimal"
    pinned: Literal["refuse", "pass"] = "refuse"
    undecided: Literal["closed", "open"] = "closed"
    gpc: bool = True
    persistent_cookies: Literal["keep", "session"] = "keep"
    every: Level | None = None
    """Answer as if every tool had this level, everywhere."""

    def covers(self, host: str) -> bool:
        """Whether a loaded policy speaks of this host."""
        return bool(self.policy_sites) and not self.policy_sites.isdisjoint(parents(host))

    def inspects_pages_of(self, host: str) -> bool:
        """Whether pages of this host are edited, not only requests to tools."""
        return self.inspect == "all" or self.covers(host)

    def level(self, tool: str, page_host: str) -> Level:
        """The level of a tool on pages of a host; an unknown page counts as in scope."""
        if self.every is not None:
            return self.every
        if self.pages == "policy" and page_host and not self.covers(page_host):
            return "allow"
        for name in parents(page_host) if self.sites and page_host else ():
            if (level := self.sites.get(name, {}).get(tool)) is not None:
                return level
        return self.levels.get(tool, "allow")

    def sends_gpc(self, page_host: str) -> bool:
        """Whether pages of this host, and what they ask for, are sent `Sec-GPC: 1`."""
        return self.gpc and self.without_gpc.isdisjoint(parents(page_host))

    def may_enforce(self, tool: str) -> bool:
        """Whether a tool is at a level above `allow` on some page."""
        if self.every is not None:
            return self.every != "allow"
        levels = [
            self.levels.get(tool, "allow"),
            *(s.get(tool, "allow") for s in self.sites.values()),
        ]
        return any(level != "allow" for level in levels)
