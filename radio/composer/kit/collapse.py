"""Collapse: where music leaves what human pieces of its style keep within, and how long a channel lasts until it does.

A run is a sequence of pieces, in the order of broadcasting; time is written time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from radio.composer.kit.dynamics import spreads
from radio.composer.kit.harmony import entropies, pitch_classes, rolling
from radio.composer.kit.structure import cells, heard, rounds, stretches
from radio.music.score import BEAT, Bar, notes_in_time

GROUP = 4
"""Bars that density and entropy are taken over."""
SPAN = 16
"""Bars for which density or entropy may lie outside the limits."""
FLAT = (4.0, 64)
"""The velocities' standard deviation below which music is flat, and the bars for which it may be."""


Table = npt.NDArray[np.float64]


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
    that is more: house music loops, and organs hold. Dynamics are asked for where nine pieces in ten are nowhere flat.

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
    spread = [float(spreads(piece, min(len(piece), FLAT[1])).min()) for piece in known]
    usual = Limits((float(density[0]), float(density[1])), (float(entropy[0]), float(entropy[1])))
    return replace(
        usual,
        loop=max(usual.loop, int(np.percentile(loop, 99.5))),
        silence=max(usual.silence, float(np.percentile(silence, 99.5))),
        held=max(usual.held, float(np.percentile(held, 99.5))),
        dynamics=bool(np.mean(np.array(spread) >= FLAT[0]) >= 0.9),
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
