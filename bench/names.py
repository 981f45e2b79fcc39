"""For `mitmdump -s`, and for our own proxy: two names lead to the origin on loopback."""

from __future__ import annotations

import asyncio
import os
import socket

NAME = "www.mass.gov"
FOREIGN = "bank.example"
"""A host that no policy and no tool names: our proxy does not look inside."""


def lead() -> None:
    """Make the running loop resolve the names to the origin's ports."""
    loop = asyncio.get_running_loop()
    pairs = (pair.split(":") for pair in os.environ["BENCH_PORTS"].split(","))
    ports = {int(port): int(there) for port, there in pairs}
    resolve = loop.getaddrinfo

    async def leading(host, port, **more):
        if host not in {NAME, FOREIGN}:
            return await resolve(host, port, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", ports[port]))]

    loop.getaddrinfo = leading


def running() -> None:
    """mitmproxy's hook."""
    lead()
