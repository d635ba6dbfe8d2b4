"""Piano rolls of sixteenths: what the biaxial network reads and writes, and how bars become them and come back.

So that figures can be compared, all models are measured on the same bars: `quantised`, which a roll holds without loss
but for program and velocity.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radio.music import tokens
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note

CELL = BEAT // 4
"""Ticks of a sixteenth."""
LOW, KEYS = 21, 88
"""A piano's lowest key, and how many it has."""
LENGTHS: tuple[int, ...] = tuple(ticks // CELL for ticks in tokens.DURATIONS if ticks % CELL == 0)
"""Durations that both a roll and a position hold, in sixteenths."""
ON_GRID = 0.95
"""Share of its onsets that a piece has on sixteenths if it may be measured as a roll."""
Cells = npt.NDArray[np.bool_]
"""(sixteenths, KEYS)"""


@dataclass(frozen=True, slots=True)
class Roll:
    """Music as a roll."""

    play: Cells
    """Where a key sounds, and where it is struck."""
    strike: Cells
    place: npt.NDArray[np.int64]
    """(sixteenths,): since the bar's beginning."""


def fits(positions: tokens.Positions) -> bool:
    """Whether a roll can hold a piece: one program, no drums, nearly all onsets on sixteenths."""
    notes = positions[positions[:, 0] < tokens.BAR]
    programs = np.unique(notes[:, 1]) - tokens.RANGES["program"].start
    onsets = notes[:, 0] - tokens.RANGES["onset"].start
    return bool(len(programs) == 1 and programs[0] != DRUMS and (onsets % CELL == 0).mean() >= ON_GRID)


def quantised(bars: Sequence[Bar]) -> list[Bar]:
    """The bars with onsets and durations in sixteenths, each key struck once at a time, and no longer than to the next.

    Drums and what a piano has no keys for are left out.
    """
    found: dict[tuple[int, int], tuple[int, Note]] = {}
    starts = [0]
    for number, bar in enumerate(bars):
        cells = bar.meter.ticks // CELL
        for note in sorted(bar.notes, key=lambda note: note.duration):
            if note.program != DRUMS and LOW <= note.pitch < LOW + KEYS:
                cell = min(round(note.onset / CELL), cells - 1)
                found[note.pitch, starts[-1] + cell] = number, replace(note, onset=cell * CELL)
        starts.append(starts[-1] + cells)
    made: list[list[Note]] = [[] for _ in bars]
    following = {key: starts[-1] for key, _ in found}
    for key, cell in sorted(found, reverse=True):
        number, note = found[key, cell]
        wanted = max(round(note.duration / CELL), 1)
        made[number].append(replace(note, duration=CELL * held(min(wanted, following[key] - cell))))
        following[key] = cell
    return [replace(bar, notes=tuple(sorted(notes))) for bar, notes in zip(bars, made, strict=True)]


def held(cells: int) -> int:
    """The longest of LENGTHS that is not longer."""
    return LENGTHS[bisect.bisect_right(LENGTHS, cells) - 1]


def rolled(bars: Sequence[Bar]) -> Roll:
    """Quantised bars as a roll."""
    lengths = [bar.meter.ticks // CELL for bar in bars]
    play = np.zeros((sum(lengths), KEYS), dtype=bool)
    strike = np.zeros_like(play)
    start = 0
    for bar, cells in zip(bars, lengths, strict=True):
        for note in bar.notes:
            first = start + note.onset // CELL
            play[first : first + note.duration // CELL, note.pitch - LOW] = True
            strike[first, note.pitch - LOW] = True
        start += cells
    return Roll(play, strike, np.concatenate([np.arange(cells) for cells in lengths] or [np.zeros(0, np.int64)]))


def unrolled(roll: Roll, meter: Meter, tempo: float, program: int, velocity: int) -> list[Bar]:
    """A roll of whole bars of one meter as bars."""
    cells = meter.ticks // CELL
    bars: list[list[Note]] = [[] for _ in range(len(roll.play) // cells)]
    for first, key in np.argwhere(roll.strike):
        last = first + 1
        while last < len(roll.play) and roll.play[last, key] and not roll.strike[last, key]:
            last += 1
        onset = int(first % cells) * CELL
        bars[first // cells].append(Note(onset, program, int(key) + LOW, int(last - first) * CELL, velocity))
    return [Bar(meter, tempo, tuple(sorted(notes))) for notes in bars]
