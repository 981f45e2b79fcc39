"""Feeds the importer documents that nobody would publish, and holds it to its promises.

    python tests/fuzz_policy_import.py MINUTES [SEED]

Not collected by pytest: it runs as long as it is told. Each finding is written to a folder of the
system's temporary files, so that it can become a row of a test.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from policy_promises import hold, hold_again

HERE = Path(__file__).resolve().parent
CORPORA = HERE.parent.parent / "shared" / "corpora"
PATIENCE = 10.0
"""Seconds within which an answer must come."""

MARKS = [
    "**", "__", "*", "`", "#### ", "# ", "> ", "- ", "1) ", "| ", "|---|---|\n", "\n", "\n\n",
    "\r\n", "\r", "[", "](", ")", "<", ">", "</", "<!--", "-->", "<p>", "</p>", "<br>", "<h4>",
    "</h4>", "<table><tr><td>", "</td><td>", "</tr></table>", "<dl><dt>", "</dt><dd>", "<script>",
    "</script>", "<style>", "<a href='javascript:alert(1)'>", "<a href=//a.example/opt-out>",
    "</a>", "&amp;", "&#0;", "&#xD800;", "\u202e", "\u200b", "\xad", "\ufeff", "\xa0", "\u2028",
    "\x0b", "\x1f", "\x7f", "\u2122", "\u201c", "\u201d", "Tool name: ", "Tool Name:\xa0",
    "**Purpose:** ", "**Express opt out:** ", "N/A", "none", "Opt-out", "Privacy policy", "Name",
    "Provider", "Google Analytics", "CrazyEgg", "Facebook \u201cLike\u201d", "Twitter plug-ins",
    "Name - ", "http://", "https://a.example/b?c=d", "www.crazyegg.com/opt-out",
    "https://web.archive.org/web/20190625021014id_/http%3A//www.mass.gov/privacypolicy",
    "https://web.archive.org/x", "mailto:a@b.example", "May 17, 2018", "13/13/2013", "2018-02-30",
    "Effective: 1/2/2018", "at least 30 days before a change of this policy takes effect. ",
    "0 days", "is kept for 30 days. ", "indefinitely", "contact me@shop.example", '"', '"""',
    "'''", "\\", "'", "\xe9", "\xdf", "\u4e2d\u6587", "\U0001f642", "\ud800",
]  # fmt: skip


def seeds() -> list[bytes]:
    """Documents to begin with: ours, and the outside ones where they are there."""
    files = [
        *(HERE / "policies").glob("*.*"),
        *(CORPORA / "seed").glob("*"),
        *(CORPORA / "policies").glob("*"),
    ]
    return [file.read_bytes() for file in sorted(files) if file.suffix != ".csv"]


def mutated(rng: random.Random, pool: list[bytes]) -> bytes:
    """A document made of pieces of others, of marks, and of bytes."""
    raw = bytearray(rng.choice(pool))
    begin = rng.randrange(len(raw) + 1)
    raw = raw[begin : begin + rng.choice((200, 2_000, 20_000, 60_000))]
    for _ in range(rng.choice((1, 3, 10, 40))):
        at = rng.randrange(len(raw) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            del raw[at : at + rng.randrange(1, 200)]
        elif kind == 1:
            other = rng.choice(pool)
            start = rng.randrange(len(other))
            raw[at:at] = other[start : start + rng.randrange(1, 3_000)]
        elif kind == 2:
            raw[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 6)))
        elif kind == 3:
            raw[at:at] = raw[at : at + rng.randrange(1, 400)] * rng.choice((2, 5, 50))
        else:
            mark = rng.choice(MARKS).encode("utf-8", "surrogatepass")
            raw[at:at] = mark * rng.choice((1, 1, 1, 2, 300))
        if len(raw) > 400_000:
            del raw[400_000:]
    if rng.random() < 0.3:
        raw[:0] = b"<!doctype html><html><body>"
    if rng.random() < 0.05:
        raw = bytearray(
            raw.decode("utf-8", "replace").encode(
                rng.choice(("utf-16", "cp1252", "utf-8-sig")), "replace"
            )
        )
    return bytes(raw)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(minutes: float, seed: int) -> int:
    """Run for some minutes, and say how many documents were fed and how many broke a promise."""
    rng = random.Random(seed)  # noqa: S311 - nothing to guess here
    pool = seeds()
    folder = Path(tempfile.gettempdir()) / "fuzz-policy-import"
    until = time.monotonic() + minutes * 60
    fed = findings = 0
    last = None
    scratch = Path(tempfile.mkdtemp()) / "policy.toml"
    slowest = 0.0
    while time.monotonic() < until:
        raw = mutated(rng, pool)
        start = time.process_time()
        try:
            imported = hold(raw, rng.choice(("a.html", "a.md", "a.txt")))
            before, last = last, imported or last
            if imported and before:
                hold_again(before, imported, scratch)
            took = time.process_time() - start
            assert took < PATIENCE, f"took {took:.1f} s"
            slowest = max(slowest, took)
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            findings += 1
            folder.mkdir(exist_ok=True)
            (folder / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)
            traceback.print_exc()
        fed += 1
        if fed % 1000 == 0:
            _say(f"{fed} documents, {findings} findings, slowest {slowest:.1f} s")
    _say(f"{minutes} minutes, {fed} documents, {findings} findings, slowest {slowest:.1f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    sys.exit(main(given[0] if given else 1.0, int(given[1]) if len(given) > 1 else 0))
