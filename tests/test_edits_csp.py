"""What we insert is allowed by the narrowest change to a policy, and nothing else is."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optout_proxy.edits.csp import Ours, allow, allow_in_meta

NAME = b"Content-Security-Policy"
REPORT = b"Content-Security-Policy-Report-Only"
ONE = Ours("sha256-HASH=", "OWN")
MORE = Ours("sha256-HASH=", "OWN", more_follow=True)
HASH = " 'sha256-HASH='"
OWN = " 'nonce-OWN'"
INLINE, DYNAMIC = "'unsafe-inline'", "'strict-dynamic'"

calm = settings(deadline=None)


def changed(policy: str, ours: Ours = ONE, name: bytes = NAME) -> tuple[str, bool, str]:
    allowed = allow(((name, policy.encode("latin-1")),), ours)
    return allowed.headers[0][1].decode("latin-1"), allowed.scripts, allowed.nonce


# Nothing is added: (policy, nonce that our tags carry, why)
AS_IT_IS = [
    ("", "", "no policy restricts nothing"),
    ("img-src 'self'; style-src 'none'", "", "no directive that falls back to script-src"),
    ("script-src 'self' 'unsafe-inline'", "", "a hash would switch 'unsafe-inline' off"),
    ("script-src 'UNSAFE-INLINE' *", "", "keywords are read in any case"),
    ("default-src 'unsafe-inline'", "", "default-src governs where script-src is not there"),
    ("script-src 'self'; script-src-elem 'unsafe-inline'", "", "script-src-elem comes first"),
    ("script-src 'unsafe-inline'; script-src 'none'", "", "the first of a name counts"),
    ("script-src 'unsafe-inline' 'unsafe-eval' 'unsafe-hashes' https:", "", "all inline runs"),
    ("script-src 'unsafe-inline' 'nonce-'", "", "an empty nonce is none"),
    ("script-src 'unsafe-inline' 'nonce-{{n}}'", "", "no base64, so no nonce"),
    ("script-src 'unsafe-inline' 'sha1-abcd'", "", "no hash that browsers know"),
    ("script-src 'nonce-abc'", "abc", "the page's nonce is carried"),
    ("script-src 'NONCE-aBc'", "aBc", "the prefix in any case, the nonce as it is"),
    ("script-src 'unsafe-inline' 'nonce-abc' https:", "abc", "a nonce switches it off"),
    ("script-src 'strict-dynamic' 'nonce-abc' 'unsafe-inline'", "abc", "strict-dynamic too"),
    ("default-src 'self' 'nonce-abc'", "abc", "in default-src too"),
    ("script-src 'nonce-one' 'nonce-two'", "one", "any of several"),
    ("script-src-elem 'nonce-a'; script-src 'nonce-b'", "a", "the one that governs"),
    ("script-src 'nonce-a-_/+9=='", "a-_/+9==", "base64 and base64url"),
    ("script-src 'nonce-a', script-src 'nonce-b' 'nonce-a'", "a", "one that all policies have"),
    ("require-trusted-types-for 'script'", "", "ours writes into no sink"),
    ("sandbox allow-scripts; img-src *", "", "a sandbox that lets scripts run"),
    ("upgrade-insecure-requests", "", "is about addresses"),
    ("script-src-attr 'none'", "", "is about handlers in attributes"),
    ("script-src 'unsafe-inline'\t;\n", "", "any white space"),
    ("script-src 'self' \xe9", "", "a directive beyond ASCII is none"),
]

# Something is added: (policy, what it becomes, with a hash or nonce in the place of {}, why)
ADDED = [
    ("script-src 'self'", "script-src 'self'{}", "hosts do not allow inline scripts"),
    ("script-src 'self';", "script-src 'self'{};", "before the semicolon"),
    ("script-src 'self' ; img-src *", "script-src 'self'{}; img-src *", "others untouched"),
    ("SCRIPT-SRC *", "SCRIPT-SRC *{}", "names are read in any case"),
    ("  script-src\thttps:", "  script-src\thttps:{}", "white space stays"),
    (
        "default-src 'self'; img-src *",
        "default-src 'self'; script-src-elem 'self'{}; img-src *",
        "in default-src it would be for styles too",
    ),
    (
        "default-src 'unsafe-inline' 'strict-dynamic'",
        f"default-src {INLINE} {DYNAMIC}; script-src-elem {INLINE} {DYNAMIC}{{}}",
        "there it would switch 'unsafe-inline' off for styles",
    ),
    ("script-src 'strict-dynamic'", "script-src 'strict-dynamic'{}", "trusts by nonce or hash"),
    (
        "script-src 'sha256-abc=' 'unsafe-inline'",
        "script-src 'sha256-abc=' 'unsafe-inline'{}",
        "a hash has switched it off already",
    ),
    (
        "script-src 'self'; script-src-elem https:",
        "script-src 'self'; script-src-elem https:{}",
        "the one that governs, alone",
    ),
    (
        "script-src 'self'; script-src 'unsafe-inline'",
        "script-src 'self'{}; script-src 'unsafe-inline'",
        "the first of a name counts",
    ),
    (
        "script-src 'self', img-src *, default-src a.example",
        "script-src 'self'{}, img-src *, default-src a.example; script-src-elem a.example{}",
        "each policy of a line by itself",
    ),
    (
        "script-src 'self' 'report-sample'; report-uri /r",
        "script-src 'self' 'report-sample'{}; report-uri /r",
        "reports go where they went",
    ),
]


@pytest.mark.parametrize(("policy", "nonce", "why"), AS_IT_IS)
@pytest.mark.parametrize("ours", [ONE, MORE])
@pytest.mark.parametrize("name", [NAME, REPORT, NAME.lower()])
def test_a_policy_that_allows_us_stays_as_it_is(policy, nonce, why, ours, name):
    assert changed(policy, ours, name) == (policy, True, nonce), why


@pytest.mark.parametrize(("policy", "becomes", "why"), ADDED)
@pytest.mark.parametrize("name", [NAME, REPORT, NAME.upper()])
def test_a_policy_gains_the_hash_of_the_one_script(policy, becomes, why, name):
    assert changed(policy, ONE, name) == (becomes.replace("{}", HASH), True, ""), why


@pytest.mark.parametrize(("policy", "becomes", "why"), ADDED)
def test_a_policy_gains_a_nonce_of_ours_where_scripts_follow(policy, becomes, why):
    assert changed(policy, MORE) == (becomes.replace("{}", OWN), True, "OWN"), why


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("script-src 'none'", "no script runs"),
        ("script-src 'NONE'", "in any case"),
        ("script-src", "an empty list is 'none'"),
        ("script-src ; img-src *", "an empty list is 'none'"),
        ("default-src 'none'", "nor here"),
        ("script-src 'report-sample'", "allows nothing"),
        ("script-src-elem 'none'; script-src *", "elements are governed by the first"),
        ("sandbox", "a sandbox without scripts"),
        ("sandbox allow-forms; script-src *", "whatever else is allowed"),
        ("script-src *, script-src 'none'", "one policy suffices"),
    ],
)
@pytest.mark.parametrize("ours", [ONE, MORE])
def test_where_no_script_runs_none_of_ours_is_needed(policy, why, ours):
    assert changed(policy, ours) == (policy, False, ""), why


@pytest.mark.parametrize(
    ("policy", "becomes"),
    [
        ("script-src 'none'", "script-src{}"),
        ("script-src 'none'; img-src *", "script-src{}; img-src *"),
        ("script-src", "script-src{}"),
        ("default-src 'none'", "default-src 'none'; script-src-elem{}"),
        ("sandbox; script-src 'self'", "sandbox; script-src 'self'{}"),
    ],
)
def test_a_policy_that_only_reports_does_not_report_us(policy, becomes):
    assert changed(policy, ONE, REPORT) == (becomes.replace("{}", HASH), True, "")


def test_none_gives_way_since_it_means_nothing_beside_a_source():
    assert "'none'" not in changed("script-src 'none'", ONE, REPORT)[0]


def test_an_enforced_policy_that_lets_nothing_run_keeps_the_reported_one_too():
    lines = ((NAME, b"script-src 'none'"), (REPORT, b"script-src 'self'"))
    assert allow(lines, ONE).headers is lines


@pytest.mark.parametrize(
    ("policies", "becomes", "nonce", "why"),
    [
        (
            ["script-src 'nonce-a'", "script-src 'self'"],
            ["script-src 'nonce-a'", "script-src 'self' 'sha256-HASH='"],
            "a",
            "the nonce for one, the hash for the other: neither lets the page do more",
        ),
        (
            ["script-src 'nonce-a'", "script-src 'nonce-b'"],
            ["script-src 'nonce-a'", "script-src 'nonce-b' 'sha256-HASH='"],
            "a",
            "a tag has one nonce",
        ),
        (
            ["script-src 'unsafe-inline'", "script-src 'nonce-b'"],
            ["script-src 'unsafe-inline'", "script-src 'nonce-b'"],
            "b",
            "one that allows us stays",
        ),
    ],
)
def test_several_headers_are_each_allowed_in_their_own_way(policies, becomes, nonce, why):
    lines = tuple((NAME, policy.encode()) for policy in policies)
    allowed = allow(lines, ONE)
    assert [value.decode() for _, value in allowed.headers] == becomes, why
    assert allowed.nonce == nonce


def test_where_scripts_follow_one_nonce_of_ours_serves_every_policy():
    lines = ((NAME, b"script-src 'nonce-a'"), (REPORT, b"script-src 'self'"))
    allowed = allow(lines, MORE)
    assert [value for _, value in allowed.headers] == [
        b"script-src 'nonce-a' 'nonce-OWN'",
        b"script-src 'self' 'nonce-OWN'",
    ]
    assert allowed.nonce == "OWN"


def test_other_lines_and_their_order_stay():
    lines = ((b"A", b"script-src 'self'"), (NAME, b"script-src 'self'"), (b"Z", b"1"))
    after = allow(lines, ONE).headers
    assert (after[0], after[2]) == (lines[0], lines[2])


@pytest.mark.parametrize(
    ("policy", "nonce", "becomes", "scripts", "carries", "why"),
    [
        ("script-src 'self'", "", "script-src 'self' 'nonce-OWN'", True, "OWN", "closed"),
        (
            "script-src 'self'",
            "OWN",
            "script-src 'self' 'nonce-OWN'",
            True,
            "OWN",
            "as in the head",
        ),
        ("script-src 'self'", "theirs", "script-src 'self'", False, "", "would let theirs run"),
        ("script-src 'nonce-m'", "", "script-src 'nonce-m'", True, "m", "its own nonce"),
        ("script-src 'nonce-m'", "m", "script-src 'nonce-m'", True, "m", "the same one"),
        ("script-src 'nonce-m'", "x", "script-src 'nonce-m'", False, "", "a tag has one nonce"),
        ("script-src 'unsafe-inline'", "x", "script-src 'unsafe-inline'", True, "x", "open"),
        ("script-src 'none'", "", "script-src 'none'", False, "", "nothing runs"),
        ("sandbox; img-src *", "", "sandbox; img-src *", True, "", "a meta has no sandbox"),
        ("img-src *, x", "", "img-src *, x", True, "", "a meta holds one policy"),
        (
            "default-src a.b",
            "",
            "default-src a.b; script-src-elem a.b 'nonce-OWN'",
            True,
            "OWN",
            "",
        ),
    ],
)
def test_the_policy_of_a_meta_allows_what_follows_it(policy, nonce, becomes, scripts, carries, why):
    allowed = allow_in_meta(policy, nonce, "OWN")
    assert (allowed.policy, allowed.scripts, allowed.nonce) == (becomes, scripts, carries), why


NAMES = ["script-src", "script-src-elem", "default-src", "img-src", "sandbox"]
SOURCES = ["'self'", "'none'", INLINE, DYNAMIC, "'nonce-a'", "'nonce-b'", "'sha256-x='", "https:"]
WORDS = st.sampled_from([*NAMES, *SOURCES, ";", ";", ";", ",", "allow-scripts"])


def words_of(policy: str) -> list[str]:
    return [word for word in re.findall(r"[;,]|[^\s;,]+", policy) if word != "'none'"]


@calm
@given(st.lists(WORDS, max_size=14), st.sampled_from([ONE, MORE]), st.sampled_from([NAME, REPORT]))
def test_whatever_a_policy_says_it_gains_ours_and_loses_nothing(words, ours, name):
    assume(not {"default-src", "script-src-elem"} <= set(words))  # whose is which, then?
    policy = " ".join(words)
    after, _, _ = changed(policy, ours, name)
    copy = r"(default-src[^;,]*); script-src-elem[^;,]* '(?:nonce-OWN|sha256-HASH=)'"
    without = re.sub(copy, r"\1", after)
    without = re.sub(r" '(?:nonce-OWN|sha256-HASH=)'", "", without)
    assert words_of(without) == words_of(policy)


@calm
@given(st.lists(WORDS, max_size=14))
def test_what_we_added_is_enough(words):
    after, scripts, nonce = changed(" ".join(words), MORE)
    if scripts:
        assert allow(((NAME, after.encode()),), MORE).headers[0][1].decode() == after
        for policy in after.split(","):
            assert allow_in_meta(policy, nonce, "OWN").policy == policy
