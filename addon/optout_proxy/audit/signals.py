"""Decode what a hit says about consent: only what is documented, and only where it decides.

Google: https://developers.google.com/tag-platform/security/concepts/consent-mode for `gcs`, `gcd`
(its letters are not documented by Google and only corroborate), `npa`, `rdp`. Meta:
https://developers.facebook.com/docs/meta-pixel/implementation/data-processing-options for `dpo`.
IAB: US Privacy string 1.0, Global Privacy Platform 1.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from optout_proxy.audit import gpp

if TYPE_CHECKING:
    from collections.abc import Iterable

_GCS: Final = re.compile(r"G1([01-])([01-])")
_GCD: Final = re.compile(r"\d+((?:[a-z]\d*)+)")
_GCD_WORDS: Final = {**dict.fromkeys("pqmu", "denied"), **dict.fromkeys("rtnv", "granted")}
_US_PRIVACY: Final = re.compile(r"1[YNyn-][YNyn-][YNyn-]")
_NAMES: Final = frozenset({"gcs", "gcd", "npa", "rdp", "dpo", "us_privacy", "gpp"})
_MOST: Final = 4096


class Told(msgspec.Struct, frozen=True):
    """What the flags of a hit say; None where they do not say it."""

    ads: bool | None = None
    """Whether storage for advertising is granted."""
    analytics: bool | None = None
    """Whether storage for analytics is granted."""
    limited: bool = False
    """The operator is asked to limit use: `npa`, `rdp`, Meta's LDU, a US opt-out of sale."""
    flags: tuple[str, ...] = ()
    """The flags as they stood, for a person."""

    def denies(self, category: str) -> bool:
        """Whether they deny what a tool of a category is for."""
        if category == "analytics":
            return self.analytics is False
        if category == "advertising":
            return self.ads is False or self.limited
        return (self.ads is False and self.analytics is False) or self.limited


SILENT: Final = Told()


def signals_of(url: str, body: bytes | None = None) -> Told:
    """What the flags in the query and in a form's body say."""
    query = url.partition("?")[2].partition("#")[0]
    if not query and not body:
        return SILENT
    text = query + ("&" + body[:_MOST].decode("latin-1") if body else "")
    if not any(f"{name}=" in text for name in _NAMES):
        return SILENT
    pairs = parse_qsl(text.replace(";", "&"), keep_blank_values=True, max_num_fields=None)
    return told((name, value) for name, value in pairs if name in _NAMES)


def told(pairs: Iterable[tuple[str, str]]) -> Told:
    """What flags say together; a denial and a grant of the same thing say nothing."""
    ads: set[bool] = set()
    analytics: set[bool] = set()
    limited = False
    flags: dict[str, None] = {}
    for name, value in pairs:
        flags[f"{name}={value}"[:80]] = None
        if name == "gcs" and (found := _GCS.fullmatch(value)):
            ads |= _granted(found[1])
            analytics |= _granted(found[2])
        elif name == "gcd":
            words = gcd(value)
            # Corroboration only: it contradicts a denial, and never makes one.
            ads |= {True} if words[:1] == ("granted",) else set()
            analytics |= {True} if words[1:2] == ("granted",) else set()
        else:
            limited = limited or _limits(name, value)
    return Told(_agreed(ads), _agreed(analytics), limited, tuple(flags))


def gcd(value: str) -> tuple[str, ...]:
    """What each letter of `gcd` says, in the order ads, analytics, user data, personalisation."""
    found = _GCD.match(value)
    letters = re.findall(r"[a-z]", found[1]) if found else []
    return tuple(_GCD_WORDS.get(letter, "unset") for letter in letters[:4])


def _granted(mark: str) -> set[bool]:
    return set() if mark == "-" else {mark == "1"}


def _agreed(said: set[bool]) -> bool | None:
    return said.pop() if len(said) == 1 else None


def _limits(name: str, value: str) -> bool:
    if name in {"npa", "rdp"}:
        return value == "1"
    if name == "dpo":
        return value.upper() == "LDU"
    if name == "us_privacy":
        return bool(_US_PRIVACY.fullmatch(value)) and value[2] in "Yy"
    return name == "gpp" and gpp.opts_out(value)
