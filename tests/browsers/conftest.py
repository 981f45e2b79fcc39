"""What the tests in real browsers share. Each browser is a group of its own under pytest-xdist."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from browsers import stand_ins, visit
from browsers.driver import WAYS, Window
from browsers.net import bare, internet, window
from wire import Origin, ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAMILIES = ("chromium", "firefox")

type Blocked = tuple[Window, Origin]


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


@pytest.fixture(scope="module")
def blocked(family: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocked]:
    """A browser with everything at `block`, logged in everywhere; and the stand-ins."""
    origin = Origin(stand_ins.HOSTS, stand_ins.reply)
    folder = tmp_path_factory.mktemp("blocked")
    with (
        internet(origin, folder, "block", formstack="strip") as door,
        window(family, door) as browser,
    ):
        browser.look(1000, 900)
        browser.goto(f"https://{stand_ins.LOGINS[0]}/login")
        yield browser, origin


VARIANTS = ("plain", "strict", "sri")
