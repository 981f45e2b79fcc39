"""Fields read from running text: which sentence says what, and what each link is for."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import msgspec

from optout_proxy.importer.blocks import joined
from optout_proxy.importer.fields import Part
from optout_proxy.importer.inline import Rich

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optout_proxy.importer.blocks import Block
    from optout_proxy.importer.inline import Placed
    from optout_proxy.registry.policy_file import Lines, Link

type Use = Literal["opt_out", "privacy_policy", "terms"]

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"')]{0,2}\s+(?=[A-Z(\"'\[\d])|\n")
_OPT_OUT: Final = re.compile(
    r"\bopt(?:ing|s|ed)?[\s-]?out\b|\bdisabl(?:e|ing)\b|\bdeactivat\w*|\blog(?:ging)? out\b"
    r"|\b(?:prevent|stop)\w* [^.]{0,60}?\b(?:from|track\w*|collect\w*|process\w*)\b"
    r"|\bdeclin(?:e|ing)\b|\bby not \w+ing\b|\bnot required to log\b"
    r"|\bblock (?:these|this|the|all)\b",
    re.IGNORECASE,
)
_PURPOSE: Final = re.compile(
    r"\b(?:to (?:help|understand|improve|measure|analy[sz]e|evaluate|obtain|gather|determine|track"
    r"|collect|identify|provide|optimi[sz]e|better|show|display|manage|set|serve|record|learn|find)"
    r"|helps? (?:us|manage|\w+ \w+)|allows? us|enables? (?:us|an analysis)|in order to|purpose"
    r"|for the \w+ of)\b",
    re.IGNORECASE,
)
_DATA: Final = re.compile(
    r"\b(?:collects?|gathers?|tracks?|records?|stor(?:es|ed)|transmit(?:s|ted)?|measures?)\b[^.]{0,200}"
    r"\b(?:information|data|address(?:es)?|pages?|clicks?|cookies?|visits?|behavio\w*|where|how|id)\b"
    r"|\binformation (?:such as|like|including|about)\b",
    re.IGNORECASE,
)
_TO_OPT_OUT: Final = re.compile(
    r"opt[\s-]?out|disabl|deactivat|\bblock|\bprevent|refus|\bobject\b|turn(?:ing)? off|\bstop"
    r"|withdraw|reject|plug[\s-]?in|add[\s-]?on|add[\s-]?in\b|ads? (?:settings|preferences)",
    re.IGNORECASE,
)
_TO_POLICY: Final = re.compile(
    r"privacy (?:polic|notice|statement|center|overview)|data (?:protection|policy|usage policy)"
    r"|overview of data",
    re.IGNORECASE,
)
_TO_TERMS: Final = re.compile(r"\bterms\b", re.IGNORECASE)
_OPT_OUT_PATH: Final = re.compile(
    r"opt-?_?out|/settings/ads|/ads/(?:preferences|settings|website_custom_audiences)"
    r"|ads?-?_?(?:settings|preferences)"
    r"|(?:ad|your)-?choices|consumer-?choice|unsubscribe|do-?not-?sell|donotsell",
    re.IGNORECASE,
)
_POLICY_PATH: Final = re.compile(
    r"privacy|datenschutz|data-?protection|/policy\.php|policies/technologies|data-?policy",
    re.IGNORECASE,
)
_TERMS_PATH: Final = re.compile(r"\bterms|/tos\b|\bagb\b|use-policy", re.IGNORECASE)


class Sentence(msgspec.Struct, frozen=True):
    rich: Rich
    lines: Lines
    start: int


class Stretch:
    """Some blocks read as one text, every place of which knows its line."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        parts: list[Rich] = []
        self._starts: list[int] = []
        self._lines: list[Lines] = []
        length = 0
        text: list[str] = []
        for number, block in enumerate(blocks):
            if number:
                between = " " if _is_wrapped(blocks[number - 1], block) else "\n"
                text.append(between)
                length += 1
            self._starts.append(length)
            self._lines.append(block.lines)
            text.append(block.text)
            parts.append(block.rich)
            length += len(block.text)
        whole = joined(parts, " ")
        self.rich = Rich("".join(text), whole.links)

    def lines(self, start: int, end: int) -> Lines:
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, max(start, end - 1)) - 1
        return self._lines[first][0], max(self._lines[last][1], self._lines[first][0])

    def sentences(self, start: int = 0, end: int | None = None) -> Iterator[Sentence]:
        """The sentences of a part of it."""
        stop = len(self.rich.text) if end is None else end
        at = start
        for gap in [*_SENTENCE_END.finditer(self.rich.text, start, stop), None]:
            until = (
                gap.start() + 1 if gap and gap.group() != "\n" else (gap.start() if gap else stop)
            )
            rich = self.rich.part(at, until)
            if rich.text:
                begin = at + self.rich.text[at:until].find(rich.text)
                yield Sentence(rich, self.lines(begin, begin + len(rich.text)), begin)
            at = gap.end() if gap else stop


