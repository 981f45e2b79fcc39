"""The script that stands before a page's own, made from a plan.

The scripts are files of `blocklists/prelude/`; what differs between plans is put behind them as
JSON. So all that stands in a page is ASCII, and nothing of it can end the script around it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from optout_proxy.errors import InputError
from optout_proxy.pages.plan import Flag, PagePlan, expression

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from optout_proxy.pages.tags import Tag

PRELUDE: Final = "prelude.js"
FLAG: Final = "flag.js"
_ENDS_A_SCRIPT: Final = ("</script", "<script", "<!--", "-->", "]]>")


class Written(msgspec.Struct, frozen=True):
    """A plan, made ready to be put into pages."""

    plan: PagePlan
    prelude: bytes
    """The script to put first; empty where the plan needs none."""
    digest: str
    """Of the prelude, as a Content-Security-Policy spells it."""
    flag_code: str
    stamp: str
    """Differs where what is done to a page differs; empty where nothing is."""
    inserted: tuple[Tag, ...]
    """Elements to put into the head."""
    marked: tuple[Tag, ...]
    """Patterns of tags to write attributes on."""
    id_flags: tuple[tuple[Flag, re.Pattern[bytes]], ...]
    """Flags that name an id, and how ids look."""

    def flag_script(self, flags: Iterable[Flag]) -> bytes:
        """The script that sets flags where the page has named their ids."""
        return f"({self.flag_code})({_literal(flags)});".encode("ascii")


class Prelude(msgspec.Struct, frozen=True):
    """The two scripts, without their comments."""

    code: str
    flag_code: str

    def write(self, plan: PagePlan) -> Written:
        """The plan, made ready."""
        return _written(self, plan)


def load_prelude(folder: Path) -> Prelude:
    """The scripts of `prelude/` in `folder` (the blocklists); InputError for an unfit one."""
    found = {}
    for name in (PRELUDE, FLAG):
        path = folder / "prelude" / name
        try:
            found[name] = parse_script(path.read_text("utf-8"), path)
        except OSError as wrong:
            raise InputError(path, f"cannot be read: {wrong.strerror}") from wrong
    return Prelude(found[PRELUDE], found[FLAG])


def parse_script(text: str, file: Path | str) -> str:
    """The function in a script, on as few bytes as taking comments and indents away gives.

    InputError for what could not stand in a page.
    """
    lines = (line.strip() for line in text.splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    if not code.isascii():
        raise InputError(file, "is not ASCII", right="pages are in any encoding")
    for word in _ENDS_A_SCRIPT:
        if word in code.lower():
            raise InputError(
                file, f"holds {word}", right="write it so that no page takes it for a tag"
            )
    return code


@lru_cache(256)
def _written(scripts: Prelude, plan: PagePlan) -> Written:
    prelude = _prelude(scripts.code, plan) if plan.has_prelude else b""
    digest = "sha256-" + base64.b64encode(hashlib.sha256(prelude).digest()).decode("ascii")
    code = scripts.flag_code.encode("ascii")
    stamp = "" if plan.is_empty else plan.stamp(prelude, code)
    return Written(
        plan=plan,
        prelude=prelude,
        digest=digest,
        flag_code=scripts.flag_code,
        stamp=stamp,
        inserted=plan.inserted,
        marked=plan.marked,
        id_flags=tuple((flag, re.compile(flag.ids.encode())) for flag in plan.id_flags),
    )


def _prelude(code: str, plan: PagePlan) -> bytes:
    choices = {
        "gpc": plan.gpc,
        "cookies": _any(plan.cookies),
        "keys": _any(plan.storage),
        "exact": [key for key in plan.storage if "*" not in key and not key.startswith("/")],
    }
    return f"({code})({_json(choices)}, {_literal(plan.plain_flags)});".encode("ascii")


def _any(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{expression(pattern)})" for pattern in patterns)


def _literal(flags: Iterable[Flag]) -> str:
    """An object literal; `["__proto__"]` is a name like any other."""
    return "{" + ", ".join(f"[{_json(flag.name)}]: {flag.value}" for flag in flags) + "}"


def _json(value: object) -> str:
    """JSON that can stand in any script of any page: ASCII, without `<`, `>` and `&`."""
    text = json.dumps(value, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
