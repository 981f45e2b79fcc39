"""Bundles: what is packed verifies, what is changed does not, what is redacted says no value."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from captures import ADS, GA, GA_ID, PAGE, PIXEL, document, entry, har, lens_at
from optout_proxy import shipped
from optout_proxy.audit.bundle.check import check
from optout_proxy.audit.bundle.redact import Tokens, address
from optout_proxy.audit.compare import compared
from optout_proxy.audit.result import result_of
from optout_proxy.audit.run import Job, surveyed
from optout_proxy.audit.tally import Total
from optout_proxy.cli.main import optout
from optout_proxy.errors import EvidenceError, OptoutError
from optout_proxy.ledger import Ledger
from optout_proxy.model import Credit, Request, RuleRef

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

SECRETS = ("alice", "111.222", "fr-cookie-value", "0123abcd-4567", "agent-smith", "typed-by-me")
ENTRIES = (
    document(f"{PAGE}?user=alice", cookies="session=alice-session; _ga=GA1.2.111.222222"),
    entry(f"{GA_ID}&dl=https%3A%2F%2Fwww.mass.gov%2F%3Fuser%3Dalice&gcs=G100"),
    entry(PIXEL, cookies="fr=fr-cookie-value", headers=(("X-Agent", "agent-smith"),)),
    entry(ADS, cookies="id=OPT_OUT", sets=("IDE=alice-ide; Max-Age=100",)),
    entry(f"{GA}&ep.v=0123abcd-4567-89ab-cdef-0123456789ab"),
    entry("https://cdn.example/x", cookies="uid=alice-uid-12345"),
    entry("https://www.google-analytics.com/collect", body="v=1&tid=UA-1-1&cid=alice.1"),
    entry("https://api.example/", body='{"text": "typed-by-me"}', mime="application/json"),
)


def run(*words: object) -> Result:
    return CliRunner().invoke(optout, ["bundle", *map(str, words)])


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A bundle of a capture and a ledger."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.har").write_bytes(har(*ENTRIES))
    book = Ledger(tmp_path / "in" / "ledger", clock=lambda: datetime(2026, 11, 24, tzinfo=UTC))
    rule = RuleRef("blocklists/google-analytics.toml", 1, "x")
    request = Request(GA, "www.google-analytics.com", PAGE, "www.mass.gov")
    book.record(request, (Credit("google-analytics", "block", "block", rule),))
    book.close()
    config = shipped.folder() / "config.toml"
    done = run("create", tmp_path / "in", "-o", tmp_path / "b.zip", "--config", config)
    assert done.exit_code == 0, done.output
    return tmp_path / "b.zip"


def test_a_bundle_names_every_file_by_its_hash_and_what_made_it(packed: Path) -> None:
    manifest = check(packed).manifest
    kinds = [member.kind for member in manifest.files]
    assert kinds == ["capture", "ledger", "policy", "config"]
    with zipfile.ZipFile(packed) as archive:
        for member in manifest.files:
            assert hashlib.sha256(archive.read(member.path)).hexdigest() == member.sha256
    assert {"optout-proxy", "mitmproxy", "python"} <= manifest.versions.keys()
    assert len(manifest.heads) == 1


def test_the_same_files_packed_twice_have_the_same_hashes(packed: Path, tmp_path: Path) -> None:
    config = shipped.folder() / "config.toml"
    run("create", tmp_path / "in", "-o", tmp_path / "c.zip", "--config", config)
    assert check(packed).manifest.files == check(tmp_path / "c.zip").manifest.files


def altered(source: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """A copy of a bundle with other content."""
    with zipfile.ZipFile(source) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    out = source.with_name("altered.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return out


def swap(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], object]:
    def change(content: dict[str, bytes]) -> None:
        path = next(path for path in content if path.startswith(name))
        assert old in content[path]
        content[path] = content[path].replace(old, new, 1)

    return change


CHANGES: list[tuple[str, Callable[[dict[str, bytes]], object]]] = [
    ("a byte of a capture", swap("capture/", b"G-ABCDE", b"G-ABCDF")),
    ("a byte more", lambda c: c.update({"capture/a.har": c["capture/a.har"] + b" "})),
    ("a byte less", lambda c: c.update({"capture/a.har": c["capture/a.har"][:-1]})),
    ("a file more", lambda c: c.update({"capture/b.har": b"{}"})),
    ("a file less", lambda c: c.pop("capture/a.har")),
    ("no manifest", lambda c: c.pop("manifest.json")),
    ("a broken manifest", swap("manifest.json", b"{", b"[")),
    ("another hash", swap("manifest.json", b'"sha256": "', b'"sha256": "0')),
    ("another head", swap("manifest.json", b'"heads": [\n  "', b'"heads": [\n  "0')),
    ("a configuration changed", swap("config/", b'"block"', b'"allow"')),
    ("a policy changed", swap("policy/", b"Mass.gov", b"Mess.gov")),
    ("a ledger changed", swap("ledger/", b'"block"', b'"allow"')),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_a_bundle_that_was_changed_does_not_verify(
    packed: Path, name: str, change: Callable[[dict[str, bytes]], object]
) -> None:
    with pytest.raises(EvidenceError):
        check(altered(packed, change))


def test_a_ledger_changed_with_its_hash_is_still_found_out(packed: Path) -> None:
    def change(content: dict[str, bytes]) -> None:
        path = next(path for path in content if path.startswith("ledger/"))
        before = content[path]
        content[path] = before.replace(b'"block"', b'"allow"', 1)
        for old, new in ((before, content[path]),):
            old_hash, new_hash = (hashlib.sha256(t).hexdigest().encode() for t in (old, new))
            content["manifest.json"] = content["manifest.json"].replace(old_hash, new_hash)

    with pytest.raises(EvidenceError, match=r"\S"):
        check(altered(packed, change))


@pytest.mark.parametrize("text", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_what_is_no_bundle_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(text)
    with pytest.raises(EvidenceError):
        check(tmp_path / "x.zip")


def test_a_bundle_that_expands_is_not_unpacked_further_than_it_says(packed: Path) -> None:
    with pytest.raises(EvidenceError, match="was changed"):
        check(altered(packed, lambda c: c.update({"capture/a.har": b"\0" * 50_000_000})))


def test_a_missing_bundle_is_refused(tmp_path: Path) -> None:
    assert isinstance(run("verify", tmp_path / "no.zip").exception, OptoutError)


def test_evidence_is_not_written_over(packed: Path, tmp_path: Path) -> None:
    done = run("create", tmp_path / "in", "-o", packed)
    assert isinstance(done.exception, OptoutError)


# --- signatures -----------------------------------------------------------------------------------


@pytest.fixture
def signed(packed: Path, tmp_path: Path) -> tuple[Path, str]:
    """A signed bundle, and the public key."""
    public = run("key", tmp_path / "key.pem").output.strip()
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    out = tmp_path / "s.zip"
    done = run("create", tmp_path / "in", "-o", out, "--sign", tmp_path / "key.pem")
    assert done.exit_code == 0, done.output
    return out, public


def test_a_signed_bundle_verifies_with_its_key_alone(signed: tuple[Path, str]) -> None:
    bundle, public = signed
    assert check(bundle, public).signed_by == public
    with pytest.raises(EvidenceError, match="another key"):
        check(bundle, "0" * 64)


@pytest.mark.parametrize(
    "change",
    [
        swap("manifest.json", b'"created": "', b'"created": "x'),
        swap("manifest.sig", b'"ed25519":"', b'"ed25519":"00'),
        lambda c: c.update({"manifest.sig": b"{}"}),
        lambda c: c.update({"manifest.sig": b'{"ed25519":"zz","key":"zz"}'}),
    ],
)
def test_a_signature_holds_for_its_manifest_alone(
    signed: tuple[Path, str], change: Callable[[dict[str, bytes]], object]
) -> None:
    with pytest.raises(EvidenceError):
        check(altered(signed[0], change))


def test_a_bundle_whose_signature_is_gone_does_not_pass_for_signed(
    signed: tuple[Path, str],
) -> None:
    bare = altered(signed[0], lambda c: c.pop("manifest.sig"))
    assert check(bare).signed_by == ""
    with pytest.raises(EvidenceError, match="not signed"):
        check(bare, signed[1])


def test_a_file_that_is_no_key_is_refused(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nonsense")
    done = run("create", tmp_path / "in", "-o", tmp_path / "n.zip", "--sign", tmp_path / "bad.pem")
    assert isinstance(done.exception, OptoutError)


# --- redaction ------------------------------------------------------------------------------------


@pytest.fixture
def redacted(packed: Path, tmp_path: Path) -> Path:
    done = run("redact", packed, "-o", tmp_path / "r.zip")
    assert done.exit_code == 0, done.output
    return tmp_path / "r.zip"


def test_a_redacted_bundle_verifies_and_says_what_it_was(packed: Path, redacted: Path) -> None:
    manifest = check(redacted).manifest
    before = check(packed).manifest
    assert manifest.redaction is not None
    with zipfile.ZipFile(packed) as archive:
        raw = archive.read("manifest.json")
    assert manifest.redaction.manifest == hashlib.sha256(raw).hexdigest()
    capture, came = manifest.files[0], before.files[0]
    assert capture.was == came.sha256
    assert capture.sha256 != came.sha256


def test_no_value_is_left_in_a_redacted_bundle(packed: Path, redacted: Path) -> None:
    def text(path: Path) -> str:
        with zipfile.ZipFile(path) as archive:
            return "\n".join(archive.read(n).decode() for n in archive.namelist())

    assert [secret for secret in SECRETS if secret not in text(packed)] == []
    assert [secret for secret in SECRETS if secret in text(redacted)] == []


def verdicts(path: Path, folder: Path) -> dict[str, tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.startswith("capture/"))
        file = folder / f"{path.stem}.har"
        file.write_bytes(archive.read(name))
    levels = {"google-analytics": "strip", "facebook-pixel": "strip", "google-adwords": "signal"}
    lens = lens_at(levels)
    total = Total()
    total.add(surveyed(Job(file), lens))
    result = result_of(total, None, lens, date(2026, 11, 24))
    return {n: (t.verdict, t.reason) for n, t in result.tools.items()} | {
        one.site: ("undeclared", "") for one in result.undeclared
    }


def test_redaction_changes_no_verdict(packed: Path, redacted: Path, tmp_path: Path) -> None:
    before = verdicts(packed, tmp_path)
    assert before == verdicts(redacted, tmp_path)
    assert before["facebook-pixel"] == ("violated", "identity-on-hit")
    assert before["google-adwords"] == ("signal-delivered", "opt-out-on-hit")
    assert before["cdn.example"] == ("undeclared", "")


def test_equal_values_stay_equal_and_others_differ() -> None:
    tokens, others = Tokens(b"1" * 32), Tokens(b"2" * 32)
    assert tokens.of("alice-session") == tokens.of("alice-session")
    assert tokens.of("alice-session") != tokens.of("alice-sessiom")
    assert tokens.of("alice-session") != others.of("alice-session")
    assert (tokens.of(""), tokens.of("1")) == ("", "1")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/p?v=2&tid=G-ABC123&gcs=G100", "https://a.example/p?v=2&tid=G-ABC123&gcs=G100"),
        ("https://a.example/p#alice", "https://a.example/p"),
        ("https://a.example/p?bare", "https://a.example/p?bare"),
    ],
)  # fmt: skip
def test_an_address_keeps_what_decides(url: str, kept: str) -> None:
    assert address(url, Tokens(b"1")) == kept


def test_a_jar_and_a_flow_file_are_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.har").write_bytes(har(entry(GA)))
    (tmp_path / "in" / "cookies.txt").write_text("# Netscape HTTP Cookie File\n")
    (tmp_path / "in" / "a.flow").write_bytes(b"12:4:text,3:abc}")
    run("create", tmp_path / "in", "-o", tmp_path / "b.zip")
    done = run("redact", tmp_path / "b.zip", "-o", tmp_path / "r.zip")
    assert "cookies.txt" in done.output
    assert "a.flow" in done.output
    assert [m.path for m in check(tmp_path / "r.zip").manifest.files if m.kind != "policy"] == [
        "capture/a.har", "config/config.toml",
    ]  # fmt: skip


# --- comparing ------------------------------------------------------------------------------------


def test_two_captures_are_compared_tool_by_tool(tmp_path: Path) -> None:
    first, second = tmp_path / "1.har", tmp_path / "2.har"
    first.write_bytes(har(document(), entry(GA_ID), entry("https://www.clarity.ms/t")))
    second.write_bytes(har(document(), entry(f"{GA}&gcs=G100")))
    lens = lens_at({"google-analytics": "block"})
    totals = [Total(), Total()]
    for one, file in zip(totals, (first, second), strict=True):
        one.add(surveyed(Job(file), lens))
    pair = compared(totals[0], totals[1], lens).tools["google-analytics"]
    assert (pair.first.hits, pair.second.hits) == (1, 1)
    assert (pair.first.identifiers, pair.second.identifiers) == ({"cid": 1}, {})
    assert pair.second.flags == {"gcs=G100": 1}
    assert pair.differs
    done = CliRunner().invoke(optout, ["compare", str(first), str(second)])
    assert done.exit_code == 1
    assert "trackers of the first only: clarity.ms" in done.output
    assert "identifiers of the first only: cid" in done.output


def test_a_capture_does_not_differ_from_itself(tmp_path: Path) -> None:
    file = tmp_path / "1.har"
    file.write_bytes(har(document(), entry(GA_ID)))
    done = CliRunner().invoke(optout, ["compare", str(file), str(file), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.output)["whole"] is True
