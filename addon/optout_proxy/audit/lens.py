"""Through what captures are looked at: the proxy's engine, the policy, and who else is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.audit.canary import Canary
from optout_proxy.audit.express import Expressed
from optout_proxy.audit.trackers import Tracker, load_trackers
from optout_proxy.engine import Choices, Engine, Tool
from optout_proxy.engine.community import Community, Listed
from optout_proxy.engine.naming import Operators
from optout_proxy.errors import OptoutError
from optout_proxy.hosts import parents
from optout_proxy.registry import load
from optout_proxy.registry.load import Registry, choices_of
from optout_proxy.registry.policy_file import load_policy

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from optout_proxy.model import Type

_WORD: Final = re.compile(r"[a-z]{4,}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMPTY_WORDS: Final = frozenset(
    {"pages", "page", "about", "only", "those", "some", "with", "buying"}
)
_STEM: Final = 5


class Asked(msgspec.Struct, frozen=True):
    """What an audit is asked for; it can be sent to another process."""

    config: Path | None = None
    policy: Path | None = None
    canary: str = ""


class Limit(msgspec.Struct, frozen=True):
    """Where and since when a policy says that a tool is used."""

    tool: str
    sites: frozenset[str]
    """Hosts that the policy covers, with their subdomains."""
    stems: frozenset[str]
    """A page is meant where its address holds one of them: the policy tells pages in words."""
    since: date | None
    says: str
    line: int

    def strayed(self, page_host: str, page: str, day: str) -> str | None:
        """Why a request from a page on a day is outside the limit; None where it is not."""
        if self.sites.isdisjoint(parents(page_host)):
            return None
        if self.since and _DAY.fullmatch(day) and day < self.since.isoformat():
            return f"before {self.since.isoformat()}"
        path = page.lower().partition("://")[2].partition("/")[2]
        if path and not any(stem in path for stem in self.stems):
            return f"outside “{self.says}”"
        return None


class Lens(msgspec.Struct, frozen=True):
    """All that one file is judged by. Holds no state that a file could leave behind."""

    registry: Registry
    engine: Engine
    stripping: Engine
    """The same rules with every tool at `strip` on every page, reports included: what it takes away
    is what a request carries."""
    tools: dict[str, Tool]
    opted_out: frozenset[str]
    declared: frozenset[str]
    named: frozenset[str]
    """What the policy names at all, as a tool or in passing."""
    limits: dict[str, Limit]
    trackers: dict[str, Tracker]
    operators: Operators
    expressed: Expressed
    canary: Canary | None
    has_lists: bool

    @property
    def choices(self) -> Choices:
        return self.engine.choices

    def owners(self, host: str, name: str) -> tuple[str, ...]:
        """The tools whose identity a cookie of a page's own host is, by its name."""
        page = f"https://{host}/"
        return self._takers(page, page, name)

    def owners_anywhere(self, host: str, name: str) -> tuple[str, ...]:
        """The same of a cookie of any host: a page's, or a tool's own."""
        page = f"https://{host}/"
        return self.owners(host, name) or self._takers(page, "https://page.invalid/", name)

    def _takers(self, url: str, page: str, name: str) -> tuple[str, ...]:
        line = ((b"Cookie", f"{name}=x".encode("utf-8", "replace")),)
        kind: Type = "document" if url == page else "other"
        request = self.stripping.name(url, page=page, type=kind, headers=line)
        credits_ = self.stripping.decide(request).credits
        return tuple(credit.tool for credit in credits_ if credit.removed.cookies)

    def category(self, tool: str) -> str:
        return self.registry.tool_files[tool].category


def load_lens(asked: Asked) -> Lens:
    """Load everything an audit needs; InputError for the first thing that is wrong."""
    registry = load(asked.config)
    if asked.policy is not None:
        registry = _under(registry, asked.policy)
    return lens_of(registry, asked.canary)


def lens_of(registry: Registry, canary: str = "") -> Lens:
    """The lens for a registry."""
    tools = {name: file.tool for name, file in registry.tool_files.items()}
    policies = registry.policies
    mentioned = {mention.id for policy in policies for mention in policy.also_mentioned}
    return Lens(
        registry=registry,
        engine=registry.engine,
        stripping=_stripping(registry),
        tools=tools,
        opted_out=frozenset(name for name in tools if registry.choices.may_enforce(name)),
        declared=registry.declared,
        named=registry.declared | mentioned,
        limits=_limits(registry),
        trackers=load_trackers(),
        operators=Operators(tools.values()),
        expressed=Expressed(tools.values()),
        canary=_canary(canary),
        has_lists=bool(registry.lists),
    )


def _under(registry: Registry, policy: Path) -> Registry:
    """The registry with another policy in place of those that the configuration names."""
    policies = (load_policy(policy),)
    settings = msgspec.structs.replace(registry.settings, policies=(policy,))
    choices = choices_of(settings, policies, registry.tool_files)
    changed = msgspec.structs.replace(
        registry, settings=settings, policies=policies, choices=choices
    )
    return msgspec.structs.replace(changed, engine=_engine(changed))


def _engine(registry: Registry) -> Engine:
    """The proxy's engine for a registry's choices, lists included."""
    settings, lists = registry.settings, registry.lists
    listed = tuple(Listed(one.name, lists[one.name], one.use) for one in settings.lists)
    tools = [file.tool for file in registry.tool_files.values()]
    return Engine(tools, registry.choices, registry.resources, Community(listed))


def _stripping(registry: Registry) -> Engine:
    choices = msgspec.structs.replace(registry.choices, every="strip", inspect="all")
    tools = [_reporting(file.tool) for file in registry.tool_files.values()]
    return Engine(tools, choices, registry.resources)


def _reporting(tool: Tool) -> Tool:
    """The tool with reports that nobody asked for sent, so that one sees what they would carry."""
    rules = tuple(("collects" if role == "telemetry" else role, ref) for role, ref in tool.rules)
    bodies = tuple(
        (msgspec.structs.replace(b, role="collects") if b.role == "telemetry" else b, ref)
        for b, ref in tool.bodies
    )
    return msgspec.structs.replace(tool, rules=rules, bodies=bodies)


def _limits(registry: Registry) -> dict[str, Limit]:
    return {
        tool.id: Limit(
            tool=tool.id,
            sites=frozenset(policy.sites),
            stems=_stems(tool.limits.pages),
            since=tool.limits.since,
            says=tool.limits.pages,
            line=tool.limits.lines[0],
        )
        for policy in registry.policies
        for tool in policy.tools
        if tool.limits is not None
    }


def _stems(text: str) -> frozenset[str]:
    """The words that tell, without their endings: `licences` and `license` are both `licen`."""
    return frozenset(w[:_STEM] for w in _WORD.findall(text.lower()) if w not in _EMPTY_WORDS)


def _canary(text: str) -> Canary | None:
    try:
        return Canary(text) if text else None
    except ValueError as error:
        raise OptoutError(f"--canary: {error}") from None
