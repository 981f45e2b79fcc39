"""What the ledger writes, and what it does when it cannot."""

from __future__ import annotations

import errno
import json
import os
import re
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_parts import CREDIT, PAGE, REQUEST, RULE, Clock
from optout_proxy.ledger import Ledger, read, verify
from optout_proxy.model import Credit, Removed, Request


def lines_in(folder: Path) -> list[dict[str, object]]:
    return [entry.fields() for entry in read(folder)]


def only_line(folder: Path) -> dict[str, object]:
    (line,) = (entry.fields() for entry in read(folder) if entry.enforced)
    return line


def replace(request: Request, **fields: object) -> Request:
    return msgspec.structs.replace(request, **fields)


def test_an_enforcement_is_one_line_with_every_field_of_the_contract(tmp_path):
    Ledger(tmp_path, clock=Clock()).record(REQUEST, (CREDIT,))
    line = only_line(tmp_path)
    assert {name: line[name] for name in list(line)[:9]} == {
        "time": "2026-11-24T10:00:00.000Z",
        "event": "request",
        "tool": "google-analytics",
        "level": "block",
        "action": "block",
        "site": "mass.gov",
        "host": "www.google-analytics.com",
        "rule": "blocklists/google-analytics.toml:12",
        "removed": {"cookies": ["_ga"], "params": ["cid"], "headers": []},
    }
    assert list(line)[9:] == ["seq", "prev", "sum"]


def test_each_credit_has_a_line_and_no_credit_has_none(tmp_path):
    ledger = Ledger(tmp_path, clock=Clock())
    ledger.record(REQUEST, ())
    assert not list(tmp_path.iterdir())
    ledger.record(REQUEST, (CREDIT, CREDIT), event="response")
    assert [line["event"] for line in lines_in(tmp_path)] == ["opened", "response", "response"]


@pytest.mark.parametrize(
    ("fields", "site"),
    [
        ({}, "mass.gov"),
        ({"page_host": "shop.example.co.uk"}, "example.co.uk"),
        ({"page": "", "page_host": "", "type": "script"}, ""),
        ({"page": "", "page_host": "", "type": "document"}, "google-analytics.com"),
        ({"page_host": "127.0.0.1"}, "127.0.0.1"),
    ],
)
def test_the_site_is_that_of_the_page_or_of_the_document_itself(tmp_path, fields, site):
    Ledger(tmp_path, clock=Clock()).record(replace(REQUEST, **fields), (CREDIT,))
    assert only_line(tmp_path)["site"] == site


SECRET = "c4n4ry"
LOADED = Request(
    url=f"https://user{SECRET}:pass{SECRET}@t.example/path{SECRET}?q={SECRET}#{SECRET}",
    host="t.example",
    page=f"https://www.mass.gov/page{SECRET}?q={SECRET}",
    page_host="www.mass.gov",
    type="document",
    method="POST",
    headers=((b"Cookie", f"a={SECRET}".encode()), (b"Referer", SECRET.encode())),
    body=SECRET.encode(),
)


@pytest.mark.parametrize(("detail", "found"), [("private", False), ("full", True)])
def test_addresses_values_and_bodies_are_written_only_in_full_detail(tmp_path, detail, found):
    ledger = Ledger(tmp_path, detail=detail, clock=Clock(), say=lambda _: None)
    ledger.record(LOADED, (CREDIT,))
    ledger.record(LOADED, (CREDIT,), event="response")
    ledger.note("fault", what=f"could not decide {LOADED.url} from '{LOADED.page}'")
    ledger.close()
    (file,) = tmp_path.iterdir()
    assert (SECRET.encode() in file.read_bytes()) is found


def test_full_detail_adds_addresses_and_says_so_loudly(tmp_path):
    said: list[str] = []
    Ledger(tmp_path, detail="full", clock=Clock(), say=said.append).record(REQUEST, (CREDIT,))
    opening, line = lines_in(tmp_path)
    assert opening["detail"] == "full"
    assert "personal data" in str(opening["warning"])
    assert "personal data" in said[0]
    assert (line["url"], line["page"]) == (REQUEST.url, PAGE)
    assert (line["method"], line["type"]) == ("GET", "xmlhttprequest")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("config.toml:12: no such tool", "config.toml:12: no such tool"),
        ("GET https://a.example/x?y=1 failed", "GET https://a.example failed"),
        ('"https://u:p@a.example:8443/x"', '"https://a.example:8443"'),
        ("wss://a.example/?k=v, HTTP://B.example#f", "wss://a.example HTTP://B.example"),
        ("//a.example/x", "//a.example/x"),
        ("no answer to '/hit?cid=111.222&x' yet", "no answer to '/hit?' yet"),
        ("is that so? yes", "is that so? yes"),
        ("a" * 100_000, "a" * 1021 + "..."),
    ],
)
def test_an_address_in_a_note_is_cut_to_its_origin(tmp_path, said, kept):
    Ledger(tmp_path, clock=Clock()).note("fault", what=said)
    assert lines_in(tmp_path)[1]["what"] == kept


