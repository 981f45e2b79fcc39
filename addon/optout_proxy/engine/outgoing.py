"""The request to send: what is supplied, and what is taken away, byte for byte otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.edits import body as bodies
from optout_proxy.edits import cookies, headers, hidden, url
from optout_proxy.edits.percent import decoded, wire
from optout_proxy.engine.body_rules import Body, content_type, fields_of
from optout_proxy.engine.draft import Draft
from optout_proxy.engine.force import Case, InForce
from optout_proxy.engine.identity import Taker, first_party
from optout_proxy.model import NOTHING, Action, Credit, Headers, Outgoing, Removed, Request, RuleRef
from optout_proxy.rules.index import Index
from optout_proxy.rules.named import chooser
from optout_proxy.rules.rule import parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.edits.url import CutsParam
    from optout_proxy.engine.choices import Choices
    from optout_proxy.engine.recognise import Hit
    from optout_proxy.engine.tool import Tool
    from optout_proxy.rules.rule import Query

_TELLING: Final = 8
"""So many characters, with a digit among them, are taken for an identifier's value."""

type Changed = tuple[Outgoing | None, Removed, tuple[Credit, ...]]

_IDENTIFYING: Final = frozenset(
    name.encode()
    for name in (
        "if-none-match",
        "if-modified-since",
        "authorization",
        "forwarded",
        "x-forwarded-for",
        "x-real-ip",
        "x-client-data",
        "sec-ch-ua-arch",
        "sec-ch-ua-bitness",
        "sec-ch-ua-form-factors",
        "sec-ch-ua-full-version",
        "sec-ch-ua-full-version-list",
        "sec-ch-ua-model",
        "sec-ch-ua-platform-version",
        "sec-ch-ua-wow64",
        "sec-ch-device-memory",
        "sec-ch-dpr",
        "sec-ch-viewport-height",
        "sec-ch-viewport-width",
        "sec-ch-width",
        "device-memory",
        "downlink",
        "dpr",
        "ect",
        "rtt",
        "viewport-width",
    )
)
"""Request headers that single a browser out: validators a server chose (a date serves as well as a
tag), the address of who is behind another proxy, Chrome's experiment ids, and the client hints that
https://wicg.github.io/ua-client-hints/ calls high-entropy."""


_UNCHANGED: Final[Changed] = (None, NOTHING, ())


