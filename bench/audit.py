"""Auditing: entries a second against `json.load` and the same matching, and `haralyzer`; memory.

The capture is made here, from real requests where they lie beside the checkout: headers, cookies
and sizes as a browser writes them. It is deleted at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import matching
from measure import Row, in_turn, row, seconds
from optout_proxy import shipped
from optout_proxy.audit.lens import Asked, load_lens
from optout_proxy.audit.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ASKED = Asked(shipped.folder() / "config.toml")
_SENT = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Connection", "keep-alive"),
    ("sec-ch-ua", '"Chromium";v="142", "Not_A Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Sec-Fetch-Mode", "no-cors"),
)
_CAME = (
    ("Content-Type", "text/javascript; charset=utf-8"),
    ("Content-Length", "12345"),
    ("Cache-Control", "max-age=3600, public"),
    ("Date", "Tue, 24 Nov 2026 10:00:00 GMT"),
    ("ETag", '"0123456789abcdef"'),
    ("Server", "nginx"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Vary", "Accept-Encoding"),
    ("X-Content-Type-Options", "nosniff"),
)
_FRAMES = [
    {
        "functionName": f"load{number}",
        "scriptId": str(number),
        "url": "https://www.example.com/assets/application-0123456789abcdef.js",
        "lineNumber": 1,
        "columnNumber": 12345 + number,
    }
    for number in range(4)
]
_TIMES = {"blocked": 1.2, "dns": 0, "connect": 3, "send": 0.1, "wait": 30, "receive": 5, "ssl": -1}


def entry(url: str, page: str, kind: str, body: str) -> dict[str, object]:
    """One entry as Chrome writes it, about 2.7 kB without a body."""
    sent = [*_SENT, ("Referer", page), ("Cookie", "session=0123456789abcdef; lang=en")]
    query = url.partition("?")[2].split("&")[:20]
    return {
        "_connectionId": "1234",
        "_initiator": {"type": "script", "stack": {"callFrames": _FRAMES}},
        "_priority": "High",
        "_resourceType": kind,
        "startedDateTime": "2026-11-24T10:00:00.000Z",
        "time": 39.3,
        "request": {
            "method": "GET",
            "url": url,
            "httpVersion": "h2",
            "headers": [{"name": name, "value": value} for name, value in sent],
            "queryString": [{"name": piece, "value": ""} for piece in query if piece],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "h2",
            "headers": [{"name": name, "value": value} for name, value in _CAME],
            "cookies": [],
            "content": {"size": 12345, "mimeType": "text/javascript", "text": body},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": _TIMES,
    }


def write(path: Path, megabytes: int, body: str = "") -> int:
    """Write a capture of about that size; how many entries it has."""
    count = 0
    with path.open("w") as out:
        out.write('{"log": {"version": "1.2", "creator": {"name": "bench"}, "entries": [')
        for url, page, kind in _endless():
            out.write(("," if count else "") + json.dumps(entry(url, page, kind, body)))
            count += 1
            if count % 100 == 0 and out.tell() >= megabytes << 20:
                break
        out.write("]}}")
    return count


def _endless() -> Iterator[tuple[str, str, str]]:
    while True:
        yield from matching.requests()


def rows(*, quick: bool) -> list[Row]:
    """The rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        measured = (_speed, _commands, _memory)
        return [row for part in measured for row in part(Path(folder), quick=quick)]


def _speed(folder: Path, *, quick: bool) -> Iterator[Row]:
    file = folder / "speed.har"
    count = write(file, 6 if quick else 60)
    lens = load_lens(_ASKED)
    peers: dict[str, Callable[[], object]] = {"json.load and the same matching": _by_hand(file)}
    if (other := _haralyzer(file)) is not None:
        peers[other[0]] = other[1]
    times = in_turn(
        3, lambda: seconds(lambda: survey(file, lens)),
        *(lambda run=run: seconds(run) for run in peers.values()),
    )  # fmt: skip
    for name, taken in zip(peers, times[1:], strict=True):
        per, theirs = times[0] / count * 1e6, taken / count * 1e6
        yield row("audit, time per entry", name, per, theirs, "µs", 1 / 1.5)


def _commands(folder: Path, *, quick: bool) -> Iterator[Row]:
    """The command as a whole against mitmproxy reading the same HAR, processes and all."""
    file = folder / "command.har"
    count = write(file, 3 if quick else 15)
    beside = Path(sys.executable).parent
    ours = [beside / "optout", "audit", file, "--format", "json", "--config", _ASKED.config]
    theirs = [beside / "mitmdump", "-n", "-q", "-r", file]
    times = in_turn(
        3, *(lambda words=words: seconds(lambda: _run(words)) for words in (ours, theirs))
    )
    per, peer = (taken / count * 1e6 for taken in times)
    yield row("audit, the command per entry", "mitmdump -nr", per, peer, "µs", None)


def _run(words: list[object]) -> None:
    subprocess.run(list(map(str, words)), capture_output=True, check=False)


def _by_hand(file: Path) -> Callable[[], int]:
    """What one would write without us: the file as a whole, then each request to the engine."""
    engine = load_lens(_ASKED).engine

    def run() -> int:
        hits = 0
        with file.open() as opened:
            whole = json.load(opened)
        for one in whole["log"]["entries"]:
            asked = one["request"]
            lines = {line["name"].lower(): line["value"] for line in asked["headers"]}
            decision = engine.decide_url(asked["url"], lines.get("referer", ""), "other")
            hits += decision.role is not None
        return hits

    return run


def _haralyzer(file: Path) -> tuple[str, Callable[[], int]] | None:
    """The package that testers use to read a HAR, walking the same entries."""
    try:
        import haralyzer  # noqa: PLC0415 - of the bench's own lock
    except ImportError:
        print("haralyzer is not installed: no row for it", file=sys.stderr)
        return None
    engine = load_lens(_ASKED).engine

    def run() -> int:
        hits = 0
        with file.open() as opened:
            parser = haralyzer.HarParser(json.load(opened))
        for raw in parser.har_data["entries"]:
            one = haralyzer.HarEntry(raw)
            page = one.request.get_header_value("Referer") or ""
            hits += engine.decide_url(one.request.url, page, "other").role is not None
        return hits

    return "haralyzer and the same matching", run


_PEAK = """
import re, sys
from pathlib import Path
{code}
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""
_OURS = """
from optout_proxy.audit.lens import Asked, load_lens
from optout_proxy.audit.survey import survey
print(survey(Path(sys.argv[1]), load_lens(Asked(Path(sys.argv[2])))).read, file=sys.stderr)
"""
_THEIRS = """
import json
from optout_proxy.audit.lens import Asked, load_lens
load_lens(Asked(Path(sys.argv[2])))
print(len(json.load(open(sys.argv[1]))["log"]["entries"]), file=sys.stderr)
"""


def _memory(folder: Path, *, quick: bool) -> Iterator[Row]:
    small, large = folder / "small.har", folder / "large.har"
    body = "x" * 30_000
    write(small, 3, body)
    size = 30 if quick else 300
    write(large, size, body)
    base, ours, theirs = (
        _peak(_OURS, small), _peak(_OURS, large), _peak(_THEIRS, large),
    )  # fmt: skip
    yield row(f"audit, peak memory on {size} MB", "json.load", ours, theirs, "MB", None)
    yield row(f"audit, peak memory on {size} MB", "audit on 3 MB", ours, base, "MB", 1.2)


def _peak(code: str, file: Path) -> float:
    """Megabytes that a process of its own held at most."""
    words = [sys.executable, "-c", _PEAK.format(code=code), file, _ASKED.config]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout)
