"""Training examples: windows of pieces that begin at a bar line, with their prefix, transposed and balanced.

A style is drawn in proportion to a power of its size, so that small styles are heard often enough and
large ones do not drown them; then a piece by its length, then a window of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radio.composer.corpus import Corpus, Entry
from radio.composer.window import Held, Window, held, made_anew
from radio.music import keys, tokens
from radio.music.score import DRUMS, Prefix

DROP_FIELD = 0.15
"""How often each field of a prefix is left out in training."""
DROP_ALL = 0.1
"""How often the whole prefix is."""

_PITCH, _PROGRAM, _REPEAT = tokens.RANGES["pitch"], tokens.RANGES["program"], tokens.RANGES["repeat"]
_DRUMS = _PROGRAM.start + DRUMS


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a batch: ids (length, SLOTS), times in ticks (length,), which are not to be foretold (length,)."""

    positions: tokens.Positions
    ticks: npt.NDArray[np.int32]
    untold: npt.NDArray[np.bool_]
    style: str = ""
    """That it was drawn from."""


def thinned(prefix: Prefix, rng: np.random.Generator) -> Prefix:
    """The prefix with fields left out at random, so that any subset can be given later."""
    if rng.random() < DROP_ALL:
        return Prefix()
    blank = Prefix()
    lost = [name for name, _ in tokens.PREFIX_FIELDS if rng.random() < DROP_FIELD]
    return replace(prefix, **{name: getattr(blank, name) for name in lost})


def transposed(positions: tokens.Positions, semitones: int) -> tokens.Positions:
    """The same positions at another pitch; the drum kit stays. `semitones` must keep pitches within 0–127."""
    notes = (positions[:, 0] < tokens.BAR) & (positions[:, 1] != _DRUMS)
    moved = positions.copy()
    moved[notes, 2] += semitones
    return moved


def recast(positions: tokens.Positions, parts: Mapping[int, int]) -> tokens.Positions:
    """The same music for other programs, in the order that positions have; the drum kit stays.

    `parts`: the new program of each old one, no two alike.
    """
    table = np.arange(tokens.SIZES[_PROGRAM.slot])
    for old, new in parts.items():
        table[_PROGRAM.start + old] = _PROGRAM.start + new
    notes = positions[:, 0] < tokens.BAR
    moved = positions.copy()
    moved[notes, _PROGRAM.slot] = table[moved[notes, _PROGRAM.slot]]
    onset = np.where(notes, moved[:, 0], 0)  # a bar line comes first
    order = np.lexsort((moved[:, _PITCH.slot], moved[:, _PROGRAM.slot], onset, np.cumsum(~notes)))
    return moved[order]


def shift_range(positions: tokens.Positions) -> tuple[int, int]:
    """The lowest and highest transposition within ±6 that keep the notes between MIDI keys 12 and 115."""
    notes = positions[(positions[:, 0] < tokens.BAR) & (positions[:, 1] != _DRUMS), 2] - _PITCH.start
    if not len(notes):
        return 0, 0
    return max(-6, min(0, 12 - int(notes.min()))), min(6, max(0, 115 - int(notes.max())))


