"""From a published policy to its tools: the layout of the Mass.gov policy, in every form."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from corpora import CORPORA, needs_corpora
from optout_proxy import shipped
from optout_proxy.cli.main import main, optout
from optout_proxy.errors import OptoutError
from optout_proxy.importer import as_json
from optout_proxy.importer.policy import as_policy
from optout_proxy.importer.reviewed import differences
from optout_proxy.registry.policy_file import FIELDS, Changes, Link, load_policy
from policy_promises import FIELD, TOOL_FILES, TOP, hold, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer import Imported
    from optout_proxy.registry.policy_file import DeclaredTool

HERE = Path(__file__).resolve().parent
HARBOR = HERE / "policies" / "harbor.md"
OURS = shipped.folder() / "policies" / "mass-gov.toml"
SEED = CORPORA / "seed" / "mass-gov-privacy-policy.txt"
EDITION_OF_2018 = CORPORA / "policies" / "massgov-2018-06-26_tools.md"


@pytest.fixture(scope="module")
def harbor() -> Imported:
    return read(HARBOR.read_bytes(), "harbor.md")


def tools(imported: Imported) -> dict[str, DeclaredTool]:
    return {entry.tool.id: entry.tool for entry in imported.entries}


# --- Every form of a label and a heading, in a policy of our own ----------------------------------

HELP = "https://support.twitter.com/articles/20169421"
NO_LOG_IN = "You are not required to log in to Twitter to read the tide tables."
ON_A_TELEPHONE = (
    "On a telephone it also asks where to send the questions; that is discarded after 30 days."
)
S, N, E, A = "stated", "na", "empty", "absent"
STATES = {
    "google-analytics": (S, S, S, S, N, N),
    "google-tag-manager": (S, S, S, S, N, N),
    "google-adwords": (S, S, S, A, S, S),
    "foresee": (S, S, S, S, S, A),
    "twitter-widget": (S, E, S, S, S, S),
    "facebook-like": (S, S, S, S, S, A),
    "crazy-egg": (S, S, S, S, S, N),
    "invision": (S, S, S, S, S, N),
    "buoy-counter": (S, A, A, A, S, A),
}


def test_the_tools_come_in_order_with_six_fields_each_stated_na_empty_or_absent(harbor):
    found = {
        name: tuple(field.state for field in tool.fields.values())
        for name, tool in tools(harbor).items()
    }
    assert list(found) == list(STATES)
    assert found == STATES


@pytest.mark.parametrize(
    ("tool", "name", "lines"),
    [
        ("google-analytics", "Google Analytics", (15, 27)),
        ("google-tag-manager", "Google Tag Manager", (29, 41)),
        ("google-adwords", "Google AdWords", (43, 53)),
        ("foresee", "ForeSee provided by Verint", (55, 67)),
        ("twitter-widget", "Twitter widget", (69, 85)),
        ("facebook-like", 'Facebook "Like" widget', (87, 97)),
        ("buoy-counter", "Buoy Counter", (127, 135)),
    ],
)
def test_a_heading_in_each_form_gives_a_name_and_a_section(harbor, tool, name, lines):
    assert (tools(harbor)[tool].name, tools(harbor)[tool].lines) == (name, lines)


@pytest.mark.parametrize(
    ("tool", "field", "lines", "text", "urls"),
    [
        # A: value behind the bold label
        ("google-analytics", "purpose", (17, 17), "Counting visitors", []),
        # B: the value glued to a bold run that ends in spaces
        ("google-adwords", "data_collected", (47, 47), "A ticket bought, a form sent.", []),
        # C: spaces of another kind outside
        ("twitter-widget", "notes", (85, 85),
         "Twitter can tell which pages with a widget were opened.", []),
        # D and E: label and value in one bold run
        ("google-tag-manager", "privacy_policy", (35, 35),
         "https://policies.google.com/privacy?tm=1",
         ["https://policies.google.com/privacy?tm=1"]),
        ("google-tag-manager", "terms", (37, 37),
         "https://www.google.com/analytics/tag-manager/use-policy/",
         ["https://www.google.com/analytics/tag-manager/use-policy/"]),
        # F: no space behind the label, one in the link
        ("foresee", "privacy_policy", (63, 63), "www.verint.com", ["https://www.verint.com/"]),
        # G: nothing behind the label, numbered paragraphs below
        ("twitter-widget", "opt_out", (79, 83), f"{HELP}\n{NO_LOG_IN}",
         ["https://support.twitter.com/articles/20169421"]),
        # H: the value goes on in the next paragraph
        ("foresee", "data_collected", (59, 61), f"What you answer.\n{ON_A_TELEPHONE}", []),
        # several links, in order
        ("google-adwords", "privacy_policy", (49, 49),
         "policies.google.com/privacy, https://policies.google.com/technologies/ads",
         ["https://policies.google.com/privacy", "https://policies.google.com/technologies/ads"]),
        ("facebook-like", "privacy_policy", (93, 93),
         "www.facebook.com/help/1/ and www.facebook.com/about/privacy/",
         ["http://www.facebook.com/help/1/", "http://www.facebook.com/about/privacy/"]),
        # N/A however written
        ("google-analytics", "notes", (27, 27), "n/a.", []),
        ("google-tag-manager", "opt_out", (39, 39), "None", []),
        ("google-tag-manager", "notes", (41, 41), "-", []),
        # a label and nothing after it
        ("twitter-widget", "data_collected", (73, 73), "", []),
        # the same label twice: both kept
        ("buoy-counter", "purpose", (129, 131), "Counts buoys.\nAnd ropes.", []),
    ],
)  # fmt: skip
def test_each_form_of_a_field_is_read(harbor, tool, field, lines, text, urls):
    found = tools(harbor)[tool].fields[field]
    assert (found.lines, found.text) == (lines, text)
    assert [link.url for link in found.links] == urls


def test_a_bare_host_gets_a_scheme_and_says_so(harbor):
    assert tools(harbor)["crazy-egg"].opt_out.links == (
        Link("www.crazyegg.com/opt-out", "https://www.crazyegg.com/opt-out", assumed_scheme=True),
    )


KINDS = {
    "google-analytics": ("none",),
    "google-tag-manager": ("none",),
    "google-adwords": ("link", "login"),
    "foresee": ("abstain", "cookie"),
    "twitter-widget": ("link", "abstain"),
    "facebook-like": ("abstain",),
    "crazy-egg": ("link", "cookie"),
    "invision": ("abstain", "reference"),
    "buoy-counter": ("link",),
}


def test_an_opt_out_has_its_kinds_in_the_order_of_the_text(harbor):
    assert {name: tool.opt_out.kinds for name, tool in tools(harbor).items()} == KINDS


def test_notes_give_the_pages_and_the_day(harbor):
    limits = tools(harbor)["google-adwords"].limits
    assert limits.pages == "A small number of ferry pages about season tickets"
    assert (limits.since, limits.lines) == (date(2017, 4, 1), (53, 53))


def test_the_document_says_what_it_covers_since_when_and_how_it_changes(harbor):
    assert harbor.name == "Harbor.example"
    assert harbor.sites == ("harbor.example", "news.harbor.example")
    assert harbor.effective == date(2016, 2, 29)
    text = "We announce changes to this policy at least 45 days before they take effect."
    assert harbor.changes == Changes(45, text, (147, 147))
    assert harbor.contact.links == (Link("master@harbor.example", "mailto:master@harbor.example"),)
    source = harbor.source
    assert source.sha256 == hashlib.sha256(HARBOR.read_bytes()).hexdigest()
    assert (source.lines, source.url) == (151, "https://www.harbor.example/privacy")
    assert source.archived == date(2020, 2, 3)


def test_a_link_that_archiving_damaged_is_made_whole():
    text = HARBOR.read_text("utf-8").replace("Leave the count](https://buoys.example/opt-out", (
        "Leave the count](https://web.archive.org/count/opt-out"
    ))  # fmt: skip
    assert tools(read(text))["buoy-counter"].opt_out.links == (
        Link(
            "Leave the count",
            "https://www.harbor.example/count/opt-out",
            archived_as="https://web.archive.org/count/opt-out",
        ),
    )


def test_services_named_outside_the_list_are_mentioned_and_no_tools(harbor):
    told = [(it.id, it.mentions, [link.url for link in it.links]) for it in harbor.also_mentioned]
    assert told == [
        ("skipper", ((53, 53),), ["https://skipper.example/privacy-notice"]),
        ("formstack", ((143, 143),), ["http://www.formstack.com/privacy"]),
    ]


def test_what_is_odd_is_said_with_its_line(harbor):
    assert [warning.partition(":")[0] for warning in harbor.warnings] == [
        "line 131",
        "line 133",
        "line 127",
        "line 53",
    ]
    assert "purpose stands here a second time" in harbor.warnings[0]
    assert 'the label "Retention" is not known' in harbor.warnings[1]
    assert "Buoy Counter is declared, but not recognisable yet" in harbor.warnings[2]
    assert "it says 2016-02-29, but speaks of 2017-04-01" in harbor.warnings[3]


def test_an_unknown_tool_and_an_unknown_label_are_kept_and_flagged(harbor):
    entry = harbor.entries[-1]
    assert (entry.recognised, entry.sure) == (False, "certain")
    assert [(extra.label, extra.lines) for extra in entry.extras] == [("Retention", (133, 133))]


# --- The same policy in other clothes -------------------------------------------------------------


def as_html(text: str) -> str:
    """A page as a site would serve it, with what is not part of the policy around it."""
    body = MarkdownIt().render(text)
    head = "<title>Tool name: Title</title><style>p::before{content:'Tool name: Style'}</style>"
    menu = (
        "<nav><h4>Tool name: Menu</h4></nav><script>var a = '<h4>Tool name: Script</h4>'</script>"
    )
    return f"<!DOCTYPE html>\n<html><head>{head}</head>\n<body>{menu}\n{body}\n</body></html>\n"


def clothes(text: str) -> Iterator[tuple[str, str, bytes]]:
    yield "HTML", "a.html", as_html(text).encode()
    yield "CRLF", "a.md", text.replace("\n", "\r\n").encode()
    yield "CR", "a.md", text.replace("\n", "\r").encode()
    yield "a byte order mark", "a.md", b"\xef\xbb\xbf" + text.encode()
    yield "UTF-16", "a.md", text.encode("utf-16")
    yield "no file extension", "policy", text.encode()
    shy = text.replace("Tool name", "To\u00adol\u200b name").replace(
        "Purpose", "\u202ePurpose\u202c"
    )
    yield "marks that are not seen", "a.md", shy.encode()
    yield "a page without ends", "a.html", as_html(text).replace("</p>", "").encode()
    yield "a layout table", "a.html", _in_a_table(as_html(text))
    yield "upper-case tags", "a.html", as_html(text).replace("<h4>", "<H4 CLASS=x>").encode()


def _in_a_table(page: str) -> bytes:
    page = page.replace("</script>", "</script><table><tr><td>menu<td>")
    return page.replace("</body>", "</table></body>").encode()


def said(imported: Imported) -> object:
    """What a policy says, wherever it stands."""
    without = {
        (
            tool.id,
            tool.name,
            name,
            field.state,
            field.text,
            field.links,
            getattr(field, "kinds", ()),
        )
        for tool in tools(imported).values()
        for name, field in tool.fields.items()
    }
    head = (imported.name, imported.sites, imported.effective, imported.changes.notice_days)
    limits = [
        tool.limits and (tool.limits.pages, tool.limits.since) for tool in tools(imported).values()
    ]
    also = [(it.id, it.text, it.links) for it in imported.also_mentioned]
    return without, head, limits, also, [it.text for it in imported.statements]


TEXT = HARBOR.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "raw"),
    [(name, raw) for _, name, raw in clothes(TEXT)],
    ids=[it[0] for it in clothes(TEXT)],
)
def test_the_same_policy_in_another_form_says_the_same(harbor, name, raw):
    assert said(read(raw, name)) == said(harbor)


def test_lines_of_html_are_those_of_its_source():
    lines = as_html(TEXT).split("\n")
    imported = read(as_html(TEXT), "a.html")
    for tool in tools(imported).values():
        assert "Tool " in lines[tool.lines[0] - 1]
        for name, field in tool.fields.items():
            if field.lines and name == "purpose":
                assert "Purpose" in lines[field.lines[0] - 1]


def test_windows_letters_are_read_and_said():
    raw = TEXT.replace("™", "").replace("®", "").encode("cp1252", "replace")
    imported = read(raw)
    assert "is not UTF-8: the document was read as windows-1252" in imported.warnings[0]
    assert list(tools(imported)) == list(STATES)


def test_a_layout_table_without_headings_is_read_as_its_paragraphs():
    body = (
        "<p><b>Tool name: Crazy Egg</b></p><p>Purpose: Heat.</p><p>Opt-out: N/A</p><p>Notes: x</p>"
    )
    found = tools(
        read(f"<html><body><table><tr><td>menu<td>{body}</table></body></html>", "a.html")
    )
    assert list(found) == ["crazy-egg"]
    tool = found["crazy-egg"]
    assert (tool.purpose.text, tool.opt_out.state, tool.notes.text) == ("Heat.", "na", "x")


@pytest.mark.parametrize(
    ("field", "html"),
    [
        ("defined terms", "<dl><dt>Purpose</dt><dd>Counts.</dd><dt>Opt-out:</dt><dd>N/A</dd></dl>"),
        ("rows", "<table><tr><th>Purpose<td>Counts.<tr><th>Opt-out<td>N/A</table>"),
        ("headings", "<h3>Purpose</h3><p>Counts.</p><h3>Opt out</h3><p>N/A</p>"),
        ("lines", "<p><b>Purpose:</b> Counts.<br><b>Express opt out:</b> N/A</p>"),
        ("a label of its own", "<p><strong>Purpose:</strong></p><p>Counts.</p><p>Opt-out: N/A</p>"),
    ],
)
def test_labels_of_a_page_may_be_terms_rows_headings_or_lines(field, html):
    page = f"<html><body><h2>Tool name: Crazy Egg</h2>{html}<h2>More</h2><p>Purpose: no</p></html>"
    tool = tools(read(page, "a.html"))["crazy-egg"]
    assert (tool.purpose.text, tool.opt_out.state) == ("Counts.", "na"), field


# --- The document this project starts from --------------------------------------------------------


@needs_corpora
@pytest.mark.corpora
def test_the_seed_gives_the_file_we_ship_but_for_its_wording():
    fresh, ours = as_policy(read(SEED.read_bytes(), SEED.name)), load_policy(OURS)
    assert list(differences(ours, fresh)) == []
    assert fresh.source == ours.source
    for new, old in zip(fresh.tools, ours.tools, strict=True):
        assert (new.id, new.name, new.lines) == (old.id, old.name, old.lines)
        for name in FIELDS:
            a, b = new.fields[name], old.fields[name]
            assert (a.state, a.lines, a.links) == (b.state, b.lines, b.links)
            assert bool(a.text) == bool(b.text)
        assert new.opt_out.kinds == old.opt_out.kinds
        assert bool(new.limits) == bool(old.limits)
        if new.limits and old.limits:
            assert (new.limits.since, new.limits.lines) == (old.limits.since, old.limits.lines)
    assert (fresh.contact.links, fresh.contact.lines) == (ours.contact.links, ours.contact.lines)
    assert (fresh.changes.notice_days, fresh.changes.lines) == (
        ours.changes.notice_days, ours.changes.lines,
    )  # fmt: skip
    also = [
        [(it.id, it.links, it.mentions) for it in policy.also_mentioned] for policy in (fresh, ours)
    ]
    assert also[0] == also[1]


@needs_corpora
@pytest.mark.corpora
def test_the_seed_has_63_fields_and_three_are_absent():
    fields = [
        (tool.id, name, field.state)
        for tool in tools(read(SEED.read_bytes())).values()
        for name, field in tool.fields.items()
    ]
    absent = {(tool, name) for tool, name, state in fields if state == "absent"}
    assert len(fields) - len(absent) == 63
    assert absent == {("google-adwords", "terms"), ("foresee", "notes"), ("facebook-like", "notes")}


@needs_corpora
@pytest.mark.corpora
def test_the_seed_as_a_page_says_the_same():
    text = SEED.read_text("utf-8")
    assert said(read(as_html(text), "a.html")) == said(read(text))


@needs_corpora
@pytest.mark.corpora
def test_the_edition_of_2018_has_the_same_tools_but_the_tag_manager():
    old, new = read(EDITION_OF_2018.read_bytes()), read(SEED.read_bytes())
    headings = EDITION_OF_2018.read_text("utf-8").lower().count("tool name:")
    assert len(old.entries) == headings
    assert [*tools(new)] == [*list(tools(old))[:1], "google-tag-manager", *list(tools(old))[1:]]


# --- The command ----------------------------------------------------------------------------------


def run(*words: str):
    return CliRunner().invoke(optout, ["policy", *words], catch_exceptions=True)


def test_json_is_as_agreed(harbor):
    told = json.loads(run("import", str(HARBOR), "--json").stdout)
    assert list(told) == TOP
    assert told["source"] == str(HARBOR)
    assert told["sha256"] == harbor.source.sha256
    assert told["effective"] == "2016-02-29"
    assert told["sites"] == ["harbor.example", "news.harbor.example"]
    tool = told["tools"][2]
    assert list(tool)[:9] == ["id", "name", "lines", *FIELDS]
    assert tool["lines"] == [43, 53]
    assert list(tool["purpose"]) == FIELD
    assert list(tool["opt_out"]) == [*FIELD, "kinds"]
    assert tool["terms"] == {"state": "absent", "text": "", "links": [], "lines": None}
    assert tool["privacy_policy"]["links"][0] == {
        "text": "policies.google.com/privacy",
        "url": "https://policies.google.com/privacy",
    }
    assert (tool["found"], tool["sure"]) == ("a heading that declares it as a tool", "certain")
    assert told == json.loads(msgspec.json.encode(as_json(read(HARBOR.read_bytes(), str(HARBOR)))))


def test_the_review_quotes_the_lines_of_the_document():
    told = run("import", str(HARBOR)).stdout
    assert "17 │ **Purpose:** Counting visitors" in told
    assert "the policy offers: none; your level: block." in told
    assert "nothing can be enforced yet; begin a tool file: --skeleton buoy-counter" in told


def test_a_policy_without_tools_gives_none_and_a_sentence(tmp_path):
    file = tmp_path / "shop.txt"
    file.write_text(
        "https://shop.example/privacy\nPrivacy policy\nWe keep nothing, and use nothing.\n"
    )
    told = run("import", str(file))
    assert told.exit_code == 0
    assert "declares no tools" in told.stdout
    assert json.loads(run("import", str(file), "--json").stdout)["tools"] == []


def test_a_skeleton_of_a_tool_file_is_ready_for_what_must_be_found_out(tmp_path):
    told = run("import", str(HARBOR), "--skeleton", "buoy-counter")
    assert told.exit_code == 0
    from optout_proxy.registry.tool_file import parse_tool_file  # noqa: PLC0415

    made = parse_tool_file(told.stdout, "buoy-counter", "buoy-counter.toml")
    assert made.tool.name == "Buoy Counter"
    assert made.tool.operator_sites == {"buoys.example"}
    assert made.tool.express.pages == ("https://buoys.example/opt-out",)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("import", "/no/such/file"), "there is no such file"),
        (("import", str(HERE)), "is a folder"),
        (("import", str(HARBOR), "--skeleton", "bouy-counter"), 'did you mean "buoy-counter"?'),
        (("import", str(HARBOR), "--site", "https://harbor.example/"), "write it as shop.example"),
        (("diff", "/no/such/file", str(HARBOR)), "there is no such file"),
        (("diff", str(HARBOR), str(HARBOR), "--config", "/no/such/file"), "there is no such file"),
        (("import", str(HARBOR), "--config", str(HARBOR), "--json"), "this is no TOML"),
        (("import", str(OURS)), "is a policy file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_2(words, what, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["optout", "policy", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert what in said
    assert said.count("\n") == 1


def test_a_document_that_does_not_say_whose_it_is_needs_to_be_told(tmp_path):
    file, out = tmp_path / "a.txt", tmp_path / "a.toml"
    file.write_text("Tool name: Crazy Egg\nPurpose: heat\n")
    refused = run("import", str(file), "-o", str(out)).exception
    assert isinstance(refused, OptoutError)
    assert "--site shop.example" in str(refused)
    assert not out.exists()
    assert run("import", str(file), "-o", str(out), "--site", "shop.example").exit_code == 0
    assert load_policy(out).sites == ("shop.example",)


def test_the_promises_hold_for_our_own_documents():
    for file in (HERE / "policies").glob("*.*"):
        assert hold(file.read_bytes(), file.name) is not None
    assert TOOL_FILES
