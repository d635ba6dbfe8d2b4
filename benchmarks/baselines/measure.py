"""Bits a note on works kept back, for all baselines and our model, by style.

Two measures. `whole`: everything that has to be said of a piece, on the pieces that `radio.composer.evaluate` measures,
with the right prefix and with none. `roll`: on pieces of one program that sixteenths can hold, brought to sixteenths
(`roll.quantised`), just what ROLL names: onset, pitch and duration, or play and articulate. There, slot 0 of bar lines
and the end are counted for all that speak in positions. Program, velocity and the bar lines' other slots are not; the
latter are given apart under "plan", since who has heard them foretells the notes better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from benchmarks.baselines.baseline import ROLL, Bits
from benchmarks.baselines.roll import fits, quantised
from radio.composer.corpus import Corpus, Entry

# The same pieces must be measured, so they are chosen by the same function.
from radio.composer.evaluate import MEASURED, chosen_from
from radio.music import tokens
from radio.music.score import Prefix


class Measured(Protocol):
    """What can say what a piece costs."""

    conditioned: bool
    complete: bool

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece costs."""


@dataclass(frozen=True, slots=True)
class Part:
    """The pieces that one style is measured on."""

    style: str
    entries: Sequence[Entry]
    positions: Sequence[tokens.Positions]

    @property
    def notes(self) -> int:
        """How many notes they have."""
        return sum(int((own[:, 0] < tokens.BAR).sum()) for own in self.positions)


@dataclass(frozen=True, slots=True)
class Figures:
    """Bits a note of one style, by prefix ("right", "none") and field, and how much was measured."""

    bits: dict[str, float]
    fields: dict[str, Bits]
    plan: dict[str, float]
    """Bits a note of bar lines that `bits` leaves out."""
    notes: int
    pieces: int
    works: int


def whole(corpus: Corpus, budget: int, seed: int) -> Iterator[Part]:
    """What `bits_per_note` measures with the same budget and seed."""
    for style, own, rng in _by_style(corpus, seed):
        chosen = chosen_from(own, budget, rng)
        yield Part(style, chosen, [corpus.of(entry)[:MEASURED] for entry in chosen])


def rolls(corpus: Corpus, budget: int, seed: int) -> Iterator[Part]:
    """Pieces that a roll can hold, brought to sixteenths; styles that have none are passed over."""
    for style, own, rng in _by_style(corpus, seed):
        fitting = [entry for entry in own if fits(corpus.of(entry)[:MEASURED])]
        chosen = chosen_from(fitting, budget, rng)
        if chosen:
            yield Part(style, chosen, [_quantised(entry, corpus.of(entry)[:MEASURED]) for entry in chosen])


def _by_style(corpus: Corpus, seed: int) -> Iterator[tuple[str, list[Entry], np.random.Generator]]:
    entries = corpus.split(validation=True)
    for number, style in enumerate(sorted({entry.style for entry in entries}), 1):
        yield style, [entry for entry in entries if entry.style == style], np.random.default_rng((seed, number))


def _quantised(entry: Entry, positions: tokens.Positions) -> tokens.Positions:
    ended = bool(positions[-1, 0] == tokens.END)
    return tokens.encode(quantised(tokens.decode(positions, entry.tempo)), entry.tempo, ended=ended)


def measured(model: Measured, parts: Sequence[Part], *, roll: bool, told: Callable[[], None]) -> dict[str, Figures]:
    """A model's figures for each part; `told` is called after each."""
    found = {}
    for part in parts:
        fields = {kind: _fields(model, part, kind == "right") for kind in kinds(model)}
        counted = {kind: {f: v for f, v in own.items() if f in ROLL or not roll} for kind, own in fields.items()}
        plan = {kind: own.get("plan", 0.0) for kind, own in fields.items()} if roll else {}
        totals = {kind: sum(own.values()) for kind, own in counted.items()}
        works = len({entry.work for entry in part.entries})
        found[part.style] = Figures(totals, counted, plan, part.notes, len(part.entries), works)
        told()
    return found


def kinds(model: Measured) -> tuple[str, ...]:
    """The prefixes a model is measured with."""
    return ("right", "none") if model.conditioned else ("none",)


def _fields(model: Measured, part: Part, right: bool) -> Bits:
    """Bits a note of each field."""
    total: Bits = {}
    for entry, positions in zip(part.entries, part.positions, strict=True):
        for name, bits in model.bits(entry.prefix() if right else Prefix(), positions).items():
            total[name] = total.get(name, 0.0) + bits / part.notes
    return total


def as_json(figures: dict[str, Figures]) -> dict[str, object]:
    """For a file, with the mean over the styles."""
    names = next(iter(figures.values())).bits if figures else {}
    mean = {kind: float(np.mean([own.bits[kind] for own in figures.values()])) for kind in names}
    return {"mean": mean, "styles": {style: asdict(own) for style, own in figures.items()}}
