"""What a client opened lately: the difference between a visit to a site and a frame inside a page.

A request from inside an embedded frame carries `Sec-Fetch-Site: same-origin`, the frame's site as
`Referer` and the user's cookies, just as a visit to that site would. These signs tell them apart:

- `Sec-Fetch-Storage-Access` is sent in cross-site contexts only. Together with `Sec-Fetch-Site:
  same-origin` or `same-site` the asker is of the host's own site and the page at the top is not:
  an embed. (On a cross-site request it says nothing about the asker, who may be the top page.)
- The address of every document and frame that was asked for comes back as `Referer`.
- Without either sign, and where the asker is no address that a tool declares as its embed, it is
  an embed's if the asker's host was lately seen in frames only, else a visit if the client lately
  navigated to the asker's site. (To another host of its site a frame tells no more than its own
  host, in a browser without the first sign: `platform.twitter.com` of a timeline, beside a visit
  to `twitter.com`.)

https://wicg.github.io/storage-access-headers/, https://w3c.github.io/webappsec-fetch-metadata/
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from optout_proxy.hosts import host_of, site_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from optout_proxy.model import Headers

type Signs = dict[bytes, bytes]
"""Of a request's header lines those that tell who asks; `signs_of` picks them out."""

_SIGNS: Final = frozenset(
    {b"accept", b"referer", b"sec-fetch-dest", b"sec-fetch-site", b"sec-fetch-storage-access"}
)
_ONCE: Final = 60.0
"""Seconds without a request after which an embed that was loaded once is stopped again."""
_FRAMES: Final = frozenset({b"iframe", b"frame", b"embed", b"object"})
_OWN_SITE: Final = frozenset({b"same-origin", b"same-site"})


