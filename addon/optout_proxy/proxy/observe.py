"""A proxy that changes nothing and writes down everything, in a process of its own.

For audits: a capture made while enforcing can never acquit. The file is also the script that
mitmdump is given; each flow is on disk when it is over.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx
from mitmproxy.io import FlowWriter

from optout_proxy.errors import OptoutError

if TYPE_CHECKING:
    from mitmproxy.addonmanager import Loader
    from mitmproxy.http import HTTPFlow

FLOWS: Final = "flows.mitm"
_ADDRESS: Final = "address"
_LOG: Final = "observe.log"
_PATIENCE: Final = 60.0
"""Seconds that a slow machine may take to start."""


class Observer:
    """mitmproxy's add-on: writes flows, and says where it listens."""

    def load(self, loader: Loader) -> None:
        """Declare the folder to write to."""
        loader.add_option("observe_folder", str, "", "Where flows are written.")

    def running(self) -> None:
        """Open the file, and tell the address once connections are taken."""
        folder = Path(ctx.options.observe_folder)
        self._file = (folder / FLOWS).open("ab")
        self._writer = FlowWriter(self._file)
        server = ctx.master.addons.get("proxyserver")
        host, port = server.listen_addrs()[0][:2]
        waiting = folder / f"{_ADDRESS}.new"
        waiting.write_text(f"{host}:{port}")
        waiting.rename(folder / _ADDRESS)

    def response(self, flow: HTTPFlow) -> None:
        """Write a flow that was answered; a WebSocket's when it ends."""
        if flow.websocket is None:
            self._write(flow)

    def websocket_end(self, flow: HTTPFlow) -> None:
        """Write a WebSocket's flow."""
        self._write(flow)

    def error(self, flow: HTTPFlow) -> None:
        """Write a flow that failed: its request may have left all the same."""
        self._write(flow)

    def _write(self, flow: HTTPFlow) -> None:
        self._writer.add(flow)
        self._file.flush()


class Observing:
    """An observing proxy that runs until it is stopped."""

    def __init__(self, folder: Path, listen: str = "127.0.0.1:0") -> None:
        """Start it and wait until it takes connections; OptoutError where it does not."""
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _ADDRESS).unlink(missing_ok=True)
        with (folder / _LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                _command(folder, listen), stdout=log, stderr=log
            )
        self.address = self._wait()

    @property
    def flows(self) -> Path:
        """The flow file that is being written."""
        return self.folder / FLOWS

    @property
    def ca_file(self) -> Path:
        """The certificate that a client must trust."""
        return self.folder / "mitmproxy-ca-cert.pem"

    def _wait(self) -> str:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            if (self.folder / _ADDRESS).is_file():
                return (self.folder / _ADDRESS).read_text()
            time.sleep(0.02)
        self.stop()
        told = (self.folder / _LOG).read_text("utf-8", "replace").strip()
        last = told.splitlines()[-1] if told else "it said nothing"
        raise OptoutError(f"the observing proxy did not start: {last}")

    def stop(self) -> None:
        """Stop it; what was written stays."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        """Wait until it ends by itself, or by a signal."""
        self._process.wait()


def _command(folder: Path, listen: str) -> list[str]:
    host, _, port = listen.rpartition(":")
    options = (
        f"confdir={folder}",
        f"observe_folder={folder}",
        f"listen_host={host}",
        f"listen_port={port}",
    )
    start = "from mitmproxy.tools.main import mitmdump; mitmdump()"
    words = [sys.executable, "-c", start, "-q", "-s", __file__]
    return words + [word for option in options for word in ("--set", option)]


addons = [Observer()]
