"""Ed25519 signatures of manifests (RFC 8032), with what mitmproxy brings along."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from optout_proxy.errors import EvidenceError, InputError, OptoutError

if TYPE_CHECKING:
    from pathlib import Path


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature, as it lies in a bundle; both in hexadecimal."""

    ed25519: str
    key: str
    """The public key: who signed is known only to whoever knows this key from elsewhere."""


def make_key(path: Path) -> str:
    """Write a new private key that only its owner can read; its public key in hexadecimal."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OptoutError(f"{path}: it cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
    return _hex(key.public_key())


def sign(manifest: bytes, key_file: Path) -> bytes:
    """The signature of a manifest by the key in a file."""
    key = _load(key_file)
    signature = Signature(key.sign(manifest).hex(), _hex(key.public_key()))
    return msgspec.json.encode(signature) + b"\n"


def check(manifest: bytes, text: bytes, expected: str = "") -> str:
    """The public key by which a manifest is signed; EvidenceError where it is not.

    `expected` is the key, in hexadecimal, that must have signed it.
    """
    try:
        signature = msgspec.json.decode(text, type=Signature)
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key))
        key.verify(bytes.fromhex(signature.ed25519), manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, InvalidSignature):
        raise EvidenceError("the signature is not that of this manifest") from None
    if expected and signature.key != expected.strip().lower():
        raise EvidenceError(f"it is signed by another key, {signature.key}")
    return signature.key


def _hex(key: Ed25519PublicKey) -> str:
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return key.public_bytes(*raw).hex()


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise InputError(path, f"it cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(path, "it is no Ed25519 key", right="make one: optout bundle key FILE")
    return key
