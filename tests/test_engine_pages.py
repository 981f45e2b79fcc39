"""What is changed in a page, by level, host and kind of request."""

from __future__ import annotations

import pytest

from engines import PAGE, SPY, ask, engine
from optout_proxy.errors import InputError
from optout_proxy.pages import PagePlan
from optout_proxy.registry.tool_file import parse_tool_file

GOV = "https://www.gov.example/topics"


def plan(level=None, url=GOV, *, kind="document", page="", **choices):
    one = engine(level, **choices)
    request = ask(one, url, type=kind, page=page)
    return one.page_plan(request, one.decide(request))


@pytest.mark.parametrize(
    ("level", "flags", "cookies", "integrity"),
    [
        ("allow", 0, 0, False),
        ("signal", 2, 0, False),
        ("strip", 2, 2, True),
        ("block", 2, 2, True),
    ],
)
def test_a_level_says_what_is_changed(level, flags, cookies, integrity):
    made = plan(level)
    assert (len(made.flags), len(made.cookies), made.integrity) == (flags, cookies, integrity)
    assert len(made.storage) == cookies
    assert len(made.markup) == flags // 2
    assert made.gpc


def test_names_are_those_of_the_rules_about_a_pages_own_cookies():
    made = plan("block")
    assert made.cookies == ("_spy", "/^_spy_.*/")
    assert made.storage == ("spyKey", "spy.*")


UNCHANGED = [
    ("another site", {"url": "https://shop.example/"}),
    ("a script", {"kind": "script"}),
    ("what a script fetches", {"kind": "xmlhttprequest", "page": GOV}),
    ("a tool's frame in the page", {"url": "https://spy.example/widget", "kind": "subdocument",
                                    "page": GOV}),
    ("the policy's site in another site's frame", {"kind": "subdocument",
                                                   "page": "https://shop.example/"}),
    ("a tool's own survey, opened on purpose, where all pages are inspected",
     {"url": "https://spy.example/study", "inspect": "all"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "asked"), UNCHANGED, ids=[row[0] for row in UNCHANGED])
def test_left_alone(what, asked):
    assert plan("block", **asked).is_empty


@pytest.mark.parametrize(
    ("what", "asked"),
    [
        ("a frame of the page's own site", {"kind": "subdocument", "page": GOV}),
        ("any page where all are inspected", {"url": "https://shop.example/", "inspect": "all"}),
    ],
)
def test_changed_too(what, asked):
    assert plan("block", **asked).cookies


def test_an_exception_for_a_site_holds_in_its_pages():
    sites = {"gov.example": {"spy": "allow", "glance": "allow"}}
    assert plan("block", sites=sites) == PagePlan(gpc=True)


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({}, True),
        ({"gpc": False}, False),
        ({"without_gpc": frozenset({"gov.example"})}, False),
        ({"url": "https://shop.example/", "inspect": "all"}, False),
    ],
)
def test_the_page_is_told_what_its_server_is_told(choices, told):
    assert plan("block", **choices).gpc is told
    url = choices.pop("url", GOV)
    one = engine("block", **choices)
    decision = one.decide(ask(one, url, type="document", page=""))
    sent = dict(decision.send.headers) if decision.send else {}
    assert (b"sec-gpc" in {name.lower() for name in sent}) is told


@pytest.mark.parametrize(
    ("level", "replaced"),
    [("allow", False), ("signal", False), ("strip", True), ("block", True)],
)
def test_integrity_goes_where_another_body_comes(level, replaced):
    one = engine(level)
    assert one.replaces("https://spycdn.example/spy.js", PAGE, "script") is replaced
    assert not one.replaces("https://cdn.example/lib.js", PAGE, "script")
    assert not one.replaces("https://www.gov.example/own.js", PAGE, "script")


def test_pages_change_when_the_choices_do():
    written = {plan(level).stamp() for level in ("allow", "signal", "strip", "block")}
    assert len(written) == 4


REFUSED = [
    ('flags = [{ name = "off", value = "</script>" }]', "could end the script"),
    ('flags = [{ name = "off", value = "true", ids = "(" }]', "is no expression"),
    ('flags = [{ name = "off", value = "true", when = "x" }]', "when"),
    ('markup = ["<meta onload=x>"]', "no start tag"),
    ('storage = ["/(/"]', "is no expression"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED)
def test_a_tool_file_that_could_harm_a_page_is_refused_with_its_line(line, said):
    start = SPY.index("[page]")
    text = f"{SPY[:start]}[page]\n{line}\n{SPY[SPY.index('[express]') :]}"
    at = text[: text.index(line)].count("\n") + 1
    with pytest.raises(InputError) as refused:
        parse_tool_file(text, "spy", "spy.toml")
    assert f"spy.toml, line {at}" in str(refused.value) or f"spy.toml:{at}" in str(refused.value)
    assert said in str(refused.value)
