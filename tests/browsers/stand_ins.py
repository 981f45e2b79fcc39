"""Stand-ins: a site like Mass.gov's in several policies' clothes, and every tool it uses.

The visitor is known at each vendor: every value that tells who they are contains `PERSON`, and
nothing else does. So whether an identity arrived anywhere can be seen without knowing any tool.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

from wire import Reached, Reply

HERE = Path(__file__).parent
PERSON = "111.222"
NONCE = "abcdeABCDE"
LONG = 400 * 24 * 3600

VARIANTS = {
    "plain": "www.mass.gov",
    "strict": "strict.mass.gov",
    "sri": "sri.mass.gov",
    "hash": "hash.mass.gov",
    "meta": "meta.mass.gov",
}
"""The same page: without a policy, with nonces and `strict-dynamic`, with `integrity` on its tools'
scripts, with hashes in a header, and with hashes in the page."""

# What the visitor's browser holds for each vendor, from having been there.
KNOWN_AT = {
    "www.facebook.com": ("facebook.com", ("c_user", "xs", "fr", "datr")),
    "twitter.com": ("twitter.com", ("auth_token", "guest_id")),
    "www.google.com": ("google.com", ("NID", "SID", "SOCS")),
    "www.doubleclick.net": ("doubleclick.net", ("IDE",)),
    "www.crazyegg.com": ("crazyegg.com", ("cebs",)),
    "www.foresee.com": ("foresee.com", ("acs.t",)),
    "www.optimalworkshop.com": ("optimalworkshop.com", ("session",)),
    "www.invisionapp.com": ("invisionapp.com", ("session",)),
    "www.formstack.com": ("formstack.com", ("session",)),
}
LOGINS = tuple(KNOWN_AT)
HARMLESS = {"SOCS": "asked"}
"""Cookies that say that the visitor was asked; they tell nobody who it is."""

HOSTS = frozenset(
    (
        *VARIANTS.values(), "search.mass.gov", "www.example-office.org", "www.youtube.com", *LOGINS,
        "www.google-analytics.com", "region1.google-analytics.com", "stats.g.doubleclick.net",
        "www.googletagmanager.com", "googleads.g.doubleclick.net", "www.googleadservices.com",
        "cse.google.com", "clients1.google.com", "connect.facebook.net", "script.crazyegg.com",
        "tracking.crazyegg.com", "recording.crazyegg.com", "gateway.foresee.com",
        "analytics.foresee.com", "record.foresee.com", "platform.twitter.com",
        "syndication.twitter.com", "app.optimalworkshop.com", "massgov.optimalworkshop.com",
        "projects.invisionapp.com",
    )
)  # fmt: skip

_SCRIPTS = {
    "www.google-analytics.com/analytics.js": "analytics.js",
    "www.googletagmanager.com/gtm.js": "gtag.js",
    "www.googletagmanager.com/gtag/js": "gtag.js",
    "connect.facebook.net/en_US/fbevents.js": "fbevents.js",
    "connect.facebook.net/en_US/sdk.js": "sdk.js",
    "script.crazyegg.com/pages/scripts/0012/3456.js": "crazyegg.js",
    "gateway.foresee.com/sites/example-gov/production/gateway.min.js": "foresee.js",
    "platform.twitter.com/widgets.js": "twitter.js",
    "www.googleadservices.com/pagead/conversion.js": "conversion.js",
    "cse.google.com/cse.js": "cse.js",
}

# What a vendor's own frame does, once a page shows it.
_FRAMES = {
    "www.facebook.com": "fetch('/api/graphql/', {method: 'POST', body: 'doc_id=1'})",
    "platform.twitter.com": (
        f"fetch('https://syndication.twitter.com/settings?session_id={PERSON}',"
        " {credentials: 'include'})"
    ),
    "syndication.twitter.com": f"fetch('/settings?session_id={PERSON}')",
    "projects.invisionapp.com": (
        "new Image().src = '/assets/1/2/screen.png';"
        " fetch('/analytics-api/record', {method: 'POST', body: '{}'})"
    ),
}


@cache
def script(name: str) -> bytes:
    return (HERE / "tools" / name).read_bytes()


@cache
def gov(variant: str) -> tuple[bytes, str]:
    """The page, and its Content-Security-Policy."""
    text = (HERE / "pages" / "gov.html").read_text("utf-8")

    def integrity(match: re.Match[str]) -> str:
        digest = base64.b64encode(hashlib.sha384(script(match[1])).digest()).decode()
        return f'integrity="sha384-{digest}" crossorigin' if variant == "sri" else ""

    text = re.sub(r"@integrity\(([^)]*)\)", integrity, text)
    text = text.replace("@nonce", f'nonce="{NONCE}"' if variant == "strict" else "")
    policy = _policy(variant, text)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    text = text.replace("@policy", meta if variant == "meta" else "")
    return text.encode(), "" if variant == "meta" else policy


def _policy(variant: str, text: str) -> str:
    if variant == "strict":
        return (
            f"script-src 'nonce-{NONCE}' 'strict-dynamic'; object-src 'none'; base-uri 'none';"
            " report-uri /csp-report"
        )
    if variant in {"hash", "meta"}:
        inline = re.findall(r"<script(?![^>]*src=)[^>]*>(.*?)</script>", text, re.DOTALL)
        sums = (base64.b64encode(hashlib.sha256(one.encode()).digest()) for one in inline)
        hashes = " ".join(f"'sha256-{one.decode()}'" for one in sums)
        tools = " ".join(f"https://{host}" for host in sorted({k.split("/")[0] for k in _SCRIPTS}))
        report = "; report-uri /csp-report" if variant == "hash" else ""
        return f"script-src {hashes} {tools} https://clients1.google.com; object-src 'none'{report}"
    return ""


def reply(asked: Reached) -> Reply:
    """What a stand-in answers."""
    found = _content(asked)
    origin = asked.all("origin")
    sharing = (
        (("Access-Control-Allow-Origin", origin[0]), ("Access-Control-Allow-Credentials", "true"))
        if origin
        else ()
    )
    headers = (*found.headers, *sharing, *_remembering(asked))
    return Reply(found.status, headers, found.body)


def _content(asked: Reached) -> Reply:
    path = asked.target.partition("?")[0]
    if asked.host in VARIANTS.values():
        return _gov(asked, path)
    if asked.host in LOGINS and path == "/login":
        return _logged_in(asked.host)
    if asked.host == "search.mass.gov":
        return _html((HERE / "pages" / "search.html").read_bytes())
    if name := _SCRIPTS.get(asked.host + path):
        return _typed("text/javascript", script(name))
    return _answer(asked, path) or _by_destination(asked)


def _answer(asked: Reached, path: str) -> Reply | None:
    """What a tool's script or the page asks for, and reads."""
    if path.startswith("/survey_status/"):
        return _typed("application/json", b'{"active": true}')
    if path == "/cse/element/v1":
        return _typed("text/javascript", b"google.search.cse.found({results: ['Boots', 'Boats']})")
    if path == "/x/oauth/status":
        known = b"connected" if "c_user" in asked.cookies() else b"unknown"
        return _typed("application/json", b'{"status": "%b"}' % known)
    return None


