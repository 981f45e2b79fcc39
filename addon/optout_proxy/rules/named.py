"""Rules that take something away by its name: which of many mean a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from optout_proxy.rules.rule import Rule


class Named(Protocol):
    """Whatever has a `cookie=`, `removeparam=` or `removeheader=` rule."""

    @property
    def rule(self) -> Rule: ...


class ByName[N: Named]:
    """Rules, by the names they spell."""

    def __init__(self, every: Sequence[N]) -> None:
        self.every = every
        self._pairs = [(one.rule.spelled_name, one) for one in every]
        self._spelled = frozenset(name for name, _ in self._pairs if name)
        self._prefixes = tuple(one.rule.anchored_prefix for name, one in self._pairs if not name)

    def meaning(self, names: Collection[str]) -> list[N]:
        """Those that could mean one of some names, in their order."""
        met = self._spelled.intersection(names)
        general = self._prefixes and any(name.startswith(self._prefixes) for name in names)
        if not met and not general:
            return []
        return [one for name, one in self._pairs if not name or name in met]


def chooser[N: Named](taking: Sequence[N]) -> Callable[[str, str], N | None]:
    """Which of some matching rules takes `name` (in the text `name=value`); exceptions win."""

    def choose(name: str, text: str) -> N | None:
        chosen = None
        for one in taking:
            if one.rule.names(name, text):
                if one.rule.exception:
                    return None
                chosen = chosen or one
        return chosen

    return choose
