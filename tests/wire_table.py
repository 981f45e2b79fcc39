"""What the design promises about every example of every tool file, and what was seen of it.

Nothing here asks the engine. What must happen is read from the design's table (typed out below),
from the example's own promises, and from what its tool file says of the express opt-out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit

from optout_proxy import shipped
from wire import Client, Reached, Reply, tool_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loopback import Got
    from optout_proxy.registry.tool_file import Example, ToolFile
    from wire import Door

LEVELS = ("allow", "signal", "strip", "block")
ACTIONS = {
    #            allow     signal    strip     block
    "loads": ("allow", "signal", "strip", "surrogate"),
    "collects": ("allow", "signal", "strip", "block"),
    "telemetry": ("allow", "signal", "block", "block"),
    "widgets": ("allow", "signal", "strip", "placeholder"),
    "visits": ("allow", "allow", "allow", "allow"),
    "permits": ("allow", "allow", "allow", "allow"),
    # What is no tool's request, but loses identifiers of one.
    "identity": ("allow", "allow", "strip", "strip"),
}
"""The design's table."""

ANSWERED = {"surrogate", "placeholder", "redirect", "block"}
POLICY_SITES = ("mass.gov",)
CLEARED = ("x-client-data", "if-none-match", "sec-ch-ua-model")
"""Of the design's "without identity", those that every request here carries."""
ADDED = {"sec-gpc", "accept-encoding"}
HARMLESS = {"Sec-CH-UA": '"Browser";v="1"', "X-Odd": "kept, as it  is"}
CONSENT = {"SOCS", "CONSENT", "oo", "GA_OPT_OUT"}
"""Opt-out and consent cookies that the fact sheets name: they pass."""

STYLE = {"stylesheet": "style", "subdocument": "iframe", "xmlhttprequest": "empty", "ping": "empty"}
ACCEPT = {
    "document": "text/html,application/xhtml+xml",
    "subdocument": "text/html,application/xhtml+xml",
    "stylesheet": "text/css,*/*;q=0.1",
    "image": "image/avif,image/webp,*/*;q=0.8",
}
EMBEDS = (
    "https://www.facebook.com/v21.0/plugins/",
    "https://www.facebook.com/plugins/",
    "https://platform.twitter.com/embed/",
    "https://syndication.twitter.com/srv/",
    "https://www.googletagmanager.com/static/service_worker/",
    "https://www.google.com/recaptcha/",
)
"""Pages of examples that stand in a frame of www.mass.gov; every other page was opened."""

TAG_MANAGERS = {"google-tag-manager", "google-analytics", "google-adwords"}
GOOGLE_TAG = re.compile(r"/gtm\.js|/gtag/js")
"""What the design writes "all consent denied" in front of, at `strip`."""
COOKIELESS = re.compile(
    r"^https://(?!graph\.)[^/]*\bfacebook\.com/"
    r"(?!(?:v[\d.]+/)?(?:dialog/|login|plugins/login_button\.php))"
)
"""Where no page's request may set or send a cookie (facebook-like.md 4); logging in works (5)."""
DNT = re.compile(r"^https://(?:platform|syndication)\.(?:twitter|x)\.com/(?:embed|srv|timeline)/")
DNT_ASKED = re.compile(r"^https://publish\.(?:twitter|x)\.com/oembed")
"""Where X reads `dnt=true` (twitter-widget.md 4): its frames, and oEmbed."""

COMING_BACK = (
    ("Set-Cookie", "stranger=2; Path=/"),
    ("ETag", '"stand-in"'),
    ("Accept-CH", "Sec-CH-UA-Model"),
    ("X-Stand-In", "yes"),
)


def coming_back(asked: Reached) -> Reply:
    media = "text/javascript" if asked.all("sec-fetch-dest") == ["script"] else "text/plain"
    return Reply(200, (("Content-Type", media), *COMING_BACK), b"stand-in")


