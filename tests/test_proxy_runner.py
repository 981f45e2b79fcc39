"""`run_proxy` as a process: ready, following its files, and ended by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from corpora import CORPORA, needs_corpora
from loopback import Tap, read_response, world
from scripted import Notebook, Scripted

HERE = Path(__file__).parent

RUN = f"""
import json, logging, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from types import SimpleNamespace
sys.path[:0] = [{str(HERE.parent / "addon")!r}, {str(HERE)!r}]
from optout_proxy.errors import OptoutError
from optout_proxy.proxy.runner import run_proxy
from scripted import Notebook, Scripted

def read():
    stops = json.loads(config.read_text())
    return SimpleNamespace(engine=Scripted(stops=frozenset(stops)), files=(config,))

class Said(Notebook):
    def note(self, event, /, **fields):
        print("NOTE", event, json.dumps(fields), flush=True)
    def close(self):
        print("CLOSED", flush=True)

folder, config, listen = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
try:
    run_proxy(
        read(), Said(), folder=folder, listen=listen, load=read,
        on_ready=lambda at: print("READY", at, flush=True),
    )
except OptoutError as error:
    sys.exit(str(error))
"""


@contextlib.asynccontextmanager
async def running(tmp_path, listen="127.0.0.1:0"):
    config = tmp_path / "config"
    config.write_text('["tracker.example"]')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, tmp_path / "authority", config, listen,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    try:
        yield process, config
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def heard(process, word):
    async with asyncio.timeout(15):
        while line := (await process.stdout.readline()).decode():
            if word in line:
                return line
    raise AssertionError((await process.stderr.read()).decode())


async def ask(address, host):
    name, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    got = await read_response(reader)
    writer.close()
    await writer.wait_closed()
    return got


@pytest.mark.wire
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_ends_cleanly_on_a_signal(ending, tmp_path):
    async def main():
        async with running(tmp_path) as (process, _config):
            address = (await heard(process, "READY")).split()[1]
            assert address.startswith("127.0.0.1:")
            assert (await ask(address, "tracker.example")).body == b"answered here"
            process.send_signal(ending)
            async with asyncio.timeout(10):
                out, errors = await process.communicate()
            assert (process.returncode, errors) == (0, b"")
            assert out.splitlines()[-2:] == [b"NOTE stopped {}", b"CLOSED"]

    asyncio.run(main())


@pytest.mark.wire
def test_it_follows_its_settings_and_keeps_the_last_good_ones(tmp_path):
    async def main():
        async with running(tmp_path) as (process, config):
            address = (await heard(process, "READY")).split()[1]
            config.write_text("oops")
            assert "settings-refused" in await heard(process, "settings")
            assert (await ask(address, "tracker.example")).body == b"answered here"
            config.write_text(json.dumps(["site.example"]))
            assert "settings-reloaded" in await heard(process, "settings")
            assert (await ask(address, "site.example")).body == b"answered here"

    asyncio.run(main())


@pytest.mark.wire
def test_an_address_in_use_is_one_line_and_no_traceback(tmp_path):
    async def main():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            async with running(tmp_path, f"127.0.0.1:{port}") as (process, _config):
                async with asyncio.timeout(15):
                    _, errors = await process.communicate()
            assert process.returncode == 1
            assert errors.decode().strip().splitlines()[-1].startswith("cannot listen on")
            assert b"Traceback" not in errors

    asyncio.run(main())


def _messages(kind):
    """The messages of llhttp's own tests: fenced blocks, line ends as in HTTP, escapes resolved."""
    for path in sorted((CORPORA / "llhttp" / kind).glob("*.md")):
        for block in re.findall(r"```http\n(.*?)```", path.read_text(), re.DOTALL):
            text = block.replace("\\\n", "").replace("\n", "\r\n")
            for escape, char in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
                text = text.replace(escape, char)
            yield text.encode()


async def _bytes_of(reader):
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(0.15):
            return await reader.read()


@needs_corpora
@pytest.mark.corpora
@pytest.mark.wire
@pytest.mark.parametrize("kind", ["request", "response"])
def test_no_message_of_other_peoples_parsers_makes_a_hook_fail(kind, tmp_path, caplog):
    messages = list(_messages(kind))
    assert len(messages) > 50
    engine = Scripted(strips=frozenset({"site.example"}))

    async def request(net, message):
        async with net.tunnel("site.example", 80) as (reader, writer):
            writer.write(message)
            await _bytes_of(reader)

    async def response(net, message):
        async with net.dial() as (reader, writer):
            number = messages.index(message)
            writer.write(f"GET http://site.example/{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            await _bytes_of(reader)

    async def respond(asked, _reader, writer):
        number = asked.line.split()[1].strip(b"/")
        writer.write(messages[int(number)] if number.isdigit() else b"HTTP/1.1 204 OK\r\n\r\n")
        await writer.drain()
        writer.close()

    async def main():
        ledger, work = Notebook(), request if kind == "request" else response
        async with world(engine, ledger, tmp_path, {"site.example": Tap(respond)}) as net:
            for start in range(0, len(messages), 25):
                await asyncio.gather(*(work(net, one) for one in messages[start : start + 25]))
            assert (await net.get("http://site.example/")).status == 204
        assert ledger.noted("fault") == []

    asyncio.run(main())
    assert "failed in" not in caplog.text
