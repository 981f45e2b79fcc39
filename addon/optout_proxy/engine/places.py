"""What is known of a host whatever is asked of it: most addresses are of hosts met before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.engine.plain import plain_host
from optout_proxy.hosts import host_of, site_of
from optout_proxy.rules.rule import normal_url

if TYPE_CHECKING:
    from collections.abc import Callable

_MEMO: Final = 4096


class Place(msgspec.Struct, frozen=True, gc=False):
    """A host, as the front of an address (`https://host:port`) names it."""

    host: str
    end: int
    """Where the host ends in the address; -1 where the address spells it unlike we do."""
    site: str
    operator: str | None
    """Who runs the site, as far as tool files say."""
    is_named: bool
    """A rule is filed for the host, or something is supplied to it."""
    is_open: bool
    """A rule that names no host could match by the host all the same."""
    is_covered: bool
    """A loaded policy speaks of the host."""
    is_inspected: bool
    """Its pages are edited, not only requests to tools."""


class Places(dict[str, Place]):
    """Places by address; a bounded memo. Ask `of` for URLs, and by key for pages, which repeat."""

    def __init__(self, know: Callable[[str], tuple[str | None, bool, bool, bool, bool]]) -> None:
        """`know` tells of a host what stands in the last five fields of `Place`."""
        super().__init__()
        self._know = know

    def of(self, url: str) -> Place:
        """The place of a URL, by its front."""
        slash = url.find("/", 8)
        return self[url[:slash] if slash > 0 else url]

    def __missing__(self, url: str) -> Place:
        if len(self) >= _MEMO:
            self.clear()
        host = plain_host(host_of(url))
        normal, _, end = normal_url(url, host)
        end = end if host and normal is url else -1
        place = self[url] = Place(host, end, site_of(host), *self._know(host))
        return place
