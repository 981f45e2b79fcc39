"""Policy files: what they must hold, and that ours says what the document says."""

from __future__ import annotations

import hashlib
import re
from datetime import date

import msgspec
import pytest

from corpora import CORPORA, needs_corpora
from optout_proxy import shipped
from optout_proxy.errors import InputError
from optout_proxy.registry.policy_file import (
    FIELDS,
    Changes,
    Field,
    Limits,
    Link,
    Mention,
    OptOut,
    Policy,
    Source,
    Statement,
    load_policy,
    parse_policy,
)

FILE = shipped.folder() / "policies/mass-gov.toml"
SEED = CORPORA / "seed/mass-gov-privacy-policy.txt"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(FILE)


# --- Any policy file ------------------------------------------------------------------------------

SHA = "0" * 64
HEAD = f'name = "Shop"\nsites = ["shop.example"]\n[source]\nsha256 = "{SHA}"\nlines = 60\n'
TOOL = """\
[[tool]]
id = "foresee"
name = "ForeSee"
lines = [10, 20]
purpose = { text = "Surveys.", lines = [11, 11] }
data_collected = { state = "empty", lines = [12, 12] }
privacy_policy = { lines = [13, 14], links = [{ text = "a", url = "https://a.example/p" }] }
terms = { state = "absent" }
opt_out = { text = "Decline.", kinds = ["abstain", "cookie"], lines = [15, 15] }
notes = { state = "na", lines = [16, 16] }
"""
MORE = """\
[tool.limits]
pages = "A few"
since = 2018-05-17
lines = [16, 16]
[contact]
links = [{ text = "mail", url = "mailto:me@shop.example" }]
lines = [60, 60]
[changes]
notice_days = 30
text = "In time."
lines = [50, 50]
[[also_mentioned]]
id = "formstack"
name = "Formstack"
text = "Forms."
mentions = [[30, 31], [40, 40]]
[[statement]]
id = "kept"
text = "Kept for ever."
outside = "nothing"
how = "Out of sight."
lines = [41, 42]
tools = ["foresee", "formstack"]
links = [{ text = "b", url = "https://b.example/", archived_as = "https://archive.example/b" }]
"""


def test_everything_in_a_policy_file_is_read():
    text = HEAD.replace("[source]", "effective = 2016-10-31\n[source]") + TOOL + MORE
    read = parse_policy(text, "shop.toml")
    assert read.name == "Shop"
    assert read.sites == ("shop.example",)
    assert read.effective == date(2016, 10, 31)
    assert read.source == Source(SHA, 60)
    assert read.contact == Field("stated", "", (Link("mail", "mailto:me@shop.example"),), (60, 60))
    assert read.changes == Changes(30, "In time.", (50, 50))
    tool = read.tools[0]
    assert (tool.id, tool.name, tool.lines) == ("foresee", "ForeSee", (10, 20))
    assert tool.fields == {
        "purpose": Field("stated", "Surveys.", (), (11, 11)),
        "data_collected": Field("empty", "", (), (12, 12)),
        "privacy_policy": Field("stated", "", (Link("a", "https://a.example/p"),), (13, 14)),
        "terms": Field("absent", "", (), None),
        "opt_out": OptOut("stated", "Decline.", (), (15, 15), ("abstain", "cookie")),
        "notes": Field("na", "", (), (16, 16)),
    }
    assert tool.limits == Limits("A few", date(2018, 5, 17), (16, 16))
    assert read.also_mentioned == (
        Mention("formstack", "Formstack", "Forms.", (), ((30, 31), (40, 40))),
    )
    link = Link("b", "https://b.example/", archived_as="https://archive.example/b")
    about = ("foresee", "formstack")
    assert read.statements == (
        Statement("kept", "Kept for ever.", "nothing", "Out of sight.", (41, 42), about, (link,)),
    )


