"""The command `optout`. Every subcommand is a module of its own, imported when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from optout_proxy import __version__
from optout_proxy.errors import EvidenceError, OptoutError

_COMMANDS: Final = {
    "audit": "optout_proxy.cli.audit",
    "browse": "optout_proxy.cli.browse",
    "bundle": "optout_proxy.cli.bundle",
    "check": "optout_proxy.cli.check",
    "compare": "optout_proxy.cli.compare",
    "demo": "optout_proxy.cli.demo",
    "explain": "optout_proxy.cli.explain",
    "ledger": "optout_proxy.cli.evidence",
    "log": "optout_proxy.cli.log",
    "policy": "optout_proxy.cli.policy",
    "record": "optout_proxy.cli.record",
    "report": "optout_proxy.cli.report",
    "run": "optout_proxy.cli.run",
    "set": "optout_proxy.cli.choose",
    "tools": "optout_proxy.cli.tools",
}


class _Commands(click.Group):
    """Finds a subcommand by its name, so that `optout explain` does not load a proxy."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name]).command
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="optout")
def optout() -> None:
    """Make the opt-outs of a privacy policy hold.

    Exit codes: 0 done; 1 something was found; 2 wrong usage, configuration or file; 3 an audit that
    cannot tell; 4 evidence that does not verify; 5 an audit with nothing to judge.
    """


def main() -> None:
    """Run a command; what we refuse with a sentence ends with that sentence and its exit code."""
    try:
        optout(prog_name="optout")
    except EvidenceError as error:
        click.echo(f"optout: {error}", err=True)
        sys.exit(4)
    except OptoutError as error:
        click.echo(f"optout: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
