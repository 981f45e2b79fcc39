"""JUnit XML: one case a tool, an undeclared site, a tool never seen, and a capture.

A failure is what `--fail-on` names; what is in doubt, or named by nobody, is skipped with its
reason; a capture that cannot be read whole is an error. Never two of these for one case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from optout_proxy.audit.reports import words
from optout_proxy.audit.reports.findings import Found, fails, findings

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told
    from optout_proxy.audit.result import FileResult

_MOST_LINES = 20


def write(told: Told) -> bytes:
    """The result as JUnit XML."""
    found = {(one.kind, one.about): one for one in findings(told)}
    tools = [
        _case("verdict", name, found.get((tool.verdict, name)), told)
        for name, tool in told.result.tools.items()
    ]
    others = [
        _case(one.kind, one.about, one, told)
        for one in found.values()
        if one.kind in {"undeclared", "never-seen", "deviation"}
    ]
    captures = [_capture(file) for file in told.result.files]
    suites = [
        _suite("verdicts", tools),
        _suite("policy", others),
        _suite("captures", captures),
    ]
    counts = _counts(tools + others + captures)
    body = "\n".join(suites)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {counts}>\n{body}\n</testsuites>\n'
    return text.encode()


def _suite(name: str, cases: list[str]) -> str:
    inner = "\n".join(cases)
    return f'<testsuite name="optout.{name}" {_counts(cases)} skipped="{_count(cases, "skipped")}">\n{inner}\n</testsuite>'  # noqa: E501 - one line of XML


def _counts(cases: list[str]) -> str:
    return f'tests="{len(cases)}" failures="{_count(cases, "failure")}" errors="{_count(cases, "error")}" time="0"'  # noqa: E501 - one line of XML


def _count(cases: list[str], outcome: str) -> int:
    return sum(f"<{outcome}" in case for case in cases)


def _case(kind: str, name: str, one: Found | None, told: Told) -> str:
    opened = f"<testcase classname={quoteattr(f'optout.{kind}')} name={quoteattr(name)}"
    if one is None:
        return f'{opened} time="0"/>'
    said = words.plain(one.says if one.waiver is None else words.of_waiver(one.waiver), 1000)
    lines = (*one.evidence[:_MOST_LINES], f"{one.place.file}:{one.place.line}")
    inner = escape("\n".join(lines))
    if fails(one, told):
        outcome = f"<failure type={quoteattr(one.kind)} message={quoteattr(said)}>{inner}</failure>"
    else:
        # The reason as text: older schemas know no `message` here, and every reader shows it.
        outcome = f"<skipped>{escape(said)}</skipped>"
    return f'{opened} time="0">{outcome}</testcase>'


def _capture(file: FileResult) -> str:
    name = quoteattr(words.plain(file.path))
    opened = f'<testcase classname="optout.capture" name={name} time="0"'
    whys = [f"entry {one.index}: {words.plain(one.why)}" for one in file.unreadable]
    whys += [words.plain(file.problem)] if file.problem else []
    if not whys:
        return f"{opened}/>"
    message = quoteattr(f"{file.read} of {file.entries} entries read")
    inner = escape("\n".join(whys[:_MOST_LINES]))
    return f'{opened}><error type="unreadable" message={message}>{inner}</error></testcase>'
