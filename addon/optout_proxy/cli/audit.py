"""`optout audit`: captures in, one verdict per tool out."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, get_args

import click

from optout_proxy.audit import reports
from optout_proxy.audit.lens import Asked, Lens, load_lens
from optout_proxy.audit.opening import find, load_jar
from optout_proxy.audit.result import Result, exit_code, result_of
from optout_proxy.audit.run import survey_all
from optout_proxy.cli import options
from optout_proxy.errors import EvidenceError, OptoutError
from optout_proxy.ledger import read, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optout_proxy.audit.jars import JarCookie
    from optout_proxy.audit.tally import Total

type Format = Literal["text", "json", "junit", "sarif", "html", "github", "csv"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format.__value__)
FAIL_ON: Final = ("violated", "undeclared", "never-seen", "not-exercised", "deviation")


class FailOn(click.ParamType[frozenset[str]]):
    """Some of the findings, with commas between them."""

    name = "findings"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        """Read the words; refuse an unknown one by name."""
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        for word in words:
            if word not in FAIL_ON:
                self.fail(f"{word!r} is none of {', '.join(FAIL_ON)}", param, ctx)
        return frozenset(words)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Captures of the same pages without any opt-out; may be given several times.",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="A policy file, in place of those that the configuration names.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the report here.")
@click.option(
    "--rows", type=click.Path(path_type=Path), help="Write one JSON object an entry here."
)
@click.option(
    "--fail-on",
    type=FailOn(),
    default="violated",
    show_default=True,
    help=f"Exit 1 for these: {', '.join(FAIL_ON)}.",
)
@click.option("--allow-inconclusive", is_flag=True, help="Exit 0 where it would be 3.")
@click.option("--canary", default="", help="A text you typed into the pages: look who received it.")
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="Processes [default: as many as pay off]."
)
@options.config
def command(
    paths: tuple[Path, ...],
    baseline: tuple[Path, ...],
    policy: Path | None,
    form: Format,
    output: Path | None,
    rows: Path | None,
    fail_on: frozenset[str],
    allow_inconclusive: bool,
    canary: str,
    jobs: int | None,
    config: Path | None,
) -> None:
    """Judge captures: one verdict for each tool you opted out of.

    PATHS are HAR files, mitmproxy flow files, folders of them, and beside them cookies.txt, a
    Playwright storage state or a ledger.

    Exit codes: 0 no finding; 1 what --fail-on names; 2 wrong usage, configuration or file; 3 it
    cannot be told; 4 evidence that does not verify; 5 no entry to judge.
    """  # fmt: skip
    asked = Asked(config, policy, canary)
    lens = load_lens(asked)
    found = find(paths)
    before = [path for path, kind in find(baseline) if kind == "capture"]
    captures = [path for path, kind in found if kind == "capture"]
    jar = [cookie for path, kind in found if kind == "jar" for cookie in load_jar(path) or ()]
    enforced = _enforced([path for path, kind in found if kind == "ledger"])
    _spare([path for path, _ in (*found, *find(baseline))], rows, output)
    with ExitStack() as closing:
        out = closing.enter_context(_writable(rows)) if rows else None
        done = closing.enter_context(_progress(len(captures) + len(before)))
        total = survey_all(captures, asked, lens, rows=out, done=done, jobs=jobs)
        earlier = survey_all(before, asked, lens, done=done, jobs=jobs) if baseline else None
    result = _result(total, earlier, lens, jar, enforced)
    _report(reports.Told(result, lens, fail_on, is_terminal=_is_terminal(output)), form, output)
    sys.exit(exit_code(result, fail_on, allow_inconclusive=allow_inconclusive))


def _result(
    total: Total,
    baseline: Total | None,
    lens: Lens,
    jar: Sequence[JarCookie],
    enforced: frozenset[str],
) -> Result:
    today = datetime.now(UTC).date()
    return result_of(total, baseline, lens, today, jar, enforced=enforced)


def _enforced(ledgers: Sequence[Path]) -> frozenset[str]:
    """The tools that ledgers have enforcements of; EvidenceError where one was changed."""
    tools: set[str] = set()
    for path in ledgers:
        if tampered := verify(path).tampered:
            raise EvidenceError(f"changed after it was written: {tampered[0]}")
        tools.update(entry.line.tool for entry in read(path) if entry.enforced)
    return frozenset(tools)


def _spare(inputs: Sequence[Path], *outputs: Path | None) -> None:
    """Refuse to write over what is to be read."""
    read_from = {path.resolve() for path in inputs}
    for path in outputs:
        if path is not None and path.resolve() in read_from:
            raise OptoutError(f"{path}: it is one of the captures, and would be written over")


def _writable(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        raise OptoutError(f"{path}: it cannot be written: {error.strerror}") from None


class _progress:  # noqa: N801 - used as a function
    """A bar on a terminal's standard error for long work; nothing anywhere else."""

    def __init__(self, files: int) -> None:
        self._files = files

    def __enter__(self) -> Callable[[Path], None]:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress  # noqa: PLC0415

        console = Console(stderr=True)
        is_shown = console.is_terminal and self._files > 1
        self._bar = Progress(console=console, transient=True, disable=not is_shown)
        self._bar.start()
        task = self._bar.add_task("captures", total=self._files)
        return lambda _: self._bar.advance(task)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _is_terminal(output: Path | None) -> bool:
    return output is None and sys.stdout.isatty()


def _report(told: reports.Told, form: Format, output: Path | None) -> None:
    text = reports.write(told, form)
    if form == "github" and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        with Path(summary).open("ab") as file:
            file.write(reports.write(told, "markdown"))
    if output is None:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return
    with _writable(output) as file:
        file.write(text)
