"""The head of a response: cookies that do not arrive, and those that go for good."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from optout_proxy.edits import cookies, headers
from optout_proxy.edits.dates import cookie_date
from optout_proxy.engine import plain
from optout_proxy.engine.draft import Draft
from optout_proxy.engine.force import Case, InForce
from optout_proxy.engine.identity import Taker, first_party
from optout_proxy.model import Decision, Headers, Request, ResponseDecision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from optout_proxy.engine.choices import Choices
    from optout_proxy.engine.tool import Tool
    from optout_proxy.resources import Resources
    from optout_proxy.rules.rule import Rule

type Sent = dict[str, str]
"""The cookies that came with a request, by name."""

_UNTOUCHED: Final = ResponseDecision()
_IDENTIFYING: Final = frozenset({b"etag", b"accept-ch", b"critical-ch"})
"""Response headers by which a browser is told apart later: a validator it will send back, and the
request for high-entropy client hints."""
_UNDATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Where a response has no `Date`: only deletions that reach far back are known as such."""
_VALIDATING: Final = frozenset(
    {b"etag", b"last-modified", b"accept-ranges", b"content-md5", b"digest", b"repr-digest"}
)
"""What speaks of the body as it was."""
_PAST_US: Final = frozenset({b"alt-svc"})
_FOR_GOOD: Final = 34_560_000
"""400 days in seconds, the longest life a browser grants a cookie (RFC 6265bis section 5.5)."""


