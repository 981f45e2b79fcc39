"""`[[body]]` rules: what their wildcards mean, and what they empty."""

from __future__ import annotations

import time

import pytest

from engines import PAGE, RESOURCES, SPY, ask, headers
from optout_proxy.engine import BodyRule, Choices, Engine
from optout_proxy.engine.body_rules import Body
from optout_proxy.model import RuleRef
from optout_proxy.registry.tool_file import parse_tool_file

BOTH = """
[[body]]
role = "collects"
where = "||forms.example/both^$method=post"
fields = { kind = "hit" }
blank = ["who", "ud[*]"]
"""


def spy(extra: str = "") -> Engine:
    text = SPY.replace("[page]\n", f"{extra}\n[page]\n")
    tools = [parse_tool_file(text, "spy", "spy.toml").tool]
    return Engine(tools, Choices(every="strip"), RESOURCES)


def body(**facts: object) -> Body:
    tool = parse_tool_file(SPY, "spy", "spy.toml").tool
    return Body(tool, BodyRule(where="*$method=post", **facts), RuleRef("spy.toml", 1, ""))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "came", "fits"),
    [
        ("2", "2", True),
        ("2", "22", False),
        ("S-*", "s-1", True),
        ("*", "", True),
        ("fb.*.*.*", "fb.1.2.3", True),
        ("fb.*.*.*", "fb.1.2", False),
        ("*a*b", "xaxbxb", True),
        ("a[b]?", "a[b]?", True),
        ("a[b]", "ab", False),
        ("a*a", "a", False),
    ],
)
def test_a_star_stands_for_anything_and_all_else_for_itself(
    value: str, came: str, *, fits: bool
) -> None:
    assert body(fields={"f": value}).fits((("f", came),)) is fits


def test_many_stars_do_not_stall_on_a_long_value() -> None:
    started = time.perf_counter()
    assert not body(fields={"f": "a*.*.*.*.*!"}).fits((("f", "a" + "." * 60_000),))
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("came", "sent", "names"),
    [
        ("kind=hit&who=me&keep=1", "kind=hit&who=&keep=1", ("who",)),
        (
            "kind=hit&ud[em]=a&ud%5Bph%5D=b&ud=c",
            "kind=hit&ud[em]=&ud%5Bph%5D=&ud=c",
            ("ud[em]", "ud[ph]"),
        ),
        ("kind=form&who=me", None, ()),
        ("who=me", None, ()),
    ],
)
def test_fields_are_emptied_where_the_fields_asked_for_are_there(
    came: str, sent: str | None, names: tuple[str, ...]
) -> None:
    one = spy(BOTH)
    kind = headers(content_type="application/x-www-form-urlencoded")
    request = ask(
        one, "https://forms.example/both", method="POST", type="ping", page=PAGE, headers=kind,
        body=came.encode(),
    )  # fmt: skip
    assert one.wants_body(request)
    decision = one.decide(request)
    assert (decision.send.body if sent and decision.send else None) == (sent and sent.encode())
    assert decision.removed.params == names
    assert (decision.role, decision.action) == (
        ("collects", "strip") if sent else (None, decision.action)
    )
