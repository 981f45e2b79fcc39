"""On the wire: the ledger never knows what anybody did, only which tools were kept from what.

Every place of a request that can hold something personal holds a word of its own, a canary. None
of them is in any ledger file; the stand-in's record shows that they were there to be found.
"""

from __future__ import annotations

import asyncio
import json
import re
from itertools import count

import pytest

from wire import Origin, Reached, Reply, configured, optout_run, ours
from wire_table import hosts, rows

pytestmark = pytest.mark.wire

TABLE = rows()
EVERYWHERE = '[scope]\ninspect = "all"'
WILD = (
    *("_ga_{}", "_gat_{}", "_dc_gtm_UA-{}", "_gac_{}", "__utm{}", "_gaexp{}", "_opt_aw{}"),
    *("_gcl_{}", "FPGCL{}", "_4c_{}", "fsr.{}", "acs.{}", "_cer.{}", "_ce.{}"),
    *("ForeseeLoyalty_MID_{}", "ForeseeSurveyShown_{}", "{}"),
)
"""Names of cookies that a wildcard matches; the last is nobody's."""

BY_HAND = [
    ("https://connect.facebook.net/signals/config/{}?v=2", "script"),
    ("https://platform.twitter.com/embed/{}/Tweet.html?id={}", "subdocument"),
    ("https://script.crazyegg.com/pages/scripts/{}/{}.js?{}", "script"),
    ("https://www.google.com/pagead/1p-user-list/{}/?{}={}&gclid={}", "image"),
    ("https://www.google.com/aclk?adurl=https%3A%2F%2Fshop.example%2F{}&ai={}", "document"),
    ("https://www.mass.gov/{}?fbclid={}&gclid={}&{}=1", "document"),
    ("https://www.mass.gov/{}?v=2&tid=G-{}&cid={}", "image"),
    ("https://www.google-analytics.com/g/collect?v=2&tid=G-{}&cid={}&uid={}&ep.{}={}", "image"),
    ("https://syndication.twitter.com/settings?session_id={}", "xmlhttprequest"),
    ("https://projects.invisionapp.com/share/{}", "subdocument"),
    ("https://app.optimalworkshop.com/survey_status/questions/{}/active", "xmlhttprequest"),
    ("https://nobody.example/{}?fbclid={}", "document"),
]  # fmt: skip


class Canaries:
    """Words that are nowhere else; each is made once."""

    def __init__(self):
        self._numbers = count(1)
        self.made = []

    def __call__(self):
        self.made.append(f"canary{next(self._numbers):05}x")
        return self.made[-1]

    def fill(self, text):
        while "{}" in text:
            text = text.replace("{}", self(), 1)
        return text

    def lines(self):
        cookies = "; ".join(f"{self.fill(name)}={self()}" for name in WILD)
        return [
            ("Cookie", f"{cookies}; _fbp=fb.1.{self()}; session={self()}"),
            ("User-Agent", f"Browser/{self()}"),
            ("Authorization", f"Bearer {self()}"),
            ("If-None-Match", f'"{self()}"'),
            ("X-Client-Data", self()),
            (f"X-{self()}", self()),
        ]


def requests(canaries):
    """Every example with canaries put in, and some addresses made of them."""
    for row in TABLE:
        own = {"cookie", "user-agent", "referer", *(name.lower() for name, _ in canaries_names())}
        lines = [line for line in row.lines() if line[0].lower() not in own]
        if row.example.page:
            lines.append(("Referer", f"{row.example.page}{canaries()}?q={canaries()}"))
        mark = "&" if "?" in row.url else "?"
        body = f"{row.example.body}&more={canaries()}" if row.example.body else ""
        url = f"{row.url}{mark}more={canaries()}"
        yield row.example.method, url, [*lines, *canaries.lines()], body
    for text, kind in BY_HAND:
        lines = [("Sec-Fetch-Dest", {"subdocument": "iframe"}.get(kind, kind))]
        lines += [
            ("Sec-Fetch-Site", "cross-site"),
            ("Referer", f"https://www.mass.gov/{canaries()}"),
        ]
        yield "GET", canaries.fill(text), [*lines, *canaries.lines()], ""
    form = [("Content-Type", "application/x-www-form-urlencoded"), *canaries.lines()]
    for size in (100, 70_000):
        hit = f"v=2&tid=G-{canaries()}&cid={canaries()}&pad={'x' * size}"
        yield "POST", f"https://www.mass.gov/{canaries()}", form, hit
        answer = f"field68798989={canaries()}&field1={canaries()}&pad={'x' * size}"
        yield "POST", "https://www.formstack.com/forms/index.php", form, answer


