"""The nouns: what a request is, what is decided about it, and what is sent in its place.

Every value here is frozen and holds plain data, so that deciding needs no I/O, no clock and no
proxy. `docs/glossary.md` has the words.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

type Level = Literal["allow", "signal", "strip", "block"]
type Role = Literal["loads", "collects", "telemetry", "widgets", "visits", "permits"]
type Action = Literal["allow", "signal", "strip", "surrogate", "placeholder", "redirect", "block"]
type Type = Literal[
    "document",
    "subdocument",
    "script",
    "stylesheet",
    "image",
    "font",
    "media",
    "object",
    "xmlhttprequest",
    "ping",
    "websocket",
    "other",
]

LEVELS: Final[tuple[Level, ...]] = get_args(Level.__value__)
ROLES: Final[tuple[Role, ...]] = get_args(Role.__value__)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action.__value__)
TYPES: Final[tuple[Type, ...]] = get_args(Type.__value__)

ANSWERED: Final[frozenset[Action]] = frozenset({"surrogate", "placeholder", "redirect", "block"})
"""Actions whose request never leaves: it is answered here."""

type Headers = tuple[tuple[bytes, bytes], ...]
"""Header lines in the order and spelling they came in, as `(name, value)`."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, named: what is asked for, by which page, as what."""

    url: str
    """Absolute URL, byte for byte as it would be sent (bytes above 0x7F as latin-1)."""
    host: str
    """Host of `url`: lower case, no port, no trailing dot; an IPv6 address without brackets."""
    page: str = ""
    """URL of the document that caused it (it may be cut to the origin); empty where unknown."""
    page_host: str = ""
    type: Type = "other"
    guessed: bool = False
    """The type is a guess: the browser sent no `Sec-Fetch-Dest`."""
    method: str = "GET"
    third_party: bool = True
    """From another site *and* another operator than the page's, or from inside an embed."""
    cross_site: bool = True
    """From another site than the page's, whoever operates the two."""
    embed: bool = False
    """Asked from inside a frame that another site embeds: never a visit, whatever its Referer."""
    lifted: bool = False
    """Asked from inside an embed that the visitor chose to load once: what is stopped at `block` is
    sent as at `strip`."""
    headers: Headers = ()
    body: bytes | None = None
    """The request body where it was looked at; None where there is none or it was not."""

    def inside_embed(self) -> Request:
        """The request, taken for one from inside a frame that another site embeds."""
        if self.type == "document":
            return self
        return msgspec.structs.replace(self, third_party=True, cross_site=True, embed=True)


class RuleRef(msgspec.Struct, frozen=True, gc=False):
    """Where the rule that decided stands."""

    file: str
    """Path relative to the folder of the shipped data or as named in the configuration."""
    line: int
    """1-based."""
    text: str


class Removed(msgspec.Struct, frozen=True, gc=False):
    """Names (never values) of what was taken away, each once, in the order met.

    A name that only a wildcard or an expression matched may itself identify a person; it is
    written as the rule's literal prefix and `*` (`_dc_gtm_*`).
    """

    cookies: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.cookies or self.params or self.headers)


NOTHING: Final = Removed()


class Credit(msgspec.Struct, frozen=True, gc=False):
    """What one tool's rules did to a request or a response: one line of the ledger."""

    tool: str
    level: Level
    action: Action
    rule: RuleRef | None
    removed: Removed = NOTHING


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A response made here in place of the origin's."""

    status: int
    headers: Headers
    body: bytes


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """The request to send: equal to what came, but for what was cut or supplied."""

    url: str
    headers: Headers
    body: bytes | None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What is done about a request, and why.

    Exactly one of `answer` and `send` is set where the action needs it: `answer` for the actions
    in `ANSWERED`; `send` where the request goes on changed; neither where it goes on untouched.
    """

    action: Action
    reason: str
    """A sentence for a person."""
    tool: str | None = None
    """The tool whose rule recognised the request, or `list:<file>`."""
    role: Role | None = None
    level: Level = "allow"
    rule: RuleRef | None = None
    answer: Answer | None = None
    send: Outgoing | None = None
    removed: Removed = NOTHING
    credits: tuple[Credit, ...] = ()
    """What the ledger says of it: empty where nothing was enforced."""
    loads_once: bool = False
    """The visitor asked to load this widget once: what it asks for itself is to be `lifted`."""

    @property
    def stops(self) -> bool:
        """Whether the request must never reach its host."""
        return self.action in ANSWERED


class ResponseDecision(msgspec.Struct, frozen=True, gc=False):
    """What is done to the head of a response."""

    headers: Headers | None = None
    """The header lines to hand on; None where they go on untouched."""
    removed: Removed = NOTHING
    credits: tuple[Credit, ...] = ()
    prefix: bytes = b""
    """What is put in front of the body."""
