"""The law: what a hit means at a level, and what all hits of a tool mean together.

Pure, and as narrow as the table in `docs/audit.md`: whoever doubts a verdict reads this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optout_proxy.audit.signals import Told
    from optout_proxy.engine.tool import Effect
    from optout_proxy.model import Level

type Verdict = Literal["honoured", "violated", "signal-delivered", "not-exercised", "inconclusive"]
type Reason = Literal[
    "hit-at-block",
    "identity-on-hit",
    "opt-out-absent",
    "opt-out-cookie-absent",
    "hit-despite-opt-out",
    "canary-sent",
    "no-identity",
    "gone-since-baseline",
    "denied-flag",
    "opt-out-on-hit",
    "no-baseline",
    "not-in-baseline",
    "pages-not-loaded",
    "loads-only",
    "no-express-opt-out",
    "opt-out-needs-login",
    "opt-out-unobservable",
    "opt-out-not-for-host",
    "cookies-not-captured",
    "headers-not-captured",
    "doubtful-cookies",
    "possible-identifier",
    "body-not-captured",
    "enforcing",
    "unreadable-entries",
]
type Delivery = Literal[
    "seen",
    "absent",
    "cookie-absent",
    "ignored",
    "none",
    "needs-login",
    "unobservable",
    "not-for-host",
    "unknown",
]
"""What became of the tool's express opt-out on one hit: it is there; its parameter or its cookie is
not; it was set on the page and the tool reports all the same; the tool has none; it is a setting of
an account; it leaves no trace in traffic; it belongs to another host of the tool; the capture holds
no cookies to see it by."""

VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict.__value__)
REASONS: Final[tuple[Reason, ...]] = get_args(Reason.__value__)
CONCLUSIVE: Final = frozenset({"honoured", "violated", "signal-delivered"})
_ORDER: Final[tuple[Verdict, ...]] = ("violated", "inconclusive", "signal-delivered", "honoured")
"""Any violation decides; otherwise any doubt does."""

SAYS: Final[Mapping[Reason, str]] = {
    "hit-at-block": "it was sent data, though it is blocked",
    "identity-on-hit": "it was sent something that tells the visitor apart",
    "opt-out-absent": "it was sent data without its own opt-out",
    "opt-out-cookie-absent": "it was sent data, and the cookie of its own opt-out was not there",
    "hit-despite-opt-out": "its own opt-out was set, and it was sent data all the same",
    "canary-sent": "it was sent the text that was typed as a canary",
    "no-identity": "what it was sent provably tells nobody apart",
    "gone-since-baseline": "the same pages made it report before, and no more",
    "denied-flag": "what it was sent says that consent is denied; more cannot be seen from here",
    "opt-out-on-hit": "its own opt-out went with what it was sent; more cannot be seen from here",
    "no-baseline": "it was sent nothing, and without a baseline that proves nothing",
    "not-in-baseline": "it was sent nothing, and nothing in the baseline either",
    "pages-not-loaded": "not all pages that made it report in the baseline were loaded again",
    "loads-only": "its code was fetched, or shown, but it was sent no data",
    "no-express-opt-out": "it was sent data, and offers no opt-out that could be looked for",
    "opt-out-needs-login": "it was sent data, and its opt-out is a setting of an account",
    "opt-out-unobservable": "it was sent data, and its opt-out leaves no trace in traffic",
    "opt-out-not-for-host": "it was sent data on a host that its opt-out is not for",
    "cookies-not-captured": "the capture holds no cookies at all: they may have been removed",
    "headers-not-captured": "the capture does not hold the headers of what it was sent",
    "doubtful-cookies": "its only cookies are of a kind that mostly spreads load or stops robots",
    "possible-identifier": "it carries what may be an identifier, in a field that no rule names",
    "body-not-captured": "the capture does not hold, or not readably, the body of what it was sent",
    "enforcing": "this product, or another, stopped requests: such a capture can only convict",
    "unreadable-entries": "part of the capture cannot be read: it might hold a violation",
}


class Carried(msgspec.Struct, frozen=True):
    """The identity that a hit carries, and what about it the capture cannot tell."""

    cookies: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    unknown: Reason | None = None
    """Why there might be more than is seen; None where all is seen."""

    def __bool__(self) -> bool:
        return bool(self.cookies or self.params)


class Opinion(msgspec.Struct, frozen=True):
    """A verdict with its named reason."""

    verdict: Verdict
    reason: Reason


def of_hit(
    level: Level,
    carried: Carried,
    told: Told,
    delivery: Delivery,
    effect: Effect | None,
    category: str,
) -> Opinion | None:
    """What one request that carries data to a tool means; None at `allow`."""
    if level == "allow":
        return None
    if level == "block":
        return _at_block(told, effect, category)
    if level == "strip":
        return _at_strip(carried)
    return _at_signal(told, delivery, category)


def _at_block(told: Told, effect: Effect | None, category: str) -> Opinion:
    if effect == "degrade" and told.denies(category):
        return Opinion("signal-delivered", "denied-flag")
    return Opinion("violated", "hit-at-block")


def _at_strip(carried: Carried) -> Opinion:
    if carried:
        return Opinion("violated", "identity-on-hit")
    if carried.unknown is not None:
        return Opinion("inconclusive", carried.unknown)
    return Opinion("honoured", "no-identity")


_AT_SIGNAL: Final[Mapping[Delivery, Opinion]] = {
    "seen": Opinion("signal-delivered", "opt-out-on-hit"),
    "absent": Opinion("violated", "opt-out-absent"),
    "cookie-absent": Opinion("violated", "opt-out-cookie-absent"),
    "ignored": Opinion("violated", "hit-despite-opt-out"),
    "none": Opinion("inconclusive", "no-express-opt-out"),
    "needs-login": Opinion("inconclusive", "opt-out-needs-login"),
    "unobservable": Opinion("inconclusive", "opt-out-unobservable"),
    "not-for-host": Opinion("inconclusive", "opt-out-not-for-host"),
    "unknown": Opinion("inconclusive", "cookies-not-captured"),
}


def _at_signal(told: Told, delivery: Delivery, category: str) -> Opinion:
    if delivery not in {"seen", "none"} and told.denies(category):
        return Opinion("signal-delivered", "denied-flag")
    return _AT_SIGNAL[delivery]


def rests_on_cookies(opinion: Opinion) -> bool:
    """Whether it says that a cookie was not there, or rests on one."""
    return opinion.reason in {"no-identity", "opt-out-cookie-absent", "hit-despite-opt-out"}


class Circumstances(msgspec.Struct, frozen=True):
    """Under what the hits of a tool were, or were not, recorded."""

    opinions: Mapping[Opinion, int] = {}
    """What the hits mean, each with how many."""
    has_baseline: bool = False
    baseline_hits: int = 0
    pages_missing: int = 0
    """Pages that made the tool report in the baseline and were not loaded again."""
    other_requests: int = 0
    """Requests to the tool that carry no data: its code, its widgets."""
    enforcing: bool = False
    unreadable: bool = False


def of_tool(seen: Circumstances) -> Opinion:
    """What a capture says about one tool's opt-out."""
    if hits := _together(seen.opinions):
        return _acquitted(hits, seen)
    if not seen.has_baseline or not seen.baseline_hits:
        return _not_exercised(seen)
    if seen.pages_missing:
        return _doubted(Opinion("not-exercised", "pages-not-loaded"), seen)
    return _acquitted(Opinion("honoured", "gone-since-baseline"), seen)


