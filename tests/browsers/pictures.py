"""Draw the pictures of notices in docs/: `PYTHONPATH=tests python -m browsers.pictures docs`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from browsers.net import internet, window
from optout_proxy import shipped
from optout_proxy.resources import fill
from wire import Origin, Reached, Reply

NOTICES = shipped.folder() / "blocklists" / "placeholders"
SIZES = ((90, 20), (120, 28), (240, 35), (300, 90), (180, 200), (300, 200))
HTML = (("Content-Type", "text/html; charset=utf-8"),)
SLOTS = {
    "widget.html": {
        "tool": "Twitter widget",
        "host": "platform.twitter.com",
        "why": (
            "It is what Twitter widget shows, or asked for from inside it, which is at 'block':"
            " a notice is put in its place."
        ),
        "link": "https://twitter.com/massgov",
        "once": "https://platform.twitter.com/embed/Tweet.html?optout-proxy=go-on",
        "always": "optout set twitter-widget allow --site www.mass.gov",
    },
    "blocked-document.html": {
        "tool": "Google AdWords",
        "host": "www.googleadservices.com",
        "why": (
            "It carries data about the visit to Google AdWords, which is at 'block':"
            " it is answered here and never leaves."
        ),
        "link": "https://www.googleadservices.com/pagead/aclk",
    },
}


def reply(asked: Reached) -> Reply:
    name = asked.target.strip("/")
    if name in SLOTS:
        return Reply(200, HTML, fill((NOTICES / name).read_bytes(), **SLOTS[name]))
    frames = "".join(
        f"<iframe width={width} height={height} src=/widget.html></iframe>"
        for width, height in SIZES
    )
    style = (
        ":root{color-scheme:light dark} iframe{border:0}"
        " body{display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start;margin:12px}"
    )
    return Reply(200, HTML, f"<!doctype html><style>{style}</style>{frames}".encode())


def main(folder: Path) -> None:
    origin = Origin(frozenset({"www.mass.gov"}), reply)
    with (
        tempfile.TemporaryDirectory() as kept,
        internet(origin, Path(kept), "allow") as door,
        window("chromium", door) as browser,
    ):
        for dark in (False, True):
            tone = "dark" if dark else "light"
            for name, page, width, height in (
                ("notices", "sheet", 840, 330),
                ("stopped-page", "blocked-document.html", 680, 470),
            ):
                browser.look(width, height, dark=dark)
                browser.goto(f"https://www.mass.gov/{page}")
                (folder / f"{name}-{tone}.png").write_bytes(browser.screenshot())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
