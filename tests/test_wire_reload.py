"""On the wire: a choice that is changed is in force within a second; a broken one never is."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from wire import BIN, Origin, configured, mitmdump, optout_run

pytestmark = pytest.mark.wire

GA = "https://www.google-analytics.com/g/collect?v=2&tid=G-ABCDE"
FB = "https://www.facebook.com/tr/?id=1&ev=PageView"
HOSTS = frozenset({"www.google-analytics.com", "www.facebook.com", "www.mass.gov"})
LINES = [
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Dest", "empty"),
    ("Referer", "https://www.mass.gov/"),
    ("Cookie", "id=1"),
]
WITHIN = 1.0
DOORS = pytest.mark.parametrize("door", [optout_run, mitmdump], ids=["optout-run", "mitmdump"])
PROTOCOLS = pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])


async def choose(config, *words):
    """`optout set`, its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        BIN / "optout", "set", *words, "--config", config,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def action(opened, client, url=GA):
    """What is done about a hit: answered here, or sent with or without its cookie."""
    got = await client.ask(url, headers=LINES)
    if (said := got.header(b"optout-proxy")) is not None:
        return said.split()[0].decode()
    if not got.body:
        return "lost"
    return "sent" if opened.origin.reached[-1].all("cookie") == ["id=1"] else "stripped"


async def becomes(opened, client, wanted, url=GA):
    """Seconds until a hit has the wanted outcome; five of something else is a failure."""
    start = time.monotonic()
    while time.monotonic() - start < 5:
        if await action(opened, client, url) == wanted:
            return time.monotonic() - start
        await asyncio.sleep(0.02)
    raise AssertionError(f"still {await action(opened, client, url)}, not {wanted}")


def lines_of(door, event):
    return [line for line in map(json.loads, door.written().splitlines()) if line["event"] == event]


def played(door, folder, play, level="block"):
    async def main():
        config = configured(folder, level)
        async with Origin(HOSTS).listening() as origin, door(origin, folder, config) as opened:
            return await play(opened)

    return asyncio.run(main())


@DOORS
@PROTOCOLS
def test_a_level_that_is_set_is_in_force_within_a_second(door, http2, tmp_path):
    async def play(opened):
        async with opened.client(http2=http2) as client:
            assert await action(opened, client) == "block"
            spans = []
            # `allow` takes the host out of inspection, the last two put it back.
            for level, outcome in (
                ("strip", "stripped"),
                ("block", "block"),
                ("allow", "sent"),
            ) * 2:
                code, said = await choose(opened.config, "google-analytics", level)
                assert code == 0, said
                spans.append(await becomes(opened, client, outcome))
            code, _ = await choose(opened.config, "google-analytics", "block")
            spans.append(await becomes(opened, client, "block"))
            assert await action(opened, client, FB) == "block"
        assert len(lines_of(opened, "settings-reloaded")) == len(spans)
        return spans

    assert max(played(door, tmp_path, play)) < WITHIN


BROKEN = (
    ("google-analytics = blok", "no TOML"),
    ('google-analytics = "blok"', "no level"),
    ('google-analitycs = "block"', "no tool"),
)


@DOORS
def test_a_broken_configuration_leaves_the_last_good_one_in_force_and_says_so(door, tmp_path):
    async def play(opened):
        good = opened.config.read_text()
        async with opened.client() as client:
            for number, (line, _) in enumerate(BROKEN, 1):
                opened.config.write_text(f"[opt_out]\n{line}\n")
                async with asyncio.timeout(5):
                    while len(lines_of(opened, "settings-refused")) < number:
                        assert await action(opened, client) == "block"
                        await asyncio.sleep(0.02)
                assert await action(opened, client) == await action(opened, client, FB) == "block"
            opened.config.unlink()
            await asyncio.sleep(0.7)
            assert await action(opened, client) == "block"
            opened.config.write_text(
                good.replace('facebook-pixel = "block"', 'facebook-pixel = "strip"')
            )
            await becomes(opened, client, "stripped", FB)
            assert await action(opened, client) == "block"
        assert opened.origin.hellos.count("www.google-analytics.com") == 0
        said = "".join(opened.said)
        assert "config.toml:2" in said
        assert said.count("refused") >= len(BROKEN)
        for note in lines_of(opened, "settings-refused")[: len(BROKEN)]:
            assert "config.toml:2" in note["why"]

    played(door, tmp_path, play)


def test_nothing_slips_through_while_settings_change(tmp_path):
    async def play(opened):
        done = asyncio.Event()

        async def load(number):
            outcomes = set()
            async with opened.client(http2=bool(number % 2), address=f"127.0.4.{number}") as client:
                while not done.is_set():
                    outcomes.add(await action(opened, client, FB))
            return outcomes

        loads = [asyncio.create_task(load(number)) for number in range(1, 5)]
        async with opened.client() as client:
            for level, outcome in (("strip", "stripped"), ("allow", "sent"), ("block", "block")):
                await choose(opened.config, "google-analytics", level)
                await becomes(opened, client, outcome)
        done.set()
        for outcomes in await asyncio.gather(*loads):
            assert outcomes == {"block"}
        assert "www.facebook.com" not in opened.origin.hellos

    played(optout_run, tmp_path, play)


def test_a_tunnel_is_closed_once_its_host_is_to_be_looked_into(tmp_path):
    async def play(opened):
        async with opened.client() as client:
            assert await action(opened, client) == "sent"
            await choose(opened.config, "google-analytics", "block")
            await becomes(opened, client, "block")
        assert lines_of(opened, "settings-reloaded")[0]["tunnels_closed"] == 1

    played(optout_run, tmp_path, play, level="allow")


def test_what_cannot_be_set_is_refused_and_changes_nothing(tmp_path):
    async def play(opened):
        before = opened.config.read_bytes()
        for words in (("nobody", "block"), ("google-analytics", "most")):
            code, said = await choose(opened.config, *words)
            assert (code, words[-1] in said or words[0] in said) == (2, True)
            assert opened.config.read_bytes() == before
        async with opened.client() as client:
            assert await action(opened, client) == "block"

    played(optout_run, tmp_path, play)
