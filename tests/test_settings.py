"""The user's configuration: what it means, and where it is wrong."""

from __future__ import annotations

import os
import stat
from datetime import date
from pathlib import Path

import pytest

from optout_proxy import shipped
from optout_proxy.errors import InputError
from optout_proxy.registry import settings as module
from optout_proxy.registry.settings import (
    CommunityList,
    LedgerChoices,
    Scope,
    Settings,
    Signals,
    SiteChoices,
    Waiver,
    config_folder,
    find_config,
    load_settings,
    parse_settings,
)

RECOMMENDED = {
    "google-analytics": "block",
    "google-tag-manager": "strip",
    "google-site-search": "strip",
    "google-adwords": "block",
    "facebook-pixel": "block",
    "foresee": "block",
    "twitter-widget": "block",
    "facebook-like": "block",
    "crazy-egg": "block",
    "treejack": "block",
    "invision": "block",
}
TOOLS = frozenset(RECOMMENDED)


def parse(text: str, file: Path | str = "/etc/optout/config.toml") -> Settings:
    return parse_settings(text, file, TOOLS)


def test_an_empty_file_means_the_defaults():
    assert parse("") == Settings(
        file=Path("/etc/optout/config.toml"),
        scope=Scope(pages="any", inspect="minimal", pinned="refuse", undecided="closed"),
        signals=Signals(gpc=True, persistent_cookies="keep"),
        ledger=LedgerChoices(folder=None, keep_days=30, detail="private"),
    )


def test_every_section_is_read():
    text = """
        policies = ["policies/mass-gov.toml", "/srv/other.toml"]
        [opt_out]
        crazy-egg = "allow"
        "foresee" = 'signal'
        [sites."Shop.Example"]
        facebook-like = "allow"
        gpc = false
        [sites."127.0.0.1"]
        [sites.localhost]
        treejack = "block"
        [scope]
        pages = "policy"
        inspect = "all"
        pinned = "pass"
        undecided = "open"
        [signals]
        gpc = true
        persistent_cookies = "session"
        [ledger]
        folder = "ledger"
        keep_days = 1
        detail = "full"
        [lists]
        "lists/easyprivacy.txt" = "observe"
        'C:\\lists\\mine.txt' = "block"
        [[waiver]]
        tool = "foresee"
        finding = "violated"
        owner = "web team"
        reason = "being removed"
        expires = 2027-01-31
        [[waiver]]
        tool = "cdn.example"
        finding = "undeclared"
        owner = "web team"
        reason = "fonts"
        expires = 2027-01-31
    """
    here = Path("/etc/optout")
    until = date(2027, 1, 31)
    assert parse(text) == Settings(
        file=here / "config.toml",
        policies=(here / "policies/mass-gov.toml", Path("/srv/other.toml")),
        opt_out={"crazy-egg": "allow", "foresee": "signal"},
        sites={
            "shop.example": SiteChoices({"facebook-like": "allow"}, gpc=False),
            "127.0.0.1": SiteChoices(),
            "localhost": SiteChoices({"treejack": "block"}),
        },
        scope=Scope("policy", "all", "pass", "open"),
        signals=Signals(gpc=True, persistent_cookies="session"),
        ledger=LedgerChoices(here / "ledger", 1, "full"),
        lists=(
            CommunityList("lists/easyprivacy.txt", here / "lists/easyprivacy.txt", "observe"),
            CommunityList("C:\\lists\\mine.txt", here / "C:\\lists\\mine.txt", "block"),
        ),
        waivers=(
            Waiver("foresee", "violated", "web team", "being removed", until, 27),
            Waiver("cdn.example", "undeclared", "web team", "fonts", until, 33),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        'opt_out = { foresee = "signal" }',
        'opt_out.foresee = "signal"',
        "[opt_out]\nforesee = '''signal'''",
        '[opt_out]\r\nforesee = "signal"   # why\r\n',
        '\ufeff[opt_out]\nforesee = "\\u0073ignal"',
    ],
)
def test_a_level_may_be_written_in_any_way_that_toml_knows(text: str):
    assert parse(text).opt_out == {"foresee": "signal"}


def test_paths_start_from_the_folder_of_the_file_and_from_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    text = 'policies = ["../a.toml"]\n[ledger]\nfolder = "~/ledger"'
    read = parse(text, Path("conf/config.toml"))
    assert read.file == tmp_path / "conf/config.toml"
    assert read.policies == (tmp_path / "conf/../a.toml",)
    assert read.ledger.folder == tmp_path / "ledger"


WAIVER = '[[waiver]]\ntool = "foresee"\nfinding = "violated"\nowner = "me"\nreason = "why"\n'