@dataclass(frozen=True)
class Row:
    """One example, as a browser would ask for it."""

    file: ToolFile
    example: Example

    @property
    def tool(self) -> str:
        return self.file.tool.id

    @property
    def host(self) -> str:
        return (urlsplit(self.example.url).hostname or "").rstrip(".")

    @property
    def url(self) -> str:
        """As a browser asks for it: no fragment, no user, the host in lower case."""
        scheme, _, rest = self.example.url.partition("#")[0].partition("://")
        authority, slash, path = rest.partition("/")
        return f"{scheme}://{authority.rpartition('@')[2].lower()}{slash}{path}"

    @property
    def is_recognised(self) -> bool:
        return self.example.role not in {"identity", "none"}

    @property
    def referer(self) -> str:
        page = self.example.page
        return page + "topics/private?q=mine" if page == "https://www.mass.gov/" else page

    @property
    def site(self) -> str:
        """`Sec-Fetch-Site`."""
        page = urlsplit(self.example.page).hostname
        if not page:
            return "none"
        if page == self.host:
            return "same-origin"
        return "same-site" if _site(page) == _site(self.host) else "cross-site"

    @property
    def is_framed(self) -> bool:
        """Asked from inside a frame of another site's page."""
        told = "Sec-Fetch-Storage-Access" in dict(self.example.headers)
        return told or self.example.page.startswith(EMBEDS)

    @property
    def is_named(self) -> bool:
        """Whether rules name its host: of others nobody knows before the request is read."""
        texts = [ref.text for file in tool_files() for _, ref in file.tool.rules]
        return any(_site(self.host) in text for text in texts) or ".google." in self.host

    @property
    def crosses(self) -> bool:
        said = dict(self.example.headers)
        return said.get("Sec-Fetch-Site", self.site) == "cross-site"

    def lines(self) -> list[tuple[str, str]]:
        """Header lines, in a browser's order, the example's own last."""
        example = self.example
        own = {name for name, _ in example.headers}
        destination = STYLE.get(example.type, example.type)
        found = {**HARMLESS, "Accept": ACCEPT.get(example.type, "*/*")}
        if destination != "other":
            navigates = destination in {"document", "iframe"}
            mode = "navigate" if navigates else "no-cors"
            found["Sec-Fetch-Site"] = self.site
            found["Sec-Fetch-Mode"] = "cors" if example.type == "xmlhttprequest" else mode
            found["Sec-Fetch-Dest"] = destination
        if example.page:
            found["Referer"] = self.referer
        if self.origin and "Origin" not in own:
            found["Origin"] = self.origin
        if self.is_recognised:
            found["X-Client-Data"] = "CJABCDE"
            found["If-None-Match"] = '"stand-in"'
            found["Sec-CH-UA-Model"] = '"ABCDE"'
            if "Cookie" not in own:
                found["Cookie"] = "stranger=1; second=ABCDE"
        kept = [line for line in found.items() if line[0] not in own]
        return [*kept, *example.headers]

    @property
    def origin(self) -> str:
        """`Origin`, where a browser sends one."""
        said = dict(self.example.headers).get("Origin", "")
        page = urlsplit(self.example.page)
        asks = self.example.type in {"xmlhttprequest", "ping"} or self.example.method == "POST"
        return said or (f"{page.scheme}://{page.netloc}" if page.netloc and asks else "")

    def __str__(self) -> str:
        example = self.example
        return f"{self.file.file}:{example.line} {example.role} {example.type} {self.url[:80]}"


def rows() -> list[Row]:
    return [Row(file, example) for file in tool_files() for example in file.examples]


def hosts(table: Iterable[Row]) -> frozenset[str]:
    pages = {urlsplit(row.example.page).hostname or "" for row in table}
    return frozenset({row.host for row in table} | pages | {"www.mass.gov"} - {""}) - {""}


@dataclass(frozen=True)
class Seen:
    """What happened to a row."""

    row: Row
    sent: list[tuple[str, str]]
    got: Got
    reached: list[Reached]
    connections: int
    hellos: int
    is_first: bool
    """The stand-in had not been connected to for this client and host before."""


