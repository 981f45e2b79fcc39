"""Decisions: the ladder from role and level to action, and the rules that hold it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from engines import PAGE, ask, engine, headers
from optout_proxy.model import LEVELS, Level

HIT = "https://spy.example/hit?uid=1&x=2"

LADDER = [
    # url, type, role, actions at allow, signal, strip, block
    ("https://spycdn.example/spy.js", "script", "loads", "allow signal strip surrogate"),
    ("https://spycdn.example/frame.html", "subdocument", "loads", "allow signal strip surrogate"),
    (HIT, "image", "collects", "allow signal strip block"),
    ("https://spy.example/ping", "ping", "telemetry", "allow signal block block"),
    (
        "https://spy.example/status",
        "xmlhttprequest",
        "telemetry",
        "allow signal surrogate surrogate",
    ),
    ("https://spy.example/widget", "subdocument", "widgets", "allow signal strip placeholder"),
    ("https://spy.example/study/1", "document", "visits", "allow allow allow allow"),
    ("https://spy.example/opt-out", "document", "permits", "allow allow allow allow"),
    ("https://spy.example/full", "document", "collects", "allow signal strip block"),
    (
        "https://spy.example/click?to=https%3A%2F%2Fshop.example%2F",
        "document",
        "collects",
        "allow signal redirect redirect",
    ),
]


@pytest.mark.parametrize(("url", "kind", "role", "actions"), LADDER)
@pytest.mark.parametrize("level", LEVELS)
def test_role_and_level_give_the_action(
    url: str, kind: str, role: str, actions: str, level: Level
) -> None:
    one = engine(level)
    decision = one.decide(ask(one, url, type=kind))
    assert (decision.tool, decision.role) == ("spy", role)
    assert decision.action == actions.split()[LEVELS.index(level)]
    assert decision.level == level
    assert decision.reason.endswith(".")
    assert decision.rule is not None
    assert decision.rule.file == "blocklists/spy.toml"
    assert (decision.answer is not None) == decision.stops


@pytest.mark.parametrize(
    ("kind", "extra", "status", "content_type"),
    [
        ("script", {}, 200, b"text/javascript; charset=utf-8"),
        ("image", {}, 200, b"image/gif"),
        ("stylesheet", {}, 200, b"text/css; charset=utf-8"),
        ("subdocument", {}, 200, b"text/html; charset=utf-8"),
        ("xmlhttprequest", {}, 204, None),
        ("ping", {}, 204, None),
        ("other", {}, 204, None),
        ("websocket", {}, 403, None),
        ("xmlhttprequest", {"accept": "application/json"}, 200, b"application/json; charset=utf-8"),
    ],
)
def test_an_answer_is_right_for_its_type(
    kind: str, extra: dict[str, str], status: int, content_type: bytes | None
) -> None:
    one = engine("block")
    lines = headers(origin="https://www.gov.example", **extra)
    answer = one.decide(ask(one, HIT, type=kind, headers=lines)).answer
    assert answer is not None
    said = dict(answer.headers)
    assert (answer.status, said.get(b"Content-Type")) == (status, content_type)
    assert said[b"Optout-Proxy"] == b"block spy"
    assert said[b"Access-Control-Allow-Origin"] == b"https://www.gov.example"
    assert said[b"Access-Control-Allow-Credentials"] == b"true"
    if b"Content-Length" in said:
        assert int(said[b"Content-Length"]) == len(answer.body)


def test_a_preflight_is_granted_so_that_its_request_is_answered_here_too() -> None:
    one = engine("block")
    lines = headers(
        origin="https://www.gov.example",
        access_control_request_method="PUT",
        access_control_request_headers="x-token",
    )
    asked = ask(one, HIT, type="xmlhttprequest", method="OPTIONS", headers=lines)
    answer = one.decide(asked).answer
    assert answer is not None
    said = dict(answer.headers)
    assert answer.status == 204
    assert said[b"Access-Control-Allow-Methods"] == b"PUT"
    assert said[b"Access-Control-Allow-Headers"] == b"x-token"


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "ftp://x", "https:///", "//x", "a b", "https://x\r\ny", ""]
)
def test_a_redirector_with_a_target_that_is_no_address_is_blocked(target: str) -> None:
    one = engine("block")
    asked = ask(one, f"https://spy.example/click?to={quote(target, safe='')}", type="document")
    assert one.decide(asked).action == "block"


# -- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://spycdn.example/spy.js",
        "https://spycdn.example/frame.html",
        HIT,
        "https://spy.example/ping",
        "https://spy.example/widget",
        "https://spy.example/",
    ],
)
def test_a_navigation_is_not_stopped_by_a_rule_that_does_not_name_documents(url: str) -> None:
    one = engine("block")
    assert not one.decide(ask(one, url, type="document", page="")).stops


def test_a_stopped_document_says_so_and_by_whom() -> None:
    one = engine("block")
    answer = one.decide(ask(one, "https://spy.example/full?<b>", type="document")).answer
    assert answer is not None
    assert b"<title>Spy</title>" in answer.body
    assert b"<b>" not in answer.body


# -- party and embeds ----------------------------------------------------------------------------

PARTY = [
    # page, header lines, third party?
    ("https://www.gov.example/", {}, True),
    ("https://spy.example/", {}, False),
    ("https://app.spy.example/", {}, False),
    ("https://spycdn.example/", {}, False),  # another site of the same operator
    ("https://spycdn.example/", {"sec_fetch_site": "cross-site"}, False),
    ("https://www.gov.example/", {"sec_fetch_site": "cross-site"}, True),
    ("https://spy.example/", {"sec_fetch_site": "same-origin"}, False),
    ("", {"sec_fetch_site": "cross-site"}, True),
    ("", {"sec_fetch_site": "same-origin"}, False),
    ("", {}, True),
    # inside a frame that another site embeds
    (
        "https://spy.example/x",
        {"sec_fetch_site": "same-origin", "sec_fetch_storage_access": "active"},
        True,
    ),
    ("https://spy.example/widget", {"sec_fetch_site": "same-origin"}, True),
]


@pytest.mark.parametrize(("page", "lines", "third"), PARTY)
def test_party_counts_sites_operators_and_embeds(
    page: str, lines: dict[str, str], third: bool
) -> None:
    one = engine("block")
    asked = ask(one, HIT, type="image", page=page, headers=headers(**lines))
    assert asked.third_party is third
    assert one.decide(asked).stops is third


@pytest.mark.parametrize(("level", "action"), [("strip", "strip"), ("block", "placeholder")])
def test_what_a_frame_asks_of_its_own_operator_is_the_widgets(level: Level, action: str) -> None:
    one = engine(level)
    lines = headers(
        sec_fetch_site="same-origin", sec_fetch_storage_access="active", cookie="who=me; no=1"
    )
    asked = ask(
        one, "https://spy.example/unnamed", type="image", page="https://spy.example/widget",
        headers=lines,
    )  # fmt: skip
    decision = one.decide(asked)
    assert (decision.tool, decision.role, decision.action) == ("spy", "widgets", action)
    if level == "strip":
        assert decision.removed.cookies == ("who",)


def test_a_visit_keeps_its_login() -> None:
    one = engine("block")
    lines = headers(sec_fetch_site="same-origin", cookie="who=me")
    asked = ask(
        one, "https://spy.example/x", type="image", page="https://spy.example/", headers=lines
    )
    decision = one.decide(asked)
    assert decision.action == "allow"
    assert decision.send is None


# -- permits -------------------------------------------------------------------------------------


def test_an_opt_out_page_may_call_the_tools_endpoints() -> None:
    one = engine("block")
    asked = ask(
        one, "https://api.spy.example/choice", type="xmlhttprequest",
        page="https://spy.example/opt-out",
    )  # fmt: skip
    assert one.decide(asked).role == "permits"


def test_a_tracker_may_not_call_them_from_any_other_page() -> None:
    one = engine("block")
    asked = ask(one, "https://api.spy.example/choice", type="xmlhttprequest")
    assert one.decide(asked).role != "permits"


# -- several tools, and first-party copies -------------------------------------------------------


def test_the_rule_that_says_more_about_a_request_wins() -> None:
    one = engine("block")
    asked = ask(one, "https://spy.example/hit?for=glance", type="image")
    assert one.decide(asked).tool == "glance"


@pytest.mark.parametrize("query", ["v=2&sid=S-1", "sid=S-1&x=y&v=2", "a=b&v=2&sid=S-9"])
def test_a_copy_on_the_sites_own_host_is_known_by_its_parameters(query: str) -> None:
    one = engine("block")
    asked = ask(one, f"https://data.gov.example/x?{query}", type="ping")
    assert one.decide(asked).tool == "spy"


@pytest.mark.parametrize("query", ["v=22&sid=S-1", "v=2&side=S-1", "v=2&sid=T-1", "vsid=S-1"])
def test_parameters_that_only_look_alike_are_not_it(query: str) -> None:
    one = engine("block")
    assert one.decide(ask(one, f"https://data.gov.example/x?{query}", type="ping")).tool is None


FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("body", "lines", "known"),
    [
        (b"v=2&sid=S-1", FORM, True),
        (b"sid=S-1&v=2", FORM, True),
        (b'{"v": "2", "sid": "S-1"}', {"content_type": "application/json"}, True),
        (b"v=3&sid=S-1", FORM, False),
        (b"v=2", FORM, False),
        (b"\xff\xfe", FORM, False),
        (b"v=2&sid=S-1", {"content_type": "image/png"}, False),
    ],
)
def test_a_hit_is_known_by_its_body(body: bytes, lines: dict[str, str], known: bool) -> None:
    one = engine("block")
    facts = {"type": "ping", "method": "POST", "headers": headers(**lines)}
    assert one.wants_body(ask(one, "https://data.gov.example/x", **facts))
    asked = ask(one, "https://data.gov.example/x", **facts, body=body)
    assert one.decide(asked).stops is known


def test_a_body_is_not_asked_for_where_no_rule_looks_into_it() -> None:
    one = engine("block")
    assert not one.wants_body(ask(one, "https://data.gov.example/x", type="ping"))
    assert not one.wants_body(ask(one, HIT, type="ping", method="POST"))  # stopped without it
    allowed = engine("allow")
    assert not allowed.wants_body(
        ask(allowed, "https://data.gov.example/x", type="ping", method="POST")
    )


def test_a_named_field_of_a_form_is_emptied() -> None:
    one = engine("strip")
    asked = ask(
        one, "https://forms.example/submit", type="xmlhttprequest", method="POST",
        headers=headers(content_type="application/x-www-form-urlencoded", content_length="21"),
        body=b"name=Ann&device=12345",
    )  # fmt: skip
    assert one.wants_body(asked)
    decision = one.decide(asked)
    assert decision.send is not None
    assert decision.send.body == b"name=Ann&device="
    assert (b"content-length", b"16") in decision.send.headers
    assert decision.removed.params == ("device",)


# -- choices -------------------------------------------------------------------------------------


def test_a_tool_without_a_level_is_allowed() -> None:
    one = engine(levels={})
    assert one.decide(ask(one, HIT, type="image")).action == "allow"


@pytest.mark.parametrize(
    ("page", "action"),
    [
        ("https://shop.example/", "allow"),
        ("https://www.shop.example/", "allow"),
        ("https://other.example/", "block"),
        ("https://myshop.example/", "block"),
    ],
)
def test_an_exception_holds_on_its_site_only(page: str, action: str) -> None:
    one = engine("block", sites={"shop.example": {"spy": "allow"}})
    assert one.decide(ask(one, HIT, type="image", page=page)).action == action


@pytest.mark.parametrize(
    ("page", "action"), [(PAGE, "block"), ("https://other.example/", "allow"), ("", "block")]
)
def test_scope_policy_enforces_on_the_policys_pages(page: str, action: str) -> None:
    one = engine("block", pages="policy")
    assert one.decide(ask(one, HIT, type="image", page=page)).action == action


@pytest.mark.parametrize(
    ("host", "inspected", "stoppable"),
    [
        ("gov.example", True, False),
        ("deep.www.gov.example", True, False),
        ("spy.example", True, True),
        ("api.spy.example", True, True),
        ("bank.example", False, False),
        ("notspy.example", False, False),
        ("", False, False),
    ],
)
def test_only_hosts_that_rules_or_the_policy_name_are_opened(
    host: str, inspected: bool, stoppable: bool
) -> None:
    one = engine("block")
    assert (one.inspects(host), one.may_stop(host)) == (inspected, stoppable)


def test_a_tool_that_is_allowed_opens_nothing() -> None:
    one = engine("allow")
    assert not one.inspects("spy.example")
    assert one.inspects("www.gov.example")
    assert engine("allow", inspect="all").inspects("bank.example")


@pytest.mark.parametrize(
    "url", ["", "x", "https://", "https:///x", "https://[", "data:,x", "http://\udcff/"]
)
@pytest.mark.parametrize("level", LEVELS)
def test_no_request_is_too_odd_to_decide(url: str, level: Level) -> None:
    one = engine(level, inspect="all")
    asked = one.name(url, headers=((b"\xff", b"\xff"), (b"Cookie", b"\xff=;;=")))
    one.decide_response(asked, one.decide(asked), 200, ((b"Set-Cookie", b"\xff"),))


def test_deciding_by_address_alone_agrees_with_deciding_in_full() -> None:
    one = engine("block", inspect="all")
    for url, kind, *_ in [*LADDER, ("https://a.example/?spyid=1", "document"), (PAGE, "image")]:
        for page in ("", PAGE, "https://spy.example/widget"):
            full = one.decide(one.name(url, page=page, type=kind))  # type: ignore[arg-type]
            assert one.decide_url(url, page, kind) == full  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "granted"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"referer": "https://spy.example/full"}, True),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "cross-site", "referer": "https://spy.example/full"}, False),
        ({"referer": "https://gov.example/"}, False),
        ({}, False),
    ],
)
def test_going_on_is_granted_to_the_notices_own_link_only(
    lines: dict[str, str], granted: bool
) -> None:
    one = engine("block")
    url = "https://spy.example/full?a=1"
    notice = one.decide(ask(one, url, type="document")).answer
    assert notice is not None
    assert b"https://spy.example/full?a=1&amp;optout-proxy=go-on" in notice.body
    followed = ask(one, f"{url}&optout-proxy=go-on", type="document", headers=headers(**lines))
    decision = one.decide(followed)
    assert decision.stops is not granted
    assert (decision.send.url if decision.send else None) == (url if granted else None)


def test_an_embed_is_in_scope_wherever_its_frame_comes_from() -> None:
    one = engine("strip", pages="policy")
    lines = headers(sec_fetch_storage_access="active", cookie="who=me")
    page = "https://spy.example/widget"
    asked = ask(one, "https://spy.example/unnamed", type="image", page=page, headers=lines)
    assert one.decide(asked).removed.cookies == ("who",)
