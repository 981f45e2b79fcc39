"""Hosts and sites: which host a URL names, and which registrable domain a host belongs to."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tldextract import TLDExtract

_MEMO = 8192


_HOSTS: Final[dict[str, str]] = {}


def host_of(url: str) -> str:
    """Host of an absolute URL: lower case, without userinfo, port, brackets and trailing dot.

    Empty where the URL names none. WHATWG URL: a backslash counts as a slash in http(s) URLs.
    """
    start = url.find("://")
    end = url.find("/", start + 3)
    front = url[:end] if end > 0 else url
    host = _HOSTS.get(front)
    if host is None:
        if len(_HOSTS) >= _MEMO:
            _HOSTS.clear()
        host = _HOSTS[front] = _read_host(front)
    return host


def _read_host(url: str) -> str:
    scheme, colon, rest = url.partition(":")
    if not colon or not scheme:
        return ""
    rest = rest.replace("\\", "/")
    if not rest.startswith("//"):
        return ""
    end = len(rest)
    for stop in "/?#":
        found = rest.find(stop, 2)
        if found != -1:
            end = min(end, found)
    return normal_host(rest[2:end].rpartition("@")[2])


def normal_host(authority: str) -> str:
    """Lower-case host of `host[:port]`, without brackets and trailing dot."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower().removesuffix(".")


@lru_cache(_MEMO)
def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(1)
def _extract() -> TLDExtract:
    # Imported late: it costs 90 ms and a request that no party rule touches never needs it.
    # Offline by construction: the bundled Public Suffix List only, no fetch, no cache folder.
    from tldextract import TLDExtract  # noqa: PLC0415

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(_MEMO)
def site_of(host: str) -> str:
    """Registrable domain of a host by the Public Suffix List, private suffixes included.

    A host that has none (an IP address, `localhost`, a bare suffix) is its own site.
    """
    if not host or "." not in host or is_ip(host):
        return host
    suffix = suffix_of(host)
    if suffix == host:
        return host
    return host.removesuffix(f".{suffix}").rpartition(".")[2] + f".{suffix}"


@lru_cache(_MEMO)
def suffix_of(host: str) -> str:
    """Public suffix of a host (`co.uk`); empty for an IP address.

    A suffix that the list does not know is the last label: https://publicsuffix.org/list/ has
    `*` as the prevailing rule.
    """
    if not host or is_ip(host):
        return ""
    return _extract().extract_str(host).suffix or host.rpartition(".")[2]


@lru_cache(_MEMO)
def parents(host: str) -> tuple[str, ...]:
    """The host and its parent domains, longest first: `a.b.c` → `a.b.c`, `b.c`, `c`."""
    if is_ip(host):
        return (host,)
    labels = host.split(".")
    return tuple(".".join(labels[n:]) for n in range(len(labels)))
