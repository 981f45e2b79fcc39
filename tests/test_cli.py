"""The command line: its contracts, word for word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from optout_proxy import shipped
from optout_proxy.cli.main import main, optout
from optout_proxy.errors import OptoutError
from optout_proxy.ledger import Ledger
from optout_proxy.model import LEVELS, NOTHING, Credit, Request, RuleRef

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

KEYS = "url page type tool role level action reason send removed rule".split()  # noqa: SIM905
HIT = "https://www.facebook.com/tr/?id=1234567890&ev=PageView"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shipped configuration, with a ledger folder of the test's own."""
    text = (shipped.folder() / "config.toml").read_text()
    file = tmp_path / "config.toml"
    file.write_text(
        text.replace("[ledger]\n", f"[ledger]\nfolder = {str(tmp_path / 'ledger')!r}\n")
    )
    assert str(tmp_path) in file.read_text()
    return file


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(optout, words, input=given, catch_exceptions=True)


def test_explain_says_what_why_and_by_which_rule(config: Path) -> None:
    told = run(
        "explain",
        HIT,
        "--page",
        "https://www.mass.gov/",
        "--type",
        "image",
        "--json",
        "--config",
        str(config),
    )
    answer = json.loads(told.stdout)
    assert told.exit_code == 0
    assert list(answer) == KEYS
    assert (answer["tool"], answer["role"], answer["level"], answer["action"]) == (
        "facebook-pixel", "collects", "block", "block",
    )  # fmt: skip
    assert answer["send"] is None
    assert answer["removed"] == {"cookies": [], "params": [], "headers": []}
    assert answer["rule"]["file"] == "blocklists/facebook-pixel.toml"
    line = (
        (shipped.folder() / answer["rule"]["file"])
        .read_text()
        .splitlines()[answer["rule"]["line"] - 1]
    )
    assert line == answer["rule"]["text"]


@pytest.mark.parametrize(("level", "action"), [(level, level) for level in LEVELS])
def test_explain_answers_as_if_every_tool_had_a_level(
    config: Path, level: str, action: str
) -> None:
    told = run(
        "explain", HIT, "--type", "image", "--level", level, "--json", "--config", str(config)
    )
    answer = json.loads(told.stdout)
    assert (answer["tool"], answer["action"]) == ("facebook-pixel", action)


def test_explain_for_a_person_names_the_same_things(config: Path) -> None:
    told = run("explain", HIT, "--type", "image", "--config", str(config))
    for word in ("facebook-pixel (collects)", "block", "blocklists/facebook-pixel.toml"):
        assert word in told.stdout