class Inbound:
    """Builds the response head that is handed on."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        force: InForce,
        choices: Choices,
        inspects: Callable[[str], bool],
        resources: Resources,
    ) -> None:
        self._resources = resources
        self._inspects = inspects
        self._tools = tools
        self._force = force
        self._choices = choices

    def change(
        self, request: Request, decision: Decision, status: int, lines: Headers, page_host: str
    ) -> ResponseDecision:
        """The head as it is handed on; `headers` is None where nothing changes."""
        on_page = first_party(request) and self._choices.inspects_pages_of(request.host)
        if self._inspects(request.host):
            # An invitation to QUIC, which a browser would speak past this proxy (RFC 7838).
            handed, _ = headers.without(lines, _PAST_US)
        else:
            handed = lines
        if not (on_page or decision.role or request.third_party):
            return _UNTOUCHED if handed == lines else ResponseDecision(handed)
        tool = self._tools.get(decision.tool or "") if decision.role else None
        query = plain.query(request)
        role, rule = decision.role, decision.rule
        case = Case(request, query, tool, role, rule, decision.action, page_host, on_page)
        draft = Draft(handed)
        self._take(draft, case)
        if on_page:
            self._on_page(draft, case)
        if decision.role not in {"visits", "permits"}:
            self._opt_out(draft, case)
        prefix = self._prefix(draft, case, status)
        changed = None if draft.headers == lines else draft.headers
        return ResponseDecision(changed, draft.removed(), draft.credits(), prefix)

    def _prefix(self, draft: Draft, case: Case, status: int) -> bytes:
        """What is put in front of a tool's own script, where its head allows it."""
        prefix = case.prefixed
        if prefix is None or case.request.method == "HEAD":
            return b""
        resource = self._resources.get(prefix.script)
        kind = headers.value(draft.headers, b"content-type") or b""
        is_plain = headers.value(draft.headers, b"content-encoding") in {None, b"identity"}
        if resource is None or status != HTTPStatus.OK or b"script" not in kind or not is_plain:
            return b""
        length = headers.value(draft.headers, b"content-length")
        if length == b"0":
            return b""
        body = resource.body + b"\n"
        draft.headers, _ = headers.without(draft.headers, _VALIDATING)
        if length is not None and length.isdigit():
            size = str(int(length) + len(body)).encode()
            draft.headers = headers.replaced(draft.headers, b"Content-Length", size)
        return body

    def _take(self, draft: Draft, case: Case) -> None:
        if headers.value(draft.headers, b"set-cookie") is not None:
            self._take_cookies(draft, case)
        named = {
            name.encode(): taker
            for taker in self._force.takers(case, "removeheader")
            if ":" not in (name := taker.rule.options.value.lower())
        }
        if named:
            draft.headers, dropped = headers.without(draft.headers, frozenset(named))
            for name in dropped:
                self._force.took(draft, case, "headers", name, named[name.lower().encode()])
        if case.stripped is not None:
            draft.headers, dropped = headers.without(draft.headers, _IDENTIFYING)
            level = self._force.level(case.stripped, case)
            for name in dropped:
                draft.took("headers", name, case.stripped.id, level, case.ref, name)

    def _take_cookies(self, draft: Draft, case: Case) -> None:
        judge = self._force.cookie_judge(draft, case)
        now = date_of(draft.headers)
        kept: list[tuple[bytes, bytes]] = []
        for key, line in draft.headers:
            if key.lower() != b"set-cookie":
                kept.append((key, line))
                continue
            name = cookies.set_cookie_name(line)
            verdict = judge(name)
            if isinstance(verdict, Taker):
                if shorter := shortened(line, verdict.rule, now):
                    kept.append((key, shorter))
                else:
                    self._force.took(draft, case, "cookies", name, verdict)
            elif not verdict:
                kept.append((key, line))
        draft.headers = tuple(kept)

    def _on_page(self, draft: Draft, case: Case) -> None:
        """What a page's own host tells the browser: forget these, remember the opt-out."""
        keeps_none = self._choices.persistent_cookies == "session"
        if keeps_none and self._choices.covers(case.host):
            now = date_of(draft.headers)
            draft.headers = tuple(
                (key, cookies.session_only(line, now=now) if key.lower() == b"set-cookie" else line)
                for key, line in draft.headers
            )
        sent = _sent(case.request)
        added = [*self._expiring(draft, case, sent), *self._page_opt_out(draft, case, sent)]
        draft.headers += tuple((b"Set-Cookie", line) for line in added)

    def _expiring(self, draft: Draft, case: Case, sent: Sent) -> Iterator[bytes]:
        """Lines that make the browser forget the tools' cookies that it sent."""
        for name in sent:
            if taker := self._force.page_taker(name, case):
                draft.credit(taker.tool.id, self._force.level(taker.tool, case), taker.ref)
                yield from cookies.expiring(name, case.host)

    def _page_opt_out(self, draft: Draft, case: Case, sent: Sent) -> Iterator[bytes]:
        """Opt-out cookies that a tool's code looks for on the page's own host."""
        if case.request.type != "document":
            return
        for tool, cookie in self._force.page_cookies(case):
            if sent.get(cookie.name) != cookie.value:
                draft.credit(tool.id, self._force.level(tool, case), None)
                yield cookies.set_cookie(cookie.name, cookie.value, max_age=_FOR_GOOD)

    def _opt_out(self, draft: Draft, case: Case) -> None:
        """Opt-out cookies that the browser keeps on the tool's own host."""
        for tool, cookie in self._force.supplied(case):
            sent = _sent(case.request)
            if sent.get(cookie.name) != cookie.value:
                line = cookies.set_cookie(
                    cookie.name, cookie.value, domain=cookie.host, max_age=_FOR_GOOD
                )
                draft.credit(tool.id, self._force.level(tool, case), None)
                draft.headers += ((b"Set-Cookie", line + b"; Secure; SameSite=None"),)


def date_of(lines: Headers) -> datetime:
    """When the response was made, as its `Date` says: no clock of ours."""
    said = headers.value(lines, b"date")
    return (cookie_date(said.decode("latin-1")) if said else None) or _UNDATED


def shortened(line: bytes, rule: Rule, now: datetime) -> bytes | None:
    """The cookie with a shorter life, where that is all its rule asks for (`;maxAge=`)."""
    for option in rule.options.value.split(";")[1:]:
        name, _, value = option.partition("=")
        if name.lower() == "maxage":
            if value == "session":
                return cookies.session_only(line, now=now)
            return cookies.capped(line, int(value), now=now)
    return None


def _sent(request: Request) -> Sent:
    """The cookies that came with the request, by name."""
    found: dict[str, str] = {}
    for value in headers.values(request.headers, b"cookie"):
        for piece in value.decode("latin-1").split(";"):
            name, _, text = piece.strip().partition("=")
            found.setdefault(name, text)
    return found
