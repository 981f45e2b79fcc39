"""Chromium, by its own protocol: https://chromedevtools.github.io/devtools-protocol/."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from browsers.driver import PATIENCE, WAYS, Cookie, Said, Window
from browsers.websocket import ProtocolError
from optout_proxy.proxy import browser as browsers

if TYPE_CHECKING:
    from pathlib import Path

# Third-party cookies: the setting, and what Chromium would do of its own accord.
_PREFERENCES = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}
_OFF = (
    "TrackingProtection3pcd", "ThirdPartyStoragePartitioning", "HttpsUpgrades",
    "OptimizationHints", "MediaRouter", "Translate",
)  # fmt: skip


@dataclass
class Chromium(Window):
    family: ClassVar[browsers.Family] = "chromium"
    more: ClassVar[tuple[str, ...]] = (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-extensions", "--password-store=basic", "--hide-scrollbars",
        f"--disable-features={','.join(_OFF)}", "--remote-debugging-port=0", "about:blank",
    )  # fmt: skip
    _session: str = ""
    _page: str = ""
    _loaded: threading.Event = field(default_factory=threading.Event)

    def goto(self, url: str) -> None:
        self._close_others()
        self._loaded.clear()
        told = self._here("Page.navigate", {"url": url})
        if text := told.get("errorText"):
            raise ProtocolError(f"{url}: {text}")
        if not self._loaded.wait(PATIENCE):
            raise TimeoutError(f"{url} does not load")

    def evaluate(self, expression: str) -> Any:
        params = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        told = self._here("Runtime.evaluate", {**params, "userGesture": False})
        if fault := told.get("exceptionDetails"):
            raise ProtocolError(str(fault.get("exception", {}).get("description", fault)))
        return told["result"].get("value")

    def click_at(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self._here(
                "Input.dispatchMouseEvent",
                {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1},
            )

    def type(self, text: str) -> None:
        for key in text:
            for kind in ("keyDown", "keyUp"):
                more = {"text": key} if kind == "keyDown" else {}
                self._here("Input.dispatchKeyEvent", {"type": kind, "key": key, **more})

    def cookies(self) -> list[Cookie]:
        found = self.call("Storage.getCookies")["cookies"]
        return [Cookie(one["domain"].lstrip("."), one["name"], one["value"]) for one in found]

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._here("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._here("Emulation.setEmulatedMedia", {"features": [scheme]})

    def screenshot(self) -> bytes:
        return base64.b64decode(self._here("Page.captureScreenshot")["data"])

    def _close_others(self) -> None:
        # Behind another tab a page is not drawn, and frames in it are not clicked.
        for one in self.call("Target.getTargets")["targetInfos"]:
            if one["type"] == "page" and one["targetId"] != self._page:
                self.call("Target.closeTarget", {"targetId": one["targetId"]})
                self._here("Page.bringToFront")

    def _here(self, method: str, params: dict[str, Any] | None = None) -> Any:
        return self.call(method, params, sessionId=self._session)

    def _prepare(self) -> None:
        browsers.make_profile(WAYS["chromium"], self.folder, proxy=self.proxy, trusts=self.trusts)
        (self.folder / "Default" / "Preferences").write_text(json.dumps(_PREFERENCES))

    def _trusted(self) -> tuple[Path, ...]:
        # The stand-ins' leaf: its key is asked for where the server does not send its authority.
        ours, stand_ins = self.trusts
        return ours, stand_ins.with_name("leaf.pem")

    def _address(self) -> str:
        port, path = self._port_file("DevToolsActivePort").split()
        return f"ws://127.0.0.1:{port}{path}"

    def _attach(self) -> None:
        targets = self.call("Target.getTargets")["targetInfos"]
        self._page = next(one["targetId"] for one in targets if one["type"] == "page")
        params = {"targetId": self._page, "flatten": True}
        self._session = self.call("Target.attachToTarget", params)["sessionId"]
        for method in ("Page.enable", "Runtime.enable", "Log.enable", "Network.enable"):
            self._here(method)
        self._here("Target.setAutoAttach", _FRAMES_TOO)

    def _leave(self) -> None:
        (self.folder / "DevToolsActivePort").unlink(missing_ok=True)
        self.call("Browser.close")

    def _event(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired" and message.get("sessionId") == self._session:
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            if not params["request"]["url"].startswith("data:"):
                self.asked.append(params["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            words = (str(arg.get("value", arg.get("description"))) for arg in params["args"])
            self.said.append(Said(params["type"], " ".join(words)))
        elif method == "Runtime.exceptionThrown":
            fault = params["exceptionDetails"]
            text = fault.get("exception", {}).get("description", fault["text"])
            self.said.append(Said("error", f"{text} at {fault.get('url', '')}"))
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self.said.append(Said(entry["level"], f"{entry['text']} at {entry.get('url', '')}"))
        elif method == "Target.attachedToTarget":
            self._listen_to(params["sessionId"])

    def _listen_to(self, session: str) -> None:
        # Told without waiting: this is the thread that would hear the answer.
        assert self._channel is not None
        commands = ("Runtime.enable", "Log.enable", "Network.enable")
        for number, method in enumerate((*commands, "Target.setAutoAttach")):
            params = _FRAMES_TOO if method == "Target.setAutoAttach" else {}
            told = {"id": 10**6 + number, "method": method, "params": params}
            self._channel.send({**told, "sessionId": session})


_FRAMES_TOO = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
