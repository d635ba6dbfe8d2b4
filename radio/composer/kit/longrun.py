"""Long runs: whether hours of music drift away from how they began, collapse, or quote themselves.

A run is a sequence of pieces, in the order of broadcasting; time is written time, so a day is judged in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from radio.composer.kit import structure
from radio.composer.kit.dynamics import spreads
from radio.composer.kit.harmony import entropies, pitch_classes, rolling, sounding
from radio.composer.kit.structure import SLOTS, cells, heard, rounds, slot, stretches
from radio.music.score import BEAT, DRUMS, Bar, notes_in_time

FEATURES = (
    "density", "pitch", "range", "entropy", "polyphony", "duration",
    "rest", "velocity", "spread", "recurrence", "loop", "grid",
)  # fmt: skip
"""Of each four bars: notes a beat; mean pitch, and highest less lowest; pitch-class entropy in bits; mean notes
sounding while any does; mean duration in beats; share of the time in which nothing sounds; mean and standard deviation
of velocity; share of the bars that return, and that copy the bar before; entropy of the sixteenths begun on."""
GROUP = 4
"""Bars a value is of."""
WINDOW = 300.0
"""Seconds of a window."""
REFERENCE = 1800.0
"""Seconds at the start with which each later window is compared."""
STRETCH = 128
"""Bars that count as a piece where pieces have no end."""
LEVELS = 64
"""Quantiles of a feature at which distributions are compared."""
SPAN = 16
"""Bars for which density or entropy may lie outside the limits."""
FLAT = (4.0, 64)
"""The velocities' standard deviation below which music is flat, and the bars for which it may be."""

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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group's human pieces keep within; a run that leaves it has collapsed."""

    density: tuple[float, float]
    """Notes a beat over four bars, lowest and highest."""
    entropy: tuple[float, float]
    """Pitch-class entropy over four bars, in bits."""
    loop: int = 8
    """Bars that a figure may go round for."""
    silence: float = 4.0
    """Seconds without a sound, but for the last bar of a piece."""
    held: float = 16.0
    """Beats of a note."""
    dynamics: bool = True
    """Whether velocities must differ."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, as JSON can hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_dict(plain: Mapping[str, object]) -> Limits:
        """What `to_dict` gave.

        Raises:
            ValueError: a field is missing, unknown or of another kind.
        """
        if set(plain) != set(Limits.__dataclass_fields__):
            raise ValueError(f"got the limits {sorted(plain)}, wanted {sorted(Limits.__dataclass_fields__)}")
        numbers = {name: value for name, value in plain.items() if isinstance(value, int | float)}
        pairs = {name: tuple(value) for name, value in plain.items() if isinstance(value, list | tuple)}
        if set(pairs) != {"density", "entropy"} or len(numbers) != 4 or any(len(pair) != 2 for pair in pairs.values()):
            raise ValueError(f"got {dict(plain)!r}, wanted density and entropy as pairs and the others as numbers")
        (low, high), (poor, rich) = pairs["density"], pairs["entropy"]
        return Limits(
            (float(low), float(high)), (float(poor), float(rich)), int(numbers["loop"]), float(numbers["silence"]),
            float(numbers["held"]), bool(numbers["dynamics"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Collapse:
    """Music that no listener would stay for."""

    bar: int
    """Number of the bar in which it begins, from 0."""
    seconds: float
    """Written time of that bar's start, from the first bar's."""
    kind: str
    """loop, silence, held, density, entropy or flat."""
    reason: str


@dataclass(frozen=True, slots=True)
class Survival:
    """Share of the channels that have not collapsed, by time on air (Kaplan and Meier 1958)."""

    hours: tuple[float, ...]
    """Each time at which a channel collapsed or was no longer watched."""
    share: tuple[float, ...]
    """Estimated share still sound after each of them."""
    mean: float
    """Mean hours to collapse within the longest time watched; a lower bound where the last share is above 0."""
    median: float
    """Hours until half have collapsed; infinite if they have not."""


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


def _states(bars: Sequence[Bar]) -> tuple[Table, Table]:
    """Notes a beat, and pitch-class entropy in bits (nan without pitches), of each four bars in a row."""
    rows = np.array([(len(bar.notes), bar.meter.ticks / BEAT) for bar in bars]).reshape(-1, 2)
    sums = rolling(rows, GROUP)
    return sums[:, 0] / sums[:, 1], entropies(rolling(pitch_classes(bars), GROUP))


def _silences(bars: Sequence[Bar]) -> list[tuple[int, float]]:
    """Each silence of more than a second: the bar it begins in, its seconds. A piece's last bar may be silent."""
    ticks = np.concatenate(([0], np.cumsum([bar.meter.ticks for bar in bars])))
    seconds = np.concatenate(([0.0], np.cumsum([bar.seconds for bar in bars])))
    sounds = [(tick, tick + note.duration) for tick, note in notes_in_time(list(bars))]
    sounds += [(int(ticks[i]), int(ticks[i + 1])) for i, bar in enumerate(bars) if bar.left == 1]
    sounds = [(0, 0), *sorted(sounds), (int(ticks[-1]), int(ticks[-1]))]
    begin, end = (np.interp([sound[side] for sound in sounds], ticks, seconds) for side in (0, 1))
    until = np.maximum.accumulate(end)[:-1]
    gaps = begin[1:] - until
    where = np.minimum(np.searchsorted(seconds, until, side="right") - 1, len(bars) - 1)
    return [(int(where[i]), float(gaps[i])) for i in np.flatnonzero(gaps > 1.0)]


