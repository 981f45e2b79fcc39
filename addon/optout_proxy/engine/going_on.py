"""Going on to what was stopped: the links on notices, and how they are told from forgeries.

A page that was stopped is opened as it is. A widget is loaded once, in its place: without what
identifies the visitor, and with all that it asks for itself (`Request.lifted`).

The notice is served at the stopped address itself, so the browser says of its link that it comes
from the same origin (`Sec-Fetch-Site: same-origin`), or names that origin in `Referer`. No page of
another site can make a browser say either, and a redirect keeps what the chain began with
(https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header).
"""

from __future__ import annotations

from typing import Final

from optout_proxy.edits import url as urls
from optout_proxy.engine.naming import Lines
from optout_proxy.hosts import host_of
from optout_proxy.model import Outgoing, Request

_NAME: Final = "optout-proxy"
_VALUE: Final = "go-on"


def link(request: Request) -> str:
    """The link by which a stopped page is opened all the same; empty for what is no page."""
    return urls.set_param(request.url, _NAME, _VALUE) if request.type == "document" else ""


def once(request: Request) -> str:
    """The link by which a stopped widget is loaded all the same; empty for what is no frame."""
    return urls.set_param(request.url, _NAME, _VALUE) if request.type == "subdocument" else ""


def is_asked(url: str) -> bool:
    """Whether an address looks like that of such a link."""
    return _NAME in url


def granted(request: Request) -> Outgoing | None:
    """The request without the mark of that link, where the visitor really followed it."""
    if not is_asked(request.url) or urls.query_value(request.url, _NAME) != _VALUE:
        return None
    lines = Lines(request.headers)
    said = lines[b"sec-fetch-site"].lower()
    if request.type == "document":
        followed = said == "same-origin" or (
            not said and host_of(lines[b"referer"]) == request.host
        )
    else:
        # Only a click in the notice itself navigates its frame like this.
        clicked = lines[b"sec-fetch-user"] == "?1"
        followed = request.type == "subdocument" and said == "same-origin" and clicked
    if not followed:
        return None
    url, _ = urls.cut_params(request.url, lambda name, _: name == _NAME)
    return Outgoing(url, request.headers, request.body)
