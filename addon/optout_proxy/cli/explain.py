"""`optout explain`: what would be done about a request, and why."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

import click
import msgspec

from optout_proxy.cli import options
from optout_proxy.errors import InputError, OptoutError
from optout_proxy.hosts import host_of
from optout_proxy.model import LEVELS, TYPES, Decision, Level, Removed, Request, RuleRef, Type
from optout_proxy.registry import load

if TYPE_CHECKING:
    from pathlib import Path

    from optout_proxy.engine import Engine


class Asked(msgspec.Struct, frozen=True):
    """One line of a batch."""

    url: str
    page: str = ""
    type: Type | None = None
    method: str = "GET"
    headers: list[tuple[str, str]] = []
    body: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """One line of the answer."""

    url: str
    page: str
    type: Type
    tool: str | None
    role: str | None
    level: str
    action: str
    reason: str
    send: str | None
    """The URL as it would be sent; None where nothing is."""
    removed: Removed
    rule: RuleRef | None


def explained(request: Request, decision: Decision, engine: Engine) -> Explanation:
    """What a decision says, with what the proxy would not even see."""
    reason = decision.reason
    if not engine.inspects(request.host) and request.url.startswith("https:"):
        reason += f' (TLS to {request.host} is not opened with inspect = "minimal".)'
    sent = decision.send.url if decision.send else request.url
    return Explanation(
        url=request.url,
        page=request.page,
        type=request.type,
        tool=decision.tool,
        role=decision.role,
        level=decision.level,
        action=decision.action,
        reason=reason,
        send=None if decision.stops else sent,
        removed=decision.removed,
        rule=decision.rule,
    )


@click.command()
@click.argument("url", required=False)
@click.option("--page", default=None, help="URL of the page that asks for it.")
@click.option("--type", "kind", type=click.Choice(TYPES), help="What it is asked for as.")
@click.option("--method", default="GET", show_default=True)
@click.option("--level", type=click.Choice(LEVELS), help="Answer as if every tool had this level.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--batch", type=click.File("rb"), help="JSON objects, one a line; - for stdin.")
@options.config
def command(
    url: str | None,
    page: str | None,
    kind: Type | None,
    method: str,
    level: Level | None,
    as_json: bool,
    batch: IO[bytes] | None,
    config: Path | None,
) -> None:
    """Say what would be done about URL, and why.

    With --batch FILE: for each line {"url", "page", "type", "method"?, "headers"? as pairs,
    "body"?} one JSON object a line, in order.
    """
    if (url is None) == (batch is None):
        raise click.UsageError("give either a URL or --batch FILE")
    registry = load(config)
    engine = registry.at(level) if level else registry.engine
    if batch is not None:
        _explain_all(engine, batch)
        return
    asked = Asked(url or "", page or "", kind, method.upper())
    if not host_of(asked.url):
        raise OptoutError(f"{asked.url!r} is no absolute URL: write it with https://")
    answer = _explain(engine, asked)
    if as_json:
        click.echo(msgspec.json.encode(answer))
    else:
        _print(answer)


def _explain(engine: Engine, asked: Asked) -> Explanation:
    request = engine.name(
        asked.url,
        method=asked.method.upper(),
        headers=tuple((_bytes(name), _bytes(value)) for name, value in asked.headers),
        page=asked.page if asked.page or not asked.headers else None,
        type=asked.type,
        body=asked.body.encode() if asked.body else None,
    )
    return explained(request, engine.decide(request), engine)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _explain_all(engine: Engine, lines: IO[bytes]) -> None:
    decoder = msgspec.json.Decoder(Asked)
    encoder = msgspec.json.Encoder()
    out = sys.stdout.buffer
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            asked = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            out.flush()
            right = 'one object a line: {"url": …, "page": …, "type": …}'
            file = getattr(lines, "name", "<stdin>")
            raise InputError(file, str(error), line=number, right=right) from None
        out.write(encoder.encode(_explain(engine, asked)) + b"\n")
    out.flush()


def _print(answer: Explanation) -> None:
    rule = answer.rule
    rows = {
        "request": f"{answer.type} {answer.url}",
        "page": answer.page or "unknown",
        "tool": f"{answer.tool or 'none'}" + (f" ({answer.role})" if answer.role else ""),
        "level": answer.level,
        "action": answer.action,
        "why": answer.reason,
        "sent": answer.send or "nothing",
        "removed": ", ".join(_removed(answer.removed)) or "nothing",
        "rule": f"{rule.file}:{rule.line}  {rule.text}" if rule else "",
    }
    for name, value in rows.items():
        if value:
            click.echo(f"{click.style(f'{name:<8}', bold=True)}  {_printable(value)}")


def _printable(text: str) -> str:
    """Text from outside without what would steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _removed(removed: Removed) -> list[str]:
    kinds = ("cookie", removed.cookies), ("parameter", removed.params), ("header", removed.headers)
    return [f"{kind} {name}" for kind, names in kinds for name in names]
