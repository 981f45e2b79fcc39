"""Where links lead: relative, archived, damaged and bare addresses made whole, or refused."""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from optout_proxy.hosts import host_of
from optout_proxy.registry.policy_file import Link
from optout_proxy.registry.toml_table import is_host

_ARCHIVE: Final = re.compile(
    r"(?:https?://web\.archive\.org)?/web/(?P<time>\d{4,14})(?:[a-z]{2}_)?"
    r"/(?P<url>https?(?::|%3A).+)",
    re.IGNORECASE,
)
_SNAPSHOT: Final = re.compile(
    r"https?://web\.archive\.org/web/\d{8,14}(?:[a-z]{2}_)?/https?(?::|%3A)[^\s)\"'<>\]]{3,1000}",
    re.IGNORECASE,
)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{0,20}):", re.IGNORECASE)
_TAG: Final = re.compile(r"<(?:link|meta|base)\b[^<>]{0,1000}>", re.IGNORECASE)
_NAMES_HOME: Final = re.compile(
    r"\brel\s?=\s?[\"']?canonical\b|\bproperty\s?=\s?[\"']?og:url\b|^<base\b", re.IGNORECASE
)
_ADDRESS: Final = re.compile(
    r"\b(?:href|content)\s?=\s?[\"']?(https?://[^\s\"'<>]{4,500})", re.IGNORECASE
)
_HEAD: Final = 100_000


class Addresses:
    """Resolves the links of one document, and notes those that lead nowhere."""

    def __init__(self, home: str = "", snapshot: str = "") -> None:
        self.home = home
        """Where the publisher has the document; empty where it does not say."""
        self.base = re.sub(r"^http:", "https:", home)
        """What relative addresses are relative to: links lead to the site as it is reached now."""
        self.snapshot = snapshot
        """Where an archive has it."""
        self.refused: dict[int, str] = {}
        """By line, what links led to that are left out."""
        self.notes: list[str] = []
        """What else was odd while reading."""

    def resolve(self, target: str, text: str, line: int) -> Link | None:
        """Make a link whole; None, and a note, for what no browser may open from a policy."""
        target = "".join(target.split())
        if not target or target.startswith("#"):
            return None
        found = self._read(target, text)
        if not found:
            self._refuse(target, line)
        return found

    def bare(self, shown: str) -> Link | None:
        """Read an address that stands in the text; without a scheme, `https://` is assumed."""
        if re.match(r"https?://", shown, re.IGNORECASE):
            return self._read(shown, shown)
        url = f"https://{shown}"
        return Link(shown, url, assumed_scheme=True) if _is_good(url) else None

    def _read(self, target: str, text: str) -> Link | None:
        scheme = _SCHEME.match(target)
        if scheme and scheme[1].lower() not in ("http", "https", "mailto"):
            return None
        if archived := _ARCHIVE.fullmatch(target):
            url = archived["url"]
            url = unquote(url) if "%3A" in url[:10].upper() else url
            return self._whole(url, text, archived_as=urljoin("https://web.archive.org/", target))
        lost = re.fullmatch(r"https?://web\.archive\.org(/.*)", target, re.IGNORECASE)
        if lost and self.base and not lost[1].startswith(("/web/", "/save/")):
            return self._whole(lost[1], text, archived_as=target)
        return self._whole(target, text)

    def _whole(self, target: str, text: str, archived_as: str = "") -> Link | None:
        url = target
        if url.startswith("//"):
            url = f"https:{url}"
        elif not _SCHEME.match(url):
            url = _joined(self.base, url)
        if scheme := _SCHEME.match(url):
            url = scheme[0].lower() + url[scheme.end() :]
        if url.startswith("mailto:"):
            url = url.partition("?")[0]
        if not _is_good(url) or (archived_as and not _is_good(archived_as)):
            return None
        return Link(_without_controls(text), url, archived_as=archived_as)

    def _refuse(self, target: str, line: int) -> None:
        if len(self.refused) < 100 and line not in self.refused:
            scheme = _SCHEME.match(target)
            what = f"{scheme[0].lower()}…" if scheme else "a relative address"
            self.refused[line] = what


def _without_controls(text: str) -> str:
    """The text of a link as a policy file accepts it; it may be an address as it was typed."""
    return _CONTROLS.sub(" ", text) if _CONTROLS.search(text) else text


def _joined(base: str, target: str) -> str:
    try:
        return urljoin(base, target) if base else ""
    except ValueError:
        return ""


def _is_good(url: str) -> bool:
    """Whether a policy file accepts the address."""
    if len(url) > 2000 or re.search(r"[\s\x00-\x1f\x7f]", url):
        return False
    if url.startswith("mailto:"):
        return is_host(url.rpartition("@")[2].lower())
    return url.startswith(("http://", "https://")) and is_host(host_of(url)) and _can_be_split(url)


def _can_be_split(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def find_addresses(text: str) -> Addresses:
    """Where a document says it was published, and where an archive has it."""
    head = text[:_HEAD]
    snapshot = _SNAPSHOT.search(head)
    shot = snapshot[0] if snapshot else ""
    archived = _ARCHIVE.fullmatch(shot) if shot else None
    home = unquote(archived["url"]) if archived and "%3A" in archived["url"][:10].upper() else ""
    home = home or (archived["url"] if archived else "") or _canonical(head) or _first_line(head)
    return Addresses(home if _is_good(home) else "", shot if _is_good(shot) else "")


def _canonical(head: str) -> str:
    """The address that a page gives as its own, in its head."""
    tags = (tag[0] for tag in _TAG.finditer(head) if _NAMES_HOME.search(tag[0]))
    found = (_ADDRESS.search(tag) for tag in tags)
    return next((html.unescape(it[1]) for it in found if it), "")


def _first_line(head: str) -> str:
    first = head.lstrip()[:1000].partition("\n")[0].strip()
    return first if re.fullmatch(r"https?://\S+", first) else ""


def archived_on(snapshot: str) -> str:
    """The day of a snapshot, as `20190625`; empty where its address does not say."""
    found = _ARCHIVE.fullmatch(snapshot)
    return found["time"][:8] if found and len(found["time"]) >= 8 else ""
