"""Requests that are answered here: the decision about each, with its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from optout_proxy.edits import url as urls
from optout_proxy.engine import going_on
from optout_proxy.engine.answers import answer_for, is_constant
from optout_proxy.engine.ladder import reason_for
from optout_proxy.engine.memo import remember
from optout_proxy.model import Credit, Decision

if TYPE_CHECKING:
    from optout_proxy.engine.recognise import Hit
    from optout_proxy.model import Action, Level, Request, Type
    from optout_proxy.resources import Resource, Resources


class Stops:
    """Decides requests that a tool's rule stops."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._known: dict[tuple[Hit, Level, Type], Decision] = {}

    def decide(self, hit: Hit, level: Level, action: Action, request: Request) -> Decision:
        """The decision with the answer that fits the request."""
        resource = self._resource(hit, request)
        if action == "redirect" or request.headers or not is_constant(resource, request):
            return _decision(hit, level, action, request, resource)
        asked = hit, level, request.type
        known = self._known.get(asked)
        if known is None:
            decision = _decision(hit, level, action, request, resource)
            known = remember(self._known, asked, decision)
        return known

    def _resource(self, hit: Hit, request: Request) -> Resource | None:
        if request.type == "document":
            return self._resources.get("blocked-document.html")
        if hit.rule is None or hit.modifier != "redirect":
            return None
        return self._resources.get(hit.rule.options.value)


def _decision(
    hit: Hit, level: Level, action: Action, request: Request, resource: Resource | None
) -> Decision:
    tool = hit.tool
    target = _target(hit, request) if action == "redirect" else ""
    if action == "redirect" and not target:
        action = "block"
    reason = reason_for(hit.role, level, action, tool.name)
    answer = answer_for(
        action, tool.id, request,
        resource=resource, target=target,
        slots={
            "tool": tool.name,
            "host": request.host,
            "why": reason,
            "link": going_on.link(request) or tool.link_for(request),
            "once": going_on.once(request),
            "always": f"optout set {tool.id} allow --site {request.page_host}",
        },
    )  # fmt: skip
    credit = Credit(tool.id, level, action, hit.ref)
    return Decision(
        action, reason, tool.id, hit.role, level, hit.ref, answer=answer, credits=(credit,)
    )


def _target(hit: Hit, request: Request) -> str:
    """Where a redirector leads; empty where it names no http(s) address."""
    if hit.rule is None:
        return ""
    target = urls.query_value(request.url, hit.rule.options.value.removeprefix("?")) or ""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    clean = target.isprintable() and " " not in target
    return target if clean and parts.scheme in {"http", "https"} and parts.hostname else ""
