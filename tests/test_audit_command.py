"""`optout audit`: its contract, word for word."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from captures import GA, GA_ID, PAGE, document, entry, har
from optout_proxy import shipped
from optout_proxy.cli.main import optout
from optout_proxy.errors import EvidenceError, OptoutError
from optout_proxy.ledger import Ledger
from optout_proxy.model import Credit, Request, RuleRef

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

ROW = ["file", "index", "url", "tool", "role", "action", "finding"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shipped configuration, in a folder of the test's own."""
    file = tmp_path / "config.toml"
    file.write_text((shipped.folder() / "config.toml").read_text())
    return file


def capture(path: Path, *entries: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(har(*entries))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(optout, ["audit", *map(str, words)])


def told(*words: object) -> dict[str, object]:
    answer: dict[str, object] = json.loads(run(*words, "--format", "json").stdout)
    return answer


def test_json_says_what_the_contract_says(tmp_path: Path, config: Path) -> None:
    file = capture(tmp_path / "a.har", document(), entry(GA_ID), 7)
    answer = told(file, "--config", config)
    assert answer["files"] == [
        {
            "path": str(file), "entries": 3, "read": 2,
            "unreadable": [{"index": 2, "why": "it is no object"}], "problem": "",
            "made_by": "test 1", "has_cookies": True, "answered_here": 0, "page_loads": 1,
            "gpc": 0,
        }
    ]  # fmt: skip
    tools: dict[str, dict[str, object]] = answer["tools"]  # type: ignore[assignment]
    assert len(tools) == 11
    analytics = tools["google-analytics"]
    assert (analytics["verdict"], analytics["reason"]) == ("violated", "hit-at-block")
    assert (analytics["hits"], analytics["baseline_hits"]) == (1, None)
    assert isinstance(answer["undeclared"], list)
    assert isinstance(answer["never_seen"], list)


def test_rows_have_one_line_an_entry(tmp_path: Path, config: Path) -> None:
    first = capture(tmp_path / "in" / "a.har", document(), entry(GA_ID), 7)
    second = capture(tmp_path / "in" / "b.har", entry(GA))
    rows = tmp_path / "rows.jsonl"
    assert run(tmp_path / "in", "--rows", rows, "--config", config).exit_code == 1
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [list(line) for line in lines] == [ROW] * 4
    assert [(line["file"], line["index"]) for line in lines] == [
        (str(first), 0), (str(first), 1), (str(first), 2), (str(second), 0),
    ]  # fmt: skip
    assert lines[1] == {
        "file": str(first), "index": 1, "url": GA_ID, "tool": "google-analytics",
        "role": "collects", "action": "block", "finding": "violated",
    }  # fmt: skip
    assert lines[2]["finding"] == "unreadable"


def test_rows_of_a_capture_without_cookies_agree_with_its_verdict(
    tmp_path: Path, config: Path
) -> None:
    text = config.read_text().replace('google-analytics = "block"', 'google-analytics = "strip"')
    config.write_text(text)
    file = capture(tmp_path / "a.har", document(cookies=""), entry(GA))
    rows = tmp_path / "rows.jsonl"
    answer = told(file, "--rows", rows, "--config", config)
    tools: dict[str, dict[str, object]] = answer["tools"]  # type: ignore[assignment]
    assert tools["google-analytics"]["reason"] == "cookies-not-captured"
    assert [json.loads(line)["finding"] for line in rows.read_text().splitlines()] == [
        None, "inconclusive",
    ]  # fmt: skip


def test_a_baseline_acquits(tmp_path: Path, config: Path) -> None:
    before = capture(tmp_path / "before.har", document(), entry(GA_ID))
    after = capture(tmp_path / "after.har", document())
    answer = told(after, "--baseline", before, "--config", config)
    tools: dict[str, dict[str, object]] = answer["tools"]  # type: ignore[assignment]
    assert tools["google-analytics"]["verdict"] == "honoured"
    assert tools["google-analytics"]["baseline_hits"] == 1
    assert run(after, "--baseline", before, "--config", config).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 1),
        (("--fail-on", "undeclared"), 0),
        (("--fail-on", "undeclared,never-seen"), 1),
        (("--fail-on", "not-exercised"), 1),
        (("--fail-on", "nonsense"), 2),
        (("--format", "nonsense"), 2),
        (("--policy", "no/such/policy.toml"), 2),
        (("--config", "no/such/config.toml"), 2),
        (("--baseline", "no/such.har"), 2),
        (("--canary", "ab"), 2),
        (("--rows", "no/such/folder/rows.jsonl"), 2),
    ],
)
def test_exit_codes(tmp_path: Path, config: Path, words: tuple[str, ...], code: int) -> None:
    file = capture(tmp_path / "a.har", document(), entry(GA_ID))
    chosen = () if "--config" in words else ("--config", config)
    done = run(file, *words, *chosen)
    refused = isinstance(done.exception, OptoutError)
    assert (2 if refused else done.exit_code) == code


def test_a_missing_capture_is_refused(tmp_path: Path, config: Path) -> None:
    done = run(tmp_path / "no.har", "--config", config)
    assert isinstance(done.exception, OptoutError)
    assert run().exit_code == 2


def test_doubt_is_3_unless_allowed(tmp_path: Path, config: Path) -> None:
    file = capture(tmp_path / "a.har", document())
    assert run(file, "--config", config).exit_code == 3
    assert run(file, "--config", config, "--allow-inconclusive").exit_code == 0


