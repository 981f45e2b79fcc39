"""Read the opt-outs of a Global Privacy Platform string, for the sections of the United States.

https://github.com/InteractiveAdvertisingBureau/Global-Privacy-Platform: a header that lists its
sections, then the sections, joined by `~`; each is bits in base64url.
"""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_US_PRIVACY: Final = 6
_OPT_OUTS: Final[dict[int, tuple[int, ...]]] = {
    7: (18, 20, 22),  # usnat: of sale, of sharing, of targeted advertising
    8: (12, 14),  # California: of sale, of sharing
    9: (12, 14),  # Virginia: of sale, of targeted advertising
    10: (12, 14),  # Colorado
    11: (14, 16),  # Utah
    12: (12, 14),  # Connecticut
}
"""Section → where its opt-out fields stand, in bits; each has two, and 1 means opted out."""
_OPTED_OUT: Final = "01"
_MOST: Final = 2048


def opts_out(text: str) -> bool:
    """Whether any section says that the visitor opted out."""
    header, *sections = text[:_MOST].split("~")
    ids = section_ids(header)
    return any(_says(kind, section) for kind, section in zip(ids, sections, strict=False))


def _says(kind: int, section: str) -> bool:
    if kind == _US_PRIVACY:
        return section[2:3] in {"Y", "y"}
    bits = _bits(section.partition(".")[0])
    return any(bits[at : at + 2] == _OPTED_OUT for at in _OPT_OUTS.get(kind, ()))


def section_ids(header: str) -> list[int]:
    """The numbers of the sections that a header announces, in order; none where it is no header."""
    bits = _bits(header)
    if bits[:6] != "000011":
        return []
    count, at = int(bits[12:24] or "0", 2), 24
    ids: list[int] = []
    for _ in range(min(count, 64)):
        is_range, at = bits[at : at + 1] == "1", at + 1
        step, at = _fibonacci(bits, at)
        first = (ids[-1] if ids else 0) + step
        last = first
        if is_range:
            step, at = _fibonacci(bits, at)
            last += min(step, 64)
        ids += range(first, last + 1)
    return ids


def _fibonacci(bits: str, at: int) -> tuple[int, int]:
    """A number in Fibonacci coding, which ends with `11`; and where the next begins."""
    end = bits.find("11", at)
    if end == -1:
        return 0, len(bits)
    number, one, two = 0, 1, 2
    for bit in bits[at : end + 1]:
        number += one if bit == "1" else 0
        one, two = two, one + two
    return number, end + 2


def _bits(text: str) -> str:
    if any(letter not in _ALPHABET for letter in text):
        return ""
    return "".join(f"{_ALPHABET.index(letter):06b}" for letter in text)
