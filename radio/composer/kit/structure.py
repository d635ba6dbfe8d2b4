"""Structure: what comes back, how far back it lay, what merely loops, and whether the planned form is heard.

Bars are compared as sets of (sixteenth, pitch) cells by the Jaccard index (1912): cells shared / cells in either. The
drum kit is left out, except from a piece that has nothing else. A figure that a piece cannot have is nan.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from radio.music import form
from radio.music.score import BEAT, DRUMS, Bar, Note, notes_in_time
from radio.music.tokens import MAX_BAR, SECTIONS

ALIKE = 0.7
"""Bars whose Jaccard index is at least this are called the same material."""
LOOPED = 0.9
"""A bar at least this like an earlier one is its copy."""
PERIOD = 4
"""Bars of the longest figure whose going round and round is called a loop."""
BANDS = ((2, 7), (8, 15), (16, 31), (32, 1_000_000))
"""Distances in bars, both ends included, by which recurrence is told apart."""
RETURNED = 0.5
"""Mean similarity of a section's bars to its first statement from which the section is heard to return.

The annotation of the corpus draws its line at the same place, so that all 284 returns in 337 held-out human pieces
pass. Of as many whose piece's bars were shuffled under the same letters, 11 % do.
"""
SIXTEENTH = BEAT // 4
SLOTS = MAX_BAR // SIXTEENTH
PHRASE = 8
"""Bars of a stretch by which an earlier piece is quoted."""
REACH = 6
"""Semitones a bar may be moved by to resemble another."""

Square = npt.NDArray[np.float32]
"""(bars, bars), 0 to 1."""
Flags = npt.NDArray[np.bool_]
"""(bars,)"""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much each bar of a piece resembles each other bar, by four measures; made once, read by every figure."""

    full: Flags
    """Whether the bar has the three notes without which a likeness says little."""
    same: Square
    """Jaccard index of the bars' cells at pitch."""
    moved: Square
    """The same at the best transposition within ±6 semitones."""
    rhythm: Square
    """Jaccard index of the sets of sixteenths on which notes begin."""
    form: Square
    """`radio.music.form.similarity`, by which the corpus was annotated."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Shares, 0 to 1, of the bars with three notes or more that resemble a bar at least two earlier."""

    same: float
    transposed: float
    rhythm: float
    bands: tuple[float, ...]
    """At pitch, by the distances of BANDS; a bar may resemble several earlier ones and count in several."""


@dataclass(frozen=True, slots=True)
class Loops:
    """Bars that are copied at once."""

    share: float
    """Of the bars with three notes or more, those that copy the bar just before, 0 to 1."""
    longest: int
    """Bars of the longest stretch in which a figure of at most PERIOD bars goes round; 0 if none does."""


@dataclass(frozen=True, slots=True)
class Structure:
    """All figures of this module."""

    recurrence: Recurrence
    loops: Loops
    adherence: float
    returns: float
    compression: float


def heard(bars: Sequence[Bar]) -> list[list[Note]]:
    """The notes of each bar without the drum kit's; with them where the piece has no others."""
    pitched = [[note for note in bar.notes if note.program != DRUMS] for bar in bars]
    return pitched if any(pitched) else [list(bar.notes) for bar in bars]


