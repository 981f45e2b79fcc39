"""The quick ways through deciding lead where the full way leads."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora import CORPORA, needs_corpora
from engines import RESOURCES, SPY, headers, tool_files
from optout_proxy import shipped
from optout_proxy.engine import Choices, Engine, plain
from optout_proxy.engine.community import Community, Listed
from optout_proxy.model import LEVELS, TYPES
from optout_proxy.registry.tool_file import load_all, parse_tool_file
from optout_proxy.resources import load_resources
from optout_proxy.rules.lists import parse_list

if TYPE_CHECKING:
    from optout_proxy.model import Decision, Level, Request

LIST = """\
||ads.example^
@@||ads.example/fine
/advert.$image
||doc.example^$document
||stand.example^$redirect=spy.js
"""
HOSTS = (
    "spy.example", "api.spy.example", "spycdn.example", "glance.example", "gov.example",
    "www.gov.example", "ads.example", "doc.example", "stand.example", "notspy.example",
    "SPY.example", "spy.example.", "me@spy.example", "%73py.example", "forms.example:8080",
)  # fmt: skip
PATHS = (
    "", "/", "/hit", "//hit", "/./hit", "/%68it", "/widget", "/advert.", "/fine", "/x?v=2&sid=S-1",
    "/x?%76=2&sid=S-1", "/x?spyid=1&a=2", "/x?uid=1", "/hit?uid=1&who=2", "/x#hit", "\\hit",
    "/click?to=https://a.example/", "/full", "/full?optout-proxy=go-on", "/submit",
    "/" + "a" * 5000,
)  # fmt: skip
addresses = st.tuples(
    st.sampled_from(("https://", "http://", "wss://", "HTTPS://")),
    st.sampled_from(HOSTS),
    st.sampled_from(PATHS),
).map("".join)
lines = st.sampled_from(
    (
        (),
        headers(cookie="_spy=1; who=me; a=b", if_none_match="x"),
        headers(sec_fetch_site="same-origin", referer="https://spy.example/full"),
        headers(sec_fetch_storage_access="active", cookie="who=me"),
        headers(origin="https://www.gov.example", accept="application/json", x_spy_me="1"),
    )
)
bodies = st.sampled_from((None, b"v=2&sid=S-1", b"device=1"))


def shapes() -> dict[str, Engine]:
    """Engines that differ in all that tells one way from another."""
    tools = [file.tool for file in tool_files()]
    listed = Community((Listed("list.txt", parse_list(LIST), "block"),))
    choices = {
        **{level: Choices(every=level) for level in LEVELS},
        "policy": Choices(every="strip", policy_sites=frozenset({"gov.example"})),
        "all": Choices(every="block", inspect="all"),
    }
    return {name: Engine(tools, one, RESOURCES, listed) for name, one in choices.items()}


SHAPES = shapes()


def in_full(engine: Engine, request: Request) -> Decision:
    return engine._decide(request, plain.query(request))


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=150, deadline=None)
@given(addresses, addresses, st.sampled_from(TYPES), lines, bodies)
def test_the_quick_way_decides_what_the_full_way_decides(shape, url, page, kind, sent, body):
    engine = SHAPES[shape]
    for embed in (None, True, False):
        request = engine.name(
            url, page=page, type=kind, headers=sent, embed=embed,
            method="POST" if body else "GET", body=body,
        )  # fmt: skip
        assert engine.decide(request) == in_full(engine, request)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=150, deadline=None)
@given(addresses, addresses, st.sampled_from(TYPES))
def test_an_address_alone_is_decided_as_a_request_of_nothing_else(shape, url, page, kind) -> None:
    engine = SHAPES[shape]
    request = engine.name(url, page=page, type=kind)
    assert engine.decide_url(url, page, kind) == in_full(engine, request)


def test_what_is_remembered_is_no_answer_to_another_request() -> None:
    engine = SHAPES["block"]
    url, page = "https://spycdn.example/spy.js", "https://www.gov.example/"
    plain_one = engine.decide_url(url, page, "script")
    asked = engine.name(url, page=page, type="script", headers=headers(origin=page[:-1]))
    assert plain_one.answer is not None
    assert (b"Access-Control-Allow-Origin", b"*") in plain_one.answer.headers
    with_origin = engine.decide(asked).answer
    assert with_origin is not None
    assert (b"Access-Control-Allow-Origin", page[:-1].encode()) in with_origin.headers
    assert engine.decide_url(url, page, "script") == plain_one
    assert engine.decide_url(url, page, "image") != plain_one


def test_a_rule_about_a_path_holds_where_a_host_begins_like_it() -> None:
    text = SPY.replace("||spy.example/ping^$third-party", "/spyhost.example/ping$third-party")
    assert text != SPY
    tools = [parse_tool_file(text, "spy", "spy.toml").tool]
    engine = Engine(tools, Choices(every="block"), RESOURCES)
    assert engine.decide_url("https://spyhost.example/ping", "https://a.example/", "ping").stops


@cache
def asked() -> list[tuple[str, str, str]]:
    files = sorted((CORPORA / "requests").glob("*.jsonl"))
    found = (json.loads(line) for file in files for line in file.read_text().splitlines())
    return [(one["url"], one["page"], one["type"]) for one in found]


@needs_corpora
@pytest.mark.corpora
@pytest.mark.parametrize("level", LEVELS)
def test_every_real_request_is_decided_alike_by_its_address_and_in_full(level: Level) -> None:
    folder = shipped.folder() / "blocklists"
    tools = [file.tool for file in load_all(folder)]
    engine = Engine(tools, Choices(every=level), load_resources(folder))
    for url, page, kind in asked():
        request = engine.name(url, page=page, type=kind)
        decision = engine.decide_url(url, page, kind)
        assert decision == engine.decide(request), url
        assert decision == in_full(engine, request), url
