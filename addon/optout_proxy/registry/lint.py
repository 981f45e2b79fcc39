"""The linter: every tool file is held to its own examples, against all other tool files.

Run it with `python -m optout_proxy.registry.lint [FOLDER | FILE …]` or as part of `optout check`.
It refuses: an example that fails; a rule that no example needs (taking it away must fail one);
a stand-in that does not exist or that nobody uses; a host rule that would stop the operator's own
site; a type on a rule that must not need one; anything that looks like a real person's identifier.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy import shipped
from optout_proxy.engine import Choices, Engine
from optout_proxy.engine.ladder import action_for
from optout_proxy.errors import InputError
from optout_proxy.model import LEVELS, Decision, Level, Request, RuleRef
from optout_proxy.registry.tool_file import Example, Expected, ToolFile, load_all
from optout_proxy.resources import Resources, load_resources
from optout_proxy.rules.rule import parse_rule, split_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from optout_proxy.engine.tool import Tool

_TYPED_FREELY: Final = frozenset({"widgets", "visits", "permits"})
_TELLING: Final[tuple[Level, ...]] = ("strip", "signal")
_REAL: Final = (
    re.compile(r"GA1\.\d\.\d{6,10}\.\d{9,10}"),
    re.compile(r"fb\.1\.1[5-9]\d{11}\.\d{8,}"),
    re.compile(r"(?<![/:@\w.+-])[\w.+-]+@(?!example\.)[A-Za-z0-9-]+\.[a-z]{2,}"),
    re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"),
)
"""Forms of identifiers that a careless example could carry over from a real capture."""


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with a tool file."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def lint(files: Sequence[ToolFile], resources: Resources) -> list[Fault]:
    """Everything wrong with some tool files, each held against all of them."""
    bench = _Bench(files, resources)
    faults = [fault for file in files for fault in bench.faults(file)]
    return [*faults, *_unused(files, resources)]


class _Bench:
    """Engines to try examples on, one a level."""

    def __init__(self, files: Sequence[ToolFile], resources: Resources) -> None:
        self._tools = [file.tool for file in files]
        self._resources = resources
        self._engines = {level: self._engine(self._tools, level) for level in LEVELS}

    def _engine(self, tools: Iterable[Tool], level: Level) -> Engine:
        choices = Choices(every=level, inspect="all", gpc=False)
        return Engine(tools, choices, self._resources)

    def faults(self, file: ToolFile) -> Iterator[Fault]:
        yield from _form(file, self._resources)
        broken = False
        for example in file.examples:
            for fault in self._failures(file, example, self._engines):
                broken = True
                yield fault
        if not broken:
            yield from self._needless(file)

    def _failures(
        self, file: ToolFile, example: Example, engines: dict[Level, Engine]
    ) -> Iterator[Fault]:
        for level, engine in engines.items():
            request = request_of(engine, example)
            decision = engine.decide(request)
            for what in _wrong(file, example, level, decision):
                yield Fault(file.file, example.line, f"example at {level!r}: {what}")

    def _needless(self, file: ToolFile) -> Iterator[Fault]:
        """Rules that no example needs: without them no more examples fail.

        Only this tool is in force, since two tools may take the same cookie.
        """
        others = [tool for tool in self._tools if tool is not file.tool]
        before = self._failing(file, others, file.tool)
        for ref, without in _each_left_out(file.tool):
            if self._failing(file, others, without) <= before:
                yield Fault(ref.file, ref.line, f"no example needs {ref.text!r}")

    def _failing(self, file: ToolFile, others: list[Tool], tool: Tool) -> set[Fault]:
        engines = {
            level: Engine(
                [*others, tool],
                Choices(levels={tool.id: level}, inspect="all", gpc=False),
                self._resources,
            )
            for level in _TELLING
        }
        return {
            fault for example in file.examples for fault in self._failures(file, example, engines)
        }


def request_of(engine: Engine, example: Example) -> Request:
    """The request of an example."""
    return engine.name(
        example.url,
        method=example.method,
        headers=tuple((name.encode(), value.encode()) for name, value in example.headers),
        page=example.page,
        type=example.type,
        body=example.body.encode() or None,
    )


def _wrong(file: ToolFile, example: Example, level: Level, decision: Decision) -> Iterator[str]:
    """What an example promises that is not so."""
    mine = decision.tool == file.tool.id
    if example.role == "none":
        if mine and decision.role:
            yield f"is taken for {file.tool.id} by {_shown(decision.rule)}"
        return
    if example.role == "identity":
        yield from _wrong_removal(example, level, decision)
        return
    if not mine or decision.role != example.role:
        is_now = f"{decision.tool} {decision.role}" if decision.tool else "nobody's"
        yield f"should be {example.role} of {file.tool.id}, is {is_now} by {_shown(decision.rule)}"
        return
    if decision.action != (wanted := _promised(example, level, decision)):
        yield f"should be {wanted!r}, is {decision.action!r}"
    sent = decision.send.url if decision.send else example.url
    promised_url = {"strip": example.strip_url, "signal": example.signal_url}.get(level)
    if promised_url and sent != promised_url:
        yield f"should be sent as {promised_url}, is sent as {sent}"
    if level == "strip" and example.removes is not None:
        yield from _wrong_names(example.removes, decision)


def _promised(example: Example, level: Level, decision: Decision) -> str:
    if example.actions:
        return example.actions[LEVELS.index(level)]
    modifier = parse_rule(decision.rule.text).options.modifier if decision.rule else ""
    return action_for(decision.role or "collects", level, modifier)


def _wrong_removal(example: Example, level: Level, decision: Decision) -> Iterator[str]:
    if decision.stops:
        yield f"is stopped by {_shown(decision.rule)}; an identity example goes on"
    elif level in {"strip", "block"}:
        yield from _wrong_names(example.removes or Expected(), decision)
    elif decision.removed:
        yield f"removes {decision.removed} already"


def _wrong_names(wanted: Expected, decision: Decision) -> Iterator[str]:
    for kind in Expected.__struct_fields__:
        promised, removed = getattr(wanted, kind), getattr(decision.removed, kind)
        if sorted(promised) != sorted(removed):
            yield f"should remove {kind} {sorted(promised)}, removes {sorted(removed)}"


def _shown(ref: RuleRef | None) -> str:
    return f"{ref.text!r} ({ref.file}:{ref.line})" if ref else "no rule"


def _each_left_out(tool: Tool) -> Iterator[tuple[RuleRef, Tool]]:
    """The tool without each of its rules in turn."""
    for n, (_, ref) in enumerate(tool.rules):
        rules = (*tool.rules[:n], *tool.rules[n + 1 :])
        yield ref, msgspec.structs.replace(tool, rules=rules)
    for n, ref in enumerate(tool.identity):
        identity = (*tool.identity[:n], *tool.identity[n + 1 :])
        yield ref, msgspec.structs.replace(tool, identity=identity)
    for n, (_, ref) in enumerate(tool.bodies):
        bodies = (*tool.bodies[:n], *tool.bodies[n + 1 :])
        yield ref, msgspec.structs.replace(tool, bodies=bodies)


def _form(file: ToolFile, resources: Resources) -> Iterator[Fault]:
    """What is wrong with a file's rules and values before any of them is tried."""
    for role, ref in file.tool.rules:
        rule = parse_rule(ref.text)
        options = rule.options
        if options.modifier == "redirect" and resources.get(options.value) is None:
            yield Fault(ref.file, ref.line, f"there is no stand-in {options.value!r}")
        if options.typed and role not in _TYPED_FREELY and not _needs_type(options.value, ref):
            yield Fault(ref.file, ref.line, "a type here lets an unknown type through; drop it")
        stops_own_site = rule.shape.host in file.tool.operator_sites and not options.party
        if stops_own_site and rule.shape.rest in {"", "^"} and role not in _TYPED_FREELY:
            yield Fault(ref.file, ref.line, "would stop the operator's own site: $third-party")
    prefix = file.tool.page.prefix
    if prefix is not None and resources.get(prefix.script) is None:
        yield Fault(file.file, 1, f"there is no prefix {prefix.script!r}")
    for example in file.examples:
        text = f"{example.url} {example.headers} {example.body}"
        if found := next((form.search(text) for form in _REAL if form.search(text)), None):
            yield Fault(file.file, example.line, f"looks like a real identifier: {found[0]!r}")


def _needs_type(value: str, ref: RuleRef) -> bool:
    """Whether the rule's type is what makes it about documents or redirectors."""
    _, _, options = split_rule(ref.text)
    names = set(options.split(","))
    return bool(names & {"document", "doc", "all"}) or "urlskip" in options or value == "allow"


def _unused(files: Sequence[ToolFile], resources: Resources) -> Iterator[Fault]:
    named = {parse_rule(ref.text).options.value for file in files for _, ref in file.tool.rules}
    named |= {file.tool.page.prefix.script for file in files if file.tool.page.prefix}
    named |= {"blocked-document.html"}
    for name in sorted(set(resources.by_name) - named):
        yield Fault(f"blocklists/…/{name}", 1, "no rule names this stand-in")


def main(arguments: list[str]) -> int:
    """Lint the shipped tool files, or only report on those named; 1 where something is wrong."""
    folder = shipped.folder() / "blocklists"
    wanted = {Path(argument).name for argument in arguments}
    try:
        files = load_all(folder)
        faults = lint(files, load_resources(folder))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    faults = [f for f in faults if not wanted or Path(f.file).name in wanted]
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
