"""A sieve before several indexes: most requests concern no rule, and that is quick to tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from optout_proxy.hosts import parents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.rules.index import Index

_MEMO: Final = 8192


class Sieve:
    """Whether any rule of some indexes could match a URL; False is certain."""

    def __init__(self, indexes: Iterable[Index], hosts: Iterable[str] = ()) -> None:
        """`hosts` are caught too, with their subdomains."""
        self._indexes = tuple(indexes)
        self._hosts = frozenset(hosts)
        texts = {text for index in self._indexes for text in index.gate_texts()}
        asking = {text for text in texts if not text.isalnum() and set(text) & set("=?&")}
        self._in_query = tuple(asking)
        # One expression for texts of the path, which mostly begin with `/`: half the time of
        # looking for each. Texts of the query begin with letters, and there it is the other way.
        anywhere = sorted(texts - asking)
        self._in_path = re.compile("|".join(map(re.escape, anywhere)) or "(?!)").search
        self._blunt = any(not index.is_gated for index in self._indexes)
        self._known: dict[str, bool] = {}

    def catches(self, url: str, host: str) -> bool:
        """Whether a rule could match a URL (in lower case) on a host."""
        known = self._known.get(host)
        if known is None:
            known = self._know(host)
        if known or self._blunt or self._in_path(url):
            return True
        if "?" in url:
            for text in self._in_query:
                if text in url:
                    return True
        return False

    def _know(self, host: str) -> bool:
        if len(self._known) >= _MEMO:
            self._known.clear()
        named = any(index.naming(host) for index in self._indexes)
        known = self._known[host] = named or not self._hosts.isdisjoint(parents(host))
        return known
