"""`optout compare`: two sets of captures, side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from optout_proxy.audit.compare import Comparison, Side, compared
from optout_proxy.audit.lens import Asked, Lens, load_lens
from optout_proxy.audit.opening import find
from optout_proxy.audit.reports import words
from optout_proxy.audit.run import survey_all
from optout_proxy.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.audit.tally import Total


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@options.config
def command(first: Path, second: Path, as_json: bool, config: Path | None) -> None:
    """Compare two captures or folders of captures, tool by tool.

    Exit 1 where a tool, an identifier, a flag or a tracker is on one side only. How often something
    was sent always varies, and does not count.
    """
    asked = Asked(config)
    lens = load_lens(asked)
    found = compared(_total(first, asked, lens), _total(second, asked, lens), lens)
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        for line in _lines(found):
            click.echo(line)
    sys.exit(1 if found.differs else 0)


def _total(path: Path, asked: Asked, lens: Lens) -> Total:
    captures = [file for file, kind in find([path]) if kind == "capture"]
    return survey_all(captures, asked, lens)


def _lines(found: Comparison) -> Iterator[str]:
    yield f"{'pages loaded':<22}{found.pages[0]:>10}{found.pages[1]:>10}"
    for name, pair in found.tools.items():
        mark = "  differs" if pair.differs else ""
        yield f"{name:<22}{_counts(pair.first):>10}{_counts(pair.second):>10}{mark}"
        for what in ("identifiers", "flags"):
            one, two = getattr(pair.first, what), getattr(pair.second, what)
            for title, only in (("first", one.keys() - two), ("second", two.keys() - one)):
                if only:
                    names = ", ".join(words.plain(name, 60) for name in sorted(only))
                    yield f"    {what} of the {title} only: {names}"
    for title, sites in (("first", found.only_first), ("second", found.only_second)):
        if sites:
            yield f"trackers of the {title} only: {', '.join(map(words.plain, sites))}"
    if not found.whole:
        yield "part of the captures cannot be read: optout audit names it"


def _counts(side: Side) -> str:
    """Hits and, behind a plus, requests that carry no data."""
    return f"{side.hits}+{side.requests - side.hits}"
