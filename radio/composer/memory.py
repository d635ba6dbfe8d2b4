"""Memory: which runs of notes a piece shares with other works, whatever the key, tempo and place in the bar.

A piece is heard as one *line*: the highest pitch struck at each onset, over the whole piece; or, the same way, the
bass. Each note of the line but the first is a token: the interval from the note before and the time since. Two
passages with equal tokens are the same music, transposed. `Runs` finds every run of tokens that a piece shares with
any of millions of notes: grams of GRAM tokens, hashed and sorted (Karp and Rabin, "Efficient Randomized
Pattern-Matching Algorithms", 1987), are the seeds; each is compared token by token and joined to those that go on
from it (after Altschul et al., "Basic Local Alignment Search Tool", 1990). Results are exact, not estimates.

Scales, trills, repeated notes and a figure that goes round and round are nobody's. A gram is *varied* if it holds at
least VARIED different tokens; seeds are varied grams, and of a run those notes count that lie in one. Human and
machine are measured alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.music import tokens
from radio.music.score import BEAT, DRUMS, Bar, notes_in_time

GRAM = 8
"""Tokens a seed holds: the shortest run looked for has GRAM + 1 notes."""
VARIED = 5
"""Different tokens a varied gram holds at least: of the corpus's grams 85 % do. Leaving each of 537 works out in turn,
the longest runs have 30 notes (p95) if 2 are enough, tremolos and trills that unrelated works have in common. With 3,
4, 5 and 6 they have 23, 19, 16 and 14; from 5 on the very longest are versions, quotations and a composer's habits."""
LONG = 10
"""Notes: runs this long make up the coverage."""
VERSION = 0.2
"""Two works are versions of one when so large a share of a piece's varied grams is in both: 2 % of the corpus's pieces,
most of them tunes printed twice under different names."""
_SIXTEENTH = BEAT // 4
_LONGEST_GAP = 16
_END = 0xFFFF

Tokens = npt.NDArray[np.uint16]
"""(notes of the line - 1,): (interval + 127) * 17 + sixteenths since the note before, rounded, 16 or more being 16."""
Ints = npt.NDArray[np.int64]


def outline(ticks: Ints, pitches: Ints, *, bass: bool = False) -> tuple[Ints, Ints]:
    """The onsets, in order, and the highest pitch at each of them; the lowest for the bass. All are (any,)."""
    order = np.argsort(ticks, kind="stable")
    ticks, pitches = ticks[order], pitches[order]
    first = np.flatnonzero(np.diff(ticks, prepend=ticks[:1] - 1))
    if not len(first):
        return ticks, pitches
    return ticks[first], (np.minimum if bass else np.maximum).reduceat(pitches, first)


