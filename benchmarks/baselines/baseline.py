"""What every baseline can do: be trained for some minutes, say what a piece costs in bits, and compose.

All are told and measured in our positions (`radio.music.tokens`), so that their figures can be compared: everything
that has to be said of a piece - notes, bar lines, the end - divided by the number of its notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from radio.composer.corpus import Corpus
from radio.composer.train import Progress
from radio.composer.window import is_bar_line
from radio.errors import MissingError
from radio.music import tokens
from radio.music.score import Bar, Prefix

Bits = dict[str, float]
"""What a piece costs, by field; see FIELDS and ROLL."""
FIELDS = ("onset", "program", "pitch", "duration", "velocity", "plan")
"""Fields of a piece in positions. "onset" holds slot 0 of every position, and so what it takes to say that a bar or the
piece is over; "plan" the other slots of bar lines: tempo, bars left, section, repeat."""
ROLL = ("onset", "pitch", "duration", "play", "articulate")
"""Fields that a piano roll of one program holds; the last two are how the biaxial network says the first three."""
SlotBits = npt.NDArray[np.float64]
"""(positions, SLOTS)"""
Report = Callable[[Progress], None]
PRIME = 100
"""Positions of a priming segment, at least, where the piece has them."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be composed: `bars` bars of something like a piece of the training split.

    Baselines that know the prefix are given that piece's; the others are primed with some bars of it.
    """

    prefix: Prefix
    programs: tuple[int, ...]
    prime: tokens.Positions
    """(n, SLOTS): whole bars."""
    bars: int
    seed: int


class Baseline(Protocol):
    """One of the systems to compare with. A new one is untrained; `load` takes up what `train` left in a folder."""

    conditioned: bool
    """Whether it knows the prefix."""
    complete: bool
    """Whether it says all there is in a piece; if not, just what ROLL names."""

    def train(
        self, corpus: Corpus, minutes: float, seed: int, out: Path, *, resume: bool = False, report: Report = ...
    ) -> Progress:
        """Trains on the training split until the minutes are spent, and writes the folder `out`."""

    def load(self, folder: Path) -> None:
        """Takes up what was trained; MissingError if there is nothing."""

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece (n, SLOTS) costs."""

    def compose(self, order: Order) -> list[Bar]:
        """A new piece, without the prime."""


def silent(progress: Progress) -> None:
    """Reports nothing."""


def missing(path: Path) -> MissingError:
    """The error for a file that training would have written."""
    return MissingError(f"{path}: nothing trained there; train it with `python -m benchmarks.baselines train`")


def by_field(bits: SlotBits, positions: tokens.Positions) -> Bits:
    """Sums over a piece from the bits of each slot of its positions."""
    notes, lines = positions[:, 0] < tokens.BAR, (positions[:, 0] >= tokens.BAR) & (positions[:, 0] < tokens.END)
    own = {name: float(bits[notes, slot].sum()) for slot, name in enumerate(FIELDS[:-1])}
    return {**own, "onset": float(bits[:, 0].sum()), "plan": float(bits[lines, 1:].sum())}


def ordered(corpus: Corpus, style: str, bars: int, seed: int) -> Order:
    """An order after a random piece of the style, by length; the prime is a random run of its bars.

    Raises:
        MissingError: the training split has no such style.
    """
    own = [entry for entry in corpus.split(validation=False) if entry.style == style]
    if not own:
        raise MissingError(f"{style}: no piece of this style in the training data")
    rng = np.random.default_rng(seed)
    sizes = np.array([entry.count for entry in own], dtype=float)
    entry = own[rng.choice(len(own), p=sizes / sizes.sum())]
    prime = whole_bars(corpus.of(entry), rng)
    return Order(replace(entry.prefix(), bars=bars), entry.programs, prime, bars, seed)


def whole_bars(positions: tokens.Positions, rng: np.random.Generator) -> tokens.Positions:
    """A random run of whole bars with PRIME positions or more, if the piece has so many."""
    lines = [*(i for i, row in enumerate(positions.tolist()) if is_bar_line(row)), len(positions)]
    if positions[-1, 0] == tokens.END:
        lines[-1] -= 1
    late: Sequence[int] = [i for i, line in enumerate(lines) if line <= lines[-1] - PRIME] or [0]
    first = int(rng.choice(late))
    last = next((line for line in lines if line >= lines[first] + PRIME), lines[-1])
    return positions[lines[first] : last]