def test_a_policy_without_tools_dates_and_statements_is_one():
    read = parse_policy(HEAD, "shop.toml")
    assert (read.tools, read.statements, read.effective, read.changes) == ((), (), None, None)


def test_a_tool_reads_as_json_in_the_shape_the_importer_gives():
    tool = msgspec.to_builtins(parse_policy(HEAD + TOOL, "shop.toml").tools[0])
    assert list(tool)[:9] == ["id", "name", "lines", *FIELDS]
    assert tool["lines"] == (10, 20)
    assert tool["privacy_policy"]["links"] == ({"text": "a", "url": "https://a.example/p"},)
    assert tool["terms"] == {"state": "absent", "text": "", "links": (), "lines": None}
    assert tool["opt_out"]["kinds"] == ("abstain", "cookie")


def test_a_tool_file_is_not_needed_for_a_tool_to_be_declared():
    text = HEAD + TOOL.replace('"foresee"', '"a-tool-nobody-knows"')
    assert parse_policy(text, "shop.toml").tools[0].id == "a-tool-nobody-knows"


BELOW = re.sub(r"\d\d", lambda number: str(int(number[0]) + 30), TOOL)
"""The same tool, 30 lines further down the document."""
PURPOSE = 'purpose = { text = "Surveys.", lines = [11, 11] }'
OPT_OUT = 'opt_out = { text = "Decline.", kinds = ["abstain", "cookie"], lines = [15, 15] }'