def _together(opinions: Mapping[Opinion, int]) -> Opinion | None:
    elsewhere = Opinion("inconclusive", "opt-out-not-for-host")
    telling = [one for one in opinions if one != elsewhere] or list(opinions)
    for verdict in _ORDER:
        found = [one for one in telling if one.verdict == verdict]
        if found:
            # The reason that most hits have; of equals the one that is named first.
            return max(found, key=lambda one: (opinions[one], -REASONS.index(one.reason)))
    return None


def _acquitted(opinion: Opinion, seen: Circumstances) -> Opinion:
    """An opinion that clears, where the capture is fit to clear; any other as it is."""
    if opinion.verdict == "violated":
        return opinion
    if seen.enforcing and opinion.verdict != "inconclusive":
        return Opinion("inconclusive", "enforcing")
    if seen.unreadable and opinion.verdict == "honoured":
        return Opinion("inconclusive", "unreadable-entries")
    return opinion


def _not_exercised(seen: Circumstances) -> Opinion:
    if seen.has_baseline:
        return _doubted(Opinion("not-exercised", "not-in-baseline"), seen)
    reason: Reason = "loads-only" if seen.other_requests else "no-baseline"
    return _doubted(Opinion("not-exercised", reason), seen)


def _doubted(opinion: Opinion, seen: Circumstances) -> Opinion:
    return Opinion("inconclusive", "enforcing") if seen.enforcing else opinion
