"""Resources are checked when they are read, and a filled placeholder can be trusted."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from optout_proxy import resources
from optout_proxy.errors import InputError
from optout_proxy.resources import SLOTS, fill, load_resources, parse_resource

BLOCKLISTS = Path(__file__).resolve().parent.parent / "blocklists"
PLACEHOLDERS = sorted(file.name for file in (BLOCKLISTS / "placeholders").iterdir())
WIDGETS = [name for name in PLACEHOLDERS if name != "blocked-document.html"]
GIVEN = {
    "tool": "Facebook “Like” widget",
    "host": "www.facebook.com",
    "why": "You opted out of it.",
    "link": "https://www.facebook.com/massgov?a=1&b=2",
    "once": "https://www.facebook.com/plugins/like.php?optout-proxy=go-on",
    "always": "optout set facebook-like allow --site www.mass.gov",
    "policy": "https://www.mass.gov/privacypolicy",
}


class Outline(HTMLParser):
    """Tags with their attributes, and text by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and data.strip():
            tag = self.tags[-1][0]
            self.texts[tag] = self.texts.get(tag, "") + data.strip()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def shipped() -> resources.Resources:
    return load_resources(BLOCKLISTS)


def filled(shipped: resources.Resources, name: str, **slots: str) -> str:
    return fill(shipped.get(name).body, **{**GIVEN, **slots}).decode()


# --- reading


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("gtag.js", "text/javascript; charset=utf-8"),
        ("inactive.json", "application/json; charset=utf-8"),
        ("widget.html", "text/html; charset=utf-8"),
    ],
)
def test_a_resource_goes_out_whole_and_under_its_type(shipped, name, content_type):
    found = shipped.get(name)
    assert (found.name, found.content_type) == (name, content_type)
    assert found.body == next(BLOCKLISTS.glob(f"*/{name}")).read_bytes()


def test_what_is_not_there_is_none(shipped):
    assert shipped.get("../config.toml") is None


def test_an_inactive_study_is_answered_so(shipped):
    assert shipped.get("inactive.json").body == b'{"active": false}\n'


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("gtag.exe", b"", "has no known ending; .js or .json or .html"),
        ("js", b"", "has no known ending"),
        ("Gtag.js", b"", "is no resource name; a-z"),
        ("a b.js", b"", "is no resource name"),
        ("../a.js", b"", "is no resource name"),
        (".js", b"", "is no resource name"),
        ("a.js", b"ok\n\xff", "a.js:2: is not UTF-8"),
        ("a.json", b"{\n,}", "a.json:2: is not JSON"),
        (
            "a.html",
            b"<p>\n{{tool}} {{toll}}",
            "a.html:2: has an unknown slot {{toll}}; one of tool,",
        ),
        ("a.html", b"{{ tool }}", "has an unknown slot {{ tool }}"),
    ],
)
def test_a_resource_that_could_not_be_answered_with_is_refused(name, body, says):
    with pytest.raises(InputError, match=re.escape(says)):
        parse_resource(name, body)


def test_two_resources_of_one_name_are_refused(tmp_path):
    for inside in ("surrogates", "placeholders"):
        (tmp_path / inside).mkdir()
        (tmp_path / inside / "a.html").write_text("<p>")
    with pytest.raises(InputError, match="a second resource of this name"):
        load_resources(tmp_path)


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="gone: is not a folder"):
        load_resources(tmp_path / "gone")


def test_hidden_files_are_passed_over(tmp_path):
    (tmp_path / "surrogates").mkdir()
    (tmp_path / "surrogates" / ".DS_Store").write_bytes(b"\xff")
    assert load_resources(tmp_path).get(".DS_Store") is None


# --- empty answers


def test_empty_answers_are_right_for_their_type():
    assert resources.EMPTY_SCRIPT.body == b""
    assert resources.EMPTY_CSS.body == b""
    assert resources.EMPTY_JSON.body == b"{}"
    assert Outline(resources.EMPTY_HTML.body.decode()).all("html") == [{"lang": "en"}]
    gif = resources.TRANSPARENT_GIF
    assert (gif.content_type, gif.body[:6], gif.body[6:10]) == ("image/gif", b"GIF89a", b"\1\0\1\0")


