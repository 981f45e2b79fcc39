"""Reading a ledger back: in order of time, past what cannot be read, in bounded memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_parts import CREDIT, REQUEST, RULE, Clock, written
from optout_proxy.errors import InputError
from optout_proxy.ledger import (
    Ledger,
    heads,
    parse_since,
    read,
    select,
    state_folder,
    totals,
    verify,
)
from optout_proxy.ledger.files import head_of
from optout_proxy.model import Credit

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def tools(path: Path) -> list[str]:
    return [entry.line.tool for entry in read(path) if entry.enforced]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_lines_of_several_writers_come_in_order_of_time(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("ledger")
    clock = Clock("2026-11-24T23:00:00Z")
    ledgers = [Ledger(folder, clock=clock) for _ in range(3)]
    turns = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), max_size=30))
    for number, (which, minutes) in enumerate(turns):
        ledgers[which].record(REQUEST, (Credit(str(number), "block", "block", RULE),))
        clock.turn(minutes=minutes)
    assert tools(folder) == [str(number) for number in range(len(turns))]
    assert verify(folder).state == "ok"


def test_a_clock_that_went_back_loses_no_line_and_holds_up_no_other_file(tmp_path):
    clock = Clock()
    first, second = (Ledger(tmp_path, clock=clock) for _ in range(2))
    for number, (ledger, minutes) in enumerate([(first, -20), (first, 40), (second, 1)]):
        ledger.record(REQUEST, (Credit(str(number), "block", "block", RULE),))
        clock.turn(minutes=minutes)
    assert tools(tmp_path) == ["0", "1", "2"]


def test_more_files_than_may_be_open_at_once_are_read(tmp_path):
    for _ in range(60):
        written(tmp_path, lines=1, clock=Clock())
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clock = Clock()
    for file in sorted(tmp_path.iterdir())[:50]:
        clock.turn(hours=-1)
        file.unlink()
        written(tmp_path, lines=1, clock=clock)
    opened = len(list(Path("/dev/fd").iterdir())) + 25
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened, hard))
    try:
        assert len(tools(tmp_path)) == 60
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b'{"time":"2026-11-24T10:00:00.000Z"}',
        b'{"time":1,"event":"request"}',
        b"[" * 5000,
        b"x" * (5 << 20),
    ],
)
def test_a_line_that_cannot_be_read_is_told_of_and_passed_over(tmp_path, line):
    file = written(tmp_path, lines=1)
    good = file.read_bytes()
    file.write_bytes(line + b"\n" + good + line)
    entries = list(read(file))
    events = [entry.line.event for entry in entries if entry.line.event != "unreadable"]
    assert events == ["opened", "request", "closed"]
    odd = [entry for entry in entries if entry.line.event == "unreadable"]
    assert len(odd) >= (2 if line else 1)
    assert all(entry.fields() == {} for entry in odd)
    assert (odd[0].number, odd[0].line.time) == (1, "2026-11-24")


def test_a_note_keeps_every_field_whatever_its_type(tmp_path):
    Ledger(tmp_path, clock=Clock()).note("not-inspected", host="a.example", tool=3, why="pinned")
    note = list(read(tmp_path))[1]
    assert (note.line.event, note.enforced) == ("not-inspected", False)
    assert note.fields() | {"host": "a.example", "tool": 3, "why": "pinned"} == note.fields()
    assert (note.file[:10], note.number) == ("2026-11-24", 2)


def test_reading_since_a_moment_opens_no_file_of_a_day_before_it(tmp_path):
    old = written(tmp_path, clock=Clock("2026-11-20T10:00:00Z"))
    written(tmp_path, clock=Clock("2026-11-24T10:00:00Z"))
    assert len(list(read(tmp_path))) == 14
    assert old.name not in {entry.file for entry in read(tmp_path, since=NOW)}
    assert len(list(read(tmp_path, since=NOW))) == 7


def test_other_files_in_the_folder_are_not_read(tmp_path):
    written(tmp_path)
    (tmp_path / "mine.jsonl").write_text("{}\n")
    assert {entry.line.event for entry in read(tmp_path)} == {"opened", "request", "closed"}


def test_a_path_that_is_not_there_is_said_at_once(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "nowhere")


def test_heads_are_the_newest_of_each_writer_and_leave_out_a_line_cut_short(tmp_path):
    clock = Clock()
    ledger = Ledger(tmp_path, clock=clock)
    ledger.record(REQUEST, (CREDIT,))
    clock.turn(days=1)
    ledger.record(REQUEST, (CREDIT,))
    other = written(tmp_path, clock=clock)
    with other.open("ab") as file:
        file.write(b'{"time":"')
    newest = max(file.name for file in tmp_path.iterdir() if file.name[11:19] != other.name[11:19])
    found = {head.file: head.lines for head in heads(tmp_path)}
    assert found == {newest: 2, other.name: 7}


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_the_end_of_a_file_is_found_however_long_its_last_line_is(tmp_path, size):
    ledger = Ledger(tmp_path, clock=Clock(), detail="full", say=lambda _: None)
    for part in range(14):
        ledger.note("long", **{f"f{part}-{n}": "x" * (size // 14) for n in range(1)})
    ledger.note("longest", **{f"f{n}": "x" * min(size, 16_000) for n in range(size // 16_000 + 1)})
    (file,) = tmp_path.iterdir()
    head = head_of(file)
    assert head is not None
    assert (head.lines, head.hash) == (16, verify(file).heads[0].hash)


@pytest.fixture
def busy(tmp_path) -> Path:
    clock = Clock("2026-11-23T09:00:00Z")
    ledger = Ledger(tmp_path, clock=clock)
    ledger.note("started")
    for tool, action, event in [
        ("facebook-pixel", "block", "request"),
        ("google-analytics", "strip", "request"),
        ("google-analytics", "strip", "response"),
        ("google-analytics", "block", "request"),
    ]:
        ledger.record(REQUEST, (Credit(tool, "block", action, RULE),), event=event)
        clock.turn(hours=12)
    return tmp_path


def test_totals_count_by_tool_action_site_and_day(busy):
    found = totals(read(busy))
    assert (found.enforced, found.responses, found.lost) == (4, 1, 0)
    assert list(found.tools.items()) == [("google-analytics", 3), ("facebook-pixel", 1)]
    assert found.actions == {"block": 2, "strip": 2}
    assert found.sites == {"mass.gov": 4}
    assert list(found.days.items()) == [("2026-11-23", 2), ("2026-11-24", 2)]
    assert found.tool_actions["google-analytics"] == {"strip": 2, "block": 1}
    assert found.notes == {"opened": 2, "started": 1, "closed": 1}
    assert (found.first[:13], found.last[:13]) == ("2026-11-23T09", "2026-11-24T21")


@pytest.mark.parametrize(
    ("since", "tool", "enforced"),
    [
        (None, "facebook-pixel", 1),
        (None, "no-such-tool", 0),
        (NOW, None, 1),
        (NOW - timedelta(hours=1), None, 2),
        (NOW - timedelta(hours=1), "google-analytics", 2),
        (NOW - timedelta(hours=1), "facebook-pixel", 0),
    ],
)
def test_totals_can_be_of_one_tool_and_since_a_moment(busy, since, tool, enforced):
    assert totals(read(busy), since=since, tool=tool).enforced == enforced
    assert sum(entry.enforced for entry in select(read(busy), since=since, tool=tool)) == enforced


def test_totals_of_nothing_are_empty():
    found = totals([])
    assert (found.enforced, found.first, found.tools) == (0, "", {})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", "2026-11-24T09:58:30+00:00"),
        ("15m", "2026-11-24T09:45:00+00:00"),
        ("2h", "2026-11-24T08:00:00+00:00"),
        (" 3 d ", "2026-11-21T10:00:00+00:00"),
        ("1w", "2026-11-17T10:00:00+00:00"),
        ("999999w", "0001-01-01T00:00:00+00:00"),
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T10:30", "2026-11-20T10:30:00+00:00"),
        ("2026-11-20T10:30:00-05:00", "2026-11-20T15:30:00+00:00"),
    ],
)
def test_since_reads_durations_and_dates(text, moment):
    assert parse_since(text, NOW).isoformat() == moment


@pytest.mark.parametrize("text", ["", "h", "2x", "-2h", "yesterday", "2026-13-01", "²d"])
def test_since_refuses_what_it_cannot_read_and_says_what_it_can(text):
    with pytest.raises(InputError, match="write 15m, 2h, 3d"):
        parse_since(text, NOW)


@pytest.mark.parametrize(
    ("environ", "platform", "ends"),
    [
        ({"XDG_STATE_HOME": "/state"}, "linux", "/state/optout-proxy/ledger"),
        ({"XDG_STATE_HOME": "state"}, "linux", "/home/me/.local/state/optout-proxy/ledger"),
        ({}, "linux", "/home/me/.local/state/optout-proxy/ledger"),
        ({}, "darwin", "/home/me/Library/Application Support/optout-proxy/ledger"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/optout-proxy/ledger"),
        ({}, "win32", "/home/me/AppData/Local/optout-proxy/ledger"),
    ],
)
def test_the_folder_follows_the_custom_of_the_platform(monkeypatch, environ, platform, ends):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert state_folder(environ, platform) == Path(ends)
