"""A widget loaded once: by a click in its own notice, without identity, and by nothing else."""

from __future__ import annotations

import pytest

from engines import PAGE, ask, engine

WIDGET = "https://spy.example/widget?a=1"
ONCE = f"{WIDGET}&optout-proxy=go-on"
CLICK = {"sec-fetch-site": "same-origin", "sec-fetch-user": "?1", "sec-fetch-dest": "iframe"}


def decided(url, level="block", *, kind="subdocument", page=PAGE, lifted=False, **lines):
    one = engine(level)
    fields = tuple((name.encode(), text.encode()) for name, text in lines.items())
    request = ask(one, url, type=kind, page=page, headers=fields, embed=lifted or None)
    if lifted:
        request = type(request)(**{
            name: getattr(request, name) for name in request.__struct_fields__
        } | {"lifted": True})  # fmt: skip
    return one.decide(request)


def test_the_notice_of_a_widget_offers_it():
    stopped = decided(WIDGET)
    assert stopped.action == "placeholder"
    assert not stopped.loads_once


def test_a_click_in_the_notice_loads_the_widget_without_identity():
    made = decided(ONCE, page="", **CLICK, cookie="who=1; consent=yes")
    assert (made.action, made.tool, made.loads_once) == ("strip", "spy", True)
    assert made.send is not None
    assert made.send.url.startswith(WIDGET)
    assert "optout-proxy" not in made.send.url
    cookies = dict(made.send.headers).get(b"cookie", b"")
    assert b"who=" not in cookies
    assert [one.action for one in made.credits] == ["strip"]


FORGED = [
    ("by the page that holds it", {**CLICK, "sec-fetch-site": "cross-site"}),
    ("by a page of the same site", {**CLICK, "sec-fetch-site": "same-site"}),
    ("without a click", {**CLICK, "sec-fetch-user": ""}),
    ("by a browser that says nothing", {}),
    ("by a Referer alone", {"referer": WIDGET}),
]


@pytest.mark.parametrize(("what", "lines"), FORGED, ids=[row[0] for row in FORGED])
def test_it_cannot_be_asked_for(what, lines):
    made = decided(ONCE, **lines)
    assert (made.action, made.loads_once) == ("placeholder", False)


@pytest.mark.parametrize("kind", ["script", "image", "xmlhttprequest"])
def test_only_a_frame_is_loaded_so(kind):
    hit = "https://spy.example/hit?optout-proxy=go-on"
    assert decided(hit, kind=kind, page=WIDGET, **CLICK).stops


@pytest.mark.parametrize(
    ("url", "kind", "action"),
    [
        ("https://spycdn.example/spy.js", "script", "strip"),
        ("https://spy.example/hit?uid=1", "image", "strip"),
        ("https://spy.example/ping", "ping", "block"),
    ],
)
def test_what_it_asks_for_goes_without_identity_but_for_reports(url, kind, action):
    assert decided(url, kind=kind, page=WIDGET).stops
    assert decided(url, kind=kind, page=WIDGET, lifted=True).action == action
