"""Find captures, and open each as what it is: by what stands in it, not by its name."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, Literal, cast

from optout_proxy.audit.flow_file import read_flows
from optout_proxy.audit.har import read_har
from optout_proxy.audit.jars import parse_cookies_txt, parse_storage_state
from optout_proxy.audit.slices import Damaged
from optout_proxy.errors import InputError, OptoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from optout_proxy.audit.entry import Entry, Traits, Unreadable
    from optout_proxy.audit.jars import JarCookie
    from optout_proxy.audit.slices import Source

type Kind = Literal["capture", "jar", "ledger", "other"]

_CAPTURES: Final = (".har", ".har.gz", ".har.zip", ".flow", ".flows", ".mitm", ".dump", ".json")
_LARGEST_JAR: Final = 16 << 20
_HEAD: Final = 4096
_BOMS: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def find(paths: Sequence[Path]) -> list[tuple[Path, Kind]]:
    """The files that paths name, each once, folders walked in the order of their names.

    Of a folder only what by its name may be a capture, a jar or a ledger. InputError where a path
    is not there.
    """
    found: dict[Path, Kind] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and _may_be(p.name.lower()))
            kinds = ((p, kind_of(p)) for p in inside)
            found.update((p, k) for p, k in kinds if k != "other" or p.suffix == ".har")
        elif path.is_file():
            found[path] = kind_of(path)
        else:
            raise InputError(path, "there is no such file", right="name a capture or a folder")
    return [(path, "capture" if kind == "other" else kind) for path, kind in found.items()]


def _may_be(name: str) -> bool:
    return name.endswith((*_CAPTURES, ".jsonl")) or name == "cookies.txt"


def kind_of(path: Path) -> Kind:
    """What a file is, by its beginning."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(path, f"it cannot be read: {error.strerror or error}") from None
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if path.suffix == ".jsonl":
        return "ledger" if text.startswith(b"{") and b'"event"' in head else "other"
    if head.startswith((b"# Netscape HTTP Cookie File", b"# HTTP Cookie File")):
        return "jar"
    if path.name.lower() == "cookies.txt":
        return "jar"
    if text.startswith(b"{"):
        return _kind_of_json(path, head)
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", *(bom for bom, _ in _BOMS))):
        return "capture"
    return "capture" if head[:1].isdigit() and b":" in head[:20] else "other"


def _kind_of_json(path: Path, head: bytes) -> Kind:
    if b'"cookies"' in head and b'"log"' not in head:
        return "jar" if load_jar(path) is not None else "other"
    is_har = path.name.lower().endswith(".har") or b'"log"' in head or b'"entries"' in head
    return "capture" if is_har else "other"


def load_jar(path: Path) -> tuple[JarCookie, ...] | None:
    """The cookies of a jar; None where the file is none. InputError where it is huge."""
    if path.stat().st_size > _LARGEST_JAR:
        raise InputError(path, "it is too large to be a cookie jar")
    text = path.read_bytes()
    if text.lstrip().startswith(b"{"):
        return parse_storage_state(text.removeprefix(codecs.BOM_UTF8))
    return parse_cookies_txt(text.decode("utf-8", "replace"))


def read_capture(path: Path, traits: Traits) -> Iterator[Entry | Unreadable]:
    """Every entry of a capture; what is wrong with the file as a whole goes to `traits`."""
    try:
        with _opened(path) as stream:
            head = stream.peek(16)
            if head[:1].isdigit():
                yield from read_flows(stream, traits)
            else:
                yield from read_har(_unmarked(stream, head), traits)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        traits.problem = f"it cannot be read: {error}"[:200]
    except OptoutError as error:
        traits.problem = str(error)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    with path.open("rb") as file, _unpacked(file) as stream:
        yield stream


@contextmanager
def _unpacked(file: IO[bytes]) -> Iterator[io.BufferedReader]:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        with gzip.open(file) as unpacked:
            yield io.BufferedReader(unpacked)
    elif magic == b"PK\x03\x04":
        with zipfile.ZipFile(file) as archive, archive.open(_member(archive)) as inside:
            yield io.BufferedReader(cast("io.RawIOBase", inside))
    else:
        yield io.BufferedReader(cast("io.RawIOBase", file))


@contextmanager
def plain_stream(file: IO[bytes]) -> Iterator[Source]:
    """The JSON text of a HAR, whatever it is packed in; Damaged where it is a flow file."""
    with _unpacked(file) as stream:
        head = stream.peek(16)
        if head[:1].isdigit():
            raise Damaged("it is a flow file: export it as HAR first")
        yield _unmarked(stream, head)


def _member(archive: zipfile.ZipFile) -> str:
    """The HAR in an archive, as Playwright packs it."""
    names = [name for name in archive.namelist() if name.lower().endswith(".har")]
    if not names:
        raise OptoutError("it is an archive without a .har in it")
    return names[0]


def _unmarked(stream: io.BufferedReader, head: bytes) -> Source:
    """A stream of UTF-8 without a byte order mark."""
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        return stream
    for mark, name in _BOMS:
        if head.startswith(mark):
            stream.read(len(mark))
            return _Recoded(stream, name)
    return stream


class _Recoded:
    """UTF-16, as PowerShell saves text, read as UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int, /) -> bytes:
        """Read a piece; none at the end."""
        while chunk := self._stream.read(size):
            if text := self._decoder.decode(chunk):
                return text.encode("utf-8", "replace")
        return self._decoder.decode(b"", final=True).encode("utf-8", "replace")
