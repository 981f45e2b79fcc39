"""Edits of a URL's query, by cutting text: whatever is not named stays byte for byte.

A query is what stands between the first `?` and the fragment; its parameters are separated by `&`
and by nothing else (WHATWG URL, application/x-www-form-urlencoded parsing). `;`, a second `?` and
`&amp;` are part of a name or value. Nothing here ever rebuilds a query from parsed values: that
alone would change almost a third of real ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from optout_proxy.edits.percent import decoded, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    type CutsParam = Callable[[str, str], bool]
    """Whether to cut a parameter, given its name and its text `name=value`."""


def cut_params(url: str, cuts: CutsParam) -> tuple[str, tuple[str, ...]]:
    r"""Cut the parameters for which `cuts(name, text)` is true; also the names cut, each once.

    `cuts` is asked about each parameter as it stands, and where its name is percent-encoded a
    second time with the name decoded (value as it stands), so that `%66bclid=1` hides nothing and
    `/^ud\[em\]=/` finds `ud%5Bem%5D=…`. Names come back decoded. Where nothing is cut, the very
    same string comes back. Where no parameter is left, the query goes with its `?`.

    Rules name a parameter, not its value, so `?fbclid` and `?fbclid=` go too, and `text` is
    `fbclid=` for both. Here the models differ: DuckDuckGo and AdGuard cut a bare name, Brave keeps
    it. We cut: a line pasted from AdGuard's lists then means the same here, the bare name still
    tells where the visitor came from, and "no `fbclid` left" can be verified by name alone. A rule
    that wants Brave's way can say so: `/^fbclid=./`.
    """
    span = _query(url)
    if span is None:
        return url, ()
    start, end = span
    kept: list[str] = []
    cut: dict[str, None] = {}
    for piece in url[start:end].split("&"):
        name = _cut_name(piece, cuts) if piece else None
        if name is None:
            kept.append(piece)
        else:
            cut[name] = None
    return (_with_query(url, span, kept), tuple(cut)) if cut else (url, ())


def plain_names(url: str) -> list[str] | None:
    """The names of a URL's parameters; None where one is encoded, so that it may be another's."""
    names = [piece.partition("=")[0] for piece in url.partition("?")[2].split("&")]
    return None if "%" in url and "%" in "&".join(names) else names


def set_param(url: str, name: str, value: str) -> str:
    """Give a parameter one value: in place of its first occurrence, else before the fragment.

    Later occurrences of the name go. `name` and `value` are plain text and percent-encoded here.
    """
    value = quote(value, safe="")
    added = f"{quote(name, safe='')}={value}"
    span = _query(url)
    if span is None:
        end = len(url) if (fragment := url.find("#")) == -1 else fragment
        return f"{url[:end]}?{added}{url[end:]}"
    pieces = url[span[0] : span[1]].split("&")
    others = [piece for piece in pieces if not piece or _name(piece) != name]
    if len(others) < len(pieces):
        place = next(n for n, piece in enumerate(pieces) if piece and _name(piece) == name)
        pieces = [*others[:place], f"{pieces[place].partition('=')[0]}={value}", *others[place:]]
    elif pieces[-1]:
        pieces.append(added)
    else:  # an empty query, or one that ends in `&`
        pieces[-1] = added
    return _with_query(url, span, pieces)


def query_value(url: str, name: str) -> str | None:
    """Percent-decoded value of the first parameter of that name; None where there is none.

    Made for redirectors, whose values are URLs: `+` stays `+`, because a URL holds no space and
    targets are often left unencoded; bytes that are no UTF-8 stay percent-encoded. The text comes
    from the outside and may hold anything, line breaks too: check it before it becomes a header.
    """
    span = _query(url)
    if span is None:
        return None
    for piece in url[span[0] : span[1]].split("&"):
        if piece and _name(piece) == name:
            return decoded(wire(piece.partition("=")[2]))
    return None


def _query(url: str) -> tuple[int, int] | None:
    """Where the query stands, without its `?`; None where there is no `?` before the fragment."""
    start = url.find("?") + 1
    if not start:
        return None
    end = url.find("#")
    if end == -1:
        return start, len(url)
    return (start, end) if end >= start else None


def _with_query(url: str, span: tuple[int, int], pieces: list[str]) -> str:
    start, end = span
    if any(pieces):
        return url[:start] + "&".join(pieces) + url[end:]
    return url[: start - 1] + url[end:]


def _name(piece: str) -> str:
    name = piece.partition("=")[0]
    return name if _is_plain(name) else decoded(wire(name))


def _is_plain(name: str) -> bool:
    return "%" not in name and name.isascii()


def _cut_name(piece: str, cuts: CutsParam) -> str | None:
    """Name of the parameter, decoded, where it is to be cut."""
    name, equals, value = piece.partition("=")
    text = piece if equals else f"{name}="
    if _is_plain(name):
        return name if cuts(name, text) else None
    plain = decoded(wire(name))
    return plain if cuts(name, text) or cuts(plain, f"{plain}={value}") else None
