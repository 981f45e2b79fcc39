"""Content-Security-Policy: what we insert is allowed by the narrowest change, nothing else is.

An inline script is judged by the first that a policy has of `script-src-elem`, `script-src` and
`default-src` (CSP3, "Get fetch directive fallback list"). Where that one allows all inline scripts,
nothing is added: a nonce or a hash would switch its `'unsafe-inline'` off ("Does a source list
allow all inline behavior for type?"). Where it has a nonce, our tag carries that one. Else the
hash of our script is added, or, where scripts are to follow whose text nobody knows yet, a nonce of
our own, which no script of the page carries.

A policy that lets no script run at all gets none of ours. What is answered in place of a tool
comes from the tool's own address and needs no change here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.model import Headers

    type Stance = Literal["open", "nonced", "closed", "shut"]
    """How a policy takes inline scripts: all run; those with its nonce do; those it names
    otherwise do, or none; no script runs at all, from wherever it comes."""

ENFORCED: Final = b"content-security-policy"
REPORTED: Final = b"content-security-policy-report-only"

_SPACE: Final = "\t\n\f\r "
_GOVERNING: Final = ("script-src-elem", "script-src", "default-src")
_DIRECTIVE: Final = re.compile(r"[\t\n\f\r ]*([^\t\n\f\r ;]+)([^;]*)(?:;|$)")
_NONE: Final = "'none'"
_NONCE: Final = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_HASH: Final = re.compile(r"'sha(?:256|384|512)-[A-Za-z0-9+/_-]+={0,2}'", re.IGNORECASE)


class Ours(msgspec.Struct, frozen=True):
    """The scripts to allow."""

    digest: str
    """Of the script whose text is known: `sha256-…`, as a policy spells it, without quotes."""
    nonce: str
    """One that was made for this response alone: base64."""
    more_follow: bool = False
    """Whether scripts follow whose text is not known yet."""


class Allowed(msgspec.Struct, frozen=True):
    """What the header lines became."""

    headers: Headers
    scripts: bool = True
    """Whether scripts may be inserted at all."""
    nonce: str = ""
    """The nonce that inserted tags carry; empty: none."""


class AllowedInMeta(msgspec.Struct, frozen=True):
    """What the policy of a `<meta>` became."""

    policy: str
    scripts: bool = True
    nonce: str = ""
    """The nonce that tags inserted from here on carry."""


def allow(lines: Headers, ours: Ours) -> Allowed:
    """Header lines that allow our scripts; the very same where nothing has to change."""
    policies = [policy for line in lines for policy in _policies(*line)]
    if any(policy.enforced and not policy.lets_scripts_run for policy in policies):
        return Allowed(lines, scripts=False)
    closed = [policy for policy in policies if policy.stance != "open"]
    nonce = _shared_nonce(closed) or (ours.nonce if ours.more_follow else _first_nonce(closed))
    if all(nonce in policy.nonces for policy in closed):
        return Allowed(lines, nonce=nonce if closed else "")
    added = f"nonce-{ours.nonce}" if ours.more_follow else ours.digest
    return Allowed(tuple(_with(line, nonce, added) for line in lines), nonce=nonce)


def allow_in_meta(text: str, nonce: str, own: str) -> AllowedInMeta:
    """Policy of a `<meta>` that allows what we insert behind it, under the nonce `nonce`.

    `own` is a nonce of ours. Where no change would do without letting the page's own scripts do
    more, `scripts` is false and the policy is as it was. What stands before the `<meta>` is not
    under it (HTML section 4.2.5.3).
    """
    policy = _Policy(text, enforced=True)
    if policy.stance == "open":
        return AllowedInMeta(text, nonce=nonce)
    if policy.stance == "shut":
        return AllowedInMeta(text, scripts=False)
    if nonce in policy.nonces:
        return AllowedInMeta(text, nonce=nonce)
    if not nonce and policy.nonces:
        return AllowedInMeta(text, nonce=policy.nonces[0])
    if nonce not in {"", own}:
        return AllowedInMeta(text, scripts=False)
    return AllowedInMeta(policy.with_source(f"nonce-{own}"), nonce=own)


class _Policy:
    """One serialized policy (CSP3, "Parse a serialized CSP")."""

    def __init__(self, text: str, *, enforced: bool) -> None:
        self.text = text
        self.enforced = enforced
        self._directives = _directives(text)
        self._name = next((name for name in _GOVERNING if name in self._directives), "")
        self._sources = self._values(self._name)
        self.nonces = tuple(found[1] for word in self._sources if (found := _NONCE.fullmatch(word)))
        self.stance = self._stance()

    @property
    def lets_scripts_run(self) -> bool:
        if "sandbox" in self._directives:
            flags = {word.lower() for word in self._values("sandbox")}
            if "allow-scripts" not in flags:
                return False
        return self.stance != "shut"

    def with_source(self, source: str) -> str:
        """The policy with one source more for script elements; `'none'` gives way to it.

        Where `default-src` governs, scripts get a directive of their own: a nonce or a hash in
        `default-src` would be one for styles too, and switch off their `'unsafe-inline'`.
        """
        start, end = self._directives[self._name]
        kept = [word for word in self._sources if word.lower() != _NONE]
        sources = " ".join([*kept, f"'{source}'"])
        if self._name == "default-src":
            return f"{self.text[:end]}; script-src-elem {sources}{self.text[end:]}"
        if len(kept) < len(self._sources) or not kept:
            return f"{self.text[:start]} {sources}{self.text[end:]}"
        value = self.text[start:end].rstrip(_SPACE)
        return f"{self.text[:start]}{value} '{source}'{self.text[end:]}"

    def _stance(self) -> Stance:
        words = {word.lower() for word in self._sources}
        if not self._name:
            return "open"
        if not words - {_NONE, "'report-sample'"}:
            return "shut"
        if self.nonces:
            return "nonced"
        is_named = "'strict-dynamic'" in words or any(_HASH.fullmatch(word) for word in words)
        return "open" if "'unsafe-inline'" in words and not is_named else "closed"

    def _values(self, name: str) -> list[str]:
        start, end = self._directives.get(name, (0, 0))
        return self.text[start:end].split()


def _directives(text: str) -> dict[str, tuple[int, int]]:
    """Where the value of each directive stands; the first of a name counts."""
    found: dict[str, tuple[int, int]] = {}
    for match in _DIRECTIVE.finditer(text):
        if match[0].isascii():
            found.setdefault(match[1].lower(), match.span(2))
    return found


def _policies(name: bytes, value: bytes) -> Iterable[_Policy]:
    """Policies of one header line: a comma always separates."""
    lower = name.lower()
    if lower not in {ENFORCED, REPORTED}:
        return ()
    texts = value.decode("latin-1").split(",")
    return [_Policy(text, enforced=lower == ENFORCED) for text in texts]


def _with(line: tuple[bytes, bytes], nonce: str, source: str) -> tuple[bytes, bytes]:
    policies = [
        policy.text
        if policy.stance == "open" or nonce in policy.nonces
        else policy.with_source(source)
        for policy in _policies(*line)
    ]
    return (line[0], ",".join(policies).encode("latin-1")) if policies else line


def _shared_nonce(policies: list[_Policy]) -> str:
    """A nonce that every one of these policies has."""
    first = policies[0].nonces if policies else ()
    return next((n for n in first if all(n in policy.nonces for policy in policies)), "")


def _first_nonce(policies: list[_Policy]) -> str:
    return next((nonce for policy in policies for nonce in policy.nonces), "")
