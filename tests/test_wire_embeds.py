"""On the wire: a frame inside a page is not a visit, and a visit is not a frame.

Both mistakes are looked for: a frame that keeps the visitor's identity, and a visit to the tool's
own site that loses it. Each row is a client of its own that does some things and then asks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from wire import Origin, Reached, Reply, configured, mitmdump, ours

pytestmark = pytest.mark.wire

GOV = "https://www.mass.gov/topics"
FB = "https://www.facebook.com/"
PAGE = FB + "massgov"
LIKE = FB + "plugins/like.php?href=https%3A%2F%2Fwww.mass.gov%2F"
BOX = FB + "v21.0/plugins/page.php?href=https%3A%2F%2Fwww.facebook.com%2Fmassgov"
API = FB + "api/graphql/"
SEEN = FB + "impression.php/abcde/?api_key=1234567890"
X = "https://twitter.com/massgov"
TWEET = "https://platform.twitter.com/embed/Tweet.html?id=1234567890"
SETTINGS = "https://syndication.twitter.com/settings?session_id=abcde"
CSE = "https://cse.google.com/cse?cx=0123456789:abcde"
RESULTS = "https://cse.google.com/cse/element/v1?cx=0123456789:abcde&q=fishing"
SEARCH = "https://www.google.com/search?q=fishing"
LIST = "https://www.google.com/pagead/1p-user-list/123456789/?random=1"

IDENTITY = "c_user=111; auth_token=ABCDE; SID=ABCDE"
HTML = "text/html,application/xhtml+xml"


@dataclass(frozen=True)
class Ask:
    """One request, as a browser would make it."""

    url: str
    page: str = ""
    dest: str = "empty"
    storage: str = ""
    """`Sec-Fetch-Storage-Access`: Chromium sends it in cross-site contexts only."""
    referer: str | None = None
    modern: bool = True
    """Whether the browser sends fetch metadata."""
    method: str = "GET"

    def lines(self) -> list[tuple[str, str]]:
        found = [("Accept", HTML if self.dest in {"document", "iframe"} else "*/*")]
        if self.modern:
            found += [("Sec-Fetch-Site", self._site()), ("Sec-Fetch-Dest", self.dest)]
        if self.storage:
            found.append(("Sec-Fetch-Storage-Access", self.storage))
        referer = self.page if self.referer is None else self.referer
        if referer:
            found.append(("Referer", referer))
        return [*found, ("Cookie", IDENTITY)]

    def _site(self) -> str:
        if not self.page:
            return "none"
        asks, asked = (urlsplit(url).hostname for url in (self.page, self.url))
        near = asks.split(".")[-2:] == asked.split(".")[-2:]
        return "same-origin" if asks == asked else "same-site" if near else "cross-site"


def visit(url, page="", **more):
    return Ask(url, page, "document", **more)


def frame(url, page=GOV, **more):
    return Ask(url, page, "iframe", **more)


def link_origin(url):
    """What the default referrer policy leaves of a page's address for another origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


@dataclass(frozen=True)
class Row:
    what: str
    asks: Ask
    after: tuple[Ask, ...] = field(default=())


FRAMES = [
    Row("Chromium says so", Ask(API, FB, storage="active")),
    Row("Chromium says so, without access", Ask(API, FB, storage="none")),
    Row("Chromium says so of an open site", Ask(API, BOX, storage="active"), (visit(PAGE),)),
    Row("the frame was seen to load", Ask(API, BOX, method="POST"), (frame(BOX),)),
    Row("the frame was seen before the visit", Ask(API, BOX), (frame(BOX), visit(PAGE))),
    Row("the frame was seen after the visit", Ask(API, BOX), (visit(PAGE), frame(BOX))),
    Row("nothing was seen and nobody visited", Ask(API, LIKE)),
    Row("nothing was seen, its address is cut", Ask(API, FB)),
    Row("a frame in the frame", Ask(API, BOX + "&inner"), (frame(BOX), frame(BOX + "&inner", BOX))),
    Row("the frame itself", frame(LIKE)),
    Row("the frame itself, while the site is open", frame(LIKE), (visit(PAGE),)),
    Row("the frame itself, in a browser that says little", frame(LIKE, modern=False)),
    Row("it asks from inside, in such a browser", Ask(API, LIKE, modern=False)),
    Row("its report of itself", Ask(SEEN, BOX, "image"), (frame(BOX),)),
    Row("another host", Ask(SETTINGS, TWEET, referer=link_origin(TWEET)), (frame(TWEET),)),
    Row("the same, told by Chromium", Ask(SETTINGS, TWEET, storage="none"), (visit(X),)),
    Row("a script of its own", Ask(TWEET + "&js", TWEET, "script"), (visit(X), frame(TWEET))),
    Row("a search box in a frame", Ask(RESULTS, CSE, "script", storage="none"), (visit(SEARCH),)),
    Row("a search box whose frame was seen", Ask(RESULTS, CSE, "script"), (frame(CSE),)),
    Row("an advertisement's report", Ask(LIST, GOV, "image"), (visit(SEARCH),)),
]  # fmt: skip
"""Requests from pages and from frames in them: these carry no identity."""

UNSEEN = [
    Row("its address is that of an embed", Ask(API, LIKE), (visit(PAGE),)),
    Row("an address of the same kind", Ask(TWEET + "&js", TWEET, "script"), (visit(X),)),
]
"""Frames that nobody saw load, of sites that are open too: the declared path is what tells."""

