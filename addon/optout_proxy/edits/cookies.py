"""Edits of `Cookie` and `Set-Cookie` values: what is not named stays byte for byte.

Read as a client and a server read them (RFC 6265 section 5.2 and 5.4, and RFC 6265bis for cookies
without a name and for name prefixes). `;` always separates: quotes protect nothing, or a cookie
`x="` in front would hide the one behind it. Names are latin-1 text, as everywhere in a `Request`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from optout_proxy.edits.dates import cookie_date
from optout_proxy.edits.percent import wire
from optout_proxy.hosts import is_ip, parents, site_of, suffix_of

if TYPE_CHECKING:
    from collections.abc import Callable

    type CutsCookie = Callable[[str], bool]
    """Whether to cut a cookie, given its name; a cookie without a name has the name ``."""

_BLANK: Final = b" \t"
_LASTING: Final = frozenset({b"expires", b"max-age"})
_SECONDS: Final = re.compile(rb"-?[0-9]+")
_HOST: Final = re.compile(r"[a-z0-9._-]+")
_BREAKS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f;]")
_GUARDED: Final = ("__host-", "__secure-", "__http-")
"""Prefixes whose cookies a client accepts with `Secure` only (and `__Http-` with `HttpOnly`)."""
_OVER: Final = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"
_WRITTEN: Final = datetime(2026, 11, 24, tzinfo=UTC)
"""No clock is behind the day this was written: what ended before it has ended."""


def cut_cookies(value: bytes, cuts: CutsCookie) -> tuple[bytes | None, tuple[str, ...]]:
    """Cut cookies from the value of a `Cookie` header; also the names cut, each once.

    Where nothing is cut, the very same bytes come back; where no cookie is left, None.
    """
    kept: list[bytes] = []
    cut: dict[str, None] = {}
    for piece in value.split(b";"):
        name = _pair_name(piece)
        if piece.strip(_BLANK) and cuts(name):
            cut[name] = None
        else:
            # Space in front belongs to the separator, and the first cookie has none.
            kept.append(piece if kept or not cut else piece.lstrip(_BLANK))
    if not cut:
        return value, ()
    rest = b";".join(kept)
    return (rest if rest.strip(b"; \t") else None), tuple(cut)


def supply_cookie(value: bytes | None, name: str, val: str) -> bytes:
    """Add a cookie to the value of a `Cookie` header (None where there is none), or replace it.

    It takes the place of the first cookie of that name, later ones go. Raises ValueError where
    `name` or `val` would break out of the cookie.
    """
    supplied = _checked(f"{name}={val}")
    if value is None or not value.strip(b"; \t"):
        return supplied
    pieces: list[bytes] = []
    placed = False
    for piece in value.split(b";"):
        if b"=" not in piece or _pair_name(piece) != name:
            pieces.append(piece)
        elif not placed:
            placed = True
            pieces.append(piece[: len(piece) - len(piece.lstrip(_BLANK))] + supplied)
    rest = b";".join(pieces)
    return rest if placed else _appended(rest, supplied)


def set_cookie_name(line: bytes) -> str:
    """Name under which a client keeps the cookie of a `Set-Cookie` value.

    Empty for a cookie without a name (`=v`, and `v` alone, whose text is the value): RFC 6265 has
    clients drop these, browsers follow RFC 6265bis and keep them.
    """
    return _pair_name(line.partition(b";")[0])


def session_only(line: bytes, *, now: datetime = _WRITTEN) -> bytes:
    """Remove `Expires` and `Max-Age` from a `Set-Cookie` value: its cookie ends with the session.

    A line that deletes its cookie stays as it is, or the deletion would set one. `now` tells
    which dates are past; give it where it is known.
    """
    left = _seconds_left(line, now)
    return line if left is None or left <= 0 else _without_end(line)


def capped(line: bytes, max_age_seconds: int, *, now: datetime = _WRITTEN) -> bytes:
    """Let the cookie of a `Set-Cookie` value live no longer than that.

    One that ends earlier stays as it is: with the session, at once (a deletion), or by its own
    `Expires` or `Max-Age`. Give `now` where it is known, else an `Expires` seems later than it is.
    """
    left = _seconds_left(line, now)
    if left is None or left <= max(0, max_age_seconds):
        return line
    return _appended(_without_end(line), b"Max-Age=%d" % max_age_seconds)


def expiring(name: str, host: str) -> tuple[bytes, ...]:
    """`Set-Cookie` values that delete a cookie at a client of that host.

    One for the host alone, and one with `Domain=` for the host and each parent down to its
    registrable domain, since a name does not tell where its cookie was set. `__Host-` cookies have
    no domain. None for what no `Set-Cookie` can delete: a cookie without a name, and a name with
    control characters, which came from no browser.
    """
    if not name or _BREAKS.search(wire(name)):
        return ()
    line = _checked(f"{name}=", f"Path=/; {_OVER}{_guards(name)}")
    if _is_host_only(name):
        return (line,)
    return (line, *(b"%b; Domain=%b" % (line, domain.encode()) for domain in _domains(host)))


def set_cookie(
    name: str, value: str, *, domain: str | None = None, max_age: int | None = None
) -> bytes:
    """Write a `Set-Cookie` value for `Path=/`; for the session where `max_age` (seconds) is None.

    A `__Host-` cookie gets no domain: a client would refuse it. Raises ValueError where a part
    would break out of the cookie.
    """
    attributes = ["Path=/"]
    if max_age is not None:
        attributes.append(f"Max-Age={max_age}")
    if domain and not _is_host_only(name):
        attributes.append(_checked(f"Domain={domain}").decode("latin-1"))
    return _checked(f"{name}={value}", "; ".join(attributes) + _guards(name))


def _pair_name(piece: bytes) -> str:
    name, equals, _ = piece.partition(b"=")
    return name.strip(_BLANK).decode("latin-1") if equals else ""


def _seconds_left(line: bytes, now: datetime) -> float | None:
    """How long the cookie lives; None for the session. The last of each attribute counts."""
    age = expires = None
    for piece in line.split(b";")[1:]:
        name, _, text = piece.partition(b"=")
        name, text = name.strip(_BLANK).lower(), text.strip(_BLANK)
        if name == b"max-age" and _SECONDS.fullmatch(text):
            age = float(text)
        elif name == b"expires":
            expires = cookie_date(text.decode("latin-1")) or expires
    if age is not None or expires is None:
        return age
    return (expires - now).total_seconds()


def _without_end(line: bytes) -> bytes:
    pair, *attributes = line.split(b";")
    kept = (a for a in attributes if a.partition(b"=")[0].strip(_BLANK).lower() not in _LASTING)
    return b";".join((pair, *kept))


def _appended(pieces: bytes, piece: bytes) -> bytes:
    return pieces + (b" " if pieces.rstrip(_BLANK).endswith(b";") else b"; ") + piece


def _checked(pair: str, attributes: str = "") -> bytes:
    """Encode the pair, with attributes that are ours behind it."""
    raw = wire(pair)
    if _BREAKS.search(raw):
        raise ValueError(f"{pair!r} cannot be part of a cookie")
    return raw + (f"; {attributes}".encode() if attributes else b"")


def _guards(name: str) -> str:
    return "; Secure; HttpOnly" if name.lower().startswith(_GUARDED) else ""


def _is_host_only(name: str) -> bool:
    return name.lower().startswith("__host-")


def _domains(host: str) -> tuple[str, ...]:
    """Domains under which a page of that host may have set a cookie."""
    if not _HOST.fullmatch(host) or is_ip(host) or suffix_of(host) == host or "." not in host:
        return ()
    shortest = len(site_of(host))
    return tuple(parent for parent in parents(host) if len(parent) >= shortest)
