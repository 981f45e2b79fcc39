"""Community lists: what they know of requests that no tool file names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from optout_proxy.engine.answers import answer_for, is_constant
from optout_proxy.engine.list_edits import ListEdits
from optout_proxy.engine.memo import remember
from optout_proxy.model import Action, Credit, Decision, Request, RuleRef
from optout_proxy.rules.rule import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optout_proxy.engine.places import Place
    from optout_proxy.model import Type
    from optout_proxy.resources import Resource, Resources
    from optout_proxy.rules.lists import Edit, RuleList, Verdict


class Listed(msgspec.Struct, frozen=True):
    """A list the user subscribes to."""

    file: str
    rules: RuleList
    mode: Literal["observe", "block"]

    @property
    def tool(self) -> str:
        """How the list is called where a tool would be."""
        return f"list:{self.file}"

    def ref(self, known: Verdict | Edit) -> RuleRef:
        """Where a rule of the list stands."""
        return RuleRef(self.file, known.line, known.rule.text)


class Community:
    """All lists, in the order they are configured."""

    def __init__(self, lists: tuple[Listed, ...]) -> None:
        self._lists = lists
        self.edits = ListEdits(lists)
        self._known: dict[tuple[str, int, str, Type], Decision] = {}

    def sift(
        self, url: str, place: Place, page_host: str, kind: Type
    ) -> list[tuple[Listed, Sequence[int]]]:
        """The lists that could know a URL (in lower case), each with the rules by which."""
        return [
            (one, found)
            for one in self._lists
            if (found := one.rules.sift(url, place.end, place.host, page_host, kind))
        ]

    def may_stop(self, host: str) -> bool:
        """Whether a list that blocks names a host."""
        return any(one.mode == "block" and one.rules.names_host(host) for one in self._lists)

    def decide(
        self,
        request: Request,
        resources: Resources,
        found: Sequence[tuple[Listed, Sequence[int] | None]] | None = None,
    ) -> Decision | None:
        """What the first list that knows a request says; None where none knows it.

        `found` is what was sifted out for it.
        """
        if found is None:
            found = [(one, None) for one in self._lists]
        if not found:
            return None
        query = Query(request, strict=False)
        for one, numbers in found:
            if (verdict := one.rules.verdict(query, numbers)) is not None:
                resource = _resource(verdict, request, resources)
                return self._decision(one, verdict, request, resource)
        return None

    def _decision(
        self, one: Listed, verdict: Verdict, request: Request, resource: Resource | None
    ) -> Decision:
        if request.headers or not is_constant(resource, request):
            return _decision(one, verdict, request, resource)
        asked = one.file, verdict.line, verdict.redirect, request.type
        known = self._known.get(asked)
        if known is None:
            known = remember(self._known, asked, _decision(one, verdict, request, resource))
        return known


def _resource(verdict: Verdict, request: Request, resources: Resources) -> Resource | None:
    if request.type == "document":
        return resources.get("blocked-document.html")
    return resources.get(verdict.redirect) if verdict.redirect else None


def _decision(
    one: Listed, verdict: Verdict, request: Request, resource: Resource | None
) -> Decision:
    ref = one.ref(verdict)
    if verdict.allowed:
        return Decision("allow", f"{one.file} knows it and makes an exception.", rule=ref)
    if one.mode == "observe":
        said = f"{one.file} knows it; the list is only observed: it goes as it is."
        return Decision("allow", said, one.tool, rule=ref)
    action: Action = "surrogate" if verdict.redirect else "block"
    reason = f"{one.file} stops it: it is answered here and never leaves."
    answer = answer_for(
        action, one.tool, request, resource=resource,
        slots={"tool": one.file, "host": request.host, "why": reason, "link": request.url},
    )  # fmt: skip
    credit = Credit(one.tool, "block", action, ref)
    return Decision(action, reason, one.tool, None, "block", ref, answer=answer, credits=(credit,))
