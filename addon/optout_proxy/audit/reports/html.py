"""HTML: one file that holds everything, needs no script, and can be printed.

Whatever the audited site wrote is escaped and is never a link: a report is opened on the machine of
somebody who does not expect that site to act there.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from optout_proxy import __version__
from optout_proxy.audit.reports import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optout_proxy.audit.reports import Told
    from optout_proxy.audit.result import Result, ToolResult
    from optout_proxy.audit.tally import Evidence

_MOST: Final = 500
_WIDTH: Final = 160
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5c5c66; --paper: #fff; --line: #d9d9e0;
  --bad: #b3261e; --doubt: #8a5a00; --good: #14652f; --told: #0b5a80; --idle: #5c5c66;
  --bar: #3d6fb4; --before: #b9c3d3; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #a5a5b0; --paper: #17171b;
  --line: #3a3a42; --bad: #ff8a80; --doubt: #ffc766; --good: #7fd89a; --told: #7cc7ee;
  --idle: #a5a5b0; --bar: #7ea8e6; --before: #4d5566; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 0 auto; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; display: inline; }
p { margin: .25rem 0; } .soft { color: var(--soft); } ul { padding-left: 1.2rem; margin: .25rem 0; }
code { font: .85em/1.4 ui-monospace, monospace; }
.tool { border-top: 1px solid var(--line); padding: .75rem 0; display: grid; gap: .25rem 1rem;
  grid-template-columns: minmax(0, 1fr) 170px; break-inside: avoid-page; }
.tool > details { grid-column: 1 / -1; }
p:not(.verdict)::first-letter { text-transform: uppercase; }
.verdict { font-weight: 600; } .violated { color: var(--bad); }
.inconclusive { color: var(--doubt); }
.honoured { color: var(--good); } .signal-delivered { color: var(--told); }
.not-exercised { color: var(--idle); }
summary { cursor: pointer; color: var(--soft); } svg { display: block; width: 160px; height: 40px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg .now { fill: var(--bar); } svg .before { fill: var(--before); }
@media (max-width: 40rem) { body { padding: 1rem; } .tool { grid-template-columns: 1fr; } }
@media print { body { max-width: none; padding: 0; font-size: 11pt; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  summary { list-style: none; } }
"""


