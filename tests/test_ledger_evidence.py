"""Any change made to a ledger after it was written is found, and named by its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_parts import CREDIT, REQUEST, Clock, written
from optout_proxy.errors import EvidenceError, InputError
from optout_proxy.ledger import Ledger, heads, verify
from optout_proxy.ledger.lines import START, encode, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

many = settings(max_examples=150, deadline=None)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> tuple[Path, bytes]:
    """A file to change at will, and what was written to it."""
    file = written(tmp_path_factory.mktemp("ledger"))
    return file, file.read_bytes()


def after(evidence: tuple[Path, bytes], change: Callable[[bytes], bytes]) -> str:
    """What verification says of the file once it is changed; it is the same for its folder."""
    file, content = evidence
    file.write_bytes(change(content))
    state = verify(file).state
    assert verify(file.parent).state == state
    return state


def test_a_file_nobody_touched_is_ok(evidence):
    assert after(evidence, lambda content: content) == "ok"
    seen = verify(evidence[0])
    assert (seen.lines, seen.unclosed, seen.lost) == (7, (), 0)
    seen.require_untampered()


@many
@given(data=st.data())
def test_any_byte_changed_is_found(evidence, data):
    size = len(evidence[1])
    at = data.draw(st.integers(0, size - 1))
    flip = data.draw(st.integers(1, 255))

    def change(content: bytes) -> bytes:
        return content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :]

    assert after(evidence, change) == ("incomplete" if at == size - 1 else "tampered")


@many
@given(data=st.data())
def test_any_byte_removed_or_added_is_found(evidence, data):
    at = data.draw(st.integers(0, len(evidence[1]) - 2))
    added = data.draw(st.binary(max_size=40))
    removed = data.draw(st.integers(0 if added else 1, 40))

    def change(content: bytes) -> bytes:
        return content[:at] + added + content[at + removed :]

    if change(evidence[1]) != evidence[1]:
        assert after(evidence, change) != "ok"


LINES = 7


def of_lines(change: Callable[[list[bytes]], None]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        assert len(lines) == LINES
        change(lines)
        return b"".join(lines)

    return changed


@pytest.mark.parametrize("at", range(LINES - 1))
def test_any_line_removed_but_the_last_is_found(evidence, at):
    assert after(evidence, of_lines(lambda lines: lines.__delitem__(at))) == "tampered"


@pytest.mark.parametrize("at", range(LINES))
@pytest.mark.parametrize("to", range(LINES + 1))
def test_any_line_repeated_anywhere_is_found(evidence, at, to):
    assert after(evidence, of_lines(lambda lines: lines.insert(to, lines[at]))) == "tampered"


@pytest.mark.parametrize(("at", "to"), [(a, b) for a in range(LINES) for b in range(a)])
def test_any_two_lines_swapped_are_found(evidence, at, to):
    def swap(lines: list[bytes]) -> None:
        lines[at], lines[to] = lines[to], lines[at]

    assert after(evidence, of_lines(swap)) == "tampered"


@many
@given(data=st.data())
def test_a_cut_within_a_line_is_incomplete_and_a_head_kept_elsewhere_tells_any_cut(evidence, data):
    file, content = evidence
    file.write_bytes(content)
    (head,) = heads(file.parent)
    end = data.draw(st.integers(0, len(content) - 1))
    file.write_bytes(content[:end])
    whole = content[:end].endswith(b"\n")
    assert verify(file).state == ("ok" if whole else "incomplete")
    assert verify(file).unclosed == (file.name,)
    assert verify(file, [head.hash]).state == "tampered"


def test_zero_bytes_after_a_power_cut_are_incomplete(evidence):
    assert after(evidence, lambda content: content[:-30] + b"\0" * 4096) == "incomplete"


@pytest.mark.parametrize(
    ("change", "line", "what"),
    [
        (lambda lines: lines.__setitem__(2, lines[2].replace(b"block", b"allow")), 3, "changed"),
        (lambda lines: lines.__setitem__(6, lines[6].replace(b"closed", b"opened")), 7, "changed"),
        (lambda lines: lines.__delitem__(2), 3, "written as line 4: what came before it is miss"),
        (lambda lines: lines.__delitem__(0), 1, "written as line 2: what came before it is miss"),
        (lambda lines: lines.insert(3, lines[1]), 4, "written as line 2: it was repeated"),
        (lambda lines: lines.append(lines[6]), 8, "comes after the closing line"),
        (lambda lines: lines.append(b"\n"), 8, "comes after the closing line"),
        (lambda lines: lines.__setitem__(2, b"x"), 3, "changed after it was written"),
    ],
)
def test_a_finding_names_the_file_the_line_and_what_is_wrong(evidence, change, line, what):
    after(evidence, of_lines(change))
    (found,) = verify(evidence[0]).tampered
    assert (found.file, found.line) == (evidence[0].name, line)
    assert what in found.what
    with pytest.raises(EvidenceError, match=rf"{found.file}:{line}: "):
        verify(evidence[0]).require_untampered()


def test_a_line_put_in_with_sums_of_its_own_is_found(evidence):
    file, content = evidence
    lines = content.splitlines(keepends=True)
    fields = json.loads(lines[2]) | {"action": "allow"}
    prev = [fields.pop(name) for name in ("seq", "prev", "sum")][1]
    lines[2] = seal(encode(fields), 3, prev)[0]
    file.write_bytes(b"".join(lines))
    (found,) = verify(file).tampered
    assert (found.line, found.what) == (
        4,
        "does not follow from what is before it: that was replaced",
    )


def test_a_head_still_holds_when_the_file_has_grown(tmp_path):
    ledger = Ledger(tmp_path, clock=Clock())
    ledger.record(REQUEST, (CREDIT,))
    (head,) = heads(tmp_path)
    ledger.record(REQUEST, (CREDIT,))
    assert verify(tmp_path, [f" {head.hash.upper()}\n"]).state == "ok"
    assert verify(tmp_path, [head.hash, "0" * 64]).state == "tampered"


@pytest.fixture
def week(tmp_path) -> list[Path]:
    """Three days of one proxy, then the three of two that ran one after the other."""
    clock = Clock()
    ledger = Ledger(tmp_path, clock=clock)
    for _ in range(3):
        ledger.record(REQUEST, (CREDIT,))
        clock.turn(days=1)
    ledger.close()
    for _ in range(2):
        written(tmp_path, clock=clock)
        clock.turn(days=1)
    return sorted(tmp_path.iterdir())


def test_days_and_proxies_in_a_row_are_ok(week):
    assert len(week) == 5
    assert verify(week[0].parent).state == "ok"


@pytest.mark.parametrize("gone", range(4))
def test_any_file_removed_but_the_newest_is_missed(week, gone):
    week[gone].unlink()
    seen = verify(week[0].parent)
    assert [(found.file, found.line) for found in seen.tampered] == [(week[gone].name, 0)]
    assert "is missing" in seen.tampered[0].what


def test_a_file_removed_is_missed_against_a_head_kept_elsewhere(week):
    kept = heads(week[0].parent)
    assert len({head.writer for head in kept}) == len(kept) == 3
    week[4].unlink()
    assert verify(week[0].parent, [kept[0].hash, kept[1].hash]).state == "ok"
    assert verify(week[0].parent, [kept[2].hash]).state == "tampered"


@pytest.mark.parametrize("cut", range(4))
def test_whole_lines_cut_off_the_end_of_any_file_but_the_newest_are_missed(week, cut):
    lines = week[cut].read_bytes().splitlines(keepends=True)
    week[cut].write_bytes(b"".join(lines[:-1]))
    (found,) = verify(week[0].parent).tampered
    assert found.file == week[cut].name
    assert "its end was cut off" in found.what


def test_a_file_replaced_by_another_good_one_is_found(week, tmp_path_factory):
    other = written(tmp_path_factory.mktemp("other"), lines=9)
    week[3].write_bytes(other.read_bytes())
    whats = [found.what for found in verify(week[0].parent).tampered]
    assert any("renamed" in what for what in whats)
    assert any("it was replaced" in what for what in whats)


def test_a_file_renamed_to_another_day_is_found(week):
    week[4].rename(week[4].with_name("2026-11-30." + week[4].name[11:]))
    assert "renamed" in verify(week[0].parent).tampered[0].what


def test_a_single_file_is_judged_alone_under_any_name(week, tmp_path):
    copy = tmp_path / "exhibit-a.jsonl"
    copy.write_bytes(week[1].read_bytes())
    assert verify(copy).state == "ok"
    assert verify(copy).heads[0].lines == 3


def forged(folder: Path, keep_days: int, missing: str) -> None:
    """A good chain whose opening claims that retention removed a file."""
    opening = {
        "time": "2026-11-29T00:00:00.000Z",
        "event": "opened",
        "writer": "0badcafe",
        "day": "2026-11-29",
        "version": "0",
        "detail": "private",
        "keep_days": keep_days,
        "expired": [{"file": missing, "lines": 1, "hash": START}],
    }
    (folder / "2026-11-29.0badcafe.jsonl").write_bytes(seal(encode(opening), 1, START)[0])


@pytest.mark.parametrize(("keep_days", "state"), [(4, "ok"), (5, "tampered"), (30, "tampered")])
def test_retention_excuses_no_file_whose_time_was_not_over(week, keep_days, state):
    week[0].unlink()
    forged(week[1].parent, keep_days, week[0].name)
    assert verify(week[1].parent).state == state


def test_a_chain_that_does_not_begin_with_an_opening_line_is_found(tmp_path):
    file = tmp_path / "2026-11-24.0badcafe.jsonl"
    fields = {"time": "2026-11-24T00:00:00.000Z", "event": "request"}
    file.write_bytes(seal(encode(fields), 1, START)[0])
    assert "is no opening line" in verify(file).tampered[0].what


@pytest.mark.parametrize(
    "field",
    [
        {"day": "tomorrow"},
        {"writer": "../../etc"},
        {"keep_days": -(10**18)},
        {"before": {"file": "x", "lines": 0, "hash": "x"}},
        {"before": {"file": "2026-11-24.0badcafe.jsonl", "lines": -1, "hash": ""}},
        {"expired": 7},
        {"seen": [{}]},
    ],
)
def test_a_hostile_opening_is_judged_and_breaks_nothing(tmp_path, field):
    opening = {
        "time": "2026-11-24T00:00:00.000Z",
        "event": "opened",
        "writer": "0badcafe",
        "day": "2026-11-24",
        "version": "0",
        "detail": "private",
        "keep_days": 1,
    }
    file = tmp_path / "2026-11-24.0badcafe.jsonl"
    file.write_bytes(seal(encode(opening | field), 1, START)[0])
    verify(tmp_path)
    verify(file)


@many
@given(content=st.binary(max_size=300))
def test_any_file_at_all_can_be_verified(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("ledger")
    (folder / "2026-11-24.0badcafe.jsonl").write_bytes(content)
    assert verify(folder).state != "ok"


def test_a_file_just_begun_is_incomplete(tmp_path):
    (tmp_path / "2026-11-24.0badcafe.jsonl").touch()
    (found,) = verify(tmp_path).incomplete
    assert "holds no line" in found.what


def test_a_file_that_cannot_be_opened_is_said_not_passed_over(tmp_path, monkeypatch):
    file = written(tmp_path)
    monkeypatch.setattr("optout_proxy.ledger.evidence.files_at", lambda _: [file])
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        verify(tmp_path)


def test_a_folder_without_files_holds_nothing_and_a_path_that_is_not_there_is_said(tmp_path):
    assert msgspec.structs.replace(verify(tmp_path)).heads == ()
    with pytest.raises(InputError, match="nowhere: cannot be read"):
        verify(tmp_path / "nowhere")
