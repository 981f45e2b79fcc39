"""SARIF 2.1.0 (OASIS): a result points at the line of the policy or tool file that it is about.

GitHub wants paths within the repository, stable rule ids and fingerprints, and 25,000 results at
most.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from optout_proxy import __version__
from optout_proxy.audit.reports.findings import Found, Place, findings

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told

type Table = dict[str, object]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_MOST: Final = 5000
_RULES: Final = {
    "violated": "A tool was sent data in spite of the opt-out.",
    "inconclusive": "The capture cannot tell whether the opt-out holds.",
    "not-exercised": "Nothing in the capture put the opt-out to the test.",
    "deviation": "A tool reports outside the pages or days that the policy names.",
    "undeclared": "A tracker that the policy does not name.",
    "never-seen": "A tool that the policy names, and that was never seen.",
}


def write(told: Told) -> bytes:
    """The result as one SARIF run."""
    found = list(findings(told))
    driver = {
        "name": "optout-proxy",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [
            {"id": kind, "shortDescription": {"text": text}} for kind, text in _RULES.items()
        ],
    }
    run: Table = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one) for one in found[:_MOST]],
        "invocations": [{"executionSuccessful": told.result.whole}],
    }
    log: Table = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=1) + b"\n"


def _result(one: Found) -> Table:
    identity = f"{one.kind}\n{one.about}".encode()
    result: Table = {
        "ruleId": one.kind,
        "ruleIndex": list(_RULES).index(one.kind),
        "level": one.grave,
        "message": {"text": "\n".join((one.says, *one.evidence[:5]))},
        "locations": [_location(one.place)],
        "partialFingerprints": {"optout/v1": hashlib.sha256(identity).hexdigest()},
    }
    if one.waiver is not None:
        why = f"{one.waiver.owner}, until {one.waiver.expires}: {one.waiver.reason}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _location(place: Place) -> Table:
    uri = quote(place.file, safe="/")
    region = {"startLine": max(place.line, 1)}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
