"""What tells visitors apart on requests to whoever is no declared tool."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from optout_proxy.audit.express import cookies_in

SHORTEST: Final = 8
"""Letters from which on a value can tell people apart."""
_TOKEN: Final = re.compile(
    r"=(?:[0-9]{6,}\.[0-9]{9,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(?=[0-9]*[a-f])[0-9a-f]{24,})(?![0-9a-z])",
    re.IGNORECASE,
)
"""A UUID, a long hexadecimal number, or a number and a time as Google writes its identifiers.
Other random numbers keep caches from answering."""
_PLUMBING: Final = (
    "__cf", "cf_", "ak_bm", "bm_", "_abck", "jsessionid", "phpsessid", "asp.net_sessionid",
    "awsalb", "incap_", "visid_incap", "nlbi_", "ts01", "bigip", "arraffinity",
    "test_cookie",
)  # fmt: skip
"""Beginnings of cookies that spread load and keep robots out, and follow nobody."""


def is_plumbing(name: str) -> bool:
    """Whether a cookie is, by its name, one that spreads load or keeps robots out."""
    return name.lower().startswith(_PLUMBING)


def may_identify(query: str) -> bool:
    """Whether a value in a query looks like one that is made to tell visitors apart."""
    return _TOKEN.search(query) is not None


@lru_cache(1024)
def identifying(header: str) -> str:
    """The name of the first cookie in a header that may tell visitors apart; else empty."""
    for name, value in cookies_in(header).items():
        if len(value) >= SHORTEST and not is_plumbing(name):
            return name[:100]
    return ""


def travelling(value: str) -> str:
    """The part of an identifier that travels: of `GA1.2.111.222` what is behind the version."""
    pieces = value.split(".")
    tail = ".".join(pieces[-2:]) if len(pieces) >= 4 else value
    return tail if len(tail) >= SHORTEST else value
