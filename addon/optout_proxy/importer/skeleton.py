"""The beginning of a tool file for a tool that a policy declares and we cannot recognise yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from optout_proxy.errors import InputError
from optout_proxy.hosts import host_of, site_of
from optout_proxy.registry.toml_table import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.importer.imported import Entry, Imported


def skeleton(imported: Imported, tool: str, today: str) -> str:
    """A tool file with what the policy tells, and gaps where facts must be found out."""
    entries = {entry.tool.id: entry for entry in imported.entries}
    if tool not in entries:
        raise InputError(imported.file, f'declares no tool "{tool}"', right=suggest(tool, entries))
    return "\n".join(_lines(entries[tool], imported, today)) + "\n"


def _lines(entry: Entry, imported: Imported, today: str) -> Iterator[str]:
    tool = entry.tool
    fields = (tool.privacy_policy, tool.terms, tool.opt_out)
    urls = list(
        dict.fromkeys(it.url for field in fields for it in field.links if "@" not in it.url)
    )
    sites = list(dict.fromkeys(site_of(host_of(url)) for url in urls))
    host = sites[0] if sites else "host.example"
    yield f"# {tool.name}: what it is, and under which names it is met on the wire."
    yield f"# Declared on lines {tool.lines[0]}-{tool.lines[1]} of the policy with the SHA-256"
    yield f"# {imported.source.sha256}. docs/tool-files.md has the form."
    yield ""
    yield f"name = {_string(tool.name)}"
    yield f"operator = {_string(tool.name)}   # who runs it: to be found out"
    yield "# The sites of the links that the policy gives: to be checked."
    yield f"operator_sites = {json.dumps(sites)}"
    yield "# Or: tag-manager search advertising survey social heatmap research prototype forms."
    yield 'category = "analytics"'
    yield 'recommended = "block"'
    yield f"why = {_string(_why(entry))}"
    yield f"reviewed = {today}"
    yield f"sources = {json.dumps(urls or [imported.source.url or 'https://to-be-found.example/'])}"
    yield ""
    yield "[rules]"
    yield "# Each rule needs an example below that only it satisfies; docs/tool-files.md says more."
    yield "# loads = '''"
    yield f"# ||{host}/script.js$third-party"
    yield "# '''"
    yield "# collects = '''"
    yield f"# ||collect.{host}^$third-party"
    yield "# '''"
    yield ""
    yield "[express]"
    yield from _express(entry)
    yield ""
    yield "# [[example]]"
    yield f'# url = "https://{host}/script.js"'
    yield '# type = "script"'
    yield '# role = "loads"'


def _why(entry: Entry) -> str:
    purpose = " ".join(entry.tool.purpose.text.split())[:160]
    return f"To be said; the policy's purpose: {purpose}" if purpose else "To be said."


def _express(entry: Entry) -> Iterator[str]:
    opt_out = entry.tool.opt_out
    kinds = ", ".join(opt_out.kinds) or opt_out.state
    pages = [link.url for link in opt_out.links if link.url.startswith("http")]
    yield "exists = false   # as long as nobody has tried it"
    yield f"says = {_string(f'To be tried; the policy says: {kinds}.')}"
    if pages:
        yield f"pages = {json.dumps(pages)}"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
