"""What is found beside verdicts: deviations, the undeclared, the never seen, canaries, lives."""

from __future__ import annotations

import base64
import gzip
import hashlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import pytest

from captures import (
    ADS,
    GA,
    GA_ID,
    PAGE,
    PIXEL,
    Entry,
    document,
    entry,
    har,
    lens_at,
    total,
)
from optout_proxy.audit import gpp
from optout_proxy.audit.canary import Canary
from optout_proxy.audit.entry import Entry as Read
from optout_proxy.audit.entry import Pair
from optout_proxy.audit.express import days_of
from optout_proxy.audit.jars import JarCookie
from optout_proxy.audit.result import FORMAT, Result, exit_code, found, result_of
from optout_proxy.audit.signals import Told, gcd, signals_of
from optout_proxy.audit.trackers import load_trackers, parse_trackers, tracker_of
from optout_proxy.errors import InputError
from optout_proxy.registry.settings import Waiver

if TYPE_CHECKING:
    from pathlib import Path

    from optout_proxy.registry.settings import Finding

TODAY = date(2026, 11, 24)
PIXEL_BLOCKED = {"facebook-pixel": "block"}
LICENCES = "https://www.mass.gov/how-to/buy-a-fishing-license"


def audited(
    folder: Path, *entries: object, levels: dict[str, str] | None = None, **more: object
) -> Result:
    lens = lens_at(levels or {"google-analytics": "block"}, **more)  # type: ignore[arg-type]
    return result_of(total(folder, lens, har(*entries)), None, lens, TODAY)


# --- the policy's limits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "day", "why"),
    [
        (PAGE, "2026-11-24", "outside"),
        (LICENCES, "2026-11-24", None),
        (LICENCES, "2018-05-16", "before 2018-05-17"),
        (LICENCES, "2018-05-17", None),
        (LICENCES, "17.05.1999", None),
        ("https://shop.example/", "2026-11-24", None),  # the policy does not speak of it
        ("https://www.mass.gov/", "2026-11-24", None),  # cut to its origin, it may be any page
    ],
)
def test_a_pixel_outside_the_policys_limits_deviates(
    tmp_path: Path, page: str, day: str, why: str | None
) -> None:
    entries = (document(page), entry(PIXEL, page=page, day=day))
    told = audited(tmp_path, *entries, levels=PIXEL_BLOCKED).tools["facebook-pixel"]
    assert told.deviating == len(told.deviations) == (1 if why else 0)
    assert not why or why in told.deviations[0].why


def test_a_tool_without_limits_deviates_nowhere(tmp_path: Path) -> None:
    assert audited(tmp_path, document(), entry(GA_ID)).tools["google-analytics"].deviating == 0


def test_a_deviation_can_fail_a_build(tmp_path: Path) -> None:
    result = audited(tmp_path, document(), entry(PIXEL), levels=PIXEL_BLOCKED)
    assert exit_code(result, frozenset({"deviation"})) == 1


# --- undeclared and never seen --------------------------------------------------------------------


def undeclared(folder: Path, *entries: object, **more: object) -> dict[str, tuple[str, ...]]:
    result = audited(folder, *entries, **more)  # type: ignore[arg-type]
    return {one.site: (*one.known_by, *one.identifiers) for one in result.undeclared}


