"""Who runs trackers that have no tool file: `blocklists/operators/trackers.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from optout_proxy import shipped
from optout_proxy.hosts import parents
from optout_proxy.registry.toml_table import Table, is_host
from optout_proxy.registry.toml_text import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Tracker(msgspec.Struct, frozen=True):
    """A product that watches visitors, and who runs it."""

    operator: str
    product: str


def load_trackers(path: Path | None = None) -> dict[str, Tracker]:
    """The shipped list, or another of its form, by host."""
    file = path or shipped.folder() / "blocklists" / "operators" / "trackers.toml"
    return parse_trackers(read_text(file), file)


def parse_trackers(text: str, file: Path | str) -> dict[str, Tracker]:
    """Read the text of such a list; InputError with the line for anything that is wrong."""
    top = Table.parse(text, file)
    top.only(("reviewed", "tracker"))
    top.day("reviewed")
    found: dict[str, Tracker] = {}
    for table in top.tables("tracker"):
        table.only(("operator", "product", "hosts"))
        tracker = Tracker(table.string("operator"), table.string("product"))
        for number, host in enumerate(table.strings("hosts")):
            if not is_host(host) or host in found:
                what = f"{host!r} is no host, or stands here a second time"
                raise table.wrong(("hosts", number), what)
            found[host] = tracker
    return found


def tracker_of(host: str, known: Mapping[str, Tracker]) -> Tracker | None:
    """Who runs a host, by its longest name that is known."""
    return next((known[name] for name in parents(host) if name in known), None)
