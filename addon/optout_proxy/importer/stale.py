"""Which facts are older than a year, and which policy contradicts its own date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.importer.dates import full_dates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from optout_proxy.registry.policy_file import Policy
    from optout_proxy.registry.tool_file import ToolFile

_DAYS: Final = 365


def stale_tools(files: Iterable[ToolFile], today: date) -> Iterator[str]:
    """Name the tool files that nobody has reviewed for a year."""
    for file in files:
        age = (today - file.reviewed).days
        if age > _DAYS:
            yield f"{file.tool.id} was last reviewed {age} days ago ({file.reviewed})"


def stale_policies(policies: Iterable[Policy], today: date) -> Iterator[str]:
    """Name the policy files that are older than a year, or made from a document that is."""
    for policy in policies:
        if policy.reviewed is None and policy.source.archived is None:
            right = f"write reviewed = {today} once you have read it through"
            yield f"policy {policy.name} does not say when it was reviewed; {right}"
        elif policy.reviewed and (age := (today - policy.reviewed).days) > _DAYS:
            yield f"policy {policy.name} was last reviewed {age} days ago ({policy.reviewed})"
        archived = policy.source.archived
        if archived and (age := (today - archived).days) > _DAYS:
            told = f"its document was archived {age} days ago ({archived})"
            yield f"policy {policy.name}: {told}; import the current one"


def speaks_of_later(policy: Policy) -> date | None:
    """The last day a policy speaks of that comes after the one it says it took effect on."""
    if policy.effective is None:
        return None
    days = [tool.limits.since for tool in policy.tools if tool.limits and tool.limits.since]
    texts = [field.text for tool in policy.tools for field in tool.fields.values()]
    texts += [statement.text for statement in policy.statements]
    days += [day for text in texts for day, _, _ in full_dates(text)]
    return max((day for day in days if day > policy.effective), default=None)