class Outbound:
    """Builds the request to send, from the rules in force and the choices."""

    def __init__(self, tools: Sequence[Tool], force: InForce, choices: Choices) -> None:
        self._force = force
        self._choices = choices
        self._params = [
            (tool, param, parse_rule(param.where))
            for tool in tools
            for param in tool.express.params
        ]
        self.index = Index.of([param.where for _, param, _ in self._params])
        """The rules by which opt-out parameters are supplied."""
        self._blanks = [
            Body(tool, body, ref) for tool in tools for body, ref in tool.bodies if body.blank
        ]

    def change(
        self, request: Request, query: Query, hit: Hit | None, action: Action, page_host: str
    ) -> Changed:
        """The request as it is sent; None in first place where nothing changes."""
        on_page = first_party(request) and self._choices.inspects_pages_of(request.host)
        draft = _Request(request)
        if on_page or hit is not None or request.third_party or request.body:
            case = _case(request, query, hit, action, page_host, on_page=on_page)
            if case.tool is not None and action in {"signal", "strip"}:
                draft.credit(case.tool.id, self._force.level(case.tool, case), case.ref)
            self._take(draft, case)
            if hit is not None or request.third_party:
                self._supply(draft, case)
        if action in {"signal", "strip"} or self._choices.covers(request.host):
            self._say_gpc(draft, page_host)
        return draft.result(action, hit.tool.id if hit else "")

    # -- taking away ---------------------------------------------------------------------------

    def _take(self, draft: _Request, case: Case) -> None:
        if "?" in draft.url:
            self._take_params(draft, case)
        if case.stripped is not None:
            self._take_hidden(draft, case)
        if headers.value(draft.headers, b"cookie") is not None:
            self._take_cookies(draft, case)
        if draft.headers or case.stripped:
            self._take_headers(draft, case)
        if case.request.body:
            self._blank(draft, case)

    def _take_params(self, draft: _Request, case: Case) -> None:
        takers = list(self._force.takers(case, "removeparam", url.plain_names(draft.url)))
        if takers:
            draft.url, _ = url.cut_params(draft.url, self._cutter(draft, case, takers))

    def _take_hidden(self, draft: _Request, case: Case) -> None:
        """Take what stands elsewhere than in a parameter of its own, and copies of that."""
        if ";" in draft.url:
            takers = list(self._force.takers(case, "removeparam"))
            draft.url = hidden.cut_path_params(draft.url, self._cutter(draft, case, takers))
        if "=" in draft.url.partition("?")[2]:
            takers = self._force.link_takers(case)
            draft.url = hidden.cut_carried(draft.url, self._cutter(draft, case, takers))
        if draft.copied:
            cuts = self._copies(draft, case)
            draft.url = hidden.cut_path_params(url.cut_params(draft.url, cuts)[0], cuts)

    def _cutter(self, draft: _Request, case: Case, takers: Sequence[Taker]) -> CutsParam:
        choose = chooser(takers)

        def cuts(name: str, text: str) -> bool:
            if (taker := choose(name, text)) is not None:
                self._force.took(draft, case, "params", name, taker)
                draft.keeps_in_mind(text.partition("=")[2], taker)
            return taker is not None

        return cuts

    def _copies(self, draft: _Request, case: Case) -> CutsParam:
        """Cuts parameters that hold the value of an identifier which was taken."""

        def cuts(name: str, text: str) -> bool:
            value = decoded(wire(text.partition("=")[2]))
            taker = next((t for copied, t in draft.copied.items() if _holds(value, copied)), None)
            if taker is not None:
                self._force.took(draft, case, "params", name, taker)
            return taker is not None

        return cuts

    def _take_cookies(self, draft: _Request, case: Case) -> None:
        judge = self._force.cookie_judge(draft, case)

        def cuts(name: str) -> bool:
            if isinstance(verdict := judge(name), Taker):
                self._force.took(draft, case, "cookies", name, verdict)
                return True
            return verdict

        draft.headers, _ = headers.edit_cookie_headers(draft.headers, cuts)

    def _take_headers(self, draft: _Request, case: Case) -> None:
        for taker in self._force.takers(case, "removeheader"):
            side, _, name = taker.rule.options.value.lower().partition(":")
            if side == "request":
                self._drop(draft, case, frozenset({name.encode()}), taker.tool, taker.ref)
        if case.stripped is not None:
            self._drop(draft, case, _IDENTIFYING, case.stripped, case.ref)
            draft.headers = headers.origin_referer(draft.headers)
            if case.prefixed:
                draft.headers = _whole_and_plain(draft.headers)

    def _drop(
        self, draft: _Request, case: Case, names: frozenset[bytes], tool: Tool, ref: RuleRef | None
    ) -> None:
        draft.headers, dropped = headers.without(draft.headers, names)
        for name in dropped:
            draft.took("headers", name, tool.id, self._force.level(tool, case), ref, name)

    def _blank(self, draft: _Request, case: Case) -> None:
        kind = content_type(case.request)
        for rule in self._blanking(case):
            blank = rule.blanks(fields_of(case.request) or ())
            draft.body, names = bodies.blank(draft.body or b"", kind, blank)
            level = self._force.level(rule.tool, case)
            for name in names:
                draft.took("params", name, rule.tool.id, level, rule.ref, name)
        if draft.body is not None and draft.body != case.request.body:
            draft.headers = _measured(draft.headers, draft.body)

    def _blanking(self, case: Case) -> Iterator[Body]:
        """The body rules in force that empty fields of requests like this."""
        for rule in self._blanks:
            if self._force.takes(rule.tool, case) and rule.where.matches(case.query):
                yield rule

    def blanks_in(self, request: Request, query: Query, page_host: str) -> bool:
        """Whether a body rule could empty fields of this request's body."""
        case = _case(request, query, None, "allow", page_host, on_page=False)
        return any(self._blanking(case))

    # -- supplying -----------------------------------------------------------------------------

    def _supply(self, draft: _Request, case: Case) -> None:
        for number in self.index.candidates(case.query):
            tool, param, where = self._params[number]
            level = self._force.level(tool, case)
            if level != "allow" and where.matches(case.query):
                draft.url = url.set_param(draft.url, param.name, param.value)
                draft.credit(tool.id, level, None)
        for tool, cookie in self._force.supplied(case):
            draft.headers = _with_cookie(draft.headers, cookie.name, cookie.value)
            draft.credit(tool.id, self._force.level(tool, case), None)

    def _say_gpc(self, draft: _Request, page_host: str) -> None:
        """`Sec-GPC: 1`, once (https://www.w3.org/TR/gpc/)."""
        if self._choices.sends_gpc(page_host):
            draft.headers = headers.replaced(draft.headers, b"Sec-GPC", b"1")