def write(told: Told) -> bytes:
    """The result as one HTML document."""
    result = told.result
    title = "Opt-outs: what these captures show"
    parts = (
        f"<h1>{_e(title)}</h1>",
        f"<p>{_e(words.headline(result))}</p>",
        f"<p class=soft>Policy: {_e(', '.join(result.policy) or 'none')}</p>",
        "<h2>Tools</h2>",
        *(_tool(name, tool, _most(result)) for name, tool in result.tools.items()),
        *_others(result),
        _captures(result),
        "<h2>Limits</h2>",
        _list((*result.notes, *words.LIMITS)),
        f"<p class=soft>optout-proxy {_e(__version__)}</p>",
    )
    head = (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>{_e(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    return (head + "\n".join(parts) + "\n</body>\n</html>\n").encode("utf-8", "replace")


def _e(text: str) -> str:
    return html.escape(words.plain(text, 2000))


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_e(item)}</li>" for item in items) + "</ul>"


def _most(result: Result) -> int:
    """The hits that fill the width of a chart: all tools are drawn to one measure."""
    counts = [max(tool.hits, tool.baseline_hits or 0) for tool in result.tools.values()]
    return max(counts, default=1) or 1


def _tool(name: str, tool: ToolResult, most: int) -> str:
    waiver = f"<p class=soft>{_e(words.of_waiver(tool.waiver))}</p>" if tool.waiver else ""
    declared = tool.declared or "declared by no policy"
    return (
        f'<section class=tool id="{_e(name)}"><div><h3>{_e(tool.name)}</h3> '
        f"<span class=soft>{_e(tool.level)}; {_e(declared)}</span>"
        f'<p class="verdict {_e(tool.verdict)}">{_e(tool.verdict)}</p>'
        f"<p>{_e(tool.says)}</p>{waiver}</div>{_chart(tool, most)}{_details(tool)}</section>"
    )


def _chart(tool: ToolResult, most: int) -> str:
    """Hits now, and in the baseline, as two bars."""
    before = tool.baseline_hits
    bars = [_bar("now", tool.hits, most, 0)]
    spoken = f"{tool.hits} hits"
    if before is not None:
        bars.append(_bar("before", before, most, 20))
        spoken += f", {before} in the baseline"
    return f'<svg viewBox="0 0 160 40" role=img aria-label="{_e(spoken)}">{"".join(bars)}</svg>'


def _bar(kind: str, count: int, most: int, top: int) -> str:
    width = max(round((_WIDTH - 80) * count / most, 1), 1 if count else 0)
    return (
        f'<rect class={kind} x=0 y={top + 2} width="{width}" height=14></rect>'
        f'<text x="{width + 4}" y={top + 13}>{count} {kind}</text>'
    )


def _details(tool: ToolResult) -> str:
    facts = [
        *(f"{finding}: {words.many(count, 'hit')}" for finding, count in tool.findings.items()),
        *(
            f"told apart by {name}: {words.many(n, 'request')}"
            for name, n in list(tool.identifiers.items())[:12]
        ),
        *(f"said {flag}: {words.many(n, 'hit')}" for flag, n in list(tool.flags.items())[:12]),
        *(_cookie(name, days) for name, days in list(tool.cookies.items())[:12]),
        *(f"deviates: {one.why}: {one.page}" for one in tool.deviations),
    ]
    if tool.opt_out.says:
        facts.append(f"its own opt-out: {tool.opt_out.says}")
    evidence = "".join(_request(one) for one in tool.evidence)
    return (
        f"<details><summary>{_summary(tool)}</summary>{_list(facts)}<ul>{evidence}</ul></details>"
    )


def _summary(tool: ToolResult) -> str:
    return f"Evidence: {len(tool.evidence)} of {tool.hits} requests" if tool.hits else "More"


def _cookie(name: str, days: float | None) -> str:
    return f"set {name} for " + ("the session" if days is None else f"{days:.0f} days")


def _request(one: Evidence) -> str:
    rule = f"{one.rule.file}:{one.rule.line} {one.rule.text}" if one.rule else ""
    return (
        f"<li>{_e(one.verdict or '')} ({_e(one.reason or '')}) at {_e(one.started)} on "
        f"{_e(one.page or 'an unknown page')}<br><code>{_e(words.of_evidence(one))}</code>"
        f"<br><code class=soft>{_e(rule)}</code></li>"
    )


def _others(result: Result) -> Iterable[str]:
    where = "on the policy's pages" if result.undeclared_on == "policy" else "on any page"
    undeclared = [words.of_undeclared(one) for one in result.undeclared[:_MOST]]
    never = [words.of_never_seen(one) for one in result.never_seen]
    canary = [
        f"{one.host} ({one.tool or 'no tool'}): {one.found}; {one.file}, entry {one.index}"
        for one in result.canary
    ]
    waivers = [f"ended: {words.of_waiver(one)}" for one in result.expired_waivers]
    waivers += [f"not needed: {words.of_waiver(one)}" for one in result.unused_waivers]
    for title, lines in (
        (f"Undeclared, {where}: {len(result.undeclared)}", undeclared),
        (f"Declared, never seen: {len(never)}", never),
        (f"Received the canary: {len(canary)}", canary),
        (f"Waivers to look at: {len(waivers)}", waivers),
    ):
        if lines:
            yield f"<h2>{_e(title)}</h2>{_list(lines)}"


def _captures(result: Result) -> str:
    lines = []
    for file in (*result.files, *result.baseline)[:_MOST]:
        unread = f"; {file.problem}" if file.problem else ""
        unread += f"; {len(file.unreadable)} unreadable" if file.unreadable else ""
        lines.append(f"{file.path}: {file.read} of {file.entries} entries read{unread}")
    return f"<h2>Captures</h2>{_list(lines)}"
