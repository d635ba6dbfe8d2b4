"""The guard: looks at each bar before it is accepted, and says what is wrong with it, if anything is.

What it asks for is what the style's human pieces keep within: figures that go round, silences, held notes, density
and pitch-class entropy (`radio.composer.kit.collapse.Limits`), and runs shared with a training work, or with what the
channel has played before, no longer than humans share with each other (`radio.composer.originality`,
`radio.composer.repertoire`). It warns at a quarter of the time after which the evaluation calls the same a collapse,
and gives the piece up at half, so that there is time to mend it, and to end it if it cannot be mended.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from radio.composer import weights
from radio.composer.corpus import Corpus
from radio.composer.kit import collapse
from radio.composer.kit.collapse import Limits
from radio.composer.kit.harmony import entropies, pitch_classes
from radio.composer.kit.structure import LOOPED, PERIOD, slot
from radio.composer.originality import SURE, Certificate, Index, Watch, build, training, with_limits
from radio.composer.repertoire import Repertoire
from radio.errors import MissingError, ModelError
from radio.music import tokens
from radio.music.score import BEAT, DRUMS, Bar, Piece

LIMITS, INDEX = "limits.json", "originality.npz"
MOST = 100
"""Pieces of a style that its limits are taken from."""
SPAN = collapse.SPAN // 4
"""Bars in a row after which it is said that density or entropy lie outside the limits; after twice as many, that the
music has collapsed."""
SETTLED = (5.0, 24)
"""The velocities' standard deviation below which dynamics have settled, and the bars whose velocities are held together
to tell: a higher one over fewer bars than what is called flat, so that there is time to mend it."""
DEAD_AIR = 2.5
"""Seconds of silence that nobody takes for a pause in the music, whatever humans have written."""
DECAY = 4.0
"""Seconds after which a note of an instrument that is struck or plucked is hardly heard, however long it is held."""
DECAYING = frozenset((*range(16), *range(24, 40), 45, 46, 47, *range(104, 109), *range(112, 120), DRUMS))
"""Their General MIDI programs."""
OPEN = "open"
"""The fault of one of the last two bars that leaves a piece open that is to close; the writer finds it."""
STUTTER = "stutter"
"""The fault of a bar that copies the one before it, and not because what comes back did so; the writer
finds it."""
KINDS = ("copy", "again", "loop", "held", "silence", "collapse", "density", "entropy", OPEN, STUTTER)
"""Of faults, the gravest first."""

Cells = frozenset[tuple[int, int]]
"""(sixteenth, pitch) of a bar's notes."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece as far as its bars were accepted."""

    cells: tuple[Cells, ...] = ()
    """Of the last bars, PERIOD at most, the latest first."""
    rounds: tuple[int, ...] = (0,) * PERIOD
    """By period: bars in a row that copy the one so far back."""
    recent: tuple[Bar, ...] = ()
    """The last bars, one fewer than density and entropy are taken over."""
    outside: Mapping[str, int] = field(default_factory=dict)
    """Bars in a row for which density and entropy have been above the limits, or as a negative number below them."""
    velocities: tuple[tuple[int, int, int], ...] = ()
    """Of each of the last bars, as many as SETTLED says at most: how many notes, the sum of their velocities, and of
    the squares."""
    settled: int = 0
    """Bars in a row at which dynamics have settled."""
    quiet: float = 0.0
    """Seconds since the last sound's end, at the end of the last bar; negative while one lasts."""
    watch: Watch = field(default_factory=Watch)
    again: Watch = field(default_factory=Watch)
    """The same, for what the channel has played."""

    def kept(self) -> Heard:
        """What the next piece is to know of this one, for who listens hears both: it is warned at once where it goes
        on as this one ended, and has bars to mend it in."""
        outside = {kind: min(max(bars, 1 - SPAN), SPAN - 1) for kind, bars in self.outside.items()}
        return Heard(recent=self.recent, outside=outside, velocities=self.velocities, settled=self.settled)


