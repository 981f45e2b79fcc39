"""What is changed in a page: the page side of every tool that the choices do not allow there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.engine.identity import first_party
from optout_proxy.engine.memo import remember
from optout_proxy.pages.plan import PagePlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.engine.choices import Choices
    from optout_proxy.engine.identity import Taker
    from optout_proxy.engine.tool import Tool
    from optout_proxy.model import Request, Role

NOTHING: Final = PagePlan()
_PAGES: Final = frozenset({"document", "subdocument"})
_PASSING: Final = frozenset({"visits", "permits"})


class PagePlans:
    """Plans by page host: pages of one host are changed alike."""

    def __init__(self, tools: Iterable[Tool], cookies: Iterable[Taker], choices: Choices) -> None:
        """`cookies` are the rules about cookies of a page's own site."""
        self._tools = tuple(tools)
        self._cookies = [(one.tool.id, _name(one)) for one in cookies if not one.rule.exception]
        self._choices = choices
        self._known: dict[str, PagePlan] = {}

    def plan(self, request: Request, role: Role | None) -> PagePlan:
        """What is changed in the page that a request fetches, recognised in a role."""
        host = request.host
        if request.type not in _PAGES or not self._choices.inspects_pages_of(host):
            return NOTHING
        is_theirs = role in _PASSING and not self._choices.covers(host)
        if is_theirs or not first_party(request):
            return NOTHING
        found = self._known.get(host)
        return remember(self._known, host, self._made(host)) if found is None else found

    def _made(self, host: str) -> PagePlan:
        levels = {tool.id: self._choices.level(tool.id, host) for tool in self._tools}
        told = [tool for tool in self._tools if levels[tool.id] != "allow"]
        kept_out = {tool.id: tool for tool in told if levels[tool.id] in {"strip", "block"}}
        return PagePlan(
            gpc=self._choices.covers(host) and self._choices.sends_gpc(host),
            flags=_each(flag for tool in told for flag in tool.page.flags),
            markup=_each(text for tool in told for text in tool.page.markup),
            cookies=_each(name for tool, name in self._cookies if name and tool in kept_out),
            storage=_each(key for tool in kept_out.values() for key in tool.page.storage),
            integrity=bool(kept_out),
            version=" ".join(f"{tool.id}={levels[tool.id]}" for tool in told),
        )


def _name(taker: Taker) -> str:
    """The cookies that a rule takes, as plans write them; empty where it only shortens them."""
    rule = taker.rule
    if rule.expression_value is not None:
        return f"/{rule.expression_value.pattern}/"
    return "" if ";" in rule.options.value else rule.options.value


def _each[Item](items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(items))
