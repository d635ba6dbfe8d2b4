"""The grammar: what may follow what, as boolean tables over each slot's vocabulary.

A `State` says where in a bar a row stands. `first(state)` masks slot 0; once slot 0 is drawn, `rest` masks each of the
others from what was drawn before it. Whatever is drawn under these masks is a valid bar: onsets rise within the bar,
programs rise within an onset and pitches within a program, a bar ends before its length is passed, a piece ends with
its last bar and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.music.meters import METERS
from radio.music.score import DRUMS, Meter
from radio.music.tokens import (
    BAR,
    END,
    MAX_BAR,
    RANGES,
    SIZES,
    SLOTS,
)

Mask = npt.NDArray[np.bool_]
"""(ids of a slot,)"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What no human piece of a style goes beyond, but for one bar in a thousand."""

    low: int = 0
    """Lowest pitch."""
    high: int = 127
    """Highest pitch."""
    chord: int = 24
    """Most notes of one program that begin together."""
    bar: int = 128
    """Most notes in a bar."""


ANY = Bounds()
NOTHING = 0


def _span_mask(name: str) -> Mask:
    span = RANGES[name]
    mask = np.zeros(SIZES[span.slot], dtype=bool)
    mask[span.start : span.stop] = True
    return mask


def _only(slot: int, ids: int | Sequence[int]) -> Mask:
    mask = np.zeros(SIZES[slot], dtype=bool)
    mask[ids] = True
    return mask


def _onsets() -> npt.NDArray[np.bool_]:
    """[length, earliest]: the onsets from `earliest` up to a bar's length."""
    table = np.zeros((MAX_BAR + 1, MAX_BAR + 2, SIZES[0]), dtype=bool)
    start = RANGES["onset"].start
    for length in {meter.ticks for meter in METERS}:
        for earliest in range(length):
            table[length, earliest, start + earliest : start + length] = True
    return table


def _rising(name: str) -> npt.NDArray[np.bool_]:
    """[lowest]: the ids of a range from the value `lowest` up."""
    span = RANGES[name]
    values = np.arange(SIZES[span.slot]) - span.start
    return (values >= np.arange(span.size + 1)[:, None]) & (values < span.size)


ONSETS = _onsets()
PROGRAMS = _rising("program")
PITCHES = _rising("pitch")
NOTE = {3: _span_mask("duration"), 4: _span_mask("velocity")}
BAR_LINE = {1: _span_mask("tempo"), 2: _span_mask("left"), 3: _span_mask("section"), 4: _span_mask("repeat")}
NONE = tuple(_only(slot, NOTHING) for slot in range(SLOTS))
BARS = {meter: _only(0, BAR + index) for index, meter in enumerate(METERS)}
ENDS = _only(0, END)
LINES = range(BAR, END + 1)
"""What slot 0 may be where a bar has no more notes."""


@dataclass(slots=True)
class State:
    """Where a row stands: its bar's meter, the bar line that comes next, and the note written last."""

    meter: Meter
    following: Meter | None
    """Meter of the next bar; None: this is the last bar."""
    programs: Mask
    """Programs that may sound, over slot 1's ids."""
    bounds: Bounds = ANY
    """Not for drums, but for the notes in a bar."""
    onset: int = 0
    program: int = -1
    pitch: int = -1
    notes: int = 0
    chord: int = 0
    """Notes of this program at this onset so far."""
    filled: bool = False
    """Whether the bar must have notes, as after one without."""

    def wrote(self, onset: int, program: int, pitch: int) -> None:
        """Moves on by one note."""
        together = self.notes > 0 and (onset, program) == (self.onset, self.program)
        self.chord = self.chord + 1 if together else 1
        self.onset, self.program, self.pitch = onset, program, pitch
        self.notes += 1

    @property
    def full(self) -> bool:
        """Whether the program written last can have no more notes at its onset."""
        if self.program == DRUMS:
            return self.pitch >= 127
        return self.pitch >= self.bounds.high or self.chord >= self.bounds.chord


def first(state: State) -> Mask:
    """What slot 0 may be: an onset, the next bar line, or the end."""
    dense = state.notes >= state.bounds.bar
    # At the onset of the note before, a higher program or pitch must be left to write.
    top = state.notes > 0 and state.full and not state.programs[PROGRAMS[state.program + 1]].any()
    earliest = MAX_BAR + 1 if dense else state.onset + top
    mask: Mask = ONSETS[state.meter.ticks, earliest]
    if state.notes or not state.filled:
        mask = mask | (BARS[state.following] if state.following else ENDS)
    return mask


def rest(state: State, drawn: Sequence[int]) -> Mask:
    """What the slot after the ones in `drawn` (at least slot 0) may be."""
    slot = len(drawn)
    if drawn[0] >= END:
        return NONE[slot]
    if drawn[0] >= BAR:
        return BAR_LINE[slot]
    if slot >= 3:
        return NOTE[slot]
    together = state.notes > 0 and drawn[0] - RANGES["onset"].start == state.onset
    if slot == 1:
        programs: Mask = state.programs & PROGRAMS[state.program + state.full if together else 0]
        return programs
    program = drawn[1] - RANGES["program"].start
    above = state.pitch + 1 if together and program == state.program else 0
    pitches: Mask = PITCHES[above]
    if program != DRUMS:
        pitches = PITCHES[max(above, state.bounds.low)] & ~PITCHES[state.bounds.high + 1]
    return pitches


def allowed_programs(programs: Sequence[int]) -> Mask:
    """Slot 1's mask for a set of programs; an empty set allows all."""
    span = RANGES["program"]
    return _only(1, [span.start + p for p in programs]) if programs else _span_mask("program")
