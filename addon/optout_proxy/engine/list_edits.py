"""What community lists take away from requests that go on: parameters, cookies and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.edits import cookies, headers, url
from optout_proxy.engine.draft import Draft
from optout_proxy.engine.responses import date_of, shortened
from optout_proxy.model import Decision, Outgoing, Removed, ResponseDecision
from optout_proxy.rules.named import chooser
from optout_proxy.rules.rule import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optout_proxy.engine.community import Listed
    from optout_proxy.engine.places import Place
    from optout_proxy.model import Headers, Request, Type
    from optout_proxy.rules.lists import Edit

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose addresses lose parameters: what is posted may need them."""


class ListEdits:
    """The lists that have rules about parts of a request."""

    def __init__(self, lists: Sequence[Listed]) -> None:
        self.lists = tuple(one for one in lists if one.rules.edits_any)

    def edits_host(self, host: str) -> bool:
        """Whether a rule of a list that blocks names a host."""
        return any(one.mode == "block" and one.rules.edits_host(host) for one in self.lists)

    def might_change(self, low: str, place: Place, page_host: str, kind: Type) -> bool:
        """Whether a rule could be about a URL (in lower case); False is certain."""
        return any(
            one.rules.might_edit(low, place.end, place.host, page_host, kind) for one in self.lists
        )

    def applied(self, request: Request, decision: Decision) -> Decision:
        """The decision with what lists take away too, and what an observed one would take named.

        A tool's user-chosen `allow`, and what a tool file lets through, no list touches.
        """
        if not self.lists or _is_settled(decision):
            return decision
        query = Query(request, strict=False)
        came = decision.send or Outgoing(request.url, request.headers, request.body)
        draft, observed = _RequestDraft(came), _RequestDraft(came)
        for one in self.lists:
            if not one.rules.allows_page(query):
                _take(draft if one.mode == "block" else observed, one, query)
        if draft.by_tool:
            return _with_edits(decision, draft)
        if observed.by_tool and decision.tool is None:
            return _named(decision, observed)
        return decision

    def applied_to_head(
        self, request: Request, decision: Decision, head: ResponseDecision, came: Headers
    ) -> ResponseDecision:
        """What is done to the head of a response, with what blocking lists take away too."""
        lists = [one for one in self.lists if one.mode == "block"]
        if not lists or _is_settled(decision):
            return head
        query = Query(request, strict=False)
        handed = came if head.headers is None else head.headers
        draft = _Draft(handed)
        for one in lists:
            if not one.rules.allows_page(query):
                _take_set_cookies(draft, one, query)
                _take_headers(draft, one, query, side="")
        if draft.headers == handed:
            return head
        return ResponseDecision(
            draft.headers,
            _joined(head.removed, draft.removed()),
            (*head.credits, *draft.credits()),
            head.prefix,
        )


def _is_settled(decision: Decision) -> bool:
    """Whether lists have no say: it is answered here, let through on purpose, or allowed."""
    is_allowed = decision.role is not None and decision.level == "allow"
    return decision.stops or decision.role in {"visits", "permits"} or is_allowed


class _Draft(Draft):
    """A request or response head, with what it loses to lists."""

    def loses(self, kind: str, name: str, edit: Edit, one: Listed) -> None:
        self.took(kind, name, one.tool, "block", one.ref(edit), edit.rule.literal_name or name)


class _RequestDraft(_Draft):
    """A request, with what it loses to lists."""

    def __init__(self, came: Outgoing) -> None:
        super().__init__(came.headers)
        self.url = came.url
        self.body = came.body


def _take(draft: _RequestDraft, one: Listed, query: Query) -> None:
    if "?" in draft.url and query.method in _READING:
        _take_params(draft, one, query)
    if headers.value(draft.headers, b"cookie") is not None:
        _take_cookies(draft, one, query)
    if draft.headers:
        _take_headers(draft, one, query)


def _take_params(draft: _RequestDraft, one: Listed, query: Query) -> None:
    taking = one.rules.taking(query, "removeparam", url.plain_names(draft.url))
    choose = chooser(taking)

    def cuts(name: str, text: str) -> bool:
        if (edit := choose(name, text)) is not None:
            draft.loses("params", name, edit, one)
        return edit is not None

    if taking:
        draft.url, _ = url.cut_params(draft.url, cuts)


def _take_cookies(draft: _Draft, one: Listed, query: Query) -> None:
    # A rule with `;maxAge=` lets a cookie live less long: what is sent of it stays.
    taking = [e for e in one.rules.taking(query, "cookie") if ";" not in e.rule.options.value]
    choose = chooser(taking)

    def cuts(name: str) -> bool:
        if (edit := choose(name, name)) is not None:
            draft.loses("cookies", name, edit, one)
        return edit is not None

    if taking:
        draft.headers, _ = headers.edit_cookie_headers(draft.headers, cuts)


def _take_headers(draft: _Draft, one: Listed, query: Query, *, side: str = "request:") -> None:
    taking = one.rules.taking(query, "removeheader")
    choose = chooser(taking)
    for key in dict.fromkeys(key.lower() for key, _ in draft.headers) if taking else ():
        asked = side + key.decode("latin-1")
        if (edit := choose(asked, asked)) is not None:
            draft.headers, dropped = headers.without(draft.headers, frozenset({key}))
            for spelled in dropped:
                draft.loses("headers", spelled, edit, one)


def _take_set_cookies(draft: _Draft, one: Listed, query: Query) -> None:
    if headers.value(draft.headers, b"set-cookie") is None:
        return
    choose = chooser(one.rules.taking(query, "cookie"))
    now, kept = date_of(draft.headers), []
    for key, line in draft.headers:
        name = cookies.set_cookie_name(line) if key.lower() == b"set-cookie" else None
        edit = None if name is None else choose(name, name)
        if edit is None or name is None:
            kept.append((key, line))
        elif shorter := shortened(line, edit.rule, now):
            kept.append((key, shorter))
        else:
            draft.loses("cookies", name, edit, one)
    draft.headers = tuple(kept)


def _with_edits(decision: Decision, draft: _RequestDraft) -> Decision:
    changed = msgspec.structs.replace(
        decision,
        send=Outgoing(draft.url, draft.headers, draft.body),
        removed=_joined(decision.removed, draft.removed()),
        credits=(*decision.credits, *draft.credits()),
    )
    if decision.action != "allow":
        return changed
    first = draft.credits()[0]
    files = ", ".join(tool.removeprefix("list:") for tool in draft.by_tool)
    reason = f"It goes on without what {files} takes away."
    return msgspec.structs.replace(
        changed, action="strip", reason=reason, tool=first.tool, level=first.level, rule=first.rule
    )


def _named(decision: Decision, observed: _Draft) -> Decision:
    first = observed.credits()[0]
    file = first.tool.removeprefix("list:")
    reason = f"{file} would take a part of it; the list is only observed: it goes as it is."
    return msgspec.structs.replace(decision, reason=reason, tool=first.tool, rule=first.rule)


def _joined(one: Removed, other: Removed) -> Removed:
    return Removed(
        cookies=tuple(dict.fromkeys(one.cookies + other.cookies)),
        params=tuple(dict.fromkeys(one.params + other.params)),
        headers=tuple(dict.fromkeys(one.headers + other.headers)),
    )
