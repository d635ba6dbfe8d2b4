"""Form: which bars resemble which, how far back, and the section letters that follow.

Two bars are compared as sets of (onset, pitch) cells by the cosine of their overlap, at the best of the transpositions
within ±6 semitones; a transposed likeness counts a little less than one at pitch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from radio.music.score import DRUMS, Bar
from radio.music.tokens import MAX_REPEAT, SECTIONS

CELLS = 16
"""Onset cells a bar is divided into."""
LOW, HIGH = 21, 109
"""Pitches compared: those of a piano."""
ALIKE = 0.7
"""Bars at least this similar are called a return."""
TRANSPOSED = 0.92
"""What a likeness at another pitch is worth."""

Similarity = npt.NDArray[np.float32]
"""(bars, bars), 0 to 1."""


def _features(bars: Sequence[Bar]) -> npt.NDArray[np.float32]:
    cells = np.zeros((len(bars), CELLS, HIGH - LOW), dtype=np.float32)
    for index, bar in enumerate(bars):
        ticks = bar.meter.ticks
        for note in bar.notes:
            # The lowest drum keys lie below a piano; an octave up, all of the kit is compared.
            pitch = note.pitch + (12 if note.program == DRUMS else 0)
            if LOW <= pitch < HIGH and note.onset < ticks:
                cells[index, note.onset * CELLS // ticks, pitch - LOW] = 1.0
    return cells


def similarity(bars: Sequence[Bar], *, transposed: bool = True) -> Similarity:
    """How much each bar resembles each other bar; bars of different meters, and empty bars, do not."""
    cells = _features(bars)
    count = len(bars)
    norm = np.sqrt(cells.sum(axis=(1, 2)))
    flat = (cells / np.maximum(norm, 1.0)[:, None, None]).reshape(count, -1)
    best: Similarity = flat @ flat.T
    if transposed:
        for shift in range(1, 7):
            moved = np.zeros_like(cells)
            moved[:, :, shift:] = cells[:, :, :-shift]
            moved = (moved / np.maximum(norm, 1.0)[:, None, None]).reshape(count, -1)
            up = (flat @ moved.T) * TRANSPOSED
            np.maximum(best, up, out=best)
            np.maximum(best, up.T, out=best)
    meters = np.array([hash(bar.meter) for bar in bars])
    best[meters[:, None] != meters[None, :]] = 0.0
    return best


def repeats(alike: Similarity) -> list[int]:
    """For each bar, how many bars back the one it resembles lies; 0 where none within MAX_REPEAT does.

    A bar goes on with the distance of the bar before it where that still holds, so that a passage that returns has
    one distance; otherwise the most similar earlier bar counts, the nearest of equals.
    """
    found: list[int] = []
    for bar in range(len(alike)):
        reach = min(bar, MAX_REPEAT)
        back = alike[bar, bar - reach : bar][::-1]
        before = found[-1] if found else 0
        best = float(back.max()) if reach else 0.0
        if best < ALIKE:
            found.append(0)
        elif 0 < before <= reach and back[before - 1] >= max(ALIKE, best - 0.15):
            found.append(before)
        else:
            found.append(int(np.argmax(back >= best - 1e-4)) + 1)
    return found


def unit_bars(count: int) -> int:
    """Length of the unit that sections are made of, by the length of the piece, in bars."""
    return 8 if count >= 32 else 4 if count >= 12 else 2


def sections(alike: Similarity) -> list[str]:
    """A section letter for each bar: units that resemble an earlier unit carry its letter, others the next one."""
    count = len(alike)
    unit = unit_bars(count)
    letters: list[str] = []
    first: list[int] = []
    for start in range(0, count, unit):
        span = min(unit, count - start)
        scores = [float(np.mean([alike[start + k, other + k] for k in range(span)])) for other in first]
        if scores and max(scores) >= 0.5:
            letter = SECTIONS[min(int(np.argmax(scores)), len(SECTIONS) - 1)]
        else:
            letter = SECTIONS[min(len(first), len(SECTIONS) - 1)]
            first.append(start)
        letters += [letter] * span
    return letters


def annotate(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """The bars with `section`, `repeat` and `left` filled in from the music itself."""
    if not bars:
        return ()
    alike = similarity(bars)
    return tuple(
        replace(bar, section=letter, repeat=repeat, left=len(bars) - index)
        for index, (bar, letter, repeat) in enumerate(zip(bars, sections(alike), repeats(alike), strict=True))
    )
