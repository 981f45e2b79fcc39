"""Policy files that an import writes: as by hand, and never over what a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from corpora import CORPORA, needs_corpora
from optout_proxy import shipped
from optout_proxy.cli.main import optout
from optout_proxy.errors import InputError
from optout_proxy.importer.policy import as_policy
from optout_proxy.importer.reviewed import merged
from optout_proxy.importer.written import written
from optout_proxy.registry.policy_file import load_policy, parse_policy
from policy_promises import TODAY, hold_again, read

HERE = Path(__file__).resolve().parent / "policies"
HARBOR = HERE / "harbor.md"
OURS = shipped.folder() / "policies" / "mass-gov.toml"


def file_of(raw: bytes | str, name: str = "harbor.md") -> str:
    return written(read(raw, name), TODAY)


@pytest.mark.parametrize("name", ["harbor.md", "vendors.html", "prose.txt"])
def test_a_file_says_what_was_read(name):
    raw = (HERE / name).read_bytes()
    assert parse_policy(file_of(raw, name), "a.toml") == as_policy(read(raw, name))


def test_a_file_reads_as_if_written_by_hand():
    text = file_of(HARBOR.read_bytes())
    for part in (
        'name = "Harbor.example"\nsites = ["harbor.example", "news.harbor.example"]\n',
        'purpose = { text = "Counting visitors", lines = [17, 17] }\n',
        'opt_out = { state = "na", kinds = ["none"], lines = [25, 25] }\n',
        "name = 'Facebook \"Like\" widget'\n",
        'terms = { state = "absent" }\n',
        "[tool.limits]\n",
        "since = 2017-04-01\n",
        'text = """\nWhat you answer.\nOn a telephone it also asks where to send the questions; ',
        "# Found by a heading that declares it as a tool (certain); no tool file recognises it",
        '# It also says under "Retention", on line 133: Retention: Two years.\n',
        "# reviewed = 2026-11-24",
    ):
        assert part in text
    long = [line for line in text.splitlines() if len(line) > 100 and "url =" not in line]
    assert long == []
    assert not any(line != line.rstrip() for line in text.splitlines())


# --- Imported again -------------------------------------------------------------------------------


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    """A file that a person has worked on."""
    text = file_of(HARBOR.read_bytes())
    text = text.replace('text = "Counting visitors"', 'text = "How many come."')
    text = text.replace('kinds = ["link"], text = "Leave the count"', 'kinds = ["link", "login"]')
    text = text.replace("# reviewed = 2026-11-24  ", "reviewed = 2026-11-24    ")
    text = text.replace('id = "crazy-egg"', 'id = "crazy-egg"            # the heat maps')
    file = tmp_path / "harbor.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_same_document_again_changes_nothing(reviewed):
    text, shown = merged(reviewed, read(HARBOR.read_bytes()), TODAY)
    assert text == reviewed.read_text("utf-8")
    assert "made from this very document" in shown[-1]


NEWER = (
    HARBOR.read_text("utf-8")
    .replace("### Instruments on board", "### Instruments on board\n\nThere are some.")
    .replace("02/29/2016", "03/01/2021")
    .replace("https://adssettings.google.com/authenticated?hl=en", "https://myadcenter.google.com/")
)
GONE = (
    NEWER[: NEWER.index("#### Tool name: Crazy Egg")] + NEWER[NEWER.index("#### Tool Name: InV") :]
)
ADDED = NEWER.replace(
    "#### Tool name: Buoy",
    "#### Tool name: Treejack\n\n**Purpose:** Finds the way.\n\n**Express opt out:** N/A\n\n"
    "#### Tool name: Buoy",
)


def test_a_new_document_moves_places_and_leaves_what_a_person_wrote(reviewed):
    text, shown = merged(reviewed, read(NEWER), TODAY)
    before, after = load_policy(reviewed), parse_policy(text, "a.toml")
    assert after.source.sha256 == read(NEWER).source.sha256
    assert after.source.lines == before.source.lines + 2
    for old, new in zip(before.tools, after.tools, strict=True):
        assert new.lines == (old.lines[0] + 2, old.lines[1] + 2)
        assert [it.text for it in new.fields.values()] == [it.text for it in old.fields.values()]
        assert new.opt_out.kinds == old.opt_out.kinds
        assert new.opt_out.links == old.opt_out.links
    assert after.effective == before.effective
    assert 'id = "crazy-egg"            # the heat maps' in text
    told = "\n".join(shown)
    assert "kept: effective is 2016-02-29 in the file; the document says 2021-03-01" in told
    assert "kept: google-adwords, opt_out is link, login; https://adssettings" in told
    assert "the document says link; https://myadcenter.google.com/" in told


