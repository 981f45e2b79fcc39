"""Take out of a bundle what identifies people, so that it still proves what it proved.

A value becomes a token, the beginning of its HMAC-SHA-256 under a secret that is made for one
redaction and thrown away. Equal values stay equal, on whatever host, and
nobody can try values out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import tempfile
import zipfile
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import quote_plus

import msgspec

from optout_proxy.audit.bundle.check import check
from optout_proxy.audit.bundle.manifest import Manifest, Member, Redaction, add, read_manifest
from optout_proxy.audit.bundle.pack import seal
from optout_proxy.audit.express import cookies_in
from optout_proxy.audit.identifiers import SHORTEST, may_identify
from optout_proxy.audit.opening import plain_stream
from optout_proxy.audit.slices import Damaged, Source, slices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

type Json = dict[str, object]

RULES: Final = (
    "values of query parameters, but for flags of consent and ids of properties",
    "values of cookies and of the fields of request bodies; other bodies as a whole",
    "values of headers, but for those that describe the request or the content",
    "texts of responses are left out",
)
_FLAGS: Final = frozenset(
    {"v", "gcs", "gcd", "npa", "rdp", "dma", "dpo", "dpoco", "dpost", "us_privacy", "gpp",
     "gpp_sid", "gdpr", "en", "ev", "t", "dnt"}
)  # fmt: skip
_PROPERTY: Final = re.compile(r"(?:G|UA|AW|DC|GT|GTM)-[A-Z0-9-]{1,24}")
_DESCRIBING: Final = frozenset(
    {"accept", "accept-encoding", "access-control-request-method", "cache-control",
     "content-encoding", "content-length", "content-type", "date", "dnt", "host", "optout-proxy",
     "origin", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-storage-access",
     "sec-fetch-user", "sec-gpc", "upgrade", "vary"}
)  # fmt: skip
_ADDRESSES: Final = frozenset({"referer", "location", "content-location"})


class Tokens:
    """Values as tokens, equal where the values are.

    A token looks like an identifier to the audit where the value does, so that verdicts stay.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, value: str) -> str:
        """The token of a value; one letter stays, since it tells nobody apart."""
        if len(value) < 2:
            return value
        found = hmac.digest(self._secret, value.encode("utf-8", "replace"), "sha256").hex()
        if may_identify(f"={value}"):
            return found[:32]
        return f"redacted-{found[:16]}" if len(value) >= SHORTEST else f"r-{found[:5]}"


def redact(source: Path, out: Path, now: datetime, key: Path | None = None) -> Manifest:
    """Write a redacted bundle of one that verifies; EvidenceError where it does not."""
    came = check(source).manifest
    tokens = Tokens(secrets.token_bytes(32))
    members: list[Member] = []
    removed: list[str] = []
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(out, "w") as target:
        is_full = _tells_addresses(archive, came)
        for member in came.files:
            if member.kind == "ledger" and is_full:
                removed.append(f"{member.path}: it holds whole addresses")
                continue
            with archive.open(member.path) as content:
                made = _redacted(target, member, content, tokens)
            if isinstance(made, str):
                removed.append(f"{member.path}: {made}")
            else:
                members.append(made)
        kept_ledger = any(member.kind == "ledger" for member in members)
        before = hashlib.sha256(read_manifest(archive)).hexdigest()
        manifest = msgspec.structs.replace(
            came,
            created=now.isoformat(timespec="seconds"),
            files=tuple(members),
            heads=came.heads if kept_ledger else (),
            redaction=Redaction(before, RULES, tuple(removed)),
        )
        seal(target, manifest, key)
    return manifest


def _tells_addresses(archive: zipfile.ZipFile, manifest: Manifest) -> bool:
    """Whether a ledger was written in full detail, with whole addresses."""
    ledgers = (member.path for member in manifest.files if member.kind == "ledger")
    return any(b'"url":' in archive.read(path) for path in ledgers)


def _redacted(
    target: zipfile.ZipFile, member: Member, content: IO[bytes], tokens: Tokens
) -> Member | str:
    """A file in the redacted bundle; or why it is left out."""
    if member.kind in {"config", "policy", "ledger"}:
        size, digest = add(target, member.path, content)
        return Member(member.path, member.kind, size, digest)
    if member.kind != "capture":
        return "only captures can be redacted"
    with tempfile.TemporaryFile() as made:
        try:
            with plain_stream(content) as stream:
                made.writelines(_har(stream, tokens))
        except Damaged as damage:
            return f"it cannot be redacted: {damage}"
        made.seek(0)
        path = f"{member.path.removesuffix('.gz').removesuffix('.zip')}"
        size, digest = add(target, path, made)
    return Member(path, member.kind, size, digest, was=member.sha256)