WRONG = [
    # the head
    (HEAD, 'name = "Shop"\n', "", 1, "name is missing", "a text"),
    (HEAD, 'sites = ["shop.example"]', "", 1, "no site is named", 'sites = ["a.example"]'),
    (HEAD, "shop.example", "shop.example/", 2, '"shop.example/" is no host', "a host"),
    (HEAD, '["shop', '["a.example",\n"Shop', 3, '"Shop.example" is no host', "lower case"),
    (HEAD, "[source]", "effective = 2016-02-31\n[source]", 3, "invalid date", ""),
    (HEAD, "[source]", 'effective = "10/31/2016"\n[source]', 3, "effective is", "2027-01-31"),
    (HEAD, "[source]", "effective = 2016-10-31T00:00:00\n[source]", 3, "is a time", ""),
    (HEAD, "[source]", "effect = 2016-10-31\n[source]", 3, "unknown key effect", "effective"),
    (HEAD, SHA, SHA[1:], 4, "source.sha256 is no SHA-256", "64 hexadecimal digits"),
    (HEAD, SHA, "A" * 64, 4, "source.sha256 is no SHA-256", "lower case"),
    (HEAD, "lines = 60", "", 3, "source.lines is missing", "whole number"),
    (HEAD, "lines = 60", "lines = [1, 60]", 5, "source.lines is a list", "whole number"),
    (HEAD, "lines = 60", "lines = 60\nurl = 'shop.example'", 6, "no address", "https://"),
    (HEAD, HEAD[HEAD.index("[source]") :], "", 1, "source is missing", "write [source]"),
    (HEAD, "[source]", "[sourc]", 3, "unknown key sourc", '"source"?'),
    # a tool
    (TOOL, 'id = "foresee"\n', "", 6, "tool[0].id is missing", "a text"),
    (TOOL, '"foresee"', '"ForeSee"', 7, 'tool[0].id is "ForeSee"', "small letters"),
    (TOOL, '"foresee"', '"a--b"', 7, 'tool[0].id is "a--b"', "small letters"),
    (TOOL, 'name = "ForeSee"', 'name = ""', 8, "tool[0].name", "a text"),
    (TOOL, "lines = [10, 20]\n", "", 6, "tool[0].lines is missing", "[35, 47]"),
    (TOOL, "[10, 20]", "[20, 10]", 9, "tool[0].lines is [20, 10]", "must ascend"),
    (TOOL, "[10, 20]", "[10, 61]", 9, "tool[0].lines is [10, 61]", "lie in [1, 60]"),
    (TOOL, "[10, 20]", "[0, 20]", 9, "tool[0].lines is [0, 20]", "lie in [1, 60]"),
    (TOOL, "[10, 20]", "[10]", 9, "no range of lines", "first and the last line"),
    (TOOL, "[10, 20]", "10", 9, "tool[0].lines is no list", "[35, 47]"),
    (TOOL, "[10, 20]", '["10", "20"]', 9, "no range of lines", "[35, 47]"),
    (TOOL, "[10, 20]", "[true, 20]", 9, "no range of lines", "[35, 47]"),
    (TOOL, PURPOSE, "", 6, "tool[0].purpose is missing", 'state = "absent"'),
    (TOOL, "purpose =", "purpos =", 10, "unknown key tool[0].purpos", '"purpose"?'),
    (TOOL, PURPOSE, 'purpose = "Surveys."', 10, "tool[0].purpose is", "[tool[0].purpose]"),
    (TOOL, "[11, 11]", "[9, 11]", 10, "tool[0].purpose.lines is [9, 11]", "lie in [10, 20]"),
    (TOOL, "[11, 11]", "[11, 21]", 10, "tool[0].purpose.lines", "lie in [10, 20]"),
    (TOOL, 'text = "Surveys.", ', "", 10, "tool[0].purpose states nothing", "its text or links"),
    (TOOL, '"Surveys."', '""', 10, 'tool[0].purpose.text is ""', "a text"),
    (TOOL, '"empty"', '"none"', 11, 'state is "none"', '"empty" or "absent"'),
    (TOOL, '"empty",', '"na", text = "x",', 11, "beside state", "leave text out"),
    (TOOL, '"absent" }', '"absent", lines = [14, 14] }', 13, "of what is absent", "leave lines"),
    (TOOL, "https://a.example/p", "a.example/p", 12, "no address", "the whole address"),
    (TOOL, "https://a.example/p", "https://a_/ p", 12, "no address", "the whole address"),
    (TOOL, "https://a.example/p", "https:///p", 12, "no address", "the whole address"),
    (TOOL, "https://a.example/p", "javascript:1", 12, "no address", "the whole address"),
    (TOOL, "https://a.example/p", "mailto:me", 12, "no address", "the whole address"),
    (TOOL, 'text = "a", ', "", 12, "tool[0].privacy_policy.links[0].text", "a text"),
    (TOOL, "url =", "href =", 12, "unknown key", "text, url"),
    (TOOL, "}] }", ", assumed_scheme = 1 }] }", 12, "assumed_scheme is 1", "true or false"),
    (TOOL, 'url = "https://a.example/p" }', 'url = "http://a.example/p", assumed_scheme = true }',
     12, "assumed_scheme", "https://"),
    (TOOL, '"abstain", "cookie"', '"abstain", "cooky"', 14, 'is "cooky"', "none, link, login"),
    (TOOL, '"abstain", "cookie"', '"abstain", "abstain"', 14, 'kinds[1] is "abstain"', "once"),
    (TOOL, '"abstain", "cookie"', '"abstain", "none"', 14, '"none" and something', "leave"),
    (TOOL, '"abstain", "cookie"', "", 14, "kinds is empty", "by which means"),
    (TOOL, 'kinds = ["abstain", "cookie"], ', "", 14, "kinds is empty", "by which means"),
    (TOOL, '"abstain", "cookie"', '"link"', 14, '"link" without links', "give the links"),
    (TOOL, 'text = "Decline."', 'state = "na"', 14, 'field that is "na"', '["none"]'),
    (TOOL, '["abstain", "cookie"]', '"abstain"', 14, "kinds is", "a list"),
    (TOOL, OPT_OUT, OPT_OUT.replace("kinds", "kind"), 14, "unknown key", '"kinds"?'),
    (TOOL, TOOL, BELOW + TOOL, 17, "first on line 7", "own"),
    (TOOL, TOOL, BELOW.replace("foresee", "b") + TOOL, 19, "begins on line 10", "order"),
    # the rest
    (MORE, "2018-05-17", '"May 17, 2018"', 18, "tool[0].limits.since is", "2027-01-31"),
    (MORE, "[16, 16]", "[30, 30]", 19, "tool[0].limits.lines", "lie in [10, 20]"),
    (MORE, 'pages = "A few"\n', "", 16, "tool[0].limits.pages is missing", "a text"),
    (MORE, "notice_days = 30", "notice_days = 0", 24, "changes.notice_days is 0", "from 1"),
    (MORE, "[[30, 31], [40, 40]]", "[30, 31]", 31, "mentions[0] is no range", "[35, 47]"),
    (MORE, "[40, 40]", "[61, 61]", 31, "mentions[1] is [61, 61]", "lie in [1, 60]"),
    (MORE, 'id = "formstack"', 'id = "foresee"', 28, "first on line 7", "its own"),
    (MORE, MORE, MORE + MORE[MORE.index("[[statement]]") :], 41, "first on line 33", "its own"),
    (MORE, '"nothing"', '"none"', 35, 'outside is "none"', '"verify" or "nothing"'),
    (MORE, 'how = "Out of sight."\n', "", 32, "statement[0].how is missing", "a text"),
    (MORE, '"foresee", "formstack"', '"forsee"', 38, 'no tool "forsee"', '"foresee"?'),
    (MORE, "https://archive", "archive", 39, "archived_as", "the whole address"),
    (MORE, 'text = "Kept for ever."', "", 32, "statement[0].text is missing", "a text"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "what", "right"),
    [
        ((HEAD + TOOL + MORE).replace(part, part.replace(old, new, 1), 1), *said)
        for part, old, new, *said in WRONG
    ],
)
def test_what_is_wrong_is_refused_with_its_line_and_what_would_be_right(text, line, what, right):
    assert text != HEAD + TOOL + MORE
    with pytest.raises(InputError) as refused:
        parse_policy(text, "shop.toml")
    said = str(refused.value)
    assert said.startswith(f"shop.toml:{line}: ")
    assert what in said
    assert right in said
    assert said.isprintable()


