"""A network of stand-ins: every name leads to a port of this machine, and nowhere else.

The demo's event loop resolves names itself. Proxy and browser run on it as they would anywhere,
and neither can reach, or even look up, anything beyond this machine.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any


class Loopback(asyncio.SelectorEventLoop):
    """An event loop to which a name is the loopback port that `ports` gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: dict[str, int] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,  # noqa: ARG002 - every port of a name is its stand-in's one
        *,
        family: int = 0,  # noqa: ARG002 - there is one family, one type and one protocol
        type: int = 0,  # noqa: A002, ARG002 - asyncio's signature
        proto: int = 0,  # noqa: ARG002 - as above
        flags: int = 0,  # noqa: ARG002 - as above
    ) -> list[Any]:
        """Where a name leads; `socket.gaierror` for a name without a stand-in."""
        port_here = self.ports.get(str(host))
        if port_here is None:
            raise socket.gaierror(socket.EAI_NONAME, f"{host!r} has no stand-in")
        where = ("127.0.0.1", port_here)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]
