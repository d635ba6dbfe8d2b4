"""What a model learned from, and under which licences: `licences.json` beside its weights, for who plays its music.

A venue that plays a channel in public must be able to say what it plays. `radio evaluate` writes the file as it writes
the model's card; the air makes a page of it for each channel.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from radio.errors import ModelError

FILE = "licences.json"
SOUNDFONTS = {
    "FluidR3": "MIT (Frank Wen)",
    "MuseScore_General": "MIT (S. Christian Collins and others)",
    "GeneralUser": "GeneralUser GS License (S. Christian Collins)",
    "TimGM6mb": "GPL-2.0 (Tim Brechbill)",
}
"""Licences of soundfonts, by what their file's name begins with."""


@dataclass(frozen=True, slots=True)
class Source:
    """Pieces of one source, under one licence."""

    source: str
    licence: str
    pieces: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What a model knows of one style."""

    sources: tuple[Source, ...]
    longest: int
    """Notes: runs that a piece shares with a work learned from are not let pass if they are longer."""


def counted(pieces: Iterable[tuple[str, str, str]], longest: Mapping[str, int]) -> dict[str, Origin]:
    """By style, the sources of pieces that are given as (style, source, licence), the largest first."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for style, source, licence in pieces:
        found.setdefault(style, Counter())[source, licence] += 1
    return {
        style: Origin(tuple(Source(*named, count) for named, count in own.most_common()), longest.get(style, 0))
        for style, own in sorted(found.items())
    }


def write(folder: Path, origins: Mapping[str, Origin]) -> None:
    """Writes the file of a model."""
    text = json.dumps({style: asdict(origin) for style, origin in origins.items()}, indent=1, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Origin]:
    """The file of a model; empty if it has none.

    Raises:
        ModelError: it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {
            style: Origin(tuple(Source(**source) for source in own["sources"]), int(own["longest"]))
            for style, own in told.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{path}: not a list of a model's sources: {error!r}") from error


def of_soundfont(name: str) -> str:
    """The licence of a soundfont by its file's name; "" if it is not known."""
    return next((licence for start, licence in SOUNDFONTS.items() if name.startswith(start)), "")
