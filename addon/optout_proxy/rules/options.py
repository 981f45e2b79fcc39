"""The options of a rule, after its last `$`: what they are called and what they mean."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from optout_proxy.hosts import parents, suffix_of
from optout_proxy.model import TYPES, Type


class RuleError(ValueError):
    """A line that is no rule we apply, with the reason; it is counted, never guessed."""


class Domains(msgspec.Struct, frozen=True):
    """A list of `domain=`, `to=` or `denyallow=`: hosts, and entities such as `google.*`."""

    include: frozenset[str]
    exclude: frozenset[str]

    def covers(self, host: str) -> bool:
        """Whether the list holds for a host; the longest name that fits decides."""
        if not host:
            return not self.include
        for name in names_of(host):
            if name in self.exclude:
                return False
            if name in self.include:
                return True
        return not self.include


@lru_cache(8192)
def names_of(host: str) -> tuple[str, ...]:
    """The names that a list may hold for a host: itself, its parents, and its entities."""
    suffix = suffix_of(host)
    if not suffix:
        return parents(host)
    bare = host.removesuffix(suffix)
    entities = tuple(f"{name}*" for name in _parents_with_dot(bare))
    return parents(host) + entities


def _parents_with_dot(bare: str) -> tuple[str, ...]:
    labels = bare.removesuffix(".").split(".")
    return tuple(".".join(labels[n:]) + "." for n in range(len(labels)) if labels[n])


BITS: Final[dict[Type, int]] = {name: 1 << n for n, name in enumerate(TYPES)}
EVERY_TYPE: Final = (1 << len(TYPES)) - 1
DOCUMENT: Final = BITS["document"]
NO_DOCUMENT: Final = EVERY_TYPE & ~DOCUMENT
"""What a rule without a type means: everything but a top-level navigation."""

_TYPE_NAMES: Final[dict[str, int]] = {
    **{str(name): bit for name, bit in BITS.items()},
    "doc": DOCUMENT,
    "frame": BITS["subdocument"],
    "xhr": BITS["xmlhttprequest"],
    "css": BITS["stylesheet"],
    "beacon": BITS["ping"],
    "all": EVERY_TYPE,
    "object-subrequest": BITS["object"],
}
_ANY, _FIRST, _THIRD = 0, 1, 3
_PARTY: Final[dict[str, int]] = {
    "third-party": _THIRD,
    "3p": _THIRD,
    "first-party": _FIRST,
    "1p": _FIRST,
    "~third-party": _FIRST,
    "~3p": _FIRST,
    "~first-party": _THIRD,
    "~1p": _THIRD,
}
FIRST_PARTY: Final = _FIRST
THIRD_PARTY: Final = _THIRD
_MODIFIERS: Final = frozenset(
    {"cookie", "removeparam", "removeheader", "redirect", "redirect-rule", "urlskip"}
)
_ALIASES: Final = {"queryprune": "removeparam", "from": "domain"}
_UNENFORCEABLE: Final = {
    "popup": "popup windows look like documents to a proxy",
    "popunder": "popup windows look like documents to a proxy",
    "generichide": "cosmetic",
    "ghide": "cosmetic",
    "elemhide": "cosmetic",
    "ehide": "cosmetic",
    "specifichide": "cosmetic",
    "shide": "cosmetic",
}
METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Options(msgspec.Struct, frozen=True):
    """What the options of one rule say."""

    types: int = NO_DOCUMENT
    typed: bool = False
    party: int = _ANY
    pages: Domains | None = None
    hosts: Domains | None = None
    denyallow: Domains | None = None
    methods: frozenset[str] | None = None
    match_case: bool = False
    important: bool = False
    badfilter: bool = False
    modifier: str = ""
    value: str = ""


PLAIN: Final = Options()
_SPLIT: Final = re.compile(r"(?<!\\),")


def parse_options(text: str) -> Options:
    """Read `script,third-party,domain=a.com|~b.com`; raises RuleError on what we do not apply."""
    wanted = unwanted = party = 0
    facts: dict[str, object] = {}
    for raw in _split(text):
        name, _, value = raw.partition("=")
        name = _ALIASES.get(name := name.strip().lower(), name)
        negated = name.startswith("~")
        if (bit := _TYPE_NAMES.get(name.removeprefix("~"))) is not None and not value:
            wanted, unwanted = (wanted, unwanted | bit) if negated else (wanted | bit, unwanted)
        elif name in _PARTY:
            party = _PARTY[name]
        elif name in {"important", "badfilter", "match-case"}:
            facts[name.replace("-", "_")] = True
        elif name in {"domain", "to", "denyallow"}:
            facts[{"domain": "pages", "to": "hosts"}.get(name, name)] = _domains(value)
        elif name == "method":
            facts["methods"] = _methods(value)
        elif name in _MODIFIERS:
            _set_modifier(facts, name, value)
        elif name == "reason" or set(name) == {"_"}:
            continue
        else:
            raise RuleError(_UNENFORCEABLE.get(name, f"unknown option {name.removeprefix('~')!r}"))
    return Options(
        types=_types(wanted, unwanted, str(facts.get("modifier", ""))),
        typed=bool(wanted or unwanted),
        party=party,
        **facts,  # type: ignore[arg-type]
    )


def _split(text: str) -> list[str]:
    if "=/" not in text:
        return text.split(",")
    return [part.replace("\\,", ",").replace("\\$", "$") for part in _SPLIT.split(text)]


def _types(wanted: int, unwanted: int, modifier: str) -> int:
    if wanted:
        return wanted & ~unwanted
    if unwanted:
        return NO_DOCUMENT & ~unwanted
    if modifier == "removeparam":
        return DOCUMENT  # AdGuard: a removeparam rule without a type is about documents
    return EVERY_TYPE if modifier in {"cookie", "removeheader"} else NO_DOCUMENT


def _domains(value: str) -> Domains:
    names = [name for name in value.lower().split("|") if name]
    if not names or any(name.startswith(("/", "~/")) for name in names):
        raise RuleError("expressions in a list of domains")
    return Domains(
        frozenset(name for name in names if not name.startswith("~")),
        frozenset(name[1:] for name in names if name.startswith("~")),
    )


def _methods(value: str) -> frozenset[str]:
    names = value.upper().split("|")
    bare = {name.removeprefix("~") for name in names}
    if unknown := bare - METHODS:
        raise RuleError(f"unknown method {min(unknown).lower()!r}")
    return METHODS - bare if names[0].startswith("~") else frozenset(names)


def _set_modifier(facts: dict[str, object], name: str, value: str) -> None:
    if "modifier" in facts:
        raise RuleError("two modifiers in one rule")
    facts["modifier"] = name
    facts["value"] = value.lower() if name == "removeheader" else value
