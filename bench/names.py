"""For `mitmdump -s`, and for our own proxy: one name leads to the origin on loopback."""

from __future__ import annotations

import asyncio
import os
import socket

NAME = "www.mass.gov"
PORTS = {
    int(port): int(there)
    for port, there in (pair.split(":") for pair in os.environ["BENCH_PORTS"].split(","))
}


def lead() -> None:
    """Make the running loop resolve the name to the origin's ports."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def leading(host, port, **more):
        if host != NAME:
            return await resolve(host, port, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", PORTS[port]))]

    loop.getaddrinfo = leading


def running() -> None:
    """mitmproxy's hook."""
    lead()