def canaries_names():
    return Canaries().lines()


def coming_back(asked: Reached) -> Reply:
    """Cookies whose names are canaries too; made from what was asked, so that they are counted."""
    found = re.search(r"canary\d+x", f"{asked.target}{asked.headers}")
    word = found[0] if found else "canary00000x"
    cookies = tuple(("Set-Cookie", f"{name.format(word)}={word}; Path=/{word}") for name in WILD)
    return Reply(200, (*cookies, ("ETag", f'"{word}"'), ("Location", f"/{word}")), word.encode())


def played(door, folder, level, *, http2=False, more=EVERYWHERE):
    """The canaries of a whole run, the ledger's lines, the stand-in's record, what was printed."""

    async def main():
        canaries = Canaries()
        everyone = hosts(TABLE) | {"nobody.example", "shop.example"}
        config = configured(folder, level, more=more)
        async with Origin(everyone, coming_back).listening() as origin:
            async with (
                door(origin, folder, config) as opened,
                opened.client(http2=http2) as client,
            ):
                for method, url, lines, body in requests(canaries):
                    await client.ask(url, method=method, headers=lines, body=body.encode())
            record = "".join(f"{one.url}{one.headers}{one.body!r}" for one in origin.reached)
            return canaries.made, opened.written(), record, "".join(opened.said)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("level", "http2"), [("signal", True), ("strip", False), ("strip", True), ("block", False)]
)
def test_nothing_personal_is_in_the_ledger(level, http2, tmp_path):
    _, ledger, _, _ = played(ours, tmp_path, level, http2=http2)
    assert re.findall(r".{60}canary.{20}", ledger, re.IGNORECASE) == []
    lines = [json.loads(line) for line in ledger.splitlines()]
    told = {line["tool"] for line in lines if line["event"] == "request"}
    assert len(told) == 12, "every tool was enforced"
    if level != "signal":
        removed = {name for line in lines for name in line.get("removed", {}).get("cookies", ())}
        assert {"_ga_*", "_dc_gtm_*", "_gcl_*", "_fbp"} <= removed


def test_nor_in_what_the_command_prints(tmp_path):
    _, ledger, _, said = played(optout_run, tmp_path, "strip")
    assert "canary" not in ledger + said
    assert "ready on" in said


def test_control_all_of_it_was_there_to_be_written(tmp_path):
    # With the signal a page is changed, and asked for without the validators of what it was.
    silent = f"{EVERYWHERE}\n[signals]\ngpc = false"
    made, ledger, record, _ = played(ours, tmp_path, "allow", more=silent)
    lost = [word for word in made if word not in record]
    assert lost == []
    assert len(made) > 10_000
    assert "canary" not in ledger


def test_control_in_full_detail_addresses_are_in_the_ledger(tmp_path):
    more = f'{EVERYWHERE}\n[ledger]\nfolder = "ledger"\ndetail = "full"'
    config = configured(tmp_path, "block", more=more)
    text = config.read_text().replace('[ledger]\nfolder = "ledger"\n', "", 1)

    async def main():
        config.write_text(text)
        async with Origin(frozenset({"www.facebook.com"})).listening() as origin:
            async with ours(origin, tmp_path, config) as opened, opened.client() as client:
                await client.ask("https://www.facebook.com/tr/?id=1&ev=canary00001x")
            return opened.written()

    assert "canary00001x" in asyncio.run(main())


def test_a_fault_tells_its_kind_and_nothing_of_what_it_was_about(tmp_path, monkeypatch):
    def fails(_engine, request):
        raise ValueError(request.url)

    monkeypatch.setattr("optout_proxy.engine.Engine.decide", fails)

    async def main():
        async with Origin(frozenset({"www.facebook.com"})).listening() as origin:
            config = configured(tmp_path, "block")
            async with ours(origin, tmp_path, config) as opened, opened.client() as client:
                got = await client.ask("https://www.facebook.com/tr/?id=1&ev=canary00001x")
            return got, opened.written(), origin.connections

    got, ledger, connections = asyncio.run(main())
    assert (got.status, connections) == (503, 0)
    assert '"error":"ValueError"' in ledger
    assert "canary" not in ledger
