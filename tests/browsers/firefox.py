"""Firefox, by WebDriver BiDi: https://w3c.github.io/webdriver-bidi/."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from browsers.driver import WAYS, Cookie, Said, Window
from browsers.websocket import ProtocolError
from optout_proxy.proxy import browser as browsers

_PREFS: dict[str, browsers.Pref] = {
    # Third-party cookies, and in the jar of the site that set them.
    "network.cookie.cookieBehavior": 0,
    "network.cookie.cookieBehavior.optInPartitioning": False,
    "privacy.partition.network_state": False,
    "privacy.partition.serviceWorkers": False,
    "privacy.partition.always_partition_third_party_non_cookie_storage": False,
    "privacy.trackingprotection.enabled": False,
    "privacy.trackingprotection.pbmode.enabled": False,
    "privacy.trackingprotection.annotate_channels": False,
    "privacy.bounceTrackingProtection.mode": 0,
    # Nothing of its own accord.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.update.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.startup.page": 0,
    "browser.search.update": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "https://settings.invalid/v1",
    "dom.security.https_first": False,
    # Lines of the console are events only where they are kept.
    "devtools.console.stdout.content": False,
    "focusmanager.testmode": True,
}


@dataclass
class Firefox(Window):
    family: ClassVar[browsers.Family] = "firefox"
    more: ClassVar[tuple[str, ...]] = ("-headless", "-remote-debugging-port", "0")
    _context: str = ""

    def goto(self, url: str) -> None:
        params = {"context": self._context, "url": url, "wait": "complete"}
        self.call("browsingContext.navigate", params)

    def evaluate(self, expression: str) -> Any:
        # As JSON text: BiDi has a form of its own for values, with nothing that is needed here.
        code = (
            f"Promise.resolve({expression}).then((v) => JSON.stringify(v === undefined ? null : v))"
        )
        told = self.call(
            "script.evaluate",
            {"expression": code, "target": {"context": self._context}, "awaitPromise": True},
        )
        if told["type"] == "exception":
            raise ProtocolError(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    def click_at(self, x: int, y: int) -> None:
        context, x, y = self._under(x, y)
        pointer = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": pointer}, context)

    def type(self, text: str) -> None:
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": keys}, self._context)

    def cookies(self) -> list[Cookie]:
        found = self.call("storage.getCookies")["cookies"]
        return [
            Cookie(one["domain"].lstrip("."), one["name"], one["value"]["value"]) for one in found
        ]

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        assert not dark, "Firefox is told only at its start"
        size = {"width": width, "height": height}
        self.call("browsingContext.setViewport", {"context": self._context, "viewport": size})

    def screenshot(self) -> bytes:
        told = self.call("browsingContext.captureScreenshot", {"context": self._context})
        return base64.b64decode(told["data"])

    def _act(self, actions: dict[str, Any], context: str) -> None:
        self.call("browsingContext.activate", {"context": self._context})
        self.call("input.performActions", {"context": context, "actions": [actions]})

    def _under(self, x: int, y: int) -> tuple[str, int, int]:
        """The frame at a point of the window, and the point in it: a click does not cross over."""
        place = f"(document.elementFromPoint({x}, {y}) || document.body)"
        frame = self.evaluate(
            f"((e) => e.tagName === 'IFRAME' && [e.src, e.getBoundingClientRect()])({place})"
        )
        if not frame:
            return self._context, x, y
        source, box = frame
        tree = self.call("browsingContext.getTree", {"root": self._context})["contexts"][0]
        inside = next(one for one in tree["children"] if one["url"] == source)
        return inside["context"], round(x - box["x"]), round(y - box["y"])

    def _prepare(self) -> None:
        shutil.copytree(
            _trusting(self.trusts),
            self.folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("lock", ".parentlock"),
        )
        chosen = {**browsers._firefox_prefs(self.proxy), **_PREFS}
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in chosen.items())
        (self.folder / "user.js").write_text("".join(lines))

    def _address(self) -> str:
        server = json.loads(self._port_file("WebDriverBiDiServer.json"))
        return f"ws://{server['ws_host']}:{server['ws_port']}/session"

    def _attach(self) -> None:
        self.call("session.new", {"capabilities": {}})
        self._context = self.call("browsingContext.getTree")["contexts"][0]["context"]
        events = ["log.entryAdded", "network.beforeRequestSent"]
        self.call("session.subscribe", {"events": events})

    def _leave(self) -> None:
        (self.folder / "WebDriverBiDiServer.json").unlink(missing_ok=True)
        self.call("browser.close")

    def _event(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "network.beforeRequestSent":
            self.asked.append(params["request"]["url"])
        elif method == "log.entryAdded":
            where = (params.get("stackTrace") or {}).get("callFrames") or [{}]
            text = f"{params.get('text')} at {where[0].get('url', '')}"
            self.said.append(Said(params["level"], text))


@cache
def _trusting(trusts: tuple[Path, ...]) -> Path:
    """A profile that trusts certificates, made once: Firefox takes seconds for it."""
    folder = Path(tempfile.mkdtemp(prefix="optout-firefox-", dir=trusts[0].parent))
    browsers.make_profile(WAYS["firefox"], folder, proxy="127.0.0.1:9", trusts=trusts, prefs=_PREFS)
    return folder
