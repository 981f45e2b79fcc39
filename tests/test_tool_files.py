"""The shipped tool files: each holds its own examples, and each of its rules is needed."""

from __future__ import annotations

import pytest

from optout_proxy import shipped
from optout_proxy.registry.lint import lint
from optout_proxy.registry.tool_file import load_all
from optout_proxy.resources import load_resources

BLOCKLISTS = shipped.folder() / "blocklists"
DECLARED = [
    *("google-analytics", "google-tag-manager", "google-site-search", "google-adwords"),
    *("facebook-pixel", "foresee", "twitter-widget", "facebook-like", "crazy-egg", "treejack"),
    "invision",
]


@pytest.fixture(scope="module")
def files():
    return {file.tool.id: file for file in load_all(BLOCKLISTS)}


@pytest.mark.parametrize("tool", [*DECLARED, "formstack"])
def test_every_tool_of_the_policy_has_a_file(files, tool: str) -> None:
    assert tool in files
    assert files[tool].examples


def test_every_file_holds_its_examples_and_no_rule_is_needless(files) -> None:
    faults = lint(list(files.values()), load_resources(BLOCKLISTS))
    assert [str(fault) for fault in faults] == []
