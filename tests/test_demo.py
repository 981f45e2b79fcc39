"""`optout demo`: what it shows holds with the product, and does not hold without it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import warnings
from functools import cache

import msgspec
import pytest
from rich.console import Console

with warnings.catch_warnings():
    # ldap3, which mitmproxy imports, uses names that pyasn1 has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.addons  # noqa: F401

from optout_proxy import shipped
from optout_proxy.demo import origins, screen, table
from optout_proxy.demo import show as module
from optout_proxy.demo.browser import Got, header_lines
from optout_proxy.demo.network import Loopback
from optout_proxy.demo.origins import Arrival, Traffic
from optout_proxy.demo.promise import Fate, Outcome
from optout_proxy.demo.show import LIMIT, show
from optout_proxy.demo.table import ASKS, PERSON, TOOLS
from optout_proxy.engine import Engine
from optout_proxy.errors import OptoutError
from optout_proxy.ledger import verify
from optout_proxy.registry import load

pytestmark = pytest.mark.wire

LEVELS = ("allow", "signal", "strip", "block")
COMMAND = "from optout_proxy.cli.main import main; main()"


@cache
def registry():
    return load(shipped.folder() / "config.toml")


def chosen(**changes):
    """The shipped configuration with other choices."""
    choices = msgspec.structs.replace(registry().choices, **changes)
    tools = [file.tool for file in registry().tool_files.values()]
    engine = Engine(tools, choices, registry().resources)
    return msgspec.structs.replace(registry(), choices=choices, engine=engine)


def everywhere(level):
    return chosen(levels=dict.fromkeys(registry().choices.levels, level))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The show of the shipped configuration, and the folder it was given."""
    folder = tmp_path_factory.mktemp("demo")
    return show(registry(), folder), folder


@pytest.fixture(scope="module")
def unenforced(tmp_path_factory):
    """The same promises, and a proxy that keeps none of them."""
    nothing = msgspec.structs.replace(registry(), engine=registry().at("allow"))
    return show(nothing, tmp_path_factory.mktemp("nothing"))


# With the product.


def test_the_shipped_configuration_gets_what_it_says(shown):
    found, _ = shown
    assert list(found.differences) == []
    assert found.proved


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_had_everything_without_the_product_and_with_it_what_its_level_leaves(shown, tool):
    found, _ = shown
    row = next(row for row in found.tools if row.id == tool)
    assert row.level == {"google-tag-manager": "strip", "google-site-search": "strip"}.get(
        tool, "block"
    )
    for one in row.tracking:
        assert (one.without.requests, one.without.cookies) == (1, one.tried.cookies)
        assert one.without.identifiers == one.tried.identifiers
        assert (one.through.cookies, one.through.identifiers) == (0, 0)
        arrives = row.level == "strip" and one.role != "telemetry"
        assert one.through.requests == arrives
    assert sum(one.tried.cookies + one.tried.identifiers for one in row.tracking) > 0


@pytest.mark.parametrize("level", ["signal", "strip", "block"])
def test_any_level_above_allow_is_kept_by_every_tool(level, tmp_path):
    found = show(everywhere(level), tmp_path)
    assert list(found.differences) == []
    assert {row.level for row in found.tools} == {level}