WRONG = [
    # levels
    ('[opt_out]\nforesee = "blok"', 2, 'opt_out.foresee is "blok"', 'or "block"'),
    ('[opt_out]\nforesee = "Block"', 2, 'is "Block"', '"signal", "strip" or "block"'),
    ("[opt_out]\nforesee = true", 2, "opt_out.foresee is true", '"allow"'),
    ("[opt_out]\n\nforesee = 1", 3, "opt_out.foresee is 1", '"allow"'),
    ('[opt_out]\nforesee = ["block"]', 2, "is a list", '"allow"'),
    ('[opt_out]\nforesee = { level = "block" }', 2, "is a table", '"allow"'),
    ("[opt_out]\nforesee = 2026-11-24", 2, "is 2026-11-24", '"allow"'),
    ("[opt_out]\nforesee = block", 2, "invalid value", "between quotes"),
    ('[opt_out]\nforesee = ""', 2, 'is ""', '"allow"'),
    ('opt_out = "block"', 1, 'opt_out is "block"', "[opt_out]"),
    ('[[opt_out]]\nforesee = "block"', 1, "opt_out is a list", "[opt_out]"),
    # tools
    ('[opt_out]\n# c\nforsee = "block"', 3, "opt_out.forsee", 'did you mean "foresee"?'),
    ('[opt_out]\nGoogle_Analytics = "block"', 2, "no such tool", '"google-analytics"?'),
    ('[opt_out]\nhotjar = "block"', 2, "no such tool", "known: crazy-egg, facebook-like"),
    ('[opt_out]\nforesee = "block"\nforesee = "allow"', 3, "a second time, first on line 2", ""),
    ('[opt_out]\nforesee = "block"\n"foresee" = "block"', 3, "a second time", "keep one"),
    ('[opt_out]\ngpc = "block"', 2, "opt_out.gpc", "under [signals]"),
    ('foresee = "block"', 1, "foresee is out of place", "under [opt_out]"),
    ('[scope]\npages = "any"\nforesee = "block"', 3, "out of place", "under [opt_out]"),
    ('[opt_out."foresee"]\nlevel = "block"', 1, "is a table", '"allow"'),
    # other keys and words
    ('[scop]\npages = "any"', 1, "unknown key scop", 'did you mean "scope"?'),
    ('[scope]\npage = "any"', 2, "unknown key scope.page", '"pages"?'),
    ('[scope]\npages = "some"', 2, 'scope.pages is "some"', 'write "any" or "policy"'),
    ('[scope]\ninspect = "none"', 2, "scope.inspect", 'write "minimal" or "all"'),
    ('[scope]\npinned = "allow"', 2, "scope.pinned", 'write "refuse" or "pass"'),
    ("[scope]\nundecided = false", 2, "is false", 'write "closed" or "open"'),
    ('[scope]\npersistent_cookies = "keep"', 2, "out of place", "under [signals]"),
    ('[scope]\npolicies = ["a"]', 2, "out of place", "above the first [table]"),
    ('[signals]\ngpc = "true"', 2, 'signals.gpc is "true"', "true or false, without quotes"),
    ("[signals]\ngpc = 1", 2, "signals.gpc is 1", "true or false"),
    ('[signals]\npersistent_cookies = "drop"', 2, "signals.persistent", '"keep" or "session"'),
    ("gpc = true", 1, "gpc is out of place", "under [signals]"),
    ("[sites.a]\n[signal]", 2, "unknown key signal", '"signals"?'),
    ('scope = "any"', 1, 'scope is "any"', "[scope]"),
    ('[[scope]]\npages = "any"', 1, "scope is a list", "[scope]"),
    # ledger
    ('[ledger]\nkeep_days = "30"', 2, 'is "30"', "whole number from 1 to 36500"),
    ("[ledger]\nkeep_days = 0", 2, "is 0", "from 1 to"),
    ("[ledger]\nkeep_days = 99999", 2, "is 99999", "to 36500"),
    ("[ledger]\nkeep_days = -1", 2, "is -1", "from 1 to"),
    ("[ledger]\nkeep_days = 30.0", 2, "is 30.0", "whole number"),
    ("[ledger]\nkeep_days = true", 2, "is true", "whole number"),
    ('[ledger]\nfolder = ""', 2, 'ledger.folder is ""', "a text"),
    ("[ledger]\nfolder = 1", 2, "ledger.folder is 1", "a text"),
    ('[ledger]\nfolder = "a\\u0000b"', 2, "ledger.folder is", "a text"),
    ('[ledger]\nfolder = "~nobody-of-that-name/x"', 2, "home folder", "the whole path"),
    ('[ledger]\ndetail = "all"', 2, 'is "all"', '"private" or "full"'),
    # policies
    ('policies = "policies/mass-gov.toml"', 1, "policies is", "a list of texts"),
    ('policies = [\n  "a.toml",\n  1,\n]', 3, "policies[1] is 1", "a list of texts"),
    ('policies = ["a.toml",\n"./a.toml"]', 2, '"./a.toml" is named twice', ""),
    ('policies = ["a.toml", ""]', 1, 'policies[1] is ""', "a list of texts"),
    ('[policies]\n"a.toml" = 1', 1, "policies is a table", "a list of texts"),
    # sites
    ('[sites."https://shop.example/x"]', 1, "is no host", 'write "shop.example"'),
    ('[sites."shop.example/cart"]', 1, "is no host", 'write "shop.example"'),
    ('[sites."shop.example:8080"]', 1, "is no host", 'write "shop.example"'),
    ('[sites."*.shop.example"]', 1, "is no host", 'write "shop.example"'),
    ('[sites."shop.example."]', 1, "is no host", 'write "shop.example"'),
    ('[sites."shop example"]', 1, "is no host", "write a host such as"),
    ('[sites.""]', 1, "is no host", "write a host such as"),
    ('[sites."a..b"]', 1, "is no host", "write a host such as"),
    ('[sites."1.2.3"]', 1, "is no host", "write a host such as"),
    ('[sites."m\u00fcller.example"]', 1, "is no host", "with xn--"),
    ('[sites.shop.example]\nforesee = "allow"', 1, "needs quotes", '[sites."shop.example"]'),
    ("[sites.www.b.example]\ngpc = false", 1, "needs quotes", '[sites."www.b.example"]'),
    ('[sites]\nforesee = "allow"', 2, 'sites.foresee is "allow"', "write a table"),
    ('[sites."a.example"]\n[sites."A.example"]', 2, "a second time", "keep one"),
    ('[sites."a.example"]\n[sites."a.example"]', 2, "a second time", "keep one"),
    ('[sites."a.example"]\nforsee = "allow"', 2, "no such tool", 'did you mean "foresee"?'),
    ('[sites."a.example"]\nforesee = "off"', 2, 'is "off"', '"allow"'),
    ('[sites."a.example"]\ngpc = "no"', 2, 'is "no"', "true or false"),
    ('[signals]\ngpc = false\n[sites."a.example"]\ngpc = true', 4, "signal is off", "[signals]"),
    # lists
    ('[lists]\n"a.txt" = "on"', 2, 'lists."a.txt" is "on"', 'write "observe" or "block"'),
    ('[lists]\na.txt = "block"', 2, "lists.a is a table", 'write "observe" or "block"'),
    ('[lists]\n"a.txt" = "block"\n"./a.txt" = "observe"', 3, "is named twice", "keep one"),
    ('lists = ["a.txt"]', 1, "lists is a list", "[lists]"),
    # waivers
    (WAIVER, 1, "waiver[0].expires is missing", "write a date without quotes"),
    (WAIVER + 'expires = "2027-01-31"', 6, 'is "2027-01-31"', "a date without quotes"),
    (WAIVER + "expires = 2027-01-31T00:00:00Z", 6, "is a time", "a date without quotes"),
    (WAIVER + "expires = 2027-02-30", 6, "invalid date", "such as 2027-01-31"),
    (WAIVER + "until = 2027-01-31", 6, "unknown key waiver[0].until", "known: tool"),
    ("\n" + WAIVER.replace('"me"', '" "'), 5, 'waiver[0].owner is " "', "a text"),
    (WAIVER.replace("violated", "wrong"), 3, 'is "wrong"', '"never-seen"'),
    (WAIVER.replace("foresee", "forsee"), 2, 'no tool "forsee"', '"foresee"?'),
    (WAIVER.replace("foresee", "cdn.example"), 2, 'no tool "cdn.example"', "known:"),
    ("waiver = 1", 1, "waiver is 1", "[[waiver]]"),
    ('waiver = ["foresee"]', 1, "waiver[0] is no table", "[[waiver]]"),
    # no TOML at all
    ("opt out: block", 1, "expected '='", 'write key = "value"'),
    ('{"opt_out": {}}', 1, "invalid statement", 'write key = "value"'),
]


