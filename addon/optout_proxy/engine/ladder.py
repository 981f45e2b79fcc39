"""From a role and a level to an action: the table that everything else carries out."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from optout_proxy.model import LEVELS, Action, Level, Role

_TABLE: Final[dict[Role, tuple[Action, Action, Action, Action]]] = {
    #             allow    signal    strip    block
    "loads": ("allow", "signal", "strip", "surrogate"),
    "collects": ("allow", "signal", "strip", "block"),
    "telemetry": ("allow", "signal", "block", "block"),
    "widgets": ("allow", "signal", "strip", "placeholder"),
    "visits": ("allow", "allow", "allow", "allow"),
    "permits": ("allow", "allow", "allow", "allow"),
}
_COLUMN: Final = {level: n for n, level in enumerate(LEVELS)}


@lru_cache(512)
def action_for(role: Role, level: Level, modifier: str = "") -> Action:
    """The action on a request of a role at a level.

    `modifier` is that of the rule which recognised it: a rule with a stand-in gives `surrogate`
    where the table blocks, and a redirector goes to its target wherever its identity would go.
    """
    if modifier == "urlskip" and level in {"strip", "block"}:
        return "redirect"
    action = _TABLE[role][_COLUMN[level]]
    return "surrogate" if action == "block" and modifier == "redirect" else action


_WHAT: Final[dict[Role, str]] = {
    "loads": "fetches the code of {tool}",
    "collects": "carries data about the visit to {tool}",
    "telemetry": "is a report of {tool} that nobody asked for",
    "widgets": "is what {tool} shows, or asked for from inside it",
    "visits": "was opened on purpose: {tool} is what you asked for",
    "permits": "belongs to the opt-out of {tool}",
}
_DONE: Final[dict[Action, str]] = {
    "allow": "it goes as it is",
    "signal": "it goes with the opt-out said on it",
    "strip": "it goes without what identifies you",
    "surrogate": "a stand-in is answered here",
    "placeholder": "a notice is put in its place",
    "redirect": "you go straight to its target",
    "block": "it is answered here and never leaves",
}


@lru_cache(2048)
def reason_for(role: Role, level: Level, action: Action, tool: str) -> str:
    """A sentence for a person about why the action was taken."""
    what = _WHAT[role].format(tool=tool)
    if role in {"visits", "permits"}:
        return f"It {what}; {_DONE[action]}."
    return f"It {what}, which is at {level!r}: {_DONE[action]}."
