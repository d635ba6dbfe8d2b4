"""Touch: how loud a note is played and how far off the beat, and when the pedal is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from radio.config import PerformerConfig
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note, Piece
from radio.studio.tempo import Phrase

FURTHEST = 0.018
"""Seconds: no note is further from its place."""
DEVIATION, DRUM_DEVIATION, SPREAD, MELODY_LEAD = 0.005, 0.003, 0.0015, 0.006
"""Seconds: what timing varies by; a drummer's; notes of one chord; and by how much a melody comes before its chord."""
MEMORY = 0.75
"""How much of a deviation carries over to the next note."""
SECTIONS = (0.0, -5.0, 3.0, -3.0, 5.0)
"""Velocity by section: A, B, C …"""
SOFTEST, LOUDEST = 12, 124
BLUR = 4
"""Pitch classes that one pedal may hold together."""


class Touch:
    """The hand of one piece: dynamics and timing with memory."""

    def __init__(self, config: PerformerConfig, piece: Piece, rng: np.random.Generator) -> None:
        # Music with dynamics of its own needs half as much of ours.
        self._dynamics = config.dynamics * (1.0 if piece.prefix.dynamics is False else 0.5)
        self._humanize = config.humanize
        self._rng = rng
        self._late: dict[int, float] = {}
        self._loud = 0.0

    def velocity(self, note: Note, bar: Bar, phrase: Phrase, voice: float) -> int:
        """How hard the note is struck. `voice` is what its place in the chord adds."""
        past = float(phrase.at(note.onset / bar.meter.ticks))
        arch = past / 0.65 if past < 0.65 else (1.0 - past) / 0.35
        shape = 10.0 * (arch - 0.5) + accent(note.onset, bar.meter)
        if note.program != DRUMS:
            shape += voice + SECTIONS[(ord(bar.section[:1] or "A") - ord("A")) % len(SECTIONS)]
        if self._humanize:
            self._loud = 0.6 * self._loud + 1.8 * float(self._rng.standard_normal())
        velocity = round(note.velocity + self._dynamics * shape + self._humanize * self._loud)
        return min(max(velocity, SOFTEST), LOUDEST)

    def lateness(self, lane: int, drums: bool) -> float:
        """Seconds by which what the lane plays at the next onset is late."""
        if not self._humanize:
            return 0.0
        deviation = DRUM_DEVIATION if drums else DEVIATION
        fresh = math.sqrt(1 - MEMORY**2) * deviation * float(self._rng.standard_normal())
        self._late[lane] = MEMORY * self._late.get(lane, 0.0) + fresh
        return self._humanize * self._late[lane]

    def spread(self, melody: bool) -> float:
        """Seconds by which one note of a chord is later than the chord."""
        if not self._humanize:
            return 0.0
        return self._humanize * (SPREAD * float(self._rng.standard_normal()) - MELODY_LEAD * melody)


def beat_of(meter: Meter) -> int:
    """Ticks from beat to beat as they are felt: dotted in 6/8, 9/8, 12/8."""
    return 3 * meter.ticks // meter.beats if meter.unit >= 8 and meter.beats % 3 == 0 else BEAT


def accent(onset: int, meter: Meter) -> float:
    """What the place in the bar adds to a velocity."""
    if onset == 0:
        return 5.0
    if onset % beat_of(meter) == 0:
        return 1.5
    return -2.0 if onset % (BEAT // 2) == 0 else -4.0


def voicing(chord: Sequence[Note]) -> Iterator[tuple[Note, float, bool]]:
    """Of the notes of one program at one onset: each, what it adds to a velocity, and whether it leads.

    The highest sings, the lowest carries, the others stand back.
    """
    for note in chord:
        top = note.pitch == chord[-1].pitch
        if len(chord) == 1 or note.program == DRUMS:
            yield note, 0.0, False
        else:
            yield note, 5.0 if top else 0.0 if note is chord[0] else -5.0, top


def pedalling(bar: Bar, notes: Sequence[Note]) -> Iterator[tuple[int, bool]]:
    """Where in the bar the pedal is changed: tick, and whether it goes down again after it was lifted.

    At the bar line, and at each beat whose notes do not go with those it holds; notes that do not go with each
    other are played without.
    """
    beat = beat_of(bar.meter)
    held: set[int] = set()
    down = False
    for start in range(0, bar.meter.ticks, beat):
        new = {note.pitch % 12 for note in notes if start <= note.onset < start + beat}
        if start and down and not clash(held | new):
            held |= new
            continue
        if not new and start:
            continue
        held, down = new, bool(new) and not clash(new)
        yield start, down


def clash(classes: set[int]) -> bool:
    """Whether pitch classes blur when they sound together: more than a seventh chord, or two a semitone apart."""
    return len(classes) > BLUR or any((pitch + 1) % 12 in classes for pitch in classes)
