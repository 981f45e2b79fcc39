"""Inside stock mitmproxy (`-s`): the script is a guest, and what enforces stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from loopback import NOTHING, Tap, World, certificates
from optout_proxy.proxy import authority
from scripted import Notebook, Scripted

pytestmark = pytest.mark.wire

HERE = Path(__file__).parent
ADDON = HERE.parent / "addon"
MITMPROXY = Path(sys.executable).parent
TRACKER, SITE = "tracker.example", "site.example"

SCRIPT = f"""
import json, sys
from pathlib import Path
from types import SimpleNamespace
sys.path[:0] = [{str(ADDON)!r}, {str(HERE)!r}]
from scripted import Notebook, Scripted
from optout_proxy.errors import InputError
from optout_proxy.proxy.script import Script

def read(path):
    try:
        stops = json.loads(path.read_text())
    except ValueError:
        raise InputError(path, "this is no JSON", line=1, right="write a list") from None
    return SimpleNamespace(engine=Scripted(stops=frozenset(stops)), files=(path,))

class Said(Notebook):
    def note(self, event, /, **fields):
        print("NOTE", event, json.dumps(fields), file=sys.stderr, flush=True)

addons = [Script(read, lambda registry: Said())]
"""

NAMES = """
import asyncio, socket
ports = {ports}
loop = asyncio.get_running_loop()
real = loop.getaddrinfo
async def resolve(host, port, **more):
    if host in ports:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", ports[host]))]
    if host in ("127.0.0.1", "localhost", "", None):
        return await real(host, port, **more)
    raise socket.gaierror(host)
loop.getaddrinfo = resolve
"""


@dataclass
class Stock:
    """A stock mitmproxy with the script in it, as a process of its own."""

    process: asyncio.subprocess.Process
    world: World
    script: Path
    config: Path

    async def ended(self) -> tuple[int, str]:
        async with asyncio.timeout(15):
            _, said = await self.process.communicate()
        return self.process.returncode or 0, said.decode()

    async def heard(self, word: str) -> str:
        """The next line on stderr that holds `word`."""
        async with asyncio.timeout(15):
            while line := (await self.process.stderr.readline()).decode():
                if word in line:
                    return line
        raise AssertionError(f"mitmproxy ended without saying {word}")


@contextlib.asynccontextmanager
async def stock(
    folder, taps, *options, program="mitmdump", beside="", script=SCRIPT, stops=None,
    enforce=None, config=None,
):  # fmt: skip
    """mitmproxy with the script of the tables in it, or with the files at `enforce`, `config`."""
    paths = {name: folder / name for name in ("names.py", "beside.py", "enforce.py", "config")}
    async with contextlib.AsyncExitStack() as stack:
        for tap in taps.values():
            await stack.enter_async_context(tap.listening())
        ports = {host: tap.port for host, tap in taps.items()}
        paths["names.py"].write_text(NAMES.format(ports=ports))
        paths["beside.py"].write_text(beside)
        paths["enforce.py"].write_text(script)
        if stops is not None:
            paths["config"].write_text(json.dumps(stops))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = [
            f"confdir={folder / 'authority'}",
            f"ssl_verify_upstream_trusted_ca={certificates().authority}",
            f"optout_config={config or paths['config']}",
        ]
        place = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "PYTHONWARNINGS": "ignore"}
        scripts = (paths["names.py"], paths["beside.py"], enforce or paths["enforce.py"])
        process = await asyncio.create_subprocess_exec(
            MITMPROXY / program, "--listen-host", "127.0.0.1", "-p", str(port),
            *(word for script in scripts for word in ("-s", script)),
            *(word for setting in settings for word in ("--set", setting)),
            *options,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=os.environ | place,
        )  # fmt: skip
        proxy = SimpleNamespace(
            address=f"127.0.0.1:{port}", master=SimpleNamespace(options=SimpleNamespace(mode=[]))
        )
        net = World(proxy, taps, Scripted(), Notebook(), folder / "authority")
        try:
            yield Stock(process, net, paths["enforce.py"], paths["config"])
        finally:
            if process.returncode is None:
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await process.communicate()
            if process.returncode is None:
                process.kill()
                await process.wait()


async def ready(running):
    for _ in range(400):
        if running.process.returncode is not None:
            break
        with contextlib.suppress(OSError):
            async with running.world.dial():
                if authority.certificate(running.world.folder).exists():
                    return
        await asyncio.sleep(0.05)
    raise AssertionError((await running.ended())[1])


async def enforces(running):
    """The tracker is answered here, over TLS and in the clear, and the site is reached."""
    for scheme in ("https", "http"):
        assert (await running.world.get(f"{scheme}://{TRACKER}/")).body == b"answered here"
        assert (await running.world.get(f"{scheme}://{SITE}/")).body == b"hello"


@contextlib.asynccontextmanager
async def hammering(running):
    """Ask the tracker again and again, as a browser would that knows nothing of all this."""

    async def hammer():
        while True:
            for scheme in ("https", "http"):
                await running.world.get(f"{scheme}://{TRACKER}/")
            await asyncio.sleep(0.01)

    task = asyncio.create_task(hammer())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("program", ["mitmdump", "mitmweb"])
def test_the_script_enforces_in_stock_mitmproxy(program, tmp_path):
    web = ["--no-web-open-browser", "--set", "web_port=0"] if program == "mitmweb" else []

    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, *web, program=program, stops=[TRACKER]) as running:
            await ready(running)
            await enforces(running)
            assert taps[TRACKER].connections == 0
            running.process.terminate()
            assert (await running.ended())[0] == 0

    asyncio.run(main())


def test_requests_that_come_while_it_starts_are_enforced_or_not_served(tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, stops=[TRACKER]) as running:
            async with hammering(running):
                await ready(running)
                await asyncio.sleep(0.3)
            await enforces(running)
            assert taps[TRACKER].connections == 0

    asyncio.run(main())


def test_touching_the_script_while_traffic_runs_leaves_no_gap(tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, stops=[TRACKER]) as running:
            await ready(running)
            async with hammering(running):
                for _ in range(2):
                    await asyncio.sleep(1.1)
                    running.script.touch()
                await asyncio.sleep(1.3)
            assert running.process.returncode is None
            await enforces(running)
            assert taps[TRACKER].connections == 0

    asyncio.run(main())


def _delete(script):
    script.unlink()


def _break(script):
    script.write_text("def (")


def _empty(script):
    script.write_text("")


def _fail(script):
    script.write_text("raise RuntimeError('half an upgrade')")


@pytest.mark.parametrize("drop", [_delete, _break, _empty, _fail])
def test_a_script_that_is_dropped_ends_mitmproxy_and_nothing_gets_through(drop, tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, stops=[TRACKER]) as running:
            await ready(running)
            async with hammering(running):
                await asyncio.sleep(0.2)
                drop(running.script)
                code, said = await running.ended()
            assert code == 1
            assert "optout: the script was taken out" in said
            assert taps[TRACKER].connections == 0
            assert await running.world.get(f"http://{SITE}/") == NOTHING

    asyncio.run(main())


def test_a_bad_configuration_ends_mitmproxy_with_the_line_that_says_why(tmp_path):
    async def main():
        async with stock(tmp_path, {SITE: Tap()}) as running:
            running.config.write_text("not JSON")
            async with hammering(running):
                code, said = await running.ended()
            assert code == 2
            assert said == f"optout: {running.config}:1: this is no JSON; write a list\n"
            assert running.world.taps[SITE].connections == 0

    asyncio.run(main())


def test_options_that_mitmproxy_cannot_read_end_it_rather_than_the_script_alone(tmp_path):
    async def main():
        async with stock(tmp_path, {}, "--set", "optout_config=twice", stops=[]) as running:
            code, said = await running.ended()
            assert code == 2
            assert "optout: cannot enforce" in said

    asyncio.run(main())


def test_the_option_with_the_key_that_everyone_has_is_refused(tmp_path):
    async def main():
        async with stock(tmp_path, {}, "--set", "emudhra=true", stops=[]) as running:
            code, said = await running.ended()
            assert code == 2
            assert "emudhra" in said

    asyncio.run(main())


MEDDLER = """
from mitmproxy import ctx, exceptions
import sys
def running():
    for name, value in (("rawtcp", True), ("connection_strategy", "eager"), ("emudhra", True)):
        try:
            ctx.options.update(**{name: value})
        except exceptions.OptionsError as error:
            print("REFUSED", name, error, getattr(ctx.options, name), file=sys.stderr, flush=True)
