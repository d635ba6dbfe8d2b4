"""Long runs: whether hours of music drift away from how they began.

A run is a sequence of pieces, in the order of broadcasting; time is written time, so a day is judged in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.composer.kit import structure
from radio.composer.kit.collapse import GROUP
from radio.composer.kit.harmony import entropies, pitch_classes, sounding
from radio.composer.kit.structure import SLOTS, cells, slot
from radio.music.score import BEAT, DRUMS, Bar

FEATURES = (
    "density", "pitch", "range", "entropy", "polyphony", "duration",
    "rest", "velocity", "spread", "recurrence", "loop", "grid",
)  # fmt: skip
"""Of each four bars: notes a beat; mean pitch, and highest less lowest; pitch-class entropy in bits; mean notes
sounding while any does; mean duration in beats; share of the time in which nothing sounds; mean and standard deviation
of velocity; share of the bars that return, and that copy the bar before; entropy of the sixteenths begun on."""
WINDOW = 300.0
"""Seconds of a window."""
REFERENCE = 1800.0
"""Seconds at the start with which each later window is compared."""
STRETCH = 128
"""Bars that count as a piece where pieces have no end."""
LEVELS = 64
"""Quantiles of a feature at which distributions are compared."""
Table = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drift:
    """How one feature moves over a run."""

    feature: str
    distances: tuple[float, ...]
    """Of each window after the first half hour: its Kolmogorov-Smirnov distance from that half hour, 0 to 1."""
    p: tuple[float, ...]
    """How likely a distance as large is in any window of any feature of a run without drift."""
    slope: float
    """Change an hour, in the feature's unit."""
    low: float
    high: float
    """95 % interval of the slope."""
    trend: float
    """How likely a slope as steep is in any feature of a run without drift."""

    @property
    def drifted(self) -> bool:
        """Whether a window is further away, or the slope steeper, than chance allows in one run of twenty."""
        return min(*self.p, self.trend) < 0.05 / 2


