"""The show on a terminal, for somebody who has read nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optout_proxy.demo.result import Played, Reached, Row, Show, total
from optout_proxy.demo.table import BYSTANDER, COOKIES, LINK, PAGE_HOST
from optout_proxy.model import ACTIONS, Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MEANS: Final[dict[Action, str]] = {
    "signal": "sent, with the opt-out said on it",
    "strip": "sent, without what says who you are; for a tool at block that is your own visit to "
    "the site, without the tool's cookies",
    "surrogate": "never sent; a harmless stand-in is answered",
    "placeholder": "never sent; a notice stands in its place",
    "redirect": "never sent; you go straight to where the advertisement leads",
    "block": "never sent; an empty answer is given",
}


def draw(found: Show, console: Console | None = None) -> None:
    """Print the show, what its words mean, and whether it proves anything."""
    console = console or Console(highlight=False)
    for line in _opening(found):
        console.print(line)
    console.print()
    console.print(_tools(found))
    console.print()
    console.print(_words(found))
    for line in (*_besides(found), *_differences(found)):
        console.print(line)
    console.print()
    console.print(_closing(found))


def _opening(found: Show) -> Iterator[Text]:
    yield Text("One visit to www.mass.gov, without Optout Proxy and with it", style="bold")
    yield Text(
        "The visitor is logged in everywhere. The page and its trackers are stand-ins on this "
        "computer; nothing leaves it."
    )
    yield Text("Cookies and identifiers are counted where they say who the visitor is.")
    yield Text(f"The levels are those of {found.config}", style="dim")


def _tools(found: Show) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for title in ("tool and level", "it tried", "without: got", "with: got", "what was done"):
        table.add_column(title)
    for row in found.tools:
        table.add_row(*_cells(row), end_section=True)
    return table


def _cells(row: Row) -> Iterator[Text]:
    tried = total(one.tried for one in row.tracking)
    without = total(_tracker_got(one, one.without) for one in row.tracking)
    through = total(_tracker_got(one, one.through) for one in row.tracking)
    yield Text.assemble((row.name, "bold"), f"\nat {row.level}")
    yield _lines(_amounts(tried))
    yield _lines(_got(without, tried), "red")
    said = ["opt-out said"] if row.opt_out_said and row.kept else []
    yield _lines((*_got(through, tried), *said), _style(row))
    yield _lines(f"{action} {row.done[action]}" for action in ACTIONS if action in row.done)


def _lines(words: Iterable[str], style: str = "") -> Text:
    return Text("\n".join(words), style=style)


def _style(row: Row) -> str:
    if not row.kept:
        return "bold red"
    return "" if row.level == "allow" else "bold green"


def _tracker_got(one: Played, reached: Reached) -> Reached:
    """Connections to the page's own site are the visit's, not the tracker's."""
    is_own = urlsplit(one.url).hostname == PAGE_HOST
    return msgspec.structs.replace(reached, connections=0) if is_own else reached


def _got(reached: Reached, tried: Reached) -> list[str]:
    """What a tracker has of all that was tried."""
    if not reached.requests:
        return ["a connection" if reached.connections else "nothing"]
    if _amounts(reached) == _amounts(tried):
        return ["everything"]
    anonymous = not (reached.cookies or reached.identifiers)
    return [*_amounts(reached), *(["anonymous"] if anonymous else [])]


def _amounts(reached: Reached) -> list[str]:
    counts = (
        (reached.requests, "request"),
        (reached.cookies, "cookie"),
        (reached.identifiers, "identifier"),
    )
    return [_count(number, what) for number, what in counts if number]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _words(found: Show) -> Table:
    """What the words of the table mean, those that occur."""
    words = Table.grid(padding=(0, 1))
    used = {action for row in found.tools for action in row.done}
    for action in ACTIONS:
        if action in used:
            words.add_row(Text(action, style="bold"), Text(_MEANS[action]))
    return words


def _besides(found: Show) -> Iterator[Text]:
    """What is no tracker's: what was opened on purpose, the site itself, all others."""
    wanted = [one for row in found.tools for one in row.wanted]
    whole = sum(not one.broken for one in wanted)
    yield Text("")
    yield Text(
        f"Opened on purpose: {whole} of {len(wanted)} arrived as they were, still logged in: a "
        "survey, a study, a prototype, a Facebook page, the tools' own opt-out pages."
    )
    site = found.site
    cut = site.without.identifiers - site.through.identifiers
    yield Text(
        f"The site itself: {len(site.expired)} of its {len(COOKIES)} cookies of trackers were "
        f"taken and expired, {cut} of {len(LINK)} click ids cut; its own cookies stayed."
    )
    if found.unread:
        yield Text(f"Anything else, here {BYSTANDER.host}: passed through without a look.")
    if found.ledger == "ok":
        yield Text(f"It is all in a ledger: {found.ledger_lines} lines, whose hashes verify.")


def _differences(found: Show) -> Iterator[Text]:
    lines = list(found.differences)
    if lines:
        yield Text("\nWhat differed:", style="bold red")
    yield from (Text(f"  {line}", style="red") for line in lines)


def _closing(found: Show) -> Text:
    if not found.proved:
        return Text("So this visit does not show that the levels are kept.", style="bold red")
    opted = sum(row.level != "allow" for row in found.tools)
    return Text(
        f"All {opted} tools you opted out of got exactly what their levels say, and without the "
        "proxy they would not have.",
        style="bold green",
    )
