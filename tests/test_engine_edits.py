"""What is sent and what comes back: supplied, taken away, and byte for byte otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engines import PAGE, ask, engine, headers

if TYPE_CHECKING:
    from optout_proxy.model import Headers, Level, Request, ResponseDecision

HIT = "https://spy.example/hit?uid=1&x=2"
OWN = "https://www.gov.example/"


def sent(one: object, asked: Request) -> tuple[str, Headers]:
    decision = one.decide(asked)  # type: ignore[attr-defined]
    assert not decision.stops
    if decision.send is None:
        return asked.url, asked.headers
    return decision.send.url, decision.send.headers


# -- requests to a tool --------------------------------------------------------------------------


def test_signal_supplies_the_opt_out_and_takes_only_what_it_replaces() -> None:
    one = engine("signal")
    lines = headers(cookie="who=me; track=7", referer=PAGE, if_none_match='"e"', x_client_data="q")
    asked = ask(one, HIT, type="image", headers=lines)
    url, out = sent(one, asked)
    assert url == HIT
    assert dict(out) == {
        **dict(lines),
        b"cookie": b"who=me; no=1",
        b"sec-gpc": b"1",
    }
    assert one.decide(asked).removed.cookies == ("track",)


def test_strip_sends_no_identity_and_nothing_else_changes() -> None:
    one = engine("strip")
    lines = headers(
        accept="image/*",
        cookie="who=me; consent=yes; other=1",
        referer="https://www.gov.example/page?q=secret",
        if_none_match='"e"',
        x_client_data="q",
        sec_ch_ua_model="Phone",
        sec_ch_ua="browser",
        origin="https://www.gov.example",
    )
    asked = ask(one, HIT, type="image", headers=lines)
    url, out = sent(one, asked)
    assert url == "https://spy.example/hit?x=2"
    assert out == (
        (b"accept", b"image/*"),
        (b"cookie", b"consent=yes; no=1"),
        (b"referer", b"https://www.gov.example/"),
        (b"sec-ch-ua", b"browser"),
        (b"origin", b"https://www.gov.example"),
        (b"sec-gpc", b"1"),
    )
    removed = one.decide(asked).removed
    assert removed.cookies == ("who", "other")
    assert removed.params == ("uid",)
    assert set(removed.headers) == {"if-none-match", "x-client-data", "sec-ch-ua-model"}


def test_the_ledger_is_not_told_a_cookie_name_that_no_rule_names() -> None:
    one = engine("strip")
    asked = ask(one, HIT, type="image", headers=headers(cookie="who=me; user_4711=1"))
    (credit,) = one.decide(asked).credits
    assert credit.removed.cookies == ("who", "*")
    assert (credit.tool, credit.level, credit.action) == ("spy", "strip", "strip")


def test_an_opt_out_parameter_is_supplied() -> None:
    one = engine("signal")
    asked = ask(one, "https://spy.example/widget?id=3&dnt=false#f", type="subdocument")
    assert sent(one, asked)[0] == "https://spy.example/widget?id=3&dnt=true#f"


def test_nothing_is_supplied_to_a_tool_that_is_allowed() -> None:
    one = engine("allow")
    asked = ask(one, HIT, type="image", headers=headers(cookie="who=me; track=7"))
    assert one.decide(asked).send is None


@pytest.mark.parametrize(
    "cookies",
    [("who=me", "no=0; track=7"), ("who=me; no=0; track=7",), ("no=1; who=me", "track=7")],
)
def test_the_opt_out_cookie_is_supplied_once_among_one_or_several_lines(
    cookies: tuple[str, ...],
) -> None:
    one = engine("signal")
    lines = tuple((b"cookie", text.encode()) for text in cookies)
    _, out = sent(one, ask(one, HIT, type="image", headers=lines))
    names = sorted(
        piece.strip() for name, text in out if name == b"cookie" for piece in text.split(b";")
    )
    assert names == [b"no=1", b"who=me"]


# -- requests of a page's own site ---------------------------------------------------------------


@pytest.mark.parametrize("level", ["strip", "block"])
def test_first_party_identifiers_leave_a_pages_own_requests(level: Level) -> None:
    one = engine(level)
    lines = headers(cookie="a=1;_spy=2; _spy_77=3;  b=4", x_spy_me="1")
    asked = ask(one, f"{OWN}?x=1&spyid=9&y", type="document", headers=lines)
    url, out = sent(one, asked)
    assert url == f"{OWN}?x=1&y"
    assert dict(out) == {b"cookie": b"a=1;  b=4", b"sec-gpc": b"1"}
    decision = one.decide(asked)
    assert (decision.action, decision.tool, decision.role) == ("strip", "spy", None)
    assert decision.removed.cookies == ("_spy", "_spy_77")
    assert decision.credits[0].removed.cookies == ("_spy", "_spy_*")


@pytest.mark.parametrize("level", ["allow", "signal"])
def test_below_strip_a_pages_own_requests_keep_everything(level: Level) -> None:
    one = engine(level)
    lines = headers(cookie="_spy=2", sec_gpc="1")
    asked = ask(one, f"{OWN}?spyid=9", type="document", headers=lines)
    assert one.decide(asked).send is None


@pytest.mark.parametrize(
    ("url", "kind", "page"),
    [
        ("https://shop.example/?spyid=9", "document", ""),  # no page of the policy
        ("https://cdn.example/?spyid=9", "image", PAGE),  # not the page's own site
        ("https://www.gov.example/?spyid=9", "image", PAGE),  # not a navigation
        ("https://www.gov.example/?Spyid=9&spyidx=1&x=spyid", "document", ""),
    ],
)
def test_what_no_rule_names_is_not_touched(url: str, kind: str, page: str) -> None:
    one = engine("block")
    lines = headers(cookie="a=1", sec_gpc="1")
    asked = ask(one, url, type=kind, page=page, headers=lines)
    assert one.decide(asked).send is None


def test_identifiers_stay_on_pages_that_are_not_inspected_and_go_on_those_that_are() -> None:
    lines = headers(cookie="_spy=2")
    for inspect, kept in (("minimal", True), ("all", False)):
        one = engine("block", inspect=inspect)
        asked = ask(one, "https://shop.example/", type="document", page="", headers=lines)
        assert (one.decide(asked).send is None) is kept


# -- Sec-GPC -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "choices", "url", "expected"),
    [
        ((), {}, OWN, [b"1"]),
        ((b"1",), {}, OWN, [b"1"]),
        ((b"0", b"1"), {}, OWN, [b"1"]),
        ((), {"gpc": False}, OWN, []),
        ((), {"without_gpc": frozenset({"gov.example"})}, OWN, []),
        ((), {}, "https://other.example/", []),
        ((b"1",), {}, "https://other.example/", [b"1"]),
    ],
)
def test_gpc_is_said_once_to_the_policys_sites(
    given: tuple[bytes, ...], choices: dict[str, object], url: str, expected: list[bytes]
) -> None:
    one = engine("block", **choices)
    lines = tuple((b"Sec-GPC", text) for text in given)
    _, out = sent(one, ask(one, url, type="document", page="", headers=lines))
    assert [text for name, text in out if name.lower() == b"sec-gpc"] == expected


def test_gpc_is_said_to_a_tool_unless_the_page_is_excepted() -> None:
    for choices, expected in (({}, True), ({"without_gpc": frozenset({"gov.example"})}, False)):
        one = engine("signal", **choices)
        _, out = sent(one, ask(one, HIT, type="image"))
        assert (dict(out).get(b"sec-gpc") == b"1") is expected


# -- responses -----------------------------------------------------------------------------------


def respond(
    level: Level, url: str, lines: Headers, *, request: Headers = (), **facts: object
) -> ResponseDecision:
    choices = {k: facts.pop(k) for k in ("persistent_cookies", "inspect") if k in facts}
    one = engine(level, **choices)
    asked = ask(one, url, headers=request, **facts)
    return one.decide_response(asked, one.decide(asked), 200, lines)


def test_a_stripped_tool_sets_no_cookie_but_consent_and_its_opt_out() -> None:
    lines = (
        (b"Content-Type", b"image/gif"),
        (b"Set-Cookie", b"who=1; Path=/"),
        (b"Set-Cookie", b"consent=yes; Path=/"),
        (b"Set-Cookie", b"unknown=1"),
        (b"ETag", b'"id"'),
        (b"Accept-CH", b"Sec-CH-UA-Model"),
    )
    request = headers(cookie="no=1")
    got = respond("strip", HIT, lines, request=request, type="image")
    assert got.headers == (lines[0], lines[2])
    assert got.removed.cookies == ("who", "unknown")
    assert got.removed.headers == ("ETag", "Accept-CH")


def test_a_signalled_tool_is_given_its_opt_out_cookie_to_keep() -> None:
    got = respond("signal", HIT, ((b"Set-Cookie", b"track=1"), (b"ETag", b'"x"')), type="image")
    assert got.headers is not None
    assert got.headers[0] == (b"ETag", b'"x"')
    (_, line) = got.headers[1]
    assert line.startswith(b"no=1; ")
    for attribute in (b"Domain=spy.example", b"Secure", b"SameSite=None", b"Max-Age="):
        assert attribute in line


def test_a_pages_own_response_loses_named_cookies_and_expires_those_that_came() -> None:
    lines = (
        (b"Set-Cookie", b"session=1; Path=/; HttpOnly"),
        (b"Set-Cookie", b"_spy=new; Max-Age=63072000"),
        (b"X-Spy", b"1"),
    )
    request = headers(cookie="_spy=old; SPY_OFF=1; a=1")
    got = respond("block", OWN, lines, request=request, type="document", page="")
    assert got.headers is not None
    assert got.headers[0] == lines[0]
    expired = [line for _, line in got.headers[1:]]
    assert all(line.startswith(b"_spy=;") and b"Path=/" in line for line in expired)
    domains = [line for line in expired if b"Domain=" in line]
    assert any(b"Domain=gov.example" in line for line in domains)
    assert any(b"Domain=www.gov.example" in line for line in domains)
    assert len(expired) == len(domains) + 1  # and the host-only one
    assert got.removed.cookies == ("_spy",)
    assert got.removed.headers == ("X-Spy",)


@pytest.mark.parametrize(("kind", "expected"), [("document", True), ("image", False)])
def test_the_page_is_given_the_opt_out_cookie_its_tool_looks_for(kind: str, expected: bool) -> None:
    got = respond("signal", OWN, (), type=kind)
    lines = [line for _, line in got.headers or ()]
    assert any(line.startswith(b"SPY_OFF=1;") for line in lines) is expected
    again = respond("signal", OWN, (), type=kind, request=headers(cookie="SPY_OFF=1"))
    assert again.headers is None


def test_persistent_cookies_of_the_policys_site_become_session_cookies_where_chosen() -> None:
    lines = (
        (
            b"Set-Cookie",
            b"pref=1; Expires=Wed, 09 Nov 2030 00:00:00 GMT; Path=/; Max-Age=99; Secure",
        ),
        (b"Date", b"Tue, 24 Nov 2026 00:00:00 GMT"),
    )
    request = headers(cookie="SPY_OFF=1")
    asked = {"type": "document", "page": "", "request": request}
    kept = respond("allow", OWN, lines, **asked)
    assert kept.headers is None
    session = respond("allow", OWN, lines, persistent_cookies="session", **asked)
    assert session.headers is not None
    assert session.headers[0][1] == b"pref=1; Path=/; Secure"
    assert session.headers[1] == lines[1]


def test_a_response_that_no_rule_names_is_not_touched() -> None:
    lines = ((b"Set-Cookie", b"_spy=1"), (b"ETag", b"x"), (b"X-Spy", b"1"))
    assert (
        respond("block", "https://shop.example/", lines, type="document", page="").headers is None
    )
    assert respond("allow", HIT, lines, type="image").headers is None


@pytest.mark.parametrize(
    ("url", "kept"),
    [(HIT, False), (OWN, False), ("https://spy.example/", False), ("https://shop.example/", True)],
)
def test_an_invitation_to_quic_does_not_pass_from_an_inspected_host(url: str, kept: bool) -> None:
    lines = ((b"Alt-Svc", b'h3=":443"'), (b"Date", b"x"))
    request = headers(cookie="SPY_OFF=1; no=1")
    got = respond("signal", url, lines, request=request, type="document", page="")
    assert ((got.headers or lines) == lines) is kept


# -- in front of a tool's own script -------------------------------------------------------------

SCRIPT = "https://spycdn.example/spy.js"


def test_a_stripped_script_is_asked_for_whole_and_plain() -> None:
    one = engine("strip")
    lines = headers(accept_encoding="gzip, br", range="bytes=0-9", if_modified_since="x")
    _, out = sent(one, ask(one, SCRIPT, type="script", headers=lines))
    assert dict(out) == {b"accept-encoding": b"identity", b"sec-gpc": b"1"}


@pytest.mark.parametrize(
    ("level", "url", "extra", "expected"),
    [
        ("strip", SCRIPT, (), b"/* denied */\n"),
        ("signal", SCRIPT, (), b""),
        ("strip", HIT, (), b""),
        ("strip", SCRIPT, ((b"Content-Encoding", b"gzip"),), b""),
        ("strip", SCRIPT, ((b"Content-Length", b"0"),), b""),
        ("strip", "https://spycdn.example/frame.html", (), b""),
    ],
)
def test_the_prefix_goes_in_front_of_the_real_script_only(
    level: Level, url: str, extra: Headers, expected: bytes
) -> None:
    kind = b"text/html" if url.endswith("html") else b"text/javascript"
    lines = (*extra, (b"Content-Type", kind), (b"Content-Length", b"100"), (b"Last-Modified", b"x"))
    got = respond(level, url, lines, type="script", request=headers(cookie="no=1"))
    assert got.prefix == expected
    if expected:
        assert dict(got.headers or ()) == {b"Content-Type": kind, b"Content-Length": b"113"}
