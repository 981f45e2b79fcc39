"""Whether a ledger is as it was written.

What this shows is that nobody changed, removed, added or moved lines *afterwards* without
rebuilding every hash that follows. It does not show that the writer was honest, and lines cut off
the end of the newest file are seen only against a head kept elsewhere (`optout ledger head`).
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from optout_proxy.errors import EvidenceError
from optout_proxy.ledger.days import Opening
from optout_proxy.ledger.files import Head, name_of, raw_lines, split_name
from optout_proxy.ledger.lines import START, fault, follows, hash_of, is_torn
from optout_proxy.ledger.reader import UNREADABLE, Line, files_at, opened
from optout_proxy.ledger.retention import is_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

type State = Literal["ok", "incomplete", "tampered"]


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a file, and where."""

    file: str
    line: int
    """1-based; 0 where it is about the whole file."""
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


class Verification(msgspec.Struct, frozen=True):
    """What a look at a ledger found."""

    heads: tuple[Head, ...]
    """Each file and how far it holds."""
    tampered: tuple[Finding, ...]
    incomplete: tuple[Finding, ...]
    """Last lines cut short by a crash, a power cut or a full disk."""
    unclosed: tuple[str, ...]
    """Files without a closing line: still written, killed, or their tail was cut."""
    lost: int
    """Lines that the ledger itself says could not be written."""

    @property
    def state(self) -> State:
        if self.tampered:
            return "tampered"
        return "incomplete" if self.incomplete else "ok"

    @property
    def lines(self) -> int:
        return sum(head.lines for head in self.heads)

    def require_untampered(self) -> None:
        """EvidenceError, with every finding, if the ledger was changed after it was written."""
        if self.tampered:
            raise EvidenceError("\n".join(map(str, self.tampered)))


def verify(path: Path, heads: Iterable[str] = ()) -> Verification:
    """Look at a file, or at all files of a folder and whether one of them is missing.

    `heads` are hashes kept elsewhere: each must still be the hash of some line. InputError where
    the path cannot be read; what is found wrong is returned, not raised.
    """
    files = files_at(path)
    openings = {file.name: opening for file in files if (opening := _opening(file))}
    claims = _claims(openings) if path.is_dir() else []
    kept = frozenset(head.strip().lower() for head in heads)
    told = _told_lines(claims)
    walks = {
        file.name: _walk(file, openings.get(file.name), told[file.name], kept) for file in files
    }
    expired = _expired(openings)
    tampered = [
        *(walk.broken for walk in walks.values() if walk.broken),
        *_unkept(claims, walks, expired),
        *_unmet(path.name, kept, walks.values(), expired),
    ]
    return Verification(
        heads=tuple(walk.head for walk in walks.values()),
        tampered=tuple(tampered),
        incomplete=tuple(walk.torn for walk in walks.values() if walk.torn),
        unclosed=tuple(name for name, walk in walks.items() if not walk.closed),
        lost=sum(walk.lost for walk in walks.values()),
    )


class _Claim(msgspec.Struct, frozen=True):
    """What the opening of file `by` says of another file."""

    of: Head
    by: str


def _opening(file: Path) -> Opening | None:
    try:
        with file.open("rb") as lines:
            opening = _OPENING.decode(next(raw_lines(lines), b""))
    except (OSError, *UNREADABLE):
        return None
    return opening if split_name(name_of(opening.day, opening.writer)) else None


def _claims(openings: dict[str, Opening]) -> list[_Claim]:
    return [
        _Claim(head, name)
        for name, opening in openings.items()
        for head in (opening.before, *opening.seen)
        if head
    ]


def _told_lines(claims: list[_Claim]) -> defaultdict[str, set[int]]:
    told: defaultdict[str, set[int]] = defaultdict(set)
    for claim in claims:
        told[claim.of.file].add(claim.of.lines)
    return told


def _expired(openings: dict[str, Opening]) -> dict[str, Head]:
    """List what retention removed, where its time was really over."""
    return {
        head.file: head
        for opening in openings.values()
        for head in opening.expired
        if is_over(head.file, opening.day, opening.keep_days)
    }