def test_a_note_cannot_pass_for_a_line_of_another_kind(tmp_path):
    ledger = Ledger(tmp_path, clock=Clock())
    ledger.note("closed", time="never", seq=9, prev="x", sum="y", host=None, event="gap")
    ledger.record(REQUEST, (CREDIT,), event="closed")
    note, line = lines_in(tmp_path)[1:]
    assert (note["event"], note["time_"], note["seq_"], note["event_"]) == (
        "closed_",
        "never",
        9,
        "gap",
    )
    assert "host" not in note
    assert line["event"] == "request"
    assert verify(tmp_path).state == "ok"


def test_long_names_and_many_names_are_cut(tmp_path):
    names = ("n" * 5000, *(f"c{number}" for number in range(5000)))
    credit = Credit("x" * 5000, "strip", "strip", RULE, Removed(names, names, names))
    Ledger(tmp_path, clock=Clock()).record(replace(REQUEST, host="h" * 5000), (credit,))
    line = only_line(tmp_path)
    cookies = line["removed"]["cookies"]
    assert cookies[0] == "n" * 125 + "..."
    assert (len(cookies), cookies[-1]) == (101, "and 4901 more")
    assert len(line["host"]) == len(line["tool"]) == 253


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_a_site_names_its_things_the_line_is_printable_ascii(tmp_path_factory, data):
    text = st.text(st.characters(), max_size=12)
    folder = tmp_path_factory.mktemp("ledger")
    ledger = Ledger(folder, clock=Clock(), detail=data.draw(st.sampled_from(["private", "full"])))
    names = tuple(data.draw(st.lists(text, max_size=3)))
    odd = replace(REQUEST, url=data.draw(text), host=data.draw(text), page_host=data.draw(text))
    ledger.record(odd, (Credit(data.draw(text), "block", "block", RULE, Removed(names)),))
    ledger.note(data.draw(text), what=data.draw(text))
    ledger.close()
    (file,) = folder.iterdir()
    assert re.fullmatch(rb"(?:[ -~]+\n)+", file.read_bytes())
    assert (ledger.gaps, verify(folder).state, verify(folder).lines) == (0, "ok", 4)