@dataclass
class Asking:
    """A household behind one proxy: each page has a client of its own, which opened that page."""

    door: Door
    http2: bool
    _clients: dict[str, Client] = field(default_factory=dict)
    _met: set[tuple[str, str]] = field(default_factory=set)

    async def ask(self, row: Row) -> Seen:
        client, key = await self._client(row), urlsplit(row.url)[:2]
        origin = self.door.origin
        before, lines, example = origin.counts(), row.lines(), row.example
        got = await client.ask(
            row.url, method=example.method, headers=lines, body=example.body.encode()
        )
        connections, hellos, reached = origin.counts()
        met = (client.address, "/".join(key))
        is_first = met not in self._met
        if connections > before[0] or reached > before[2]:
            self._met.add(met)
        return Seen(
            row, lines, got, origin.reached[before[2] :],
            connections - before[0], hellos - before[1], is_first,
        )  # fmt: skip

    async def _client(self, row: Row) -> Client:
        """The client whose page this is; it has opened that page, or a page with it in a frame."""
        example = row.example
        told = "Sec-Fetch-Storage-Access" in dict(example.headers)
        page = "" if example.type == "document" else f"{example.page}{' told' if told else ''}"
        if page not in self._clients:
            address = f"127.0.1.{len(self._clients) + 1}"
            self._clients[page] = self.door.client(http2=self.http2, address=address)
            if page and not told:
                await _open(self._clients[page], example.page)
                self._clients[page].drop()
        return self._clients[page]

    async def leave(self) -> None:
        for client in self._clients.values():
            await client.__aexit__(None, None, None)