CHOICES = {
    "an account of one operator, three levels": {
        "levels": {tool: LEVELS[n % 4] for n, tool in enumerate(TOOLS)}
    },
    "the same the other way round": {
        "levels": {tool: LEVELS[3 - n % 4] for n, tool in enumerate(TOOLS)}
    },
    "on the policy's pages only": {"pages": "policy"},
    "everything looked into": {"inspect": "all"},
    "no Global Privacy Control": {"gpc": False},
    "no policy": {"policy_sites": frozenset()},
    "cookies for the session only": {"persistent_cookies": "session"},
    "an exception for the site": {
        "sites": {"mass.gov": {"facebook-like": "allow", "google-analytics": "signal"}}
    },
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_promises_follow_the_users_choices(name, tmp_path):
    assert list(show(chosen(**CHOICES[name]), tmp_path).differences) == []


def test_the_ledger_of_the_show_verifies_and_holds_no_value(shown):
    found, folder = shown
    verified = verify(folder / "ledger")
    assert (verified.state, verified.unclosed, verified.lines) == ("ok", (), found.ledger_lines)
    written = b"".join(path.read_bytes() for path in (folder / "ledger").iterdir())
    assert PERSON.encode() not in written


# Without it: what shows must not be shown by everything.


def test_a_proxy_that_enforces_nothing_fails_for_every_tool(unenforced):
    assert not unenforced.proved
    assert [row.id for row in unenforced.tools if row.kept] == []
    assert unenforced.site.broken


def test_with_everything_allowed_everything_passes_and_nothing_is_proved(tmp_path):
    found = show(everywhere("allow"), tmp_path)
    assert all(row.kept for row in found.tools)
    assert all(one.through == one.tried for row in found.tools for one in row.requests)
    assert list(found.differences) == ["no tool is opted out, so there is nothing to show"]
    assert not found.proved


@pytest.mark.parametrize("tool", TOOLS)
def test_a_proxy_that_forgets_one_tool_fails_for_that_tool(tool, tmp_path):
    forgetful = chosen(levels=registry().choices.levels | {tool: "allow"}).engine
    found = show(msgspec.structs.replace(registry(), engine=forgetful), tmp_path)
    assert [row.id for row in found.tools if not row.kept] == [tool]
    assert not found.proved


TRACKED = next(ask for ask in ASKS if ask.tool == "google-site-search" and ask.role == "collects")
ANSWER = ((b"Optout-Proxy", b"block google-site-search"), (b"Content-Type", b"text/javascript"))
CLEAN = (
    (b"Host", b"cse.google.com"),
    (b"Sec-GPC", b"1"),
    (b"Cookie", b"SOCS=consent1; CONSENT=yes1"),
    (b"Referer", b"https://www.mass.gov/"),
)
STRIPPED = TRACKED.target.replace(f"&gs_l={PERSON}", "")


def outcome(*, arrived=True, target=STRIPPED, headers=CLEAN, body=b"", answer=(), connected=True):
    requests = [Arrival(TRACKED.host, target, headers, body)] if arrived else []
    connections = [TRACKED.host] if connected else []
    return Outcome(Traffic(connections, list(connections), requests), Got(200, answer))


def with_line(name, value):
    return tuple((key, value if key == name else old) for key, old in CLEAN)


KEPT = {
    "strip": outcome(),
    "block": outcome(arrived=False, connected=False, answer=ANSWER),
}
BROKEN = [
    ("block", outcome(arrived=False, answer=ANSWER), "connection"),
    ("block", outcome(answer=ANSWER), "it arrived"),
    ("block", outcome(arrived=False, connected=False), "the answer says"),
    ("block", outcome(arrived=False, connected=False, answer=(*ANSWER[:1],)), "no script"),
    ("strip", outcome(arrived=False), "0 requests arrived"),
    ("strip", outcome(target=TRACKED.target), "who the visitor is"),
    ("strip", outcome(target=STRIPPED + "&more=1"), "arrived as"),
    ("strip", outcome(body=f"id={PERSON}".encode()), "who the visitor is"),
    ("strip", outcome(headers=with_line(b"Cookie", b"SOCS=consent1")), "CONSENT"),
    ("strip", outcome(headers=with_line(b"Cookie", f"SID={PERSON}".encode())), "who the visitor"),
    ("strip", outcome(headers=with_line(b"Referer", table.PAGE.encode())), "tells the page"),
    ("strip", outcome(headers=with_line(b"Sec-GPC", b"0")), "Sec-GPC"),
    ("strip", outcome(answer=((b"ETag", PERSON.encode()),)), "came back"),
    ("strip", outcome(answer=ANSWER), "was answered"),
]


def broken_by(level, what):
    return list(Fate(TRACKED, level, level, gpc=True).broken_by(what))


@pytest.mark.parametrize("level", KEPT)
def test_a_promise_that_is_kept_is_not_called_broken(level):
    assert broken_by(level, KEPT[level]) == []


@pytest.mark.parametrize(("level", "what", "said"), BROKEN)
def test_a_promise_that_is_broken_says_how(level, what, said):
    assert said in " ".join(broken_by(level, what))


# What is played.


def test_every_tool_of_the_policy_is_played_in_several_roles():
    declared = {tool.id for policy in registry().policies for tool in policy.tools}
    assert set(TOOLS) == declared
    roles = {tool: {ask.role for ask in ASKS if ask.tool == tool} for tool in TOOLS}
    assert all(len(found) >= 2 for found in roles.values())
    assert set().union(*roles.values()) == {
        "loads", "collects", "telemetry", "widgets", "visits", "permits"
    }  # fmt: skip


def test_requests_from_inside_a_frame_say_so_as_chromium_does():
    framed = [ask for ask in ASKS if ask.framed]
    assert {ask.tool for ask in framed} >= {"facebook-like", "twitter-widget", "invision"}
    lines = [dict(header_lines(ask)) for ask in framed]
    assert all(line["Sec-Fetch-Storage-Access"] == "active" for line in lines)


def test_every_address_on_the_page_is_one_that_is_played():
    text = origins.PAGE_FILE.read_text()
    fetched = set(re.findall(r'(?:src="|src = "|href="(?=[^"]*css)|fetch\(")(https:[^"]+)', text))
    assert fetched <= {ask.url for ask in table.VISIT}
    assert {ask.tool for ask in ASKS if ask.url in fetched} == set(TOOLS)


def test_no_name_leads_beyond_this_machine():
    loop = Loopback()
    loop.ports = {"known.example": 12345}
    try:
        found = loop.run_until_complete(loop.getaddrinfo("known.example", 443))
        assert [where for *_, where in found] == [("127.0.0.1", 12345)]
        with pytest.raises(socket.gaierror):
            loop.run_until_complete(loop.getaddrinfo("www.mass.gov", 443))
    finally:
        loop.close()
        asyncio.set_event_loop(None)


# What is printed.


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal_and_ends_with_the_sentence(shown, columns):
    lines = drawn(shown[0], columns).splitlines()
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    assert text.endswith(
        "All 11 tools you opted out of got exactly what their levels say, and without the proxy "
        "they would not have."
    )
    for words in ("Google Analytics", "at strip", "everything", "nothing", "anonymous", "verify"):
        assert words in text


def test_it_says_what_differed(unenforced):
    text = drawn(unenforced, 120)
    assert "What differed:" in text
    assert "google-analytics, loads https://www.googletagmanager.com/gtag/js" in text
    assert text.rstrip().endswith("So this visit does not show that the levels are kept.")


def drawn(found, columns):
    text = io.StringIO()
    screen.draw(found, Console(file=text, width=columns, highlight=False))
    return text.getvalue()


# The command.

GUARD = """
import os, sys
def watch(event, args):
    where = args[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else None
    asked = args[0] if event == "socket.getaddrinfo" else "127.0.0.1"
    if (isinstance(where, tuple) and where[0] != "127.0.0.1") or asked != "127.0.0.1":
        os.write(2, f"{event} {args}".encode())
        os._exit(99)
sys.addaudithook(watch)
from optout_proxy.cli.main import main
main()
"""


def ran(home, *args, code=COMMAND):
    """The command in a process of its own, with a home that nobody has used."""
    for name in ("tmp", "work"):
        (home / name).mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return subprocess.run(
        [sys.executable, "-c", code, "demo", *args],
        env=kept | {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=home / "work",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_ends_by_itself_and_leaves_nothing_behind(tmp_path):
    began = time.monotonic()
    done = ran(tmp_path / "home", "--json")
    assert time.monotonic() - began < 15
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["proved"]
    assert [row["id"] for row in found["tools"]] == list(TOOLS)
    left = [path for path in (tmp_path / "home").rglob("*") if path.name not in {"tmp", "work"}]
    assert left == []


def test_the_command_speaks_to_this_machine_only(tmp_path):
    done = ran(tmp_path, "--json", code=GUARD)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_exits_1_where_nothing_is_opted_out(tmp_path):
    levels = "\n".join(f'{tool} = "allow"' for tool in TOOLS)
    config = tmp_path / "config.toml"
    config.write_text(f"[opt_out]\n{levels}\n")
    done = ran(tmp_path / "home", "--config", str(config))
    assert (done.returncode, done.stderr) == (1, "")
    assert "no tool is opted out" in done.stdout


def test_the_command_exits_2_on_a_wrong_configuration(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[opt_out]\ntreejack = "blocked"\n')
    done = ran(tmp_path / "home", "--config", str(config))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_it_gives_up_with_a_sentence(monkeypatch, tmp_path):
    assert LIMIT < 15
    monkeypatch.setattr(module, "LIMIT", 0.05)
    with pytest.raises(OptoutError, match="did not end"):
        show(registry(), tmp_path)
