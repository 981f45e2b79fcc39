"""Cookies as a browser kept them: Playwright's `storage_state.json`, and `cookies.txt`.

A second input beside captures: scripts set cookies that no `Set-Cookie` shows, and a sanitised
capture shows none at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.hosts import normal_host

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS: Final = 7
_HTTP_ONLY: Final = "#HttpOnly_"


class JarCookie(msgspec.Struct, frozen=True):
    """One cookie of a jar."""

    host: str
    name: str
    value: str
    expires: float | None
    """Seconds since 1970; None where it ends with the session."""


class _Kept(msgspec.Struct):
    name: str
    value: str = ""
    domain: str = ""
    expires: float = -1


class _State(msgspec.Struct):
    cookies: list[_Kept]


def parse_storage_state(text: bytes) -> tuple[JarCookie, ...] | None:
    """The cookies of Playwright's storage state; None where the text is none."""
    try:
        state = msgspec.json.decode(text, type=_State)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return tuple(
        JarCookie(_host(one.domain), one.name, one.value, one.expires if one.expires > 0 else None)
        for one in state.cookies
    )


def parse_cookies_txt(text: str) -> tuple[JarCookie, ...]:
    """The cookies of a file in Netscape's format, as curl and browser add-ons write it."""
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[JarCookie]:
    for line in text.splitlines():
        fields = line.removeprefix(_HTTP_ONLY).split("\t")
        if len(fields) < _FIELDS or (line.startswith("#") and not line.startswith(_HTTP_ONLY)):
            continue
        expires = float(fields[4]) if fields[4].isdigit() and len(fields[4]) < 16 else 0
        yield JarCookie(_host(fields[0]), fields[5], fields[6], expires or None)


def _host(domain: str) -> str:
    return normal_host(domain.removeprefix("."))