def test_the_folder_and_the_files_are_for_the_user_alone(tmp_path):
    folder = tmp_path / "state" / "ledger"
    Ledger(folder).record(REQUEST, (CREDIT,))
    (file,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_utc_day_has_a_file_of_its_own_that_names_the_one_before(tmp_path):
    clock = Clock("2026-11-24T23:59:59.999+00:00")
    ledger = Ledger(tmp_path, clock=clock)
    ledger.record(REQUEST, (CREDIT,))
    clock.turn(milliseconds=1)
    ledger.record(REQUEST, (CREDIT,))
    first, second = sorted(tmp_path.iterdir())
    assert (first.name[:10], second.name[:10]) == ("2026-11-24", "2026-11-25")
    assert first.name[10:] == second.name[10:]
    opening = json.loads(second.read_text().splitlines()[0])
    head = verify(first).heads[0]
    assert opening["before"] == {"file": first.name, "lines": 3, "hash": head.hash}
    assert opening["prev"] == head.hash
    assert verify(tmp_path).state == "ok"
    assert verify(tmp_path).unclosed == (second.name,)


def test_days_are_utc_whatever_the_zone_of_the_clock(tmp_path):
    clock = Clock("2026-11-24T23:30:00-05:00")
    Ledger(tmp_path, clock=clock).record(REQUEST, (CREDIT,))
    assert only_line(tmp_path)["time"] == "2026-11-25T04:30:00.000Z"
    assert next(tmp_path.iterdir()).name.startswith("2026-11-25.")


def test_a_clock_that_goes_back_and_forth_over_midnight_breaks_no_chain(tmp_path):
    clock = Clock("2026-11-24T23:59:00Z")
    ledger = Ledger(tmp_path, clock=clock)
    for minutes in (2, -2, 2, -2, 2):
        ledger.record(REQUEST, (CREDIT,))
        clock.turn(minutes=minutes)
    ledger.close()
    assert verify(tmp_path).state == "ok"
    assert sum(entry.enforced for entry in read(tmp_path)) == 5


def test_what_is_written_after_the_end_is_kept_in_another_file(tmp_path):
    ledger = Ledger(tmp_path, clock=Clock())
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    ledger.close()
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert (verify(tmp_path).state, ledger.gaps) == ("ok", 0)


def start_over(folder: Path, clock: Clock, keep_days: int = 30) -> None:
    ledger = Ledger(folder, keep_days=keep_days, clock=clock)
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()


@pytest.mark.parametrize(
    ("keep_days", "kept"),
    [(30, 5), (3, 4), (1, 2), (0, 1), (-5, 1), (10**9, 5)],
)
def test_a_day_goes_when_it_is_more_than_keep_days_ago_and_today_never(tmp_path, keep_days, kept):
    clock = Clock()
    for _ in range(4):
        start_over(tmp_path, clock)
        clock.turn(days=1)
    start_over(tmp_path, clock, keep_days)
    days = sorted(file.name[:10] for file in tmp_path.iterdir())
    assert days == [f"2026-11-{day}" for day in range(29 - kept, 29)]
    assert verify(tmp_path).state == "ok"


def test_retention_works_while_running_and_its_chain_still_verifies(tmp_path):
    clock = Clock()
    ledger = Ledger(tmp_path, keep_days=2, clock=clock)
    for _ in range(20):
        ledger.record(REQUEST, (CREDIT,))
        assert verify(tmp_path).state == "ok"
        clock.turn(days=1)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("by_another", [False, True])
def test_a_file_that_was_removed_in_a_long_pause_is_said_to_be(tmp_path, by_another):
    clock = Clock()
    ledger = Ledger(tmp_path, clock=clock)
    ledger.record(REQUEST, (CREDIT,))
    if by_another:
        next(tmp_path.iterdir()).unlink()
    clock.turn(days=40)
    ledger.record(REQUEST, (CREDIT,))
    opening = lines_in(tmp_path)[0]
    assert opening["expired"] == [opening["before"]]
    assert verify(tmp_path).state == "ok"


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "2020-01-01.jsonl",
        "2020-01-01.0badcafe.jsonl.bak",
        "2020-01-01.0BADCAFE.jsonl",
        "2020-01-01.0badcafe0.jsonl",
        "2020-13-01.0badcafe.jsonl",
        "x2020-01-01.0badcafe.jsonl",
        "2020-01-01.0badcafe.jsonl\n",
    ],
)
def test_retention_touches_nothing_that_is_not_named_exactly_like_a_file_of_ours(tmp_path, name):
    other, ours = tmp_path / name, tmp_path / "2020-01-01.0badcafe.jsonl"
    other.write_text("not ours")
    ours.write_text("named like ours")
    start_over(tmp_path, Clock())
    assert other.read_text() == "not ours"
    assert not ours.exists()


@pytest.mark.parametrize("make", ["folder", "link"])
def test_retention_touches_no_folder_and_no_link(tmp_path, make):
    target = tmp_path / "target"
    target.write_text("elsewhere")
    named = tmp_path / "2020-01-01.0badcafe.jsonl"
    if make == "folder":
        named.mkdir()
    else:
        named.symlink_to(target)
    start_over(tmp_path, Clock())
    assert named.exists()
    assert target.read_text() == "elsewhere"


