"""One rule of the language: a line, read and ready to be asked."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.hosts import host_of, site_of
from optout_proxy.model import Request
from optout_proxy.rules.expression import UnsafeExpressionError, compile_expression
from optout_proxy.rules.options import (
    BITS,
    EVERY_TYPE,
    NO_DOCUMENT,
    PLAIN,
    THIRD_PARTY,
    Options,
    RuleError,
    parse_options,
)
from optout_proxy.rules.pattern import Shape, compile_test, literals_of, shape_of

if TYPE_CHECKING:
    from optout_proxy.model import Type
    from optout_proxy.rules.pattern import Test


class Query:
    """A request as rules see it: built once, asked by many."""

    __slots__ = (
        "bit", "cased", "end", "host", "is_bare", "method", "page", "page_host", "start", "third",
        "url",
    )  # fmt: skip

    def __init__(self, request: Request, *, strict: bool) -> None:
        """Name the request for rules.

        `strict` is for tool files: an unknown type fits every rule, and party counts operators.
        """
        self.cased, self.start, self.end = normal_url(request.url, request.host)
        self.url = self.cased.lower()
        self.host = request.host
        self.page = request.page
        self.page_host = request.page_host
        self.method = request.method
        self.third = request.third_party if strict else request.cross_site
        self.bit = _strict_bit(request) if strict else BITS[request.type]
        self.is_bare = False
        """A sieve has told that no rule could match it but those which name its host."""

    @classmethod
    def of_url(cls, url: str, end: int, host: str, page: str, page_host: str, kind: Type) -> Query:
        """A request of which only its address, page and type are known; its host ends at `end`."""
        query = cls.__new__(cls)
        query.cased = url
        query.start = end - len(host)
        query.end = end
        query.url = url.lower()
        query.host = host
        query.page = page
        query.page_host = page_host
        query.method = "GET"
        query.third = crosses_sites(kind, host, page_host)
        query.bit = BITS[kind]
        query.is_bare = False
        return query

    def on_page(self) -> Query:
        """The page, as the request that fetched it."""
        return Query(document(self.page, self.page_host), strict=False)


def document(url: str, host: str) -> Request:
    """A page, as the request that fetched it."""
    return Request(
        url=url, host=host, page=url, page_host=host, type="document", third_party=False,
        cross_site=False,
    )  # fmt: skip


def crosses_sites(kind: Type, host: str, page_host: str) -> bool:
    """Whether a request goes to another site than its page's; one of no page crosses."""
    if not page_host:
        return kind != "document"  # nobody known asked for it: the strictest that fits
    return host != page_host and site_of(host) != site_of(page_host)


def _strict_bit(request: Request) -> int:
    if request.type == "document":
        return EVERY_TYPE if request.guessed else BITS["document"]
    if request.type == "other" or request.guessed:
        return NO_DOCUMENT
    return BITS[request.type]


_PLACES: Final[dict[str, tuple[str, int]]] = {}
_MEMO: Final = 8192


def place_of(url: str) -> tuple[str, int]:
    """Host of a URL, and where it ends in it; -1 where the URL spells its host unlike we do."""
    slash = url.find("/", 8)
    front = url[:slash] if slash > 0 else url
    place = _PLACES.get(front)
    if place is None:
        host = host_of(url)
        normal, _, end = normal_url(url, host)
        if len(_PLACES) >= _MEMO:
            _PLACES.clear()
        place = _PLACES[front] = host, end if host and normal is url else -1
    return place


def normal_url(url: str, host: str) -> tuple[str, int, int]:
    """The URL with its host as `host` spells it, and where the host starts and ends in it.

    Userinfo, a trailing dot and upper case in the host are how a tracker's URL evades a rule.
    """
    start = url.find("://") + 3
    end = start + len(host)
    if url.startswith(host, start) and url[end : end + 1] in {"/", "?", "#", ":", ""}:
        return url, start, end
    stop = next((n for n in range(start, len(url)) if url[n] in "/?#\\"), len(url))
    authority = url[start:stop].rpartition("@")[2]
    port = authority[authority.rfind("]") + 1 :].partition(":")[2]
    inner = f"[{host}]" if ":" in host else host
    start += ":" in host
    middle = inner + (f":{port}" if port else "")
    return url[: url.find("://") + 3] + middle + url[stop:], start, start + len(host)