def limits(pieces: Sequence[Sequence[Bar]]) -> Limits:
    """What a group's human pieces keep within: the 0.5 to 99.5 percentiles of density and entropy over four bars.

    The bounds on loops, silences and held notes are the usual ones, or the 99.5 percentile of the pieces' longest where
    that is more: house music loops, and organs hold. Dynamics are asked for where nine pieces in ten have them.

    Raises:
        ValueError: there are no notes.
    """
    known = [piece for piece in pieces if any(bar.notes for bar in piece)]
    if not known:
        raise ValueError("got no piece with a note, wanted human pieces to take the limits from")
    states = [_states(piece) for piece in known]
    density = np.percentile(np.concatenate([state[0] for state in states]), (0.5, 99.5))
    bits = np.concatenate([state[1] for state in states])
    entropy = np.percentile(bits[np.isfinite(bits)], (0.5, 99.5)) if np.isfinite(bits).any() else (0.0, 4.0)
    loop = [max((length for _, length in rounds(cells(piece))), default=0) for piece in known]
    silence = [max((gap for _, gap in _silences(piece)), default=0.0) for piece in known]
    held = [max((n.duration / BEAT for notes in heard(piece) for n in notes), default=0.0) for piece in known]
    spread = [float(spreads(piece, len(piece))[0]) >= FLAT[0] for piece in known]
    usual = Limits((float(density[0]), float(density[1])), (float(entropy[0]), float(entropy[1])))
    return replace(
        usual,
        loop=max(usual.loop, int(np.percentile(loop, 99.5))),
        silence=max(usual.silence, float(np.percentile(silence, 99.5))),
        held=max(usual.held, float(np.percentile(held, 99.5))),
        dynamics=bool(np.mean(spread) >= 0.9),
    )


def _outside(kind: str, values: Table, low: float, high: float) -> list[tuple[int, str, str]]:
    found = []
    for first, length in stretches((values < low) | (values > high)):
        if length + GROUP - 1 >= SPAN:
            mean = float(values[first : first + length].mean())
            found.append((first, kind, f"{mean:.2f} for {length + GROUP - 1} bars, wanted {low:.2f} to {high:.2f}"))
    return found


def collapses(bars: Sequence[Bar], limits: Limits) -> list[Collapse]:
    """Where a run, its pieces one after the other, leaves what its group's human pieces keep within.

    Pieces end where `left` is 1. What lasts is one collapse, told from the bar in which it begins.
    """
    if not bars:
        return []
    density, entropy = _states(bars)
    found = [
        (first, "loop", f"{length} bars go round, wanted {limits.loop} at most")
        for first, length in rounds(cells(bars))
        if length > limits.loop
    ]
    found += [
        (bar, "silence", f"{gap:.1f} s, wanted {limits.silence:.1f} at most")
        for bar, gap in _silences(bars)
        if gap > limits.silence
    ]
    for bar, notes in enumerate(heard(bars)):
        longest = max((note.duration for note in notes), default=0) / BEAT
        if longest > limits.held:
            found.append((bar, "held", f"a note of {longest:.1f} beats, wanted {limits.held:.1f} at most"))
    found += _outside("density", density, *limits.density) + _outside("entropy", entropy, *limits.entropy)
    spread, span = FLAT
    if limits.dynamics and len(bars) >= span:
        flat = stretches(spreads(bars, span) < spread)
        found += [(first, "flat", f"velocities spread by less than {spread} for {span} bars") for first, _ in flat]
    starts = np.concatenate(([0.0], np.cumsum([bar.seconds for bar in bars])))
    return sorted(Collapse(bar, float(starts[bar]), kind, reason) for bar, kind, reason in found)


def lifetime(pieces: Sequence[Sequence[Bar]], limits: Limits) -> tuple[float, bool]:
    """Hours until a channel's first collapse, and True; or the hours it was watched without one, and False."""
    bars = list(chain.from_iterable(pieces))
    found = collapses(bars, limits)
    return (found[0].seconds if found else sum(bar.seconds for bar in bars)) / 3600, bool(found)


def survival(lifetimes: Sequence[tuple[float, bool]]) -> Survival:
    """The Kaplan-Meier estimate over channels, from the `lifetime` of each.

    Raises:
        ValueError: there are none.
    """
    if not lifetimes:
        raise ValueError("got no channel, wanted the lifetimes of one or more")
    # Slow to import, and of use to no other figure.
    from scipy.stats import CensoredData, ecdf

    ended = [hours for hours, collapsed in lifetimes if collapsed]
    curve = ecdf(CensoredData(ended, right=[hours for hours, collapsed in lifetimes if not collapsed])).sf
    share = np.clip(curve.probabilities, 0.0, 1.0)
    steps = np.diff(np.concatenate(([0.0], curve.quantiles)))
    below = np.flatnonzero(share <= 0.5)
    return Survival(
        tuple(map(float, curve.quantiles)),
        tuple(map(float, share)),
        float(np.sum(steps * np.concatenate(([1.0], share[:-1])))),
        float(curve.quantiles[below[0]]) if len(below) else float("inf"),
    )
