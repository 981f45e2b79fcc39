"""What mitmproxy does for every flow that only add-ons of others would need: left out here.

Everything touched here is listed in `selftest`, which refuses to run where it has changed.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mitmproxy import connection, flow, hooks, http, optmanager
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.utils import asyncio_utils

if TYPE_CHECKING:
    from mitmproxy.proxy.commands import StartHook

_CANNOT_CHANGE: Final = (bool, int, str, type(None))
_NUMBER: Final = count()
_PROCESS: Final = uuid4().hex
_ARGUMENTS: Final[dict[type, tuple[str, ...]]] = {}


def lighten() -> None:
    """Leave out what costs and nobody here asks for; doing so again changes nothing.

    mitmproxy checks the types of every message it builds, an eighth of the time left; copies an
    option each time it looks at one, twenty times a request; lowers every header's name for each
    of the nineteen it looks up; draws 16 random bytes for each thing it numbers; names each of its
    tasks for a debugger; looks up the fields of every hook, twice; and waits until nobody holds a
    flow back, and at the end of each response until its hook is done: no add-on here does either.
    """
    http.MessageData.__post_init__ = _nothing  # type: ignore[method-assign]
    optmanager._Option.current = _current  # type: ignore[method-assign] # noqa: SLF001 - no other way in
    http.Headers.get_all = _get_all  # type: ignore[method-assign]
    http.Headers.get = _get  # type: ignore[method-assign,assignment]
    http.Headers.__contains__ = _contains  # type: ignore[method-assign,assignment]
    for module in (flow, connection):
        vars(module)["uuid"] = SimpleNamespace(uuid4=_another)
    asyncio_utils.set_task_debug_info = _no_debug_info
    hooks.Hook.args = _args  # type: ignore[method-assign]
    ProxyConnectionHandler.handle_hook = _handle_hook  # type: ignore[method-assign]
    HttpResponseHook.blocking = False


def _nothing(_self: Any) -> None:
    pass


def _no_debug_info(task: object, *, name: str, client: object = None) -> None:
    """Take the same parameters: the self-test compares them."""


def _another() -> str:
    """An identifier that no other process and no other call gives."""
    return f"{_PROCESS}-{next(_NUMBER)}"


def _get_all(self: http.Headers, name: str | bytes) -> list[str]:
    wanted = _lower(name)
    return [
        value.decode("utf-8", "surrogateescape")
        for key, value in self.fields
        if key.lower() == wanted
    ]


def _get(self: http.Headers, key: str | bytes, default: Any = None) -> Any:
    values = _get_all(self, key)
    return ", ".join(values) if values else default


def _contains(self: http.Headers, key: object) -> bool:
    return isinstance(key, str | bytes) and bool(_get_all(self, key))


def _lower(name: str | bytes) -> bytes:
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    return name.lower()


def _current(self: optmanager._Option) -> Any:
    value = self._default if self.value is optmanager.unset else self.value
    return value if isinstance(value, _CANNOT_CHANGE) else deepcopy(value)


def _args(self: hooks.Hook) -> list[Any]:
    names = _ARGUMENTS.get(type(self))
    if names is None:
        names = _ARGUMENTS[type(self)] = tuple(one.name for one in fields(self))  # type: ignore[arg-type]
    return [getattr(self, name) for name in names]


async def _handle_hook(self: ProxyConnectionHandler, hook: StartHook) -> None:
    # The guard bounds how long a hook takes, so that the connection's own watchdog can go on.
    await self.master.addons.handle_lifecycle(hook)
