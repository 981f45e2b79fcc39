"""Retention: which days of a ledger are over, and removing them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING

from optout_proxy.ledger.files import Head, head_of, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def is_over(name: str, today: str, keep_days: int) -> bool:
    """Whether a file of ours is of a day more than `keep_days` before `today`: never `today`'s.

    A line is thus kept for `keep_days` days at least and one more at most.
    """
    found = split_name(name)
    return found is not None and found[0] < _first_kept(today, keep_days)


def _first_kept(today: str, keep_days: int) -> str:
    day = date.fromisoformat(today)
    return (day - timedelta(days=min(max(keep_days, 0), day.toordinal() - 1))).isoformat()


def heads_of_over(folder: Path, names: Iterable[str], today: str, keep_days: int) -> list[Head]:
    """List the files whose days are over, each with where it ended."""
    return [
        head_of(folder / name) or Head(name, 0, "")
        for name in names
        if is_over(name, today, keep_days)
    ]


def remove(folder: Path, heads: Iterable[Head]) -> None:
    """Delete the files; one that cannot be deleted is left for the next time."""
    for head in heads:
        with suppress(OSError):
            (folder / head.file).unlink()
