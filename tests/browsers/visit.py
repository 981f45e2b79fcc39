"""The visit that every browser makes at every level, and what was seen of it.

It logs in at every vendor, finds what the tools left earlier, loads the page twice, uses what the
page offers, ends the browser and comes back. Nothing is judged here: `promises` does that.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from browsers import stand_ins
from browsers.stand_ins import LOGINS, OWN_COOKIES, OWN_KEYS, PERSON, VARIANTS

if TYPE_CHECKING:
    from browsers.driver import Cookie, Said, Window
    from wire import Origin, Reached

QUIET = 0.25
"""Seconds without a request, after which nothing more is expected."""


@dataclass
class Seen:
    """Of one variant of the page."""

    reached: list[Reached] = field(default_factory=list)
    """All that arrived at stand-ins while the page was loaded and used."""
    typed: list[Reached] = field(default_factory=list)
    """What arrived while something was typed into the search box."""
    after_restart: list[Reached] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    cookies: list[Cookie] = field(default_factory=list)
    """All that the browser holds in the end."""
    keys: list[str] = field(default_factory=list)
    """In the page's local storage, in the end."""
    page: dict[str, object] = field(default_factory=dict)
    """What the page itself says of its second load."""
    shown: list[float] = field(default_factory=list)
    """Milliseconds that the page hid itself for, of each load."""
    used: dict[str, object] = field(default_factory=dict)
    """What became of each thing that the page offers."""


@dataclass
class Visit:
    seen: dict[str, Seen]
    known: list[Cookie]
    """What the browser held after logging in everywhere."""


def make(window: Window, origin: Origin, variants: tuple[str, ...]) -> Visit:
    """Play it all."""
    window.look(1000, 900)
    window.goto(f"https://{LOGINS[0]}/login")
    known = window.cookies()
    seen = {variant: Seen() for variant in variants}
    for variant in variants:
        _first_half(window, origin, variant, seen[variant])
    window.restart()
    window.look(1000, 900)
    for variant in variants:
        _second_half(window, origin, variant, seen[variant])
    return Visit(seen, known)


def _first_half(window: Window, origin: Origin, variant: str, seen: Seen) -> None:
    host = VARIANTS[variant]
    _leave_traces(window, f"https://{host}/before")
    start, window.said = len(origin.reached), []
    _load(window, origin, host, seen)
    seen.used["licence"] = _follow(window, "licence")
    _load(window, origin, host, seen)
    seen.page = dict(window.evaluate(_SAYS))
    seen.used |= {**_use_form(window, origin), **_use_consent(window, origin)}
    seen.used["out"] = _follow(window, "out")
    seen.reached = origin.reached[start:]
    seen.said = list(window.said)


def _second_half(window: Window, origin: Origin, variant: str, seen: Seen) -> None:
    start, window.said = len(origin.reached), []
    _load(window, origin, VARIANTS[variant], seen)
    held = window.cookies()
    others = tuple(host for name, host in VARIANTS.items() if name != variant)
    seen.cookies = [one for one in held if one.domain not in others]
    seen.keys = list(window.evaluate("Object.keys(localStorage)"))
    seen.used["suggestions"], seen.typed = _use_search_box(window, origin)
    seen.page["reports"] = [*seen.page["reports"], *window.evaluate("window.cspReports")]
    seen.used["results"] = _search(window, origin)
    seen.after_restart = origin.reached[start:]
    seen.said += window.said


def _load(window: Window, origin: Origin, host: str, seen: Seen) -> None:
    window.goto(f"https://{host}/how-to")
    settle(window, origin)
    if shown := window.evaluate("window.hiddenFor || 0"):
        seen.shown.append(shown)


def settle(window: Window, origin: Origin) -> None:
    """Wait until nothing has been asked for a while."""
    last, since = -1, time.monotonic()
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        count = len(origin.reached) + len(window.asked)
        if count != last:
            last, since = count, time.monotonic()
        elif time.monotonic() - since > QUIET:
            return
        time.sleep(0.03)


def _leave_traces(window: Window, url: str) -> None:
    """What the tools left on the site before anybody opted out."""
    window.goto(url)
    names = json.dumps([name for own in OWN_COOKIES.values() for name in own])
    keys = json.dumps([key for own in OWN_KEYS.values() for key in own])
    window.evaluate(
        f"({names}.forEach((one) => document.cookie = `${{one}}={PERSON}; Path=/; Max-Age=99999`),"
        f" {keys}.forEach((one) => localStorage[one] = '{PERSON}'), 1)"
    )


_SAYS = """({
  office: window.office,
  login: window.loginStatus || null,
  survey: Boolean(window.surveyIsReady),
  invited: !document.getElementById('owInviteSnippet').hidden,
  reports: window.cspReports,
  gpc: navigator.globalPrivacyControl === true,
  consent: Object.fromEntries(Object.entries(window.consentSeen || {}).map(([k, v]) => [k, v()])),
  optedOut: Boolean(window._gaUserPrefs && _gaUserPrefs.ioo()),
  eggless: window.CE_NO_COOKIES === true,
  dnt: document.querySelectorAll('meta[name="twitter:dnt"][content="on"]').length,
  first: dataLayer[0].entityType || null,
})"""


def _use_form(window: Window, origin: Origin) -> dict[str, object]:
    start = len(origin.reached)
    window.click("#send")
    settle(window, origin)
    sent = [one for one in origin.reached[start:] if one.method == "POST"]
    posts = [one for one in sent if one.host == "www.formstack.com"]
    return {"form": stand_ins.fields(posts[0]) if posts else None}


def _use_consent(window: Window, origin: Origin) -> dict[str, object]:
    window.click("#agree")
    settle(window, origin)
    agreed = (
        "document.cookie.includes('cookie-agreed=2') && document.getElementById('consent').hidden"
    )
    return {
        "agreed": window.evaluate(agreed),
        "granted": window.evaluate(
            "Object.values(window.consentSeen || {}).some((one) => one().ad_storage === 'granted')"
        ),
    }


def _use_search_box(window: Window, origin: Origin) -> tuple[bool, list[Reached]]:
    start = len(origin.reached)
    window.click("#search")
    window.type("boo")
    settle(window, origin)
    came = origin.reached[start:]
    return any(one.host == "clients1.google.com" for one in came), came


def _search(window: Window, origin: Origin) -> object:
    window.click("#go")
    window.wait_for("location.host === 'search.mass.gov' && document.readyState === 'complete'")
    settle(window, origin)
    return window.evaluate("[location.search, document.getElementById('results').textContent]")


def _follow(window: Window, link: str) -> bool:
    window.click(f"#{link}")
    try:
        return bool(window.wait_for("location.host === 'www.example-office.org'", patience=3))
    except TimeoutError:
        return False