async def _open(client: Client, page: str) -> None:
    lines = [("Accept", ACCEPT["document"]), ("Sec-Fetch-Mode", "navigate")]
    if page.startswith(EMBEDS):
        place = [("Referer", "https://www.mass.gov/"), ("Sec-Fetch-Site", "cross-site")]
        await client.ask(page, headers=[*lines, *place, ("Sec-Fetch-Dest", "iframe")])
    else:
        await client.ask(
            page, headers=[*lines, ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Dest", "document")]
        )


# What was promised.


@dataclass(frozen=True)
class Fault:
    row: Row
    level: str
    what: str

    def __str__(self) -> str:
        return f"{self.level:6} {self.row}: {self.what}"


def judge(seen: Seen, level: str) -> list[Fault]:
    """Everything that is not as the design promises for this row at this level."""
    row = seen.row
    if row.example.role == "none":
        wrong = _none(seen)
    else:
        action = promised(row.example, level)
        wrong = _answered(seen, action) if action in ANSWERED else _sent(seen, level, action)
    return [Fault(row, level, what) for what in wrong]


def promised(example: Example, level: str) -> str:
    return (example.actions or ACTIONS[example.role])[LEVELS.index(level)]


def _none(seen: Seen) -> Iterator[str]:
    """Not this tool's: another may stop it, and then says so; else it goes where it was going."""
    said = (seen.got.header(b"optout-proxy") or b"").decode()
    if said.endswith(f" {seen.row.tool}"):
        yield f"taken for {seen.row.tool}: {said}"
    if not said and not seen.reached:
        yield f"lost without a word: {seen.got}"
    if not said and not seen.got.body.endswith(b"stand-in"):
        yield f"another answer came back: {seen.got}"


def _answered(seen: Seen, action: str) -> Iterator[str]:
    """Never leaves: no connection, no ClientHello, no request; the answer is right for its type."""
    count = (seen.connections, seen.hellos, len(seen.reached))
    if any(count) and seen.row.is_named:
        yield f"reached the stand-in: {count} connections, hellos, requests"
    said = (seen.got.header(b"optout-proxy") or b"").decode()
    stands_in = seen.row.example.role in {"collects", "telemetry"} and action == "block"
    wanted = {action, "surrogate"} if stands_in and _stand_ins(seen.row) else {action}
    if said not in {f"{one} {seen.row.tool}" for one in wanted}:
        yield f"Optout-Proxy is {said!r}, not {wanted}"
    yield from _fitting(seen, said.partition(" ")[0])
    yield from _sharing(seen)


def _stand_ins(row: Row) -> set[str]:
    """The stand-ins that rules of the row's role name."""
    texts = [ref.text for role, ref in row.file.tool.rules if role == row.example.role]
    return {found[1] for text in texts if (found := re.search(r"redirect=([\w.-]+)", text))}


FITTING = {
    "script": (200, "text/javascript"),
    "image": (200, "image/gif"),
    "stylesheet": (200, "text/css"),
    "subdocument": (200, "text/html"),
    "document": (200, "text/html"),
    "xmlhttprequest": (204, ""),
    "ping": (204, ""),
}
"""The design's "right for its type"."""


def _fitting(seen: Seen, action: str) -> Iterator[str]:
    """Status, type and body."""
    got, row = seen.got, seen.row
    if action == "redirect":
        target = (got.header(b"location") or b"").decode()
        if got.status != 302 or quote_plus(target) not in _decoded(row.url):
            yield f"not sent on to its target: {got}"
    elif _is_preflight(row):
        if got.status != 204 or not got.header(b"access-control-allow-methods"):
            yield f"the preflight was not granted: {got}"
    elif not _stands_in(seen):
        found = (got.status, (got.header(b"content-type") or b"").decode().partition(";")[0])
        if found != FITTING.get(row.example.type, found):
            yield f"answered {found}, not {FITTING[row.example.type]}"
        yield from _empty(seen, action)


def _stands_in(seen: Seen) -> bool:
    """Whether a script that is fetched, or settings in JSON, are those that a rule names."""
    media = (seen.got.header(b"content-type") or b"").partition(b";")[0]
    path = urlsplit(seen.row.url).path
    fetches_code = seen.row.example.type == "script" or path.endswith("js")
    fits = {b"application/json"} | ({b"text/javascript"} if fetches_code else set())
    named = {_stand_in(name) for name in _stand_ins(seen.row)}
    return seen.row.example.type != "document" and media in fits and seen.got.body in named


def _empty(seen: Seen, action: str) -> Iterator[str]:
    """What says nothing says nothing; a placeholder says whose place it holds."""
    kind, body = seen.row.example.type, seen.got.body
    if kind == "image" and body[:10] != b"GIF89a\x01\x00\x01\x00":
        yield "the picture is not 1x1"
    if kind in {"script", "stylesheet", "xmlhttprequest", "ping"} and body:
        yield f"a body that no rule names: {body[:60]!r}"
    if kind == "subdocument" and action == "placeholder" and _stand_ins(seen.row):
        name = seen.row.file.tool.name.split()[0].strip('"').encode()
        if name not in body:
            yield f"the placeholder does not name {name!r}"


def _stand_in(name: str) -> bytes:
    folder = shipped.folder() / "blocklists"
    found = [folder / inside / name for inside in ("surrogates", "placeholders")]
    return next(file for file in found if file.is_file()).read_bytes()


def _decoded(url: str) -> str:
    """A URL in which every value is encoded alike."""
    return re.sub(r"adurl=(.*)", lambda found: f"adurl={quote_plus(_unquoted(found[1]))}", url)


def _unquoted(text: str) -> str:
    return text.replace("%3A", ":").replace("%2F", "/").replace("%3F", "?").replace("%3D", "=")


def _is_preflight(row: Row) -> bool:
    return row.example.method == "OPTIONS"


def _sharing(seen: Seen) -> Iterator[str]:
    """A page can read the answer as it would have read the tool's."""
    allowed = (seen.got.header(b"access-control-allow-origin") or b"").decode()
    credit = seen.got.header(b"access-control-allow-credentials")
    origin = seen.row.origin
    if origin and (allowed, credit) != (origin, b"true"):
        yield f"not shared with {origin}: {allowed!r}, {credit!r}"
    if not origin and allowed != "*":
        yield f"not open to all: {allowed!r}"


def _sent(seen: Seen, level: str, action: str) -> Iterator[str]:
    """Reaches the stand-in once, by one connection a client's connection, as it was promised."""
    over_tls = seen.row.url.startswith("https:")
    connections = int(seen.is_first)
    counts = (seen.connections, seen.hellos, len(seen.reached))
    if counts != (connections, connections * over_tls, 1):
        yield f"{counts} connections, hellos, requests"
    is_whole = seen.got.body.endswith(b"stand-in")
    if seen.got.header(b"optout-proxy") is not None or not is_whole:
        yield f"the stand-in's answer did not come back: {seen.got}"
    if len(seen.reached) == 1:
        promise = _Promise(seen.row, level, action)
        yield from promise.request(seen)
        yield from promise.response(seen)


def is_tag(seen: Seen) -> bool:
    """Whether it is the one script that the design writes something in front of."""
    row = seen.row
    return (
        row.tool in TAG_MANAGERS
        and row.example.type == "script"
        and row.example.role == ("loads")
        and bool(GOOGLE_TAG.search(row.url))
    )


def connected_early(seen: Seen) -> bool:
    """Whether a host was connected to though its request was answered here."""
    return bool(seen.connections and seen.got.header(b"optout-proxy"))


def rewritten(seen: Seen) -> bool:
    """Whether something other than the Google tag had something written in front of it."""
    is_sent = bool(seen.reached) and seen.row.is_recognised
    return is_sent and seen.got.body != b"stand-in" and not is_tag(seen)


@dataclass(frozen=True)
class _Promise:
    """What becomes of a request that is sent, and of its response."""

    row: Row
    level: str
    action: str

    @property
    def takes(self) -> bool:
        return self.action == "strip"

    @property
    def strips(self) -> bool:
        """Sent without identity, not only without what a rule names."""
        return self.takes and self.row.is_recognised

    @property
    def has_gpc(self) -> bool:
        """`Sec-GPC: 1` to the policies' sites and to every tool not at `allow`."""
        to_tool = self.row.is_recognised and self.action in {"signal", "strip"}
        return to_tool or _site(self.row.host) in POLICY_SITES

    @property
    def is_page(self) -> bool:
        """Whether it is a page that is changed on its way: its origin must send it whole."""
        example = self.row.example
        own = example.type == "document" or (example.type == "subdocument" and not self.row.crosses)
        elsewhere = self.level != "allow" and example.role not in {"visits", "permits"}
        return own and (_site(self.row.host) in POLICY_SITES or elsewhere)

    @property
    def opt_out(self) -> dict[str, str]:
        """The tools' opt-out cookies for this host; what they replace has no value."""
        found: dict[str, str] = {}
        if self.level == "allow" or self.row.example.role in {"visits", "permits"}:
            return found
        for file in tool_files():
            is_its_own = self.row.is_recognised and self.row.tool == file.tool.id
            for cookie in file.tool.express.cookies if is_its_own or self.row.crosses else ():
                if f".{self.row.host}".endswith(f".{cookie.host}"):
                    found |= {cookie.name: cookie.value, **dict.fromkeys(cookie.replaces, "")}
        return found

    def request(self, seen: Seen) -> Iterator[str]:
        (reached,) = seen.reached
        wanted = (self.row.example.method, self._url(reached))
        if (reached.method, reached.url) != wanted:
            yield f"asked for {reached.method} {reached.url}, not {wanted}"
        yield from self._cookies(reached)
        yield from self._headers(seen.sent, reached)
        body = self._body()
        if reached.body != body:
            yield f"body {reached.body!r}, not {body!r}"

    def _url(self, reached: Reached) -> str:
        """The URL as sent; what the file says of one level is said of that level only."""
        example, url = self.row.example, self.row.url
        explicit = {"signal": example.signal_url, "strip": example.strip_url}.get(self.action, "")
        if explicit:
            return explicit.partition("#")[0]
        if self.takes and example.removes:
            url = _without(url, example.removes.params)
        elif self.takes and self.row.is_recognised:
            # The example says nothing of it: only what its tool names as an identifier may go.
            url = _without(url, _identifiers(self.row.file) - _names(reached.url))
        is_told = self.action != "allow" and self.row.tool == "twitter-widget"
        framed = DNT.match(url) and example.type == "subdocument"
        if is_told and self.row.is_recognised and (framed or DNT_ASKED.match(url)):
            url += ("&" if "?" in url else "?") + "dnt=true"
        return url

    def _cookies(self, reached: Reached) -> Iterator[str]:
        came = dict(_pairs(dict(self.row.lines()).get("Cookie", "")))
        removed = set(self.row.example.removes.cookies if self.row.example.removes else ())
        wanted = dict(came)
        if self.takes:
            wanted = {name: value for name, value in came.items() if name not in removed}
        if self.strips:
            wanted = {name: value for name, value in wanted.items() if name in CONSENT}
        for name, value in self.opt_out.items():
            wanted.pop(name, None)
            if value:
                wanted[name] = value
        if reached.cookies() != wanted and (wanted or reached.all("cookie")):
            yield f"cookies {reached.cookies()}, not {wanted}"

    def _headers(self, sent: list[tuple[str, str]], reached: Reached) -> Iterator[str]:
        """All header lines but `Cookie`, in their order."""
        gone = {*CLEARED} if self.strips else set()
        if self.is_page:
            gone |= {"if-none-match", "if-modified-since"}
        if self.takes and self.row.example.removes:
            gone |= {name.lower() for name in self.row.example.removes.headers}
        wanted = [
            (name.lower(), _origin(value) if name == "Referer" and self.strips else value)
            for name, value in sent
            if name.lower() not in {*gone, "cookie"}
        ]
        if self.row.example.body:
            wanted.append(("content-length", str(len(self._body()))))
        if self.has_gpc:
            wanted.append(("sec-gpc", "1"))
        is_loader = self.row.tool in TAG_MANAGERS and self.row.example.role == "loads"
        if self.strips and is_loader and GOOGLE_TAG.search(self.row.url):
            wanted.append(("accept-encoding", "identity"))
        skipped = {"cookie", "host"}
        found = [
            (low, value.decode("latin-1"))
            for name, value in reached.headers
            if (low := name.decode().lower()) not in skipped
        ]
        if sorted(found) != sorted(wanted):
            yield f"headers {sorted(set(found) ^ set(wanted))} differ"
        elif [one for one in found if one[0] not in ADDED] != [
            one for one in wanted if one[0] not in ADDED
        ]:
            yield "headers in another order"

    def _body(self) -> bytes:
        body = self.row.example.body
        names = self.row.example.removes.params if self.row.example.removes else ()
        for name in names if self.takes else ():
            for field_ in map(re.escape, (name, quote_plus(name))):
                body = re.sub(rf"(?m)(^|&)({field_})=[^&\n]*", r"\1\2=", body)
                body = re.sub(rf'("{field_}":)"[^"]*"', r'\1""', body)
        return body.encode()

    def response(self, seen: Seen) -> Iterator[str]:
        got = [(name.decode().lower(), value.decode()) for name, value in seen.got.headers]
        wanted = [(name.lower(), value) for name, value in coming_back(seen.reached[0]).headers]
        gone = {"set-cookie", "etag", "accept-ch"} if self.strips else set()
        is_cookieless = self.row.crosses and COOKIELESS.match(self.row.url)
        if self.takes and is_cookieless and self.row.example.type != "document":
            gone |= {"set-cookie"}
        is_prefixed = seen.got.body != b"stand-in"
        if is_prefixed:
            gone |= {"etag"}
        wanted = [line for line in wanted if line[0] not in gone]
        if is_tag(seen) and self.strips and not is_prefixed:
            yield "nobody told it that nothing is consented to"
        missing = [line for line in wanted if line not in got]
        if missing:
            yield f"{missing} did not come back"
        more = [line for line in got if line not in wanted and line[0] != "content-length"]
        set_here = [value.partition(";")[0] for name, value in more if name == "set-cookie"]
        if strange := [line for line in more if line[0] != "set-cookie"]:
            yield f"{strange} came back too"
        yield from self._kept(set_here)

    def _kept(self, set_here: list[str]) -> Iterator[str]:
        """Cookies set here: the opt-out's for good, the removed ones' end."""
        opt_out = {f"{name}={value}" for name, value in self.opt_out.items() if value}
        example = self.row.example
        on_page = example.type == "document" and self.level != "allow"
        if on_page:
            cookies = (c for file in tool_files() for c in file.tool.express.page_cookies)
            opt_out |= {f"{cookie.name}={cookie.value}" for cookie in cookies}
        removed = example.removes.cookies if example.removes and self.takes else ()
        is_first_party = example.type == "document" or not (self.row.crosses or self.row.is_framed)
        ended = {f"{name}=" for name in removed} if is_first_party else set()
        if self.row.is_recognised:  # those that only live on the tool's host need no end
            ended &= set(set_here)
        wanted = opt_out | ended
        if set(set_here) != wanted:
            yield f"set here {sorted(set(set_here))}, not {sorted(wanted)}"


def _without(url: str, names: Iterable[str]) -> str:
    """The URL without these parameters, the rest as it stands."""
    front, mark, query = url.partition("?")
    gone = {*names} - {""}
    pieces = query.split("&")
    kept = [piece for piece in pieces if piece.partition("=")[0] not in gone]
    if kept == pieces:
        return url
    return front + (mark + "&".join(kept) if kept and mark else "")


def _names(url: str) -> set[str]:
    """Names of the parameters in a query."""
    pieces = url.partition("?")[2].split("&")
    return {piece.partition("=")[0] for piece in pieces if piece}


def _identifiers(file: ToolFile) -> set[str]:
    """Parameters that a tool file names as identifiers."""
    rules = (ref.text for ref in file.tool.identity)
    return {found[1] for rule in rules if (found := re.search(r"removeparam=([^,/]+)", rule))}


def _pairs(cookie: str) -> list[tuple[str, str]]:
    pieces = (piece.partition("=") for piece in cookie.split("; ") if piece)
    return [(name, value) for name, _, value in pieces]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _site(host: str) -> str:
    """The registrable domain, near enough for the hosts of the examples."""
    return ".".join(host.split(".")[-2:])