def requestheaders(flow):
    raise RuntimeError("on purpose")
async def request(flow):
    raise RuntimeError("on purpose")
"""


def test_another_script_can_neither_undo_the_options_nor_keep_us_from_being_asked(tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, beside=MEDDLER, stops=[TRACKER]) as running:
            for name, kept in (
                ("rawtcp", "False"),
                ("connection_strategy", "lazy"),
                ("emudhra", "False"),
            ):
                said = await running.heard("REFUSED")
                assert said.split()[1] == name
                assert said.split()[-1] == kept
            await ready(running)
            await enforces(running)
            assert taps[TRACKER].connections == 0

    asyncio.run(main())


def test_saved_settings_are_followed_and_wrong_ones_refused(tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, stops=[]) as running:
            await ready(running)
            assert (await running.world.get(f"https://{TRACKER}/")).body == b"hello"
            running.config.write_text(json.dumps([TRACKER]))
            await running.heard("settings-reloaded")
            await enforces(running)
            running.config.write_text("oops")
            assert "this is no JSON" in await running.heard("settings-refused")
            await enforces(running)
            running.config.write_text(json.dumps([TRACKER, SITE]))
            await running.heard("settings-reloaded")
            assert (await running.world.get(f"https://{SITE}/")).body == b"answered here"

    asyncio.run(main())


def test_the_script_as_shipped_enforces_the_configuration_as_shipped(tmp_path):
    script, config = ADDON / "enforce.py", ADDON.parent / "config.toml"
    analytics, page = "www.google-analytics.com", "www.mass.gov"

    async def main():
        taps = {analytics: Tap(), page: Tap()}
        async with stock(tmp_path, taps, enforce=script, config=config) as running:
            await ready(running)
            got = await running.world.get(
                f"https://{analytics}/g/collect?v=2&tid=G-ABCDE12345",
                headers="Referer: https://www.mass.gov/\r\nSec-Fetch-Site: cross-site\r\n",
            )
            assert got.header(b"optout-proxy") == b"block google-analytics"
            assert (await running.world.get(f"http://{page}/")).body == b"hello"
            assert taps[analytics].connections == 0

    asyncio.run(main())


def test_control_the_same_mitmproxy_without_the_script_reaches_the_tracker(tmp_path):
    async def main():
        taps = {TRACKER: Tap(), SITE: Tap()}
        async with stock(tmp_path, taps, script="", stops=[TRACKER]) as running:
            await ready(running)
            assert (await running.world.get(f"https://{TRACKER}/")).body == b"hello"
            assert taps[TRACKER].connections == 1

    asyncio.run(main())
