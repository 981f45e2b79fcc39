"""A tool as the engine knows it: how it is recognised, and what its own opt-out does."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import msgspec

from optout_proxy.pages.plan import Flag  # noqa: TC001 - msgspec reads it at run time
from optout_proxy.rules.options import names_of

if TYPE_CHECKING:
    from optout_proxy.model import Level, Request, Role, RuleRef

type Effect = Literal["suppress", "degrade", "no-identifier", "server-ignored", "signal-only"]
"""What the express opt-out changes on the wire: nothing is sent any more; what is sent says it is
denied; it carries no identifier; the server is asked to ignore it; it only expresses a wish."""


class Supplied(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An opt-out cookie, supplied on the tool's own host."""

    host: str
    name: str
    value: str
    replaces: tuple[str, ...] = ()
    """Cookies that opting out takes away."""


class PageCookie(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An opt-out cookie that the tool's code looks for on the page's own host."""

    name: str
    value: str


class SuppliedParam(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An opt-out parameter, set on the requests that a rule matches."""

    where: str
    name: str
    value: str


class Express(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tool's own opt-out, technically."""

    exists: bool
    says: str
    login: bool = False
    effect: Effect | None = None
    cookies: tuple[Supplied, ...] = ()
    page_cookies: tuple[PageCookie, ...] = ()
    params: tuple[SuppliedParam, ...] = ()
    pages: tuple[str, ...] = ()


class Prefix(msgspec.Struct, frozen=True):
    """A script that is put in front of the tool's own code at `strip`."""

    script: str
    """Its name among the resources."""
    where: str
    """A rule: which of the requests that load the tool's code it is about."""


class PageSide(msgspec.Struct, frozen=True):
    """What the tool does and reads inside pages."""

    flags: tuple[Flag, ...] = ()
    storage: tuple[str, ...] = ()
    """Keys of localStorage and sessionStorage; `*` stands for anything."""
    markup: tuple[str, ...] = ()
    """Tags as `pages.plan.PagePlan` takes them."""
    prefix: Prefix | None = None


class BodyRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request body tells: whose it is, or which of its fields to empty."""

    where: str
    role: Role | None = None
    fields: dict[str, str] = {}
    """Every field must be there, its value fitting (`*` stands for anything)."""
    blank: tuple[str, ...] = ()
    """Names of fields to empty (`*` stands for anything), where the fields asked for are there."""


@lru_cache(1024)
def _quoted(text: str) -> str:
    # Remembered, since most requests of a page with many widgets name the same page.
    return quote(text, safe="", errors="replace")


class Tool(msgspec.Struct, frozen=True):
    """One tool, compiled from its tool file."""

    id: str
    name: str
    operator: str
    operator_sites: frozenset[str]
    recommended: Level
    rules: tuple[tuple[Role, RuleRef], ...]
    identity: tuple[RuleRef, ...]
    """Rules with `cookie=`, `removeparam=`, `removeheader=`: what "without identity" takes away."""
    bodies: tuple[tuple[BodyRule, RuleRef], ...] = ()
    express: Express = Express(exists=False, says="")
    frame_sites: frozenset[str] = frozenset()
    """Those of `operator_sites` that nobody visits: their pages stand in frames of other sites."""
    page: PageSide = PageSide()
    plain_link: str = ""
    """What a placeholder offers instead: an address in which `{url}`, `{page}` and `{page_host}`
    stand for those of the request, percent-encoded; empty: the request's own address."""

    def link_for(self, request: Request) -> str:
        """The plain link that a placeholder of this tool offers."""
        if not self.plain_link:
            return request.url
        facts = {"url": request.url, "page": request.page, "page_host": request.page_host}
        link = self.plain_link
        for name, value in facts.items():
            if (slot := f"{{{name}}}") in link:
                link = link.replace(slot, _quoted(value))
        return link

    def runs(self, site: str) -> bool:
        """Whether the tool's operator runs a site; `google.*` stands for every public suffix."""
        return not self.operator_sites.isdisjoint(names_of(site))
