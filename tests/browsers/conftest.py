"""What the tests in real browsers share. Each browser is a group of its own under pytest-xdist."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from browsers import stand_ins, visit
from browsers.driver import WAYS
from browsers.net import bare, internet, window
from wire import Origin, ours

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES = ("chromium", "firefox")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever asks for a `family` is run in every browser."""
    if "family" in metafunc.fixturenames:
        rows = [pytest.param(one, marks=_marks(one)) for one in FAMILIES]
        metafunc.parametrize("family", rows, scope="session")


def _marks(family: str) -> list[pytest.MarkDecorator]:
    absent = pytest.mark.skipif(family not in WAYS, reason=f"no {family} is installed here")
    return [pytest.mark.xdist_group(family), absent]


@pytest.fixture(scope="session")
def visited(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], visit.Visit]:
    """The visit by a browser at a level, made once; the level `control` is without the product."""

    @cache
    def made(family: str, level: str) -> visit.Visit:
        folder = tmp_path_factory.mktemp(f"{family}-{level}")
        origin = Origin(stand_ins.HOSTS, stand_ins.reply)
        door = bare if level == "control" else ours
        # Formstack is no tool of the policy: at `block` the site's form would be gone.
        more = {"formstack": "strip"} if level == "block" else {}
        with (
            internet(origin, folder, level, door=door, **more) as opened,
            window(family, opened) as browser,
        ):
            return visit.make(browser, origin, VARIANTS)

    return made


VARIANTS = ("plain", "strict", "sri")
