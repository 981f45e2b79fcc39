"""What community lists take away: parameters, cookies and headers, byte for byte otherwise."""

from __future__ import annotations

import pytest

from corpora import CORPORA, needs_corpora
from engines import PAGE, RESOURCES, headers, tool_files
from optout_proxy.engine import Choices, Engine
from optout_proxy.engine.community import Community, Listed
from optout_proxy.model import NOTHING, Removed
from optout_proxy.rules.lists import load_list, parse_list

LIST = r"""
$removeparam=utm
$removeparam=/^ref_/,document,image
||shop.example^$removeparam=sid
@@||shop.example/keep^$removeparam=sid
||bare.example^$removeparam,image
@@||free.example^$removeparam
||only.example^$removeparam=~a,image
||shop.example^$cookie=track
||shop.example^$cookie=/^_x/
@@||shop.example/keep^$cookie=track
||all.example^$cookie
||short.example^$cookie=life;maxAge=60
||third.example^$cookie=uid,third-party
||shop.example^$removeheader=request:X-Me
||shop.example^$removeheader=request:host
||shop.example^$removeheader=x-them
||shop.example^$removeheader=content-security-policy
||shop.example^$removeheader
@@||pages.example^$document
||gone.example^
"""


def engine(mode: str = "block", text: str = LIST, **choices: object) -> Engine:
    tools = [file.tool for file in tool_files()]
    listed = Listed("list.txt", parse_list(text), mode)  # type: ignore[arg-type]
    facts: dict[str, object] = {"levels": {"spy": "strip"}, "inspect": "all", **choices}
    return Engine(tools, Choices(**facts), RESOURCES, Community((listed,)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "kind", "sent"),
    [
        ("https://a.example/?b=%20+&utm=1&c", "document", "https://a.example/?b=%20+&c"),
        ("https://a.example/?utm", "document", "https://a.example/"),
        ("https://a.example/?%75tm=1&c#x", "document", "https://a.example/?c#x"),
        ("https://a.example/?utm=1", "image", None),
        ("https://a.example/?ref_a=1&b", "image", "https://a.example/?b"),
        ("https://a.example/?Utm=1", "document", None),
        ("https://shop.example/?sid=1&a", "document", "https://shop.example/?a"),
        ("https://shop.example/keep/?sid=1&a", "document", None),
        ("https://shop.example/keep/?sid=1&utm=1", "document", "https://shop.example/keep/?sid=1"),
        ("https://bare.example/?a&b", "image", "https://bare.example/"),
        ("https://free.example/?utm=1", "document", None),
        ("https://only.example/?a=1&b=2", "image", "https://only.example/?a=1"),
    ],
)
def test_a_list_cuts_the_parameters_its_rules_name(url: str, kind: str, sent: str | None) -> None:
    one = engine()
    request = one.name(url, type=kind, page="")  # type: ignore[arg-type]
    decision = one.decide(request)
    assert (decision.send.url if decision.send else None) == sent
    assert decision.action == ("strip" if sent else "allow")
    assert one.decide_url(url, "", kind) == decision  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "page", "came", "sent"),
    [
        ("https://shop.example/", "", "a=1;track=2; b=3", "a=1; b=3"),
        ("https://shop.example/", "", "_xy=1; track=2", None),
        ("https://shop.example/keep/", "", "track=2; _x=1", "track=2"),
        ("https://all.example/", "", "a=1; b=2", None),
        ("https://short.example/", "", "life=1; b=2", "life=1; b=2"),
        ("https://third.example/", PAGE, "uid=1; b=2", "b=2"),
        ("https://third.example/", "https://third.example/", "uid=1; b=2", "uid=1; b=2"),
    ],
)
def test_a_list_cuts_the_cookies_its_rules_name(
    url: str, page: str, came: str, sent: str | None
) -> None:
    one = engine()
    request = one.name(url, type="image", page=page, headers=headers(cookie=came, accept="*/*"))
    decision = one.decide(request)
    lines = decision.send.headers if decision.send else request.headers
    assert dict(lines).get(b"cookie") == (sent.encode() if sent else None)
    assert dict(lines)[b"accept"] == b"*/*"


def test_a_list_cuts_headers_but_none_that_a_request_needs() -> None:
    one = engine()
    sent = headers(host="shop.example", X_Me="1", accept="*/*")
    decision = one.decide(one.name("https://shop.example/", type="image", page="", headers=sent))
    assert decision.send is not None
    assert decision.send.headers == (sent[0], sent[2])
    assert decision.removed == Removed(headers=("X-Me",))
    reason = "a list does not remove this header: pages would break or lose their protection"
    assert parse_list(LIST).skipped == {reason: 2, "removeheader names no header": 1}


def test_what_a_list_takes_is_credited_to_it() -> None:
    one = engine()
    request = one.name(
        "https://shop.example/?sid=1&utm=2", type="document", page="",
        headers=headers(cookie="_xyz=1; track=2"),
    )  # fmt: skip
    decision = one.decide(request)
    assert (decision.tool, decision.level, decision.action) == ("list:list.txt", "block", "strip")
    assert decision.removed == Removed(cookies=("_xyz", "track"), params=("sid", "utm"))
    (credit,) = decision.credits
    assert (credit.tool, credit.level, credit.action) == ("list:list.txt", "block", "strip")
    assert credit.removed == Removed(cookies=("_x*", "track"), params=("sid", "utm"))
    assert credit.rule is not None
    assert LIST.splitlines()[credit.rule.line - 1] == credit.rule.text
    assert "list.txt" in decision.reason


