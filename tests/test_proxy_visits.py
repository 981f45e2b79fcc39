"""A visit to a site, or a frame inside a page: both mistakes, one that keeps an identity in an
embed and one that breaks a visit, are rows here."""

from __future__ import annotations

import pytest

from optout_proxy.proxy.visits import Visits, signs_of

PAGE = "https://www.mass.gov/"
PLUGIN = "https://www.facebook.com/plugins/like.php?href=x"
HOME = "https://www.facebook.com/"
CALL = "https://www.facebook.com/ajax/bz"
TIMELINE = "https://platform.twitter.com/embed/Timeline.html"
COUSIN = "https://syndication.twitter.com/settings"
CDN = "https://static.xx.fbcdn.net/rsrc.php"


def headers(**fields):
    lines = tuple(
        (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
    )
    return signs_of(lines)


def document(url, site="none", **more):
    return url, headers(Sec_Fetch_Dest="document", Sec_Fetch_Site=site, **more)


def frame(url, site="cross-site", **more):
    return url, headers(Sec_Fetch_Dest="iframe", Sec_Fetch_Site=site, **more)


def call(url, site="same-origin", **more):
    return url, headers(Sec_Fetch_Dest="empty", Sec_Fetch_Site=site, **more)


def taken(visits, client, asked):
    """What a request is taken for in the end, where no tool declares the asker as its embed."""
    sure = visits.embed(client, *asked)
    return visits.guess(client, *asked) if sure is None else sure


STORAGE = {"Sec_Fetch_Storage_Access": "active"}
BOTH = [document(PAGE), frame(PLUGIN, Referer=PAGE), document(HOME)]

ROWS = [
    ("a request from a visit", [document(HOME)], call(CALL, Referer=HOME), False),
    ("one from a frame", [document(PAGE), frame(PLUGIN)], call(CALL, Referer=PLUGIN), True),
    ("one from a frame while the site is visited too", BOTH, call(CALL, Referer=PLUGIN), True),
    ("one from a visit while the site is framed too", BOTH, call(CALL, Referer=HOME), False),
    ("one Chromium marks", [document(HOME)], call(CALL, Referer=HOME, **STORAGE), True),
    (
        "one Chromium marks that goes to another site of the visit",
        [document("https://www.instagram.com/")],
        call(CALL, "cross-site", Referer="https://www.instagram.com/", **STORAGE),
        False,
    ),
    (
        "one to another site from a frame, its Referer cut to the origin",
        [document(PAGE), frame(PLUGIN)],
        call(CDN, "cross-site", Referer=HOME, **STORAGE),
        True,
    ),
    (
        "one from an address pushed by script",
        [document(HOME)],
        call(CALL, Referer=HOME + "friends"),
        False,
    ),
    ("one from a site nobody navigated to", [], call(CALL, Referer=HOME), True),
    (
        "one to a cousin, from a frame that tells its host only, while the site is visited too",
        [document("https://twitter.com/home"), frame(TIMELINE, Referer=PAGE)],
        call(COUSIN, "same-site", Referer="https://platform.twitter.com/"),
        True,
    ),
    (
        "one to a cousin, from a visit that tells its host only, while a cousin is framed too",
        [document("https://twitter.com/home"), frame(TIMELINE, Referer=PAGE)],
        call(COUSIN, "same-site", Referer="https://twitter.com/"),
        False,
    ),
    (
        "one to a cousin, from a host that is both visited and framed",
        [document(TIMELINE), frame(TIMELINE, Referer=PAGE)],
        call(COUSIN, "same-site", Referer="https://platform.twitter.com/"),
        False,
    ),
    ("one without Referer from a visited site", [document(HOME)], call(CALL), False),
    ("one without Referer from a site only framed", [frame(PLUGIN)], call(CALL), True),
    ("one without Referer to another site", [document(PAGE)], call(CALL, "cross-site"), False),
    ("one of which nothing is known", [], (CALL, {}), False),
    ("a visit itself", [], document(HOME), False),
    (
        "a frame's own request, from a visited page",
        [document(PAGE)],
        frame(PLUGIN, Referer=PAGE),
        False,
    ),
    (
        "a frame of the visited site itself",
        [document(HOME), frame(PLUGIN, "same-origin", Referer=HOME)],
        call(CALL, Referer=PLUGIN),
        False,
    ),
    (
        "a frame within a frame",
        [frame(PLUGIN), frame(HOME + "inner", "same-origin", Referer=PLUGIN)],
        call(CALL, Referer=HOME + "inner"),
        True,
    ),
    (
        "a fragment in the address that was asked for",
        [frame(PLUGIN + "#top")],
        call(CALL, Referer=PLUGIN),
        True,
    ),
    (
        "a browser without fetch metadata, its address typed",
        [(HOME, headers(Accept="text/html,*/*"))],
        (CALL, headers(Referer=HOME, Accept="*/*")),
        False,
    ),
    (
        "a browser without fetch metadata, a frame in another page",
        [(PLUGIN, headers(Accept="text/html,*/*", Referer=PAGE))],
        (CALL, headers(Referer=PLUGIN, Accept="*/*")),
        True,
    ),
]


@pytest.mark.parametrize(("what", "before", "asked", "embed"), ROWS, ids=[row[0] for row in ROWS])
def test_who_asks_is_told_by_what_was_opened(what, before, asked, embed):
    visits = Visits()
    for url, fields in before:
        visits.saw("10.0.0.1", url, fields)
    assert taken(visits, "10.0.0.1", asked) is embed


UNSURE = [
    ("an address pushed by script", [document(HOME)], call(CALL, Referer=HOME + "friends")),
    ("a site nobody navigated to", [], call(CALL, Referer=HOME)),
    ("nobody", [], (CALL, {})),
]


@pytest.mark.parametrize(("what", "before", "asked"), UNSURE, ids=[row[0] for row in UNSURE])
def test_without_a_sure_sign_declared_embeds_come_first(what, before, asked):
    visits = Visits()
    for url, fields in before:
        visits.saw("10.0.0.1", url, fields)
    assert visits.embed("10.0.0.1", *asked) is None


def test_what_one_client_opened_says_nothing_about_another():
    visits = Visits()
    visits.saw("10.0.0.1", *document(HOME))
    assert taken(visits, "10.0.0.2", call(CALL, Referer=HOME)) is True


def test_a_visit_is_forgotten_when_nothing_is_heard_of_it():
    now = [0.0]
    visits = Visits(lambda: now[0], keep=60)
    visits.saw("a", *document(HOME))
    for now[0] in (50, 100, 150):
        assert taken(visits, "a", call(CALL, Referer=HOME)) is False
    now[0] = 211
    assert taken(visits, "a", call(CALL, Referer=HOME)) is True


def test_a_page_kept_open_keeps_the_whole_site_a_visit():
    now = [0.0]
    visits = Visits(lambda: now[0], keep=60)
    visits.saw("a", *document(HOME))
    for now[0] in (50, 100):
        visits.embed("a", *call(CALL, Referer=HOME))
    assert taken(visits, "a", call(CALL, Referer=HOME + "friends")) is False


def test_an_embed_loaded_once_is_stopped_again_when_nothing_is_heard_of_it():
    now = [0.0]
    visits = Visits(lambda: now[0])
    visits.lift("a", "www.facebook.com")
    for now[0] in (50, 100):
        assert visits.is_lifted("a", "www.facebook.com")
    assert not visits.is_lifted("a", "platform.twitter.com")
    assert not visits.is_lifted("b", "www.facebook.com")
    now[0] = 161
    assert not visits.is_lifted("a", "www.facebook.com")


def test_what_an_embed_loaded_once_asks_elsewhere_is_no_visit_though_its_host_is_visited():
    visits = Visits()
    for url, signs in (document(TIMELINE), frame(TIMELINE, Referer=PAGE)):
        visits.saw("a", url, signs)
    asked = call(COUSIN, "same-site", Referer="https://platform.twitter.com/")
    assert taken(visits, "a", asked) is False
    visits.lift("a", "platform.twitter.com")
    assert taken(visits, "a", asked) is True
    own = call("https://platform.twitter.com/x", Referer="https://platform.twitter.com/pushed")
    assert taken(visits, "a", own) is False


def test_memory_is_bounded_whatever_is_opened():
    visits = Visits(clients=3, entries=10)
    for client in range(10):
        for page in range(100):
            visits.saw(str(client), *document(f"https://site{page}.example/" + "a" * 1000))
    assert len(visits._memory) == 3
    assert all(len(one.documents._flags) == 10 for one in visits._memory.values())
    assert all(len(one.sites._flags) == 10 for one in visits._memory.values())
