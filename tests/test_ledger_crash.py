"""Real processes that write a ledger, and what is left when they are killed or starved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_parts import CREDIT, REQUEST
from optout_proxy.ledger import Ledger, read, verify

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

WRITER = """
import os, sys
from pathlib import Path
from ledger_parts import REQUEST, RULE
from optout_proxy.ledger import Ledger
from optout_proxy.model import Credit
folder, lines, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
ledger = Ledger(folder)
for number in range(lines):
    ledger.record(REQUEST, (Credit(f"tool-{number}", "block", "block", RULE),))
    os.write(1, b"%d\\n" % number)
print("gaps", ledger.gaps, flush=True)
"""


def writer(folder: Path, lines: int, limit: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(lines), str(limit)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def tools(folder: Path) -> list[str]:
    return [entry.line.tool for entry in read(folder) if entry.enforced]


@pytest.mark.parametrize("acknowledged", [1, 7, 100, 1000, 5000])
def test_every_line_written_before_kill_9_is_there_and_verifies(tmp_path, acknowledged):
    with writer(tmp_path, 10**7) as child:
        assert child.stdout
        for _ in range(acknowledged):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        told = acknowledged + child.stdout.read().count(b"\n")
    assert child.returncode == -signal.SIGKILL
    assert tools(tmp_path)[:told] == [f"tool-{number}" for number in range(told)]
    assert len(tools(tmp_path)) <= told + 1
    assert verify(tmp_path).tampered == ()
    assert verify(tmp_path).unclosed


def test_the_next_run_goes_on_beside_a_killed_one_and_misses_it_when_it_is_gone(tmp_path):
    with writer(tmp_path, 10**7) as child:
        assert child.stdout
        child.stdout.readline()
        child.kill()
    (killed,) = tmp_path.iterdir()
    ledger = Ledger(tmp_path)
    ledger.record(REQUEST, (CREDIT,))
    ledger.close()
    assert verify(tmp_path).tampered == ()
    killed.unlink()
    assert "is missing" in verify(tmp_path).tampered[0].what


def test_two_proxies_write_to_one_folder_at_once(tmp_path):
    children = [writer(tmp_path, 2000) for _ in range(2)]
    for child in children:
        out, errors = child.communicate(timeout=60)
        assert out.endswith(b"gaps 0\n")
        assert errors == b""
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(tools(tmp_path)) == sorted(f"tool-{n}" for n in range(2000) for _ in "12")
    assert verify(tmp_path).state == "ok"
    times = [entry.line.time for entry in read(tmp_path)]
    assert times == sorted(times)


def test_a_limit_on_the_size_of_files_costs_no_line(tmp_path):
    out, errors = writer(tmp_path, 100, limit=10_000).communicate(timeout=60)
    assert out.endswith(b"gaps 0\n")
    assert b"going on in another file" in errors
    assert tools(tmp_path) == [f"tool-{number}" for number in range(100)]
    assert verify(tmp_path).tampered == ()


def test_a_process_that_may_write_no_file_goes_on_without(tmp_path):
    out, errors = writer(tmp_path, 100, limit=10).communicate(timeout=60)
    assert out.endswith(b"gaps 100\n")
    assert errors.count(b"CANNOT BE WRITTEN") == errors.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []
