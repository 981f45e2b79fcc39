"""What the demo's visitor is put through: every request of a visit to one page, tool by tool.

The visitor is logged in everywhere, and every value that says who they are contains `PERSON`.
Whatever else a request holds says nothing about them. So whether an identity arrived somewhere
can be seen without knowing any tool: `PERSON` is there or it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from optout_proxy.hosts import host_of

if TYPE_CHECKING:
    from optout_proxy.model import Action, Role, Type

PERSON: Final = "111.222"

PAGE: Final = "https://www.mass.gov/how-to/apply-for-benefits"
PAGE_HOST: Final = host_of(PAGE)

# What the visitor's browser holds for each operator. The last ones say no to tracking, or that
# the visitor was asked: they identify nobody.
_GOOGLE: Final = f"NID={PERSON}; SID={PERSON}; SOCS=consent1; CONSENT=yes1"
_DOUBLECLICK: Final = f"IDE={PERSON}; DSID={PERSON}"
_FACEBOOK: Final = f"c_user={PERSON}; xs={PERSON}; fr={PERSON}; datr={PERSON}; oo=1"
_TWITTER: Final = f"guest_id={PERSON}; auth_token={PERSON}; twid={PERSON}"
_SESSION: Final = f"session={PERSON}"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the browser."""

    tool: str
    role: Role
    url: str
    type: Type = "script"
    cookies: str = ""
    method: str = "GET"
    body: str = ""
    page: str = PAGE
    """The document that asks."""
    framed: bool = False
    """That document stands in a frame on somebody else's page."""
    says: str = ""
    """The tool's express opt-out, as it must stand on the request from `signal` on."""
    told_first: str = ""
    """What its code must be told, in front of it, where it is sent for without identity."""
    stopped_by: Action | None = None
    """How it is answered, where that is not what its role and level say."""
    leads_to: str = ""
    """Where a redirector sends the visitor."""

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def target(self) -> str:
        """Path and query, as in the request line."""
        return self.url.removeprefix(f"https://{self.host}")

    @property
    def is_wanted(self) -> bool:
        """The visitor opened it on purpose."""
        return self.role in {"visits", "permits"}


_DL: Final = "dl=https%3A%2F%2Fwww.mass.gov%2Fhow-to%2Fapply-for-benefits"
_GTM: Final = "https://www.googletagmanager.com"
_CSE_FRAME: Final = "https://cse.google.com/cse?cx=0123456789:abcde"
_TWEET: Final = "https://platform.twitter.com/embed/Tweet.html"
_LIKE: Final = "https://www.facebook.com/plugins/like.php?href=https%3A%2F%2Fwww.mass.gov%2F"
_VISIT: Final = "https://www.facebook.com/massgov"
_STUDY: Final = "https://massgov.optimalworkshop.com/treejack/abcd1234"
_STATUS: Final = "https://app.optimalworkshop.com/survey_status/treejack/abcd1234/active"
_PROTOTYPE: Final = "https://projects.invisionapp.com/share/ABCDE12345"

