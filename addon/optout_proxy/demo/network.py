"""A network of stand-ins: every name leads to a port of this machine, and nowhere else.

The demo's event loop resolves names itself. Proxy and browser run on it as they would anywhere,
and neither can reach, or even look up, anything beyond this machine.
"""

from __future__ import annotations

import asyncio
import socket

type _Address = tuple[str, int]
type _Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, _Address]


class Loopback(asyncio.SelectorEventLoop):
    """An event loop to which a name is the loopback port that `ports` gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: dict[str, int] = {}

    async def getaddrinfo(  # type: ignore[override] - of what typeshed allows, the IPv4 part
        self,
        host: str,
        port: int,  # noqa: ARG002 - every port of a name is its one stand-in's
        *,
        family: int = 0,  # noqa: ARG002 - as below
        type: int = 0,  # noqa: A002, ARG002 - asyncio's signature
        proto: int = 0,  # noqa: ARG002 - as above
        flags: int = 0,  # noqa: ARG002 - as above
    ) -> list[_Found]:
        """Where a name leads; `socket.gaierror` for a name without a stand-in."""
        if host not in self.ports:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no stand-in")
        where = ("127.0.0.1", self.ports[host])
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]