@pytest.mark.parametrize("text", [b"", b"nonsense", b'{"log": {"entries": []}}'])
def test_nothing_to_judge_is_5(tmp_path: Path, config: Path, text: bytes) -> None:
    (tmp_path / "a.har").write_bytes(text)
    assert run(tmp_path / "a.har", "--config", config).exit_code == 5


def ledger(folder: Path) -> Path:
    book = Ledger(folder, clock=lambda: datetime(2026, 11, 24, tzinfo=UTC))
    request = Request(GA, "www.google-analytics.com", PAGE, "www.mass.gov")
    rule = RuleRef("blocklists/google-analytics.toml", 1, "x")
    book.record(request, (Credit("google-analytics", "block", "block", rule),))
    book.close()
    return folder


def test_a_ledger_beside_captures_keeps_them_from_acquitting(tmp_path: Path, config: Path) -> None:
    before = capture(tmp_path / "before.har", document(), entry(GA_ID))
    after = capture(tmp_path / "after.har", document())
    book = ledger(tmp_path / "ledger")
    answer = told(after, book, "--baseline", before, "--config", config)
    tools: dict[str, dict[str, object]] = answer["tools"]  # type: ignore[assignment]
    assert tools["google-analytics"]["reason"] == "enforcing"


def test_a_ledger_that_was_changed_is_4(tmp_path: Path, config: Path) -> None:
    after = capture(tmp_path / "after.har", document())
    book = next(ledger(tmp_path / "ledger").glob("*.jsonl"))
    book.write_bytes(book.read_bytes().replace(b'"block"', b'"strip"', 1))
    assert isinstance(run(after, book, "--config", config).exception, EvidenceError)


def test_another_policy_changes_what_is_declared(tmp_path: Path, config: Path) -> None:
    text = (shipped.folder() / "policies" / "mass-gov.toml").read_text()
    tools = text.split("[[tool]]")
    kept = "[[tool]]".join(tools[:2])
    rest = text[text.index("[[also_mentioned]]") :].partition("[[statement]]")[0]
    policy = tmp_path / "small.toml"
    policy.write_text(kept + rest)
    file = capture(tmp_path / "a.har", document(), entry("https://www.facebook.com/tr/?id=1&ev=a"))
    answer = told(file, "--policy", policy, "--config", config)
    undeclared: list[dict[str, object]] = answer["undeclared"]  # type: ignore[assignment]
    assert [one["site"] for one in undeclared] == ["facebook.com"]
    assert answer["policy"] == ["Mass.gov"]


def test_many_files_on_many_cores_give_the_same_in_the_same_order(
    tmp_path: Path, config: Path
) -> None:
    for number in range(6):
        hits = [entry(f"{GA_ID}&n={n}") for n in range(number + 1)]
        capture(tmp_path / "in" / f"{number}.har", document(), *hits)
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    alone = told(tmp_path / "in", "--jobs", 1, "--rows", one, "--config", config)
    together = told(tmp_path / "in", "--jobs", 2, "--rows", two, "--config", config)
    assert alone == together
    assert one.read_bytes() == two.read_bytes()


def test_a_report_goes_to_a_file(tmp_path: Path, config: Path) -> None:
    file = capture(tmp_path / "a.har", document(), entry(GA_ID))
    out = tmp_path / "out.json"
    done = run(file, "--format", "json", "-o", out, "--config", config)
    assert (done.stdout, json.loads(out.read_bytes())["entries"]) == ("", 2)


def test_text_names_what_why_and_where(tmp_path: Path, config: Path) -> None:
    file = capture(tmp_path / "a.har", document(), entry(GA_ID))
    text = run(file, "--config", config).stdout
    for words in ("violated (hit-at-block)", "entry 1:", "parameter cid", "blocklists/google-an"):
        assert words in text
    assert "Declared, never seen: 10" in text


def test_github_gets_its_summary_where_it_asks_for_it(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    file = capture(tmp_path / "a.har", document(), entry(GA_ID))
    done = run(file, "--format", "github", "--config", config)
    assert done.stdout.startswith("::error file=blocklists/google-analytics.toml,line=")
    assert "### Opt-outs" in (tmp_path / "summary.md").read_text()


def test_a_folder_without_captures_is_nothing_to_judge(tmp_path: Path, config: Path) -> None:
    (tmp_path / "in").mkdir()
    assert run(tmp_path / "in", "--config", config).exit_code == 5


def test_jars_beside_captures_are_looked_into(tmp_path: Path, config: Path) -> None:
    file = capture(tmp_path / "in" / "a.har", document())
    (file.parent / "cookies.txt").write_text(
        "# Netscape HTTP Cookie File\nwww.mass.gov\tFALSE\t/\tTRUE\t0\t_ga\tGA1.1.1.2\n"
    )
    answer = told(file.parent, "--config", config)
    tools: dict[str, dict[str, object]] = answer["tools"]  # type: ignore[assignment]
    assert tools["google-analytics"]["in_jar"] == ["_ga"]


@pytest.mark.parametrize("option", ["--rows", "--output"])
def test_a_capture_is_not_written_over(tmp_path: Path, config: Path, option: str) -> None:
    file = capture(tmp_path / "a.har", document(), entry(GA_ID))
    before = file.read_bytes()
    assert isinstance(run(file, option, file, "--config", config).exception, OptoutError)
    assert file.read_bytes() == before