class Rule(msgspec.Struct, frozen=True):
    """A rule: its text, its options and its test."""

    text: str
    exception: bool
    options: Options
    shape: Shape
    test: Test
    expression_value: re.Pattern[str] | None = None
    """The expression of `cookie=/…/` and `removeparam=/…/`."""

    def matches(self, query: Query) -> bool:
        """Whether the rule holds for a request; cheap questions first."""
        options = self.options
        if not options.types & query.bit:
            return False
        if options is not PLAIN and not self._allows(options, query):
            return False
        url = query.cased if options.match_case else query.url
        return self.test(url, query.start, query.end)

    @staticmethod
    def _allows(options: Options, query: Query) -> bool:
        if options.party and query.third is not (options.party == THIRD_PARTY):
            return False
        if options.methods is not None and query.method not in options.methods:
            return False
        if options.pages is not None and not options.pages.covers(query.page_host):
            return False
        if options.hosts is not None and not options.hosts.covers(query.host):
            return False
        return options.denyallow is None or not (
            options.denyallow.include and options.denyallow.covers(query.host)
        )

    @property
    def spelled_name(self) -> str:
        """The one name that a `cookie=` or `removeparam=` rule means; empty where it is another."""
        spelled = self.options.value.partition(";")[0]
        return "" if self.expression_value is not None or spelled.startswith("~") else spelled

    def names(self, name: str, text: str | None = None) -> bool:
        """Whether a `cookie=` or `removeparam=` rule means this name (or `name=value` text)."""
        if self.expression_value is not None:
            return self.expression_value.search(name if text is None else text) is not None
        wanted = self.options.value.partition(";")[0]
        if wanted.startswith("~"):
            return name != wanted[1:]
        return wanted in {"", name}

    @property
    def anchored_prefix(self) -> str:
        """What every name that a `cookie=` or `removeparam=` rule means begins with."""
        if self.expression_value is None:
            return self.spelled_name
        pattern = self.expression_value.pattern
        if "|" in pattern or self.expression_value.flags & re.IGNORECASE:
            return ""
        prefix = re.match(r"\^([A-Za-z0-9_\-]*)(?![?*{])", pattern)
        return prefix[1] if prefix else ""

    @property
    def literal_name(self) -> str:
        """How a removed name is written down: an expression's literal prefix and `*`.

        Empty where the rule itself spells the name.
        """
        if self.expression_value is None:
            return "" if self.spelled_name else "*"
        prefix = re.match(r"\^?\(?(?:\?:)?([A-Za-z0-9_\-]*)", self.expression_value.pattern)
        return f"{prefix[1] if prefix else ''}*"

    @property
    def specificity(self) -> int:
        """Literal characters a request must have to fit: the more, the more is said about it."""
        score = len(self.shape.host) + sum(map(len, literals_of(self.shape)))
        for domains in (self.options.hosts, self.options.pages):
            if domains is not None and domains.include:
                score += min(map(len, domains.include))
        return score


_OPTIONS: Final = re.compile(r"\$(?=[a-z0-9~_\-]+(?:[=,]|$))", re.IGNORECASE)
_SMALLEST_LITERAL: Final = 3


def split_rule(text: str) -> tuple[bool, str, str]:
    """Take a line apart: whether it is an exception, its pattern, its options."""
    exception = text.startswith("@@")
    body = text[2:] if exception else text
    if "$" not in body:
        return exception, body, ""
    if body.startswith("/"):
        return exception, *_split_expression(body)
    for mark in _OPTIONS.finditer(body):
        if body[mark.start() - 1 : mark.start()] != "\\":
            return exception, body[: mark.start()], body[mark.end() :]
    return exception, body, ""


def _split_expression(body: str) -> tuple[str, str]:
    """Split `/expression/$options`: the last `/` before the end or a `$` closes it."""
    close = body.rfind("/$")
    if close > 0 and _OPTIONS.match(body, close + 1):
        return body[: close + 1], body[close + 2 :]
    mark = None if body.endswith("/") else _OPTIONS.search(body)
    return (body[: mark.start()], body[mark.end() :]) if mark else (body, "")


@lru_cache(4096)
def parse_rule(text: str) -> Rule:
    """Read one network rule; raises RuleError with the reason where it is none we apply."""
    exception, pattern, option_text = split_rule(text)
    options = parse_options(option_text) if option_text else PLAIN
    shape = shape_of(pattern)
    test = compile_test(shape, match_case=options.match_case)
    if shape.kind == "expression" and _longest(shape) < _SMALLEST_LITERAL:
        raise RuleError(f"an expression needs a literal of {_SMALLEST_LITERAL} characters")
    if shape.kind == "free" and not shape.rest.strip("*") and options is PLAIN:
        raise RuleError("a rule that matches every URL")
    return Rule(text, exception, options, shape, test, _expression_value(options))


def _longest(shape: Shape) -> int:
    return max(map(len, literals_of(shape)), default=0)


def _expression_value(options: Options) -> re.Pattern[str] | None:
    if options.modifier not in {"cookie", "removeparam"}:
        return None
    value = options.value.partition(";")[0] if options.modifier == "cookie" else options.value
    body, slash, flags = value[1:].rpartition("/") if value.startswith("/") else ("", "", "")
    if not slash or flags not in {"", "i"}:
        return None
    try:
        return compile_expression(body, match_case=flags != "i")
    except UnsafeExpressionError as error:
        raise RuleError(str(error)) from None