@pytest.mark.parametrize(
    ("one", "site"),
    [
        (entry("https://www.clarity.ms/tag/abc"), "clarity.ms"),
        (entry("https://cdn.example/x.js"), None),
        (entry("https://cdn.example/x.js", cookies="uid=abcdefgh12"), "cdn.example"),
        (entry("https://cdn.example/x.js", cookies="lang=en"), None),
        (entry("https://cdn.example/x.js", cookies="__cf_bm=abcdefgh12"), None),
        (entry("https://cdn.example/x.js?id=987654321.1700000000"), "cdn.example"),
        (entry("https://cdn.example/x.js?id=123456789.1700000000"), None),
        (entry("https://www.mass.gov/x?id=987654321.1700000000", cookies="s=abcdefgh12"), None),
        (entry("https://blog.mass.gov/x", cookies="s=abcdefgh12"), None),
        (entry("https://cdn.example/x.js", page="", cookies="uid=abcdefgh12"), None),
        (entry("https://www.formstack.com/forms/index.php", kind="script"), None),  # mentioned
        (entry("https://www.clarity.ms/tag/abc", _fromCache="disk"), None),
    ],
)
def test_who_tracks_and_is_not_declared_is_named(
    tmp_path: Path, one: Entry, site: str | None
) -> None:
    visit = document(cookies="_ga=GA1.2.987654321.1700000000")
    assert list(undeclared(tmp_path, visit, one)) == ([site] if site else [])


def test_a_tracker_is_named_by_its_operator(tmp_path: Path) -> None:
    result = audited(tmp_path, document(), entry("https://www.clarity.ms/tag/abc"))
    assert [(one.operator, one.product) for one in result.undeclared] == [("Microsoft", "Clarity")]


def test_a_tracker_on_other_pages_counts_only_where_no_page_is_the_policys(tmp_path: Path) -> None:
    shop = "https://shop.example/"
    theirs = (document(shop), entry("https://www.clarity.ms/tag/abc", page=shop))
    assert list(undeclared(tmp_path, *theirs)) == ["clarity.ms"]
    assert list(undeclared(tmp_path, document(), *theirs)) == []


def test_what_is_declared_and_was_not_seen_comes_with_the_denominator(tmp_path: Path) -> None:
    result = audited(tmp_path, document(), document(PAGE), entry(GA))
    never = {one.tool: one.pages for one in result.never_seen}
    assert "google-analytics" not in never
    assert never["treejack"] == 2
    assert len(never) == 10


def test_the_shipped_list_of_operators_is_sound() -> None:
    known = load_trackers()
    assert len(known) > 90
    assert tracker_of("a.b.clarity.ms", known) is not None
    assert tracker_of("clarity.ms.example", known) is None
    with pytest.raises(InputError, match="second time"):
        parse_trackers(
            'reviewed = 2026-11-24\n[[tracker]]\noperator = "A"\nproduct = "B"\n'
            'hosts = ["a.example", "a.example"]',
            "trackers.toml",
        )


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("gcs=G100", (False, False, False)),
        ("gcs=G111", (True, True, False)),
        ("gcs=G101", (False, True, False)),
        ("gcs=G110", (True, False, False)),
        ("gcs=G1--", (None, None, False)),
        ("gcs=G1-0", (None, False, False)),
        ("gcs=G2", (None, None, False)),
        ("gcs=G100&gcs=G111", (None, None, False)),
        ("gcs=G100&gcd=13l3l3l3l1l1", (False, False, False)),
        ("gcs=G100&gcd=11v1v1v1v5", (None, None, False)),
        ("gcd=11p1p1p1p5", (None, None, False)),
        ("npa=1", (None, None, True)),
        ("npa=0", (None, None, False)),
        ("rdp=1", (None, None, True)),
        ("dpo=LDU&dpoco=0", (None, None, True)),
        ("dpo=", (None, None, False)),
        ("us_privacy=1YYN", (None, None, True)),
        ("us_privacy=1YNN", (None, None, False)),
        ("us_privacy=1---", (None, None, False)),
        ("us_privacy=2YYN", (None, None, False)),
        ("xgcs=G100", (None, None, False)),
    ],
)
def test_a_flag_says_what_is_documented(
    query: str, told: tuple[bool | None, bool | None, bool]
) -> None:
    found_ = signals_of(f"https://a.example/?{query}")
    assert (found_.ads, found_.analytics, found_.limited) == told


def test_flags_in_a_body_count() -> None:
    assert signals_of("https://a.example/", b"v=2&gcs=G100").ads is False
    assert signals_of("https://a.example/", b"nothing") == Told()


