"""The pytest plugin, in a pytest of its own: as a suite that has it installed meets it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest
from click.testing import CliRunner

from captures import GA, GA_ID
from optout_proxy import shipped
from optout_proxy.cli.main import optout
from optout_proxy.errors import OptoutError
from optout_proxy.proxy.observe import Observing

DOC = Path(__file__).resolve().parent.parent / "docs" / "audit.md"
VISIT = '''
from contextlib import suppress
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest


@pytest.fixture
def visit(optout_proxy):
    """Opens an address through the proxy; no host can be reached, but it was asked for."""
    client = build_opener(ProxyHandler({"http": f"http://{optout_proxy.address}"}))

    def open_(url):
        with suppress(URLError):
            client.open(url, timeout=30)

    return open_
'''
HIT = GA_ID.replace("https:", "http:")


def ran(folder: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(VISIT)
    (folder / "test_it.py").write_text(code)
    config = shipped.folder() / "config.toml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--optout-config"]
    return subprocess.run(
        [*command, str(config), *words, "test_it.py"],
        cwd=folder, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


@pytest.mark.wire
def test_the_documented_example_runs_as_printed(tmp_path: Path) -> None:
    code = re.search(r"```python\n(def test_.*?)```", DOC.read_text("utf-8"), re.DOTALL)
    assert code is not None
    done = ran(tmp_path, code[1])
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.wire
def test_a_failure_names_request_rule_and_line(tmp_path: Path) -> None:
    code = f"""
def test_hit(optout_session, visit):
    visit("{HIT}")
    optout_session.assert_not_violated("google-analytics")

def test_other_tool(optout_session, visit):
    visit("{HIT}")
    optout_session.assert_not_violated("facebook-pixel")

def test_undeclared(optout_session, visit):
    visit("http://www.clarity.ms/tag/abc")
    optout_session.assert_no_undeclared()

def test_before_the_opt_out(optout_session, visit):
    visit("{HIT}")
    optout_session.restart()
    optout_session.assert_not_violated()

def test_not_exercised(optout_session):
    optout_session.assert_honoured("google-analytics")

def test_unknown(optout_session):
    optout_session.assert_honoured("nonsense")
"""
    done = ran(tmp_path, code)
    assert "4 failed, 2 passed" in done.stdout, done.stdout
    assert "google-analytics: violated (hit-at-block)" in done.stdout
    assert GA.partition("//")[2] in done.stdout
    assert re.search(r"rule blocklists/google-analytics\.toml:\d+ ", done.stdout)
    assert "clarity.ms (Microsoft: Clarity)" in done.stdout
    assert "google-analytics: not-exercised (no-baseline)" in done.stdout
    assert "you did not opt out of nonsense" in done.stdout


@pytest.mark.wire
def test_each_process_has_a_proxy_of_its_own(tmp_path: Path) -> None:
    code = f"""
import pytest

@pytest.mark.parametrize("number", range(4))
def test_alone(optout_session, visit, number):
    if number % 2:
        visit("{HIT}")
    result = optout_session.judge()
    assert result.tools["google-analytics"].hits == number % 2
"""
    done = ran(tmp_path, code, "-n", "2")
    assert "4 passed" in done.stdout, done.stdout


@pytest.mark.wire
def test_what_is_recorded_can_be_audited(tmp_path: Path) -> None:
    folder = tmp_path / "before"
    running = Observing(folder)
    try:
        client = build_opener(ProxyHandler({"http": f"http://{running.address}"}))
        with suppress(URLError):
            client.open(HIT, timeout=30)
        assert running.ca_file.is_file()
    finally:
        running.stop()
    command = ["audit", str(folder), "--format", "json"]
    done = CliRunner().invoke(optout, [*command, "--config", str(shipped.folder() / "config.toml")])
    answer = json.loads(done.output)
    assert (answer["entries"], answer["tools"]["google-analytics"]["verdict"]) == (1, "violated")


@pytest.mark.wire
def test_a_proxy_that_cannot_listen_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptoutError, match="did not start"):
            Observing(tmp_path, f"127.0.0.1:{port}")
