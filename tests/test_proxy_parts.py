"""The small parts: admissions, pins, options, the following of files, the self-test."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from mitmproxy import hooks, http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.proxy.layers.http import HttpRequestHeadersHook
from mitmproxy.test.tflow import tflow

from loopback import Tap  # noqa: F401 - imports mitmproxy with its warnings kept down
from optout_proxy.errors import OptoutError
from optout_proxy.proxy import lighter, reload, runner, selftest
from optout_proxy.proxy.admissions import Admissions
from optout_proxy.proxy.enforcement import Enforcement
from optout_proxy.proxy.guard import GuardedAddons
from optout_proxy.proxy.pins import Pins
from optout_proxy.proxy.runner import running_proxy
from scripted import Notebook, Scripted

# What is lighter.

LINES = ((b"Cookie", b"a=1"), (b"X-\xff", b"\xffe"), (b"cookie", b"b=2"), (b"Empty", b""))
LOOKED_UP = [
    ("COOKIE", ["a=1", "b=2"], "a=1, b=2"),
    (b"cookie", ["a=1", "b=2"], "a=1, b=2"),
    ("x-\udcff", ["\udcffe"], "\udcffe"),
    ("empty", [""], ""),
    ("other", [], None),
]


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize(("name", "values", "joined"), LOOKED_UP)
def test_headers_are_found_as_mitmproxy_finds_them(monkeypatch, light, name, values, joined):
    if light:
        monkeypatch.setattr(http.Headers, "get_all", lighter._get_all)
        monkeypatch.setattr(http.Headers, "get", lighter._get, raising=False)
        monkeypatch.setattr(http.Headers, "__contains__", lighter._contains)
    headers = http.Headers(LINES)
    assert headers.get_all(name) == values
    assert headers.get(name) == joined
    assert headers.get(name, "none") == ("none" if joined is None else joined)
    assert (name in headers) is bool(values)


def test_no_two_flows_have_one_name():
    assert len({lighter._another() for _ in range(1000)}) == 1000


def test_a_hook_tells_its_arguments_however_they_are_looked_up(monkeypatch):
    hook = HttpRequestHeadersHook(tflow())
    told = hook.args()
    monkeypatch.setattr(hooks.Hook, "args", lighter._args)
    assert [hook.args(), hook.args()] == [told, told]


# Admissions.


def test_a_connection_goes_where_it_was_let_go_and_nowhere_else():
    admissions = Admissions()
    admissions.admit("one", ("a.example", "b.example"))
    assert admissions.admitted("one", "a.example")
    assert not admissions.admitted("one", "c.example")
    assert not admissions.admitted("two", "a.example")
    assert (admissions.any("one"), admissions.any("two")) == (True, False)
    admissions.forget("one")
    assert not admissions.any("one")


def test_admissions_are_bounded():
    admissions = Admissions(most=10)
    for number in range(100):
        admissions.tunnel(str(number), (f"{number}.example",))
    assert len(admissions.tunnels()) == 10
    assert not admissions.admitted("0", "0.example")
    assert admissions.admitted("99", "99.example")


# Pins.


def test_one_alert_about_the_certificate_is_enough_and_is_told_once():
    pins = Pins()
    assert pins.failed(
        "a", "h", "OpenSSL Error([('SSL routines', '', 'sslv3 alert certificate unknown')])"
    )
    assert not pins.failed("a", "h", "tlsv1 alert unknown ca")
    assert pins.rejects("a", "h")
    assert not pins.rejects("b", "h")


def test_leaving_without_a_word_takes_three_times_in_a_row():
    pins = Pins()
    assert [pins.failed("a", "h", "connection closed") for _ in range(2)] == [False, False]
    pins.succeeded("a", "h")
    told = [pins.failed("a", "h", "connection closed") for _ in range(4)]
    assert told == [False, False, True, False]


def test_a_pin_is_forgotten_in_time():
    now = [0.0]
    pins = Pins(lambda: now[0], keep=60)
    pins.failed("a", "h", "unknown ca")
    now[0] = 61
    assert not pins.rejects("a", "h")


def test_pins_are_bounded():
    pins = Pins(entries=10)
    for number in range(100):
        pins.failed("a", str(number), "unknown ca")
    assert [pins.rejects("a", "0"), pins.rejects("a", "99")] == [False, True]


# Options.


@pytest.mark.parametrize("name", ["rawtcp", "connection_strategy", "emudhra", "emudhra_old"])
def test_an_option_that_enforcement_sets_cannot_be_asked_for(name, tmp_path):
    async def main():
        proxy = running_proxy(Scripted(), Notebook(), folder=tmp_path, settings={name: True})
        with pytest.raises(OptoutError, match=name):
            await proxy.__aenter__()

    asyncio.run(main())


@pytest.mark.parametrize("listen", ["8080", "localhost", "localhost:http", "localhost:99999", ""])
def test_an_address_that_is_none_is_refused_with_an_example(listen, tmp_path):
    async def main():
        proxy = running_proxy(Scripted(), Notebook(), folder=tmp_path, listen=listen)
        with pytest.raises(OptoutError, match="write HOST:PORT"):
            await proxy.__aenter__()

    asyncio.run(main())


@pytest.mark.wire
def test_an_address_in_use_is_named(tmp_path):
    async def main():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            listen = f"127.0.0.1:{port}"
            proxy = running_proxy(Scripted(), Notebook(), folder=tmp_path, listen=listen)
            with pytest.raises(OptoutError, match=f"cannot listen on {listen}"):
                await proxy.__aenter__()

    asyncio.run(main())


@pytest.mark.wire
def test_two_proxies_run_one_after_the_other(tmp_path):
    async def main():
        for _ in range(2):
            async with running_proxy(Scripted(), Notebook(), folder=tmp_path) as proxy:
                assert proxy.address.startswith("127.0.0.1:")

    asyncio.run(main())


@pytest.mark.wire
def test_the_users_own_mitmproxy_folder_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async def main():
        async with running_proxy(Scripted(), Notebook(), folder=tmp_path / "ours"):
            pass

    asyncio.run(main())
    assert not (tmp_path / "home").exists()
    assert (tmp_path / "ours" / "mitmproxy-ca.pem").exists()


# The following of files.


class Files:
    """A registry that is the text of its file."""

    def __init__(self, path):
        self.engine = path.read_text()
        self.files = (path,)
        if self.engine == "wrong":
            raise OptoutError("the file is wrong")


def followed(path, *changes):
    """What is adopted (text) or refused (error) while the file changes."""
    told = []

    async def main():
        work = reload.follow(
            reload.stamps([path]),
            lambda: Files(path),
            lambda new: told.append(new.engine),
            lambda error: told.append(str(error)),
        )
        task = asyncio.create_task(work)
        for change in changes:
            await asyncio.sleep(0.03)
            change()
            await asyncio.sleep(0.06)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return told


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(reload, "EVERY", 0.02)
    (tmp_path / "config").write_text("first")
    return tmp_path / "config"


def test_a_change_is_adopted_and_a_wrong_one_refused_until_it_is_right(path):
    told = followed(
        path,
        lambda: path.write_text("second one"),
        lambda: path.write_text("wrong"),
        lambda: path.write_text("third"),
    )
    assert told == ["second one", "the file is wrong", "third"]


def test_a_file_that_is_replaced_or_taken_away_is_noticed(path):
    def replace():
        path.with_name("new").write_text("other")
        path.with_name("new").replace(path)

    told = followed(path, replace, path.unlink, lambda: path.write_text("back"))
    assert told[0] == "other"
    assert "No such file" in told[1]
    assert told[2] == "back"


def test_a_change_made_before_the_following_began_is_noticed(path):
    told = []

    async def main():
        seen = reload.stamps([path])
        path.write_text("in between")
        work = reload.follow(seen, lambda: Files(path), lambda new: told.append(new.engine), print)
        task = asyncio.create_task(work)
        await asyncio.sleep(0.06)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert told == ["in between"]


def test_nothing_is_read_while_nothing_changes(path):
    assert followed(path, lambda: None, lambda: None) == []


def test_one_that_cannot_be_adopted_is_refused_and_the_following_goes_on(path):
    told = []

    def adopt(new):
        if new.engine == "second":
            raise RuntimeError("odd")
        told.append(new.engine)

    async def main():
        refuse = lambda error: told.append(str(error))  # noqa: E731
        task = asyncio.create_task(
            reload.follow(reload.stamps([path]), lambda: Files(path), adopt, refuse)
        )
        for text in ("second", "third"):
            await asyncio.sleep(0.05)
            path.write_text(text)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert told == ["odd", "third"]


# The self-test.


@pytest.mark.wire
def test_the_self_test_passes_on_the_mitmproxy_we_have(tmp_path):
    selftest.check_parts()
    selftest.check_guard()
    asyncio.run(selftest.rehearse(tmp_path))


def test_a_changed_signature_is_refused_in_one_sentence(monkeypatch):
    async def handle_lifecycle(self, event, more):
        pass

    monkeypatch.setattr(AddonManager, "handle_lifecycle", handle_lifecycle)
    with pytest.raises(OptoutError, match=r"AddonManager\.handle_lifecycle takes other parameters"):
        selftest.check_parts()


def test_a_part_that_is_gone_is_refused(monkeypatch):
    monkeypatch.delattr(runner.proxyserver.Proxyserver, "setup_servers")
    with pytest.raises(OptoutError, match=r"install mitmproxy 12\.3"):
        selftest.check_parts()


@pytest.mark.wire
def test_a_guard_that_is_never_asked_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(GuardedAddons, "handle_lifecycle", AddonManager.handle_lifecycle)
    with pytest.raises(OptoutError, match="does not stop the request"):
        selftest.check_guard()
    with pytest.raises(OptoutError, match="rehearsal"):
        asyncio.run(selftest.rehearse(tmp_path))


# What is remembered.


def test_a_broken_ledger_is_said_once(caplog):
    enforcement = Enforcement(Scripted(), Notebook(broken=True))
    for _ in range(3):
        enforcement.note("fault")
    assert caplog.text.count("enforcement goes on") == 1


def test_adopting_settings_names_the_tunnels_they_would_open():
    enforcement = Enforcement(Scripted(hidden=frozenset({"a.example", "b.example"})), Notebook())
    enforcement.admissions.tunnel("one", ("a.example",))
    enforcement.admissions.tunnel("two", ("b.example",))
    assert enforcement.adopt(Scripted(hidden=frozenset({"b.example"}))) == ("one",)


def test_a_registry_of_ours_fits_the_contract():
    registry = SimpleNamespace(engine=Scripted(), files=())
    assert registry.engine.inspects("a.example")
