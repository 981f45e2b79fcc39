"""HTTP/1.1 over a stream, one message at a time; h11 knows the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    from asyncio import StreamReader

    from optout_proxy.model import Headers


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response, whole."""

    head: h11.Request | h11.Response
    body: bytes

    @property
    def headers(self) -> Headers:
        return tuple(self.head.headers.raw_items())


async def receive(connection: h11.Connection, reader: StreamReader) -> Message | None:
    """The next message whole; None where the other side ended first."""
    head, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, (h11.Request, h11.Response)):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Message(head, body)
        elif not isinstance(event, h11.InformationalResponse):
            return None


def written(
    connection: h11.Connection, head: h11.Request | h11.Response, body: bytes = b""
) -> bytes:
    """A message as it goes on the wire."""
    events = [head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
    return b"".join(connection.send(event) or b"" for event in events)