class Guard:
    """Judges the bars of one style. Without an index it does not know what is copied."""

    def __init__(
        self,
        style: str,
        limits: Limits | None,
        index: Index | None,
        model: str = "",
        repertoire: Repertoire | None = None,
    ) -> None:
        """`model`: hash of its weights, for the certificates; `repertoire`: what is not to be played again."""
        self.repertoire = repertoire
        self.limits, self.index, self.model = limits, index, model
        self.longest = index.limit(style) if index else 0

    def judge(self, heard: Heard, bar: Bar) -> tuple[Heard, str]:
        """What has been heard if the bar is accepted, and the gravest of its faults, one of KINDS; "" for none."""
        faults: list[str] = []
        after = self._sounds(self._states(self._loops(heard, bar, faults), bar, faults), bar, faults)
        after = self._dynamics(after, bar)
        if self.index:
            after = replace(after, watch=self.index.after(heard.watch, bar))
            if after.watch.run > self.longest:
                faults.append("copy")
            if self.repertoire is not None:
                after = replace(after, again=self.repertoire.index.after(heard.again, bar))
                if after.again.run > max(self.longest, SURE):
                    faults.append("again")
        return after, min(faults, key=KINDS.index, default="")

    def finish(self, heard: Heard, piece: Piece) -> Certificate | None:
        """Remembers a finished piece; what is said of it, which is nothing without an index."""
        match = replace(heard.watch.match, coverage=heard.watch.coverage)
        certificate = Certificate.of(match, model=self.model, seed=piece.seed) if self.index else None
        if self.repertoire is not None:
            self.repertoire.add(piece, certificate)
        return certificate

    def _loops(self, heard: Heard, bar: Bar, faults: list[str]) -> Heard:
        own = cells(bar)
        copied = tuple(
            heard.rounds[lag] + 1 if lag < len(heard.cells) and alike(own, heard.cells[lag]) else 0
            for lag in range(PERIOD)
        )
        longest = max((run + lag + 1 for lag, run in enumerate(copied) if run > lag), default=0)
        if self.limits and longest > self.limits.loop:
            faults.append("loop")
        return replace(heard, cells=(own, *heard.cells[: PERIOD - 1]), rounds=copied)

    def _states(self, heard: Heard, bar: Bar, faults: list[str]) -> Heard:
        bars = (*heard.recent, bar)
        if self.limits is None or len(bars) < collapse.GROUP:
            return replace(heard, recent=bars)
        density = sum(len(b.notes) for b in bars) * BEAT / sum(b.meter.ticks for b in bars)
        entropy = float(entropies(pitch_classes(bars).sum(axis=0, keepdims=True))[0])
        outside = {}
        for kind, value, (low, high) in (
            ("density", density, self.limits.density),
            ("entropy", entropy, self.limits.entropy),
        ):
            before = heard.outside.get(kind, 0)
            outside[kind] = max(before, 0) + 1 if value > high else min(before, 0) - 1 if value < low else 0
            if abs(outside[kind]) == SPAN:
                faults.append(kind)
            elif outside[kind] and outside[kind] % (2 * SPAN) == 0:
                faults.append("collapse")
        return replace(heard, recent=bars[1:], outside=outside)

    def _dynamics(self, heard: Heard, bar: Bar) -> Heard:
        if self.limits is None or not self.limits.dynamics:
            return heard
        own = [note.velocity for note in bar.notes]
        least, span = SETTLED
        velocities = (*heard.velocities[1 - span :], (len(own), sum(own), sum(value * value for value in own)))
        count, total, squares = (sum(values) for values in zip(*velocities, strict=True))
        spread = math.sqrt(max(count * squares - total * total, 0)) / max(count, 1)
        settled = len(velocities) == span and spread < least
        return replace(heard, velocities=velocities, settled=heard.settled + 1 if settled else 0)

    def _sounds(self, heard: Heard, bar: Bar, faults: list[str]) -> Heard:
        second = bar.seconds / bar.meter.ticks
        until, gap = -heard.quiet, 0.0
        for note in bar.notes:
            sounding = note.duration * second
            gap = max(gap, note.onset * second - until)
            until = max(until, note.onset * second + min(sounding, DECAY if note.program in DECAYING else sounding))
        quiet = bar.seconds - until
        if self.limits:
            # A silence at a bar's end is known before the next bar begins, and there it could not be mended.
            if max(gap, quiet if bar.left != 1 else 0.0) > min(self.limits.silence, DEAD_AIR):
                faults.append("silence")
            if any(note.duration > self.limits.held * BEAT for note in bar.notes if note.program != DRUMS):
                faults.append("held")
        return replace(heard, quiet=quiet)


def cells(bar: Bar) -> Cells:
    """The notes of a bar, but for drums, as the sixteenth that each begins nearest to and its pitch."""
    return frozenset((slot(note, bar), note.pitch) for note in bar.notes if note.program != DRUMS)


def alike(one: Cells, other: Cells) -> bool:
    """Whether one bar is the other's copy."""
    return bool(one) and len(one & other) >= LOOPED * len(one | other)


def save(folder: Path, corpus: Corpus, seed: int = 0) -> None:
    """Writes beside a model what its guard needs: the limits of each style, and the index of the training works."""
    entries = corpus.split(validation=False)
    limits = {}
    for style in sorted({entry.style for entry in entries}):
        own = [entry for entry in entries if entry.style == style]
        chosen = [own[i] for i in np.random.default_rng(seed).permutation(len(own))[:MOST]]
        limits[style] = collapse.limits([tokens.decode(corpus.of(entry), entry.tempo) for entry in chosen]).to_dict()
    (folder / LIMITS).write_text(json.dumps(limits, indent=1) + "\n", encoding="utf-8")
    works = training(corpus)
    with_limits(build(works), works).save(folder / INDEX)


@dataclass(frozen=True, slots=True)
class Guards:
    """What the guards of a model's styles share."""

    limits: Mapping[str, Limits]
    index: Index | None
    model: str = ""

    def of(self, style: str, repertoire: Repertoire | None = None) -> Guard:
        """The guard of a style; of a channel, with what it has played."""
        return Guard(style, self.limits.get(style), self.index, self.model, repertoire)


NONE = Guards({}, None)
"""Lets everything pass."""


def load(folder: Path) -> Guards:
    """The guards of a model.

    Raises:
        MissingError: a file is not there.
        ModelError: it cannot be read.
    """
    path = folder / LIMITS
    if not path.is_file():
        raise MissingError(f"{path}: no such file; wanted the limits that `radio train` writes beside the weights")
    try:
        limits = {style: Limits.from_dict(own) for style, own in json.loads(path.read_text(encoding="utf-8")).items()}
        return Guards(limits, Index.load(folder / INDEX), weights.digest(folder))
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path.parent}: not a guard's files: {error}") from error