def _case(
    request: Request, query: Query, hit: Hit | None, action: Action, page_host: str, *,
    on_page: bool,
) -> Case:  # fmt: skip
    if hit is None:
        return Case(request, query, None, None, None, action, page_host, on_page)
    return Case(request, query, hit.tool, hit.role, hit.ref, action, page_host, on_page)


class _Request(Draft):
    """The draft of a request."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.headers)
        self._came = request
        self.url = request.url
        self.body = request.body
        self.copied: dict[str, Taker] = {}
        """Values that were taken and identify somebody, wherever else they stand."""

    def keeps_in_mind(self, value: str, taker: Taker) -> None:
        """Remember a value that was taken, if it is one that hardly stands elsewhere by chance."""
        value = decoded(wire(value))
        if len(value) >= _TELLING and any(map(str.isdigit, value)):
            self.copied[value] = taker

    def result(self, action: Action, hit: str) -> Changed:
        came = self._came
        same = (self.url, self.headers, self.body) == (came.url, came.headers, came.body)
        if same and not self.by_tool:
            return _UNCHANGED
        send = None if same else Outgoing(self.url, self.headers, self.body)
        return send, self.removed(), self.credits(action, hit)


def _holds(value: str, copied: str) -> bool:
    """Whether a value stands in another by itself: a time in seconds begins one in milliseconds."""
    place = value.find(copied)
    around = f"{value[:place][-1:]}{value[place + len(copied) :][:1]}"
    return place >= 0 and not any(map(str.isalnum, around))


def _with_cookie(lines: Headers, name: str, value: str) -> Headers:
    """One cookie more, or with another value, whether there is one `Cookie` line or several."""
    if headers.value(lines, b"cookie") is None:
        return headers.replaced(lines, b"Cookie", cookies.supply_cookie(None, name, value))
    if f"{name}={value}".encode() in b"; ".join(headers.values(lines, b"cookie")).split(b"; "):
        return lines
    lines, _ = headers.edit_cookie_headers(lines, lambda found: found == name)
    for place, (key, text) in enumerate(lines):
        if key.lower() == b"cookie":
            supplied = (key, cookies.supply_cookie(text, name, value))
            return (*lines[:place], supplied, *lines[place + 1 :])
    return headers.replaced(lines, b"Cookie", cookies.supply_cookie(None, name, value))


def _whole_and_plain(lines: Headers) -> Headers:
    """Ask for a body that something can be put in front of."""
    lines, _ = headers.without(lines, frozenset({b"range", b"if-range", b"if-modified-since"}))
    return headers.replaced(lines, b"Accept-Encoding", b"identity")


def _measured(lines: Headers, body: bytes) -> Headers:
    if headers.value(lines, b"content-length") is None:
        return lines
    return headers.replaced(lines, b"Content-Length", str(len(body)).encode())