def _is_wrapped(before: Block, block: Block) -> bool:
    """Whether a line of plain text goes on in the next."""
    if before.kind != "text" or block.kind != "text" or not before.text or not block.text:
        return False
    follows_on = before.lines[1] + 1 == block.lines[0] and before.text[-1] not in ".!?:;"
    return (
        follows_on
        and (block.text[0].islower() or len(before.text) >= 50)
        and len(before.text) < 120
    )


def loose_values(
    stretch: Stretch, start: int, end: int, *, under_opt_out: bool = False
) -> dict[str, list[Part]]:
    """The fields that a part of a text states, by its sentences and by its links."""
    uses = dict(_uses(stretch, start, end, under_opt_out=under_opt_out))
    values: dict[str, list[Part]] = {}
    for sentence in stretch.sentences(start, end):
        part = Part(sentence.rich, sentence.lines)
        links = [it.link for it in sentence.rich.links]
        told = {uses[link] for link in links if link in uses}
        if "opt_out" in told or _OPT_OUT.search(sentence.rich.text):
            values.setdefault("opt_out", []).append(_only(part, uses, "opt_out"))
        for use in ("privacy_policy", "terms"):
            if use in told:
                values.setdefault(use, []).append(_only(part, uses, use))
        if "purpose" not in values and _PURPOSE.search(sentence.rich.text) and not told:
            values["purpose"] = [part]
        if "data_collected" not in values and _DATA.search(sentence.rich.text) and not told:
            values["data_collected"] = [part]
    return values


def _only(part: Part, uses: dict[Link, Use], use: Use) -> Part:
    """A sentence with those of its links that are for one thing."""
    links = tuple(it for it in part.rich.links if uses.get(it.link) == use)
    return msgspec.structs.replace(part, rich=msgspec.structs.replace(part.rich, links=links))


def _uses(
    stretch: Stretch, start: int, end: int, *, under_opt_out: bool
) -> Iterator[tuple[Link, Use]]:
    before = start
    for placed in stretch.rich.links:
        if placed.start < start or placed.end > end:
            continue
        context = stretch.rich.text[max(before, placed.start - 160) : placed.start]
        use = use_of(placed, context, under_opt_out=under_opt_out)
        if use:
            yield placed.link, use
        before = placed.end


def use_of(placed: Placed, context: str, *, under_opt_out: bool = False) -> Use | None:
    """What a link is for: by its address, by the words before it, by what the list is about."""
    address = urlsplit(placed.link.url)
    path = f"{address.path}?{address.query}"
    if _OPT_OUT_PATH.search(f"{address.netloc}{path}"):
        return "opt_out"
    words = f"{context.rpartition(chr(10))[2]} {placed.link.text}"
    said: dict[Use, int] = {
        "opt_out": _last(_TO_OPT_OUT, words),
        "privacy_policy": _last(_TO_POLICY, words),
        "terms": _last(_TO_TERMS, words),
    }
    nearest = max(said, key=lambda use: said[use])
    if said[nearest] >= 0:
        return nearest
    if _POLICY_PATH.search(path):
        return "privacy_policy"
    if _TERMS_PATH.search(path):
        return "terms"
    return "opt_out" if under_opt_out else None


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in pattern.finditer(text)), default=-1)
