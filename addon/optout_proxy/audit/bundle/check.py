"""Verify a bundle, offline: every byte as its manifest says, and nothing beside it."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from optout_proxy.audit.bundle.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    Member,
    chunks,
    decode,
    read_manifest,
)
from optout_proxy.audit.bundle.signing import check as check_signature
from optout_proxy.errors import EvidenceError, InputError
from optout_proxy.ledger import verify

if TYPE_CHECKING:
    from collections.abc import Iterator


class Checked(msgspec.Struct, frozen=True):
    """A bundle that holds."""

    manifest: Manifest
    signed_by: str
    """The public key, in hexadecimal; empty where it is not signed."""


def check(path: Path, key: str = "") -> Checked:
    """Verify a bundle; EvidenceError for anything that is not as its manifest says.

    With `key` it must be signed by that public key. InputError where the file is not there.
    """
    if not path.is_file():
        raise InputError(path, "there is no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            return _checked(archive, key)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise EvidenceError(f"{path}: it is no bundle, or a damaged one: {error}") from None


def _checked(archive: zipfile.ZipFile, key: str) -> Checked:
    text = read_manifest(archive)
    manifest = decode(text)
    names = archive.namelist()
    expected = {member.path for member in manifest.files} | {MANIFEST}
    extra = [name for name in names if name not in {*expected, SIGNATURE}]
    missing = [name for name in expected if name not in names]
    if extra or missing or len(names) != len(set(names)):
        odd = ", ".join([*extra, *missing]) or "a name that stands twice"
        raise EvidenceError(f"its files are not those of its manifest: {odd}")
    for member in manifest.files:
        _check_member(archive, member)
    _check_ledgers(archive, manifest)
    signed_by = ""
    if SIGNATURE in names:
        signed_by = check_signature(text, archive.read(SIGNATURE), key)
    elif key:
        raise EvidenceError("it is not signed")
    return Checked(manifest, signed_by)


def _check_member(archive: zipfile.ZipFile, member: Member) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(member.path) as content:
        for chunk in chunks(content):
            size += len(chunk)
            if size > member.bytes:
                break
            digest.update(chunk)
    if size != member.bytes or digest.hexdigest() != member.sha256:
        raise EvidenceError(f"{member.path} was changed after it was packed")


def _check_ledgers(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Whether the ledger's own chain holds, and ends where the manifest says."""
    ledgers = [member for member in manifest.files if member.kind == "ledger"]
    with tempfile.TemporaryDirectory(prefix="optout-bundle-") as folder:
        files = list(_extracted(archive, ledgers, Path(folder)))
        found = [verify(file) for file in files]
    for one in found:
        one.require_untampered()
    heads = [head.hash for one in found for head in one.heads]
    if heads != list(manifest.heads):
        raise EvidenceError("the ledger does not end where the manifest says")


def _extracted(archive: zipfile.ZipFile, members: list[Member], folder: Path) -> Iterator[Path]:
    """Ledger files under names of ours: the bundle's own might lead out of the folder."""
    for number, member in enumerate(members):
        inside = folder / str(number)
        inside.mkdir()
        name = Path(member.path).name or "ledger.jsonl"
        target = inside / name
        with archive.open(member.path) as content, target.open("wb") as out:
            out.writelines(chunks(content))
        yield target
