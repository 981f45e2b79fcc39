"""Every tool at every level in every browser, on a page in three policies' clothes.

The visitor is logged in at each vendor, third-party cookies are on, the page is loaded and used,
and the browser is ended and started again. `browsers.visit` does it, once a browser and level;
each row here looks at what was seen. Without the product every promise but those of `allow` is
broken: that is the control.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browsers import promises
from browsers.stand_ins import TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from browsers.visit import Visit

LEVELS = ("allow", "signal", "strip", "block")
VARIANTS = ("plain", "strict", "sri")


def broken(found: Iterator[str]) -> list[str]:
    return list(found)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("level", LEVELS)
class TestOfEachTool:
    def test_what_reaches_it(self, visited, family, level, variant, tool):
        seen = visited(family, level).seen[variant]
        assert broken(promises.reaches(seen, tool, level)) == []

    def test_what_the_browser_keeps_of_it(self, visited, family, level, variant, tool):
        seen = visited(family, level).seen[variant]
        assert broken(promises.keeps(seen, tool, level)) == []


@pytest.mark.parametrize("tool", promises.WITH_KEYS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("level", promises.TAKES)
def test_what_local_storage_keeps(visited, family, level, variant, tool):
    seen = visited(family, level).seen[variant]
    assert broken(promises.stores(seen, tool, level)) == []


@pytest.mark.parametrize("tool", promises.WITH_FLAGS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("level", LEVELS[1:])
def test_its_opt_out_is_set_before_its_code_runs(visited, family, level, variant, tool):
    seen = visited(family, level).seen[variant]
    assert broken(promises.flags(seen, tool, level)) == []


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("level", LEVELS)
class TestOfThePage:
    def test_it_works(self, visited, family, level, variant):
        seen = visited(family, level).seen[variant]
        assert broken(promises.works(seen, level)) == []

    def test_nothing_on_its_console_and_no_report_is_ours(self, visited, family, level, variant):
        assert broken(promises.is_quiet(visited(family, level).seen[variant])) == []

    def test_it_does_not_stay_hidden(self, visited, family, level, variant):
        seen = visited(family, level).seen[variant]
        assert broken(promises.appears(seen, level)) == []

    def test_it_takes_the_visitor_to_decline(self, visited, family, level, variant):
        seen = visited(family, level).seen[variant]
        assert broken(promises.declines(seen, level)) == []

    def test_its_scripts_read_the_signal(self, visited, family, level, variant):
        seen = visited(family, level).seen[variant]
        assert broken(promises.property_(seen, level)) == []

    def test_the_visitor_stays_logged_in_everywhere(self, visited, family, level, variant):
        visit = visited(family, level)
        assert broken(promises.logs_out(visit, visit.seen[variant])) == []


class TestControlWithoutTheProduct:
    """Tracking as it is, and every promise that a level makes is broken."""

    @pytest.mark.parametrize("tool", TOOLS)
    @pytest.mark.parametrize("variant", VARIANTS)
    def test_it_tracks(self, visited, family, variant, tool):
        seen = visited(family, "control").seen[variant]
        assert broken(promises.reaches(seen, tool, "allow")) == []
        for level in LEVELS[1:]:
            assert broken(promises.reaches(seen, tool, level)), level

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_the_page_works(self, visited, family, variant):
        visit: Visit = visited(family, "control")
        seen = visit.seen[variant]
        found = (promises.works(seen, "allow"), promises.is_quiet(seen))
        assert [broken(one) for one in (*found, promises.logs_out(visit, seen))] == [[], [], []]

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_tools_stay_in_the_browser(self, visited, family, variant):
        seen = visited(family, "control").seen[variant]
        keeping = {tool for tool in TOOLS if broken(promises.keeps(seen, tool, "block"))}
        assert keeping >= {"google-analytics", "facebook-pixel", "twitter-widget", "crazy-egg"}
        for check in _EVERY_OTHER:
            assert broken(check(seen)), check


_EVERY_OTHER: tuple[Callable[..., Iterator[str]], ...] = (
    lambda seen: promises.stores(seen, "formstack", "block"),
    lambda seen: promises.flags(seen, "google-analytics", "signal"),
    lambda seen: promises.declines(seen, "strip"),
    lambda seen: promises.property_(seen, "signal"),
    lambda seen: promises.works(seen, "block"),
)
