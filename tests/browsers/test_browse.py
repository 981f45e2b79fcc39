"""`optout browse`: a real browser that trusts and uses the proxy, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec
import pytest

from browsers.driver import WAYS
from optout_proxy.proxy import authority, keeper
from optout_proxy.proxy import browser as browsers
from wire import BIN, configured

CLICK = "https://www.googleadservices.com/pagead/aclk?sa=L&adurl=https%3A%2F%2Fshop.example%2F"
"""An advertisement's link: the proxy answers it by itself, with its target."""
ANSWERED = {"tool": "google-adwords", "action": "redirect", "host": "www.googleadservices.com"}
UNSEEN = {
    "chromium": ("--headless=new", "--no-sandbox", "--disable-background-networking"),
    "firefox": ("-headless",),
}


class Command:
    """`optout browse` as a user types it, with folders of its own."""

    def __init__(self, folder: Path, *words: str, stderr: int | None = None) -> None:
        self.folder = folder
        # A short path: Chromium's socket lies in it, and its name has an end.
        self.temporary = Path(tempfile.mkdtemp(prefix="o"))
        config = configured(folder)
        self.process = subprocess.Popen(
            [BIN / "optout", "browse", "--config", config, *words],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("XDG_")},
                "TMPDIR": str(self.temporary),
                "HOME": str(folder),
                "XDG_DATA_HOME": str(folder / "share"),
            },
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )

    def written(self) -> list[dict[str, object]]:
        """Lines of the ledger."""
        files = (self.folder / "ledger").rglob("*.jsonl")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def has_loaded(self) -> bool:
        """Whether the browser's page came to the proxy, in TLS that the browser trusted."""
        return any(ANSWERED.items() <= line.items() for line in self.written())

    def left(self) -> list[str]:
        """What is still there of the browser: folders, and processes that name them."""
        return [*(one.name for one in self.temporary.iterdir()), *_processes(str(self.temporary))]


def _processes(text: str) -> list[str]:
    return [line for _, line in _numbered(text)]


def _numbered(text: str) -> list[tuple[int, str]]:
    """Processes whose command line holds a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in line:
                found.append((int(entry.parent.name), line))
    return found


def until(true, *, patience: float = 30.0) -> bool:
    ends = time.monotonic() + patience
    while not (found := true()) and time.monotonic() < ends:
        time.sleep(0.1)
    return bool(found)


@pytest.fixture
def opened(family, tmp_path):
    name = WAYS[family].name
    command = Command(tmp_path, "--browser", name, CLICK, "--", *UNSEEN[family])
    yield command
    if command.process.poll() is None:
        command.process.kill()
        command.process.wait()
    assert until(lambda: not command.left())
    command.temporary.rmdir()


def test_it_opens_a_page_through_the_proxy_and_leaves_nothing(opened):
    assert until(opened.has_loaded)
    opened.process.send_signal(signal.SIGINT)
    assert opened.process.wait(30) == 0
    assert opened.left() == []


def test_killed_it_leaves_nothing_either(opened):
    assert until(opened.has_loaded)
    opened.process.kill()
    opened.process.wait()
    assert until(lambda: not opened.left())


def test_it_ends_when_the_browser_is_closed(opened):
    assert until(opened.has_loaded)
    for number, line in _numbered(f"{opened.temporary}/optout-browser-"):
        if "--type=" not in line and "-contentproc" not in line:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)
    assert until(lambda: opened.process.poll() is not None)
    assert opened.left() == []


def test_a_browser_that_does_not_start_is_said_in_a_sentence(tmp_path):
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "chromium").write_text("#!/bin/sh\necho cannot open display >&2\nexit 3\n")
    (fake / "chromium").chmod(0o755)
    found = browsers.Browser("Chromium", "chromium", fake / "chromium")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{fake}{os.pathsep}{os.environ['PATH']}")
        command = Command(tmp_path, "--browser", "chromium", stderr=subprocess.PIPE)
        told = command.process.communicate(timeout=30)[1]
    assert found.name in told
    assert told == "optout: Chromium ended with code 3: cannot open display\n"
    assert command.process.returncode == 2
    assert command.left() == []
    command.temporary.rmdir()


def test_where_no_browser_is_it_says_which_it_looked_for(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(browsers, "_usual_places", lambda _: iter(()))
    with pytest.raises(browsers.OptoutError, match=r"no browser .*Chromium, Chrome, Edge, Brave"):
        browsers.find()


def test_a_proxy_that_is_not_ours_is_refused(tmp_path):
    command = Command(tmp_path, "--proxy", "127.0.0.1:9", stderr=subprocess.PIPE)
    told = command.process.communicate(timeout=30)[1]
    if WAYS:
        assert "no Optout Proxy of yours runs at 127.0.0.1:9" in told
    assert command.process.returncode == 2
    command.temporary.rmdir()


def test_trust_lies_in_the_profile_alone(family, tmp_path):
    made = tmp_path / "profile"
    authority.ensure(tmp_path / "authority")
    trusts = (authority.certificate(tmp_path / "authority"),)
    before = _snapshot(Path.home())
    browsers.make_profile(WAYS[family], made, proxy="127.0.0.1:9", trusts=trusts)
    assert made.stat().st_mode & 0o777 == 0o700
    assert _snapshot(Path.home()) == before


def _snapshot(home: Path) -> dict[str, int]:
    """Where trust lies for every program of a user."""
    stores = (home / ".pki", home / ".mozilla", home / ".config" / "chromium")
    files = (path for store in stores for path in store.rglob("*") if path.is_file())
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_an_order_comes_back_as_it_was_written():
    order = keeper.Order("Firefox", "127.0.0.1:1", ("a", "b"), "https://x.example/", ("-headless",))
    assert msgspec.json.decode(msgspec.json.encode(order), type=keeper.Order) == order
