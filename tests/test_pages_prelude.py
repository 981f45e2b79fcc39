"""The script put before a page's own: its promises are in tests/prelude/claims.mjs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optout_proxy import shipped
from optout_proxy.errors import InputError
from optout_proxy.pages import Flag, PagePlan
from optout_proxy.pages.plan import expression
from optout_proxy.pages.prelude import load_prelude, parse_script
from page_parts import PRELUDE, written
from test_surrogates import run_node

CLAIMS = Path(__file__).resolve().parent / "prelude" / "claims.mjs"
PLAN = PagePlan(
    gpc=True,
    flags=(
        Flag("_gaUserPrefs", "{ioo: () => true}"),
        Flag("CE_NO_COOKIES", "true"),
        Flag("ga-disable-*", "true"),
    ),
    cookies=("_ga", "_ga_*", r"/^cebsp?_?$/"),
    storage=("massgovDeviceId", "lastExternal*"),
)
"""What claims.mjs takes to be in force."""

calm = settings(deadline=None)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str | None]]:
    script = tmp_path_factory.mktemp("prelude") / "prelude.js"
    script.write_bytes(written(PLAN).prelude)
    return json.loads(run_node(CLAIMS, script))


def test_what_is_named_is_guarded_and_cleared(outcome):
    assert len(outcome["claims"]) == 12
    assert {sentence: wrong for sentence, wrong in outcome["claims"].items() if wrong} == {}


def test_everything_else_is_as_it_was(outcome):
    assert len(outcome["kept"]) == 11
    assert {sentence: wrong for sentence, wrong in outcome["kept"].items() if wrong} == {}


def test_without_the_prelude_no_promise_holds_and_nothing_else_is_broken():
    without = json.loads(run_node(CLAIMS, "/dev/null"))
    assert [sentence for sentence, wrong in without["claims"].items() if not wrong] == []
    assert {sentence: wrong for sentence, wrong in without["kept"].items() if wrong} == {}


# --- as it stands in a page


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        PagePlan(cookies=("</script>", "<!--", "]]>", "&amp;", "\u2028", "é", '"', "\\")),
        PagePlan(storage=("</SCRIPT >", "a\nb", "__proto__", "/[<]!--/")),
        PagePlan(flags=(Flag("</script>", "1"), Flag("__proto__", "2"))),
    ],
)
def test_nothing_in_it_can_end_the_script_around_it(plan, tmp_path):
    text = written(plan).prelude.decode("ascii")
    assert not re.search(r"</|<!|-->|]]>|[\u2028\u2029]", text)
    script = tmp_path / "prelude.js"
    script.write_text(text)
    run_node("--check", script)


@pytest.mark.parametrize("value", ["'</script>'", "'<!--'", "']]>'", "'\u2028'", "'é'", "'\0'"])
def test_a_flag_whose_value_could_end_the_script_is_refused(value):
    with pytest.raises(ValueError, match="could end the script"):
        Flag("a", value)


@pytest.mark.parametrize(
    "markup", ["<meta>", "<meta name='a'>", '<meta name="é">', '<meta name="a">x', "text", "<p", ""]
)
def test_markup_that_is_no_plain_tag_is_refused(markup):
    if markup == "<meta>":
        assert PagePlan(markup=(markup,)).inserted
        return
    with pytest.raises(ValueError, match="no start tag"):
        PagePlan(markup=(markup,))


def test_a_broken_expression_is_refused():
    with pytest.raises(ValueError, match="is no expression"):
        PagePlan(cookies=("/(/",))


def test_a_plan_that_asks_for_no_script_has_none():
    assert written(PagePlan(integrity=True)).prelude == b""
    assert written(PagePlan(flags=(Flag("ga-disable-*", "true"),))).prelude == b""


def test_the_digest_is_that_of_the_script():
    text = written(PLAN).prelude
    digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
    assert written(PLAN).digest == f"sha256-{digest}"


def test_it_is_small():
    assert len(written(PLAN).prelude) < 5_000


@pytest.mark.parametrize(
    ("pattern", "name", "means"),
    [
        ("_ga", "_ga", True),
        ("_ga", "_gaa", False),
        ("_ga", "x_ga", False),
        ("_ga_*", "_ga_", True),
        ("_ga_*", "_ga_AB", True),
        ("_ga_*", "_ga", False),
        ("fsr.s", "fsrXs", False),
        ("a*z", "a-z", True),
        ("/^_ce/", "_ce.s", True),
        ("/x/", "axb", True),
        ("/", "/", True),
        ("[a]", "[a]", True),
    ],
)
def test_a_name_is_exact_or_has_wildcards_or_is_an_expression(pattern, name, means):
    assert bool(re.search(expression(pattern), name)) is means


def in_node(patterns: list[str], names: list[str]) -> list[list[bool]]:
    sources = json.dumps([expression(pattern) for pattern in patterns])
    code = f"console.log(JSON.stringify({sources}.map((s) => {json.dumps(names)}.map("
    return json.loads(run_node("-e", code + "(n) => new RegExp(s).test(n)))))"))


def test_expressions_mean_the_same_in_both_languages():
    patterns = ["_ga", "_ga_*", "a.b", "a*b", "/^cebsp?_?$/", "-x", "[", "{1}", "a b", "é", "#"]
    names = [*patterns, "_ga_1", "axb", "cebs", "cebsp_", "-x-", "1", ""]
    here = [[bool(re.search(expression(p), n)) for n in names] for p in patterns]
    assert in_node(patterns, names) == here


@calm
@given(st.text(alphabet=st.characters(exclude_characters="*\n\r\u2028\u2029"), min_size=1))
def test_a_plain_name_means_itself_alone(name):
    if not (name.startswith("/") and name.endswith("/") and len(name) > 1):
        assert re.search(expression(name), name)
        assert not re.search(expression(name), f"{name}x")
        assert not re.search(expression(name), f"x{name}")


# --- the files


def test_the_files_are_read_from_the_blocklists_and_hold_one_function_each():
    found = load_prelude(shipped.folder() / "blocklists")
    assert found == PRELUDE
    assert found.code.startswith("(choices, flags) => {")
    assert found.flag_code.startswith("(flags) => {")
    assert "//" not in found.code.replace("https://", "")


def test_a_missing_file_is_said_with_its_place(tmp_path):
    with pytest.raises(InputError, match=r"prelude\.js: cannot be read"):
        load_prelude(tmp_path)


@pytest.mark.parametrize("text", ["é", "'</script>'", "a <!-- b", "'<SCRIPT'"])
def test_a_file_that_could_not_stand_in_a_page_is_refused(text):
    with pytest.raises(InputError):
        parse_script(text, "prelude.js")