def test_a_batch_is_answered_line_for_line(config: Path) -> None:
    asked = [
        {"url": HIT, "page": "https://www.mass.gov/", "type": "image"},
        {"url": "https://www.mass.gov/", "page": "", "type": "document"},
        {
            "url": "https://www.mass.gov/?gclid=1&q=2",
            "page": "",
            "type": "document",
            "method": "get",
            "headers": [["Cookie", "_ga=GA1.1.1.1; keep=1"]],
        },
    ]
    lines = "\n".join(json.dumps(one) for one in asked)
    told = run("explain", "--batch", "-", "--config", str(config), given=lines)
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.exit_code == 0
    assert [answer["url"] for answer in answers] == [one["url"] for one in asked]
    assert [list(answer) for answer in answers] == [KEYS] * 3
    assert answers[1]["tool"] is None
    assert answers[2]["send"] == "https://www.mass.gov/?q=2"
    assert answers[2]["removed"]["cookies"] == ["_ga"]
    assert answers[2]["removed"]["params"] == ["gclid"]


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        ("explain", HIT, "--type", "nonsense"),
        ("explain", HIT, "--level", "maybe"),
        ("explain", "no-url"),
        ("explain", HIT, "--config", "/no/such/file.toml"),
        ("explain", "--batch", "/no/such/file"),
        ("set", "google-analytics", "maybe"),
        ("set", "no-such-tool", "block"),
        ("log", "--since", "yesterday-ish"),
        ("no-such-command",),
    ],
)
def test_wrong_usage_exits_2_with_one_line(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["optout", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said
    assert "Traceback" not in "\n".join(said)


@pytest.mark.parametrize(
    ("line", "what"),
    [("{", "truncated"), ('{"page": 1}', "url"), ('{"url": "x", "type": "no"}', "type")],
)
def test_a_bad_line_of_a_batch_is_named(config: Path, line: str, what: str) -> None:
    good = json.dumps({"url": HIT})
    told = run("explain", "--batch", "-", "--config", str(config), given=f"{good}\n{line}\n")
    assert isinstance(told.exception, OptoutError)
    assert ":2: " in str(told.exception)
    assert what in str(told.exception)
    assert len(told.stdout.splitlines()) == 1  # what came before is not lost


def test_check_says_what_would_be_enforced_and_what_nobody_can(config: Path) -> None:
    told = run("check", "--config", str(config))
    assert told.exit_code == 0, told.output
    for tool in ("google-analytics", "treejack", "invision"):
        assert tool in told.stdout
    assert "nobody outside can enforce" in told.stdout
    assert "took effect on 2016-10-31, but speaks of 2018-05-17" in told.stdout


def test_tools_joins_policy_file_and_choice(config: Path) -> None:
    told = run("tools", "--json", "--config", str(config))
    found = {row["id"]: row for row in json.loads(told.stdout)}
    assert len(found) == 12
    assert found["google-analytics"]["opt_out_kinds"] == ["none"]
    assert found["facebook-pixel"]["express_login"] is True
    assert found["formstack"]["declared_by"] == []
    assert all(row["recognisable"] for row in found.values())
    for tool, row in found.items():
        assert tool in run("tools", "--config", str(config)).stdout
        assert row["level"] in LEVELS


def test_set_changes_one_line_and_explain_follows(config: Path) -> None:
    before = config.read_text()
    told = run("set", "facebook-pixel", "allow", "--config", str(config))
    assert told.exit_code == 0
    after = config.read_text()
    changed = [
        (a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b
    ]
    assert len(changed) == 1
    answer = json.loads(
        run("explain", HIT, "--type", "image", "--json", "--config", str(config)).stdout
    )
    assert (answer["level"], answer["action"]) == ("allow", "allow")
    run("set", "facebook-pixel", "block", "--site", "mass.gov", "--config", str(config))
    words = ("explain", HIT, "--type", "image", "--json", "--config", str(config), "--page")
    assert json.loads(run(*words, "https://www.mass.gov/").stdout)["action"] == "block"
    assert json.loads(run(*words, "https://other.example/").stdout)["action"] == "allow"


def test_what_was_enforced_is_listed_added_up_and_verified(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ledger"
    assert "Nothing" in run("report", "--config", str(config)).stdout
    ledger = Ledger(folder)
    credit = Credit(
        "facebook-pixel", "block", "block", RuleRef("blocklists/x.toml", 3, "||x^"), NOTHING
    )
    asked = Request(
        url=HIT, host="www.facebook.com", page="https://www.mass.gov/x", page_host="www.mass.gov"
    )
    for _ in range(3):
        ledger.record(asked, (credit,))
    ledger.close()
    words = ("--config", str(config))
    listed = run("log", *words).stdout
    assert listed.count("facebook-pixel") == 3
    lines = [
        json.loads(line)
        for line in run("log", "--json", "--tool", "facebook-pixel", *words).stdout.splitlines()
    ]
    assert [line["action"] for line in lines] == ["block"] * 3
    assert {"time", "tool", "level", "action", "site", "host", "rule", "removed"} <= set(lines[0])
    assert json.loads(run("report", "--json", *words).stdout)["tools"] == {"facebook-pixel": 3}
    assert "facebook-pixel" in run("report", *words).stdout
    assert not run("log", "--since", "2030-01-01", *words).stdout
    assert run("ledger", "verify", str(folder)).exit_code == 0
    head = run("ledger", "head", *words).stdout.split()
    assert len(head[0]) == 64
    (file,) = folder.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"facebook-pixel", b"facebook-pixie", 1))
    monkeypatch.setattr("sys.argv", ["optout", "ledger", "verify", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4


def test_every_command_has_help() -> None:
    for name in ("explain", "check", "tools", "set", "run", "demo", "log", "report", "ledger"):
        told = run(name, "--help")
        assert told.exit_code == 0
        assert "Usage" in told.stdout
