"""Raw HTTP/1 messages of the llhttp corpus, and why some of them are none for a proxy to carry."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpora import CORPORA

if TYPE_CHECKING:
    from collections.abc import Iterator

LLHTTP = CORPORA / "llhttp"

_SECTION = re.compile(r"^#+ (?P<title>.+?)\n(?P<text>.*?)(?=^#+ |\Z)", re.MULTILINE | re.DOTALL)
_CASE = re.compile(
    r"<!-- meta=(?P<meta>\{[^\n]*?\})\s*-->\s*```http\n(?P<raw>.*?)```.*?```log\n(?P<log>.*?)```",
    re.DOTALL,
)
_URL = re.compile(r"```url\n(?P<raw>.*?)```.*?```log\n(?P<log>.*?)```", re.DOTALL)
PAUSES = "Pause on|on_\\w+ pause"


@dataclass(frozen=True)
class Message:
    """One message, the bytes of it as they are on the wire."""

    name: str
    kind: str
    raw: bytes
    log: str

    @property
    def not_carried(self) -> str:
        """Why it is no message that a proxy may carry; empty for the others."""
        error = re.search(r'error code=(\d+) reason="([^"]*)"', self.log)
        is_wrong = error and error[1] != "21" and not re.match(PAUSES, error[2])
        is_endless = "message complete" not in self.log and self.kind.startswith("request")
        reasons = {
            "its body is left out": "skipBody" in self.kind,
            "only a lenient parser takes it": "lenient" in self.kind,
            f"invalid on purpose: {error[2] if error else ''}": is_wrong,
            "an order to the proxy itself": self.raw.startswith((b"CONNECT ", b"PRI ")),
            "another protocol, or HTTP/0.9": not re.search(rb"HTTP/\d", self.raw),
            "it never ends": is_endless,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")


def messages(side: str) -> list[Message]:
    """All of `request` or of `response`, in the order of the files."""
    files = sorted((LLHTTP / side).glob("*.md"))
    return [message for file in files for message in _parse(file.stem, file.read_text())]


def targets() -> list[Message]:
    """Each URL of the corpus as the target of a request."""
    found = []
    for section in _SECTION.finditer((LLHTTP / "url.md").read_text()):
        for case in _URL.finditer(section["text"]):
            raw = b"GET %b HTTP/1.1\r\nHost: example.com\r\n\r\n" % _bytes(case["raw"])
            log = f"{case['log']}\nmessage complete"
            found.append(Message(f"url: {section['title']}", "request", raw, log))
    return found


def _parse(stem: str, text: str) -> Iterator[Message]:
    for section in _SECTION.finditer(text):
        for number, case in enumerate(_CASE.finditer(section["text"])):
            meta = json.loads(case["meta"])
            kind = f"{meta['type']}{' skipBody' if meta.get('skipBody') else ''}"
            name = f"{stem}: {section['title']}" + (f" ({number + 1})" if number else "")
            yield Message(name, kind, _bytes(case["raw"]), case["log"])


def _bytes(text: str) -> bytes:
    """The corpus writes a line's end for CRLF, and a backslash before it for none."""
    text = text.removesuffix("\n").replace("\\\n", "").replace("\n", "\r\n")
    for written, meant in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(written, meant)
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
    return text.encode()