# fmt: off
ASKS: Final[tuple[Ask, ...]] = (
    # Google Analytics: on its own hosts, on Google's others, and through the site's own server.
    Ask("google-analytics", "loads", f"{_GTM}/gtag/js?id=G-ABCDE12345"),
    Ask("google-analytics", "loads", "https://www.google-analytics.com/analytics.js"),
    Ask("google-analytics", "collects",
        "https://region1.google-analytics.com/g/collect?v=2&tid=G-ABCDE12345&gcs=G111"
        f"&cid={PERSON}&sid={PERSON}&{_DL}&en=page_view", "ping", method="POST"),
    Ask("google-analytics", "collects",
        f"https://www.google-analytics.com/j/collect?v=1&t=pageview&{_DL}&jid={PERSON}"
        f"&cid={PERSON}&tid=UA-1234567-8&_gid={PERSON}&z=56", "xmlhttprequest"),
    Ask("google-analytics", "collects",
        f"https://stats.g.doubleclick.net/j/collect?t=dc&v=1&tid=UA-1234567-8&cid={PERSON}",
        "xmlhttprequest", _DOUBLECLICK),
    Ask("google-analytics", "collects",
        f"https://www.google.com/ads/ga-audiences?v=1&t=sr&tid=G-ABCDE12345&cid={PERSON}",
        "image", _GOOGLE),
    Ask("google-analytics", "telemetry", f"{_GTM}/td?id=G-ABCDE12345&v=3&t=t&{_DL}", "image"),
    Ask("google-analytics", "telemetry", "https://www.mass.gov/relay", "xmlhttprequest",
        method="POST", body=f"v=2&tid=G-ABCDE12345&cid={PERSON}&en=scroll"),
    Ask("google-analytics", "permits", "https://tools.google.com/dlpage/gaoptout?hl=en",
        "document", _GOOGLE),

    # Google Tag Manager: the container, its frame, and its reports.
    Ask("google-tag-manager", "loads", f"{_GTM}/gtm.js?id=GTM-ABCDE", told_first="denied"),
    Ask("google-tag-manager", "loads", f"{_GTM}/ns.html?id=GTM-ABCDE", "subdocument"),
    Ask("google-tag-manager", "telemetry", f"{_GTM}/a?id=GTM-ABCDE&cv=12&v=t&n=ga", "image"),
    Ask("google-tag-manager", "telemetry", f"{_GTM}/td?id=GTM-ABCDE&v=3&t=t&{_DL}", "ping",
        method="POST"),
    Ask("google-tag-manager", "telemetry",
        f"{_GTM}/static/service_worker/5940/sw_iframe.html?origin=https%3A%2F%2Fwww.mass.gov",
        "subdocument"),

    # Google Site Search: letters while they are typed, then the search itself.
    Ask("google-site-search", "loads", "https://cse.google.com/cse.js?cx=0123456789:abcde",
        "script", _GOOGLE),
    Ask("google-site-search", "telemetry",
        "https://clients1.google.com/complete/search?client=partner-web&hl=en&ds=cse&q=fis",
        "script", _GOOGLE),
    Ask("google-site-search", "collects",
        "https://cse.google.com/cse/element/v1?num=10&cx=0123456789:abcde&q=fishing%20licence"
        f"&gs_l={PERSON}", "script", _GOOGLE),
    Ask("google-site-search", "widgets", _CSE_FRAME, "subdocument", _GOOGLE),
    Ask("google-site-search", "collects",
        "https://cse.google.com/cse/element/v1?cx=0123456789:abcde&q=ferry", "script", _GOOGLE,
        page=_CSE_FRAME, framed=True),

    # Google AdWords: conversions and remarketing; a click on an advertisement.
    Ask("google-adwords", "loads", f"{_GTM}/gtag/js?id=AW-123456789"),
    Ask("google-adwords", "collects",
        "https://www.googleadservices.com/pagead/conversion/123456789/?random=1&label=ABCDE"
        f"&auid={PERSON}&gclaw={PERSON}&em={PERSON}", "image", f"Conversion={PERSON}"),
    Ask("google-adwords", "collects",
        "https://googleads.g.doubleclick.net/pagead/viewthroughconversion/123456789/?random=1"
        f"&auid={PERSON}&data=event%3Dgtag.config", "image", _DOUBLECLICK, says="id=OPT_OUT"),
    Ask("google-adwords", "collects",
        f"https://www.google.com/pagead/1p-user-list/123456789/?random=1&ecid={PERSON}",
        "image", _GOOGLE),
    Ask("google-adwords", "collects",
        f"https://www.google.com/ccm/collect?tid=AW-123456789&en=page_view&auid={PERSON}",
        "ping", _GOOGLE, method="POST"),
    Ask("google-adwords", "telemetry", f"{_GTM}/td?id=AW-123456789&v=3&t=t&{_DL}", "image"),
    Ask("google-adwords", "collects",
        f"https://www.googleadservices.com/pagead/aclk?sa=L&ai={PERSON}"
        "&adurl=https%3A%2F%2Fshop.example%2Fboots", "document", f"Conversion={PERSON}",
        stopped_by="redirect", leads_to="https://shop.example/boots"),
    Ask("google-adwords", "permits", "https://adssettings.google.com/", "document", _GOOGLE),

    # Facebook Pixel.
    Ask("facebook-pixel", "loads", "https://connect.facebook.net/en_US/fbevents.js"),
    Ask("facebook-pixel", "loads",
        "https://connect.facebook.net/signals/config/1234567890123456?v=2.9.199&r=stable"),
    Ask("facebook-pixel", "collects",
        f"https://www.facebook.com/tr/?id=1234567890123456&ev=PageView&{_DL}&fbp=fb.1.{PERSON}"
        f"&fbc=fb.1.{PERSON}&ud[em]={PERSON}&rqm=GET", "image", _FACEBOOK),
    Ask("facebook-pixel", "collects", "https://www.facebook.com/tr/", "ping", _FACEBOOK,
        method="POST",
        body=f"id=1234567890123456&ev=SubscribedButtonClick&fbp=fb.1.{PERSON}&rqm=formPOST"),
    Ask("facebook-pixel", "permits", "https://www.facebook.com/ads/website_custom_audiences/",
        "document", _FACEBOOK),

    # ForeSee: an invitation, a recording of the visit, a survey that the visitor opens.
    Ask("foresee", "loads",
        "https://gateway.foresee.com/sites/example-gov/production/gateway.min.js"),
    Ask("foresee", "telemetry", "https://gateway.foresee.com/code/19.15.3/fs.trigger.js"),
    Ask("foresee", "telemetry", "https://gateway.foresee.com/code/19.15.3/fs.record.js"),
    Ask("foresee", "collects", "https://s.foresee.com/surveys/abcde", "xmlhttprequest",
        f"acs.t={PERSON}"),
    Ask("foresee", "telemetry", "https://analytics.foresee.com/ingest/events", "ping",
        f"acs.t={PERSON}", method="POST", body=f'{{"visitor":"{PERSON}","event":"pageview"}}'),
    Ask("foresee", "telemetry", "https://record.foresee.com/rec/process", "xmlhttprequest",
        method="POST", body=f'{{"session":"{PERSON}","move":[12,34]}}'),
    Ask("foresee", "visits", "https://cxsurvey.foresee.com/sv?sid=abcde&cid=abcde", "document",
        _SESSION),

    # Twitter widget: a post in a frame, and what the frame asks for in its turn.
    Ask("twitter-widget", "loads", "https://platform.twitter.com/widgets.js", "script", _TWITTER),
    Ask("twitter-widget", "widgets", f"{_TWEET}?dnt=false&id=1234567890&lang=en", "subdocument",
        _TWITTER, says="dnt=true"),
    Ask("twitter-widget", "widgets", "https://platform.twitter.com/embed/embed.abcde.js",
        "script", _TWITTER, page=f"{_TWEET}?dnt=false&id=1234567890&lang=en", framed=True),
    Ask("twitter-widget", "collects",
        f"https://syndication.twitter.com/settings?session_id={PERSON}", "xmlhttprequest",
        _TWITTER),
    Ask("twitter-widget", "telemetry", "https://syndication.twitter.com/i/jot?l=%7B%7D", "image",
        _TWITTER),
    Ask("twitter-widget", "permits", "https://support.twitter.com/articles/20169421", "document",
        _TWITTER),

    # Facebook "Like": the button in a frame, and the same site opened on purpose. The last two
    # requests are alike but for where they were asked.
    Ask("facebook-like", "loads", "https://connect.facebook.net/en_US/sdk.js"),
    Ask("facebook-like", "widgets", _LIKE, "subdocument", _FACEBOOK),
    Ask("facebook-like", "collects",
        "https://www.facebook.com/x/oauth/status?client_id=1234567890&origin=1&sdk=joey",
        "xmlhttprequest", _FACEBOOK),
    Ask("facebook-like", "telemetry",
        "https://www.facebook.com/impression.php/abcde/?api_key=1234567890&lid=115", "image",
        _FACEBOOK),
    Ask("facebook-like", "visits", _VISIT, "document", _FACEBOOK),
    Ask("facebook-like", "visits", "https://www.facebook.com/api/graphql/", "xmlhttprequest",
        _FACEBOOK, method="POST", body="doc_id=111", page=_VISIT),
    Ask("facebook-like", "widgets", "https://www.facebook.com/api/graphql/", "xmlhttprequest",
        _FACEBOOK, method="POST", body="doc_id=111", page=_LIKE, framed=True),

    # Crazy Egg: what the pointer does; the vendor's own opt-out page.
    Ask("crazy-egg", "loads", "https://script.crazyegg.com/pages/scripts/0012/3456.js?454079"),
    Ask("crazy-egg", "loads", "https://script.crazyegg.com/pages/data-scripts/0012/3456.json?t=1",
        "xmlhttprequest"),
    Ask("crazy-egg", "collects", "https://tracking.crazyegg.com/clock?t=1234567890",
        "xmlhttprequest", f"cebs={PERSON}"),
    Ask("crazy-egg", "telemetry", "https://recording.crazyegg.com/abcde", "xmlhttprequest",
        f"cebs={PERSON}", method="POST", body=f'{{"visitor":"{PERSON}","click":[12,34]}}'),
    Ask("crazy-egg", "permits", "https://www.crazyegg.com/opt-out", "document", f"cebs={PERSON}"),

    # Treejack: "shall we invite?", a study in a frame, a study that the visitor opens.
    Ask("treejack", "telemetry", _STATUS, "xmlhttprequest", _SESSION, method="POST",
        stopped_by="surrogate"),
    Ask("treejack", "widgets", _STUDY, "subdocument", _SESSION),
    Ask("treejack", "visits", _STUDY, "document", _SESSION),

    # InVision: a prototype in a frame, its report, a prototype that the visitor opens.
    Ask("invision", "widgets", _PROTOTYPE, "subdocument", _SESSION),
    Ask("invision", "widgets", "https://projects.invisionapp.com/assets/111/222/screen.png",
        "image", _SESSION, page=_PROTOTYPE, framed=True),
    Ask("invision", "telemetry", "https://projects.invisionapp.com/analytics-api/record",
        "xmlhttprequest", _SESSION, method="POST", body="{}", page=_PROTOTYPE, framed=True),
    Ask("invision", "visits", _PROTOTYPE, "document", _SESSION),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Mark:
    """What a tool wrote on the site itself: a first-party cookie, or a parameter of a link."""

    tool: str
    name: str
    value: str = PERSON


COOKIES: Final[tuple[Mark, ...]] = (
    Mark("google-analytics", "_ga", f"GA1.1.{PERSON}"),
    Mark("google-analytics", "_ga_ABCDE12345", f"GS1.1.{PERSON}"),
    Mark("google-analytics", "_gid", f"GA1.2.{PERSON}"),
    Mark("google-analytics", "FPID"),
    Mark("google-adwords", "_gcl_au", f"1.1.{PERSON}"),
    Mark("facebook-pixel", "_fbp", f"fb.1.{PERSON}"),
    Mark("facebook-pixel", "_fbc", f"fb.1.{PERSON}"),
    Mark("foresee", "_4c_"),
    Mark("foresee", "fsr.s"),
    Mark("crazy-egg", "_ceir"),
    Mark("crazy-egg", "_ce.s"),
)
"""Cookies of tools that the browser holds for the page's own site."""

SET_BY_SITE: Final = (COOKIES[3], COOKIES[5])
"""Those that the site's server sets anew with each answer, where no script blocker sees them."""

LINK: Final[tuple[Mark, ...]] = (
    Mark("google-adwords", "gclid"),
    Mark("facebook-pixel", "fbclid"),
    Mark("twitter-widget", "twclid"),
)
"""Click ids in the link that led to the page."""

KEPT: Final = ("form=half-filled-in", "ow-intercept-treejack-abcd1234=Done")
"""Cookies that are nobody's but the site's and the visitor's: what is being filled in, and that an
invitation was declined."""

OPT_OUT_COOKIE: Final = Mark("google-analytics", "AMP_TOKEN", "%24OPT_OUT")
"""What the site's pages are given in the name of the visitor's choice."""

_OWN_COOKIES: Final = "; ".join((*(f"{m.name}={m.value}" for m in COOKIES), *KEPT))
_CLICK: Final = "&".join(f"{mark.name}={mark.value}" for mark in LINK)

LANDING: Final = Ask(
    "", "visits", f"{PAGE}?{_CLICK}&topic=2", "document", _OWN_COOKIES, page="https://news.example/"
)
STYLE: Final = Ask("", "visits", "https://www.mass.gov/themes/site.css", "stylesheet", _OWN_COOKIES)
BYSTANDER: Final = Ask(
    "",
    "visits",
    "https://www.bank.example/account",
    "document",
    _SESSION,
    page="https://news.example/",
)
"""The page itself, a file of it, and a site that no choice is about."""

VISIT: Final = (LANDING, STYLE, *ASKS, BYSTANDER)
"""All of it, in order."""

TOOLS: Final = tuple(dict.fromkeys(ask.tool for ask in ASKS))
HOSTS: Final = tuple(dict.fromkeys(ask.host for ask in VISIT))
