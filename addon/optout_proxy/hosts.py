"""Hosts and sites: which host a URL names, and which registrable domain a host belongs to."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract

_MEMO = 8192


@lru_cache(_MEMO)
def host_of(url: str) -> str:
    """Host of an absolute URL: lower case, without userinfo, port, brackets and trailing dot.

    Empty where the URL names none. WHATWG URL: a backslash counts as a slash in http(s) URLs.
    """
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
    return _extract().extract_str(host).top_domain_under_public_suffix or host


@lru_cache(_MEMO)
def suffix_of(host: str) -> str:
    """Public suffix of a host (`co.uk`); empty where it has none."""
    if not host or is_ip(host):
        return ""
    return _extract().extract_str(host).suffix


@lru_cache(_MEMO)
def parents(host: str) -> tuple[str, ...]:
    """The host and its parent domains, longest first: `a.b.c` → `a.b.c`, `b.c`, `c`."""
    if is_ip(host):
        return (host,)
    labels = host.split(".")
    return tuple(".".join(labels[n:]) for n in range(len(labels)))
