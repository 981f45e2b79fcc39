"""Make a bundle: every file with its hash, what it was judged by, and by which versions."""

from __future__ import annotations

import io
import platform
import zipfile
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from optout_proxy import __version__
from optout_proxy.audit.bundle.manifest import MANIFEST, SIGNATURE, Manifest, Member, add, encode
from optout_proxy.audit.bundle.signing import sign
from optout_proxy.ledger import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from optout_proxy.audit.bundle.manifest import Kind

FORMAT: Final = 1
_BESIDE: Final = ("mitmproxy", "msgspec", "tldextract")


def pack(
    out: Path, files: Sequence[tuple[Path, Kind]], now: datetime, key: Path | None = None
) -> Manifest:
    """Write a bundle; EvidenceError where a ledger among the files was changed."""
    with zipfile.ZipFile(out, "w") as archive:
        members = [
            _member(archive, path, kind, name)
            for (path, kind), name in zip(files, _names(files), strict=True)
        ]
        manifest = Manifest(
            format=FORMAT,
            created=now.isoformat(timespec="seconds"),
            versions=versions(),
            files=tuple(members),
            heads=tuple(_heads(path for path, kind in files if kind == "ledger")),
        )
        seal(archive, manifest, key)
    return manifest


def seal(archive: zipfile.ZipFile, manifest: Manifest, key: Path | None) -> None:
    """Close a bundle with its manifest, signed where there is a key."""
    text = encode(manifest)
    add(archive, MANIFEST, io.BytesIO(text))
    if key is not None:
        add(archive, SIGNATURE, io.BytesIO(sign(text, key)))


def versions() -> dict[str, str]:
    """What the evidence was made and judged with."""
    found = {"optout-proxy": __version__, "python": platform.python_version()}
    for name in _BESIDE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _member(archive: zipfile.ZipFile, path: Path, kind: Kind, name: str) -> Member:
    with path.open("rb") as content:
        size, digest = add(archive, name, content)
    return Member(name, kind, size, digest)


def _names(files: Iterable[tuple[Path, Kind]]) -> Iterator[str]:
    """A name a file, by what it is; a ledger's files keep theirs, which say whose they are."""
    used: set[str] = set()
    for path, kind in files:
        name, number = f"{kind}/{path.name}", 1
        while name in used:
            number += 1
            name = f"{kind}/{number}-{path.name}"
        used.add(name)
        yield name


def _heads(ledgers: Iterable[Path]) -> Iterator[str]:
    for path in ledgers:
        found = verify(path)
        found.require_untampered()
        yield from (head.hash for head in found.heads)
