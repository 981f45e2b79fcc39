"""What is put in front of a tool's own script: the promises are in tests/surrogates/prefix.mjs."""

from __future__ import annotations

import json

import pytest

from optout_proxy import shipped
from test_surrogates import HARNESS, run_node

PREFIX = shipped.folder() / "blocklists" / "prefixes" / "consent-denied.js"


@pytest.fixture(scope="module")
def outcome() -> dict[str, dict[str, str | None]]:
    return json.loads(run_node(HARNESS / "prefix.mjs", PREFIX))


def test_nothing_is_consented_to_whatever_the_site_says(outcome) -> None:
    assert len(outcome["claims"]) == 5
    assert {sentence: wrong for sentence, wrong in outcome["claims"].items() if wrong} == {}


def test_the_page_goes_on_as_before(outcome) -> None:
    assert len(outcome["kept"]) == 5
    assert {sentence: wrong for sentence, wrong in outcome["kept"].items() if wrong} == {}


def test_without_the_prefix_no_promise_holds() -> None:
    without = json.loads(run_node(HARNESS / "prefix.mjs", "/dev/null"))
    assert [sentence for sentence, wrong in without["claims"].items() if not wrong] == []
