"""The certificate authority this proxy signs with: made here, on this machine, for it alone.

An elliptic-curve key halves what a new TLS connection costs against mitmproxy's own RSA one.
The files have the names and the form mitmproxy looks for in its `confdir`.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEARS: Final = 10
_NAME: Final = "Optout Proxy on this computer"


def default_folder() -> Path:
    """Name the user's data folder for this program (on Linux by the XDG base directories)."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "optout-proxy"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "optout-proxy"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "optout-proxy"


def key_and_certificate(folder: Path) -> Path:
    """Path of the authority's key and certificate, for mitmproxy only."""
    return folder / "mitmproxy-ca.pem"


def certificate(folder: Path) -> Path:
    """Path of the authority's certificate, for browsers and devices to trust."""
    return folder / "mitmproxy-ca-cert.pem"


def ensure(folder: Path) -> None:
    """Make the authority if there is none yet; OSError where the folder cannot be written.

    The folder is closed to others: who has the key can impersonate any site to this user.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    if not key_and_certificate(folder).exists():
        _make(folder)


def _make(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    cert = _self_signed(key)
    pem = cert.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    # Another process may be making one too: the first to link its key in wins, both use that.
    with suppress(FileExistsError):
        _place(key_and_certificate(folder), secret + pem)
        _place(certificate(folder), pem)
        _place(folder / "mitmproxy-ca-cert.cer", pem)  # the same, as Android wants it named
        _place(folder / "mitmproxy-ca-cert.p12", _for_windows(cert))


def _for_windows(cert: x509.Certificate) -> bytes:
    plain = serialization.NoEncryption()
    return pkcs12.serialize_key_and_certificates(None, None, cert, None, plain)


def _place(path: Path, content: bytes) -> None:
    """Write a file that is never seen half-written; FileExistsError where there is one."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.link(name, path)
    finally:
        Path(name).unlink()


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, _NAME),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Optout Proxy"),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_only_signs(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _only_signs() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
