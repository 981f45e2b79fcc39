"""Captures made of invented values, and the lens they are judged through."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from optout_proxy import shipped
from optout_proxy.audit.lens import Lens, lens_of
from optout_proxy.audit.run import Job, surveyed
from optout_proxy.audit.tally import Total
from optout_proxy.engine import Engine
from optout_proxy.registry import Registry, load
from optout_proxy.registry.load import choices_of

if TYPE_CHECKING:
    from pathlib import Path

type Entry = dict[str, object]

PAGE = "https://www.mass.gov/guides"
OTHER = "https://www.mass.gov/other"
GA = "https://www.google-analytics.com/g/collect?v=2&tid=G-ABCDE12345&en=page_view"
GA_ID = f"{GA}&cid=111.222"
PIXEL = "https://www.facebook.com/tr/?id=1234567890&ev=PageView"
ADS = "https://googleads.g.doubleclick.net/pagead/viewthroughconversion/1234567890/?value=0"
LOADS = "https://www.google-analytics.com/analytics.js"
TWEET = "https://platform.twitter.com/embed/Tweet.html?id=1234567890"
JOT = "https://syndication.twitter.com/i/jot?l=1"
EGG = "https://tracking.crazyegg.com/clock"


def entry(
    url: str,
    *,
    page: str = PAGE,
    kind: str = "xhr",
    cookies: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: str | None = None,
    mime: str = "application/x-www-form-urlencoded",
    status: int = 200,
    sets: tuple[str, ...] = (),
    back: tuple[tuple[str, str], ...] = (),
    day: str = "2026-11-24",
    view: str = "",
    content: str = "",
    **more: object,
) -> Entry:
    """One entry as Chrome writes it; `page` is said in `Referer`."""
    lines = [("User-Agent", "test"), *headers]
    lines += [("Referer", page)] if page else []
    lines += [("Cookie", cookies)] if cookies else []
    request: Entry = {
        "method": "GET" if body is None else "POST",
        "url": url,
        "httpVersion": "h2",
        "headers": [{"name": name, "value": value} for name, value in lines],
        "cookies": [],
        "queryString": [],
        "bodySize": len(body or ""),
    }
    if body is not None:
        request["headers"].append({"name": "Content-Type", "value": mime})  # type: ignore[attr-defined]
        request["postData"] = {"mimeType": mime, "text": body}
    answer = [*(("Set-Cookie", line) for line in sets), *back]
    return {
        "startedDateTime": f"{day}T10:00:00.000Z",
        "time": 1,
        "request": request,
        "response": {
            "status": status,
            "headers": [{"name": name, "value": value} for name, value in answer],
            "content": {"mimeType": content, "size": 0},
        },
        "_resourceType": kind,
        **({"pageref": view} if view else {}),
        **more,
    }


def document(url: str = PAGE, **more: object) -> Entry:
    """A page that somebody opened, and that came; it holds a cookie unless told otherwise."""
    told: dict[str, object] = {"cookies": "keep=1", "page": "", "content": "text/html", **more}
    dest = (("Sec-Fetch-Dest", "document"),)
    return entry(url, kind="document", headers=dest, **told)  # type: ignore[arg-type]


def har(*entries: object, **log: object) -> bytes:
    """A HAR of some entries."""
    maker = {"name": "test", "version": "1"}
    whole = {"version": "1.2", "creator": maker, "entries": list(entries), **log}
    return json.dumps({"log": whole}).encode()


@lru_cache(1)
def shipped_registry() -> Registry:
    return load(shipped.folder() / "config.toml")


def lens_at(
    levels: dict[str, str] | None = None,
    *,
    canary: str = "",
    degrading: str = "",
    **changes: object,
) -> Lens:
    """The shipped configuration with other levels; every tool that is not named is allowed."""
    registry = shipped_registry()
    settings = msgspec.structs.replace(registry.settings, **changes)
    if levels is not None:
        others = dict.fromkeys(registry.tool_files, "allow")
        settings = msgspec.structs.replace(settings, opt_out={**others, **levels})
    files = dict(registry.tool_files)
    if degrading:
        file = files[degrading]
        express = msgspec.structs.replace(file.tool.express, exists=True, effect="degrade")
        tool = msgspec.structs.replace(file.tool, express=express)
        files[degrading] = msgspec.structs.replace(file, tool=tool)
    choices = choices_of(settings, registry.policies, files)
    tools = [file.tool for file in files.values()]
    engine = Engine(tools, choices, registry.resources)
    changed = msgspec.structs.replace(
        registry, settings=settings, tool_files=files, choices=choices, engine=engine
    )
    return lens_of(changed, canary)


def total(folder: Path, lens: Lens, *texts: bytes) -> Total:
    """What some captures show together."""
    found = Total()
    for number, text in enumerate(texts):
        path = folder / f"{len(list(folder.iterdir()))}-{number}.har"
        path.write_bytes(text)
        found.add(surveyed(Job(path), lens))
    return found