def _by_destination(asked: Reached) -> Reply:
    match asked.all("sec-fetch-dest"):
        case ["script"]:
            return _typed("text/javascript", b"/* a stand-in */")
        case ["image"]:
            return _typed("image/gif", _GIF)
        case ["iframe" | "document" as dest]:
            code = _FRAMES.get(asked.host, "") if dest == "iframe" else ""
            text = f"<!doctype html><title>Stand-in</title><p>{asked.host}</p>"
            return _html(f"{text}<script>{code}</script>".encode())
    return _typed("application/json", b"{}")


def _gov(asked: Reached, path: str) -> Reply:
    if path == "/csp-report":
        return Reply(204)
    if path != "/how-to":
        return _html(b"<!doctype html><link rel='icon' href='data:,'><title>Before</title>")
    variant = next(name for name, host in VARIANTS.items() if host == asked.host)
    text, policy = gov(variant)
    more = (("Content-Security-Policy", policy),) if policy else ()
    return Reply(200, (*_HTML, ("Referrer-Policy", "no-referrer-when-downgrade"), *more), text)


def _logged_in(host: str) -> Reply:
    """Known here from now on; and on to the next vendor."""
    domain, names = KNOWN_AT[host]
    cookies = tuple(
        ("Set-Cookie", f"{name}={HARMLESS.get(name, PERSON)}; Domain={domain}; {_THIRD}")
        for name in names
    )
    rest = LOGINS[LOGINS.index(host) + 1 :]
    if not rest:
        return Reply(200, (*_HTML, *cookies), b"<!doctype html><title>Known</title>")
    return Reply(302, (*cookies, ("Location", f"https://{rest[0]}/login")), b"")


def _remembering(asked: Reached) -> tuple[tuple[str, str], ...]:
    """By what a vendor knows a browser again that it meets on somebody else's page."""
    if asked.host in VARIANTS.values() or asked.host.endswith((".mass.gov", ".org")):
        return ()
    if asked.all("sec-fetch-dest") == ["document"]:
        return ()
    return (
        ("Set-Cookie", f"met={PERSON}; Path=/; {_THIRD}"),
        ("ETag", f'"{PERSON}"'),
    )


