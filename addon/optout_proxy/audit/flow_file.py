"""Read mitmproxy's own flow files. The one place outside the proxy that knows mitmproxy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from optout_proxy.audit.entry import Entry, Pair, Traits, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.http import HTTPFlow

    from optout_proxy.audit.slices import Source

_OURS = b"optout-proxy"


def read_flows(stream: Source, traits: Traits) -> Iterator[Entry | Unreadable]:
    """Every flow of a file; what breaks off in the middle of one is one that cannot be read."""
    # Imported late: mitmproxy takes half a second, and most captures are HAR files.
    from mitmproxy.exceptions import FlowReadException  # noqa: PLC0415
    from mitmproxy.http import HTTPFlow  # noqa: PLC0415
    from mitmproxy.io import FlowReader  # noqa: PLC0415

    traits.made_by = "mitmproxy"
    index = 0
    try:
        for flow in FlowReader(cast("BinaryIO", stream)).stream():
            if isinstance(flow, HTTPFlow):
                yield _entry(flow, index)
            else:
                yield Entry(index, "", fate="stopped")
            index += 1
    except FlowReadException as error:
        yield Unreadable(index, f"cut short or damaged: {error}"[:200])
        traits.problem = "it breaks off"
    except Exception as error:  # noqa: BLE001 - a file from outside costs itself and nothing else
        yield Unreadable(index, f"damaged: {type(error).__name__}: {error}"[:200])
        traits.problem = "it is no flow file from here on"


def _entry(flow: HTTPFlow, index: int) -> Entry | Unreadable:
    request, response = flow.request, flow.response
    lines = response.headers.fields if response else ()
    answered = any(name.lower() == _OURS for name, _ in lines)
    return Entry(
        index=index,
        # Bytes that are no text count as latin-1, as everywhere in a `Request`.
        url=request.pretty_url.encode("utf-8", "surrogateescape").decode("latin-1"),
        method=request.method.upper(),
        pairs=[Pair(_text(name), _text(value)) for name, value in request.headers.fields],
        body=request.raw_content or None,
        has_body=request.raw_content is not None,
        started=_time(request.timestamp_start),
        status=response.status_code if response else 0,
        fate="answered-here" if answered else "sent",
        set_cookies=tuple(value for name, value in lines if name.lower() == b"set-cookie"),
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
