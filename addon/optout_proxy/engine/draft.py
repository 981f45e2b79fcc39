"""A request or response head being edited: what is cut, by whose rule, and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optout_proxy.model import NOTHING, Credit, Headers, Level, Removed, RuleRef

if TYPE_CHECKING:
    from optout_proxy.model import Action


class Taken:
    """What one tool's rules took; `private` holds the names as the ledger writes them."""

    __slots__ = ("level", "private", "ref")

    def __init__(self, level: Level, ref: RuleRef | None) -> None:
        self.level = level
        self.ref = ref
        self.private: dict[str, list[str]] = {"cookies": [], "params": [], "headers": []}


class Draft:
    """The edits of one message. Names are kept once each, in the order met."""

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.names: dict[str, list[str]] = {"cookies": [], "params": [], "headers": []}
        self.by_tool: dict[str, Taken] = {}

    def took(
        self, kind: str, name: str, tool: str, level: Level, ref: RuleRef | None, written: str
    ) -> None:
        """Note that a tool's rule took a cookie, parameter or header."""
        if name not in self.names[kind]:
            self.names[kind].append(name)
        private = self.credit(tool, level, ref).private[kind]
        if written not in private:
            private.append(written)

    def credit(self, tool: str, level: Level, ref: RuleRef | None) -> Taken:
        """The account of a tool, opened where it has none."""
        taken = self.by_tool.get(tool)
        if taken is None:
            taken = self.by_tool[tool] = Taken(level, ref)
        return taken

    def removed(self) -> Removed:
        return _removed(self.names) if self.by_tool else NOTHING

    def credits(self, action: Action = "strip", hit: str = "") -> tuple[Credit, ...]:
        """One credit a tool.

        `action` is that of the tool which recognised the request, `hit`; what others took is
        `strip`, and what they only supplied is `signal`.
        """
        return tuple(
            Credit(tool, taken.level, action if tool == hit else _edit(removed), taken.ref, removed)
            for tool, taken in self.by_tool.items()
            for removed in (_removed(taken.private),)
        )


def _edit(removed: Removed) -> Action:
    return "strip" if removed else "signal"


def _removed(names: dict[str, list[str]]) -> Removed:
    if not any(names.values()):
        return NOTHING
    return Removed(tuple(names["cookies"]), tuple(names["params"]), tuple(names["headers"]))
