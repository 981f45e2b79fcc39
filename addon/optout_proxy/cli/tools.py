"""`optout tools`: what policies declare, what we recognise, and what you chose, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from optout_proxy.cli import options
from optout_proxy.registry import Registry, load

if TYPE_CHECKING:
    from pathlib import Path

    from optout_proxy.registry.policy_file import DeclaredTool


class ToolRow(msgspec.Struct, frozen=True):
    """One tool, joined from three owners of facts."""

    id: str
    name: str
    level: str
    chosen: bool
    """False where the level is the recommended one, or `allow` because nobody declares it."""
    recommended: str | None
    declared_by: tuple[str, ...]
    opt_out_kinds: tuple[str, ...]
    opt_out_stated: str
    opt_out_links: tuple[str, ...]
    recognisable: bool
    operator: str
    category: str
    express_exists: bool
    express_login: bool
    express_effect: str | None
    express_says: str


def rows(registry: Registry) -> list[ToolRow]:
    """Every tool that a policy declares or a tool file knows; declared ones first."""
    declared = [tool.id for policy in registry.policies for tool in policy.tools]
    names = dict.fromkeys([*declared, *registry.tool_files])
    return [_row(registry, name) for name in names]


def _row(registry: Registry, name: str) -> ToolRow:
    stated: list[tuple[str, DeclaredTool]] = [
        (policy.name, tool)
        for policy in registry.policies
        for tool in policy.tools
        if tool.id == name
    ]
    file = registry.tool_files.get(name)
    express = file.tool.express if file else None
    first = stated[0][1] if stated else None
    return ToolRow(
        id=name,
        name=file.tool.name if file else (first.name if first else name),
        level=registry.choices.levels.get(name, "allow"),
        chosen=name in registry.settings.opt_out,
        recommended=file.tool.recommended if file else None,
        declared_by=tuple(policy for policy, _ in stated),
        opt_out_kinds=first.opt_out.kinds if first else (),
        opt_out_stated=first.opt_out.text if first else "",
        opt_out_links=tuple(link.url for link in first.opt_out.links) if first else (),
        recognisable=file is not None,
        operator=file.tool.operator if file else "",
        category=file.category if file else "",
        express_exists=bool(express and express.exists),
        express_login=bool(express and express.login),
        express_effect=express.effect if express else None,
        express_says=express.says if express else "",
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
@options.config
def command(as_json: bool, config: Path | None) -> None:
    """List every tool: its level, what the policy says of opting out, what its own opt-out does."""
    found = rows(load(config))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("tool", "level", "the policy's opt-out", "the tool's own opt-out"):
        table.add_column(title)
    for row in found:
        origin = "" if row.chosen else " (recommended)" if row.declared_by else " (not declared)"
        kinds = ", ".join(row.opt_out_kinds) or ("not declared" if not row.declared_by else "")
        table.add_row(row.id, row.level + origin, kinds, row.express_says or "unknown")
    Console().print(table)