def test_a_tool_that_is_gone_becomes_a_comment(reviewed):
    text, shown = merged(reviewed, read(GONE), TODAY)
    assert "crazy-egg" not in {tool.id for tool in parse_policy(text, "a.toml").tools}
    assert '# id = "crazy-egg"            # the heat maps' in text
    assert "# 2026-11-24: the document no longer names crazy-egg. What stood here:" in text
    assert any(line.startswith("gone: crazy-egg") for line in shown)


def test_a_tool_that_is_new_is_put_where_the_document_has_it(reviewed):
    text, shown = merged(reviewed, read(ADDED), TODAY)
    ids = [tool.id for tool in parse_policy(text, "a.toml").tools]
    assert ids[-2:] == ["treejack", "buoy-counter"]
    assert any(line.startswith("new: treejack") for line in shown)


@pytest.mark.parametrize("document", [NEWER, GONE, ADDED, "# Nothing\n\n**x**\n\nat all"])
def test_what_was_merged_merges_again_without_a_change(reviewed, document):
    imported = read(document)
    once, _ = merged(reviewed, imported, TODAY)
    reviewed.write_text(once, encoding="utf-8")
    assert merged(reviewed, imported, TODAY)[0] == once


def test_tools_follow_the_order_of_the_document_with_their_comments(reviewed):
    start = NEWER.index("#### Tool name: Crazy Egg")
    end = NEWER.index("#### Tool Name: InVision")
    before = NEWER.index("#### Tool name: Google Analytics")
    moved = NEWER[:before] + NEWER[start:end] + NEWER[before:start] + NEWER[end:]
    text, _ = merged(reviewed, read(moved), TODAY)
    assert [tool.id for tool in parse_policy(text, "a.toml").tools][:2] == [
        "crazy-egg",
        "google-analytics",
    ]
    assert 'id = "crazy-egg"            # the heat maps' in text


@pytest.mark.parametrize("old", ["harbor.md", "vendors.html", "prose.txt"])
@pytest.mark.parametrize("new", ["harbor.md", "vendors.html", "prose.txt"])
def test_any_document_can_be_imported_over_the_file_of_another(old, new, tmp_path):
    before, after = (read((HERE / name).read_bytes(), name) for name in (old, new))
    hold_again(before, after, tmp_path / "a.toml")


def test_a_file_that_is_no_policy_file_is_left_alone(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("name = 3\n")
    with pytest.raises(InputError):
        merged(file, read(NEWER), TODAY)
    told = CliRunner().invoke(optout, ["policy", "import", str(HARBOR), "-o", str(file)])
    assert isinstance(told.exception, InputError)
    assert file.read_text() == "name = 3\n"


def test_the_command_writes_a_file_and_says_what_it_kept(reviewed, tmp_path):
    document = tmp_path / "newer.md"
    document.write_text(NEWER, encoding="utf-8")
    told = CliRunner().invoke(optout, ["policy", "import", str(document), "-o", str(reviewed)])
    assert told.exit_code == 0
    assert "kept: google-adwords" in told.stdout
    assert "Written to" in told.stdout
    assert load_policy(reviewed).tools[0].purpose.text == "How many come."


@needs_corpora
@pytest.mark.corpora
def test_the_file_we_ship_stays_as_it_is_when_the_seed_is_imported_over_it(tmp_path):
    file = tmp_path / "mass-gov.toml"
    file.write_bytes(OURS.read_bytes())
    seed = CORPORA / "seed" / "mass-gov-privacy-policy.txt"
    told = CliRunner().invoke(optout, ["policy", "import", str(seed), "-o", str(file)])
    assert told.exit_code == 0
    assert file.read_bytes() == OURS.read_bytes()
    assert "kept:" not in told.stdout


@needs_corpora
@pytest.mark.corpora
def test_the_file_we_ship_follows_another_edition(tmp_path):
    edition = CORPORA / "policies" / "massgov-2018-06-26_tools.md"
    text, shown = merged(OURS, read(edition.read_bytes(), edition.name), TODAY)
    policy = parse_policy(text, "a.toml")
    assert "google-tag-manager" not in {tool.id for tool in policy.tools}
    assert policy.tools[0].purpose.text == load_policy(OURS).tools[0].purpose.text
    assert any("where these statements stand now is for you to say" in line for line in shown)
