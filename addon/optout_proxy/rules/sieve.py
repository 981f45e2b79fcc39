"""A sieve before several indexes: most requests concern no rule, and that is quick to tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optout_proxy.hosts import parents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from optout_proxy.rules.index import Index


class Sieve:
    """Whether any rule of some indexes could match a URL; False is certain."""

    def __init__(
        self, indexes: Iterable[Index], hosts: Iterable[str] = (), marks: Iterable[str] = ()
    ) -> None:
        """`hosts` are named too, with their subdomains.

        `marks` begin with `/`: what has one behind its host may be seen otherwise than written.
        """
        self._indexes = tuple(indexes)
        self._hosts = frozenset(hosts)
        self._is_blunt = any(not index.is_gated for index in self._indexes)
        gates = [gate for index in self._indexes for gate in index.gate_texts()]
        asking = _shortest(text for text, asks in gates if asks and not text.startswith("/"))
        others = _shortest(text for text, asks in gates if not asks or text.startswith("/"))
        # One expression for texts that begin with the same character: half the time of looking
        # for each. Other texts begin with letters, and there it is the other way.
        self._path = [text for text in others if text.startswith("/")]
        self._in_path = _any_of(self._path)
        self._at_glance = _any_of([*self._path, *marks])
        self._anywhere = tuple(text for text in others if not text.startswith("/"))
        self._in_query = tuple(asking)

    def names(self, host: str) -> bool:
        """Whether a rule is filed for a host, or could match whatever follows it."""
        return (
            self._is_blunt
            or any(index.naming(host) for index in self._indexes)
            or not self._hosts.isdisjoint(parents(host))
            or self.begins_like(host)
        )

    def begins_like(self, host: str) -> bool:
        """Whether a rule that names no host could match by the host all the same."""
        fronts = f"//{host}", f"/{host}"  # what stands before the path, from each slash on
        return self._is_blunt or any(
            text.startswith(front) or front.startswith(text)
            for text in self._path
            for front in fronts
        )

    def glances(self, url: str, end: int) -> bool:
        """The same as `catches`, but true for a URL with a mark too: one search for both."""
        return self._at_glance(url, end) is not None or self._has_other(url)

    def catches(self, url: str, end: int) -> bool:
        """Whether a rule could match a URL (in lower case), by what follows its host."""
        return self._in_path(url, end) is not None or self._has_other(url)

    def _has_other(self, url: str) -> bool:
        for text in self._anywhere:
            if text in url:
                return True
        if "?" in url:
            for text in self._in_query:
                if text in url:
                    return True
        return False


def _any_of(texts: Iterable[str]) -> Callable[[str, int], object]:
    return re.compile("|".join(map(re.escape, texts)) or "(?!)").search


def _shortest(texts: Iterable[str]) -> list[str]:
    """Some texts without those that contain another of them."""
    every = frozenset(texts)
    return sorted(t for t in every if not any(o in t for o in every if o != t))
