"""Changing a level in the user's file: exactly the change, and the rest stays as it was."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from optout_proxy import shipped
from optout_proxy.errors import InputError, OptoutError
from optout_proxy.model import LEVELS
from optout_proxy.registry import choose as module
from optout_proxy.registry.choose import choose, edited
from optout_proxy.registry.policy_file import load_policy
from optout_proxy.registry.settings import SiteChoices, find_config, load_settings, parse_settings

SHIPPED = shipped.folder() / "config.toml"
TOOLS = frozenset(
    tool.id for tool in load_policy(shipped.folder() / "policies/mass-gov.toml").tools
)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


LAYOUTS = [
    (
        "a value changes and its comment stays in its column",
        '[opt_out]   # levels\ncrazy-egg = "block"    # why\nforesee   = "strip"    # too\n',
        ("crazy-egg", "signal", None),
        '[opt_out]   # levels\ncrazy-egg = "signal"   # why\nforesee   = "strip"    # too\n',
    ),
    (
        "a comment right behind the value is not glued to it",
        '[opt_out]\ncrazy-egg = "block" # why\n',
        ("crazy-egg", "signal", None),
        '[opt_out]\ncrazy-egg = "signal" # why\n',
    ),
    (
        "a new line goes to its table, before what introduces the next one",
        '[opt_out]\ncrazy-egg = "block"\n# as it is\n\n# The scope.\n[scope]\n',
        ("foresee", "allow", None),
        '[opt_out]\ncrazy-egg = "block"\n# as it is\nforesee = "allow"\n\n# The scope.\n[scope]\n',
    ),
    (
        "an empty table is filled",
        '[opt_out]\n\n[scope]\npages = "any"\n',
        ("foresee", "allow", None),
        '[opt_out]\nforesee = "allow"\n\n[scope]\npages = "any"\n',
    ),
    (
        "a table that is not there is made",
        '# mine\n[scope]\npages = "any"\n',
        ("foresee", "allow", None),
        '# mine\n[scope]\npages = "any"\n\n[opt_out]\nforesee = "allow"\n',
    ),
    ("an empty file is filled", "", ("foresee", "allow", None), '[opt_out]\nforesee = "allow"\n'),
    (
        "a last line without an end gets one",
        '[opt_out]\ncrazy-egg = "block"',
        ("foresee", "allow", None),
        '[opt_out]\ncrazy-egg = "block"\nforesee = "allow"\n',
    ),
    (
        "a table in braces",
        'opt_out = { crazy-egg = "block" } # all\n',
        ("crazy-egg", "allow", None),
        'opt_out = { crazy-egg = "allow" } # all\n',
    ),
    (
        "keys with dots",
        'opt_out.crazy-egg = "block" # one\nopt_out."foresee" = \'block\'\n',
        ("foresee", "allow", None),
        'opt_out.crazy-egg = "block" # one\nopt_out."foresee" = "allow"\n',
    ),
    (
        "a site's table is made at the end",
        '[opt_out]\nforesee = "block"\n\n# The end.\n',
        ("foresee", "allow", "Shop.example"),
        '[opt_out]\nforesee = "block"\n\n# The end.\n\n[sites."shop.example"]\nforesee = "allow"\n',
    ),
    (
        "a site's table is found however it is spelled",
        "[sites.'Shop.Example'] # mine\ngpc = false\n\n[scope]\n",
        ("foresee", "allow", "shop.example"),
        "[sites.'Shop.Example'] # mine\ngpc = false\nforesee = \"allow\"\n\n[scope]\n",
    ),
    (
        "a site's level changes and the general one stays",
        '[opt_out]\nforesee = "block"\n[sites."a.example"]\nforesee = "strip"\n',
        ("foresee", "allow", "a.example"),
        '[opt_out]\nforesee = "block"\n[sites."a.example"]\nforesee = "allow"\n',
    ),
    (
        "windows lines stay windows lines",
        '[opt_out]\r\ncrazy-egg = "block"\r\n\r\n[scope]\r\npages = "any"\r\n',
        ("foresee", "allow", None),
        '[opt_out]\r\ncrazy-egg = "block"\r\nforesee = "allow"\r\n\r\n[scope]\r\npages = "any"\r\n',
    ),
]


@pytest.mark.parametrize(
    ("before", "change", "after"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS]
)
def test_layout_is_kept(before, change, after, tmp_path):
    tool, level, site = change
    file = tmp_path / "config.toml"
    file.write_bytes(before.encode())
    assert choose(file, tool, level, TOOLS, site) == file
    assert file.read_bytes().decode() == after


@pytest.mark.parametrize("tool", sorted(TOOLS))
@pytest.mark.parametrize("level", LEVELS)
def test_the_shipped_file_keeps_every_other_byte(tool, level):
    text = SHIPPED.read_text()
    new = edited(text, SHIPPED, tool, level)
    pairs = zip(text.splitlines(), new.splitlines(), strict=True)
    changed = [(old, line) for old, line in pairs if old != line]
    assert all(line.startswith(f'{tool} = "{level}"') for _, line in changed)
    assert len(changed) <= 1
    assert parse_settings(new, SHIPPED, TOOLS).opt_out[tool] == level


def test_there_and_back_gives_the_same_bytes(tmp_path):
    before = '[opt_out]\ncrazy-egg  = "block"      # why\nforesee = "allow" # x\n'
    file = tmp_path / "config.toml"
    file.write_text(before)
    for level in ("signal", "allow", "block"):
        choose(file, "crazy-egg", level, TOOLS)
    assert file.read_text() == before


def test_loading_afterwards_gives_exactly_the_change(tmp_path):
    file = tmp_path / "config.toml"
    shutil.copy(SHIPPED, file)
    before = load_settings(file, TOOLS)
    choose(file, "treejack", "signal", TOOLS)
    choose(file, "foresee", "allow", TOOLS, site="a.example")
    choose(file, "invision", "strip", TOOLS, site="a.example")
    choose(file, "foresee", "strip", TOOLS, site="b.example")
    assert load_settings(file, TOOLS) == replace(
        before,
        opt_out={**before.opt_out, "treejack": "signal"},
        sites={
            "a.example": SiteChoices({"foresee": "allow", "invision": "strip"}),
            "b.example": SiteChoices({"foresee": "strip"}),
        },
    )


def test_a_line_added_above_a_waiver_is_no_other_change(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(
        '[opt_out]\n\n[[waiver]]\ntool = "foresee"\nfinding = "violated"\nowner = "me"\n'
        'reason = "why"\nexpires = 2027-01-31\n'
    )
    choose(file, "foresee", "allow", TOOLS)
    assert load_settings(file, TOOLS).waivers[0].line == 4


_COMMENT = st.sampled_from(["", "", "# c\n", "\n", "\n\n", "\n# [opt_out]\n", "  # x\n"])
_LEVEL = st.sampled_from([f"{q}{level}{q}" for level in LEVELS for q in ("'", '"', "'''")])
_TAIL = st.sampled_from(["", " # why", "      # why", "\t# \u00e4"])


@st.composite
def _levels(draw):
    tools = draw(st.lists(st.sampled_from(sorted(TOOLS)), unique=True, max_size=4))
    quote = st.sampled_from(["", '"', "'"])
    lines = []
    for tool in tools:
        mark, gap = draw(quote), draw(st.sampled_from(["", " ", "   "]))
        line = f"{mark}{tool}{mark}{gap}={gap}{draw(_LEVEL)}{draw(_TAIL)}\n"
        lines.append(draw(_COMMENT) + line)
    return "".join(lines)


@st.composite
def _configurations(draw):
    """Any order, spacing, quoting and commenting of the sections."""
    hosts = draw(st.lists(st.sampled_from(["a.example", "B.example", "c"]), unique=True))
    sections = [f"[sites.'{host}']{draw(_TAIL)}\n{draw(_levels())}" for host in hosts]
    if draw(st.booleans()):
        sections.append(f"[opt_out]\n{draw(_levels())}")
    if draw(st.booleans()):
        sections.append(f"[scope]{draw(_TAIL)}\npages = 'policy'\n")
    if draw(st.booleans()):
        sections.append("[lists]\n")
    sections = draw(st.permutations(sections))
    text = "".join(draw(_COMMENT) + section for section in sections) + draw(_COMMENT)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(
    _configurations(),
    st.sampled_from(sorted(TOOLS)),
    st.sampled_from(LEVELS),
    st.sampled_from([None, "a.example", "b.example", "d.example"]),
)
def test_any_layout_is_changed_in_the_one_place(text, tool, level, site):
    before = parse_settings(text, "config.toml", TOOLS)
    new = edited(text, "config.toml", tool, level, site)
    after = parse_settings(new, "config.toml", TOOLS)
    if site is None:
        assert after == replace(before, opt_out={**before.opt_out, tool: level})
    else:
        old = before.sites.get(site, SiteChoices())
        changed = replace(old, opt_out={**old.opt_out, tool: level})
        assert after == replace(before, sites={**before.sites, site: changed})
    comments = [line.split("#", 1)[1] for line in text.splitlines() if "#" in line]
    assert comments == [line.split("#", 1)[1] for line in new.splitlines() if "#" in line]
    assert ("\r\n" in text) <= (new.count("\n") == new.count("\r\n"))


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "level", "site", "says"),
    [
        ("forsee", "allow", None, 'there is no tool "forsee"; did you mean "foresee"?'),
        ("foresee", "of", None, 'there is no level "of"; write "allow", "signal"'),
        ("foresee", "allow", "https://a.example/", 'no host; write "a.example"'),
        ("foresee", "allow", "", "no host; write a host such as"),
        ("foresee", "allow", "a.example\n[scope]", "no host"),
    ],
)
def test_a_word_nobody_knows_is_refused_before_the_file_is_opened(tool, level, site, says):
    with pytest.raises(OptoutError) as refused:
        choose(Path("none.toml"), tool, level, TOOLS, site)
    assert says in str(refused.value)


def test_a_file_that_is_wrong_already_is_refused_with_its_place_and_left_alone(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[opt_out]\nforesee = "blok"\n')
    with pytest.raises(InputError, match=r'config.toml:2: opt_out.foresee is "blok"'):
        choose(file, "foresee", "block", TOOLS)
    assert file.read_text() == '[opt_out]\nforesee = "blok"\n'
    assert _names(tmp_path) == ["config.toml"]


@pytest.mark.parametrize("damage", ['[opt_out]\nforesee = "allow"\ntreejack = "allow"\n', "[x"])
def test_what_would_not_mean_the_change_is_not_written(tmp_path, monkeypatch, damage):
    file = tmp_path / "config.toml"
    file.write_text('[opt_out]\nforesee = "block"\n')
    monkeypatch.setattr(module, "edited", lambda *_: damage)
    with pytest.raises(InputError):
        choose(file, "foresee", "allow", TOOLS)
    assert file.read_text() == '[opt_out]\nforesee = "block"\n'
    assert _names(tmp_path) == ["config.toml"]


def test_what_tomlkit_cannot_follow_is_left_to_the_user(monkeypatch, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[opt_out]\nforesee = "block"\n')
    monkeypatch.setattr(module.tomlkit, "parse", lambda _: {}["gone"])
    with pytest.raises(InputError, match=r'write foresee = "allow" under \[opt_out\] yourself'):
        choose(file, "foresee", "allow", TOOLS)


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    file = tmp_path / "config.toml"
    file.write_text('[opt_out]\nforesee = "block"\n')
    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        choose(file, "foresee", "allow", TOOLS)
    assert file.read_text() == '[opt_out]\nforesee = "block"\n'
    assert _names(tmp_path) == ["config.toml"]


# --- The file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660])
def test_the_mode_is_kept(tmp_path, mode):
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(mode)
    choose(file, "foresee", "allow", TOOLS)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_symbolic_link_stays_one_and_its_file_changes(tmp_path):
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles/optout.toml"
    real.touch()
    link = tmp_path / "config.toml"
    link.symlink_to("dotfiles/optout.toml")
    assert choose(link, "foresee", "allow", TOOLS) == link
    assert link.is_symlink()
    assert real.read_text() == '[opt_out]\nforesee = "allow"\n'


def test_a_byte_order_mark_is_kept(tmp_path):
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf[opt_out]\r\n")
    choose(file, "foresee", "allow", TOOLS)
    assert file.read_bytes() == b'\xef\xbb\xbf[opt_out]\r\nforesee = "allow"\r\n'


def test_writers_at_the_same_time_lose_no_choice(tmp_path):
    file = tmp_path / "config.toml"
    shutil.copy(SHIPPED, file)
    threads = [
        threading.Thread(target=choose, args=(file, tool, "signal", TOOLS)) for tool in TOOLS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load_settings(file, TOOLS).opt_out.values()) == {"signal"}
    assert _names(tmp_path) == ["config.toml"]


def test_a_writer_that_does_not_end_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    file = tmp_path / "config.toml"
    file.touch()
    (tmp_path / ".config.toml.draft").touch()
    with pytest.raises(InputError, match="somebody else is changing this; try again, or delete"):
        choose(file, "foresee", "allow", TOOLS)


def test_what_a_crashed_writer_left_behind_is_no_obstacle(tmp_path):
    file = tmp_path / "config.toml"
    file.touch()
    draft = tmp_path / ".config.toml.draft"
    draft.touch()
    os.utime(draft, (time.time() - 60, time.time() - 60))
    choose(file, "foresee", "allow", TOOLS)
    assert _names(tmp_path) == ["config.toml"]


# --- A file that is not the user's to change ------------------------------------------------------


@pytest.fixture
def own(monkeypatch, tmp_path):
    """Where the user's own configuration would be."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf"))
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "conf/optout-proxy/config.toml"


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The shipped files as a wheel installs them."""
    folder = tmp_path / "site-packages/optout_proxy/_shipped"
    shutil.copytree(SHIPPED.parent / "policies", folder / "policies")
    shutil.copy(SHIPPED, folder / "config.toml")
    monkeypatch.setattr(shipped, "folder", lambda: folder)
    return folder / "config.toml"


def test_the_installed_configuration_is_copied_to_the_user_and_found_there(own, installed):
    assert find_config() == installed
    before = load_settings(installed, TOOLS)
    assert choose(find_config(), "foresee", "allow", TOOLS) == own
    assert find_config() == own
    assert load_settings(own, TOOLS) == replace(
        before, file=own, opt_out={**before.opt_out, "foresee": "allow"}
    )
    assert installed.read_text() == SHIPPED.read_text()
    assert os.access(own, os.W_OK)


def test_a_file_marked_read_only_is_copied_even_for_root(own, tmp_path):
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(0o444)
    assert choose(file, "foresee", "allow", TOOLS) == own
    assert file.read_text() == ""
    assert load_settings(own, TOOLS).opt_out == {"foresee": "allow"}


def test_a_copy_never_replaces_a_configuration_of_the_users(own, tmp_path):
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(0o444)
    with pytest.raises(InputError, match="is there already; make it writable, or use"):
        choose(file, "foresee", "allow", TOOLS)
    assert own.read_text() == "# mine\n"


def test_the_users_own_that_is_read_only_is_refused(own):
    own.parent.mkdir(parents=True)
    own.touch(mode=0o444)
    with pytest.raises(InputError, match="cannot be written; make it writable"):
        choose(own, "foresee", "allow", TOOLS)


def test_a_copy_whose_paths_would_lead_elsewhere_is_refused(own, tmp_path):
    file = tmp_path / "config.toml"
    (tmp_path / "mine.txt").touch()
    file.write_text('[ledger]\nfolder = "ledger"\n[lists]\n"mine.txt" = "block"\n')
    file.chmod(0o444)
    with pytest.raises(InputError, match="its paths would lead elsewhere from a copy"):
        choose(file, "foresee", "allow", TOOLS)
    assert not own.exists()


def test_in_a_clone_the_configuration_is_the_users_to_change(own, monkeypatch, tmp_path):
    shutil.copytree(SHIPPED.parent / "policies", tmp_path / "clone/policies")
    clone = Path(shutil.copy(SHIPPED, tmp_path / "clone/config.toml"))
    monkeypatch.setattr(shipped, "folder", lambda: clone.parent)
    assert choose(find_config(), "foresee", "allow", TOOLS) == clone
    assert load_settings(clone, TOOLS).opt_out["foresee"] == "allow"
