"""mitmproxy's options that enforcement depends on: what is set, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from optout_proxy.errors import OptoutError

if TYPE_CHECKING:
    from collections.abc import Collection

    from mitmproxy.options import Options

SET: Final[dict[str, object]] = {
    # Raw TCP shows nothing to any HTTP hook, and a client can ask for it with its first bytes.
    "rawtcp": False,
    # Eager connects to a host, and names it in the clear, before a request is seen.
    "connection_strategy": "lazy",
}

REFUSED: Final = ("emudhra", "emudhra_old")
"""They sign with a key that is in mitmproxy's source: anyone could read what is sent."""


def enforce(options: Options) -> None:
    """Set what enforcement needs; OptoutError where an option is on that it refuses."""
    refuse(options, options.keys())
    options.update(**SET)


def refuse(options: Options, changed: Collection[str]) -> None:
    """OptoutError where an option that is refused is on."""
    for name in REFUSED:
        if name in changed and name in options and getattr(options, name):
            raise OptoutError(f"the option {name} signs with a key that everyone has; leave it off")


def guard(options: Options, changed: Collection[str]) -> None:
    """OptoutError where a change takes away what enforcement needs."""
    refuse(options, changed)
    for name, value in SET.items():
        if name in changed and getattr(options, name) != value:
            raise OptoutError(f"Optout Proxy needs {name}={value}; it cannot be changed")


def check(wanted: Collection[str]) -> None:
    """OptoutError where options are asked for that are not the user's to set."""
    for name in (*SET, *REFUSED):
        if name in wanted:
            raise OptoutError(f"Optout Proxy sets the option {name} itself; leave it out")
