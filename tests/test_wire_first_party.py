"""On the wire: what tools keep on a page's own host, and what is said to it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from wire import Origin, Reached, Reply, configured, mitmdump, ours

pytestmark = pytest.mark.wire

GOV = "https://www.mass.gov/topics"
HOSTS = frozenset(
    [
        *("www.mass.gov", "mass.gov", "blog.mass.gov", "shop.example"),
        *("www.formstack.com", "www.google-analytics.com"),
    ]
)
PROTOCOLS = pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])

TOOLS = {
    "google-analytics": "_ga _ga_ABCDE _gid _gat _gat_gtag_UA_1 _dc_gtm_UA-1 __utma __utmz FPID",
    "google-adwords": "_gcl_au _gcl_aw _gac_UA-1 __gads",
    "facebook-pixel": "_fbp _fbc",
    "crazy-egg": "_ceir _ce.s cebs",
    "foresee": "fsr.s acs.t _4c_",
}
"""First-party cookies of each tool, from the fact sheets."""
THEIRS = [name for names in TOOLS.values() for name in names.split()]
SITES_OWN = [
    "session",
    "ga",
    "xga_",
    "_gaq",
    "_fbpx",
    "my_gcl_au",
    "fbsr_111",
    "lang",
    "AMP_TOKENS",
]
"""Cookies that only look alike, among those of the site itself."""


@dataclass(frozen=True)
class Sent:
    """One request of a test: what it asks, and how."""

    url: str = GOV
    dest: str = "document"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: bytes = b""
    measured: bool = True
    page: str = GOV
    site: str = ""

    def lines(self) -> list[tuple[str, str]]:
        is_page = self.dest == "document"
        site = "none" if is_page else "same-origin" if "www.mass.gov" in self.url else "cross-site"
        site = self.site or site
        found = [("Sec-Fetch-Site", site), ("Sec-Fetch-Dest", self.dest)]
        given = {name for name, _ in self.headers}
        asker = [] if is_page or "Referer" in given else [("Referer", self.page)]
        return [*found, *asker, *self.headers]


@dataclass
class Came:
    """What came of it."""

    reached: Reached | None
    got: object
    ledger: list[dict[str, object]] = field(default_factory=list)

    @property
    def cookies_set(self) -> list[str]:
        return [value.decode() for name, value in self.got.headers if name.lower() == b"set-cookie"]


def asked(folder, *all_sent, level=None, more="", http2=False, reply=None, door=ours, **levels):
    """What came of each request, asked one after another through a proxy of its own."""

    async def main():
        origin = Origin(HOSTS, reply or (lambda _: Reply()))
        came = []
        config = configured(folder, level, more=more, **levels)
        async with origin.listening(), door(origin, folder, config) as opened:
            async with opened.client(http2=http2) as client:
                for sent in all_sent:
                    count = len(origin.reached)
                    got = await client.ask(
                        sent.url, method=sent.method, headers=sent.lines(), body=sent.body,
                        measured=sent.measured,
                    )  # fmt: skip
                    came.append(Came(next(iter(origin.reached[count:]), None), got))
            lines = [json.loads(line) for line in opened.written().splitlines()]
        for one in came:
            one.ledger = lines
        return came

    return asyncio.run(main())


def cookie_line(names):
    return "; ".join(
        f'{name}=v-{number}"=%3D é'.encode().decode("latin-1") for number, name in enumerate(names)
    )


# Cookies, by name.


def mixed():
    """Both kinds, one of the site's own after every two of the tools'."""
    theirs, own = iter(THEIRS), iter(SITES_OWN)
    while pair := [*(next(theirs, None), next(theirs, None), next(own, None))]:
        if pair == [None, None, None]:
            return
        yield from (name for name in pair if name)


NAMES = list(mixed())


@PROTOCOLS
@pytest.mark.parametrize("dest", ["document", "style", "empty"])
@pytest.mark.parametrize("level", ["strip", "block"])
def test_tools_cookies_leave_requests_and_the_others_stay_byte_for_byte(
    level, dest, http2, tmp_path
):
    whole = cookie_line(NAMES)
    kept = "; ".join(p for p in whole.split("; ") if p.partition("=")[0] in SITES_OWN)
    (came,) = asked(
        tmp_path, Sent(dest=dest, headers=(("Cookie", whole),)), level=level, http2=http2
    )
    assert came.reached.all("cookie") == [kept]


@pytest.mark.parametrize("level", ["allow", "signal"])
def test_below_strip_a_page_keeps_every_cookie(level, tmp_path):
    whole = cookie_line(NAMES)
    (came,) = asked(tmp_path, Sent(headers=(("Cookie", whole),)), level=level)
    assert came.reached.all("cookie") == [whole]


def test_each_tool_takes_its_own_cookies_and_no_others(tmp_path):
    for tool, names in TOOLS.items():
        levels = {"level": "allow", tool: "strip"}
        (came,) = asked(tmp_path / tool, Sent(headers=(("Cookie", cookie_line(NAMES)),)), **levels)
        shared = {"_gac_UA-1"} if tool == "google-analytics" else set()
        gone = set(NAMES) - set(came.reached.cookies())
        assert gone == set(names.split()) | shared


def _browser(sets, host):
    """The domains that lines with Max-Age=0 or a past date clear each name on: '' is the host."""
    cleared: dict[str, set[str]] = {}
    for line in sets:
        pair, *attributes = line.split("; ")
        known = {key.lower(): value for key, _, value in (one.partition("=") for one in attributes)}
        if known.get("max-age") == "0" or "1970" in known.get("expires", ""):
            assert known.get("path") == "/"
            cleared.setdefault(pair.partition("=")[0], set()).add(known.get("domain", ""))
    return cleared


@PROTOCOLS
def test_they_are_expired_in_the_browser_on_the_host_and_its_parents(http2, tmp_path):
    cookies = (("Cookie", "_ga=GA1.1.111.222; session=1; _fbp=fb.1.2.3"),)
    sent = [Sent(f"https://{host}/", headers=cookies) for host in ("www.mass.gov", "mass.gov")]
    www, apex = asked(tmp_path, *sent, level="strip", http2=http2)
    everywhere = {"", "www.mass.gov", "mass.gov"}
    for name in ("_ga", "_fbp"):
        # The host alone, and with a Domain each domain a script may have set it for. `gov` is a
        # public suffix: no cookie is there.
        assert _browser(www.cookies_set, "www.mass.gov")[name] <= everywhere
        assert _browser(www.cookies_set, "www.mass.gov")[name] >= {"", "mass.gov"}
        assert "mass.gov" in _browser(apex.cookies_set, "mass.gov")[name] | {"mass.gov"}
    assert "session" not in _browser(www.cookies_set, "www.mass.gov")


SETS = (
    "session=1; Path=/; HttpOnly",
    "_ga=GA1.1.111.222; Domain=.mass.gov; Path=/; Max-Age=63072000",
    "  odd = spaced ; path=/; ext=é".encode().decode("latin-1"),
    "_gcl_au=1.1.111.222; Path=/",
    "_fbp=fb.1.2.3; Secure",
    "session=2; Path=/topics",
    "_ga_ABCDE=GS1.1.2",
    "nothing",
)


@PROTOCOLS
def test_tools_cookies_leave_responses_and_the_others_stay_byte_for_byte(http2, tmp_path):
    def reply(_asked):
        return Reply(200, tuple(("Set-Cookie", line) for line in SETS))

    (came,) = asked(tmp_path, Sent(dest="style"), level="block", http2=http2, reply=reply)
    wanted = [line.strip() for line in SETS if line.split("=")[0] not in THEIRS]
    got = [v.decode("latin-1") for n, v in came.got.headers if n.lower() == b"set-cookie"]
    assert got == wanted


def test_a_site_that_is_not_inspected_keeps_everything(tmp_path):
    sent = Sent("https://shop.example/?fbclid=ABCDE", headers=(("Cookie", cookie_line(NAMES)),))
    (came,) = asked(tmp_path, sent, level="block")
    assert came.reached.all("cookie") == [cookie_line(NAMES)]
    assert came.reached.target == "/?fbclid=ABCDE"
    assert not came.reached.all("sec-gpc")


def test_with_everything_inspected_any_site_loses_them(tmp_path):
    sent = Sent("https://shop.example/?fbclid=ABCDE", headers=(("Cookie", cookie_line(NAMES)),))
    (came,) = asked(tmp_path, sent, level="block", more='[scope]\ninspect = "all"')
    assert set(came.reached.cookies()) == set(SITES_OWN)
    assert came.reached.target == "/"


# The policy's general opt-out: cookies that end with the session.

LASTING = (
    "session=1; Path=/; Max-Age=3600; HttpOnly",
    "id=2; Expires=Wed, 24 Nov 2027 00:00:00 GMT; Path=/; Secure",
    "both=3; max-age=10; Domain=mass.gov; expires=Wed, 24 Nov 2027 00:00:00 GMT; SameSite=Lax",
    "short=4; Path=/",
    "gone=; Max-Age=0; Path=/",
)


def test_lasting_cookies_become_session_cookies_where_chosen(tmp_path):
    def reply(_asked):
        return Reply(200, tuple(("Set-Cookie", line) for line in LASTING))

    more = '[scope]\ninspect = "all"\n[signals]\npersistent_cookies = "session"'
    sent = [Sent(dest="style"), Sent("https://shop.example/a.css", "style")]
    own, other = asked(tmp_path, *sent, level="block", more=more, reply=reply)
    assert own.cookies_set == [
        "session=1; Path=/; HttpOnly",
        "id=2; Path=/; Secure",
        "both=3; Domain=mass.gov; SameSite=Lax",
        "short=4; Path=/",
        "gone=; Max-Age=0; Path=/",  # a cookie that is being deleted goes on being deleted
    ]
    assert other.cookies_set == list(LASTING)
    (kept,) = asked(tmp_path, Sent(dest="style"), level="block", reply=reply)
    assert kept.cookies_set == list(LASTING)


# Sec-GPC.


@PROTOCOLS
@pytest.mark.parametrize("own", [(), ("1",), ("0",), ("1", "1"), ("0", "1"), ("?1",)], ids=",".join)
def test_gpc_is_said_once(own, http2, tmp_path):
    headers = tuple(("Sec-GPC", value) for value in own)
    (came,) = asked(tmp_path, Sent(headers=headers), level="block", http2=http2)
    assert came.reached.all("sec-gpc") == ["1"]


EXCEPTED = '[sites."www.mass.gov"]\ngpc = false'
HIT = Sent("https://www.google-analytics.com/g/collect?v=2&tid=G-ABCDE", "empty")


def test_gpc_is_not_said_on_a_site_that_is_excepted_nor_to_what_its_pages_ask_for(tmp_path):
    sent = [Sent(), HIT, Sent("https://blog.mass.gov/"), Sent(headers=(("Sec-GPC", "1"),))]
    page, hit, other, own = asked(tmp_path, *sent, level="signal", more=EXCEPTED)
    assert page.reached.all("sec-gpc") == []
    assert hit.reached.all("sec-gpc") == []
    assert other.reached.all("sec-gpc") == ["1"]
    assert own.reached.all("sec-gpc") == ["1"]  # the browser's own word stays


def test_gpc_is_not_said_where_it_is_not_wanted_at_all(tmp_path):
    page, hit = asked(tmp_path, Sent(), HIT, level="signal", more="[signals]\ngpc = false")
    assert page.reached.all("sec-gpc") == hit.reached.all("sec-gpc") == []


# Click ids.

CLICKED = (
    "?a=1&fbclid=ABCDE&b=%20+x%E9;&gclid=ABCDE&&c&gclid&twclid=ABCDE&=d&dclid=1&e=fbclid=2&_gl=1*a"
)
LEFT = "?a=1&b=%20+x%E9;&&c&=d&e=fbclid=2"


@PROTOCOLS
def test_click_ids_leave_links_followed_and_the_rest_stays_byte_for_byte(http2, tmp_path):
    sent = [Sent(GOV + CLICKED), Sent(GOV + CLICKED, "image"), Sent(GOV + "?fbclid=ABCDE")]
    page, image, bare = asked(tmp_path, *sent, level="block", http2=http2)
    assert page.reached.target == "/topics" + LEFT
    assert image.reached.target == "/topics" + CLICKED
    assert bare.reached.target == "/topics"


def test_an_exception_for_a_site_holds_for_its_tool_alone(tmp_path):
    more = '[sites."mass.gov"]\nfacebook-pixel = "allow"'
    sent = Sent(GOV + "?fbclid=A&gclid=B", headers=(("Cookie", "_fbp=1; _ga=2"),))
    (came,) = asked(tmp_path, sent, level="block", more=more)
    assert came.reached.target == "/topics?fbclid=A"
    assert came.reached.all("cookie") == ["_fbp=1"]


# Bodies.

FORM = "https://www.formstack.com/forms/index.php"
ANSWER = b"form=2521317&field1=hello%20+there&field68798989=ABCDE-12345&field68557708=111222&=&x"
BLANKED = b"form=2521317&field1=hello%20+there&field68798989=&field68557708=111222&=&x"
AS_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


@PROTOCOLS
@pytest.mark.parametrize("dest", ["document", "empty"])
@pytest.mark.parametrize("site", ["cross-site", "same-origin"])
def test_the_device_id_in_an_answered_form_is_emptied(site, dest, http2, tmp_path):
    page = GOV if site == "cross-site" else FORM
    sent = Sent(FORM, dest, (*AS_FORM, ("Referer", page)), "POST", ANSWER, page=page, site=site)
    (came,) = asked(tmp_path, sent, level="strip", http2=http2)
    assert came.reached.body == BLANKED
    assert came.reached.all("content-length") == [str(len(BLANKED))]


def test_below_strip_a_form_goes_as_it_was_answered(tmp_path):
    for level in ("allow", "signal"):
        sent = Sent(FORM, "document", AS_FORM, "POST", ANSWER)
        (came,) = asked(tmp_path / level, sent, level=level)
        assert came.reached.body == ANSWER


RELAY = "https://www.mass.gov/stats/canary-path"
PEEKED = 64 * 1024


def hit_of(size, kind=b"v=2&tid=G-ABCDE12345&cid=111.222&en=page_view&pad="):
    return kind + b"x" * (size - len(kind))


@PROTOCOLS
@pytest.mark.parametrize("size", [64, 1000, PEEKED])
@pytest.mark.parametrize("level", ["strip", "block"])
def test_a_hit_on_the_sites_own_host_is_known_by_its_body(level, size, http2, tmp_path):
    sent = Sent(RELAY, "empty", AS_FORM, "POST", hit_of(size))
    (came,) = asked(tmp_path, sent, level=level, http2=http2)
    assert came.reached is None
    assert came.got.header(b"optout-proxy") == b"block google-analytics"
    assert came.got.status == 204


@PROTOCOLS
@pytest.mark.parametrize(
    ("size", "measured"), [(PEEKED + 1, True), (300_000, True), (64, False)],
    ids=["a byte too large", "much too large", "of unknown length"],
)  # fmt: skip
def test_a_body_that_is_not_looked_into_goes_on_and_is_noted(size, measured, http2, tmp_path):
    sent = Sent(RELAY, "empty", AS_FORM, "POST", hit_of(size), measured)
    (came,) = asked(tmp_path, sent, level="block", http2=http2)
    assert came.reached.body == hit_of(size)
    (note,) = [line for line in came.ledger if line["event"] == "body-not-inspected"]
    assert note["host"] == "www.mass.gov"
    assert "canary-path" not in json.dumps(came.ledger)


def test_an_ordinary_answer_to_the_sites_own_host_goes_on_whole(tmp_path):
    bodies = [
        b"q=2&tid=none",
        b"",
        hit_of(500, b"v=1&tid=G-1&"),
        b"v=2&tid=AW-1",
        b"\x00\xff" * 999,
    ]
    sent = [Sent(RELAY, "empty", AS_FORM, "POST", body) for body in bodies]
    for came, body in zip(asked(tmp_path, *sent, level="block"), bodies, strict=True):
        assert came.reached.body == body
    assert [line for line in came.ledger if line["event"] == "body-not-inspected"] == []


# The control.


def test_control_without_the_product_nothing_of_this_is_so(tmp_path):
    def bare(origin, folder, _config):
        return mitmdump(origin, folder, None)

    def reply(_asked):
        return Reply(200, tuple(("Set-Cookie", line) for line in (*SETS, *LASTING)))

    sent = [
        Sent(GOV + CLICKED, headers=(("Cookie", cookie_line(NAMES)),)),
        Sent(FORM, "document", AS_FORM, "POST", ANSWER),
        Sent(RELAY, "empty", AS_FORM, "POST", hit_of(64)),
    ]
    page, form, hit = asked(tmp_path, *sent, door=bare, reply=reply)
    assert page.reached.all("cookie") == [cookie_line(NAMES)]
    assert page.reached.target == "/topics" + CLICKED
    assert page.reached.all("sec-gpc") == []
    assert len(page.cookies_set) == len(SETS) + len(LASTING)
    assert form.reached.body == ANSWER
    assert hit.reached.body == hit_of(64)
