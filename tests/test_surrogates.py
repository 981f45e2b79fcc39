"""Surrogates keep pages going and stay silent: the claims are in tests/surrogates/claims_*.mjs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from corpora import CORPORA, needs_corpora

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "blocklists" / "surrogates"
HARNESS = HERE / "surrogates"
SCRIPTS = sorted(file.name for file in FOLDER.glob("*.js"))

SENDS = re.compile(
    r"\bfetch\b|XMLHttpRequest|sendBeacon|\bImage\b|WebSocket|EventSource|WebTransport"
    r"|RTCPeerConnection|\bimport\b|importScripts|\.src\s*=|\.submit\(|document\.write"
    r"|innerHTML|insertAdjacent|createElement\((?!'a'\))|createElementNS|setAttribute"
)
REMEMBERS = re.compile(r"\bcookie\b|localStorage|sessionStorage|indexedDB|\bcaches\b")
SPEAKS = re.compile(r"\bconsole\b|\balert\(|\bconfirm\(|\bprompt\(|\bdebugger\b")
YOUNGER_THAN_ES2015 = re.compile(
    r"\?\.(?!\d)|\?\?|\*\*|\basync\b|\bawait\b|catch\s*\{|\bglobalThis\b"
    r"|\{\s*\.\.\.|,\s*\.\.\.\w+\s*\}"
    r"|\.includes\(|\.flat|\.at\(|padStart|padEnd|replaceAll|Object\.(values|entries|fromEntries)"
)


def code(name: str) -> str:
    """Text of a surrogate without its comments."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("//"))


def run_node(*arguments: str | Path) -> str:
    """Output of Node; skipped where there is none, but never in CI."""
    node = shutil.which("node")
    if node is None and os.environ.get("CI") == "true":
        pytest.fail("no `node` in CI: the surrogates would go untested")
    if node is None:
        pytest.skip("no `node` here: surrogates are tested under Node")
    done = subprocess.run(
        [node, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def outcome_of(mode: str) -> dict[str, dict[str, str | None]]:
    """What went wrong with each claim, by surrogate and sentence; None where nothing did."""
    return json.loads(run_node(HARNESS / "run.mjs", FOLDER, mode))


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("mode", ["as-is", "twice"])
def test_a_surrogate_keeps_its_promises_loaded_once_or_twice(name, mode):
    claims = outcome_of(mode).get(name)
    assert claims, f"{name} promises nothing: write its claims in tests/surrogates"
    assert {sentence: wrong for sentence, wrong in claims.items() if wrong} == {}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_promise_is_broken_by_an_empty_script(name):
    claims = outcome_of("empty")[name]
    assert [sentence for sentence, wrong in claims.items() if not wrong] == []


def test_no_promise_is_about_a_surrogate_that_is_not_there():
    assert sorted(outcome_of("as-is")) == SCRIPTS


@pytest.mark.parametrize(
    ("ci", "ends"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_without_node_these_tests_are_skipped_here_and_fail_in_ci(ci, ends, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(ends, match="no `node`"):
        run_node("--version")


@needs_corpora
@pytest.mark.corpora
def test_surrogates_survive_what_real_pages_call_and_load():
    outcome = real_calls("as-is")
    assert len(outcome) > 300
    assert {case: wrong for case, wrong in outcome.items() if wrong} == {}


@needs_corpora
@pytest.mark.corpora
def test_what_real_pages_call_breaks_on_empty_scripts():
    assert [case for case, wrong in real_calls("empty").items() if not wrong] == []


def real_calls(mode: str) -> dict[str, str | None]:
    material = [CORPORA / "surrogates" / f"real_{name}.json" for name in ("api_usage", "tag_srcs")]
    return json.loads(run_node(HARNESS / "real_calls.mjs", FOLDER, mode, *material))


def test_every_surrogate_is_a_script():
    outcome = json.loads(run_node(HARNESS / "parse.mjs", *(FOLDER / name for name in SCRIPTS)))
    assert len(outcome) == len(SCRIPTS)
    assert {file: wrong for file, wrong in outcome.items() if wrong} == {}


def test_the_one_that_pages_import_is_a_module_too(tmp_path):
    module = tmp_path / "verint.mjs"
    module.write_bytes((FOLDER / "verint.js").read_bytes())
    run_node("--check", module)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(
    ("never", "why"),
    [
        (SENDS, "sends nothing and loads nothing"),
        (REMEMBERS, "remembers nothing"),
        (SPEAKS, "prints nothing"),
        (YOUNGER_THAN_ES2015, "runs in browsers of 2015"),
    ],
)
def test_a_surrogate_is_silent_and_plain(name, never, why):
    found = never.search(code(name))
    assert found is None, f"{why}: {found and found[0]}"


@pytest.mark.parametrize(
    ("never", "text"),
    [
        (SENDS, "fetch('/a')"),
        (SENDS, "new Image().src = '/a'"),
        (SENDS, "navigator.sendBeacon('/a')"),
        (SENDS, "document.createElement('script')"),
        (REMEMBERS, "document.cookie = 'a=1'"),
        (SPEAKS, "console.log(1)"),
        (YOUNGER_THAN_ES2015, "a?.b"),
        (YOUNGER_THAN_ES2015, "x = { ...a }"),
        (YOUNGER_THAN_ES2015, "try { } catch { }"),
    ],
)
def test_what_a_surrogate_must_not_do_would_be_seen(never, text):
    assert never.search(text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_surrogate_says_what_it_stands_for_and_which_breakage_justifies_it(name):
    head = (FOLDER / name).read_text("utf-8").partition("(() => {")[0]
    assert head.startswith("// Stands in for ")
    assert "// Breakage: " in head


def test_the_three_that_serve_a_data_layer_do_it_in_the_same_words():
    layers = {
        re.search(r"  // --- the layer.*  // --- end of the layer\n", text, re.DOTALL)[0]
        for text in (
            (FOLDER / name).read_text("utf-8") for name in ("gtag.js", "gtm.js", "optimize.js")
        )
    }
    assert len(layers) == 1
