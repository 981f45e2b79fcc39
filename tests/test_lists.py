"""Community lists: what is applied, what is skipped and why, and that nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpora import CORPORA, needs_corpora
from engines import PAGE, RESOURCES
from optout_proxy.engine import Choices, Engine
from optout_proxy.engine.community import Community, Listed
from optout_proxy.rules.lists import load_list, parse_list

if TYPE_CHECKING:
    from pathlib import Path

LIST = """\
[Adblock Plus 2.0]
! a comment
||ads.example^
||both.example^$third-party
@@||ads.example/fine^
||must.example^$important
@@||must.example^
||gone.example^
||gone.example^$badfilter
||part.example^$script,domain=www.gov.example
||stand.example^$script,redirect=spy.js
||rule.example^
||rule.example/x.js$script,redirect-rule=spy.js
@@||pages.example^$document
||doc.example^$document
127.0.0.1 hosts.example
0.0.0.0 other.hosts.example # a comment
127.0.0.1 localhost
gov.example##.advert
gov.example#@#.advert
||x.example^$popup
||y.example^$csp=script-src
/(a+)+$/
*
"""


def engine(mode: str = "block", text: str = LIST) -> Engine:
    listed = Listed("lists/test.txt", parse_list(text), mode)  # type: ignore[arg-type]
    return Engine([], Choices(), RESOURCES, Community((listed,)))


@pytest.mark.parametrize(
    ("url", "kind", "page", "action"),
    [
        ("https://ads.example/x", "image", PAGE, "block"),
        ("https://sub.ads.example/x", "image", PAGE, "block"),
        ("https://ads.example/fine/x", "image", PAGE, "allow"),
        ("https://ads.example/x", "document", "", "allow"),
        ("https://both.example/x", "image", PAGE, "block"),
        ("https://both.example/x", "image", "https://both.example/", "allow"),
        ("https://must.example/x", "image", PAGE, "block"),
        ("https://gone.example/x", "image", PAGE, "allow"),
        ("https://part.example/x", "script", PAGE, "block"),
        ("https://part.example/x", "script", "https://other.example/", "allow"),
        ("https://stand.example/x", "script", PAGE, "surrogate"),
        ("https://rule.example/x.js", "script", PAGE, "surrogate"),
        ("https://rule.example/y.js", "script", PAGE, "block"),
        ("https://ads.example/x", "image", "https://pages.example/", "allow"),
        ("https://doc.example/", "document", "", "block"),
        ("https://hosts.example/", "image", PAGE, "block"),
        ("https://other.hosts.example/", "image", PAGE, "block"),
        ("https://localhost/", "image", PAGE, "allow"),
        ("https://x.example/", "image", PAGE, "allow"),
        ("https://www.gov.example/", "image", PAGE, "allow"),
    ],
)
def test_a_list_stops_what_its_rules_say(url: str, kind: str, page: str, action: str) -> None:
    one = engine()
    decision = one.decide(one.name(url, type=kind, page=page))  # type: ignore[arg-type]
    assert decision.action == action
    if decision.stops:
        assert decision.tool == "list:lists/test.txt"
        assert decision.rule is not None
        named = decision.rule.text.strip("|").partition("^")[0]
        assert named in LIST.splitlines()[decision.rule.line - 1]


def test_an_observed_list_stops_nothing_and_says_what_it_knows() -> None:
    one = engine("observe")
    decision = one.decide(one.name("https://ads.example/x", type="image", page=PAGE))
    assert (decision.action, decision.tool) == ("allow", "list:lists/test.txt")
    assert not one.may_stop("ads.example")
    assert engine().may_stop("ads.example")


def test_what_is_skipped_is_counted_by_reason() -> None:
    skipped = parse_list(LIST).skipped
    assert skipped == {
        "badfilter": 1,
        "switched off by badfilter": 1,
        "names this machine itself": 1,
        "cosmetic": 2,
        "popup windows look like documents to a proxy": 1,
        "unknown option 'csp'": 1,
        "a rule that matches every URL": 1,
        "a repeat inside a repeat can take forever": 1,
    }


@pytest.mark.parametrize(
    "text", ["", "\n\n", "\x00\x01", "||" * 9000, "$" * 50, "@@", "||^", "/" * 9]
)
def test_an_odd_list_is_read(text: str) -> None:
    one = engine(text=text)
    one.decide(one.name("https://ads.example/x", type="image", page=PAGE))


def test_a_cached_list_says_what_the_text_says(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(LIST)
    made = load_list(file, tmp_path / "cache")
    kept = load_list(file, tmp_path / "cache")
    assert (len(made), made.skipped) == (len(kept), kept.skipped)
    assert list((tmp_path / "cache").iterdir())
    file.write_text("||new.example^\n")
    assert len(load_list(file, tmp_path / "cache")) == 1
    for broken in (tmp_path / "cache").iterdir():
        broken.write_bytes(b"not a cache")
    assert len(load_list(file, tmp_path / "cache")) == 1


@needs_corpora
@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "rules", "unapplied"),
    [
        ("easyprivacy", 55_000, 10),
        ("easylist", 50_000, 3_100),
        ("peter-lowe", 3_500, 0),
        ("adguard-url-tracking", 2_400, 5),
        ("ublock-privacy", 1_300, 60),
    ],
)
def test_real_lists_load_whole(name: str, rules: int, unapplied: int) -> None:
    loaded = load_list(CORPORA / "lists" / f"{name}.txt")
    assert len(loaded) >= rules
    assert sum(n for reason, n in loaded.skipped.items() if reason != "cosmetic") <= unapplied