def tokens_of(onsets: Ints, pitches: Ints) -> Tokens:
    """The tokens of a line: one fewer than it has notes."""
    gaps = np.minimum((np.diff(onsets) + _SIXTEENTH // 2) // _SIXTEENTH, _LONGEST_GAP)
    packed: Tokens = ((np.diff(pitches) + 127) * (_LONGEST_GAP + 1) + gaps).astype(np.uint16)
    return packed


def line(bars: Sequence[Bar], *, bass: bool = False) -> Tokens:
    """The tokens of some bars' line. Drums have none."""
    placed = [(tick, note.pitch) for tick, note in notes_in_time(list(bars)) if note.program != DRUMS]
    table = np.array(placed, dtype=np.int64).reshape(-1, 2)
    return tokens_of(*outline(table[:, 0], table[:, 1], bass=bass))


def line_in(positions: tokens.Positions, *, bass: bool = False) -> Tokens:
    """As `line`, from a piece's positions; much faster than decoding them."""
    note = (positions[:, 0] >= tokens.RANGES["onset"].start) & (positions[:, 0] < tokens.BAR)
    note &= positions[:, 1] != tokens.RANGES["program"].start + DRUMS
    ticks = tokens.times(positions)[note].astype(np.int64)
    pitches = positions[note, 2].astype(np.int64) - tokens.RANGES["pitch"].start
    return tokens_of(*outline(ticks, pitches, bass=bass))


def grams(line: Tokens) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """A hash of each GRAM consecutive tokens, and whether they are varied: both (tokens - GRAM + 1,)."""
    count = max(len(line) - GRAM + 1, 0)
    hashes = np.zeros(count, dtype=np.uint64)
    if not count:
        return hashes, np.zeros(0, dtype=np.bool_)
    wide = line.astype(np.uint64) + np.uint64(1)
    for place in range(GRAM):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + wide[place : place + count]
    # The low bits of a product know only low bits; mixed, all do (the finish of SplitMix64, Steele et al. 2014).
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    held = np.sort(np.lib.stride_tricks.sliding_window_view(line, GRAM), axis=1)
    different = 1 + np.count_nonzero(held[:, 1:] != held[:, :-1], axis=1)
    return hashes ^ (hashes >> np.uint64(31)), different >= VARIED


@dataclass(frozen=True, slots=True)
class Run:
    """A run of notes shared with one piece. If no varied gram is shared, and so no GRAM + 1 notes, all is empty."""

    length: int = 0
    """How many of its notes lie in varied grams; of a run without a trill or the like, all."""
    work: str = ""
    piece: int = -1
    """Number of the piece among those the `Runs` were built from."""
    here: int = 0
    """Note of the line, from 0, at which its first varied gram starts in the piece asked about."""
    there: int = 0
    """The same in the piece it is shared with."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a piece shares with other works."""

    longest: Run
    coverage: float
    """Share of the line's notes that count in a run of length LONG or more, with whatever work, 0 to 1."""
    nearest: str
    """The work that most of the piece's varied grams are in; "" for none."""
    kinship: float
    """How large a share of them that is, 0 to 1."""


NOTHING = Shared(Run(), 0.0, "", 0.0)


class Runs:
    """Many works' lines, to be searched for the runs of a piece. Nothing changes after it is built.

    Five million tokens take 60 MB, and three seconds and 200 MB more while it is built.
    """

    def __init__(self, pieces: Iterable[tuple[str, Tokens]]) -> None:
        """Takes pieces as (work, line); several may be of one work."""
        named = list(pieces)
        self._names = sorted({work for work, _ in named})
        number = {work: index for index, work in enumerate(self._names)}
        self._work = np.array([number[work] for work, _ in named], dtype=np.int32)
        # An END before, between and after the lines stops a run from growing past either end of a piece.
        end = np.full(1, _END, dtype=np.uint16)
        self._text: Tokens = np.concatenate([end, *(part for _, own in named for part in (own, end))])
        lengths = np.array([0, *(len(own) + 1 for _, own in named)], dtype=np.int64)
        self._starts: Ints = np.cumsum(lengths) + 1
        hashes, places = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int32)]
        for start, (_, own) in zip(self._starts.tolist(), named, strict=False):
            found, varied = grams(own)
            hashes.append(found[varied])
            places.append((start + np.flatnonzero(varied)).astype(np.int32))
        hashed = np.concatenate(hashes)
        order = np.argsort(hashed, kind="stable")
        self._hashes, self._places = hashed[order], np.concatenate(places)[order]

    def search(self, line: Tokens, *, without: Collection[str] = ()) -> Shared:
        """What a line shares with all works except those of the names in `without`."""
        varied = grams(line)[1]
        here, there = self._seeds(line, frozenset(without))
        if not len(here):
            return NOTHING
        nearest, kinship = self._nearest(line, here, there)
        first, last, there = self._joined(line, here, there)
        counts = _spread(np.flatnonzero(varied), np.flatnonzero(varied) + GRAM, len(line) + 1)
        before = np.concatenate([[0], np.cumsum(counts)])
        lengths = before[last + GRAM + 1] - before[first]
        best = int(np.argmax(lengths))
        piece = int(self._piece(there[best : best + 1])[0])
        longest = Run(
            length=int(lengths[best]),
            work=self._names[self._work[piece]],
            piece=piece,
            here=int(first[best]),
            there=int(there[best] - self._starts[piece]),
        )
        long = lengths >= LONG
        covered = counts & _spread(first[long], last[long] + GRAM, len(line) + 1)
        return Shared(longest, float(covered.mean()), nearest, kinship)

    def _piece(self, places: Ints) -> Ints:
        return np.searchsorted(self._starts, places, side="right") - 1

    def _seeds(self, line: Tokens, without: frozenset[str]) -> tuple[Ints, Ints]:
        """Each pair of places, in the line and in the text, whose varied grams are equal: twice (seeds,)."""
        hashes, varied = grams(line)
        here = np.flatnonzero(varied)
        low = np.searchsorted(self._hashes, hashes[here], side="left")
        count = np.searchsorted(self._hashes, hashes[here], side="right") - low
        here = np.repeat(here, count)
        within = np.arange(len(here)) - np.repeat(np.cumsum(count) - count, count)
        there = self._places[np.repeat(low, count) + within].astype(np.int64)
        kept = np.ones(len(here), dtype=np.bool_)
        for place in range(GRAM):
            kept &= line[here + place] == self._text[there + place]
        if without:
            barred = np.array([name in without for name in self._names])
            kept &= ~barred[self._work[self._piece(there)]]
        return here[kept], there[kept]

    def _nearest(self, line: Tokens, here: Ints, there: Ints) -> tuple[str, float]:
        works = self._work[self._piece(there)].astype(np.int64)
        own = np.unique(works * len(line) + here) // len(line)
        names, counts = np.unique(own, return_counts=True)
        varied = np.count_nonzero(grams(line)[1])
        return self._names[names[np.argmax(counts)]], float(counts.max()) / varied

    def _joined(self, line: Tokens, here: Ints, there: Ints) -> tuple[Ints, Ints, Ints]:
        """The runs that seeds are parts of: first and last seed of each, in the line; the first, in the text.

        Seeds that follow one another at the same distance are a row. Rows at the same distance are of one run if all
        tokens between them agree: if, followed back, they come to the same start.
        """
        distance = there - here
        order = np.lexsort((here, distance))
        here, distance = here[order], distance[order]
        opens = np.ones(len(here), dtype=np.bool_)
        opens[1:] = (np.diff(distance) != 0) | (np.diff(here) != 1)
        rows = np.flatnonzero(opens)
        start = here[rows].copy()
        live = np.arange(len(rows))
        while len(live):
            live = live[start[live] > 0]
            live = live[line[start[live] - 1] == self._text[start[live] - 1 + distance[rows[live]]]]
            start[live] -= 1
        opens = np.ones(len(rows), dtype=np.bool_)
        opens[1:] = (np.diff(distance[rows]) != 0) | (np.diff(start) != 0)
        first = rows[opens]
        last = np.append(first[1:], len(here)) - 1
        return here[first], here[last], here[first] + distance[first]


