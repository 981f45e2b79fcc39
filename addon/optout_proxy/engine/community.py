"""Community lists: what they know of requests that no tool file names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from optout_proxy.engine.answers import answer_for
from optout_proxy.model import Action, Credit, Decision, Request, RuleRef
from optout_proxy.rules.rule import Query

if TYPE_CHECKING:
    from optout_proxy.engine.places import Place
    from optout_proxy.model import Type
    from optout_proxy.resources import Resources
    from optout_proxy.rules.lists import RuleList, Verdict


class Listed(msgspec.Struct, frozen=True):
    """A list the user subscribes to."""

    file: str
    rules: RuleList
    mode: Literal["observe", "block"]

    @property
    def tool(self) -> str:
        """How the list is called where a tool would be."""
        return f"list:{self.file}"


class Community:
    """All lists, in the order they are configured."""

    def __init__(self, lists: tuple[Listed, ...]) -> None:
        self._lists = lists

    def might_know(self, url: str, place: Place, page_host: str, kind: Type) -> bool:
        """Whether a list could know a URL (in lower case); False is certain."""
        for one in self._lists:
            if one.rules.might_stop(url, place.end, place.host, page_host, kind):
                return True
        return False

    def may_stop(self, host: str) -> bool:
        """Whether a list that blocks names a host."""
        return any(one.mode == "block" and one.rules.names_host(host) for one in self._lists)

    def decide(self, request: Request, resources: Resources) -> Decision | None:
        """What the first list that knows a request says; None where none knows it."""
        if not self._lists:
            return None
        query = Query(request, strict=False)
        for one in self._lists:
            if (verdict := one.rules.verdict(query)) is not None:
                return _decision(one, verdict, request, resources)
        return None


def _decision(one: Listed, verdict: Verdict, request: Request, resources: Resources) -> Decision:
    ref = RuleRef(one.file, verdict.line, verdict.rule.text)
    if verdict.allowed:
        return Decision("allow", f"{one.file} knows it and makes an exception.", rule=ref)
    if one.mode == "observe":
        said = f"{one.file} knows it; the list is only observed: it goes as it is."
        return Decision("allow", said, one.tool, rule=ref)
    resource = resources.get(verdict.redirect) if verdict.redirect else None
    if request.type == "document":
        resource = resources.get("blocked-document.html")
    action: Action = "surrogate" if verdict.redirect else "block"
    reason = f"{one.file} stops it: it is answered here and never leaves."
    answer = answer_for(
        action, one.tool, request, resource=resource,
        slots={"tool": one.file, "host": request.host, "why": reason, "link": request.url},
    )  # fmt: skip
    credit = Credit(one.tool, "block", action, ref)
    return Decision(action, reason, one.tool, None, "block", ref, answer=answer, credits=(credit,))