def test_what_is_no_toml_is_refused_by_file_and_line(tmp_path):
    file = tmp_path / "shop.toml"
    file.write_text("name = Shop\n")
    with pytest.raises(InputError, match=r"shop\.toml:1: "):
        load_policy(file)


# --- Ours -----------------------------------------------------------------------------------------

KINDS = {
    "google-analytics": ("none",),
    "google-tag-manager": ("none",),
    "google-site-search": ("abstain", "link"),
    "google-adwords": ("link", "login"),
    "facebook-pixel": ("link", "login"),
    "foresee": ("abstain", "cookie"),
    "twitter-widget": ("link", "abstain"),
    "facebook-like": ("abstain",),
    "crazy-egg": ("link", "cookie"),
    "treejack": ("abstain",),
    "invision": ("abstain", "reference"),
}


def test_the_eleven_tools_are_declared_each_with_its_way_out(policy):
    assert {tool.id: tool.opt_out.kinds for tool in policy.tools} == KINDS


def test_three_of_66_fields_are_absent(policy):
    fields = [(tool.id, name, it) for tool in policy.tools for name, it in tool.fields.items()]
    absent = {(tool, name) for tool, name, field in fields if field.state == "absent"}
    assert len(fields) == 66
    assert absent == {("google-adwords", "terms"), ("foresee", "notes"), ("facebook-like", "notes")}


def test_the_trials_are_limited_in_pages_and_time(policy):
    limits = {tool.id: tool.limits for tool in policy.tools if tool.limits}
    assert {tool: limit.since for tool, limit in limits.items()} == {
        "google-adwords": date(2018, 5, 17),
        "facebook-pixel": date(2018, 5, 17),
    }
    assert all("fishing licences" in limit.pages for limit in limits.values())


