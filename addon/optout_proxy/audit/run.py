"""Audit many files: one after another or on all cores, always with the same answer."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.lens import Asked, Lens, load_lens
from optout_proxy.audit.survey import survey
from optout_proxy.audit.tally import FileTally, Row, Total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

type Progress = Callable[[Path], None]

_WORTH_IT: Final = 64 << 20
"""Bytes from which on other processes are started: each needs half a second to load the rules."""
_ENCODER: Final = msgspec.json.Encoder()
_CHUNK: Final = 1 << 20


class Job(msgspec.Struct, frozen=True):
    """One file to look at."""

    path: Path
    rows: Path | None = None
    """Where its rows are to be written."""


def survey_all(
    paths: Sequence[Path],
    asked: Asked,
    lens: Lens,
    *,
    rows: IO[bytes] | None = None,
    done: Progress | None = None,
    jobs: int | None = None,
) -> Total:
    """What all files show together; their rows go to `rows` in the order of the files."""
    total = Total()
    with tempfile.TemporaryDirectory(prefix="optout-audit-") as folder:
        work = [
            Job(path, Path(folder) / f"{number}.jsonl" if rows else None)
            for number, path in enumerate(paths)
        ]
        with _surveyed(work, asked, lens, jobs) as tallies:
            for job, tally in zip(work, tallies, strict=True):
                total.add(tally)
                if rows is not None and job.rows is not None:
                    _append(job.rows, rows)
                if done is not None:
                    done(job.path)
    return total


@contextmanager
def _surveyed(
    work: Sequence[Job], asked: Asked, lens: Lens, jobs: int | None
) -> Iterator[Iterator[FileTally]]:
    workers = _workers(work, jobs)
    if workers < 2:
        yield (surveyed(job, lens) for job in work)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _prepare, (asked,)) as pool:
        yield pool.map(_in_worker, work, chunksize=1)


def _workers(work: Sequence[Job], jobs: int | None) -> int:
    cores = jobs or os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    if jobs is None and sum(job.path.stat().st_size for job in work) < _WORTH_IT:
        return 1
    return min(cores or 1, len(work))


def surveyed(job: Job, lens: Lens) -> FileTally:
    """Look at one file, and write its rows where that is asked for."""
    tally = _once(job, lens, may_lack_cookies=False)
    return _once(job, lens, may_lack_cookies=True) if tally.doubtful else tally


def _once(job: Job, lens: Lens, *, may_lack_cookies: bool) -> FileTally:
    if job.rows is None:
        return survey(job.path, lens, may_lack_cookies=may_lack_cookies)
    with job.rows.open("wb") as file:

        def note(row: Row) -> None:
            file.write(_ENCODER.encode(row) + b"\n")

        return survey(job.path, lens, note, may_lack_cookies=may_lack_cookies)


_lens: Lens | None = None


def _prepare(asked: Asked) -> None:
    global _lens  # noqa: PLW0603 - a worker process has one lens for all its files
    _lens = load_lens(asked)


def _in_worker(job: Job) -> FileTally:
    if _lens is None:  # pragma: no cover - the pool prepares every worker
        raise RuntimeError("the worker was not prepared")
    return surveyed(job, _lens)


def _append(part: Path, whole: IO[bytes]) -> None:
    with part.open("rb") as file:
        shutil.copyfileobj(file, whole, _CHUNK)
    part.unlink()
