"""Words of a URL: runs of letters and digits, by which rules are filed and found."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DELIMITERS: Final = bytes(
    code if code < 128 and (chr(code).isalnum() or code == ord("%")) else 0x20
    for code in range(256)
)
_COMMON: Final = (
    "http https ws wss js com www 0 1 2 css id 3 min html php v 2f 3a http2 en net org static api "
    "a r s t c p u d h w m o j f i g n k x z b e l q y 4 5 6 7 8 9 url callback v2 v1 us assets "
    "images index json main content fonts woff woff2 jquery type client site pub ad ads version "
    "scripts user img image uid cid sid pid key name lang locale ts time cb co uk de fr es "
    "plugins wp uploads home common video query search view web page pages app apps core png jpg "
    "svg ico webp jpeg ttf mp4 xml txt asp aspx cgi bin htm mjs asset media file files public "
    "dist build lib libs vendor theme themes modules cdn script style styles font icon icons "
    "bundle default sites data src ref uri ver session true false null undefined width height "
    "size format ajax request get post load loader all new test prod rest v3 cookie share social "
    "widget widgets player facebook google event events gif 3d 26 3f 20 2c"
)
"""Words that URLs are full of, the commonest first: a rule filed under one is asked too often."""
COMMON: Final = {word: place for place, word in enumerate(_COMMON.split())}


def words_in(text: str) -> list[bytes]:
    """The words of a text in lower case, in order."""
    return text.encode("latin-1", "replace").translate(_DELIMITERS).split()


def rarest[Named](choices: Mapping[Named, Sequence[str]]) -> Iterator[tuple[Named, str]]:
    """For each thing that of its words which the fewest others have; none of them is common."""
    count = Counter(chain.from_iterable(choices.values()))
    for named, words in choices.items():
        yield named, min(words, key=count.__getitem__)


def least_common(words: Sequence[str]) -> str:
    """Which of some common words URLs have least often."""
    return max(words, key=COMMON.__getitem__)
