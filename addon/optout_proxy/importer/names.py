"""Which of our tools a text names: by the names and aliases of the tool files, however spelt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optout_proxy.registry.tool_file import ToolFile

_BETWEEN: Final = r"[\s\"'\u2122\u00ae-]{0,4}"
"""What may stand between two words of a name: nothing, as in "CrazyEgg"; or a quotation mark."""
_WIDGET: Final = r"(?:social[\s-])?(?:plug[\s-]?ins?|widgets?|buttons?|add[\s-]?ins?)"
_EMBEDDED: Final = r"(?:content|posts?|feeds?|timelines?|tweets?)"
_PLUG_INS: Final = re.compile(r"\bsocial[\s\w-]{0,20}\bplug[\s-]?ins?\b", re.IGNORECASE)
_NOT_USED: Final = re.compile(
    r"\b(?:(?:do|does|did|will|would)(?: not|n't)|no longer|never|not)"
    r"(?: currently| yet| any longer)? (?:use[sd]?|using|employ\w*|work with)\b"
    # "We do not use cookies, but we use …" denies nothing of what comes after.
    r"(?:(?!\b(?:but|however|though|although|except|instead|only|we)\b)[^.;])*$",
    re.IGNORECASE,
)
_IS_NOT_USED: Final = re.compile(
    r"\W{0,3}(?:is|are|was|were) (?:not|no longer|never)"
    r"(?: currently)? (?:in use|used|active|employed)\b",
    re.IGNORECASE,
)


class Named(msgspec.Struct, frozen=True):
    """A place where a text names a tool."""

    tool: str
    start: int
    end: int
    text: str


class Names:
    """The names of all tools that have a tool file."""

    def __init__(self, tool_files: Mapping[str, ToolFile]) -> None:
        self.tool_files = tool_files
        self._by_key: dict[str, str] = {}
        self._brands: dict[str, str] = {}
        patterns = dict(self._patterns())
        self._words = sorted({key[:3] for key in self._by_key})
        inner = "|".join(sorted(patterns, key=len, reverse=True))
        self._pattern = re.compile(
            rf"(?<![\w@./-])(?:{inner or r'(?!)'})(?!\w)[\"']?", re.IGNORECASE
        )

    def _patterns(self) -> Iterable[tuple[str, None]]:
        for tool, file in self.tool_files.items():
            for name in (file.tool.name, *file.aliases):
                words = re.findall(r"[\w.+&]+", name)
                self._by_key[_key(name)] = tool
                yield _BETWEEN.join(map(re.escape, words)), None
            if file.category == "social":
                brand = file.tool.name.split()[0]
                self._brands[brand.casefold()] = tool
                yield rf"embed(?:ded|s|ding)?\s{re.escape(brand)}\s{_EMBEDDED}", None
                yield rf"{re.escape(brand)}{_BETWEEN}{_WIDGET}", None

    def tool_of(self, text: str) -> str | None:
        """The tool whose name, as it was found or declared, a text is."""
        key = _key(text)
        if key in self._by_key:
            return self._by_key[key]
        found = next(iter(self.find(text, headed=True)), None)
        return found.tool if found else None

    def find(self, text: str, *, headed: bool = False) -> list[Named]:
        """Every tool a text names, in order; `headed`: the text is itself the name of something."""
        found = (self._named(match, headed) for match in self._pattern.finditer(text))
        return [it for it in found if it and not _is_denied(text, it.start, it.end)]

    def networks(self, text: str) -> list[Named]:
        """The social networks named by a paragraph that is about social plug-ins."""
        about = _PLUG_INS.search(text)
        if not about or _is_denied(text, about.start(), about.end()):
            return []
        found: dict[str, Named] = {}
        for match in re.finditer(r"(?<![\w@./-])[A-Z]\w+", text):
            tool = self._brands.get(match.group().casefold())
            if tool and tool not in found:
                found[tool] = Named(tool, match.start(), match.end(), match.group())
        return list(found.values())

    def _named(self, match: re.Match[str], headed: bool) -> Named | None:
        text = match.group()
        if text.count('"') % 2 or text.count("'") % 2:
            text = text[:-1] if text[-1] in "\"'" else text
        key = _key(text)
        tool = self._by_key.get(key) or self._social(text)
        if not tool:
            return None
        # "We cannot foresee" names nobody; an abbreviation means something else elsewhere.
        one_word = not re.search(r"[\s-]", text)
        if one_word and not text[0].isupper():
            return None
        if one_word and len(text) <= 4 and not (headed and text.isupper()):
            return None
        end = match.start() + len(text)
        return Named(
            tool, match.start(), end, re.sub(r"^embed\w*\s", "", text, flags=re.IGNORECASE)
        )

    def _social(self, text: str) -> str | None:
        words = re.findall(r"\w+", text.casefold())
        return next((self._brands[word] for word in words if word in self._brands), None)

    def brand_of(self, text: str) -> str | None:
        """The tool of a social network whose plain name a text is."""
        return self._brands.get(_key(text))

    def operator_sites(self, tool: str) -> frozenset[str]:
        file = self.tool_files.get(tool)
        return file.tool.operator_sites if file else frozenset()

    def operator_words(self, tool: str) -> Sequence[str]:
        """The words by which a text goes on about a tool it has named."""
        file = self.tool_files.get(tool)
        if not file:
            return ()
        return tuple(dict.fromkeys((file.tool.name.split()[0], file.tool.operator.split()[0])))


def _key(name: str) -> str:
    return "".join(re.findall(r"\w", name.casefold()))


def _is_denied(text: str, start: int, end: int) -> bool:
    """Whether the sentence says that the tool is not used."""
    before = text[max(0, start - 80) : start]
    return bool(_NOT_USED.search(before) or _IS_NOT_USED.match(text, end))


def tidy(name: str) -> str:
    """A name without trade marks and with straight quotes, as a policy file has it."""
    name = re.sub(r"\s*[\u2122\u00ae\u2120\u00a9]+\s*", " ", name)
    return " ".join(name.split()).strip(" :,;-\u2013")[:200]


def slug(name: str, line: int) -> str:
    """An id for a tool that nobody has described yet; by its line where its name has no letters."""
    words = re.findall(r"[a-z0-9]+", name.casefold())
    return "-".join(words)[:60].strip("-") or f"line-{line}"