VISITS = [
    Row("typed in", visit(PAGE)),
    Row("followed from the page", visit(PAGE, GOV, referer=link_origin(GOV))),
    Row("followed from inside the frame", visit(PAGE, BOX), (frame(BOX),)),
    Row("logging in", visit(FB + "login.php", PAGE, method="POST"), (visit(PAGE),)),
    Row("what the page asks for", Ask(API, PAGE, method="POST"), (visit(PAGE),)),
    Row("while a frame is open elsewhere", Ask(API, PAGE), (visit(PAGE), frame(BOX))),
    Row("after a frame was open elsewhere", Ask(API, PAGE), (frame(BOX), visit(PAGE))),
    Row("the page's address is cut", Ask(API, PAGE, referer=FB), (visit(PAGE),)),
    Row("the page says not where it is", Ask(API, PAGE, referer=""), (visit(PAGE),)),
    Row("a frame of its own", Ask(API, FB + "chat"), (visit(PAGE), frame(FB + "chat", PAGE))),
    Row("another page of it, loaded in place", Ask(API, FB + "groups"), (visit(PAGE),)),
    Row("a plugin on the site itself", frame(LIKE, PAGE), (visit(PAGE),)),
    Row("a browser that says little", Ask(API, PAGE, modern=False), (visit(PAGE, modern=False),)),
    Row("the operator's other site", Ask(SETTINGS, X, referer=link_origin(X)), (visit(X),)),
    Row("a search page opened on purpose", Ask(RESULTS, CSE, "script"), (visit(CSE),)),
    Row("the site's own advertising", Ask(LIST, SEARCH, "image"), (visit(SEARCH),)),
    Row("logging in by a pop-up", visit(FB + "v21.0/dialog/oauth?client_id=1", GOV)),
    Row("logging in by a hidden frame", frame(FB + "dialog/oauth?client_id=1&display=none")),
]
"""Requests of visits: these go and come as they are."""

HOSTS = frozenset(
    urlsplit(ask.url).hostname
    for row in (*FRAMES, *UNSEEN, *VISITS)
    for ask in (row.asks, *row.after)
)


def stand_in(asked: Reached) -> Reply:
    return Reply(200, (("Set-Cookie", "c_user=222; Path=/"), ("ETag", '"1"')), b"stand-in")


async def _play(door, row, number, *, http2):
    """What reached the stand-in of a row's request, and what came back."""
    origin = door.origin
    async with door.client(http2=http2, address=f"127.0.2.{number + 1}") as client:
        for ask in (*row.after, row.asks):
            count = len(origin.reached)
            got = await client.ask(ask.url, method=ask.method, headers=ask.lines())
    return origin.reached[count:], got


def played(rows, level, folder, *, http2=False, door=ours):
    async def main():
        config = configured(folder, level)
        async with (
            Origin(HOSTS, stand_in).listening() as origin,
            door(origin, folder, config) as opened,
        ):
            return [await _play(opened, row, n, http2=http2) for n, row in enumerate(rows)]

    return asyncio.run(main())


def _identified(reached, got):
    """Whether anything that tells who asks was sent, or came back to be told next time."""
    sent = any("c_user" in one.cookies() or "SID" in one.cookies() for one in reached)
    return sent or any(value.startswith(b"c_user") for _, value in got.headers)


def keeping(rows, outcomes):
    """Rows whose request was sent with identity, or whose answer came back with it."""
    return [row.what for row, outcome in zip(rows, outcomes, strict=True) if _identified(*outcome)]


def changed(rows, outcomes):
    """Rows whose request or response did not go through as it was."""
    return [
        row.what
        for row, (reached, got) in zip(rows, outcomes, strict=True)
        if len(reached) != 1
        or reached[0].url != row.asks.url
        or reached[0].all("cookie") != [IDENTITY]
        or got.body != b"stand-in"
        or (got.header(b"set-cookie"), got.header(b"etag")) != (b"c_user=222; Path=/", b'"1"')
    ]


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("level", ["strip", "block"])
def test_a_frame_inside_a_page_never_tells_who_asks(level, http2, tmp_path):
    assert keeping(FRAMES, played(FRAMES, level, tmp_path, http2=http2)) == []


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("level", ["signal", "strip", "block"])
def test_a_visit_stays_logged_in(level, http2, tmp_path):
    assert changed(VISITS, played(VISITS, level, tmp_path, http2=http2)) == []


def test_a_frame_nobody_saw_is_told_by_its_declared_address(tmp_path):
    assert keeping(UNSEEN, played(UNSEEN, "strip", tmp_path)) == []


def test_what_one_client_visited_tells_nothing_of_another(tmp_path):
    rows = [Row("the visitor", Ask(API, FB), (visit(PAGE),)), Row("another", Ask(API, FB))]
    assert keeping(rows, played(rows, "strip", tmp_path)) == ["the visitor"]


def test_control_without_the_product_every_frame_tells_who_asks(tmp_path):
    def bare(origin, folder, _config):
        return mitmdump(origin, folder, None)

    outcomes = played(FRAMES, "strip", tmp_path, door=bare)
    assert keeping(FRAMES, outcomes) == [row.what for row in FRAMES]


def test_control_were_visits_taken_for_frames_their_login_would_be_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("optout_proxy.proxy.visits.Visits.embed", lambda *_: True)
    lost = changed(VISITS, played(VISITS, "strip", tmp_path))
    assert {"what the page asks for", "the page's address is cut"} <= set(lost)
