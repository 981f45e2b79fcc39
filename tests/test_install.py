"""The wheel: what a user installs is tested, not the source folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
HIT = "https://www.facebook.com/tr/?id=1234567890&ev=PageView"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, apart from the checkout."""
    made = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True)
    (wheel,) = made.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def optout(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": str(installed),
        "HOME": str(cwd),
        "XDG_CONFIG_HOME": str(cwd / "config"),
        "XDG_STATE_HOME": str(cwd / "state"),
    }
    code = "import optout_proxy.cli.main as m, sys; sys.argv[0] = 'optout'; m.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_wheel_carries_the_data_it_needs(installed: Path) -> None:
    shipped = installed / "optout_proxy" / "_shipped"
    for name in ("config.toml", "policies/mass-gov.toml"):
        assert (shipped / name).read_bytes() == (TOP / name).read_bytes()
    for folder in ("blocklists", "blocklists/surrogates", "blocklists/placeholders"):
        here = {path.name for path in (TOP / folder).iterdir()}
        assert {path.name for path in (shipped / folder).iterdir()} == here


def test_it_works_in_an_empty_folder_with_the_shipped_configuration(
    installed: Path, tmp_path: Path
) -> None:
    told = optout(installed, "explain", HIT, "--type", "image", "--json", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert (answer["tool"], answer["action"]) == ("facebook-pixel", "block")
    checked = optout(installed, "check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert str(installed) in checked.stdout
    assert str(TOP) not in checked.stdout


def test_a_choice_is_written_to_the_users_own_folder(installed: Path, tmp_path: Path) -> None:
    before = (installed / "optout_proxy" / "_shipped" / "config.toml").read_bytes()
    told = optout(installed, "set", "facebook-pixel", "allow", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert (installed / "optout_proxy" / "_shipped" / "config.toml").read_bytes() == before
    assert (tmp_path / "config" / "optout-proxy" / "config.toml").is_file()
    asked = optout(installed, "explain", HIT, "--type", "image", "--json", cwd=tmp_path)
    assert json.loads(asked.stdout)["action"] == "allow"
