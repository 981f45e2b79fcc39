"""What is known of one page before its first byte is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from optout_proxy.pages.documents import Kind

    type Replaced = Callable[[str, str], bool]
    """Whether the answer for an address, asked for as a `script` or a `stylesheet`, is another
    body than its origin sends."""


class Page(msgspec.Struct, frozen=True):
    """One response that carries a page."""

    url: str
    kind: Kind = "html"
    charset: str = ""
    """As the `Content-Type` names it, lower case; empty where it names none."""
    codings: tuple[str, ...] = ()
    packs: bool = False
    """Whether it is handed on packed again (`coding.Encoder`)."""
    scripts: bool = True
    """Whether its policies let our scripts run."""
    nonce: str = ""
    """The nonce that scripts put into it carry; empty: none."""
    own_nonce: str = ""
    """A nonce of ours, for policies that only the page itself tells of."""
    replaced: Replaced | None = None