def test_gcd_is_read_by_letters_whatever_its_digits() -> None:
    assert gcd("13p3r3q3v5l1") == ("denied", "granted", "denied", "granted")
    assert gcd("11l1l1l1l1") == ("unset",) * 4
    assert gcd("nonsense") == ()


def gpp_string(section: int, at: int, value: str, size: int = 40) -> str:
    """A GPP string of one section with two bits set, built from the specification."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def packed(bits: str) -> str:
        bits += "0" * (-len(bits) % 6)
        return "".join(alphabet[int(bits[n : n + 6], 2)] for n in range(0, len(bits), 6))

    numbers, rest, code = [1, 2, 3, 5, 8, 13, 21], section, ""
    for number in reversed([n for n in numbers if n <= section]):
        code = ("1" if number <= rest else "0") + code
        rest -= number if number <= rest else 0
    header = f"{3:06b}{1:06b}{1:012b}0{code}1"
    bits = f"{1:06b}" + "0" * (at - 6) + value + "0" * (size - at - 2)
    return f"{packed(header)}~{packed(bits)}"


@pytest.mark.parametrize(
    ("section", "at"), [(7, 18), (7, 20), (7, 22), (8, 12), (8, 14), (9, 12), (10, 12), (11, 14)]
)
def test_an_opt_out_in_a_gpp_string_is_seen(section: int, at: int) -> None:
    assert gpp.section_ids(gpp_string(section, at, "01").partition("~")[0]) == [section]
    assert gpp.opts_out(gpp_string(section, at, "01"))
    assert not gpp.opts_out(gpp_string(section, at, "10"))
    assert not gpp.opts_out(gpp_string(section, at - 2 if at > 14 else 30, "00"))


@pytest.mark.parametrize("text", ["", "~", "DBAA", "DBAA~", "nö~", "~" * 5000, "D" * 5000])
def test_no_gpp_string_raises(text: str) -> None:
    assert not gpp.opts_out(text)


def test_a_us_privacy_section_of_a_gpp_string_is_read() -> None:
    header = gpp_string(6, 12, "00").partition("~")[0]
    assert gpp.opts_out(f"{header}~1YYN")
    assert not gpp.opts_out(f"{header}~1YNN")


# --- canaries -------------------------------------------------------------------------------------

WORD = "Zebra finch+1"
_RAW = WORD.encode()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("plain", b"text=" + _RAW),
        ("plain, in capitals", _RAW.upper()),
        ("URL-encoded", quote_plus(WORD).encode()),
        ("hexadecimal", _RAW.hex().encode()),
        ("base64", base64.b64encode(_RAW)),
        ("base64, one byte on", base64.b64encode(b"x" + _RAW + b"yy")),
        ("base64, two bytes on", base64.b64encode(b"xy" + _RAW + b"y")),
        ("base64 for addresses", base64.urlsafe_b64encode(b"??" + _RAW + b"??")),
        ("md5", hashlib.md5(_RAW, usedforsecurity=False).hexdigest().encode()),
        ("sha1", hashlib.sha1(_RAW, usedforsecurity=False).hexdigest().encode()),
        ("sha256", hashlib.sha256(_RAW).hexdigest().encode()),
        ("sha256 of small letters", hashlib.sha256(_RAW.lower()).hexdigest().encode()),
        ("sha256 as base64", base64.b64encode(hashlib.sha256(_RAW).digest())),
        ("packed", gzip.compress(b"a=" + _RAW, mtime=0)),
    ],
)
def test_a_canary_is_found_in_every_form(name: str, body: bytes) -> None:
    assert Canary(WORD).found_in(Read(0, "https://a.example/", body=body)), name


@pytest.mark.parametrize(
    "body",
    [b"", b"zebra", b"finch", gzip.compress(b"\0" * 50_000_000, mtime=0), b"\x1f\x8bbroken"],
    ids=range(5),
)
def test_what_holds_no_canary_is_left_alone(body: bytes) -> None:
    assert Canary(WORD).found_in(Read(0, "https://a.example/", body=body)) is None


def test_a_canary_in_the_address_and_in_headers_is_found() -> None:
    there = Read(0, f"https://a.example/?q={quote_plus(WORD)}")
    behind = Read(0, "https://a.example/", pairs=[Pair("Referer", WORD)])
    assert Canary(WORD).found_in(there) == "URL-encoded in the address"
    assert Canary(WORD).found_in(behind) == "plain in the header Referer"


def test_a_canary_of_three_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="found everywhere"):
        Canary("abc")


def test_who_receives_a_canary_and_is_no_tool_is_undeclared(tmp_path: Path) -> None:
    sent = entry("https://cdn.example/", body="t=zebrafinch")
    own = entry("https://www.mass.gov/search", body="t=zebrafinch")
    result = audited(tmp_path, document(), sent, own, canary="zebrafinch")
    assert [one.host for one in result.canary] == ["cdn.example"]
    assert [one.site for one in result.undeclared] == ["cdn.example"]


# --- cookies and their lives ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "days"),
    [
        (b"a=1", None),
        (b"a=1; Max-Age=86400", 1),
        (b"a=1; max-age = 172800 ; Path=/", 2),
        (b"a=1; Max-Age=nonsense", None),
        (b"a=1; Max-Age=-1", 0),
        (b"a=1; Expires=Wed, 25 Nov 2026 00:00:00 GMT", 1),
        (b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (b"a=1; Expires=nonsense", None),
        (b"a=1; Expires=Wed, 25 Nov 2026 00:00:00 GMT; Max-Age=864000", 10),
        (b"a=1; Max-Age=" + b"9" * 400, pytest.approx(1e15 / 86_400)),
    ],
)
def test_a_cookie_lives_as_its_raw_line_says(line: bytes, days: float | None) -> None:
    assert days_of(line, datetime(2026, 11, 24, tzinfo=UTC)) == days


def test_the_cookies_of_a_tool_are_listed_with_their_longest_life(tmp_path: Path) -> None:
    visit = document(sets=("_ga=GA1.1.1.2; Max-Age=86400", "_ga=GA1.1.1.2; Max-Age=172800", "x=1"))
    told = audited(tmp_path, visit, entry(GA)).tools["google-analytics"]
    assert told.cookies == {"_ga": 2}


def test_an_opt_out_cookie_that_is_set_is_weighed(tmp_path: Path) -> None:
    sets = (
        "id=OPT_OUT; Domain=doubleclick.net; Max-Age=31536000",
        "id=OPT_OUT; Domain=doubleclick.net; Max-Age=86400",
    )
    levels = {"google-adwords": "signal"}
    lasting = audited(
        tmp_path, document(), entry(ADS, cookies="id=OPT_OUT", sets=sets[:1]), levels=levels
    ).tools["google-adwords"]
    short = audited(tmp_path, document(), entry(ADS, sets=sets), levels=levels).tools[
        "google-adwords"
    ]
    assert (lasting.opt_out.cookies_set, lasting.opt_out.lasting) == (1, True)
    assert (lasting.opt_out.delivered, short.opt_out.delivered) == (1, 0)
    assert (short.opt_out.shortest_days, short.opt_out.lasting) == (1, False)


def test_a_jar_shows_identifiers_and_the_opt_out(tmp_path: Path) -> None:
    lens = lens_at({"google-adwords": "block", "google-analytics": "block"})
    jar = (
        JarCookie("www.mass.gov", "_ga", "GA1.1.1.2", None),
        JarCookie("doubleclick.net", "IDE", "abcdefgh", None),
        JarCookie("doubleclick.net", "id", "OPT_OUT", None),
    )
    seen = total(tmp_path, lens, har(document()))
    tools = result_of(seen, None, lens, TODAY, jar).tools
    assert tools["google-analytics"].in_jar == ("_ga",)
    assert tools["google-adwords"].in_jar == ("IDE",)
    assert (tools["google-adwords"].opt_out.in_jar, tools["google-analytics"].opt_out.in_jar) == (
        True, False,
    )  # fmt: skip


def test_identifiers_are_told_before_and_after(tmp_path: Path) -> None:
    lens = lens_at({"google-analytics": "block"})
    before = total(tmp_path, lens, har(document(cookies="_ga=GA1.1.1.2"), entry(GA_ID)))
    after = total(tmp_path, lens, har(document(), entry(GA)))
    told = result_of(after, before, lens, TODAY).tools["google-analytics"]
    assert told.baseline_identifiers == {"_ga": 1, "cid": 1}
    assert told.identifiers == {}


# --- waivers and exit codes -----------------------------------------------------------------------


def waiver(tool: str, finding: Finding, until: date = TODAY) -> Waiver:
    return Waiver(tool, finding, "web team", "being removed", until, 7)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ((), 1),
        ((waiver("google-analytics", "violated"),), 0),
        ((waiver("google-analytics", "violated", date(2026, 11, 23)),), 1),
        ((waiver("google-analytics", "inconclusive"),), 1),
        ((waiver("facebook-pixel", "violated"),), 1),
    ],
)
def test_a_waiver_holds_for_its_finding_until_its_day(
    tmp_path: Path, given: tuple[Waiver, ...], code: int
) -> None:
    result = audited(tmp_path, document(), entry(GA), waivers=given)
    assert exit_code(result, frozenset({"violated"})) == code


def test_waivers_that_ended_or_are_not_needed_are_named(tmp_path: Path) -> None:
    old, idle = waiver("treejack", "violated", date(2026, 1, 1)), waiver("invision", "violated")
    result = audited(tmp_path, document(), entry(GA), waivers=(old, idle))
    assert (result.expired_waivers, result.unused_waivers) == ((old,), (idle,))


def test_an_undeclared_site_and_a_tool_never_seen_can_be_waived(tmp_path: Path) -> None:
    given = (waiver("clarity.ms", "undeclared"), waiver("treejack", "never-seen"))
    visit = (document(), entry("https://www.clarity.ms/tag/abc"))
    result = audited(tmp_path, *visit, waivers=given)
    assert found(result, "undeclared") == []
    assert "treejack" not in found(result, "never-seen")


@pytest.mark.parametrize(
    ("name", "entries", "levels", "fail_on", "code"),
    [
        ("a violation", (document(), entry(GA)), {}, "violated", 1),
        ("a violation that is not asked for", (document(), entry(GA)), {}, "undeclared", 0),
        ("only what nobody exercised", (document(),), {}, "violated", 3),
        ("what nobody exercised, asked for", (document(),), {}, "not-exercised", 1),
        ("nothing at all", (), {}, "violated", 5),
        ("an entry unreadable", (document(), entry(GA), 7), {}, "undeclared", 3),
        ("a doubt", (document(), entry(PIXEL), entry(GA)),
         {"facebook-pixel": "signal", "google-analytics": "block"}, "undeclared", 3),
        ("honoured", (document(), entry(GA)), {"google-analytics": "strip"}, "violated", 0),
        ("never seen", (document(), entry(GA)), {}, "never-seen", 1),
        ("undeclared", (document(), entry("https://www.clarity.ms/t")), {}, "undeclared", 1),
    ],
)  # fmt: skip
def test_an_audit_ends_with_its_code(
    tmp_path: Path, name: str, entries: tuple[object, ...], levels: dict[str, str],
    fail_on: str, code: int,
) -> None:  # fmt: skip
    result = audited(tmp_path, *entries, levels=levels or None)
    assert exit_code(result, frozenset({fail_on})) == code, name
    assert result.format == FORMAT
    lenient = exit_code(result, frozenset({fail_on}), allow_inconclusive=True)
    assert lenient == (0 if code == 3 else code)