def _html(body: bytes) -> Reply:
    return Reply(200, _HTML, body)


def _typed(kind: str, body: bytes) -> Reply:
    return Reply(200, (("Content-Type", kind), ("Cache-Control", "no-cache")), body)


_HTML = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache"))
_THIRD = f"Max-Age={LONG}; Secure; SameSite=None"
_GIF = base64.b64decode(b"R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


# Whose a request is, said anew from the vendors' documentation: nothing here asks the engine.

_TOOLS: tuple[tuple[str, str, str], ...] = (
    (r"www\.googletagmanager\.com/gtag/js\?id=G-", "google-analytics", "loads"),
    (r"www\.google-analytics\.com/analytics\.js", "google-analytics", "loads"),
    (r"www\.googletagmanager\.com/td\?id=G-", "google-analytics", "telemetry"),
    (r"(www|region1)\.google-analytics\.com/", "google-analytics", "collects"),
    (r"stats\.g\.doubleclick\.net/", "google-analytics", "collects"),
    (r"www\.google\.com/ads/ga-audiences", "google-analytics", "collects"),
    (r"www\.googletagmanager\.com/gtm\.js", "google-tag-manager", "loads"),
    (r"www\.googletagmanager\.com/(a|td)\?id=GTM-", "google-tag-manager", "telemetry"),
    (r"www\.googletagmanager\.com/gtag/js\?id=AW-", "google-adwords", "loads"),
    (r"www\.googleadservices\.com/pagead/conversion\.js", "google-adwords", "loads"),
    (r"www\.googletagmanager\.com/td\?id=AW-", "google-adwords", "telemetry"),
    (r"googleads\.g\.doubleclick\.net/", "google-adwords", "collects"),
    (r"www\.googleadservices\.com/", "google-adwords", "collects"),
    (r"www\.google\.com/pagead/", "google-adwords", "collects"),
    (r"cse\.google\.com/cse\.js", "google-site-search", "loads"),
    (r"cse\.google\.com/cse/element", "google-site-search", "collects"),
    (r"clients1\.google\.com/complete/", "google-site-search", "telemetry"),
    (r"connect\.facebook\.net/en_US/sdk\.js", "facebook-like", "loads"),
    (r"connect\.facebook\.net/", "facebook-pixel", "loads"),
    (r"www\.facebook\.com/tr/", "facebook-pixel", "collects"),
    (r"www\.facebook\.com/(v21\.0/)?plugins/", "facebook-like", "widgets"),
    (r"www\.facebook\.com/api/", "facebook-like", "widgets"),
    (r"www\.facebook\.com/x/oauth/status", "facebook-like", "collects"),
    (r"gateway\.foresee\.com/sites/", "foresee", "loads"),
    (r"gateway\.foresee\.com/code/|(analytics|record)\.foresee\.com/", "foresee", "telemetry"),
    (r"platform\.twitter\.com/widgets\.js", "twitter-widget", "loads"),
    (r"syndication\.twitter\.com/i/jot", "twitter-widget", "telemetry"),
    (r"syndication\.twitter\.com/settings", "twitter-widget", "collects"),
    (r"(platform|syndication)\.twitter\.com/", "twitter-widget", "widgets"),
    (r"script\.crazyegg\.com/", "crazy-egg", "loads"),
    (r"tracking\.crazyegg\.com/", "crazy-egg", "collects"),
    (r"recording\.crazyegg\.com/", "crazy-egg", "telemetry"),
    (r"app\.optimalworkshop\.com/survey_status/", "treejack", "telemetry"),
    (r"projects\.invisionapp\.com/analytics-api/", "invision", "telemetry"),
    (r"projects\.invisionapp\.com/", "invision", "widgets"),
)
TOOLS = tuple(dict.fromkeys(tool for _, tool, _ in _TOOLS))


def whose(asked: Reached) -> tuple[str, str]:
    """Tool and role of a request; empty for one that is nobody's."""
    where = asked.host + asked.target
    return next(((tool, role) for form, tool, role in _TOOLS if re.match(form, where)), ("", ""))


# What the tools leave on the site itself.

OWN_COOKIES = {
    "google-analytics": ("_ga", "_ga_ABCDE12345", "_gid"),
    "google-adwords": ("_gcl_au",),
    "facebook-pixel": ("_fbp",),
    "foresee": ("_4c_",),
    "crazy-egg": ("_ce.s", "_ceir"),
}
OWN_KEYS = {"facebook-pixel": ("lastExternalReferrer",), "formstack": ("massgovDeviceId",)}
"""In local storage."""


def fields(asked: Reached) -> dict[str, list[str]]:
    """A form's fields."""
    return parse_qs(asked.body.decode(), keep_blank_values=True)
