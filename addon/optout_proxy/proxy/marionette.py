"""Have Firefox trust certificates in one profile, by its own hand.

Firefox keeps its trust in a database that only NSS writes; its tool for it, certutil, is missing on
most machines. So Firefox itself is started once without a window and told to, by the protocol it
is tested with. That door is closed again before the user's window opens.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization

from optout_proxy.errors import OptoutError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

PATIENCE: Final = 40.0
"""Seconds that Firefox has for all of it."""

_TRUST: Final = """
  const known = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  const as = [Ci.nsIX509Cert.CA_CERT, Ci.nsIX509CertDB.TRUSTED_SSL];
  return arguments[0].every((text) => {
    const one = known.addCertFromBase64(text, ",,");
    known.setCertTrust(one, ...as);
    return known.isCertTrusted(one, ...as);
  });
"""


def trust(program: Path, profile: Path, certificates: tuple[x509.Certificate, ...]) -> None:
    """Add to the authorities that a profile trusts; OptoutError where that fails."""
    der = (one.public_bytes(serialization.Encoding.DER) for one in certificates)
    started = [str(program), "-headless", "-no-remote", "-profile", str(profile), "-marionette"]
    with (profile / "user.js").open("a", encoding="utf-8") as prefs:
        prefs.write('user_pref("marionette.port", 0);\n')
    firefox = subprocess.Popen(  # noqa: S603 - the browser that was found
        [*started, "-remote-allow-system-access"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOZ_HEADLESS": "1"},
    )
    try:
        _tell(_port(firefox, profile), [base64.b64encode(one).decode() for one in der])
        firefox.wait(PATIENCE)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise OptoutError(f"{program} does not take the proxy's certificate: {error}") from error
    finally:
        firefox.kill()
        firefox.wait()
        (profile / "MarionetteActivePort").unlink(missing_ok=True)


def _tell(port: int, certificates: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.settimeout(PATIENCE)
        with connection.makefile("rwb") as stream:
            _receive(stream)  # its greeting
            _call(stream, "WebDriver:NewSession", {})
            _call(stream, "Marionette:SetContext", {"value": "chrome"})
            told = _call(
                stream, "WebDriver:ExecuteScript", {"script": _TRUST, "args": [certificates]}
            )
            if told != {"value": True}:
                raise OSError("it does not trust it")
            _call(stream, "Marionette:Quit", {"flags": ["eAttemptQuit"]})


def _port(firefox: subprocess.Popen[bytes], profile: Path) -> int:
    """The port that Firefox chose; it writes it down when it is ready."""
    written = profile / "MarionetteActivePort"
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and firefox.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(written.read_text())
        time.sleep(0.05)
    raise OSError("it did not start in time")


def _call(stream: Any, name: str, params: dict[str, object]) -> object:
    packet = json.dumps([0, 1, name, params]).encode()
    stream.write(b"%d:%b" % (len(packet), packet))
    stream.flush()
    _, _, error, result = _receive(stream)
    if error:
        raise OSError(error.get("message", "it refuses"))
    return result


def _receive(stream: Any) -> Any:
    digits = b""
    while (byte := stream.read(1)) != b":":
        if not byte:
            raise OSError("it ended")
        digits += byte
    return json.loads(stream.read(int(digits)))
