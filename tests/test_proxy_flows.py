"""From a flow to a request and back: what is named, and what is touched."""

from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from loopback import Tap  # noqa: F401 - imports mitmproxy with its warnings kept down
from optout_proxy.model import Answer, Decision, Outgoing, Request
from optout_proxy.proxy.flows import (
    apply_request,
    body_size,
    decide,
    hosts_of,
    plain_host,
    response_of,
    to_requests,
    url_of,
)
from optout_proxy.proxy.visits import Visits
from scripted import Scripted, stripped


def flow_of(
    path=b"/", *, host="site.example", port=443, scheme=b"https", method=b"GET", headers=(),
    sni=None, authority=b"", version=b"HTTP/1.1", body=b"",
):  # fmt: skip
    flow = tflow.tflow()
    flow.request = http.Request(
        host,
        port,
        method,
        scheme,
        authority,
        path,
        version,
        http.Headers(headers),
        body,
        None,
        0,
        0,
    )
    flow.client_conn.sni = sni
    return flow


URLS = [
    ({"path": b"/a?b=%zz&c"}, "https://site.example/a?b=%zz&c"),
    ({"path": b"/\xe4\xff"}, "https://site.example/\xe4\xff"),
    ({"port": 8443}, "https://site.example:8443/"),
    ({"port": 80, "scheme": b"http"}, "http://site.example/"),
    ({"port": 443, "scheme": b"http"}, "http://site.example:443/"),
    ({"host": "Site.Example."}, "https://site.example/"),
    ({"host": "::1"}, "https://[::1]/"),
    ({"path": b"*", "method": b"OPTIONS"}, "https://site.example/*"),
    ({"path": b"?q"}, "https://site.example/?q"),
]


@pytest.mark.parametrize(("made_of", "url"), URLS, ids=[url for _, url in URLS])
def test_the_url_is_named_byte_for_byte(made_of, url):
    flow = flow_of(**made_of)
    assert url_of(flow.request, hosts_of(flow)[0]) == url


HOSTS = [
    ({}, ("site.example",)),
    ({"headers": [(b"hOsT", b"A.example:443")]}, ("a.example", "site.example")),
    ({"headers": [(b"Host", b"a"), (b"Host", b"b")]}, ("a", "b", "site.example")),
    ({"authority": b"b.example:8443"}, ("b.example", "site.example")),
    ({"sni": "C.Example"}, ("site.example", "c.example")),
    ({"headers": [(b"Host", b"me@site.example")]}, ("site.example",)),
    ({"headers": [(b"Host", b"")]}, ("site.example",)),
    ({"headers": [(b"Host", b"[::1]:80")], "host": "::1"}, ("::1",)),
    (
        {"headers": [(b"Host", b"b\xc3\xbccher.example")], "host": "bücher.example"},
        ("xn--bcher-kva.example",),
    ),
    ({"host": "."}, (".",)),
]


@pytest.mark.parametrize(("made_of", "hosts"), HOSTS)
def test_every_host_a_flow_names_is_named_once(made_of, hosts):
    assert hosts_of(flow_of(**made_of)) == hosts


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("A.B", "a.b"),
        ("a.b..", "a.b"),
        ("[::1]", "::1"),
        ("ÄÖ.example", "xn--4ca0b.example"),
        ("ä" * 100, ("ä" * 100).encode().decode("latin-1")),
        ("\udcff", "\xff"),
        ("", ""),
    ],
)
def test_a_host_is_spelled_as_rules_spell_it_and_the_odd_ones_do_no_harm(host, plain):
    assert plain_host(host) == plain


SIZES = [
    ({"headers": [(b"content-length", b"12")]}, 12),
    ({"headers": [(b"content-length", b"0")]}, 0),
    ({"headers": [(b"content-length", b"x")]}, 0),
    ({"headers": [(b"transfer-encoding", b"chunked")]}, None),
    ({"method": b"POST"}, 0),
    ({"method": b"POST", "version": b"HTTP/2.0"}, None),
    ({"method": b"GET", "version": b"HTTP/2.0"}, 0),
]


