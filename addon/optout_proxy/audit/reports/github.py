"""GitHub: workflow commands that annotate the lines of policy and tool files, ten at most.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions. The summary of the
step is `markdown`, written where `GITHUB_STEP_SUMMARY` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.audit.reports import words
from optout_proxy.audit.reports.findings import Found, findings

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told

_MOST: Final = 10
_COMMANDS: Final = {"error": "error", "warning": "warning", "note": "notice"}


def write(told: Told) -> bytes:
    """The gravest findings as annotations, then how many there are in all."""
    found = list(findings(told))
    lines = [_annotation(one) for one in found[:_MOST]]
    more = f", of which {_MOST} are annotated" if len(found) > _MOST else ""
    lines.append(f"optout audit: {words.headline(told.result)}; {len(found)} findings{more}")
    return ("\n".join(lines) + "\n").encode()


def _annotation(one: Found) -> str:
    title = _property(f"optout: {one.about} {one.kind}")
    place = f"file={_property(one.place.file)},line={one.place.line},title={title}"
    text = "; ".join((one.says, *one.evidence[:2]))
    return f"::{_COMMANDS[one.grave]} {place}::{_message(text)}"


def _message(text: str) -> str:
    return words.plain(text, 2000).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
