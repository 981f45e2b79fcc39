"""Markdown: the summary of a build step; under GitHub's limit of 1 MiB whatever is found."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from optout_proxy.audit.reports import words
from optout_proxy.audit.reports.findings import findings

if TYPE_CHECKING:
    from optout_proxy.audit.reports import Told

_MOST: Final = 200
_MEANING: Final = re.compile(r"([\\`*_{}\[\]()#+\-!|~@:])")


def write(told: Told) -> bytes:
    """Verdicts as a table, then what else was found."""
    result = told.result
    lines = ["### Opt-outs", "", _safe(words.headline(result)), ""]
    lines += [
        "| tool | level | verdict | hits | before | why |",
        "| --- | --- | --- | --: | --: | --- |",
    ]
    for name, tool in result.tools.items():
        before = "" if tool.baseline_hits is None else str(tool.baseline_hits)
        cells = (name, tool.level, tool.verdict, str(tool.hits), before, tool.says)
        lines.append(f"| {' | '.join(_safe(cell) for cell in cells)} |")
    others = [one for one in findings(told) if one.kind not in {"inconclusive", "not-exercised"}]
    lines += ["", *(f"- **{_safe(one.kind)}** {_safe(one.says)}" for one in others[:_MOST])]
    if len(others) > _MOST:
        lines.append(f"- and {len(others) - _MOST} more")
    lines += ["", *(f"_{_safe(limit)}_" for limit in words.LIMITS), ""]
    return "\n".join(lines).encode()


def _safe(text: str) -> str:
    """Text that Markdown shows as it is, with no link, mention, code or markup in it."""
    escaped = html.escape(words.plain(text, 600), quote=False)
    return _MEANING.sub(lambda found: f"&#{ord(found[1])};", escaped)