def test_a_list_takes_on_top_of_what_a_tool_file_takes() -> None:
    text = "||spy.example^$removeparam=extra,image\n||spy.example^$removeparam=uid,image"
    one = engine(text=text)
    url = "https://spy.example/hit?uid=1&extra=2&keep=3"
    decision = one.decide(one.name(url, type="image", page=PAGE))
    assert (decision.tool, decision.role, decision.action) == ("spy", "collects", "strip")
    assert decision.send is not None
    assert decision.send.url == "https://spy.example/hit?keep=3"
    assert decision.removed.params == ("uid", "extra")
    assert [c.tool for c in decision.credits] == ["spy", "list:list.txt"]


@pytest.mark.parametrize("url", ["https://spy.example/opt-out?utm=1", "https://spy.example/hit?a"])
def test_what_a_tool_file_permits_or_the_user_allows_no_list_touches(url: str) -> None:
    one = engine(text="*$removeparam=utm,all\n*$removeparam=a,all", levels={"spy": "allow"})
    kind = "document" if "opt-out" in url else "image"
    assert one.decide(one.name(url, type=kind, page=PAGE)).send is None  # type: ignore[arg-type]


def test_an_observed_list_names_what_it_would_take_and_takes_nothing() -> None:
    one = engine("observe")
    request = one.name("https://a.example/?utm=1", type="document", page="")
    decision = one.decide(request)
    assert (decision.action, decision.tool, decision.send) == ("allow", "list:list.txt", None)
    assert (decision.removed, decision.credits) == (NOTHING, ())
    assert decision.rule is not None
    assert decision.rule.text == "$removeparam=utm"
    assert one.decide_url("https://a.example/?utm=1", "", "document") == decision


@pytest.mark.parametrize(
    ("url", "method", "page", "changed"),
    [
        ("https://a.example/?ref_a=1", "GET", PAGE, True),
        ("https://a.example/?ref_a=1", "HEAD", PAGE, True),
        ("https://a.example/?ref_a=1", "POST", PAGE, False),
        ("https://a.example/?ref_a=1", "GET", "https://pages.example/", False),
    ],
)
def test_nothing_is_cut_from_what_is_posted_nor_on_a_page_that_is_allowed(
    url: str, method: str, page: str, *, changed: bool
) -> None:
    one = engine()
    decision = one.decide(one.name(url, method=method, type="image", page=page))
    assert (decision.send is not None) is changed


def test_what_is_stopped_stays_stopped() -> None:
    one = engine(text="||gone.example^\n||gone.example^$cookie")
    request = one.name(
        "https://gone.example/", type="image", page=PAGE, headers=headers(cookie="a=1")
    )
    assert one.decide(request).stops


def test_hosts_that_a_blocking_list_edits_are_inspected() -> None:
    assert engine(inspect="minimal").inspects("shop.example")
    assert not engine("observe", inspect="minimal").inspects("shop.example")
    assert not engine(inspect="minimal").inspects("a.example")
    assert not engine(inspect="minimal").may_stop("shop.example")


@needs_corpora
@pytest.mark.corpora
def test_a_real_list_cuts_what_real_links_carry() -> None:
    rules = load_list(CORPORA / "lists" / "adguard-url-tracking.txt")
    one = Engine([], Choices(), RESOURCES, Community((Listed("url.txt", rules, "block"),)))
    url = "https://www.example.com/a?utm_source=x&id=7&fbclid=ABC&gclid=D%20E"
    sent = one.decide_url(url, "", "document").send
    assert sent is not None
    assert sent.url == "https://www.example.com/a?id=7"


@pytest.mark.parametrize(
    ("url", "came", "handed"),
    [
        ("https://shop.example/", "track=1; Max-Age=9", None),
        ("https://shop.example/", "_xyz=1", None),
        ("https://shop.example/", "keep=1; Max-Age=9", "keep=1; Max-Age=9"),
        ("https://shop.example/keep/", "track=1", "track=1"),
        ("https://short.example/", "life=1; Max-Age=900", "life=1; Max-Age=60"),
        ("https://short.example/", "life=1", "life=1"),
    ],
)
def test_a_list_takes_or_shortens_cookies_that_arrive(
    url: str, came: str, handed: str | None
) -> None:
    one = engine(inspect="minimal")
    request = one.name(url, type="image", page="")
    lines = ((b"Set-Cookie", came.encode()), (b"ETag", b"x"))
    head = one.decide_response(request, one.decide(request), 200, lines)
    kept = lines if head.headers is None else head.headers
    assert [v.decode() for k, v in kept if k == b"Set-Cookie"] == ([handed] if handed else [])
    assert (b"ETag", b"x") in kept
    assert [c.tool for c in head.credits] == ([] if handed else ["list:list.txt"])
    assert engine("observe", inspect="minimal").decide_response(
        request, one.decide(request), 200, lines
    ).headers is None  # fmt: skip


def test_a_list_takes_headers_that_arrive_but_none_that_guards_the_page() -> None:
    one = engine(inspect="minimal")
    request = one.name("https://shop.example/", type="document", page="")
    lines = ((b"X-Them", b"1"), (b"Content-Security-Policy", b"x"), (b"X-Me", b"1"))
    head = one.decide_response(request, one.decide(request), 200, lines)
    assert head.headers == lines[1:]
    assert head.removed == Removed(headers=("X-Them",))
