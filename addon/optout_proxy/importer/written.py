"""A policy file as a person would write it: what fits on a line stands on one."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Final

from optout_proxy.importer.policy import as_policy
from optout_proxy.registry.policy_file import FIELDS, OptOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optout_proxy.importer.imported import Entry, Imported
    from optout_proxy.registry.policy_file import (
        DeclaredTool,
        Field,
        Lines,
        Link,
        Mention,
        Policy,
        Statement,
    )

_WIDTH: Final = 100
_RULE: Final = "# " + "-" * 93


def written(imported: Imported, today: str) -> str:
    """Write a policy file from an import; whoever reviews it rewords its texts."""
    policy = as_policy(imported)
    parts = [_head(imported, policy, today)]
    if imported.entries:
        count = len(imported.entries)
        said = f"The {count} tools it declares" if count > 1 else "The tool it declares"
        parts.append(_title(f"{said}, in its order."))
        parts.append(
            "\n\n\n".join(tool_block(entry, tool) for entry, tool in _tools(imported, policy))
        )
    if policy.also_mentioned:
        parts.append(_title("Services it speaks of without declaring them as tools."))
        parts.append("\n\n".join(_mention(it) for it in policy.also_mentioned))
    if policy.statements:
        told = (
            "What else it states, and what somebody outside can do about it:",
            '  "enforce"  it can be made to hold, whatever the publisher does;',
            '  "verify"   traffic can show whether it is true;',
            '  "nothing"  it happens on other people\'s servers, out of reach and out of sight.',
        )
        parts.append(_title(*told))
        parts.append("\n\n".join(_statement(it) for it in policy.statements))
    return "\n\n".join(parts).rstrip("\n") + "\n"


def _tools(imported: Imported, policy: Policy) -> Iterable[tuple[Entry, DeclaredTool]]:
    return zip(imported.entries, policy.tools, strict=True)


def _title(*lines: str) -> str:
    return "\n".join(("", _RULE, *(f"# {line}".rstrip() for line in lines), _RULE))


def _head(imported: Imported, policy: Policy, today: str) -> str:
    lines = [
        f"# The {_one_line(policy.name)} privacy policy: what it declares.",
        "#",
        "# `lines` are first and last line of each passage in the source document. A field of a",
        '# tool is stated unless its `state` says otherwise: "na" (the policy writes N/A), "empty"',
        '# (a label and nothing after it) or "absent" (no such field).',
        "#",
        f"# Imported on {today}. Its texts are the document's until somebody words them anew.",
    ]
    if notes := imported.warnings:
        lines += ["#", "# To look at:"]
        lines += [line for note in notes[:40] for line in _comment(f"- {note}", "  ")]
    lines += ["", f"name = {_string(policy.name)}", f"sites = {_strings(policy.sites)}"]
    if policy.effective:
        lines.append(f"effective = {policy.effective}")
    lines += [f"# reviewed = {today}            # the day on which you read it through", ""]
    lines += _source(policy)
    if policy.contact:
        lines += ["", *_table("contact", policy.contact)]
    if policy.changes:
        lines += ["", "[changes]", f"notice_days = {policy.changes.notice_days}"]
        lines += [_text(policy.changes.text), _lines(policy.changes.lines)]
    return "\n".join(lines)


def _source(policy: Policy) -> Iterator[str]:
    source = policy.source
    yield "[source]"
    yield f'sha256 = "{source.sha256}"'
    yield f"lines = {source.lines}"
    if source.url:
        yield f"url = {_string(source.url)}"
    if source.snapshot:
        yield f"snapshot = {_string(source.snapshot)}"
    if source.archived:
        yield f"archived = {source.archived}"


# --- A tool ---------------------------------------------------------------------------------------


def tool_block(entry: Entry, tool: DeclaredTool) -> str:
    """The `[[tool]]` of an entry: fields that fit on a line first, then those that are tables."""
    lines = ["[[tool]]", *_found(entry), f"id = {_string(tool.id)}", f"name = {_string(tool.name)}"]
    lines.append(_lines(tool.lines))
    tables: list[str] = []
    for name in FIELDS:
        field = tool.fields[name]
        short = f"{name} = {_inline(field)}"
        if len(short) <= _WIDTH and "\n" not in short:
            lines.append(short)
        else:
            tables += ["", *_table(f"tool.{name}", field)]
    if tool.limits:
        tables += ["", "[tool.limits]", f"pages = {_string(tool.limits.pages)}"]
        tables += [f"since = {tool.limits.since}"] if tool.limits.since else []
        tables.append(_lines(tool.limits.lines))
    return "\n".join([*lines, *tables])


def _found(entry: Entry) -> Iterator[str]:
    known = "" if entry.recognised else "; no tool file recognises it yet"
    yield f"# Found by {entry.found} ({entry.sure}){known}."
    for extra in entry.extras[:20]:
        under = f' under "{extra.label}"' if extra.label else ""
        said = f"It also says{under}, on {_on(extra.lines)}: {extra.text[:300]}"
        yield from _comment(said)
    for other in entry.elsewhere:
        said = f'Named again on {_on(other.lines)}, as "{other.label}"'
        yield from _comment(f"{said}; {other.text}" if other.text else f"{said}.")


def _on(lines: Lines) -> str:
    return f"line {lines[0]}" if lines[0] == lines[1] else f"lines {lines[0]}-{lines[1]}"


def _inline(field: Field) -> str:
    return f"{{ {', '.join(_pairs(field))} }}"


def _pairs(field: Field) -> Iterator[str]:
    if field.state != "stated":
        yield f'state = "{field.state}"'
    if isinstance(field, OptOut) and field.kinds:
        yield f"kinds = {_strings(field.kinds)}"
    if field.text:
        yield f"text = {_string(field.text)}"
    if field.links:
        yield f"links = [{', '.join(_link(link) for link in field.links)}]"
    if field.lines:
        yield _lines(field.lines)


def _table(name: str, field: Field) -> Iterator[str]:
    yield f"[{name}]"
    if field.state != "stated":
        yield f'state = "{field.state}"'
    if isinstance(field, OptOut) and field.kinds:
        yield f"kinds = {_strings(field.kinds)}"
    if field.text:
        yield _text(field.text)
    if field.links:
        yield _links(field.links)
    if field.lines:
        yield _lines(field.lines)


# --- The rest -------------------------------------------------------------------------------------


def _mention(mention: Mention) -> str:
    lines = ["[[also_mentioned]]", f"id = {_string(mention.id)}", f"name = {_string(mention.name)}"]
    lines.append(_text(mention.text))
    lines += [_links(mention.links)] if mention.links else []
    places = ", ".join(f"[{first}, {last}]" for first, last in mention.mentions)
    return "\n".join([*lines, f"mentions = [{places}]"])


def _statement(statement: Statement) -> str:
    lines = ["[[statement]]", f"id = {_string(statement.id)}", _text(statement.text)]
    lines += [f'outside = "{statement.outside}"', f"how = {_string(statement.how)}"]
    return "\n".join([*lines, _lines(statement.lines)])


def _lines(lines: Lines) -> str:
    return f"lines = [{lines[0]}, {lines[1]}]"


def _links(links: Iterable[Link]) -> str:
    inner = [_link(link) for link in links]
    short = f"links = [{', '.join(inner)}]"
    if len(short) <= _WIDTH or len(inner) == 1:
        return short
    return "links = [\n" + "".join(f"  {link},\n" for link in inner) + "]"


def _link(link: Link) -> str:
    pairs = [f"text = {_string(link.text)}", f"url = {_string(link.url)}"]
    pairs += ["assumed_scheme = true"] if link.assumed_scheme else []
    pairs += [f"archived_as = {_string(link.archived_as)}"] if link.archived_as else []
    return f"{{ {', '.join(pairs)} }}"


def _strings(values: Iterable[str]) -> str:
    return f"[{', '.join(_string(value) for value in values)}]"


def _string(value: str) -> str:
    """A text on one line; in single quotes where that saves escapes."""
    if '"' in value and not re.search(r"['\\\x00-\x1f\x7f]", value):
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(text: str) -> str:
    short = f"text = {_string(text)}"
    if len(short) <= _WIDTH and "\n" not in text:
        return short
    paragraphs = [_wrapped(part) for part in text.split("\n")]
    return 'text = """\n' + "\n".join(paragraphs) + '"""'


def _wrapped(text: str) -> str:
    """A paragraph over several lines, each but the last ending in a backslash."""
    escaped = json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
    if "\\\\" not in escaped:
        # Only three quotation marks in a row, or one at the end, must be escaped here.
        escaped = re.sub(r'\\"(?!\\"|$)', '"', escaped)
    lines = [""]
    for word in escaped.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        # A line must neither begin nor end in a second space, which TOML would take away.
        if len(longer) > _WIDTH - 4 and word and lines[-1] and not lines[-1].endswith(" "):
            lines.append(word)
        else:
            lines[-1] = longer
    return " \\\n".join(lines)


def _comment(text: str, indent: str = "") -> Iterator[str]:
    lines = textwrap.wrap(_one_line(text), _WIDTH - 4 - len(indent), break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"# {indent if number else ''}{line}"


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