def test_the_head_says_what_is_covered_since_when_and_how_it_changes(policy):
    assert policy.sites == ("mass.gov", "blog.mass.gov")
    assert policy.effective == date(2016, 10, 31)
    assert policy.source.archived == date(2019, 6, 25)
    assert policy.changes.notice_days == 30
    assert [service.id for service in policy.also_mentioned] == ["aspira", "formstack"]


@pytest.mark.parametrize(
    ("outside", "statements"),
    [
        ("nothing", {"addresses-kept", "survey-contacts-discarded", "only-to-improve", "no-sale"}),
        ("verify", {"no-keystrokes", "these-tools", "pixel-trial", "cookie-not-shared"}),
        ("enforce", {"own-cookies", "cookies-off", "opt-out-again", "twitter-reads-everywhere"}),
    ],
)
def test_a_statement_says_what_can_be_done_about_it_from_outside(policy, outside, statements):
    found = {statement.id for statement in policy.statements if statement.outside == outside}
    assert statements <= found


# --- Ours against the document --------------------------------------------------------------------

LABELS = {
    "purpose": "purpose",
    "data_collected": "data collected",
    "privacy_policy": "privacy policy",
    "terms": "terms of (use|service)",
    "opt_out": "express opt out",
    "notes": "special notes",
}
LINK = re.compile(
    r"\[ ?(?:\*\*)?(?P<text>[^\]]*?)(?:\*\*)?\]\((?P<url>[^)]*)\)"  # [**text**](url)
    r"|<(?P<auto>https?:[^>]*)>"
    r"|(?<![/\w*])(?P<bare>www\.[\w.]+/[\w-]+)"
    r"|(?<=at )(?P<plain>http://blog\.mass\.gov)"
)


@pytest.fixture(scope="module")
def seed() -> list[str]:
    return SEED.read_text(encoding="utf-8").split("\n")[:-1]


def _stretch(seed: list[str], lines: tuple[int, int]) -> str:
    return "\n".join(seed[lines[0] - 1 : lines[1]]).replace("\xa0", " ")


def _found(text: str) -> list[Link]:
    """The links of a stretch of the document, as a policy file has them."""
    links = []
    for match in LINK.finditer(text):
        if match["bare"]:
            links.append(Link(match["bare"], f"https://{match['bare']}", assumed_scheme=True))
        elif same := match["auto"] or match["plain"]:
            links.append(Link(same, same))
        else:
            links.append(_repaired(match["text"].replace("\u2019", "'"), match["url"]))
    return links


def _repaired(text: str, url: str) -> Link:
    lost = re.fullmatch(r"https://web\.archive\.org(/(?!web/).*)", url)
    return (
        Link(text, f"https://www.mass.gov{lost[1]}", archived_as=url) if lost else Link(text, url)
    )


@needs_corpora
@pytest.mark.corpora
def test_the_file_was_made_from_this_document(policy, seed):
    assert policy.source.sha256 == hashlib.sha256(SEED.read_bytes()).hexdigest()
    assert policy.source.lines == len(seed) == 239


@needs_corpora
@pytest.mark.corpora
def test_each_tool_stands_where_its_heading_is_and_ends_before_the_next(policy, seed):
    headings = [at for at, line in enumerate(seed, 1) if line.startswith("#")]
    tools = [
        at for at in headings if re.match(r"#### (\*\*)?Tool name:", seed[at - 1], re.IGNORECASE)
    ]
    assert [tool.lines[0] for tool in policy.tools] == tools
    for tool in policy.tools:
        rest = seed[tool.lines[0] : headings[headings.index(tool.lines[0]) + 1] - 1]
        last = max(at for at, line in enumerate(rest, 1) if line.strip())
        assert tool.lines[1] == tool.lines[0] + last
        heading = re.sub("[™\u201c\u201d*]", "", seed[tool.lines[0] - 1])
        assert heading.endswith(tool.name.replace('"', ""))