@pytest.mark.parametrize(("text", "line", "what", "right"), WRONG)
def test_what_is_wrong_is_refused_with_its_line_and_what_would_be_right(text, line, what, right):
    with pytest.raises(InputError) as refused:
        parse(text, "config.toml")
    said = str(refused.value)
    assert said.startswith(f"config.toml:{line}: ")
    assert what in said
    assert right in said
    assert said.isprintable()


def test_the_place_holds_below_comments_and_in_windows_files():
    text = "# one\r\n# two\r\n\r\n[opt_out] # three\r\n# four\r\nforesee = 'blok'\r\n"
    with pytest.raises(InputError, match=r"config.toml:6: "):
        parse(text, "config.toml")


# --- Files ----------------------------------------------------------------------------------------


def load(file: Path) -> Settings:
    return load_settings(file, TOOLS)


def test_the_configuration_we_ship_has_each_tool_at_its_recommended_level():
    read = load(shipped.folder() / "config.toml")
    assert read.opt_out == RECOMMENDED
    assert read == Settings(
        file=shipped.folder() / "config.toml",
        policies=(shipped.folder() / "policies/mass-gov.toml",),
        opt_out=RECOMMENDED,
    )


def test_every_commented_line_of_the_configuration_we_ship_is_right_once_uncommented(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/easyprivacy.txt").touch()
    example = ("# folder =", '# "lists/', "# [[", "# tool", "# finding", "# owner", "# reason")
    example += ("# expires", "# [sites", "# facebook-like =", "# gpc =")
    text = (shipped.folder() / "config.toml").read_text()
    lines = [line[2:] if line.startswith(example) else line for line in text.splitlines()]
    file = tmp_path / "config.toml"
    file.write_text("\n".join(lines))
    read = load(file)
    assert read.ledger.folder == tmp_path / "ledger"
    assert len(read.lists) == len(read.waivers) == len(read.sites) == 1


def test_a_policy_is_looked_for_beside_the_file_and_then_among_ours(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('policies = ["policies/mass-gov.toml"]')
    assert load(file).policies == (shipped.folder() / "policies/mass-gov.toml",)
    beside = tmp_path / "policies/mass-gov.toml"
    beside.parent.mkdir()
    beside.touch()
    assert load(file).policies == (beside,)


@pytest.mark.parametrize(
    ("text", "line", "what", "right"),
    [
        ('policies = [\n"policies/mass-gv.toml"]', 2, "no policy file", "policies/mass-gov.toml"),
        ('policies = ["policies"]', 1, 'no policy file "policies"', "mass-gov.toml"),
        ('[lists]\n"lists/none.txt" = "block"', 2, 'no list "lists/none.txt"', "that is there"),
    ],
)
def test_a_file_that_is_named_and_not_there_is_refused(tmp_path, text, line, what, right):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        load(file)
    assert refused.value.line == line
    assert what in str(refused.value)
    assert right in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"\xff\xfe[\0", "is UTF-16 text"),
        (b"\x7fELF\x02\0\0", "is not a text file"),
        (b"[opt_out]\nforesee = '\xe4'", "config.toml:2: is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, raw, what):
    file = tmp_path / "config.toml"
    file.write_bytes(raw)
    with pytest.raises(InputError, match=what):
        load(file)


def test_a_folder_and_a_file_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(InputError, match="there is no such file"):
        load(tmp_path / "config.toml")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_file_without_permission_is_refused(tmp_path):
    file = tmp_path / "config.toml"
    file.touch(mode=stat.S_IWUSR)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        load(file)


# --- Which file -----------------------------------------------------------------------------------


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty working folder, and a home without a configuration."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(module.sys, "platform", "linux")
    return tmp_path / "home"


def test_without_any_other_the_shipped_configuration_is_taken(home):
    assert find_config() == shipped.folder() / "config.toml"


def test_the_users_own_goes_before_the_shipped_one(home):
    own = home / ".config/optout-proxy/config.toml"
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_config() == own


def test_the_one_in_the_working_folder_goes_before_the_users_own(home):
    test_the_users_own_goes_before_the_shipped_one(home)
    Path("config.toml").touch()
    assert find_config() == Path("config.toml")


def test_the_one_named_goes_before_all_and_need_not_be_there(home):
    Path("config.toml").touch()
    assert find_config(Path("other.toml")) == Path("other.toml")


def test_one_that_is_there_and_cannot_be_read_is_not_passed_over(home):
    Path("config.toml").symlink_to("gone.toml")
    assert find_config() == Path("config.toml")
    with pytest.raises(InputError, match="there is no such file"):
        load(find_config())


def test_a_user_without_a_home_gets_the_shipped_one(home, monkeypatch):
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(module.Path, "home", homeless)
    assert find_config() == shipped.folder() / "config.toml"


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {}, "/home/u/.config"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x"),
        ("linux", {"XDG_CONFIG_HOME": "x"}, "/home/u/.config"),
        ("linux", {"XDG_CONFIG_HOME": ""}, "/home/u/.config"),
        ("freebsd14", {"APPDATA": "/a"}, "/home/u/.config"),
        ("darwin", {}, "/home/u/Library/Application Support"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, "/x"),
        ("win32", {"APPDATA": "/a", "XDG_CONFIG_HOME": "/x"}, "/a"),
        ("win32", {}, "/home/u/AppData/Roaming"),
    ],
)
def test_each_platform_keeps_configurations_in_its_own_place(platform, environ, folder):
    assert config_folder(platform, environ, Path("/home/u")) == Path(folder)