def slot(note: Note, bar: Bar) -> int:
    """The sixteenth of its bar that a note begins nearest to, from 0; never the next bar's first."""
    return min((note.onset + SIXTEENTH // 2) // SIXTEENTH, max(bar.meter.ticks // SIXTEENTH, 1) - 1, SLOTS - 1)


def cells(bars: Sequence[Bar], shift: int = 0) -> sparse.csr_array:
    """(bars, cells) ones where a bar has a note, moved up by `shift` semitones, −REACH to REACH."""
    width = 128 + 2 * REACH
    rows, columns = [], []
    for index, notes in enumerate(heard(bars)):
        taken = {slot(note, bars[index]) * width + note.pitch + REACH + shift for note in notes}
        columns += sorted(taken)
        rows += [index] * len(taken)
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_array((ones, (rows, columns)), shape=(len(bars), SLOTS * width))


def _jaccard(left: sparse.csr_array, right: sparse.csr_array) -> Square:
    shared = (left @ right.T).toarray()
    either = left.sum(axis=1)[:, None] + right.sum(axis=1)[None, :] - shared
    index: Square = (shared / np.maximum(either, 1.0)).astype(np.float32)
    return index


def resemblance(bars: Sequence[Bar]) -> Square:
    """Jaccard index of the cells of each two bars, at pitch; an empty bar resembles none."""
    held = cells(bars)
    return _jaccard(held, held)


def compare(bars: Sequence[Bar]) -> Likeness:
    """All likenesses of the bars of a piece."""
    held = cells(bars)
    same = _jaccard(held, held)
    moved = same.copy()
    for shift in range(1, REACH + 1):
        up = _jaccard(held, cells(bars, shift))
        np.maximum(moved, up, out=moved)
        np.maximum(moved, up.T, out=moved)
    struck = np.zeros((len(bars), SLOTS), dtype=np.float32)
    for index, notes in enumerate(heard(bars)):
        struck[index, [slot(note, bars[index]) for note in notes]] = 1.0
    grid = sparse.csr_array(struck)
    return Likeness(full(bars), same, moved, _jaccard(grid, grid), form.similarity(bars))


def full(bars: Sequence[Bar]) -> Flags:
    """Which bars have three notes or more."""
    return np.array([len(notes) >= 3 for notes in heard(bars)], dtype=bool)


def recurring(alike: Square, low: int = 2, high: int = 1_000_000) -> Flags:
    """Which bars resemble one that lies `low` to `high` bars back."""
    earlier = np.tri(len(alike), k=-low, dtype=bool) & ~np.tri(len(alike), k=-high - 1, dtype=bool)
    found: Flags = ((alike >= ALIKE) & earlier).any(axis=1)
    return found


def recurrence(bars: Sequence[Bar], alike: Likeness | None = None) -> Recurrence:
    """How much of a piece is heard again; nan where no bar has three notes."""
    alike = alike or compare(bars)

    def share(flags: Flags) -> float:
        return float(flags[alike.full].mean()) if alike.full.any() else float("nan")

    return Recurrence(
        share(recurring(alike.same)),
        share(recurring(alike.moved)),
        share(recurring(alike.rhythm)),
        tuple(share(recurring(alike.same, low, high)) for low, high in BANDS),
    )


def copies(held: sparse.csr_array, lag: int) -> Flags:
    """Which bars copy the one `lag` bars back, from the cells of the bars; linear in the bars."""
    found = np.zeros(held.shape[0], dtype=bool)
    if lag < held.shape[0]:
        now, then = held[lag:], held[:-lag]
        shared = now.multiply(then).sum(axis=1)
        either = now.sum(axis=1) + then.sum(axis=1) - shared
        found[lag:] = shared >= LOOPED * np.maximum(either, 1.0)
    return found


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """Where flags are true in a row: the first of each stretch, and its length."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(first), int(last - first)) for first, last in edges.reshape(-1, 2)]


def rounds(held: sparse.csr_array) -> list[tuple[int, int]]:
    """Each stretch in which a figure of 1 to PERIOD bars goes round at least twice: its first bar and its length.

    A stretch counts from the figure's first bar; of overlapping ones the longest is kept.
    """
    found = [
        (first - period, length + period)
        for period in range(1, PERIOD + 1)
        for first, length in stretches(copies(held, period))
        if length >= period
    ]
    kept: list[tuple[int, int]] = []
    taken = np.zeros(held.shape[0], dtype=bool)
    for first, length in sorted(found, key=lambda stretch: (-stretch[1], stretch[0])):
        if not taken[first : first + length].any():
            taken[first : first + length] = True
            kept.append((first, length))
    return sorted(kept)


def loops(bars: Sequence[Bar], alike: Likeness | None = None) -> Loops:
    """How much of a piece copies the bar before; the share is nan where no bar has three notes."""
    enough = alike.full if alike else full(bars)
    held = cells(bars)
    share = float(copies(held, 1)[enough].mean()) if enough.any() else float("nan")
    return Loops(share, max((length for _, length in rounds(held)), default=0))


def adherence(bars: Sequence[Bar], alike: Likeness | None = None) -> float:
    """Correlation, −1 to 1, between two bars' having one section letter and their similarity, over pairs two apart.

    nan where all bars have one letter or all pairs are equally similar.
    """
    letters = np.array([bar.section for bar in bars])
    first, second = np.triu_indices(len(bars), k=2)
    planned = (letters[first] == letters[second]).astype(np.float64)
    if not len(first) or np.ptp(planned) == 0:
        return float("nan")
    sounding = (alike.form if alike else form.similarity(bars))[first, second].astype(np.float64)
    return float(np.corrcoef(planned, sounding)[0, 1]) if np.ptp(sounding) > 0 else float("nan")


def returning(bars: Sequence[Bar], alike: Likeness | None = None) -> list[float]:
    """For each return of a section letter after another, the mean similarity of its bars to the first statement's.

    Where the first statement is the longer, the return may begin at any of its units. The last letter stands for all
    sections past the seventh, so that its returns say nothing and are left out; so do bars that are silent both times,
    where a tone is held, and a return of nothing else.
    """
    similar = alike.form if alike else form.similarity(bars)
    starts = [index for index, bar in enumerate(bars) if not index or bar.section != bars[index - 1].section]
    unit = form.unit_bars(len(bars))
    stated: dict[str, tuple[int, int]] = {}
    found = []
    for start, stop in zip(starts, [*starts[1:], len(bars)], strict=True):
        letter = bars[start].section
        if letter not in stated:
            stated[letter] = (start, stop - start)
            continue
        if letter == SECTIONS[-1]:
            continue
        first, length = stated[letter]
        span = np.arange(min(stop - start, length))
        offsets = range(0, length - len(span) + 1, unit)
        likest = max(_likeness(similar, start + span, first + offset + span) for offset in offsets)
        if likest >= 0:
            found.append(likest)
    return found


def _likeness(similar: Square, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> float:
    """The mean similarity of bars to others, but for those of which both are silent; -1 if that leaves none."""
    sounding = (similar[left, left] > 0) | (similar[right, right] > 0)
    return float(similar[left, right][sounding].mean()) if sounding.any() else -1.0


def returns(bars: Sequence[Bar], alike: Likeness | None = None) -> float:
    """Share of the planned returns of a section that do resemble its first statement (RETURNED); nan without any."""
    found = returning(bars, alike)
    return float(np.mean([likeness >= RETURNED for likeness in found])) if found else float("nan")


def compression(bars: Sequence[Bar]) -> float:
    """How many times zlib shrinks the piece, three bytes a note: pitch, and sixteenths since the last onset and held.

    The more a piece repeats itself, the more it shrinks; 0 without notes. Longer pieces shrink more.
    """
    lone = [Bar(bar.meter, bar.tempo, tuple(notes)) for bar, notes in zip(bars, heard(bars), strict=True)]
    written = bytearray()
    before = 0
    for tick, note in notes_in_time(lone):
        place = (tick + SIXTEENTH // 2) // SIXTEENTH
        held = max((note.duration + SIXTEENTH // 2) // SIXTEENTH, 1)
        written += bytes((note.pitch, min(place - before, 255), min(held, 255)))
        before = place
    return len(written) / len(zlib.compress(bytes(written), 9)) if written else 0.0


def quoted(pieces: Sequence[Sequence[Bar]]) -> float:
    """Self-plagiarism of a run of pieces: share of the stretches of 8 bars that an earlier piece already had, 0 to 1.

    Sixteenths and pitches must be equal, at any transposition. Stretches of fewer than three notes a bar, which anybody
    may have written, do not count; nan where there are no others.
    """
    heard_before: set[object] = set()
    known = total = 0
    for piece in pieces:
        own: set[object] = set()
        marks = [
            (frozenset((slot(note, bar), note.pitch) for note in notes), len(notes))
            for bar, notes in zip(piece, heard(piece), strict=True)
        ]
        for start in range(len(piece) - PHRASE + 1):
            run = marks[start : start + PHRASE]
            if sum(count for _, count in run) >= 3 * PHRASE:
                low = min(pitch for shape, _ in run for _, pitch in shape)
                phrase = tuple(frozenset((place, pitch - low) for place, pitch in shape) for shape, _ in run)
                total += 1
                known += phrase in heard_before
                own.add(phrase)
        heard_before |= own
    return known / total if total else float("nan")


def structure(bars: Sequence[Bar]) -> Structure:
    """All figures of a piece, its bars compared once."""
    alike = compare(bars)
    return Structure(
        recurrence(bars, alike), loops(bars, alike), adherence(bars, alike), returns(bars, alike), compression(bars)
    )
