"""Hosts and sites, against the Public Suffix List's own test lines."""

from __future__ import annotations

import re

import pytest

from corpora import CORPORA, needs_corpora
from optout_proxy.hosts import host_of, parents, site_of, suffix_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.COM/x", "www.example.com"),
        ("https://example.com", "example.com"),
        ("https://example.com?x", "example.com"),
        ("https://example.com#x", "example.com"),
        ("https://example.com./x", "example.com"),
        ("https://example.com:8443/x", "example.com"),
        ("https://u:p@example.com/x", "example.com"),
        ("https://u@v@example.com/x", "example.com"),
        ("https://example.com\\@evil.example/", "example.com"),
        ("http://[2001:DB8::1]:80/x", "2001:db8::1"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("wss://example.com/x", "example.com"),
        ("data:text/html,x", ""),
        ("about:blank", ""),
        ("no url", ""),
        ("", ""),
    ],
)
def test_the_host_a_url_names(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("host", "site", "suffix"),
    [
        ("www.mass.gov", "mass.gov", "gov"),
        ("a.b.co.uk", "b.co.uk", "co.uk"),
        ("foo.github.io", "foo.github.io", "github.io"),
        ("a.b.unknown-suffix", "b.unknown-suffix", "unknown-suffix"),
        ("localhost", "localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1", ""),
        ("::1", "::1", ""),
        ("co.uk", "co.uk", "co.uk"),
        ("", "", ""),
    ],
)
def test_the_site_a_host_belongs_to(host: str, site: str, suffix: str) -> None:
    assert (site_of(host), suffix_of(host)) == (site, suffix)


def test_parents_of_a_host_come_longest_first() -> None:
    assert parents("a.b.c") == ("a.b.c", "b.c", "c")
    assert parents("1.2.3.4") == ("1.2.3.4",)


@needs_corpora
def test_the_lists_own_lines_hold() -> None:
    text = (CORPORA / "psl" / "test_psl.txt").read_text("utf-8")
    lines = re.findall(r"^checkPublicSuffix\('([^']+)', (?:'([^']+)'|null)\);", text, re.MULTILINE)
    assert len(lines) > 70
    # A name that is a suffix itself, or starts with a dot, has no site: we answer with the host.
    wrong = {
        host: (site_of(host.lower()), site)
        for host, site in lines
        if site and site_of(host.lower()) != site.lower()
    }
    assert wrong == {}