class Windows:
    """Draws examples from one side of the split, without end and reproducibly."""

    def __init__(
        self,
        corpus: Corpus,
        entries: Sequence[Entry],
        context: int,
        seed: int,
        *,
        balance: float = 0.5,
        openings: float = 0.2,
        doubt: float = 0.0,
        recast: float = 0.0,
    ) -> None:
        """Styles are drawn by their size to the power `balance`.

        Args:
            openings: share of the windows that open a piece.
            doubt: share of the other windows whose prefix names another piece's style, composer and form, so that
                the model learns to believe the notes where they contradict the prefix: else a prefix that was heard
                with a few works only costs more than it tells of any other.
            recast: share of the other windows that are given other programs, drawn as often as pieces have them, so
                that the model believes the instruments it has heard more than those its prefix led it to expect.
        """
        self.recast = recast
        heard = Counter(program for entry in entries for program in entry.programs if program != DRUMS)
        self.programs, counted = list(heard), np.array(list(heard.values()), dtype=float)
        self.commonness = counted / counted.sum()
        self.corpus, self.context, self.openings, self.doubt = corpus, context, openings, doubt
        self.rng = np.random.default_rng(seed)
        self.by_style = {
            style: [e for e in entries if e.style == style] for style in sorted({e.style for e in entries})
        }
        counts = {s: np.array([e.count for e in own], dtype=float) for s, own in self.by_style.items()}
        self.weights = {style: own / own.sum() for style, own in counts.items()}
        sizes = np.array([own.sum() for own in counts.values()]) ** balance
        self.styles, self.usual = list(counts), sizes
        self.favour({})

    def favour(self, shares: Mapping[str, float]) -> None:
        """Draws each style so many times as often as usual, 1 if it is not named."""
        sizes = self.usual * np.array([shares.get(style, 1.0) for style in self.styles])
        self.share = sizes / sizes.sum()

    def draw(self) -> Example:
        """One example."""
        return self.window(self.entry())

    def entry(self) -> Entry:
        """A piece to take a window of."""
        style = self.styles[self.rng.choice(len(self.styles), p=self.share)]
        own = self.by_style[style]
        return own[self.rng.choice(len(own), p=self.weights[style])]

    def window(self, entry: Entry) -> Example:
        """A random window of one piece, at a random pitch."""
        positions = self.corpus.of(entry)
        bars = np.flatnonzero((positions[:, 0] >= tokens.BAR) & (positions[:, 0] < tokens.END))
        room = self.context - tokens.PREFIX_LENGTH
        window = Window()
        # The opening of a piece is drawn more often than a window in its middle: every piece on air has one, and
        # there the prefix is all there is to go by.
        late = np.flatnonzero(bars <= len(positions) - room // 3)
        if len(late) > 1 and self.rng.random() >= self.openings:
            now = int(self.rng.choice(late))
            lines = bars[: now + 1].tolist()
            back = int(positions[lines[now], _REPEAT.slot]) - _REPEAT.start
            window = made_anew(lines, lines[now] + 1, room, back if 0 < back <= now else 0)
        low, high = shift_range(positions)
        shift = int(self.rng.integers(low, high + 1))
        prefix = entry.prefix()
        if prefix.key:
            prefix = replace(prefix, key=keys.transpose(prefix.key, shift))
        if window.start and self.rng.random() < self.doubt:
            other = self.entry()
            prefix = replace(prefix, style=other.style, composer=other.composer, form=other.form)
        prefix = thinned(prefix, self.rng)
        count = min(len(positions), window.start + room - (window.stop - window.first))
        moved = transposed(positions, shift)
        if window.start and self.rng.random() < self.recast:
            moved = recast(moved, self._parts(entry))
        return example(prefix, held(moved, window, count), entry.style)

    def _parts(self, entry: Entry) -> dict[int, int]:
        """Another program for each of a piece's."""
        own = [program for program in entry.programs if program != DRUMS]
        count = min(len(own), len(self.programs))
        drawn = self.rng.choice(self.programs, count, replace=False, p=self.commonness)
        return dict(zip(own, drawn.tolist(), strict=False))

    def batch(self, size: int) -> list[Example]:
        """`size` examples, shortest first, so that neighbours can be padded to one length cheaply."""
        return sorted((self.draw() for _ in range(size)), key=lambda e: len(e.positions))


def example(prefix: Prefix, body: Held, style: str = "") -> Example:
    """A prefix and what a window holds as one row."""
    head = tokens.encode_prefix(prefix)
    positions = np.concatenate((head, body.positions))
    ticks = np.concatenate((np.zeros(len(head), dtype=np.int32), body.ticks))
    return Example(positions, ticks, np.concatenate((np.zeros(len(head), dtype=bool), body.after_gap)), style)


def padded(
    examples: Sequence[Example],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Examples of different lengths as arrays: ids (B, T, SLOTS), times (B, T), and what is not to be foretold (B, T).

    That is padding, and what follows a gap.
    """
    longest = max(len(e.positions) for e in examples)
    positions = np.zeros((len(examples), longest, tokens.SLOTS), dtype=np.int64)
    ticks = np.zeros((len(examples), longest), dtype=np.int64)
    pad = np.ones((len(examples), longest), dtype=bool)
    for row, e in enumerate(examples):
        positions[row, : len(e.positions)] = e.positions
        ticks[row, : len(e.ticks)] = e.ticks
        pad[row, : len(e.positions)] = e.untold
    return positions, ticks, pad
