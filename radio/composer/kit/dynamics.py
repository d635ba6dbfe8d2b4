"""Dynamics: how velocities spread, follow one another, and follow pitch, meter and phrase.

All notes count, the drum kit's too, except where pitch is asked for. A figure that a piece cannot have is nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.composer.kit.harmony import rolling
from radio.music.score import DRUMS, Bar, Meter, notes_in_time

PHRASE = 8
"""Bars of the unit over which the phrase arc is told."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dynamics:
    """All figures of this module."""

    spread: float
    """Standard deviation of the velocities."""
    levels: int
    """How many different velocities there are."""
    memory: float
    """Correlation, −1 to 1, of one onset's mean velocity with the next one's."""
    height: float
    """Correlation of velocity with pitch, the drum kit left out."""
    meter: float
    """Correlation of velocity with metric weight."""
    arc: tuple[float, ...]
    """(PHRASE,) mean velocity by the bar's place in its 8 bars, less the piece's mean; 0 for places without notes."""

    @property
    def swell(self) -> float:
        """How far the phrase arc reaches, in velocities."""
        return max(self.arc) - min(self.arc)


def weight(meter: Meter, onset: int) -> int:
    """Metric weight of an onset in ticks from the bar line, 4 to 0.

    4 on the bar line, 3 in the middle of a bar of 2 or 4 pulses, 2 on a pulse, 1 on a pulse's first division, 0
    elsewhere; three units of 6/8 and the like are one pulse. After Lerdahl and Jackendoff, A Generative Theory of Tonal
    Music, 1983.
    """
    unit = meter.ticks // meter.beats
    compound = meter.beats > 3 and meter.beats % 3 == 0
    pulse = 3 * unit if compound else unit
    if onset == 0:
        return 4
    if meter.ticks // pulse % 2 == 0 and onset * 2 == meter.ticks:
        return 3
    if onset % pulse == 0:
        return 2
    return int(onset % (unit if compound else max(unit // 2, 1)) == 0)


def _correlation(left: Numbers, right: Numbers) -> float:
    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def spreads(bars: Sequence[Bar], span: int) -> Numbers:
    """Standard deviation of the velocities of each `span` bars in a row; of all bars where there are fewer."""
    rows = [(len(v), sum(v), sum(x * x for x in v)) for v in ([note.velocity for note in bar.notes] for bar in bars)]
    n, x, xx = rolling(np.array(rows, dtype=float).reshape(-1, 3), span).T
    found: Numbers = np.sqrt(np.maximum(xx / np.maximum(n, 1) - (x / np.maximum(n, 1)) ** 2, 0.0))
    return found


def arc(bars: Sequence[Bar]) -> tuple[float, ...]:
    """Mean velocity by the bar's place in its 8 bars, less the mean of all; zeros without notes."""
    places = np.array([index % PHRASE for index, bar in enumerate(bars) for _ in bar.notes], dtype=int)
    loud = np.array([note.velocity for bar in bars for note in bar.notes], dtype=float)
    counts = np.bincount(places, minlength=PHRASE)
    sums = np.bincount(places, weights=loud - (loud.mean() if len(loud) else 0.0), minlength=PHRASE)
    return tuple(float(mean) for mean in sums / np.maximum(counts, 1))


def dynamics(bars: Sequence[Bar]) -> Dynamics:
    """All figures of a piece; flat music has no correlations and gets nan for them."""
    loud = np.array([note.velocity for bar in bars for note in bar.notes], dtype=float)
    weights = np.array([weight(bar.meter, note.onset) for bar in bars for note in bar.notes], dtype=float)
    pitched = np.array(
        [(note.pitch, note.velocity) for bar in bars for note in bar.notes if note.program != DRUMS], dtype=float
    ).reshape(-1, 2)
    struck: dict[int, list[int]] = {}
    for tick, note in notes_in_time(list(bars)):
        struck.setdefault(tick, []).append(note.velocity)
    onsets = np.array([np.mean(struck[tick]) for tick in sorted(struck)], dtype=float)
    return Dynamics(
        float(loud.std()) if len(loud) else float("nan"),
        len(np.unique(loud)),
        _correlation(onsets[:-1], onsets[1:]),
        _correlation(pitched[:, 0], pitched[:, 1]),
        _correlation(loud, weights),
        arc(bars),
    )
