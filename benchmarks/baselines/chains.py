"""What the Markov chain looks back at: for each slot, contexts of growing length.

A slot of a note is told from some of what the note has already, and from up to ORDER notes before: pitches from those
of the same program, durations and velocities too, and with drums from those of the same drum. From the third order on,
pitches are counted as intervals, so that what was heard in one key is known in all. A slot of a bar line is told from
the same slot of the bar lines before. Each context comes twice: alone, and with the style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.baselines.counts import Keys, Numbers, hashed
from radio.music import tokens
from radio.music.score import BEAT, DRUMS

ORDER = 5
ABSOLUTE = 2
"""Orders up to this one know pitches as they are, higher ones by their intervals."""
NAMES = ("onset", "program", "pitch", "duration", "velocity", "tempo", "left", "section", "repeat")
LEVELS = {name: 2 * (ORDER + 1 + (name in ("duration", "velocity"))) for name in NAMES}
"""How many contexts each chain has."""
_DRUM = tokens.RANGES["program"].start + DRUMS
_BESIDE = 200
"""Added to an interval, so that it is never negative."""
_NOTHING = 510
"""Stands for what would lie before the first."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One slot of some positions: what is to be told, and in which contexts, from the shortest to the longest."""

    name: str
    rows: Numbers
    """(n,): the positions told."""
    ids: Numbers
    """(n,): what they have in the slot."""
    first: int
    """The lowest id there may be, and how many there are."""
    size: int
    contexts: tuple[Keys, ...]
    """(n,) each."""
    shifts: tuple[Numbers, ...]
    """(n,) each: what is added to an id to make the symbol that is counted in the context."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Positions in the order in which one looks back: those of one lane together, in time."""

    rows: Numbers
    depth: Numbers
    """How many of the same lane came before."""

    @classmethod
    def of(cls, rows: Numbers, lane: Numbers) -> Lanes:
        """The rows, lane by lane."""
        order = np.argsort(lane, kind="stable")
        rows, lane = rows[order], lane[order]
        at = np.arange(len(rows))
        return cls(rows, at - np.maximum.accumulate(np.where(lane != back(lane, 1), at, 0)))

    def before(self, column: Numbers, count: int) -> Numbers:
        """The column `count` places ago in the same lane."""
        return np.where(self.depth >= count, back(column, count), _NOTHING)

    def past(self, column: Numbers, count: int) -> list[Numbers]:
        """The column 1 to `count` places ago."""
        return [self.before(column, k) for k in range(1, count + 1)]


def back(column: Numbers, count: int) -> Numbers:
    """The column `count` places ago."""
    return np.concatenate((np.full(count, _NOTHING, dtype=np.int64), column))[: len(column)]


def chains(positions: tokens.Positions, style: int) -> Iterator[Chain]:
    """All chains of a piece (n, SLOTS); `style` is any number ≥ 0 of its own."""
    ids = positions.astype(np.int64)
    is_line = (ids[:, 0] >= tokens.BAR) & (ids[:, 0] < tokens.END)
    lines, notes = np.flatnonzero(is_line), np.flatnonzero(ids[:, 0] < tokens.BAR)
    meter = np.where(is_line, ids[:, 0], 0)[np.maximum.accumulate(np.where(is_line, np.arange(len(ids)), 0))]
    yield _chain("onset", ids, np.arange(len(ids)), _growing(_past(ids[:, 0]), [back(meter, 1)]), style)
    for name in ("tempo", "left", "section", "repeat"):
        yield _chain(name, ids, lines, _growing(_past(ids[lines, tokens.RANGES[name].slot])), style)
    # Never as small as _NOTHING.
    moment = (2 + np.cumsum(is_line)) * 2 * tokens.MAX_BAR + ids[:, 0]
    program = ids[notes, 1]
    yield _chain("program", ids, notes, _growing(_past(program), [_together(moment[notes])]), style)
    yield _pitches(ids, Lanes.of(notes, program), moment, style)
    drum = np.where(program == _DRUM, ids[notes, 2], 0)
    yield from _touches(ids, Lanes.of(notes, program * tokens.SIZES[2] + drum), moment, style)


