"""What a bundle says of itself, and how it lies in its file."""

from __future__ import annotations

import hashlib
import zipfile
from typing import IO, TYPE_CHECKING, Final, Literal

import msgspec

from optout_proxy.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterator

type Kind = Literal["capture", "jar", "ledger", "config", "policy", "report", "other"]

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_CHUNK: Final = 1 << 20
_MOST_MANIFEST: Final = 64 << 20
_WRITTEN: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every member: when it was packed stands in the manifest, and only there."""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a bundle."""

    path: str
    kind: Kind
    bytes: int
    sha256: str
    was: str = ""
    """SHA-256 of the file this one was redacted from; empty where it is as it came."""


class Redaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was taken out of a bundle."""

    manifest: str
    """SHA-256 of the manifest it was made from."""
    rules: tuple[str, ...]
    removed: tuple[str, ...]
    """Files that were left out, each with why."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle holds, and by what it was made."""

    format: int
    created: str
    versions: dict[str, str]
    files: tuple[Member, ...]
    heads: tuple[str, ...] = ()
    """The hash of the last line of each ledger file."""
    redaction: Redaction | None = None


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is written and signed."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(text: bytes) -> Manifest:
    """Read a manifest; EvidenceError where it is none."""
    try:
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(f"{MANIFEST} cannot be read: {error}") from None


def read_manifest(archive: zipfile.ZipFile) -> bytes:
    """The raw manifest of a bundle; EvidenceError where there is none."""
    try:
        info = archive.getinfo(MANIFEST)
    except KeyError:
        raise EvidenceError(f"there is no {MANIFEST} in it") from None
    if info.file_size > _MOST_MANIFEST:
        raise EvidenceError(f"{MANIFEST} is too large to be one")
    return archive.read(info)


def add(archive: zipfile.ZipFile, path: str, content: IO[bytes]) -> tuple[int, str]:
    """Pack a file; how many bytes it has, and their SHA-256."""
    info = zipfile.ZipInfo(path, _WRITTEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as out:
        for chunk in chunks(content):
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def chunks(content: IO[bytes]) -> Iterator[bytes]:
    """A stream, piece by piece."""
    while chunk := content.read(_CHUNK):
        yield chunk
