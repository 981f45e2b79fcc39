"""`optout check`: read everything, and say what would be enforced."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from optout_proxy.cli import options
from optout_proxy.importer.stale import speaks_of_later, stale_policies, stale_tools
from optout_proxy.registry import Registry, load
from optout_proxy.registry.lint import lint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path


@click.command()
@options.config
def command(config: Path | None) -> None:
    """Read everything and print what would be enforced, what is stale, what was skipped.

    Exit 1 where a tool file does not hold what its own examples promise.
    """
    registry = load(config)
    today = datetime.now(UTC).date()
    for line in (*_choices(registry), *_lists(registry), *_stale(registry, today)):
        click.echo(line)
    for line in _unenforceable(registry):
        click.echo(line)
    faults = lint(list(registry.tool_files.values()), registry.resources)
    for fault in faults:
        click.echo(f"fault: {fault}", err=True)
    examples = sum(len(file.examples) for file in registry.tool_files.values())
    if not faults:
        click.echo(f"\n{len(registry.tool_files)} tool files hold their {examples} examples.")
    sys.exit(1 if faults else 0)


def _choices(registry: Registry) -> Iterator[str]:
    settings, choices = registry.settings, registry.choices
    yield f"configuration {settings.file}"
    for policy in registry.policies:
        yield f"policy {policy.name}: {len(policy.tools)} tools on {', '.join(policy.sites)}"
    yield ""
    for name, file in registry.tool_files.items():
        level = choices.levels.get(name, "allow")
        origin = _origin(registry, name)
        yield f"  {name:<20} {level:<7} {origin}"
        if level != "allow" and (says := file.tool.express.says):
            yield f"  {'':<20} its own opt-out: {says}"
    for tool in sorted(registry.declared - registry.tool_files.keys()):
        yield f"  {tool:<20} declared, but not recognisable yet: nothing is enforced"
    for host, levels in choices.sites.items():
        told = ", ".join(f"{tool} at {level}" for tool, level in levels.items())
        yield f"  on {host}: {told}"
    yield ""
    yield f"pages: {choices.pages}; inspect: {choices.inspect}; Sec-GPC: {_word(choices.gpc)}"


def _word(on: bool) -> str:
    return "sent" if on else "not sent"


def _origin(registry: Registry, name: str) -> str:
    if name in registry.settings.opt_out:
        return "chosen"
    if name in registry.declared:
        return "recommended (no line of its own)"
    return "no loaded policy declares it"


def _lists(registry: Registry) -> Iterator[str]:
    for one in registry.settings.lists:
        rules = registry.lists[one.name]
        skipped = sum(rules.skipped.values())
        yield f"list {one.name} ({one.use}): {len(rules)} rules, {skipped} lines not applied"
        for reason, count in sorted(rules.skipped.items(), key=lambda item: -item[1]):
            yield f"    {count:>6}  {reason}"


def _stale(registry: Registry, today: date) -> Iterator[str]:
    for line in (
        *stale_tools(registry.tool_files.values(), today),
        *stale_policies(registry.policies, today),
    ):
        yield f"stale: {line}"
    for policy in registry.policies:
        if later := speaks_of_later(policy):
            yield (
                f"policy {policy.name} says it took effect on {policy.effective}, but speaks of "
                f"{later}: it was changed since"
            )


def _unenforceable(registry: Registry) -> Iterator[str]:
    for policy in registry.policies:
        told = [s for s in policy.statements if s.outside == "nothing"]
        if told:
            yield f"\n{policy.name} states what nobody outside can enforce or verify:"
        for statement in told:
            yield f"  lines {statement.lines[0]}-{statement.lines[1]}: {statement.text}"
