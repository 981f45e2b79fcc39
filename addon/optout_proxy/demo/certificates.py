"""Certificates for stand-in sites: an authority of the demo's own, and a leaf for any name."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = "Stand-in sites of the Optout Proxy demo"
_DAY = dt.timedelta(days=1)


class Certificates:
    """Signs for every name that a client asks for; what it writes stays in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key, self._leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self._ca = _sign(AUTHORITY, self._key, None, self._key)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.authority = folder / "stand-in-ca.pem"
        self.authority.write_bytes(_pem(self._ca))

    def server(self, met: list[str]) -> ssl.SSLContext:
        """A TLS server that shows a certificate for whatever name it is asked for.

        The name of each ClientHello is appended to `met`.
        """
        context = self._context("")

        def choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            met.append(name or "")
            connection.context = self._context(name or "")

        context.sni_callback = choose
        return context

    def _context(self, name: str) -> ssl.SSLContext:
        if name and name in self._contexts:
            return self._contexts[name]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._leaf(name or "unnamed.invalid"))
        self._contexts[name] = context
        return context

    def _leaf(self, name: str) -> Path:
        certificate = _sign(name, self._leaf_key, self._ca, self._key)
        secret = self._leaf_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self._folder / "stand-in.pem"
        path.write_bytes(secret + _pem(certificate))
        return path


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    by: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """A certificate for a host; without an issuer, the authority's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    )
    if issuer:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(by, hashes.SHA256())