def features(bars: Sequence[Bar]) -> Table:
    """(groups, 12): the FEATURES of each four bars of a piece, the rest a group of its own; nan where undefined.

    Pitch, polyphony and duration leave the drum kit out.
    """
    groups = -(-len(bars) // GROUP)
    starts = np.arange(0, len(bars), GROUP)
    length = np.add.reduceat([bar.meter.ticks for bar in bars], starts)
    group = np.array([index // GROUP for index, bar in enumerate(bars) for _ in bar.notes], dtype=int)
    rows = [(n.pitch, n.duration, n.velocity, n.program != DRUMS, slot(n, bar)) for bar in bars for n in bar.notes]
    pitch, duration, velocity, pitched, place = np.array(rows, dtype=int).reshape(-1, 5).T
    tonal, its = pitched > 0, group[pitched > 0]
    count, tones = np.bincount(group, minlength=groups), np.bincount(its, minlength=groups)

    def mean(values: npt.NDArray[np.int_], of: npt.NDArray[np.int_], among: npt.NDArray[np.int_]) -> Table:
        sums = np.bincount(of, weights=values, minlength=groups)
        means: Table = np.where(among > 0, sums / np.maximum(among, 1), np.nan)
        return means

    lowest, highest = np.full(groups, 128), np.full(groups, -1)
    np.minimum.at(lowest, its, pitch[tonal])
    np.maximum.at(highest, its, pitch[tonal])
    loud = mean(velocity, group, count)
    enough = structure.full(bars)
    parts, silent = sounding(bars, GROUP)
    whole = np.diff(np.append(starts, len(bars)))
    onsets = np.bincount(group * SLOTS + place, minlength=groups * SLOTS).reshape(groups, SLOTS)
    classes = np.add.reduceat(pitch_classes(bars), starts)
    return np.column_stack(
        (
            count / (length / BEAT),
            mean(pitch[tonal], its, tones),
            np.where(tones > 0, highest - lowest, np.nan),
            entropies(classes),
            parts,
            mean(duration[tonal], its, tones) / BEAT,
            silent,
            loud,
            np.sqrt(np.maximum(mean(velocity**2, group, count) - loud**2, 0.0)),
            np.add.reduceat(structure.recurring(structure.resemblance(bars)) & enough, starts, dtype=float) / whole,
            np.add.reduceat(structure.copies(cells(bars), 1) & enough, starts, dtype=float) / whole,
            entropies(onsets.astype(float)),
        )
    )


def _units(pieces: Sequence[Sequence[Bar]]) -> tuple[Table, Table, npt.NDArray[np.int_]]:
    """Features, seconds and unit of each group: a piece, or each 128 bars of one longer than the reference."""
    units: list[Sequence[Bar]] = []
    for piece in filter(len, pieces):
        step = STRETCH if sum(bar.seconds for bar in piece) > REFERENCE else len(piece)
        units += [piece[start : start + step] for start in range(0, len(piece), step)]
    if sum(bar.seconds for unit in units for bar in unit) < REFERENCE + WINDOW:
        raise ValueError(f"got less than {(REFERENCE + WINDOW) / 60:.0f} minutes of music, wanted that or more")
    tables = [features(unit) for unit in units]
    lengths = [np.add.reduceat([bar.seconds for bar in unit], np.arange(0, len(unit), GROUP)) for unit in units]
    return np.concatenate(tables), np.concatenate(lengths), np.repeat(np.arange(len(units)), [len(t) for t in tables])


def _codes(table: Table) -> npt.NDArray[np.int_]:
    """Each value's place among its feature's quantiles, 0 to LEVELS; −1 for nan."""
    codes = np.full(table.shape, -1)
    for column, values in enumerate(table.T):
        known = np.isfinite(values)
        if known.any():
            edges = np.unique(np.quantile(values[known], np.linspace(0, 1, LEVELS + 1)))
            codes[known, column] = np.searchsorted(edges, values[known])
    return codes


def _distances(codes: npt.NDArray[np.int_], seconds: Table) -> Table:
    """(windows, features) Kolmogorov-Smirnov distance of each whole window after the reference from it."""
    middle = np.cumsum(seconds) - seconds / 2
    windows = int((seconds.sum() - REFERENCE) // WINDOW)
    row = np.where(middle < REFERENCE, 0, 1 + (middle - REFERENCE) // WINDOW).astype(int)
    width, size = codes.shape[1], LEVELS + 1
    flat = (row[:, None] * width + np.arange(width)) * size + codes
    inside = (row <= windows)[:, None] & (codes >= 0)
    counts = np.bincount(flat[inside], minlength=(windows + 1) * width * size)[: (windows + 1) * width * size]
    shares = counts.reshape(windows + 1, width, size).cumsum(axis=2).astype(float)
    total = shares[:, :, -1:]
    shares /= np.maximum(total, 1)
    known = ((total[1:] > 0) & (total[0] > 0))[:, :, 0]
    found: Table = np.where(known, np.abs(shares[1:] - shares[0]).max(axis=2), 0.0)
    return found


def _terms(table: Table, seconds: Table) -> Table:
    """(5, groups, features) what the least-squares slope over hours is summed from; nothing for nan."""
    hours = ((np.cumsum(seconds) - seconds / 2) / 3600)[:, None]
    known = np.isfinite(table)
    value = np.where(known, table, 0.0)
    return np.stack((known, known * hours, value, known * hours**2, value * hours))


def _slope(sums: Table) -> Table:
    """Slopes from sums of `_terms`; 0 where there is nothing to fit."""
    n, t, x, tt, tx = sums
    spread = n * tt - t * t
    slopes: Table = np.where(spread > 1e-12, (n * tx - t * x) / np.maximum(spread, 1e-12), 0.0)
    return slopes


def drift(pieces: Sequence[Sequence[Bar]], *, draws: int = 999, seed: int = 0) -> tuple[Drift, ...]:
    """How each feature of a run moves away from its first half hour, window by window.

    Neighbours within a piece are alike, so that the p-values of the Kolmogorov-Smirnov test itself would call any two
    pieces different. Distances and slopes are compared instead with those of the pieces in other orders, distances with
    the largest of all windows (Westfall and Young, Resampling-Based Multiple Testing, 1993), and p-values are
    multiplied by the number of features: fewer than 480 draws find no drift. The slope's interval is the percentile
    bootstrap's, over pieces (Efron 1979). Distances are taken at 65 quantiles.

    Raises:
        ValueError: the run is shorter than 35 minutes.
    """
    table, seconds, unit = _units(pieces)
    codes, terms = _codes(table), _terms(table, seconds)
    distances, slope = _distances(codes, seconds), _slope(terms.sum(axis=1))
    rng = np.random.default_rng(seed)
    count = int(unit.max()) + 1
    further, steeper = np.ones_like(distances), np.ones_like(slope)
    for _ in range(draws):
        order = np.argsort(rng.permutation(count)[unit], kind="stable")
        further += _distances(codes[order], seconds[order]).max(axis=0) >= distances - 1e-12
        steeper += np.abs(_slope(_terms(table[order], seconds[order]).sum(axis=1))) >= np.abs(slope) - 1e-12
    p, trend = (np.minimum(len(FEATURES) * reached / (draws + 1), 1.0) for reached in (further, steeper))
    by_unit = np.add.reduceat(terms, np.flatnonzero(np.diff(unit, prepend=-1)), axis=1)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    low, high = np.percentile(_slope(drawn @ by_unit), [2.5, 97.5], axis=0)
    return tuple(
        Drift(
            name, tuple(map(float, distances[:, f])), tuple(map(float, p[:, f])),
            float(slope[f]), float(low[f]), float(high[f]), float(trend[f]),
        )
        for f, name in enumerate(FEATURES)
    )  # fmt: skip