@needs_corpora
@pytest.mark.corpora
def test_each_field_stands_where_its_label_is_and_63_of_them_do(policy, seed):
    present = 0
    for tool in policy.tools:
        for name, field in tool.fields.items():
            label = re.compile(rf"^\*\*{LABELS[name]}:", re.IGNORECASE | re.MULTILINE)
            assert len(label.findall(_stretch(seed, tool.lines))) == (field.state != "absent")
            if field.lines:
                present += 1
                assert label.match(_stretch(seed, field.lines))
    assert present == 63


@needs_corpora
@pytest.mark.corpora
def test_no_line_of_a_tool_is_left_out_or_claimed_twice(policy, seed):
    for tool in policy.tools:
        claimed = [tool.lines[0]]
        for field in tool.fields.values():
            first, last = field.lines or (1, 0)
            claimed += [at for at in range(first, last + 1) if seed[at - 1].strip()]
        written = [at for at in range(tool.lines[0], tool.lines[1] + 1) if seed[at - 1].strip()]
        assert sorted(claimed) == written


@needs_corpora
@pytest.mark.corpora
def test_a_field_is_na_exactly_where_the_document_writes_it(policy, seed):
    for tool in policy.tools:
        for field in tool.fields.values():
            if field.lines:
                value = _stretch(seed, field.lines).partition(":")[2].strip("* \n")
                assert (field.state == "na") == (value == "N/A")


@needs_corpora
@pytest.mark.corpora
def test_each_field_has_the_documents_links_in_its_order_and_no_other(policy, seed):
    links = 0
    for tool in policy.tools:
        for field in tool.fields.values():
            if field.lines:
                assert list(field.links) == _found(_stretch(seed, field.lines))
                links += len(field.links)
    assert links == 34


@needs_corpora
@pytest.mark.corpora
def test_no_link_of_the_document_is_left_out_and_none_is_invented(policy, seed):
    tools = [
        link for tool in policy.tools for field in tool.fields.values() for link in field.links
    ]
    rest = [link for statement in policy.statements for link in statement.links]
    rest += [link for service in policy.also_mentioned for link in service.links]
    rest += policy.contact.links
    snapshot = Link("original snapshot on the Wayback Machine", policy.source.snapshot)
    assert set(_found(_stretch(seed, (1, 239)))) == {*tools, *rest, snapshot}


@needs_corpora
@pytest.mark.corpora
def test_each_statement_stands_in_a_line_with_its_links(policy, seed):
    for statement in policy.statements:
        stretch = _stretch(seed, statement.lines)
        assert stretch.strip()
        assert set(statement.links) <= set(_found(stretch))


@needs_corpora
@pytest.mark.corpora
def test_services_are_mentioned_where_the_file_says(policy, seed):
    for service in policy.also_mentioned:
        told = [at for first, last in service.mentions for at in range(first, last + 1)]
        assert told == [at for at, line in enumerate(seed, 1) if service.name in line]


@needs_corpora
@pytest.mark.corpora
def test_dates_and_days_are_the_documents(policy, seed):
    assert policy.effective.strftime("%m/%d/%Y") in seed[4]
    assert f"at least {policy.changes.notice_days} days" in _stretch(seed, policy.changes.lines)
    for tool in policy.tools:
        if tool.limits:
            since = tool.limits.since.strftime("%B %d, %Y")
            assert f"begin on {since}" in _stretch(seed, tool.limits.lines)


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'"))
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


@needs_corpora
@pytest.mark.corpora
def test_the_words_are_ours(policy, seed):
    document = _runs("\n".join(seed), 6)
    fields = [field for tool in policy.tools for field in tool.fields.values()]
    limits = [tool.limits.pages for tool in policy.tools if tool.limits]
    ours = [it.text for it in (*fields, *policy.statements, *policy.also_mentioned)]
    copied = [text for text in (*ours, *limits, policy.changes.text) if _runs(text, 6) & document]
    assert copied == []