class Disk:
    """Stands in for `os.write`: takes so many bytes, then fails as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.error = 10**9, errno.ENOSPC
        self._write = os.write
        monkeypatch.setattr("optout_proxy.ledger.chain.os.write", self)

    def __call__(self, fd: int, content: bytes) -> int:
        if content and not self.room:
            raise OSError(self.error, os.strerror(self.error))
        sent = self._write(fd, content[: self.room])
        self.room -= sent
        return sent


@pytest.fixture
def disk(monkeypatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize("room", [0, 1, 200, 461, 463, 1000])
def test_a_disk_that_fills_up_costs_lines_but_neither_the_chain_nor_the_count(tmp_path, disk, room):
    said: list[str] = []
    ledger = Ledger(tmp_path, clock=Clock(), say=said.append)
    ledger.record(REQUEST, (CREDIT,))
    disk.room = room
    for _ in range(10):
        ledger.record(REQUEST, (CREDIT,))
    assert verify(tmp_path).tampered == ()
    assert len(said) == 1
    assert "CANNOT BE WRITTEN" in said[0]
    disk.room = 10**9
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    seen = verify(tmp_path)
    assert (seen.state, seen.unclosed, seen.lost) == ("ok", (), ledger.gaps)
    assert sum(entry.enforced for entry in read(tmp_path)) == 12 - ledger.gaps
    assert len(said) == 2
    assert f": {ledger.gaps}" in said[1]


def test_a_gap_is_told_with_its_number_its_beginning_and_its_cause_but_no_path(tmp_path, disk):
    clock = Clock()
    ledger = Ledger(tmp_path, clock=clock, say=lambda _: None)
    ledger.record(REQUEST, (CREDIT,))
    disk.room = 0
    for _ in range(3):
        clock.turn(seconds=1)
        ledger.record(REQUEST, (CREDIT,))
    disk.room = 10**9
    ledger.close()
    (gap,) = (line for line in lines_in(tmp_path) if line["event"] == "gap")
    assert (gap["lost"], gap["since"]) == (3, "2026-11-24T10:00:01.000Z")
    assert gap["why"] == os.strerror(errno.ENOSPC)


def test_a_disk_that_is_full_at_the_start_leaves_no_stump_behind(tmp_path, disk):
    disk.room = 50
    ledger = Ledger(tmp_path, clock=Clock(), say=lambda _: None)
    ledger.record(REQUEST, (CREDIT,))
    assert (ledger.gaps, list(tmp_path.iterdir())) == (1, [])
    disk.room = 10**9
    ledger.record(REQUEST, (CREDIT,))
    assert [line["event"] for line in lines_in(tmp_path)] == ["opened", "gap", "request"]


def test_a_line_cut_short_at_midnight_stays_incomplete_and_is_counted(tmp_path, disk):
    clock = Clock()
    ledger = Ledger(tmp_path, clock=clock, say=lambda _: None)
    ledger.record(REQUEST, (CREDIT,))
    disk.room = 10
    ledger.record(REQUEST, (CREDIT,))
    assert ledger.gaps == 0
    clock.turn(days=1)
    ledger.record(REQUEST, (CREDIT,))
    disk.room = 10**9
    ledger.record(REQUEST, (CREDIT,))
    seen = verify(tmp_path)
    assert (seen.state, seen.lost, ledger.gaps) == ("incomplete", 2, 2)


def test_days_that_are_over_go_even_if_the_disk_is_full_and_are_told_later(tmp_path, disk):
    clock = Clock()
    start_over(tmp_path, clock)
    clock.turn(days=31)
    disk.room = 0
    ledger = Ledger(tmp_path, clock=clock, say=lambda _: None)
    ledger.record(REQUEST, (CREDIT,))
    assert list(tmp_path.iterdir()) == []
    disk.room = 10**9
    ledger.record(REQUEST, (CREDIT,))
    (expired,) = lines_in(tmp_path)[0]["expired"]
    assert (expired["file"][:10], expired["lines"]) == ("2026-11-24", 3)


@pytest.mark.parametrize("room", [0, 30])
@pytest.mark.parametrize("error", [errno.EIO, errno.EFBIG, errno.ESTALE])
def test_a_file_that_takes_no_more_is_left_for_another_and_no_line_is_lost(
    tmp_path, disk, error, room
):
    said: list[str] = []
    ledger = Ledger(tmp_path, clock=Clock(), say=said.append)
    ledger.record(REQUEST, (CREDIT,))
    disk.room, disk.error = room, error
    write = disk.__call__

    def fails_once(fd: int, content: bytes) -> int:
        try:
            return write(fd, content)
        except OSError:
            disk.room = 10**9
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("optout_proxy.ledger.chain.os.write", fails_once)
        ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    assert sum(entry.enforced for entry in read(tmp_path)) == 2
    assert (ledger.gaps, verify(tmp_path).tampered) == (0, ())
    assert "going on in another file" in said[0]


def test_a_folder_removed_while_running_is_made_anew_and_its_loss_is_evident(tmp_path):
    said: list[str] = []
    folder = tmp_path / "ledger"
    ledger = Ledger(folder, clock=Clock(), say=said.append)
    ledger.record(REQUEST, (CREDIT,))
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    assert (ledger.gaps, len(said)) == (0, 1)
    assert "removed" in said[0]
    assert "is missing" in verify(folder).tampered[0].what


@pytest.mark.parametrize("change", [b"", b"x", b'{"time":"'])
def test_a_file_somebody_else_cut_or_wrote_to_is_left_alone(tmp_path, change):
    ledger = Ledger(tmp_path, clock=Clock(), say=lambda _: None)
    ledger.record(REQUEST, (CREDIT,))
    (file,) = tmp_path.iterdir()
    changed = file.read_bytes() + change if change else b""
    file.write_bytes(changed)
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    assert file.read_bytes() == changed
    assert len(list(tmp_path.iterdir())) == 2
    assert verify(tmp_path).state == ("incomplete" if change.startswith(b"{") else "tampered")


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_record(tmp_path):
    said: list[str] = []
    (tmp_path / "file").write_text("in the way")
    ledger = Ledger(tmp_path / "file" / "ledger", say=said.append)
    for _ in range(3):
        ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    assert (ledger.gaps, len(said)) == (3, 2)
    assert said[-1].endswith("lost: 3")
    (tmp_path / "file").unlink()
    ledger.record(REQUEST, (CREDIT,))
    assert [line["event"] for line in lines_in(tmp_path / "file" / "ledger")] == [
        "opened",
        "gap",
        "request",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_costs_nothing_but_the_record(tmp_path):
    tmp_path.chmod(0o500)
    ledger = Ledger(tmp_path, say=lambda _: None)
    ledger.record(REQUEST, (CREDIT,))
    tmp_path.chmod(0o700)
    ledger.record(REQUEST, (CREDIT,))
    assert verify(tmp_path).lost == ledger.gaps == 1


def test_nothing_that_goes_wrong_inside_comes_out(tmp_path):
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    ledger = Ledger(tmp_path, clock=broken, say=broken)  # type: ignore[arg-type]
    ledger.record(REQUEST, (CREDIT,))
    ledger.note("started")
    ledger.close()
    assert ledger.gaps == 2
    ledger = Ledger(tmp_path, say=broken)
    ledger.record(REQUEST, (msgspec.structs.replace(CREDIT, tool=object()),))
    ledger.record(REQUEST, (CREDIT,))
    assert (ledger.gaps, verify(tmp_path).lost) == (1, 1)


def test_what_hears_of_trouble_may_write_to_the_ledger(tmp_path):
    ledger = Ledger(tmp_path, detail="full", say=lambda text: ledger.note("fault", what=text))
    ledger.record(REQUEST, (CREDIT,))
    assert [line["event"] for line in lines_in(tmp_path)] == ["opened", "request", "fault"]


def test_trouble_is_said_on_standard_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    Ledger(tmp_path / "file").record(REQUEST, (CREDIT,))
    assert capsys.readouterr().err.startswith("optout: ledger: CANNOT BE WRITTEN")


def test_a_relative_folder_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    clock = Clock()
    ledger = Ledger(Path("ledger"), clock=clock)
    ledger.record(REQUEST, (CREDIT,))
    monkeypatch.chdir("elsewhere")
    clock.turn(days=1)
    ledger.record(REQUEST, (CREDIT,))
    assert len(list((tmp_path / "ledger").iterdir())) == 2


STEPS = st.one_of(
    st.tuples(st.just("record"), st.integers(1, 4)),
    st.tuples(st.just("room"), st.sampled_from([0, 1, 90, 300, 470, 10**9])),
    st.tuples(st.just("error"), st.sampled_from([errno.ENOSPC, errno.EIO, errno.EFBIG])),
    st.tuples(st.just("turn"), st.sampled_from([-26, -1, 1, 26, 100])),
    st.tuples(st.just("restart"), st.just(0)),
)


@settings(max_examples=80, deadline=None)
@given(steps=st.lists(STEPS, max_size=25), keep_days=st.sampled_from([1, 10**6]))
def test_whatever_disk_and_clock_do_every_line_is_there_or_counted(
    tmp_path_factory, steps, keep_days
):
    folder, clock = tmp_path_factory.mktemp("ledger"), Clock()
    gaps = recorded = 0
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        new = partial(Ledger, folder, keep_days=keep_days, clock=clock, say=lambda _: None)
        ledger = new()
        for step, number in steps:
            if step == "record":
                recorded += number
                ledger.record(REQUEST, (CREDIT,) * number)
            elif step == "turn":
                clock.turn(hours=number)
            elif step == "restart":
                ledger.close()
                gaps += ledger.gaps
                ledger = new()
            else:
                setattr(disk, step, number)
            assert verify(folder).tampered == ()
        ledger.close()
    gaps += ledger.gaps
    kept = sum(entry.enforced for entry in read(folder))
    assert verify(folder).lost <= gaps
    assert kept + gaps == recorded or keep_days == 1
