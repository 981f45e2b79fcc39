"""A browser for this proxy alone: a clean profile that uses it and trusts its certificate.

The trust lies in that profile or on that command line and goes with them. Nothing of the user's
own browser, and nothing of the system, is read or changed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from optout_proxy.errors import OptoutError
from optout_proxy.proxy import marionette

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

type Family = Literal["chromium", "firefox"]
type Pref = bool | int | str

_KNOWN: Final[tuple[tuple[str, Family, tuple[str, ...]], ...]] = (
    ("Chromium", "chromium", ("chromium", "chromium-browser")),
    ("Chrome", "chromium", ("google-chrome", "google-chrome-stable", "chrome")),
    ("Edge", "chromium", ("microsoft-edge", "microsoft-edge-stable", "msedge")),
    ("Brave", "chromium", ("brave-browser", "brave")),
    ("Firefox", "firefox", ("firefox", "firefox-esr")),
)
_ON_A_MAC: Final[Mapping[str, str]] = {
    "Chromium": "Chromium.app/Contents/MacOS/Chromium",
    "Chrome": "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Edge": "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "Brave": "Brave Browser.app/Contents/MacOS/Brave Browser",
    "Firefox": "Firefox.app/Contents/MacOS/firefox",
}
_ON_WINDOWS: Final[Mapping[str, str]] = {
    "Chromium": "Chromium/Application/chrome.exe",
    "Chrome": "Google/Chrome/Application/chrome.exe",
    "Edge": "Microsoft/Edge/Application/msedge.exe",
    "Brave": "BraveSoftware/Brave-Browser/Application/brave.exe",
    "Firefox": "Mozilla Firefox/firefox.exe",
}

NAMES: Final = tuple(name.lower() for name, _, _ in _KNOWN)


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser that is installed here."""

    name: str
    family: Family
    program: Path


def installed() -> Iterator[Browser]:
    """Every browser found here that can be given a profile of its own."""
    for name, family, commands in _KNOWN:
        if program := _program(name, commands):
            yield Browser(name, family, program)


def find(wanted: str = "") -> Browser:
    """The browser of this name, else the first that is installed; OptoutError where none is."""
    found = tuple(installed())
    for browser in found:
        if wanted.lower() in {"", browser.name.lower()}:
            return browser
    if found:
        there = ", ".join(browser.name for browser in found)
        raise OptoutError(f"{wanted} is not installed here; there is {there}")
    names = ", ".join(name for name, _, _ in _KNOWN)
    raise OptoutError(f"no browser is installed here that can be used: one of {names}")


def _program(name: str, commands: tuple[str, ...]) -> Path | None:
    for command in commands:
        if program := shutil.which(command):
            return Path(program)
    return next((path for path in _usual_places(name) if path.is_file()), None)


def _usual_places(name: str, system: str = sys.platform) -> Iterator[Path]:
    """Where it is, on systems that do not put programs on the path."""
    if system == "darwin":
        for folder in (Path("/Applications"), Path.home() / "Applications"):
            yield folder / _ON_A_MAC[name]
    if system == "win32":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            if folder_name := os.environ.get(variable):
                yield Path(folder_name) / _ON_WINDOWS[name]


# A profile and the command that opens it.


def make_profile(
    browser: Browser,
    folder: Path,
    *,
    proxy: str,
    trusts: tuple[Path, ...],
    prefs: Mapping[str, Pref] | None = None,
) -> None:
    """A clean profile in `folder` that goes through `proxy` (`host:port`) and trusts certificates.

    `prefs` are Firefox's own, by name, and go before ours. OptoutError where the browser does not
    take the certificates.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if browser.family == "chromium":
        (folder / "Default").mkdir(exist_ok=True)
        return  # it is told on its command line
    chosen = {**_firefox_prefs(proxy), **(prefs or {})}
    lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in chosen.items())
    (folder / "user.js").write_text("".join(lines), "utf-8")
    marionette.trust(browser.program, folder, tuple(map(_read, trusts)))


def command(
    browser: Browser,
    folder: Path,
    *,
    proxy: str,
    trusts: tuple[Path, ...],
    url: str = "",
    more: tuple[str, ...] = (),
) -> list[str]:
    """What starts the browser with a profile that `make_profile` made, with `more` options."""
    last = (*more, *([url] if url else []))
    if browser.family == "firefox":
        return [str(browser.program), "-no-remote", "-profile", str(folder), *last]
    return [str(browser.program), *_chromium_options(folder, proxy, trusts), *last]


def _chromium_options(folder: Path, proxy: str, trusts: tuple[Path, ...]) -> tuple[str, ...]:
    keys = ",".join(_key_hash(_read(one)) for one in trusts)
    return (
        f"--user-data-dir={folder}",
        f"--proxy-server=http://{proxy}",
        # Loopback too; and what no proxy can read is not offered.
        "--proxy-bypass-list=<-loopback>",
        "--disable-quic",
        # These keys are trusted, besides all that is trusted anyway, and by this process only.
        f"--ignore-certificate-errors-spki-list={keys}",
        # Chromium warns of the option above in a bar, as if all checks were off.
        "--test-type",
        "--no-first-run",
        "--no-default-browser-check",
    )


def _firefox_prefs(proxy: str) -> dict[str, Pref]:
    host, _, port = proxy.rpartition(":")
    return {
        "network.proxy.type": 1,
        "network.proxy.http": host.strip("[]"),
        "network.proxy.http_port": int(port),
        "network.proxy.ssl": host.strip("[]"),
        "network.proxy.ssl_port": int(port),
        "network.proxy.no_proxies_on": "",
        "network.proxy.allow_hijacking_localhost": True,
        # Where the proxy has gone, nothing goes past it.
        "network.proxy.failover_direct": False,
        "network.http.http3.enable": False,
        # No welcome, no questions.
        "browser.aboutwelcome.enabled": False,
        "browser.shell.checkDefaultBrowser": False,
        "browser.tabs.warnOnClose": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "toolkit.telemetry.reportingpolicy.firstRun": False,
        "termsofuse.bypassNotification": True,
    }


def _key_hash(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate's public key, as Chromium writes it (RFC 7469, section 2.4)."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def _read(certificate: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        why = f"{certificate}: the proxy's certificate cannot be read; has it ever run here?"
        raise OptoutError(why) from error