# --- filling


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_placeholder_says_what_was_stopped_why_and_where_to_go(shipped, name):
    text = filled(shipped, name)
    for said in ("Facebook “Like” widget", "www.facebook.com", "You opted out of it."):
        assert said in text
    links = [attributes["href"] for attributes in Outline(text).all("a")]
    assert (links[0], links[-1]) == (GIVEN["link"], GIVEN["policy"])
    assert links[1:-1] == ([GIVEN["once"]] if name in WIDGETS else [])
    assert "{{" not in text


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_slots_cannot_become_markup(shipped, name):
    hostile = "\"'><script>alert(1)</script>{{host}}"
    plain = Outline(filled(shipped, name))
    text = filled(
        shipped, name, tool=hostile, host=hostile, why=hostile, link=f"https://a/{hostile}"
    )
    tags = Outline(text).tags
    assert [tag for tag, _ in tags] == [tag for tag, _ in plain.tags]
    assert [list(attributes) for _, attributes in tags] == [list(each) for _, each in plain.tags]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{host}}" in text


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("https://a.example/", "https://a.example/"),
        ("HTTP://a.example/", "HTTP://a.example/"),
        ("javascript:alert(1)", ""),
        (" https://a.example/", ""),
        ("data:text/html,a", ""),
        ("", ""),
    ],
)
def test_only_web_addresses_become_links(given, becomes):
    assert fill(b'<a href="{{link}}">', link=given) == f'<a href="{becomes}">'.encode()


def test_an_address_may_be_left_out_and_its_link_is_then_not_shown(shipped):
    for name in PLACEHOLDERS:
        text = shipped.get(name).body.decode()
        assert 'a[href=""] { display: none; }' in text
        page = Outline(fill(text.encode(), tool="a", host="b", why="c").decode())
        assert {attributes["href"] for attributes in page.all("a")} == {""}


def test_a_slot_that_is_not_filled_or_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="slot host is not filled"):
        fill(b"{{host}}")
    with pytest.raises(ValueError, match="no such slot: toll"):
        fill(b"", toll="a")


def test_text_that_is_no_unicode_is_filled_all_the_same():
    assert fill(b"{{why}}", why="\udcff") == b"?"


# --- placeholders as pages


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_placeholder_is_accessible(shipped, name):
    page = Outline(filled(shipped, name))
    assert page.all("html") == [{"lang": "en"}]
    assert page.all("main")[0]["aria-labelledby"] == page.all("h1")[0]["id"]
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    assert page.texts["h1"]
    assert page.texts["title"]
    style = shipped.get(name).body.decode()
    assert "a:focus-visible { outline: 2px" in style
    assert "outline: none" not in style


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_placeholder_loads_and_runs_nothing_and_has_no_dead_control(shipped, name):
    text = filled(shipped, name)
    page = Outline(text)
    tags = {tag for tag, _ in page.tags}
    assert tags <= {
        "html",
        "meta",
        "title",
        "style",
        "main",
        "h1",
        "p",
        "a",
        "dl",
        "dt",
        "dd",
        "code",
        "small",
        "span",
        "link",
    }
    assert all(attributes == {"rel": "icon", "href": "data:,"} for attributes in page.all("link"))
    assert not re.search(r"url\(|@import|@font-face|\bon\w+=|style=", text)
    assert all("noreferrer" in attributes["rel"] for attributes in page.all("a"))
    assert {"name": "referrer", "content": "no-referrer"} in page.all("meta")


@pytest.mark.parametrize("name", WIDGETS)
def test_a_placeholder_has_a_variant_of_one_line(shipped, name):
    assert "@media (max-height: 32px)" in shipped.get(name).body.decode()


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_placeholder_can_be_read_in_light_and_dark(shipped, name, scheme):
    text = shipped.get(name).body.decode()
    colours = re.findall(r"--(\w+): #([0-9a-f]{3,6});", text)
    palette = dict(colours[scheme * 5 : scheme * 5 + 5])
    for part in ("text", "quiet", "link"):
        assert contrast(palette[part], palette["ground"]) >= 4.5  # WCAG 2.2, 1.4.3
    assert contrast(palette["edge"], palette["ground"]) >= 2.5


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two hexadecimal colours."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    channels = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_slot_is_used_and_described():
    used = set()
    for name in PLACEHOLDERS:
        used |= set(
            re.findall(r"\{\{(\w+)\}\}", (BLOCKLISTS / "placeholders" / name).read_text("utf-8"))
        )
    assert used == set(SLOTS)
    assert all(SLOTS.values())