@pytest.mark.parametrize(("made_of", "size"), SIZES)
def test_the_size_of_a_body_is_known_before_it_comes_or_said_to_be_unknown(made_of, size):
    assert body_size(flow_of(**made_of).request) == size


def test_a_request_that_any_of_its_names_stops_is_stopped():
    flow = flow_of(sni="tracker.example")
    engine = Scripted(stops=frozenset({"tracker.example"}), strips=frozenset({"site.example"}))
    request, decision = decide(to_requests(flow, engine, Visits()), engine)
    assert request.host == "tracker.example"
    assert decision.stops


def test_a_decision_that_acts_goes_before_one_that_allows():
    flow = flow_of(sni="tracker.example", path=b"/?uid=7", headers=[(b"Cookie", b"a")])
    engine = Scripted(strips=frozenset({"tracker.example"}))
    request, decision = decide(to_requests(flow, engine, Visits()), engine)
    apply_request(decision, flow, request)
    assert (flow.request.data.host, flow.request.data.path) == ("site.example", b"/")
    assert flow.request.headers.fields == ()


def test_nothing_is_touched_where_nothing_is_decided():
    flow = flow_of(b"/\xff?", headers=[(b"A", b"\xff"), (b"a", b" b")], body=b"\x00")
    before = flow.request.get_state()
    apply_request(Decision("allow", "fine"), flow, Request("https://site.example/\xff?", ""))
    assert flow.request.get_state() == before


def test_a_body_that_is_replaced_has_its_true_length():
    headers = ((b"Content-Length", b"9"), (b"X", b"1"))
    flow = flow_of(method=b"POST", headers=headers, body=b"a=1&b=two")
    came = Request("https://site.example/", "", headers=headers, body=b"a=1&b=two")
    decision = Decision("strip", "", tool="t", send=Outgoing(came.url, headers, b"a=1"))
    apply_request(decision, flow, came)
    assert flow.request.data.content == b"a=1"
    assert flow.request.headers.fields == ((b"Content-Length", b"3"), (b"X", b"1"))


def test_header_names_supplied_to_http2_are_in_lower_case():
    flow = flow_of(version=b"HTTP/2.0", headers=[(b"a", b"1")])
    came = Request("https://site.example/", "", headers=flow.request.headers.fields)
    send = Outgoing(came.url, (*came.headers, (b"Sec-GPC", b"1")), None)
    apply_request(Decision("signal", "", tool="t", send=send), flow, came)
    assert flow.request.headers.fields == ((b"a", b"1"), (b"sec-gpc", b"1"))


ANSWERS = [
    (Answer(200, (), b"abc"), False, b"3", b"abc"),
    (Answer(200, (), b""), False, b"0", b""),
    (Answer(200, (), b"abc"), True, b"3", b""),
    (Answer(204, (), b""), False, None, b""),
    (Answer(200, ((b"content-length", b"3"),), b"abc"), False, b"3", b"abc"),
]


@pytest.mark.parametrize(("answer", "head", "length", "body"), ANSWERS)
def test_an_answer_states_its_length_once(answer, head, length, body):
    response = response_of(answer, head=head)
    stated = [value for name, value in response.headers.fields if name.lower() == b"content-length"]
    assert stated == ([length] if length else [])
    assert response.data.content == body


def test_a_decision_to_stop_without_an_answer_is_a_fault_not_a_pass():
    with pytest.raises(ValueError, match="without an answer"):
        apply_request(Decision("block", ""), flow_of(), Request("https://site.example/", ""))


def test_a_stripped_request_from_the_tables_is_what_the_tests_think():
    request = Request("https://a.example/?x=1&uid=7", "a.example", headers=((b"Cookie", b"a"),))
    assert stripped(request).send == Outgoing("https://a.example/?x=1", (), None)
