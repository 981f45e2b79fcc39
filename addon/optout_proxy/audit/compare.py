"""Two sets of captures side by side: what each tool got, with and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from optout_proxy.audit.seen import CARRY_DATA
from optout_proxy.audit.tally import ToolTally, Total

if TYPE_CHECKING:
    from optout_proxy.audit.lens import Lens


class Side(msgspec.Struct, frozen=True):
    """What a tool got in one set of captures."""

    requests: int
    hits: int
    """Of these, requests that carried data."""
    answered_here: int
    identifiers: dict[str, int]
    flags: dict[str, int]


class ToolPair(msgspec.Struct, frozen=True):
    """A tool on both sides."""

    name: str
    first: Side
    second: Side

    @property
    def differs(self) -> bool:
        """Whether it got data, identifiers or flags on one side only; numbers always vary."""
        return (
            bool(self.first.hits) != bool(self.second.hits)
            or self.first.identifiers.keys() != self.second.identifiers.keys()
            or self.first.flags.keys() != self.second.flags.keys()
        )


class Comparison(msgspec.Struct, frozen=True):
    """Two sets of captures."""

    pages: tuple[int, int]
    """Pages loaded in each."""
    tools: dict[str, ToolPair]
    only_first: tuple[str, ...]
    """Trackers of which only the first set has requests."""
    only_second: tuple[str, ...]
    whole: bool
    """Whether every entry of both could be read."""

    @property
    def differs(self) -> bool:
        """Whether a tool or a tracker is on one side only."""
        return any(pair.differs for pair in self.tools.values()) or bool(
            self.only_first or self.only_second
        )


def compared(first: Total, second: Total, lens: Lens) -> Comparison:
    """What two sets of captures show, side by side."""
    names = [name for name in lens.tools if name in first.tools or name in second.tools]
    sites = _trackers(first), _trackers(second)
    return Comparison(
        pages=(first.page_loads, second.page_loads),
        tools={
            name: ToolPair(lens.tools[name].name, _side(first, name), _side(second, name))
            for name in names
        },
        only_first=tuple(sorted(sites[0] - sites[1])),
        only_second=tuple(sorted(sites[1] - sites[0])),
        whole=first.whole and second.whole,
    )


def _trackers(total: Total) -> set[str]:
    return {site for site, seen in total.sites.items() if seen.first[0]}


def _side(total: Total, name: str) -> Side:
    seen = total.tools.get(name, ToolTally())
    return Side(
        requests=sum(seen.roles.values()),
        hits=sum(count for role, count in seen.roles.items() if role in CARRY_DATA),
        answered_here=seen.answered_here,
        identifiers=dict(sorted(seen.identities.items())),
        flags=dict(sorted(seen.flags.items())),
    )
