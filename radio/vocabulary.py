"""The words that a channel's prefix may hold, by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from radio.music.keys import KEYS
from radio.music.meters import METERS
from radio.music.titles import FORMS
from radio.music.tokens import COMPOSERS, STYLES
from radio.tables import few, near

WORDS: Mapping[str, tuple[str, ...]] = {
    "style": STYLES,
    "composer": COMPOSERS,
    "forms": tuple(FORMS),
    "keys": tuple(KEYS),
    "meters": tuple(map(str, METERS)),
}


def unknown(prefix: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """A problem for each word of a prefix that its field does not know."""
    for name, given in prefix.items():
        for word in given:
            if word and word not in WORDS[name]:
                yield f"{name}: {word}: not in the vocabulary{near(word, WORDS[name]) or few(WORDS[name])}"
