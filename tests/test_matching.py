"""Looking rules up finds what asking every rule would find, however they are looked up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora import CORPORA, needs_corpora
from optout_proxy.hosts import host_of
from optout_proxy.model import Request
from optout_proxy.rules.index import Index
from optout_proxy.rules.lists import RuleList, parse_list
from optout_proxy.rules.loose import HAS_AUTOMATON
from optout_proxy.rules.options import RuleError
from optout_proxy.rules.reading import read
from optout_proxy.rules.rule import Query, Rule, crosses_sites, parse_rule

if TYPE_CHECKING:
    from optout_proxy.model import Type
    from optout_proxy.rules.lists import Verdict

WORDS = ("ads", "track", "js", "gif", "c", "analytics", "hit", "v2", "%2f", "log1", "com")
HOSTS = ("ads.com", "sub.ads.com", "track.example", "log1.co.uk", "com", "xn--bcher-kva.example")
BY = [False, pytest.param(True, marks=pytest.mark.skipif(not HAS_AUTOMATON, reason="no extra"))]

joined = st.lists(
    st.one_of(st.sampled_from(WORDS), st.sampled_from("/.?=&-_*^")), min_size=1, max_size=7
).map("".join)
options = st.sampled_from(
    ("", "", "$third-party", "$script,image", "$domain=page.example", "$~third-party", "$important")
)
patterns = st.one_of(
    joined,
    st.tuples(st.sampled_from(HOSTS), joined).map(lambda pair: f"||{pair[0]}^{pair[1]}"),
    st.sampled_from(HOSTS).map(lambda host: f"||{host}^"),
    joined.map(lambda text: f"|https://{text}"),
    joined.map(lambda text: f"{text}|"),
    st.sampled_from(WORDS).map(lambda word: rf"/\/{word}\d*\.track[a-z]\//"),
)
lines = st.tuples(st.sampled_from(("", "", "", "@@")), patterns, options).map("".join)
urls = st.tuples(
    st.sampled_from(("https://", "http://", "wss://")),
    st.sampled_from(HOSTS),
    st.sampled_from(("", ":8080")),
    joined.map(lambda text: "/" + text.replace("*", "").replace("^", "")),
).map("".join)
PADDING = [f"/padding{n}/x{n}." for n in range(30)]
"""So many rules that looking for each text would take too long."""


def rules_of(texts: list[str]) -> list[tuple[str, Rule]]:
    found = []
    for text in texts:
        try:
            found.append((text, parse_rule(text)))
        except RuleError:
            continue
    return found


def request(url: str, page: str = "https://page.example/", kind: Type = "script") -> Request:
    host, page_host = host_of(url), host_of(page)
    crosses = crosses_sites(kind, host, page_host)
    return Request(
        url=url, host=host, page=page, page_host=page_host, type=kind, cross_site=crosses
    )


@pytest.mark.parametrize("by_automaton", BY)
@settings(max_examples=400, deadline=None)
@given(st.lists(lines, min_size=1, max_size=12), st.lists(urls, min_size=1, max_size=5))
def test_an_index_finds_what_asking_every_rule_finds(
    by_automaton: bool, texts: list[str], asked: list[str]
) -> None:
    rules = rules_of([*texts, *PADDING])
    filed = Index.of([text for text, _ in rules], by_automaton=by_automaton)
    for url in asked:
        query = Query(request(url), strict=False)
        one_by_one = {n for n, (_, rule) in enumerate(rules) if rule.matches(query)}
        assert {n for n, _ in filed.matching(query)} == one_by_one


def one_by_one(text: str, query: Query) -> tuple[bool, bool] | None:
    """What a list says, by asking every line: whether it knows the request, and allows it."""
    matching = [rule for _, rule in rules_of(text.split("\n")) if rule.matches(query)]
    if all(rule.exception for rule in matching):
        return None
    if any(rule.options.important and not rule.exception for rule in matching):
        return True, False
    return True, any(rule.exception for rule in matching)


def said(verdict: Verdict | None) -> tuple[bool, bool] | None:
    return None if verdict is None else (True, verdict.allowed)


@settings(max_examples=400, deadline=None)
@given(st.lists(lines, min_size=1, max_size=12), st.lists(urls, min_size=1, max_size=5))
def test_a_list_says_what_asking_every_line_says(texts: list[str], asked: list[str]) -> None:
    text = "\n".join([*texts, *PADDING])
    loaded = parse_list(text)
    for url in asked:
        query = Query(request(url), strict=False)
        assert said(loaded.verdict(query)) == one_by_one(text, query)
        assert loaded.verdict_url(url, "https://page.example/", "script") == loaded.verdict(query)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@ads.com/x",
        "https://ADS.com/x",
        "https://ads.com./x",
        "https://ads.com",
        "https://ads.com?x=/y",
        "https://ads.com:8080/x",
        "ws://ads.com/x",
        "https://[::1]/ads/x",
        "https://ads.com/\ud800/ads/\u00e9",
        "about:blank",
        "",
    ],
)
def test_an_odd_address_meets_the_same_verdict_either_way(url: str) -> None:
    loaded = parse_list("\n".join(["||ads.com^", "/ads/x$script", *PADDING]))
    query = Query(request(url), strict=False)
    assert loaded.verdict_url(url, "https://page.example/", "script") == loaded.verdict(query)


@pytest.mark.parametrize(
    ("text", "count", "line"),
    [
        ("! none\n||ads.com^", 1, 2),
        ("\ufeff||ads.com^\r\n||other.example^\r\n", 2, 1),
        ("! caf\u00e9\n||ads.com^$third-party\n||ads.com^/never", 2, 2),
        ("0.0.0.0 ads.com # a comment\n127.0.0.1 localhost\n", 1, 1),
        ("# hosts\n\n::1 ads.com", 1, 3),
        ("||ads.com^\n" * 3, 3, 3),
        ("x" * 70_000 + "\n||ads.com^\n" + "y" * 70_000, 3, 2),
    ],
)
def test_a_verdict_names_its_line(text: str, count: int, line: int) -> None:
    loaded = parse_list(text)
    assert len(loaded) == count
    verdict = loaded.verdict_url("https://ads.com/x", "https://page.example/", "script")
    assert verdict is not None
    assert verdict.line == line
    assert verdict.rule.text.startswith("||ads.com^")


@needs_corpora
@pytest.mark.corpora
@pytest.mark.skipif(not HAS_AUTOMATON, reason="the extra `fast` is not installed")
@pytest.mark.parametrize("name", ["easyprivacy", "easylist"])
def test_with_and_without_the_extra_real_requests_find_the_same_rules(name: str) -> None:
    found = read((CORPORA / "lists" / f"{name}.txt").read_bytes())
    indexes = [
        Index(found.text, found.filed["block"], found.table, by_automaton=by)
        for by in (False, True)
    ]
    for file in sorted((CORPORA / "requests").glob("*.jsonl")):
        for line in file.read_text().splitlines()[::5]:
            one = json.loads(line)
            query = Query(request(one["url"], one["page"], one["type"]), strict=False)
            by_words, at_once = ({n for n, _ in index.matching(query)} for index in indexes)
            assert by_words == at_once


def test_a_list_is_the_same_from_its_parts() -> None:
    found = read("\n".join(["||ads.com^", *PADDING]).encode())
    assert len(RuleList(found)) == 31
