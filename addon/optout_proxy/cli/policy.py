"""`optout policy`: from a published policy to a policy file, and what a new version changes."""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from optout_proxy import shipped
from optout_proxy.cli import options
from optout_proxy.errors import InputError, OptoutError
from optout_proxy.importer import MOST_BYTES, as_json, import_document
from optout_proxy.importer.compare import compare
from optout_proxy.importer.policy import as_policy
from optout_proxy.importer.reviewed import merged
from optout_proxy.importer.skeleton import skeleton
from optout_proxy.importer.written import written
from optout_proxy.registry import load_settings_only
from optout_proxy.registry.policy_file import Policy, load_policy
from optout_proxy.registry.toml_table import is_host
from optout_proxy.registry.tool_file import ToolFile, load_all

if TYPE_CHECKING:
    from optout_proxy.importer.compare import Change
    from optout_proxy.importer.imported import Imported
    from optout_proxy.model import Level


@click.group()
def command() -> None:
    """Turn a published policy into a policy file, and see what a new version of it changes."""


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write a policy file; one that is there keeps what a person wrote in it.",
)
@click.option("--json", "as_json_", is_flag=True, help="One JSON object.")
@click.option("--site", help="The site it covers, where the document does not say.")
@click.option("--skeleton", "tool", help="Print the beginning of a tool file for this tool.")
@options.config
def import_(
    file: Path,
    output: Path | None,
    as_json_: bool,
    site: str | None,
    tool: str | None,
    config: Path | None,
) -> None:
    """Read the policy in FILE (HTML, Markdown or text): its tools and how to opt out of each."""
    if site and not is_host(site):
        raise InputError(file, f"--site {site} is no host", right="write it as shop.example")
    tool_files, levels = _tool_files(), _levels(config)
    imported = import_document(_read(file), str(file), tool_files, site or "")
    if tool:
        click.echo(skeleton(imported, tool, _today()), nl=False)
        return
    shown = _write(imported, output) if output else ()
    if as_json_:
        click.echo(msgspec.json.format(msgspec.json.encode(as_json(imported))))
        return
    from optout_proxy.cli.policy_view import show  # noqa: PLC0415 - rich takes a while

    show(imported, tool_files, levels)
    for line in shown:
        click.echo(line)


@command.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json_", is_flag=True, help="A JSON list.")
@options.config
def diff(old: Path, new: Path, as_json_: bool, config: Path | None) -> None:
    """Say what changes from OLD to NEW, each a document or a policy file.

    Exit 1 when something needs a decision.
    """
    tool_files, levels = _tool_files(), _levels(config)
    apart = _is_ours(old) != _is_ours(new)
    changes = compare(_policy(old, tool_files), _policy(new, tool_files), wording_differs=apart)
    if as_json_:
        click.echo(msgspec.json.format(msgspec.json.encode(changes)))
    else:
        _print(changes, levels)
    sys.exit(1 if any(change.risk == "decide" for change in changes) else 0)


def _print(changes: tuple[Change, ...], levels: dict[str, Level]) -> None:
    if not changes:
        click.echo("Nothing changes.")
        return
    for change in changes:
        level = levels.get(change.about)
        yours = f" (your level: {level})" if level and change.risk == "decide" else ""
        what = "".join(letter if letter.isprintable() else " " for letter in change.what)
        click.echo(f"{change.risk:<7} {change.about:<20} {what}{yours}")
    decisions = sum(change.risk == "decide" for change in changes)
    said = f"{decisions} of them need" if decisions != 1 else "1 of them needs"
    click.echo(f"\n{len(changes)} changes; {said} a decision.")


def _levels(config: Path | None) -> dict[str, Level]:
    """The levels that the user chose, to show beside what a policy says."""
    return dict(load_settings_only(config).opt_out)


def _tool_files() -> dict[str, ToolFile]:
    return {file.tool.id: file for file in load_all(shipped.folder() / "blocklists")}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _is_ours(path: Path) -> bool:
    return path.suffix.lower() == ".toml"


def _policy(path: Path, tool_files: dict[str, ToolFile]) -> Policy:
    if _is_ours(path):
        return load_policy(path)
    return as_policy(import_document(_read(path), str(path), tool_files))


def _read(path: Path) -> bytes:
    """The bytes of a file, or of the standard input, no more than can be a policy."""
    if str(path) == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    if _is_ours(path):
        raise InputError(path, "is a policy file", right="name the document it was made from")
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except IsADirectoryError:
        raise InputError(path, "is a folder", right="name the file inside it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(path, f"cannot be read: {why}") from None


def _write(imported: Imported, output: Path) -> tuple[str, ...]:
    """Write the policy file, and say what of a reviewed one was kept or changed."""
    if not imported.sites:
        raise OptoutError(
            f"{imported.file}: which site it covers cannot be told; name it: --site shop.example"
        )
    if output.exists():
        text, shown = merged(output, imported, _today())
    else:
        text, shown = written(imported, _today()), ()
    _replace(output, text)
    return (*shown, f"\nWritten to {output}.")


def _replace(output: Path, text: str) -> None:
    """Write a file in one step: what a person wrote is never left half written."""
    real = Path(os.path.realpath(output))
    draft = real.with_name(f".{real.name}.draft")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8", newline="\n")
        if real.exists():
            draft.chmod(stat.S_IMODE(real.stat().st_mode))
        draft.replace(real)
    except OSError as error:
        raise InputError(output, f"cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
