"""Answers made here: right for their type, so that the page goes on as if the tool were mute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.engine.naming import Lines, is_prefetch
from optout_proxy.model import Action, Answer, Headers, Request, Type
from optout_proxy.resources import (
    EMPTY_CSS,
    EMPTY_HTML,
    EMPTY_JSON,
    EMPTY_SCRIPT,
    TRANSPARENT_GIF,
    Resource,
    fill,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER: Final = b"Optout-Proxy"
"""Carries `<action> <tool-id>` on every answer made here."""

_BY_TYPE: Final[Mapping[Type, Resource]] = {
    "document": EMPTY_HTML,
    "subdocument": EMPTY_HTML,
    "object": EMPTY_HTML,
    "script": EMPTY_SCRIPT,
    "stylesheet": EMPTY_CSS,
    "image": TRANSPARENT_GIF,
}


def answer_for(
    action: Action,
    tool: str,
    request: Request,
    *,
    resource: Resource | None = None,
    slots: Mapping[str, str] | None = None,
    target: str = "",
) -> Answer:
    """The answer to a request that is stopped.

    `resource` is the stand-in that a rule names, `slots` fill a placeholder, `target` is where a
    redirector leads. A preflight is granted, so that the request it announces is answered here
    too (https://fetch.spec.whatwg.org/#http-cors-protocol).
    """
    said = ((HEADER, f"{action} {tool}".encode("ascii", "replace")),)
    common = (*said, (b"Cache-Control", b"no-cache"), *_sharing(request))
    if request.type == "document" and is_prefetch(Lines(request.headers)):
        # A prefetch that fails is forgotten: who opens the page later asks for it anew.
        return Answer(503, (*common, (b"Content-Length", b"0")), b"")
    if request.type == "websocket":
        return Answer(403, (*common, (b"Content-Length", b"0")), b"")
    if _is_preflight(request):
        return Answer(204, (*common, *_preflight(request)), b"")
    if action == "redirect":
        location = target.encode("ascii", "replace")
        return Answer(302, (*common, (b"Location", location), (b"Content-Length", b"0")), b"")
    fitting = resource if resource and _fits(resource, request) else None
    body = fitting or _BY_TYPE.get(request.type) or _by_accept(request)
    if body is None:
        return Answer(204, common, b"")
    content = (
        fill(body.body, **slots)
        if slots and body.content_type.startswith("text/html")
        else body.body
    )
    described = (
        (b"Content-Type", body.content_type.encode()),
        (b"Content-Length", str(len(content)).encode()),
    )
    framing = ((b"Cross-Origin-Embedder-Policy", b"require-corp"),)
    is_page = request.type in {"document", "subdocument", "object"}
    return Answer(200, (*common, *described, *(framing if is_page else ())), content)


def is_constant(resource: Resource | None, request: Request) -> bool:
    """Whether every request of the same type, but for its header lines, has the same answer."""
    if request.method != "GET" or request.type == "document":
        return False
    if resource is None:
        return True
    return request.type != "xmlhttprequest" and not resource.content_type.startswith("text/html")


def _fits(resource: Resource, request: Request) -> bool:
    """Whether a stand-in can be what was asked for.

    A script in a frame would be shown as text, and who fetches settings cannot read a script.
    """
    kind, media = request.type, resource.content_type
    if media.startswith("text/html"):
        return kind in {"document", "subdocument", "object", "other"}
    if kind == "xmlhttprequest" and media.startswith("text/javascript"):
        return request.url.partition("?")[0].endswith("js")
    return kind in {"script", "xmlhttprequest", "ping", "other"}


def _by_accept(request: Request) -> Resource | None:
    """What a fetch is answered with: JSON where it insists on it, else no content at all."""
    accept = _line(request, b"accept").lower()
    return EMPTY_JSON if accept.startswith("application/json") else None


def _sharing(request: Request) -> Headers:
    """What lets a page read the answer as it would read the tool's."""
    open_to_all = (
        (b"Cross-Origin-Resource-Policy", b"cross-origin"),
        (b"Timing-Allow-Origin", b"*"),
    )
    origin = _line(request, b"origin")
    if not origin:
        return (*open_to_all, (b"Access-Control-Allow-Origin", b"*"))
    return (
        *open_to_all,
        (b"Access-Control-Allow-Origin", origin.encode("latin-1")),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Vary", b"Origin"),
    )


def _is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and bool(_line(request, b"access-control-request-method"))


def _preflight(request: Request) -> Headers:
    method = _line(request, b"access-control-request-method").encode("latin-1")
    names = _line(request, b"access-control-request-headers").encode("latin-1")
    granted = ((b"Access-Control-Allow-Methods", method),)
    if not names:
        return granted
    return (*granted, (b"Access-Control-Allow-Headers", names))


def _line(request: Request, name: bytes) -> str:
    for key, value in request.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return ""
