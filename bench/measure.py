"""Rows of the table, and how times are taken."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Row:
    """One measure: ours and a peer's, in the same unit; less is better."""

    measure: str
    peer: str
    ours: str
    theirs: str
    ratio: float
    first: float | None = None
    """The ratio that is to be met first."""

    @property
    def met(self) -> bool:
        return self.first is None or self.ratio <= self.first

    def plain(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met}


def row(measure: str, peer: str, ours: float, theirs: float, unit: str, first: float | None) -> Row:
    return Row(measure, peer, f"{ours:.3g} {unit}", f"{theirs:.3g} {unit}", ours / theirs, first)


type Asked = tuple[str, str, str]
"""URL, page and type of a request."""


def noise_free(decide: Callable[[str, str, str], object], asked: Sequence[Asked]) -> list[float]:
    """Best of seven for each request, in microseconds, in ascending order."""
    best = []
    clock = time.perf_counter_ns
    for url, page, kind in asked:
        least = 1 << 60
        for _ in range(7):
            started = clock()
            decide(url, page, kind)
            least = min(least, clock() - started)
        best.append(least / 1000)
    return sorted(best)


def in_turn(rounds: int, *runs: Callable[[], float]) -> list[float]:
    """The median of each of some runs, taken in turn so that a slow moment meets all of them."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for times, run in zip(taken, runs, strict=True):
            times.append(run())
    return [median(times) for times in taken]


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


_MEMORY = """
import gc, re
def held():
    gc.collect()
    found = re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())
    return int(found[1]) / 1024
"""


def memory_of(prepare: str, load: str) -> float:
    """Megabytes of anonymous memory that `load` adds after `prepare`, in a process of its own."""
    code = f"{_MEMORY}\n{prepare}\nbefore = held()\n{load}\nprint(held() - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)
