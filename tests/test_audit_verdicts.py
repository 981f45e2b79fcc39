"""Every verdict and every reason: a capture that gives it, and a near miss that must not."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import pytest

from captures import (
    ADS,
    EGG,
    GA,
    GA_ID,
    JOT,
    LOADS,
    OTHER,
    PIXEL,
    TWEET,
    Entry,
    document,
    entry,
    har,
    lens_at,
    total,
)
from optout_proxy.audit.result import Result, exit_code, result_of
from optout_proxy.audit.signals import signals_of
from optout_proxy.audit.verdict import REASONS, SAYS, VERDICTS, Carried, Opinion, of_hit
from optout_proxy.registry.settings import SiteChoices

if TYPE_CHECKING:
    from pathlib import Path

OPTED = "id=OPT_OUT"
OURS = (("Optout-Proxy", "block google-analytics"),)


class Case(NamedTuple):
    """What a tool at a level says of a capture."""

    name: str
    tool: str
    level: str
    entries: tuple[object, ...]
    verdict: str
    reason: str
    baseline: tuple[object, ...] | None = None
    degrading: bool = False
    canary: str = ""


ALPHA = "google-analytics"
GTM = "google-tag-manager"
TWITTER = "twitter-widget"


def form(url: str, body: str, **more: object) -> Entry:
    return entry(url, body=body, **more)  # type: ignore[arg-type]


HITS: list[Case] = [
    # -- block ---------------------------------------------------------------------------------
    Case("a hit", ALPHA, "block", (document(), entry(GA_ID)), "violated", "hit-at-block"),
    Case("a denied hit of a tool whose opt-out is not said to degrade",
         ALPHA, "block", (document(), entry(f"{GA}&gcs=G100")), "violated", "hit-at-block"),
    Case("a denied hit of one whose opt-out degrades",
         ALPHA, "block", (document(), entry(f"{GA}&gcs=G100")), "signal-delivered", "denied-flag",
         degrading=True),
    Case("only advertising denied, to an analytics tool",
         ALPHA, "block", (document(), entry(f"{GA}&gcs=G101")), "violated", "hit-at-block",
         degrading=True),
    Case("denied by gcs and granted by gcd",
         ALPHA, "block", (document(), entry(f"{GA}&gcs=G100&gcd=13v3v3v3v5l1")),
         "violated", "hit-at-block", degrading=True),
    Case("denied by gcd alone, which corroborates and proves nothing",
         ALPHA, "block", (document(), entry(f"{GA}&gcd=13p3p3p3p5l1")),
         "violated", "hit-at-block", degrading=True),
    Case("limited data use, where the opt-out degrades",
         "facebook-pixel", "block", (document(), entry(f"{PIXEL}&dpo=LDU&dpoco=0&dpost=0")),
         "signal-delivered", "denied-flag", degrading=True),
    Case("limited data use asked for by a typing error",
         "facebook-pixel", "block", (document(), entry(f"{PIXEL}&vdpo=LDU")),
         "violated", "hit-at-block", degrading=True),
    Case("one denied hit and one that is not",
         ALPHA, "block", (document(), entry(f"{GA}&gcs=G100"), entry(GA)),
         "violated", "hit-at-block", degrading=True),
    Case("a US opt-out of sale", "google-adwords", "block",
         (document(), entry(f"{ADS}&us_privacy=1YYN")), "signal-delivered", "denied-flag",
         degrading=True),
    Case("a US Privacy string without the opt-out", "google-adwords", "block",
         (document(), entry(f"{ADS}&us_privacy=1YNN")), "violated", "hit-at-block",
         degrading=True),
    Case("the code alone", ALPHA, "block", (document(), entry(LOADS, kind="script")),
         "not-exercised", "loads-only"),
    Case("a hit that the browser answered from its cache",
         ALPHA, "block", (document(), entry(GA, _fromCache="disk")),
         "not-exercised", "no-baseline"),
    # -- strip ---------------------------------------------------------------------------------
    Case("an identifier in the address", ALPHA, "strip", (document(), entry(GA_ID)),
         "violated", "identity-on-hit"),
    Case("an identifier without a value", ALPHA, "strip", (document(), entry(f"{GA}&cid=")),
         "honoured", "no-identity"),
    Case("an identifier in the body", ALPHA, "strip",
         (document(), form("https://www.google-analytics.com/collect", "v=1&tid=UA-1-1&cid=1.2")),
         "violated", "identity-on-hit"),
    Case("a body without one", ALPHA, "strip",
         (document(), form("https://www.google-analytics.com/collect", "v=1&tid=UA-1-1&t=event")),
         "honoured", "no-identity"),
    Case("a cookie of the tool", "facebook-pixel", "strip",
         (document(), entry(PIXEL, cookies="fr=abcdefghij")), "violated", "identity-on-hit"),
    Case("no cookie, in a capture that holds cookies", "facebook-pixel", "strip",
         (document(), entry(PIXEL)), "honoured", "no-identity"),
    Case("no cookie, in a capture that holds none", "facebook-pixel", "strip",
         (document(cookies=""), entry(PIXEL)), "inconclusive", "cookies-not-captured"),
    Case("an identifier in the address, in a capture that holds no cookie",
         ALPHA, "strip", (document(cookies=""), entry(GA_ID)), "violated", "identity-on-hit"),
    Case("only a cookie that stops robots", "facebook-pixel", "strip",
         (document(), entry(PIXEL, cookies="__cf_bm=abcdefghij")),
         "inconclusive", "doubtful-cookies"),
    Case("a value that looks like an identifier, where no rule names its field", ALPHA, "strip",
         (document(), entry(f"{GA}&ep.visitor=0123abcd-4567-89ab-cdef-0123456789ab")),
         "inconclusive", "possible-identifier"),
    Case("a long hexadecimal one", ALPHA, "strip",
         (document(), entry(f"{GA}&ep.visitor=0123456789abcdef0123456789abcdef")),
         "inconclusive", "possible-identifier"),
    Case("a number and a time, as Google writes identifiers", ALPHA, "strip",
         (document(), entry(f"{GA}&ep.visitor=123456789.1700000000")),
         "inconclusive", "possible-identifier"),
    Case("a client hint of one letter", ALPHA, "strip",
         (document(), entry(f"{GA}&uaw=0")), "honoured", "no-identity"),
    Case("a random number against caches", ALPHA, "strip",
         (document(), entry(f"{GA}&z=1234567890123456&v=0a1b2c3d")), "honoured", "no-identity"),
    Case("an identifier in the path", "google-adwords", "strip",
         (document(), entry("https://1.fls.doubleclick.net/activityi;src=1;auid=1.2;ord=3")),
         "violated", "identity-on-hit"),
    Case("a path that holds none", "google-adwords", "strip",
         (document(), entry("https://1.fls.doubleclick.net/activityi;src=1;type=a;ord=3")),
         "honoured", "no-identity"),
    Case("a POST of which the capture has no body", ALPHA, "strip",
         (document(), {**entry(GA), "request": {
             **entry(GA)["request"], "method": "POST", "bodySize": -1}}),  # type: ignore[dict-item]
         "inconclusive", "body-not-captured"),
    Case("a POST that says it has no body", ALPHA, "strip",
         (document(), {**entry(GA), "request": {**entry(GA)["request"], "method": "POST"}}),  # type: ignore[dict-item]
         "honoured", "no-identity"),
    Case("a consent cookie of the tool", "google-adwords", "strip",
         (document(), entry(ADS, cookies="id=OPT_OUT")), "honoured", "no-identity"),
    Case("a body that the capture lost", ALPHA, "strip",
         (document(), {**entry(GA), "request": {**entry(GA)["request"], "bodySize": 9}}),  # type: ignore[dict-item]
         "inconclusive", "body-not-captured"),
    Case("a body that is no text", ALPHA, "strip",
         (document(), form(GA, "\x00\x01", mime="application/x-protobuf")),
         "inconclusive", "body-not-captured"),
    Case("headers that the capture lost", ALPHA, "strip",
         (document(), {**entry(GA), "request": {**entry(GA)["request"], "headers": []},  # type: ignore[dict-item]
                       "pageref": "1"}),
         "inconclusive", "headers-not-captured"),
    Case("a report at strip, without identity", GTM, "strip",
         (document(), entry("https://www.googletagmanager.com/td?id=GTM-ABCDE&v=3")),
         "honoured", "no-identity"),
    # -- signal --------------------------------------------------------------------------------
    Case("the opt-out cookie on the hit", "google-adwords", "signal",
         (document(), entry(ADS, cookies=OPTED)), "signal-delivered", "opt-out-on-hit"),
    Case("another value of that cookie", "google-adwords", "signal",
         (document(), entry(ADS, cookies="id=22abcdef")), "violated", "opt-out-cookie-absent"),
    Case("no such cookie, in a capture that holds none", "google-adwords", "signal",
         (document(cookies=""), entry(ADS)), "inconclusive", "cookies-not-captured"),
    Case("a host that the cookie is not for", "google-adwords", "signal",
         (document(), entry("https://www.google.com/pagead/1p-user-list/1234567890/?a=1")),
         "inconclusive", "opt-out-not-for-host"),
    Case("that host, and another where it is", "google-adwords", "signal",
         (document(), entry("https://www.google.com/pagead/1p-user-list/1234567890/?a=1"),
          entry(ADS, cookies=OPTED)), "signal-delivered", "opt-out-on-hit"),
    Case("an embed without its parameter is no hit", TWITTER, "signal",
         (document(), entry(TWEET, kind="other")), "not-exercised", "loads-only"),
    Case("a report on a host that the parameter is not for", TWITTER, "signal",
         (document(), entry(JOT)), "inconclusive", "opt-out-not-for-host"),
    Case("the page's opt-out cookie, and a hit all the same", ALPHA, "signal",
         (document(cookies="AMP_TOKEN=%24OPT_OUT"), entry(GA)), "violated", "hit-despite-opt-out"),
    Case("the page's cookie holds something else", ALPHA, "signal",
         (document(cookies="AMP_TOKEN=%24NOT_FOUND"), entry(GA)),
         "violated", "opt-out-cookie-absent"),
    Case("a denied flag where the cookie is absent", ALPHA, "signal",
         (document(), entry(f"{GA}&gcs=G100")), "signal-delivered", "denied-flag"),
    Case("a tool without an opt-out of its own", GTM, "signal",
         (document(), entry("https://www.googletagmanager.com/td?id=GTM-ABCDE&v=3&gcs=G100")),
         "inconclusive", "no-express-opt-out"),
    Case("an opt-out that is an account's", "facebook-pixel", "signal",
         (document(), entry(PIXEL)), "inconclusive", "opt-out-needs-login"),
    Case("an opt-out that leaves no trace", "crazy-egg", "signal",
         (document(), entry(EGG)), "inconclusive", "opt-out-unobservable"),
    # -- nothing -------------------------------------------------------------------------------
    Case("nothing, and no baseline", ALPHA, "block", (document(),),
         "not-exercised", "no-baseline"),
    Case("nothing, in the baseline neither", ALPHA, "block", (document(),),
         "not-exercised", "not-in-baseline", baseline=(document(),)),
    Case("nothing, where the baseline had hits", ALPHA, "block", (document(),),
         "honoured", "gone-since-baseline", baseline=(document(), entry(GA_ID))),
    Case("nothing, and the page was not loaded again", ALPHA, "block", (document(OTHER),),
         "not-exercised", "pages-not-loaded", baseline=(document(), entry(GA_ID))),
    Case("nothing, and the page failed", ALPHA, "block", (document(status=503),),
         "not-exercised", "pages-not-loaded", baseline=(document(), entry(GA_ID))),
    Case("nothing, and one of two pages was loaded again", ALPHA, "block", (document(),),
         "not-exercised", "pages-not-loaded",
         baseline=(document(), entry(GA_ID), document(OTHER), entry(GA_ID, page=OTHER))),
    Case("nothing, the page told by its origin alone", ALPHA, "block", (document(),),
         "honoured", "gone-since-baseline",
         baseline=(document(), entry(GA_ID, page="https://www.mass.gov/"))),
    Case("hits as in the baseline", ALPHA, "block", (document(), entry(GA_ID)),
         "violated", "hit-at-block", baseline=(document(), entry(GA_ID))),
    # -- circumstances -------------------------------------------------------------------------
    Case("answered here", ALPHA, "block", (document(), entry(GA_ID, back=OURS)),
         "inconclusive", "enforcing", baseline=(document(), entry(GA_ID))),
    Case("stopped by something else in the browser", ALPHA, "block",
         (document(), {**entry(GA_ID), "response": {
             "status": 0, "_error": "net::ERR_BLOCKED_BY_CLIENT"}}),
         "inconclusive", "enforcing", baseline=(document(), entry(GA_ID))),
    Case("a host that could not be reached", ALPHA, "block",
         (document(), {**entry(GA_ID), "response": {
             "status": 0, "_error": "net::ERR_NAME_NOT_RESOLVED"}}),
         "inconclusive", "enforcing", baseline=(document(), entry(GA_ID))),
    Case("a hit whose answer nobody waited for", ALPHA, "block",
         (document(), {**entry(GA_ID), "response": {"status": 0, "_error": "net::ERR_ABORTED"}}),
         "violated", "hit-at-block"),
    Case("one answered here, and one that got out", ALPHA, "block",
         (document(), entry(GA_ID, back=OURS), entry(GA_ID)), "violated", "hit-at-block"),
    Case("an entry that cannot be read", ALPHA, "block", (document(), 7),
         "inconclusive", "unreadable-entries", baseline=(document(), entry(GA_ID))),
    Case("an entry that cannot be read beside a violation", ALPHA, "block",
         (document(), 7, entry(GA_ID)), "violated", "hit-at-block"),
    Case("an entry of the baseline that cannot be read", ALPHA, "block", (document(),),
         "honoured", "gone-since-baseline", baseline=(document(), 7, entry(GA_ID))),
    Case("a canary in a clean hit", ALPHA, "strip",
         (document(), entry(f"{GA}&dl=zebrafinch")), "violated", "canary-sent",
         canary="zebrafinch"),
    Case("a canary that is not there", ALPHA, "strip", (document(), entry(GA)),
         "honoured", "no-identity", canary="zebrafinch"),
]  # fmt: skip


def judged(folder: Path, case: Case) -> Result:
    degrading = case.tool if case.degrading else ""
    lens = lens_at({case.tool: case.level}, degrading=degrading, canary=case.canary)
    seen = total(folder, lens, har(*case.entries))
    before = total(folder, lens, har(*case.baseline)) if case.baseline is not None else None
    return result_of(seen, before, lens, date(2026, 11, 24))


@pytest.mark.parametrize("case", HITS, ids=lambda case: f"{case.tool} {case.level}: {case.name}")
def test_a_capture_gives_this_verdict_for_this_reason(tmp_path: Path, case: Case) -> None:
    result = judged(tmp_path, case)
    assert list(result.tools) == [case.tool]
    told = result.tools[case.tool]
    assert (told.verdict, told.reason) == (case.verdict, case.reason)


def test_every_verdict_and_every_reason_has_a_capture() -> None:
    # An absent parameter has no shipped tool whose *hits* it would be on: its unit test is below.
    assert {case.verdict for case in HITS} == set(VERDICTS)
    assert {case.reason for case in HITS} | {"opt-out-absent"} == set(REASONS) == set(SAYS)


def test_an_opt_out_parameter_that_is_absent_convicts() -> None:
    told = signals_of("https://twitter.example/i?a=1")
    opinion = of_hit("signal", Carried(), told, "absent", "signal-only", "social")
    assert opinion == Opinion("violated", "opt-out-absent")


def test_a_tool_that_is_allowed_gets_no_verdict(tmp_path: Path) -> None:
    lens = lens_at({})
    result = result_of(
        total(tmp_path, lens, har(document(), entry(GA_ID))), None, lens, date(2026, 11, 24)
    )
    assert result.tools == {}
    assert exit_code(result, frozenset({"violated"})) == 3


def test_a_site_of_its_own_level_is_judged_by_it(tmp_path: Path) -> None:
    sites = {"shop.example": SiteChoices({ALPHA: "allow"})}
    lens = lens_at({ALPHA: "block"}, sites=sites)
    shop = "https://shop.example/"
    seen = total(tmp_path, lens, har(document(shop), entry(GA_ID, page=shop)))
    told = result_of(seen, None, lens, date(2026, 11, 24)).tools[ALPHA]
    assert (told.verdict, told.hits) == ("not-exercised", 0)
