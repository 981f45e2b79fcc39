"""Reports: each says what was found, and a hostile capture harms none of them and no reader."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import xml.etree.ElementTree as ET
from datetime import date
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from captures import GA, GA_ID, PAGE, PIXEL, Entry, document, entry, har, lens_at, total
from optout_proxy import shipped
from optout_proxy.audit.reports import Told, write
from optout_proxy.audit.result import result_of
from optout_proxy.registry.settings import Waiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TODAY = date(2026, 11, 24)
FORMS = ("text", "json", "junit", "sarif", "github", "markdown", "csv", "html")
LEVELS = {"google-analytics": "block", "facebook-pixel": "signal", "treejack": "block"}
WAIVED = Waiver("facebook-pixel", "inconclusive", "web team", "going away", TODAY, 3)

SCRIPT = "<script>alert(1)</script>"
STEER = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
ILLEGAL = "\x00\x01\x0b\ufffe\ufffb\ud800"
FORMULA = '=HYPERLINK("http://evil.example","x")'
COMMAND = "\n::error::owned\n::set-output name=a::b\r\n"
MARKDOWN = "](http://evil.example) | ![x](//evil.example) `x` @team"
EVIL = SCRIPT + STEER + ILLEGAL + COMMAND + MARKDOWN + "]]>" + "\"'&" + FORMULA


def told(folder: Path, *entries: object, **more: object) -> Told:
    lens = lens_at(LEVELS, **more)  # type: ignore[arg-type]
    return Told(result_of(total(folder, lens, har(*entries)), None, lens, TODAY), lens)


@pytest.fixture
def plain(tmp_path: Path) -> Told:
    clarity = entry("https://www.clarity.ms/tag/abc")
    return told(tmp_path, document(), entry(GA_ID), entry(PIXEL), clarity, waivers=(WAIVED,))


@pytest.fixture
def hostile(tmp_path: Path) -> Told:
    """Every text that a site can choose, chosen to do harm."""
    name = f"=_{EVIL}"
    many: list[Entry] = [
        document(f"{PAGE}/{EVIL}"),
        entry(f"{GA_ID}&dl={EVIL}", cookies=f"{name}=abcdefgh12; _ga={EVIL}", day=EVIL),
        entry(f"{GA_ID}&gcs={EVIL}", sets=(f"_ga_{EVIL}={EVIL}; Max-Age=100",)),
        entry(f"https://{EVIL}/", cookies=f"{name}=abcdefgh12"),
        entry(
            f"https://evil.example/{EVIL}", cookies=f"{FORMULA}=abcdefgh12", page=f"{PAGE}{EVIL}"
        ),
        entry(f"{PIXEL}&x={EVIL}", page=f"{PAGE}/{EVIL}", body=EVIL),
    ]
    return told(tmp_path, *many, {"request": {"url": "", "x": EVIL}}, canary="owned")


# --- each form --------------------------------------------------------------------------------


def test_junit_fails_what_is_asked_for_and_skips_what_is_in_doubt(plain: Told) -> None:
    root = ET.fromstring(write(plain, "junit"))  # noqa: S314 - our own report
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    outcome = {key: [child.tag for child in case] for key, case in cases.items()}
    assert outcome["optout.verdict", "google-analytics"] == ["failure"]
    assert outcome["optout.verdict", "facebook-pixel"] == ["skipped"]
    assert outcome["optout.verdict", "treejack"] == ["skipped"]
    assert outcome["optout.undeclared", "clarity.ms"] == ["skipped"]
    assert all(len(children) <= 1 for children in outcome.values())
    assert (root.get("tests"), root.get("failures")) == (str(len(cases)), "1")
    waived = cases["optout.verdict", "facebook-pixel"][0].text or ""
    assert waived.startswith("waived by web team")


def test_junit_has_a_failure_for_each_kind_asked_for(plain: Told) -> None:
    asked = Told(plain.result, plain.lens, frozenset({"undeclared", "never-seen"}))
    root = ET.fromstring(write(asked, "junit"))  # noqa: S314 - our own report
    kinds = {failure.get("type") for failure in root.iter("failure")}
    assert kinds == {"undeclared", "never-seen"}


def test_junit_has_an_error_for_a_capture_that_cannot_be_read_whole(tmp_path: Path) -> None:
    root = ET.fromstring(write(told(tmp_path, document(), 7), "junit"))  # noqa: S314
    assert [e.get("message") for e in root.iter("error")] == ["1 of 2 entries read"]


def test_sarif_points_at_lines_that_are_there(plain: Told) -> None:
    log = json.loads(write(plain, "sarif"))
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert log["version"] == "2.1.0"
    for one in run["results"]:
        place = one["locations"][0]["physicalLocation"]
        lines = (shipped.folder() / place["artifactLocation"]["uri"]).read_text().splitlines()
        assert 1 <= place["region"]["startLine"] <= len(lines)
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["level"] in {"error", "warning", "note"}
        assert len(one["partialFingerprints"]["optout/v1"]) == 64
    prints = [one["partialFingerprints"]["optout/v1"] for one in run["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_names_the_line_of_the_rule_and_of_the_declaration(plain: Told) -> None:
    found = {
        (one["ruleId"], one["message"]["text"].split(" (")[0]): one["locations"][0][
            "physicalLocation"
        ]
        for one in json.loads(write(plain, "sarif"))["runs"][0]["results"]
    }
    rule = found["violated", "Google Analytics"]
    file = shipped.folder() / rule["artifactLocation"]["uri"]
    assert "google-analytics.com^" in file.read_text().splitlines()[rule["region"]["startLine"] - 1]
    never = next(place for (kind, who), place in found.items() if "Treejack" in who)
    policy = shipped.folder() / "policies" / "mass-gov.toml"
    line = policy.read_text().splitlines()[never["region"]["startLine"] - 1]
    assert never["artifactLocation"]["uri"] in {
        "policies/mass-gov.toml", "blocklists/treejack.toml",
    }  # fmt: skip
    assert line == "[[tool]]" or never["region"]["startLine"] == 1


def test_sarif_suppresses_what_is_waived(plain: Told) -> None:
    results = json.loads(write(plain, "sarif"))["runs"][0]["results"]
    waived = [one for one in results if "suppressions" in one]
    assert len(waived) == 1
    assert "web team" in waived[0]["suppressions"][0]["justification"]


def test_github_annotates_ten_at_most_the_gravest_first(plain: Told) -> None:
    lines = write(plain, "github").decode().splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == 10
    assert commands[0].startswith("::error file=blocklists/google-analytics.toml,line=")
    assert "findings, of which 10 are annotated" in lines[-1]


def test_csv_has_a_line_a_tool_and_a_site(plain: Told) -> None:
    rows = list(csv.DictReader(io.StringIO(write(plain, "csv").decode())))
    kinds = [(row["kind"], row["about"]) for row in rows]
    assert ("verdict", "google-analytics") in kinds
    assert ("undeclared", "clarity.ms") in kinds
    assert all(None not in row for row in rows)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def tags(text: bytes) -> _Tags:
    parser = _Tags()
    parser.feed(text.decode())
    return parser


def test_html_stands_alone_and_has_a_chart_a_tool(plain: Told) -> None:
    text = write(plain, "html")
    page = tags(text)
    assert not {"script", "link", "img", "iframe", "a", "form", "object"} & set(page.tags)
    assert not {name for name, _ in page.attributes if name.startswith("on")}
    assert page.tags.count("svg") == page.tags.count("section") == len(plain.result.tools)
    assert b"default-src 'none'" in text
    assert not re.search(rb"url\(|@import|src=|href=", text)


def test_html_of_a_baseline_shows_both(tmp_path: Path) -> None:
    lens = lens_at(LEVELS)
    after = total(tmp_path, lens, har(document()))
    before = total(tmp_path, lens, har(document(), entry(GA_ID)))
    text = write(Told(result_of(after, before, lens, TODAY), lens), "html").decode()
    assert "0 hits, 1 in the baseline" in text


@pytest.mark.parametrize("form", FORMS)
def test_a_report_of_nothing_can_be_written(tmp_path: Path, form: str) -> None:
    assert write(told(tmp_path), form)


# --- hostile captures ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_no_report_steers_a_terminal(hostile: Told, form: str) -> None:
    text = write(hostile, form).decode()
    found = {char for char in text if not char.isprintable()} - {"\n", "\r"}
    assert found == set()


def test_the_hostile_capture_is_found_out_all_the_same(hostile: Told) -> None:
    assert hostile.result.tools["google-analytics"].verdict == "violated"
    assert hostile.result.unreadable == 1
    assert any("evil" in one.site for one in hostile.result.undeclared)


def test_no_script_of_a_site_reaches_the_page(hostile: Told) -> None:
    text = write(hostile, "html")
    page = tags(text)
    assert set(page.tags) <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "section", "div",
        "span", "svg", "rect", "text", "details", "summary", "ul", "li", "code", "br",
    }  # fmt: skip
    assert b"alert(1)" in text
    assert not {name for name, _ in page.attributes if name.startswith(("on", "href", "src"))}


def test_xml_of_a_hostile_capture_is_well_formed(hostile: Told) -> None:
    root = ET.fromstring(write(hostile, "junit"))  # noqa: S314 - our own report
    violated = [name for name, tool in hostile.result.tools.items() if tool.verdict == "violated"]
    assert len(list(root.iter("failure"))) == len(violated) == 2


def test_no_cell_is_a_formula(hostile: Told) -> None:
    rows = list(csv.reader(io.StringIO(write(hostile, "csv").decode())))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\t"))]
    assert len({len(row) for row in rows}) == 1


def test_a_cell_that_begins_like_a_formula_is_disarmed() -> None:
    from optout_proxy.audit.reports.csv import _cell  # noqa: PLC0415 - one private function

    assert _cell(FORMULA).startswith("'=")
    assert _cell("  +1").startswith("'")
    assert _cell("https://a.example/") == "https://a.example/"


def test_no_site_gives_a_build_server_commands(hostile: Told) -> None:
    lines = write(hostile, "github").decode().splitlines()
    assert not [line for line in lines if line.startswith("::") and " file=" not in line[:20]]
    assert "::set-output" not in [line[:12] for line in lines]


def test_no_site_writes_markdown(hostile: Told) -> None:
    text = write(hostile, "markdown").decode()
    assert "](http" not in text
    assert "<script" not in text
    assert "`" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {7}


def bomb(folder: Path) -> Path:
    """A capture whose packed size says nothing of its size."""
    file = folder / "bomb.har.gz"
    with gzip.open(file, "wb", compresslevel=9) as out:
        out.write(b'{"log": {"entries": [')
        out.write(json.dumps(entry(GA)).encode())
        out.write(b', {"request": {"url": "https://a.example/", "headers": [], "x": "')
        for _ in range(90):
            out.write(b"A" * (1 << 20))
        out.write(b'"}}, ' + json.dumps(entry(GA_ID)).encode() + b"]}}")
    return file


def deep(folder: Path) -> Path:
    file = folder / "deep.har"
    nested = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    first, last = (json.dumps(entry(url)).encode() for url in (GA, GA_ID))
    odd = b'{"request": {"url": "https://a.example/", "x": %b}}' % nested
    file.write_bytes(b'{"log": {"entries": [%b, %b, %b]}}' % (first, odd, last))
    return file


@pytest.mark.parametrize("make", [bomb, deep])
def test_an_entry_that_expands_or_is_nested_harms_no_reader(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    from optout_proxy.audit.survey import survey  # noqa: PLC0415 - only here

    found = survey(make(tmp_path), lens_at(LEVELS))
    assert (found.entries, found.read, len(found.unreadable)) == (3, 2, 1)
    assert found.tools["google-analytics"].hits == 2
