"""Fixtures for pytest: an observing proxy, and what went through it, judged.

Loaded by pytest itself (entry point `pytest11`), so nothing is to be imported. Every process of
pytest-xdist has a proxy of its own, with its own port and certificate authority.
`docs/audit.md` has an example that is run as printed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optout_proxy.audit.lens import Lens
    from optout_proxy.audit.result import Result, ToolResult
    from optout_proxy.proxy.observe import Observing

_QUIET: Final = 0.3
"""Seconds without a new flow after which a session is complete."""
_PATIENCE: Final = 10.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the configuration by which sessions are judged."""
    group = parser.getgroup("optout", "opt-outs of privacy policies")
    group.addoption("--optout-config", type=Path, help="config.toml [default: ./config.toml]")


@pytest.fixture(scope="session")
def optout_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observing]:
    """A proxy that changes nothing: `address`, and `ca_file` for clients to trust."""
    from optout_proxy.proxy.observe import Observing  # noqa: PLC0415 - mitmproxy, half a second

    running = Observing(tmp_path_factory.mktemp("optout"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def _optout_lens(request: pytest.FixtureRequest) -> Lens:
    from optout_proxy.audit.lens import Asked, load_lens  # noqa: PLC0415 - only where it is used

    return load_lens(Asked(request.config.getoption("--optout-config")))


@pytest.fixture
def optout_session(optout_proxy: Observing, _optout_lens: Lens, tmp_path: Path) -> ObservedSession:
    """What goes through the proxy during one test."""
    return ObservedSession(optout_proxy, _optout_lens, tmp_path)


class ObservedSession:
    """Traffic from here on, and what it says of opt-outs."""

    def __init__(self, proxy: Observing, lens: Lens, folder: Path) -> None:
        self.proxy = proxy
        self._lens = lens
        self._folder = folder
        self._start = self._size()

    def restart(self) -> None:
        """Forget what went through so far: only what comes after an opt-out is judged by it."""
        self._settle()
        self._start = self._size()

    def save(self, path: Path) -> Path:
        """Write what went through so far as a flow file, to be a baseline or evidence."""
        self._settle()
        whole = self.proxy.flows.read_bytes() if self.proxy.flows.is_file() else b""
        path.write_bytes(whole[self._start :])
        return path

    def judge(self, *, baseline: Path | None = None) -> Result:
        """The audit of what went through so far."""
        from datetime import UTC, datetime  # noqa: PLC0415 - with the rest of what judging needs

        from optout_proxy.audit.result import result_of  # noqa: PLC0415
        from optout_proxy.audit.run import Job, surveyed  # noqa: PLC0415
        from optout_proxy.audit.tally import Total  # noqa: PLC0415

        seen, before = Total(), Total() if baseline else None
        seen.add(surveyed(Job(self.save(self._folder / "observed.mitm")), self._lens))
        if before is not None and baseline is not None:
            before.add(surveyed(Job(baseline), self._lens))
        return result_of(seen, before, self._lens, datetime.now(UTC).date())

    def assert_honoured(self, *tools: str, baseline: Path | None = None) -> None:
        """Fail unless the opt-out of each tool is honoured, or delivered as a signal."""
        __tracebackhide__ = True
        result = self.judge(baseline=baseline)
        unknown = [name for name in tools if name not in result.tools]
        if unknown:
            pytest.fail(f"you did not opt out of {', '.join(unknown)}: see your config.toml")
        bad = [
            _told(name, result.tools[name])
            for name in tools
            if result.tools[name].verdict not in {"honoured", "signal-delivered"}
        ]
        if bad:
            pytest.fail("\n".join(bad), pytrace=False)

    def assert_not_violated(self, *tools: str) -> None:
        """Fail where any of these tools, or of all without names, violated its opt-out."""
        __tracebackhide__ = True
        result = self.judge()
        bad = [
            _told(name, tool)
            for name, tool in result.tools.items()
            if tool.verdict == "violated" and (not tools or name in tools)
        ]
        if bad:
            pytest.fail("\n".join(bad), pytrace=False)

    def assert_no_undeclared(self) -> None:
        """Fail where a tracker was seen that the policy does not name."""
        __tracebackhide__ = True
        from optout_proxy.audit.reports import words  # noqa: PLC0415

        result = self.judge()
        found = [one for one in result.undeclared if one.waiver is None]
        if found:
            pytest.fail("\n".join(map(words.of_undeclared, found)), pytrace=False)

    def _size(self) -> int:
        return self.proxy.flows.stat().st_size if self.proxy.flows.is_file() else 0

    def _settle(self) -> None:
        """Wait until nothing new is written: requests outlive the step that caused them."""
        until, size = time.monotonic() + _PATIENCE, -1
        while size != self._size() and time.monotonic() < until:
            size = self._size()
            time.sleep(_QUIET)


def _told(name: str, tool: ToolResult) -> str:
    """A verdict with its request, rule and line."""
    from optout_proxy.audit.reports import words  # noqa: PLC0415

    lines = [f"{name}: {tool.verdict} ({tool.reason}): {tool.says}"]
    decided = [one for one in tool.evidence if one.reason == tool.reason]
    lines += [f"  {words.of_evidence(one)}" for one in decided[:5]]
    if tool.rule is not None:
        lines.append(f"  rule {tool.rule.file}:{tool.rule.line}  {tool.rule.text}")
    return "\n".join(lines)
