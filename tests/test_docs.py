"""The documents say what is so: links lead somewhere, commands and words exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from optout_proxy.cli.main import optout
from optout_proxy.model import ACTIONS, LEVELS, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

TOP = Path(__file__).resolve().parent.parent
PAGES = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]


def commands(group: click.Group, name: str = "optout") -> Iterator[tuple[str, click.Command]]:
    """Every command that can be called, with what is typed to call it."""
    context = group.make_context(name, [], resilient_parsing=True)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{name} {word}")  # type: ignore[arg-type]
        else:
            yield f"{name} {word}", command


COMMANDS = dict(commands(optout))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_each_of_its_options_are_documented(name: str) -> None:
    text = (TOP / "docs" / "commands.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if f"`{name}" in line]
    assert rows, f"docs/commands.md does not mention {name}"
    options = {
        word for option in COMMANDS[name].params for word in option.opts if word.startswith("--")
    }
    for option in options - {"--config", "--help"}:
        assert any(option in row for row in rows), f"{name} {option}"


def test_no_page_names_a_command_that_is_not_there() -> None:
    known = {name.split()[1] for name in COMMANDS}
    named = {
        word
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for word in re.findall(r"(?:^|`)optout ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert named - known == set()


@pytest.mark.parametrize("word", [*LEVELS, *ACTIONS, *ROLES])
def test_every_word_of_a_decision_is_in_the_glossary(word: str) -> None:
    text = (TOP / "docs" / "glossary.md").read_text("utf-8")
    assert re.search(rf"`[^`]*\b{word.rstrip('s')}s?\b[^`]*`", text), word


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for word in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert named <= targets