def _spread(first: Ints, last: Ints, count: int) -> npt.NDArray[np.bool_]:
    """Which of `count` notes lie between a `first` and its `last`, both included."""
    steps = np.zeros(count + 1, dtype=np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    covered: npt.NDArray[np.bool_] = np.cumsum(steps)[:-1] > 0
    return covered


def human(runs: Runs, pieces: Iterable[tuple[str, Tokens]]) -> list[Shared]:
    """What each piece, given as (work, line), shares with the works of others: the measure for a machine.

    Its own work is left out, and so is each work that holds a VERSION of it.
    """
    found = []
    for work, own in pieces:
        left_out = {work}
        shared = runs.search(own, without=left_out)
        while shared.kinship >= VERSION:
            left_out.add(shared.nearest)
            shared = runs.search(own, without=left_out)
        found.append(shared)
    return found


@dataclass(frozen=True, slots=True)
class Recall:
    """How much of a work came back when its opening was given as a prompt."""

    in_a_row: int
    """Notes right after the prompt that are the original's."""
    share: float
    """Share of the notes compared that are, each in its place, 0 to 1; 0 if there were none."""
    compared: int
    """Notes compared: those after the prompt that both have."""


def recalled(original: Tokens, composed: Tokens, *, prompt: int = 16) -> Recall:
    """How an attack by prompt went: both lines open with the same `prompt` notes; what is after them is compared.

    A note is the original's if its interval and its time since the note before are.

    Raises:
        ValueError: `prompt` is not positive, or the lines do not open alike.
    """
    if prompt < 1 or not np.array_equal(original[: prompt - 1], composed[: prompt - 1]):
        raise ValueError(f"got lines that differ within the first {prompt} notes, wanted a work and its continuation")
    count = max(min(len(original), len(composed)) - (prompt - 1), 0)
    if not count:
        return Recall(0, 0.0, 0)
    equal = original[prompt - 1 :][:count] == composed[prompt - 1 :][:count]
    in_a_row = count if equal.all() else int(np.argmin(equal))
    return Recall(in_a_row, float(equal.mean()), count)