def _past(column: Numbers) -> list[Numbers]:
    return [back(column, k) for k in range(1, ORDER + 1)]


def _growing(past: Sequence[Numbers], shared: Sequence[Numbers] = ()) -> list[list[Numbers]]:
    """Contexts of nothing, and of the last 1, 2, … values with the shared columns."""
    return [[], *([*shared, *past[:k]] for k in range(1, len(past) + 1))]


def _together(moment: Numbers) -> Numbers:
    """Whether each begins with the one before."""
    together: Numbers = (moment == back(moment, 1)).astype(np.int64)
    return together


def _pitches(ids: Numbers, lanes: Lanes, moments: Numbers, style: int) -> Chain:
    program, pitch, moment = ids[lanes.rows, 1], ids[lanes.rows, 2], moments[lanes.rows]
    chord = (moment == lanes.before(moment, 1)).astype(np.int64)
    chords, last = [chord, *lanes.past(chord, ORDER - 1)], lanes.past(pitch, ORDER)
    # An interval between drums means nothing: they keep their keys.
    drum = program == _DRUM
    moves = (np.where(lanes.depth > k, last[k - 1] - last[k] + _BESIDE, _NOTHING) for k in range(1, ORDER))
    steps = [np.where(drum, key, move) for key, move in zip(last, moves, strict=False)]
    contexts = [[program, *chords[:k], *last[:k]] for k in range(ABSOLUTE + 1)]
    is_drum = drum.astype(np.int64)
    contexts += [[is_drum, *chords[:k], *steps[: k - 1]] for k in range(ABSOLUTE + 1, ORDER + 1)]
    interval = np.where((lanes.depth > 0) & ~drum, _BESIDE - last[0], 0)
    shifts = [np.zeros_like(pitch)] * (ABSOLUTE + 1) + [interval] * (ORDER - ABSOLUTE)
    return _chain("pitch", ids, lanes.rows, contexts, style, shifts)


def _touches(ids: Numbers, lanes: Lanes, moments: Numbers, style: int) -> Iterator[Chain]:
    """Duration and velocity."""
    program, moment = ids[lanes.rows, 1], moments[lanes.rows]
    drum = np.where(program == _DRUM, ids[lanes.rows, 2], 0)
    chord = (moment == lanes.before(moment, 1)).astype(np.int64)
    beat = (ids[lanes.rows, 0] - 1) % BEAT
    for name, shared in (("duration", [chord, beat]), ("velocity", [chord, drum])):
        past = lanes.past(ids[lanes.rows, tokens.RANGES[name].slot], ORDER)
        contexts = [[program, drum], *([*shared, *past[:k]] for k in range(ORDER + 1))]
        yield _chain(name, ids, lanes.rows, contexts, style)


def _chain(
    name: str,
    ids: Numbers,
    rows: Numbers,
    contexts: Sequence[Sequence[Numbers]],
    style: int,
    shifts: Sequence[Numbers] = (),
) -> Chain:
    """A chain with each context alone, and with the style."""
    slot, first, size = tokens.RANGES[name]
    none = np.zeros(len(rows), dtype=np.int64)
    made = tuple(hashed([none + told, *columns]) for columns in contexts for told in (0, 1 + style))
    moved = tuple(shift for shift in shifts or [none] * len(contexts) for _ in range(2))
    # Slot 0 may be an onset, a bar line or the end.
    return Chain(name, rows, ids[rows, slot], first, tokens.END if name == "onset" else size, made, moved)


def joined(parts: Sequence[Chain]) -> Chain:
    """Chains of one name, end to end."""
    first = parts[0]
    levels = range(len(first.contexts))
    return Chain(
        first.name,
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.ids for part in parts]),
        first.first,
        first.size,
        tuple(np.concatenate([part.contexts[level] for part in parts]) for level in levels),
        tuple(np.concatenate([part.shifts[level] for part in parts]) for level in levels),
    )
