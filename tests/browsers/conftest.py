"""What the tests in real browsers share. Each browser is a group of its own under pytest-xdist."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from browsers import stand_ins, visit
from browsers.driver import WAYS, window
from browsers.net import bare, internet
from wire import Origin, ours

FAMILIES = ("chromium", "firefox")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever asks for a `family` is run in every browser."""
    if "family" in metafunc.fixturenames:
        rows = [pytest.param(one, marks=pytest.mark.xdist_group(one)) for one in FAMILIES]
        metafunc.parametrize("family", rows, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            family = getattr(item, "callspec", None) and item.callspec.params.get("family")
            if family and family not in WAYS:
                item.add_marker(pytest.mark.skip(reason=f"no {family} is installed here"))


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