class _Walk:
    """One file, read line by line up to its end or to where it breaks."""

    def __init__(self, name: str, prev: str) -> None:
        self.head = Head(name, 0, prev)
        self.broken: Finding | None = None
        self.torn: Finding | None = None
        self.closed = False
        self.lost = 0
        self.watched: dict[int, str] = {}
        self.met: set[str] = set()

    def take(self, raw: bytes) -> bool:
        """Whether the raw line follows; if not, what is wrong is set."""
        number = self.head.lines + 1
        if what := self._wrong(raw, number):
            self.broken = Finding(self.head.file, number, what)
        elif not raw.endswith(b"\n"):
            self.torn = Finding(self.head.file, number, "was cut short while it was written")
        else:
            self.head = Head(self.head.file, number, hash_of(raw))
            self._look_into(raw)
            return True
        return False

    def _wrong(self, raw: bytes, number: int) -> str:
        if self.closed:
            return "comes after the closing line"
        if not raw.endswith(b"\n"):
            return "" if is_torn(raw) else "is no line of a ledger"
        if not follows(raw, number, self.head.hash):
            return fault(raw, number)
        if number == 1 and _EVENT % b"opened" not in raw:
            return "is no opening line"
        return ""

    def _look_into(self, raw: bytes) -> None:
        if _EVENT % b"closed" in raw:
            self.closed = True
        elif _EVENT % b"gap" in raw:
            with suppress(*UNREADABLE):
                self.lost += _LINE.decode(raw).lost


# A quotation mark inside a value is escaped, so that no value can hold these bytes.
_EVENT: Final = b'"event":"%b"'
_LINE: Final = msgspec.json.Decoder(Line)
_OPENING: Final = msgspec.json.Decoder(Opening)


def _walk(file: Path, opening: Opening | None, told: set[int], kept: frozenset[str]) -> _Walk:
    before = opening.before if opening else None
    walk = _Walk(file.name, before.hash if before else START)
    with opened(file) as lines:
        for raw in raw_lines(lines):
            if not walk.take(raw):
                break
            if walk.head.lines in told:
                walk.watched[walk.head.lines] = walk.head.hash
            if walk.head.hash in kept:
                walk.met.add(walk.head.hash)
    return _finished(walk, opening)


def _finished(walk: _Walk, opening: Opening | None) -> _Walk:
    name = walk.head.file
    if opening and split_name(name) not in (None, (opening.day, opening.writer)):
        walk.broken = Finding(name, 1, f"opens the file {opening.day}.{opening.writer}: renamed")
    elif not walk.head.lines and not walk.broken and not walk.torn:
        walk.torn = Finding(name, 0, "holds no line: it was cut short when it was begun")
    return walk


def _unkept(
    claims: list[_Claim], walks: dict[str, _Walk], expired: dict[str, Head]
) -> Iterable[Finding]:
    """Say once of each file that it is not what the others tell of it."""
    found: dict[str, Finding] = {}
    for claim in claims:
        if finding := _judged(claim, walks, expired):
            found.setdefault(finding.file, finding)
    return found.values()


def _judged(claim: _Claim, walks: dict[str, _Walk], expired: dict[str, Head]) -> Finding | None:
    name, lines = claim.of.file, claim.of.lines
    walk = walks.get(name)
    if walk is None:
        what = f"is missing: {claim.by} tells of it, and nothing tells that its time was over"
        return None if name in expired else Finding(name, 0, what)
    if lines > walk.head.lines:
        what = f"ends before line {lines}, which {claim.by} tells of: its end was cut off"
        return None if walk.broken else Finding(name, 0, what)
    if walk.watched.get(lines) != claim.of.hash:
        return Finding(name, lines, f"is not the line that {claim.by} tells of: it was replaced")
    return None


def _unmet(
    name: str, kept: frozenset[str], walks: Iterable[_Walk], expired: dict[str, Head]
) -> Iterator[Finding]:
    met = {head.hash for head in expired.values()}.union(*(walk.met for walk in walks))
    for head in sorted(kept - met):
        yield Finding(name, 0, f"no line has the hash {head}: the end was cut off or all replaced")
