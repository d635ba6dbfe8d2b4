"""Touch: how loud a note is played and how far off the beat, and when the pedal is changed.

What a velocity is made of is measured on pieces as played (`benchmarks/performance.py`): a linear fit of notes'
velocities about those around them explains a third of what they vary by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from radio.music.score import BEAT, DRUMS, Bar, Meter, Note
from radio.settings import PerformerConfig
from radio.studio.tempo import Phrase

FURTHEST = 0.018
"""Seconds: no note is further from its place."""
DEVIATION, DRUM_DEVIATION, SPREAD, MELODY_LEAD = 0.005, 0.009, 0.0015, 0.006
"""Seconds: what timing varies by; a drummer's; notes of one chord; and by how much a melody comes before its chord.

The drummer's is half of what was measured, which holds rolls and flams as well."""
MEMORY = 0.45
"""How much of a deviation carries over to the next note."""
BAR_LINE, ON_BEAT, HALF_BEAT = 6.7, 3.9, 1.6
"""Velocity by place in the bar, over notes on none of these."""
TOP, INNER, LOWEST = 2.9, -2.3, -3.5
"""Velocity by place in a chord, over notes alone."""
HEIGHT, TOP_HEIGHT = 2.9, 2.2
"""Velocity for each octave above the notes around; and what is added for the highest of a chord."""
EVEN = -2.3
"""What brings the mean of all that to nothing."""
SECTIONS = (0.0, -8.0, 5.0, -5.0, 8.0)
"""Velocity by section: A, B, C …; with SWELL, as much as four bars vary by."""
SWELL = 8.0
"""Velocity: standard deviation of the levels that phrases rise and fall between."""
SPREAD_WANTED, OWN_SPREAD = 13.3, 12.0
"""Velocity: standard deviation of a piece as played; and of what is added to a flat one."""
LEAST, REMEMBERED = 0.25, 16
"""Share of it that is added to any music; and the bars whose velocities tell how flat the music is."""
WIDEST = 13.5
"""Velocity: standard deviation within some bars of a piece that is played as widely as it is written: what half of the
pieces keep within as played. Over a whole piece, with what is added, some 16, which three in four keep within."""
CHANCE, CARRIED = 5.0, 0.35
"""Velocity: standard deviation of what nothing explains; and how much carries over to the next onset. Of the 8.5 that
were measured, a part was the players' reasons."""
SOFTEST, LOUDEST = 12, 124
BLUR = 4
"""Pitch classes that one pedal may hold together."""


class Touch:
    """The hand of one piece: dynamics and timing with memory."""

    def __init__(self, config: PerformerConfig, rng: np.random.Generator) -> None:
        self._most = self._dynamics = config.dynamics
        self._written: list[list[int]] = []
        """Velocities of each bar so far."""
        self._mean, self._width = 0.0, 1.0
        """Their mean, and what the distance from it is multiplied by."""
        self._humanize = config.humanize
        self._rng = rng
        self._late: dict[int, float] = {}
        self._loud = 0.0
        self._height: float | None = None
        """Mean pitch of the last bars."""
        self._levels = (0.0, 0.0)
        """Velocity at the phrase's start and at its end."""

    def enter(self, bar: Bar, phrase: Phrase) -> None:
        """Goes to the next bar."""
        if phrase.begins:
            self._levels = self._levels[1], SWELL * float(self._rng.standard_normal())
        pitches = [note.pitch for note in bar.notes if note.program != DRUMS]
        if pitches:
            mean = sum(pitches) / len(pitches)
            self._height = mean if self._height is None else self._height + 0.4 * (mean - self._height)
        self._written.append([note.velocity for note in bar.notes])
        _, lately = _spread(self._written[-REMEMBERED:])
        # Music with dynamics of its own needs less of ours.
        wanted = math.sqrt(max(SPREAD_WANTED**2 - lately**2, 0.0)) / OWN_SPREAD
        self._dynamics = self._most * min(max(wanted, LEAST), 1.0)
        self._mean, spread = _spread(self._written)
        # A score's extremes are further apart than anybody plays them.
        self._width = 1 - min(self._most, 1.0) * max(1 - WIDEST / spread, 0.0) if spread else 1.0

    def velocity(self, note: Note, bar: Bar, phrase: Phrase, voice: float, highest: bool) -> int:
        """How hard the note is struck, a MIDI velocity. `voice` is what its place in the chord adds; `highest`:
        whether it is the highest of its chord."""
        begin, end = self._levels
        shape = begin + (end - begin) * float(phrase.at(note.onset / bar.meter.ticks))
        shape += EVEN + accent(note.onset, bar.meter)
        if note.program != DRUMS and self._height is not None:
            octaves = min(max((note.pitch - self._height) / 12, -2.0), 2.0)
            shape += voice + octaves * (HEIGHT + TOP_HEIGHT * highest)
            shape += SECTIONS[(ord(bar.section[:1] or "A") - ord("A")) % len(SECTIONS)]
        written = self._mean + self._width * (note.velocity - self._mean)
        velocity = round(written + self._dynamics * shape + self._humanize * self._loud)
        return min(max(velocity, SOFTEST), LOUDEST)

    def strike(self, lane: int, drums: bool) -> float:
        """Goes to what the lane plays at the next onset: seconds by which it is late."""
        if not self._humanize:
            return 0.0
        self._loud = CARRIED * self._loud + math.sqrt(1 - CARRIED**2) * CHANCE * float(self._rng.standard_normal())
        deviation = DRUM_DEVIATION if drums else DEVIATION
        fresh = math.sqrt(1 - MEMORY**2) * deviation * float(self._rng.standard_normal())
        self._late[lane] = MEMORY * self._late.get(lane, 0.0) + fresh
        return self._humanize * self._late[lane]

    def spread(self, melody: bool) -> float:
        """Seconds by which one note of a chord is later than the chord."""
        if not self._humanize:
            return 0.0
        return self._humanize * (SPREAD * float(self._rng.standard_normal()) - MELODY_LEAD * melody)


def _spread(bars: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Mean and standard deviation of the velocities of some bars; zeros if there are none."""
    velocities = [velocity for bar in bars for velocity in bar]
    return (float(np.mean(velocities)), float(np.std(velocities))) if velocities else (0.0, 0.0)


def beat_of(meter: Meter) -> int:
    """Ticks from beat to beat as they are felt: dotted in 6/8, 9/8, 12/8."""
    return 3 * meter.ticks // meter.beats if meter.unit >= 8 and meter.beats % 3 == 0 else BEAT


def accent(onset: int, meter: Meter) -> float:
    """What the place in the bar adds to a velocity."""
    if onset == 0:
        return BAR_LINE
    if onset % beat_of(meter) == 0:
        return ON_BEAT
    return HALF_BEAT if onset % (BEAT // 2) == 0 else 0.0


def voicing(chord: Sequence[Note]) -> Iterator[tuple[Note, float, bool]]:
    """Of the notes of one program at one onset, pitches rising: each, what its place adds to its velocity, and whether
    it leads: the highest sings, the others stand back."""
    for note in chord:
        top = note.pitch == chord[-1].pitch
        if len(chord) == 1 or note.program == DRUMS:
            yield note, 0.0, False
        else:
            yield note, TOP if top else LOWEST if note is chord[0] else INNER, top


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
