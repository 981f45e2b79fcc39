"""Captures of every dialect: each entry is read, or named with why it is not."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from captures import GA, GA_ID, PAGE, document, entry, har, lens_at
from corpora import CORPORA, needs_corpora
from optout_proxy.audit.entry import Entry, Traits, Unreadable
from optout_proxy.audit.har import _ENTRY, loose, read_har
from optout_proxy.audit.jars import JarCookie, parse_cookies_txt, parse_storage_state
from optout_proxy.audit.opening import find, kind_of, read_capture
from optout_proxy.audit.slices import Damaged, slices
from optout_proxy.audit.survey import survey
from optout_proxy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optout_proxy.audit.tally import Row

HARS = sorted((CORPORA / "har").glob("*/*.har"))


def read(text: bytes) -> tuple[list[Entry | Unreadable], Traits]:
    traits = Traits()
    return list(read_har(io.BytesIO(text), traits)), traits


def only(text: bytes) -> Entry:
    found, _ = read(text)
    assert len(found) == 1
    assert isinstance(found[0], Entry), found
    return found[0]


def bent(**changes: object) -> Entry:
    """The entry of a HAR whose request is bent like this."""
    one = entry(GA)
    one["request"] = {**one["request"], **changes}  # type: ignore[dict-item]
    return only(har(one))


# --- dialects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        ("as it is", lambda text: text),
        ("with a byte order mark", lambda text: b"\xef\xbb\xbf" + text),
        ("with blanks around", lambda text: b"\n  " + text + b"\n\n"),
        ("indented", lambda text: json.dumps(json.loads(text), indent=4).encode()),
        ("packed", gzip.compress),
        ("as PowerShell saves it", lambda text: text.decode().encode("utf-16")),
        ("wrapped in one more object", lambda text: b'{"result": %b}' % text),
        ("with something behind it", lambda text: text + b"\n{}"),
    ],
)
def test_every_wrapping_is_read(tmp_path: Path, name: str, wrap: object) -> None:
    file = tmp_path / "one.har"
    file.write_bytes(wrap(har(document(), entry(GA))))  # type: ignore[operator]
    traits = Traits()
    found = list(read_capture(file, traits))
    assert [one.url for one in found if isinstance(one, Entry)] == [PAGE, GA], name
    assert (traits.made_by, traits.problem) == ("test 1", "")


def test_an_archive_as_playwright_writes_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "one.har.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("0a1b.txt", "a body")
        archive.writestr("har.har", har(entry(GA)))
    assert [one.url for one in read_capture(file, Traits()) if isinstance(one, Entry)] == [GA]


@pytest.mark.parametrize(
    ("change", "url"),
    [
        ({"url": "data:image/gif;base64,R0lGOD"}, "data:image/gif;base64,R0lGOD"),
        ({"url": "blob:https://www.mass.gov/1"}, "blob:https://www.mass.gov/1"),
        ({"url": "https://bücher.example/ä?ö=ü"}, "https://bücher.example/ä?ö=ü"),
        ({"url": "https://[::1"}, "https://[::1"),
        ({"headers": None}, GA),
        ({"headers": {"Referer": PAGE}}, GA),
        ({"headers": [{"name": "X", "value": 1}]}, GA),
        ({"cookies": "none"}, GA),
        ({"method": None}, GA),
        ({"postData": {}}, GA),
        ({"postData": {"mimeType": "a", "text": None}}, GA),
        ({"bodySize": "12"}, GA),
        ({"bodySize": -1}, GA),
    ],
)
def test_an_odd_request_is_read(change: dict[str, object], url: str) -> None:
    assert bent(**change).url == url


@pytest.mark.parametrize("key", ["time", "startedDateTime", "response", "_resourceType"])
def test_an_entry_without_something_is_read(key: str) -> None:
    one = entry(GA)
    del one[key]
    assert only(har(one)).url == GA


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (7, "it is no object"),
        (None, "it is no object"),
        ([], "it is no object"),
        ({}, "it has no request"),
        ({"request": 7}, "it has no request"),
        ({"request": {"method": "GET"}}, "its request has no address"),
        ({"request": {"url": ""}}, "its request has no address"),
        ({"request": {"url": 7}}, "its request has no address"),
    ],
)
def test_what_has_no_address_is_unreadable_and_says_why(odd: object, why: str) -> None:
    found, traits = read(har(entry(GA), odd, entry(GA_ID)))
    assert [type(one).__name__ for one in found] == ["Entry", "Unreadable", "Entry"]
    assert found[1] == Unreadable(1, why)
    assert traits.problem == ""


# --- damage ---------------------------------------------------------------------------------------


def damaged(broken: bytes) -> bytes:
    """Five entries, the second one replaced."""
    good = json.dumps(entry(GA)).encode()
    return b'{"log": {"entries": [' + b", ".join((good, broken, good, good, good)) + b"]}}"


@pytest.mark.parametrize(
    "broken",
    [
        b'{"request": {"url": }}',
        b'{"request": {"url": "https://a.example/" "method": "GET"}}',
        b'{"request": {"url": NaN}}',
        b'{"request": {"url": "https://a.example/"}',
        b'{"request": {"url": "https://a.example/}}',
        b"nonsense",
        b"{]}",
        b'{"request": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_damaged_entry_costs_one_entry(broken: bytes) -> None:
    found, _ = read(damaged(broken))
    kinds = [type(one).__name__ for one in found]
    assert kinds == ["Entry", "Unreadable", "Entry", "Entry", "Entry"], found
    assert [one.index for one in found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "odd",
    [
        b'{"request": {"url": "https://a.example/\\ud800"}}',
        b'{"request": {"url": "https://a.example/\xff"}}',
        b'{"request": {"url": "https://a.example/\n"}}',
        b'{"request": {"url": "https://a.example/"}, "time": NaN}',
        b'{"request": {"url": "https://a.example/"}, "time": 00}',
        b'{"request": {"url": "https://a.example/"}}}',
    ],
)
def test_an_entry_that_is_not_quite_json_is_read_where_it_can_be(odd: bytes) -> None:
    found, _ = read(damaged(odd))
    assert len(found) == 5
    assert isinstance(found[1], Entry) or odd.endswith(b"00}")


def test_a_capture_that_breaks_off_says_so_at_every_byte() -> None:
    whole = har(entry(GA), entry(GA_ID))
    for cut in range(len(whole)):
        found, traits = read(whole[:cut])
        assert traits.problem, cut
        assert len(found) <= 2
        assert [one.index for one in found] == list(range(len(found)))


@pytest.mark.parametrize("text", [b"", b"[]", b"7", b"{}", b'{"log": 7}', b'{"log": {}}', b"\0\1"])
def test_what_is_no_har_says_so(text: bytes) -> None:
    found, traits = read(text)
    assert found == []
    assert traits.problem


@given(st.binary(max_size=400))
def test_no_bytes_raise(noise: bytes) -> None:
    read(b'{"log": {"entries": [' + noise)
    read(noise)


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=3))
def test_no_damage_loses_an_entry_unseen(at: int, noise: bytes) -> None:
    whole = har(*(entry(f"{GA}&n={n}") for n in range(4)))
    at %= len(whole)
    found, traits = read(whole[:at] + noise + whole[at + len(noise) :])
    read_well = sum(isinstance(one, Entry) for one in found)
    assert [one.index for one in found] == list(range(len(found)))
    assert read_well >= 3 or traits.problem or any(isinstance(o, Unreadable) for o in found)


def test_an_entry_larger_than_the_limit_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optout_proxy.audit.slices.LARGEST", 1 << 20)
    monkeypatch.setattr("optout_proxy.audit.slices._CHUNK", 1 << 16)
    big = entry(GA, body="x" * (3 << 20))
    tricky = entry(GA, body='\\"}]' * (1 << 19))
    found, traits = read(har(entry(GA), big, tricky, entry(GA_ID)))
    assert [type(one).__name__ for one in found] == ["Entry", "Unreadable", "Unreadable", "Entry"]
    assert traits.problem == ""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def endless(count: int) -> Iterator[bytes]:
        one = json.dumps(entry(GA, body="x" * 20_000)).encode()
        yield b'{"log": {"entries": ['
        for number in range(count):
            yield (b", " if number else b"") + one
        yield b"]}}"

    def peak(count: int) -> int:
        file = tmp_path / f"{count}.har"
        with file.open("wb") as out:
            out.writelines(endless(count))
        tracemalloc.start()
        found = survey(file, lens_at({"google-analytics": "block"}))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.read == count
        return most

    small, large = peak(100), peak(1500)
    assert large < small + (6 << 20)


# --- what an entry says ---------------------------------------------------------------------------


def test_cookies_that_stand_in_the_list_alone_are_read() -> None:
    found = bent(headers=[], cookies=[{"name": "a", "value": "1"}, {"name": "b", "value": "2"}])
    assert found.headers == ((b"Cookie", b"a=1; b=2"),)


def test_pseudo_headers_are_no_headers() -> None:
    assert bent(headers=[{"name": ":authority", "value": "a.example"}]).pairs == []


def test_set_cookies_on_one_line_are_told_apart() -> None:
    one = only(har(entry(GA, sets=("a=1; Path=/\nb=2", "c=3"))))
    assert one.set_cookies == (b"a=1; Path=/", b"b=2", b"c=3")


@pytest.mark.parametrize(
    ("post", "body", "has_body"),
    [
        ({"text": "a=1"}, b"a=1", True),
        ({"text": base64.b64encode(b"\0a").decode(), "encoding": "base64"}, b"\0a", True),
        ({"text": base64.b64encode(b"\0a").decode(), "_encoding": "base64"}, b"\0a", True),
        ({"text": "%%%", "encoding": "base64"}, None, False),
        ({"params": [{"name": "a b", "value": "1&2"}]}, b"a+b=1%262", True),
        ({"mimeType": "text/plain"}, None, False),
        ({"mimeType": "", "text": ""}, None, False),
    ],
)
def test_a_body_is_read_or_said_to_be_missing(
    post: dict[str, object], body: bytes | None, has_body: bool
) -> None:
    found = bent(postData=post, bodySize=5)
    assert (found.body, found.has_body) == (body, has_body)


@pytest.mark.parametrize(
    ("kind", "dest", "type_"),
    [("document", "", "document"), ("xhr", "", "xmlhttprequest"), ("ping", "", "ping"),
     ("manifest", "", None), ("", "", None)],
)  # fmt: skip
def test_a_type_is_the_browsers_word(kind: str, dest: str, type_: str | None) -> None:
    assert only(har(entry(PAGE, kind=kind))).type == type_


def test_a_page_view_begins_with_its_document_and_its_redirects() -> None:
    first = entry("http://mass.gov/", kind="", page="", status=301, view="1")
    then = entry(PAGE, kind="", page="", view="1", content="text/html")
    frame = entry("https://frame.example/", kind="", page="", view="1", content="text/html")
    found, _ = read(har(first, then, frame, entry(GA, page="", view="1")))
    assert [one.type for one in found] == ["document", "document", "subdocument", "xmlhttprequest"]
    assert [one.page for one in found] == ["", "", PAGE, PAGE]


def test_a_page_view_does_not_begin_with_a_certificate_check() -> None:
    check = entry("http://ocsp.example/", kind="", page="", view="1", content="application/ocsp")
    page = entry(PAGE, kind="", page="", view="1", content="text/html")
    found, _ = read(har(check, page))
    assert [one.type for one in found] == [None, "document"]


@pytest.mark.parametrize(
    "first",
    [
        entry(GA, kind="", page="", view="1", body="v=2", content="text/html"),
        entry(GA, kind="", page="", view="1", status=204),
        entry(GA, kind="", page="", view="1", headers=(("Accept", "*/*"),), content="text/html"),
        entry(GA, kind="ping", page="", view="1"),
        entry(GA, kind="", page="", view="1", headers=(("Sec-Fetch-Dest", "empty"),)),
    ],
)
def test_a_hit_that_comes_first_is_not_taken_for_the_page(tmp_path: Path, first: object) -> None:
    (tmp_path / "a.har").write_bytes(har(first))
    found = survey(tmp_path / "a.har", lens_at({"google-analytics": "block"}))
    assert found.tools["google-analytics"].hits == 1


# --- flow files, jars, folders --------------------------------------------------------------------


def flow_file(path: Path, count: int = 2) -> bytes:
    out = io.BytesIO()
    writer = FlowWriter(out)
    for _ in range(count):
        flow = tflow.tflow(resp=True)
        flow.request.url = GA_ID
        flow.request.headers["referer"] = PAGE
        writer.add(flow)
    path.write_bytes(out.getvalue())
    return out.getvalue()


def test_a_flow_file_is_read(tmp_path: Path) -> None:
    flow_file(tmp_path / "a.mitm")
    found = survey(tmp_path / "a.mitm", lens_at({"google-analytics": "block"}))
    assert (found.entries, found.read, found.tools["google-analytics"].hits) == (2, 2, 2)


def test_a_flow_file_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    whole = flow_file(tmp_path / "a.mitm")
    (tmp_path / "a.mitm").write_bytes(whole[:-20])
    found = survey(tmp_path / "a.mitm", lens_at({"google-analytics": "block"}))
    assert (found.entries, found.read, len(found.unreadable)) == (2, 1, 1)
    assert found.problem


def test_flows_that_are_not_http_are_counted(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = FlowWriter(out)
    writer.add(tflow.ttcpflow())
    writer.add(tflow.tdnsflow())
    writer.add(tflow.twebsocketflow())
    (tmp_path / "a.flow").write_bytes(out.getvalue())
    found = survey(tmp_path / "a.flow", lens_at({"google-analytics": "block"}))
    assert (found.entries, found.read) == (3, 3)


def test_a_storage_state_is_a_jar() -> None:
    text = json.dumps({
        "cookies": [{"name": "id", "value": "OPT_OUT", "domain": ".doubleclick.net",
                     "path": "/", "expires": 2000000000, "secure": True}],
        "origins": [],
    }).encode()  # fmt: skip
    jar = parse_storage_state(text)
    assert jar == (JarCookie("doubleclick.net", "id", "OPT_OUT", 2_000_000_000),)
    assert parse_storage_state(b'{"log": {}}') is None
    assert parse_storage_state(b"[" * 100_000) is None


def test_a_cookies_txt_is_a_jar() -> None:
    text = (
        "# Netscape HTTP Cookie File\n\n"
        ".doubleclick.net\tTRUE\t/\tTRUE\t2000000000\tid\tOPT_OUT\n"
        "#HttpOnly_.mass.gov\tTRUE\t/\tFALSE\t0\t_ga\tGA1.1.1.2\n"
        "broken line\n"
    )
    assert parse_cookies_txt(text) == (
        JarCookie("doubleclick.net", "id", "OPT_OUT", 2_000_000_000),
        JarCookie("mass.gov", "_ga", "GA1.1.1.2", None),
    )


def test_a_folder_is_walked_in_order_and_holds_only_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.har").write_bytes(har(entry(GA)))
    (tmp_path / "a.har.gz").write_bytes(gzip.compress(har(entry(GA))))
    (tmp_path / "state.json").write_text('{"cookies": [], "origins": []}')
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "readme.txt").write_text("hello")
    found = [(path.name, kind) for path, kind in find([tmp_path, tmp_path / "b" / "1.har"])]
    assert found == [("a.har.gz", "capture"), ("1.har", "capture"), ("state.json", "jar")]


def test_a_file_that_is_named_is_a_capture_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    assert find([tmp_path / "x.txt"]) == [(tmp_path / "x.txt", "capture")]
    assert kind_of(tmp_path / "x.txt") == "other"


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        find([tmp_path / "nothing.har"])


# --- the outside captures -------------------------------------------------------------------------


def expected(file: Path) -> int | None:
    try:
        log = json.loads(file.read_text("utf-8-sig"))
        return len(log.get("log", log.get("test_response", {}).get("log", {}))["entries"])
    except ValueError:
        return None


@needs_corpora
@pytest.mark.corpora
@pytest.mark.parametrize("file", HARS, ids=lambda file: file.name)
def test_every_entry_of_an_outside_capture_is_accounted_for(file: Path) -> None:
    traits = Traits()
    found = list(read_capture(file, traits))
    count = expected(file)
    assert len(found) == (count or 0)
    assert bool(traits.problem) == (count is None)
    assert not [one for one in found if isinstance(one, Unreadable)]


@needs_corpora
@pytest.mark.corpora
@pytest.mark.parametrize("file", HARS, ids=lambda file: file.name)
def test_reading_loosely_finds_the_same(file: Path) -> None:
    stream = io.BytesIO(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    try:
        pieces = [bytes(piece.text) for piece in slices(stream) if not piece.key]
    except Damaged:
        pieces = []
    for text in pieces:
        found = loose(text)
        try:
            strict = _ENTRY.decode(text)
        except msgspec.ValidationError:
            continue  # one of those that loose reading is for
        assert not isinstance(found, str)
        assert found.request.url == strict.request.url
        assert (found.request.headers or []) == (strict.request.headers or [])
        assert found.request.method == strict.request.method
        assert (found.kind, found.pageref, found.started) == (
            strict.kind, strict.pageref, strict.started,
        )  # fmt: skip


def test_bytes_that_are_no_text_harm_no_report(tmp_path: Path) -> None:
    out = io.BytesIO()
    flow = tflow.tflow(resp=True)
    flow.request.path = "/\udcff?x=\udcfe"
    flow.request.headers["referer"] = "https://www.mass.gov/\udcff"
    flow.request.headers["cookie"] = "a\udcff=abcdefgh12"
    FlowWriter(out).add(flow)
    file = tmp_path / "a\udcff.mitm"
    file.write_bytes(out.getvalue())
    rows: list[Row] = []
    found = survey(file, lens_at({"google-analytics": "block"}), rows.append)
    assert (found.read, len(rows)) == (1, 1)
    assert msgspec.json.encode((rows, found.path))


def test_a_packed_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    packed = gzip.compress(har(*(entry(f"{GA}&n={n}") for n in range(50))))
    (tmp_path / "a.har.gz").write_bytes(packed[: len(packed) // 2])
    traits = Traits()
    list(read_capture(tmp_path / "a.har.gz", traits))
    assert traits.problem


def test_much_damage_takes_no_longer_than_much_text() -> None:
    good = json.dumps(entry(GA)).encode()
    broken = b'{"request": {"url": "https://a.example/", "x": [' + b"{}, " * 200 + b"}"
    whole = b'{"log": {"entries": [' + b", ".join([good, broken] * 400) + b"]}}"
    found, _ = read(whole)
    assert sum(isinstance(one, Entry) for one in found) >= 399
