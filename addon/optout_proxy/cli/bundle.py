"""`optout bundle`: evidence in one file, verified offline, redacted for others to see."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optout_proxy.audit.bundle.check import check
from optout_proxy.audit.bundle.pack import pack
from optout_proxy.audit.bundle.redact import redact
from optout_proxy.audit.bundle.signing import make_key
from optout_proxy.audit.opening import find, kind_of
from optout_proxy.audit.reports import words
from optout_proxy.cli import options
from optout_proxy.errors import OptoutError
from optout_proxy.registry import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.audit.bundle.manifest import Kind, Manifest

_OUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The bundle to write."
)
_SIGN = click.option(
    "--sign", type=click.Path(path_type=Path), help="Sign with the Ed25519 key in this file."
)


@click.group("bundle")
def command() -> None:
    """Pack captures, ledger, configuration and policies with a manifest of their hashes."""


@command.command("create")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_OUT
@_SIGN
@options.config
def create(paths: tuple[Path, ...], output: Path, sign: Path | None, config: Path | None) -> None:
    """Pack PATHS (captures, folders of them, jars, ledgers, reports) into a bundle."""
    registry = load(config)
    files = [*_files(paths), *((path, "policy") for path in registry.settings.policies)]
    files.append((registry.settings.file, "config"))
    _refuse_existing(output)
    manifest = pack(output, files, datetime.now(UTC), sign)
    click.echo(f"{output}: {len(manifest.files)} files{', signed' if sign else ''}")


def _files(paths: tuple[Path, ...]) -> Iterator[tuple[Path, Kind]]:
    for path, kind in find(paths):
        unknown = kind == "capture" and kind_of(path) == "other"
        yield path, "report" if unknown and path.suffix != ".har" else kind


@command.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", default="", help="The public key, in hexadecimal, that must have signed it.")
def verify(bundle: Path, key: str) -> None:
    """Verify a bundle, offline: exit 0, or 4 where anything in it was changed."""
    found = check(bundle, key)
    click.echo(f"{len(found.manifest.files)} files hold, packed {found.manifest.created}")
    if found.signed_by:
        whose = "the key you named" if key else "a key you must know from elsewhere"
        click.echo(f"signed by {whose}: {found.signed_by}")
    else:
        click.echo("not signed: whoever changed it could have packed it anew")
    for line in _redaction(found.manifest):
        click.echo(line)


@command.command("redact")
@click.argument("bundle", type=click.Path(path_type=Path))
@_OUT
@_SIGN
def redact_bundle(bundle: Path, output: Path, sign: Path | None) -> None:
    """Write a bundle without what identifies people; equal values stay equal."""
    _refuse_existing(output)
    for line in _redaction(redact(bundle, output, datetime.now(UTC), sign)):
        click.echo(line)


@command.command("key")
@click.argument("file", type=click.Path(path_type=Path))
def key_file(file: Path) -> None:
    """Make a key to sign with; prints the public key, to give to others."""
    click.echo(make_key(file))


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise OptoutError(f"{path}: it is there already; evidence is not written over")


def _redaction(manifest: Manifest) -> Iterator[str]:
    if manifest.redaction is None:
        return
    yield "redacted:"
    yield from (f"  {rule}" for rule in manifest.redaction.rules)
    yield from (f"  left out: {words.plain(one)}" for one in manifest.redaction.removed)
