"""What a new version of a policy changes: each with a risk word, and where to decide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpora import CORPORA, needs_corpora
from optout_proxy import shipped
from optout_proxy.cli.main import optout
from optout_proxy.importer.compare import RISKS, compare
from optout_proxy.importer.policy import as_policy
from optout_proxy.importer.written import written
from policy_promises import TODAY, read

HARBOR = Path(__file__).resolve().parent / "policies" / "harbor.md"
OLD = HARBOR.read_text("utf-8")
SEED = CORPORA / "seed" / "mass-gov-privacy-policy.txt"
OURS = shipped.folder() / "policies" / "mass-gov.toml"


def changes(old: str, new: str) -> list[tuple[str, str, str]]:
    found = compare(as_policy(read(old)), as_policy(read(new)))
    return [(change.risk, change.about, change.what) for change in found]


def cut(text: str, start: str, end: str) -> str:
    return text[: text.index(start)] + text[text.index(end) :]


ADDED = OLD.replace(
    "#### Tool name: Buoy",
    "#### Tool name: Treejack\n\n**Express opt out:** Do not click it.\n\n#### Tool name: Buoy",
)
REMOVED = cut(OLD, "#### Tool name: Crazy Egg", "#### Tool Name: InVision")
BUOYS = "[Leave the count](https://buoys.example/opt-out)"

ROWS = [
    ("a tool added", ADDED,
     "decide", "treejack", "added: Treejack (lines 127-129); its opt-out: abstain"),
    ("a tool removed", REMOVED, "decide", "crazy-egg", "removed: Crazy Egg is no longer declared"),
    ("an opt-out link changed", OLD.replace("buoys.example/opt-out", "buoys.example/stay"),
     "decide", "buoy-counter", "opt-out link changed: https://buoys.example/stay, before: h"),
    ("an opt-out link lost", OLD.replace(BUOYS, "By not counting."),
     "decide", "buoy-counter", "opt-out link lost: https://buoys.example/opt-out"),
    ("an opt-out withdrawn", OLD.replace(BUOYS, "N/A"),
     "decide", "buoy-counter", "opt-out is none, before: link"),
    ("an opt-out that needs a log-in now", OLD.replace(BUOYS, f"{BUOYS}, you must log in first."),
     "decide", "buoy-counter", "opt-out is link, login, before: link"),
    ("an opt-out offered", OLD.replace("**Express opt out:** N/A", f"**Express opt out:** {BUOYS}"),
     "note", "google-analytics", "opt-out link added: https://buoys.example/opt-out"),
    ("a purpose widened", OLD.replace("Counting visitors", "Counting visitors, and advertising"),
     "decide", "google-analytics", "purpose widened, it now speaks of advertising"),
    ("more data collected", OLD.replace("Clicks and scrolling.", "Clicks, scrolls and your name."),
     "decide", "crazy-egg", "data_collected widened, it now speaks of identity"),
    ("a purpose reworded", OLD.replace("Counting visitors", "To count visitors"),
     "look", "google-analytics", "purpose is worded differently"),
    ("kept longer", OLD.replace("discarded after 30 days", "discarded after two years"),
     "decide", "policy", "something is kept for 730 days, before: 30 days"),
    ("kept for a shorter time", OLD.replace("discarded after 30 days", "discarded after one week"),
     "note", "policy", "something is kept for 7 days, before: 30 days"),
    ("a newer date", OLD.replace("02/29/2016", "03/01/2021"),
     "note", "policy", "takes effect on 2021-03-01, before: 2016-02-29"),
    ("no date any more", OLD.replace("**_Effective_** : 02/29/2016", ""),
     "look", "policy", "no longer says since when it holds"),
    ("changed under the same date", OLD.replace("about ships", "about boats"),
     "look", "policy", "was changed under the same date, 2016-02-29"),
    ("less notice", OLD.replace("at least 45 days", "at least 5 days"),
     "decide", "policy", "changes are announced 5 days ahead, before: 45 days"),
    ("more notice", OLD.replace("at least 45 days", "at least 90 days"),
     "note", "policy", "changes are announced 90 days ahead, before: 45"),
    ("a limit gone", cut(OLD, "Used only", "Tickets are sold"),
     "decide", "google-adwords", "the limit is gone"),
    ("on more pages", OLD.replace("ferry pages about season tickets", "pages"),
     "decide", "google-adwords", "is used on: A small number of pages"),
    ("another site", OLD.replace("http://news.harbor.example", "http://shop.harbor.example"),
     "decide", "policy", "no longer covers news.harbor.example"),
    ("terms elsewhere", OLD.replace("https://www.crazyegg.com/terms", "https://www.crazyegg.com/tos"),
     "look", "crazy-egg", "terms is https://www.crazyegg.com/tos"),
    ("another name", OLD.replace("ForeSee™ provided by Verint", "ForeSee"),
     "note", "foresee", "is called 'ForeSee'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("new", "risk", "about", "what"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_change_is_said_with_its_risk(new, risk, about, what):
    assert new != OLD
    found = changes(OLD, new)
    assert any(it[:2] == (risk, about) and what in it[2] for it in found), found


def test_nothing_changes_from_a_document_to_itself():
    assert changes(OLD, OLD) == []


def test_what_needs_a_decision_comes_first():
    risks = [RISKS.index(it[0]) for it in changes(OLD, REMOVED.replace("02/29/2016", "03/01/2021"))]
    assert risks == sorted(risks)
    assert len(set(risks)) > 1


def run(*words: str):
    return CliRunner().invoke(optout, ["policy", "diff", *words], catch_exceptions=False)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "old.md").write_text(OLD, encoding="utf-8")
    (tmp_path / "added.md").write_text(ADDED, encoding="utf-8")
    (tmp_path / "dated.md").write_text(OLD.replace("02/29/2016", "03/01/2021"), encoding="utf-8")
    (tmp_path / "old.toml").write_text(written(read(OLD), TODAY), encoding="utf-8")
    (tmp_path / "added.toml").write_text(written(read(ADDED), TODAY), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("old.md", "old.md", 0),
        ("old.md", "dated.md", 0),
        ("old.md", "added.md", 1),
        ("old.toml", "added.toml", 1),
        ("old.toml", "added.md", 1),
        ("old.md", "added.toml", 1),
        ("old.toml", "old.md", 0),
        ("old.toml", "old.toml", 0),
    ],
)
def test_documents_and_policy_files_can_be_compared_and_a_decision_is_exit_1(files, old, new, code):
    told = run(str(files / old), str(files / new))
    assert told.exit_code == code
    assert ("treejack" in told.stdout) == bool(code)


def test_a_person_reads_a_line_a_change_and_a_program_a_list(files):
    words = (str(files / "old.md"), str(files / "added.md"))
    assert "decide  treejack" in run(*words).stdout
    assert "needs a decision" in run(*words).stdout
    told = json.loads(run(*words, "--json").stdout)
    assert [list(change) for change in told] == [["risk", "about", "what"]] * len(told)
    assert run(words[0], words[0]).stdout == "Nothing changes.\n"


def test_wording_is_not_compared_between_ours_and_theirs(files):
    told = run(str(files / "old.toml"), str(files / "dated.md")).stdout
    assert "texts are not compared" in told
    assert "worded differently" not in told


@needs_corpora
@pytest.mark.corpora
def test_the_file_we_ship_and_its_document_do_not_differ():
    assert run(str(OURS), str(SEED)).stdout == "Nothing changes.\n"


@needs_corpora
@pytest.mark.corpora
def test_from_2018_to_2019_the_tag_manager_came_under_the_same_date():
    old = CORPORA / "policies" / "massgov-2018-06-26_tools.md"
    told = run(str(old), str(SEED))
    assert told.exit_code == 1
    assert "decide  google-tag-manager   added: Google Tag Manager" in told.stdout
    assert "was changed under the same date, 2016-10-31" in told.stdout
