"""What `optout check` says is old, or contradicts itself."""

from __future__ import annotations

from datetime import date

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from optout_proxy import shipped
from optout_proxy.cli.main import optout
from optout_proxy.importer.stale import speaks_of_later, stale_policies, stale_tools
from optout_proxy.registry.policy_file import load_policy
from policy_promises import TOOL_FILES

TODAY = date(2026, 11, 24)
OURS = load_policy(shipped.folder() / "policies" / "mass-gov.toml")
FRESH = replace(OURS, source=replace(OURS.source, archived=date(2026, 11, 1)))


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (FRESH, []),
        (replace(FRESH, reviewed=date(2025, 11, 24)), []),
        (replace(FRESH, reviewed=date(2025, 11, 23)), ["was last reviewed 366 days ago"]),
        (replace(FRESH, reviewed=None), []),
        (OURS, ["its document was archived 2709 days ago (2019-06-25); import the current one"]),
        (
            replace(OURS, reviewed=None, source=replace(OURS.source, archived=None)),
            ["does not say when it was reviewed; write reviewed = 2026-11-24"],
        ),
    ],
)
def test_a_policy_file_older_than_a_year_is_named(policy, says):
    told = list(stale_policies([policy], TODAY))
    assert len(told) == len(says)
    assert all(part in line for part, line in zip(says, told, strict=True))


def test_a_tool_file_older_than_a_year_is_named():
    file = TOOL_FILES["crazy-egg"]
    assert list(stale_tools([file], TODAY)) == []
    old = replace(file, reviewed=date(2025, 1, 1))
    assert list(stale_tools([old], TODAY)) == [
        "crazy-egg was last reviewed 692 days ago (2025-01-01)"
    ]


def test_a_policy_that_speaks_of_days_after_its_own_is_named():
    assert speaks_of_later(OURS) == date(2018, 5, 17)
    assert speaks_of_later(replace(OURS, effective=date(2020, 1, 1))) is None
    assert speaks_of_later(replace(OURS, effective=None)) is None


def test_check_says_it():
    told = CliRunner().invoke(optout, ["check"]).stdout
    assert "stale: policy Mass.gov: its document was archived" in told
    assert "says it took effect on 2016-10-31, but speaks of 2018-05-17" in told