def _har(stream: Source, tokens: Tokens) -> Iterator[bytes]:
    """A HAR again, its entries redacted; an entry that is odd is left out as null."""
    yield b'{"log": {"version": "1.2", "creator": {"name": "optout bundle redact"}, "entries": ['
    first = True
    for piece in slices(stream):
        if piece.key:
            continue
        yield b"" if first else b",\n"
        first = False
        yield _entry(bytes(piece.text), tokens) if not piece.why else b"null"
    yield b"]}}\n"


def _entry(text: bytes, tokens: Tokens) -> bytes:
    try:
        entry = json.loads(text.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return b"null"
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict):
        return b"null"
    response = entry.get("response")
    kept = {key: entry[key] for key in ("startedDateTime", "pageref", "_resourceType", "_fromCache")
            if isinstance(entry.get(key), str)}  # fmt: skip
    kept["request"] = _request(request, tokens)
    kept["response"] = _response(response if isinstance(response, dict) else {}, tokens)
    return json.dumps(kept).encode()


def _request(request: Json, tokens: Tokens) -> Json:
    made: Json = {
        "method": str(request.get("method") or "GET"),
        "url": address(str(request.get("url") or ""), tokens),
        "headers": _headers(request.get("headers"), tokens),
        "cookies": _pairs(request.get("cookies"), tokens),
        "bodySize": request.get("bodySize") if isinstance(request.get("bodySize"), int) else -1,
    }
    if isinstance(post := request.get("postData"), dict):
        made["postData"] = _post(post, tokens)
    return made


def _response(response: Json, tokens: Tokens) -> Json:
    content = response.get("content")
    mime = content.get("mimeType") if isinstance(content, dict) else ""
    status = response.get("status")
    return {
        "status": status if isinstance(status, int) else 0,
        "headers": _headers(response.get("headers"), tokens),
        "content": {"mimeType": str(mime or "")},
        **({"_error": str(response["_error"])} if "_error" in response else {}),
    }


def address(url: str, tokens: Tokens) -> str:
    """An address with the values of its parameters as tokens; its fragment goes."""
    front, mark, query = url.partition("#")[0].partition("?")
    path, semicolon, params = front.partition(";")
    path += semicolon + ";".join(_param(piece, tokens) for piece in params.split(";"))
    return path + mark + "&".join(_param(piece, tokens) for piece in query.split("&"))


def _param(piece: str, tokens: Tokens) -> str:
    name, equals, value = piece.partition("=")
    if not equals or name.lower() in _FLAGS or _PROPERTY.fullmatch(value):
        return piece
    return f"{name}={tokens.of(value)}"


def _headers(lines: object, tokens: Tokens) -> list[Json]:
    found = lines if isinstance(lines, list) else []
    return [
        {"name": name, "value": _header(name.lower(), str(line.get("value") or ""), tokens)}
        for line in found
        if isinstance(line, dict)
        for name in (str(line.get("name") or ""),)
    ]


def _header(name: str, value: str, tokens: Tokens) -> str:
    if name in _DESCRIBING:
        return value
    if name in _ADDRESSES:
        return address(value, tokens)
    if name == "cookie":
        return "; ".join(f"{n}={_cookie(v, tokens)}" for n, v in cookies_in(value).items())
    if name == "set-cookie":
        return "\n".join(_set_cookie(line, tokens) for line in value.split("\n"))
    return tokens.of(value)


def _cookie(value: str, tokens: Tokens) -> str:
    """A cookie's value; an opt-out says nothing of who opted out."""
    return value if value.upper().endswith("OPT_OUT") else tokens.of(value)


def _set_cookie(line: str, tokens: Tokens) -> str:
    pair, semicolon, rest = line.partition(";")
    name, equals, value = pair.partition("=")
    return f"{name}{equals}{_cookie(value, tokens)}{semicolon}{rest}"


def _pairs(pairs: object, tokens: Tokens) -> list[Json]:
    found = pairs if isinstance(pairs, list) else []
    return [
        {"name": str(one.get("name") or ""), "value": _cookie(str(one.get("value") or ""), tokens)}
        for one in found
        if isinstance(one, dict)
    ]


def _post(post: Json, tokens: Tokens) -> Json:
    mime, text = str(post.get("mimeType") or ""), post.get("text")
    if isinstance(params := post.get("params"), list) and params:
        return {"mimeType": mime, "params": _pairs(params, tokens)}
    if not isinstance(text, str):
        return {"mimeType": mime}
    if "urlencoded" in mime or (mime.startswith("text/plain") and "=" in text[:200]):
        pieces = enumerate(re.split(r"([&\r\n]+)", text))
        fields = "".join(piece if n % 2 else _param(piece, tokens) for n, piece in pieces)
        return {"mimeType": mime, "text": fields}
    return {"mimeType": mime, "text": quote_plus(tokens.of(text))}