class Visits:
    """Remembers documents and frames per client address, for a while, in bounded memory.

    `keep` is in seconds of `clock` and starts anew whenever a document is heard of again.
    Addresses are kept as hashes: an absurdly long one costs no more than any other.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        keep: float = 30 * 60,
        clients: int = 256,
        entries: int = 2048,
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._clients = clients
        self._entries = entries
        self._memory: OrderedDict[str, _Client] = OrderedDict()

    def saw(self, client: str, url: str, signs: Signs) -> None:
        """Remember `url` if it is asked for as a document or as a frame."""
        if _is_visit(url, signs):
            memory = self._of(client)
            memory.documents.put(_address(url), False)
            memory.hosts.put(hash(host_of(url)), False)
            memory.sites.put(hash(site_of(host_of(url))), True)
        elif signs.get(b"sec-fetch-dest") in _FRAMES:
            self._saw_frame(client, url, self._frame_is_embedded(client, url, signs))

    def _saw_frame(self, client: str, url: str, embedded: bool) -> None:
        memory = self._of(client)
        memory.documents.put(_address(url), embedded)
        host = hash(host_of(url))
        if embedded and memory.hosts.get(host) is None:
            memory.hosts.put(host, True)

    def embed(self, client: str, url: str, signs: Signs) -> bool | None:
        """Whether the request comes from inside a frame that another site embeds.

        None where there is no sure sign of it: then declared embeds come first, and `guess` last.
        """
        if _is_visit(url, signs):
            return False
        marked = b"sec-fetch-storage-access" in signs
        if marked and signs.get(b"sec-fetch-site") in _OWN_SITE:
            return True
        asker = _asker(url, signs)
        known = self._known(client, asker) if asker else None
        # The mark alone says too little: whoever does not know what we know would take it for one.
        return self._guess(client, asker, url) if known is None and marked and asker else known

    def guess(self, client: str, url: str, signs: Signs) -> bool:
        """Whether to take a request without a sure sign for an embed's; False where nobody asked.

        Towards less: only a site that the client lately opened by itself is taken for visited.
        """
        asker = _asker(url, signs)
        return bool(asker) and self._guess(client, asker, url)

    def lift(self, client: str, host: str) -> None:
        """Remember that the visitor chose to load an embed of a host once."""
        self._of(client).lifted.put(hash(host), True)

    def is_lifted(self, client: str, host: str) -> bool:
        """Whether embeds of a host were lately chosen to be loaded; asking keeps it so."""
        return self._of(client).lifted.get(hash(host)) is True

    def _frame_is_embedded(self, client: str, url: str, signs: Signs) -> bool:
        # A frame of the page's own site belongs to the visit; inside an embed it is one too.
        if signs.get(b"sec-fetch-site") not in _OWN_SITE:
            return True
        if b"sec-fetch-storage-access" in signs:
            return True
        asker = _asker(url, signs)
        known = self._known(client, asker)
        return self._guess(client, asker, url) if known is None else known

    def _known(self, client: str, asker: str) -> bool | None:
        memory = self._of(client)
        embedded = memory.documents.get(_address(asker))
        if embedded is False:
            memory.sites.put(hash(site_of(host_of(asker))), True)
        return embedded

    def _guess(self, client: str, asker: str, url: str) -> bool:
        memory, host = self._of(client), host_of(asker)
        if memory.hosts.get(hash(host)):
            return True
        tells_host_only = asker.endswith("/") and asker.count("/") == 3
        if tells_host_only and host != host_of(url) and self.is_lifted(client, host):
            return True  # it was promised that what is loaded once goes without identity
        return memory.sites.get(hash(site_of(host))) is None

    def _of(self, client: str) -> _Client:
        memory = self._memory.get(client)
        if memory is None:
            memory = self._memory[client] = _Client(self._clock, self._keep, self._entries)
            if len(self._memory) > self._clients:
                self._memory.popitem(last=False)
        self._memory.move_to_end(client)
        return memory


class _Client:
    """What one client opened.

    Its documents (embedded or not), their hosts (in frames only or not), the sites it navigated
    to, and hosts whose embeds the visitor chose to load once.
    """

    __slots__ = ("documents", "hosts", "lifted", "sites")

    def __init__(self, clock: Callable[[], float], keep: float, entries: int) -> None:
        self.documents = _Recent(clock, keep, entries)
        self.hosts = _Recent(clock, keep, entries)
        self.lifted = _Recent(clock, min(keep, _ONCE), entries)
        self.sites = _Recent(clock, keep, entries)


class _Recent:
    """Flags by key; one not heard of for `keep` seconds is gone, and so is the oldest of many."""

    __slots__ = ("_clock", "_entries", "_flags", "_keep")

    def __init__(self, clock: Callable[[], float], keep: float, entries: int) -> None:
        self._clock = clock
        self._keep = keep
        self._entries = entries
        self._flags: OrderedDict[int, tuple[float, bool]] = OrderedDict()

    def put(self, key: int, flag: bool) -> None:
        self._flags[key] = (self._clock() + self._keep, flag)
        self._flags.move_to_end(key)
        if len(self._flags) > self._entries:
            self._flags.popitem(last=False)

    def get(self, key: int) -> bool | None:
        ends, flag = self._flags.get(key, (0.0, False))
        if ends <= self._clock():
            self._flags.pop(key, None)
            return None
        self.put(key, flag)
        return flag


def signs_of(headers: Headers) -> Signs:
    """The header lines of a request that tell who asks, by their names in lower case."""
    return {low: value for name, value in headers if (low := name.lower()) in _SIGNS}


def _asker(url: str, signs: Signs) -> str:
    """URL of the document that asked, or of its site; empty where nothing tells."""
    referer = signs.get(b"referer", b"").decode("latin-1")
    return referer or (url if signs.get(b"sec-fetch-site") in _OWN_SITE else "")


def _is_visit(url: str, signs: Signs) -> bool:
    """Whether the address bar of the client will show `url`."""
    if b"sec-fetch-dest" in signs:
        return signs[b"sec-fetch-dest"] == b"document"
    # A client that sends no fetch metadata: a link from another site cannot be told from a frame
    # there, so only what was typed, bookmarked or followed within the site counts.
    if not signs.get(b"accept", b"").startswith(b"text/html"):
        return False
    asker = signs.get(b"referer", b"").decode("latin-1")
    return not asker or site_of(host_of(asker)) == site_of(host_of(url))


def _address(url: str) -> int:
    return hash(url.partition("#")[0])
