"""Load everything: policies, tool files, settings and lists, joined into one engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from optout_proxy import shipped
from optout_proxy.engine import Choices, Engine
from optout_proxy.engine.community import Community, Listed
from optout_proxy.errors import InputError
from optout_proxy.registry.policy_file import Policy, load_policy
from optout_proxy.registry.settings import Settings, find_config, load_settings
from optout_proxy.registry.tool_file import ToolFile, load_all
from optout_proxy.resources import Resources, load_resources
from optout_proxy.rules.lists import RuleList, load_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optout_proxy.model import Level


class Registry(msgspec.Struct, frozen=True):
    """All that is known: what policies declare, how tools are recognised, what the user chose."""

    settings: Settings
    policies: tuple[Policy, ...]
    tool_files: Mapping[str, ToolFile]
    lists: Mapping[str, RuleList]
    resources: Resources
    choices: Choices
    engine: Engine
    files: tuple[Path, ...]
    """Every file that was read; a change to one of them makes another registry."""

    @property
    def declared(self) -> frozenset[str]:
        """The tools that a loaded policy declares."""
        return frozenset(tool.id for policy in self.policies for tool in policy.tools)

    def at(self, level: Level) -> Engine:
        """An engine that answers as if every tool had one level."""
        choices = msgspec.structs.replace(self.choices, every=level)
        tools = [file.tool for file in self.tool_files.values()]
        return Engine(tools, choices, self.resources, _community(self.settings, self.lists))


def load(path: Path | None = None) -> Registry:
    """Load what a configuration names; InputError for the first thing that is wrong.

    Without a path: `./config.toml`, else the user's own, else the one we ship.
    """
    folder = shipped.folder() / "blocklists"
    tool_files = {file.tool.id: file for file in load_all(folder)}
    config = find_config(path)
    settings = load_settings(config, frozenset(tool_files))
    policies = tuple(load_policy(policy) for policy in settings.policies)
    lists = {one.name: _list(settings, one.path) for one in settings.lists}
    resources = load_resources(folder)
    choices = choices_of(settings, policies, tool_files)
    tools = [file.tool for file in tool_files.values()]
    return Registry(
        settings=settings,
        policies=policies,
        tool_files=tool_files,
        lists=lists,
        resources=resources,
        choices=choices,
        engine=Engine(tools, choices, resources, _community(settings, lists)),
        files=_files(settings, folder),
    )


def choices_of(
    settings: Settings, policies: Sequence[Policy], tool_files: Mapping[str, ToolFile]
) -> Choices:
    """The user's choices; without one, the recommended level of a tool that a policy declares."""
    declared = {tool.id for policy in policies for tool in policy.tools} & tool_files.keys()
    recommended = {name: tool_files[name].tool.recommended for name in declared}
    sites = settings.sites.items()
    return Choices(
        levels={**recommended, **settings.opt_out},
        sites={host: dict(site.opt_out) for host, site in sites if site.opt_out},
        without_gpc=frozenset(host for host, site in sites if site.gpc is False),
        policy_sites=frozenset(host for policy in policies for host in policy.sites),
        pages=settings.scope.pages,
        inspect=settings.scope.inspect,
        pinned=settings.scope.pinned,
        undecided=settings.scope.undecided,
        gpc=settings.signals.gpc,
        persistent_cookies=settings.signals.persistent_cookies,
    )


def _list(settings: Settings, path: Path) -> RuleList:
    try:
        return load_list(path, cache_folder())
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(settings.file, f"the list {str(path)!r} cannot be read: {why}") from None


def cache_folder() -> Path:
    """Where compiled lists are kept: the user's cache folder."""
    from pathlib import Path  # noqa: PLC0415

    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "optout-proxy"


def _community(settings: Settings, lists: Mapping[str, RuleList]) -> Community:
    return Community(tuple(Listed(one.name, lists[one.name], one.use) for one in settings.lists))


def _files(settings: Settings, folder: Path) -> tuple[Path, ...]:
    lists = (one.path for one in settings.lists)
    return (settings.file, *settings.policies, *lists, *sorted(folder.glob("*.toml")))


def known_tools() -> frozenset[str]:
    """The ids of all tools that have a tool file."""
    return frozenset(path.stem for path in (shipped.folder() / "blocklists").glob("*.toml"))


def load_settings_only(path: Path | None = None) -> Settings:
    """Load a configuration without what it names."""
    return load_settings(find_config(path), known_tools())
