"""Register: how high each program plays. A bar leans on the register that its skeleton gives the program.

What a style is pushed towards is rare elsewhere, and nothing is rarer than the highest notes: guidance makes them
likelier than the style has them, and each is the reason for the next. So the notes of the last bars are held against
the skeleton's, both as normal distributions, and pitches that the first has more of become less likely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from radio.composer.sampling import Numbers
from radio.music import grammar, tokens
from radio.music.score import DRUMS, Bar

_PROGRAM, _PITCH = tokens.RANGES["program"], tokens.RANGES["pitch"]
REACH = 16
"""Bars over which pitches are counted."""
LEAST = 32.0
"""Notes as planned that are counted with them, so that a few alone say little."""
NARROWEST = 2.0
"""Semitones: the least standard deviation of a register."""
MOST = 3.0
"""Nats by which a pitch is made likelier or less likely at most."""

Span = tuple[int, int]
"""The mean of pitches, as a MIDI note, and their standard deviation in semitones."""
UNKNOWN: Span = (0, 0)
"""Of the drum kit, and of a program without a note."""


def registers(positions: tokens.Positions, programs: Sequence[int]) -> tuple[Span, ...]:
    """The register of each of a piece's programs."""
    notes = positions[positions[:, 0] < tokens.BAR]
    found: list[Span] = []
    for program in programs:
        own = notes[notes[:, 1] == _PROGRAM.start + program, 2] - _PITCH.start
        told = len(own) and program != DRUMS
        found.append((round(float(own.mean())), max(round(float(own.std())), 1)) if told else UNKNOWN)
    return tuple(found)


class Register:
    """What one bar leans on."""

    def __init__(self, wanted: Mapping[int, Span], written: Sequence[Bar], strength: float) -> None:
        """
        Args:
            wanted: the registers of programs.
            written: the bars before it.
            strength: what the nats that make one register of the other are multiplied by.
        """
        self._leans: dict[int, Numbers] = {}
        pitches = np.arange(_PITCH.size, dtype=float)
        for program, (middle, spread) in wanted.items():
            own = np.array([n.pitch for bar in written[-REACH:] for n in bar.notes if n.program == program], float)
            if not spread or not len(own):
                continue
            width = max(float(spread), NARROWEST)
            count = len(own) + LEAST
            mean = (own.sum() + LEAST * middle) / count
            square = (((own - mean) ** 2).sum() + LEAST * (width**2 + (middle - mean) ** 2)) / count
            heard = max(float(np.sqrt(square)), NARROWEST)
            ratio = ((pitches - mean) / heard) ** 2 / 2 - ((pitches - middle) / width) ** 2 / 2 + np.log(heard / width)
            self._leans[_PROGRAM.start + program] = np.clip(strength * ratio, -MOST, MOST)

    def __bool__(self) -> bool:
        """Whether there is anything to lean on."""
        return bool(self._leans)

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn."""
        if len(drawn) == _PITCH.slot and drawn[0] < tokens.BAR and drawn[1] in self._leans:
            logits[_PITCH.start : _PITCH.stop] += self._leans[drawn[1]]
