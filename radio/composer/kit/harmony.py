"""Harmony: how clear the key is, how far the music strays from it, whether phrases close, how rough chords are.

The drum kit is left out throughout. A figure that a piece cannot have is nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.music import keys
from radio.music.score import BEAT, DRUMS, Bar, notes_in_time

UNIT = 8
"""Bars of a stretch that is taken to be in one key."""
# Krumhansl and Kessler, "Tracing the Dynamic Changes in Perceived Tonal Organization", Psychological Review 89 (1982):
# the profiles by which published key clarities are told. `radio.music.keys` has others, which find keys better.
_PROBES = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
_CLOSES = frozenset((7, 11, 5))
"""Semitones above the tonic of the bass before a close: 5-1, 7-1, 4-1."""

Counts = npt.NDArray[np.float64]
"""(bars, 12)"""
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Harmony:
    """All figures of this module."""

    scale: float
    clarity: float
    entropy1: float
    entropy4: float
    cadences: float
    closed: float
    """1 where the piece's end closes, else 0."""
    tonic_end: float
    dissonance: float


def in_scale(bars: Sequence[Bar]) -> float:
    """Share of the sounding time that belongs to the scale of the piece's key (`radio.music.keys.scale`)."""
    key = keys.estimate(bars)[0]
    if not key:
        return float("nan")
    sounding = keys.weights(bars)
    return float(sounding[list(keys.scale(key))].sum() / sounding.sum())


def clarity(bars: Sequence[Bar]) -> float:
    """Key clarity, −1 to 1: how well each 8 bars' pitch classes correlate with their best key's profile, on average."""
    found = []
    for start in range(0, len(bars), UNIT):
        sounding = keys.weights(bars[start : start + UNIT])
        if np.ptp(sounding) > 0:
            found.append(max(np.corrcoef(sounding, np.roll(p, tonic))[0, 1] for p in _PROBES for tonic in range(12)))
    return float(np.mean(found)) if found else float("nan")


def pitch_classes(bars: Sequence[Bar]) -> Counts:
    """How many notes of each pitch class each bar has."""
    counts = np.zeros((len(bars), 12))
    for index, bar in enumerate(bars):
        for note in bar.notes:
            if note.program != DRUMS:
                counts[index, note.pitch % 12] += 1
    return counts


def rolling(counts: Counts, span: int) -> Counts:
    """Sums over each `span` bars in a row, (bars − span + 1, 12); over all of them where there are fewer."""
    sums = np.concatenate((np.zeros((1, counts.shape[1])), counts.cumsum(axis=0)))
    span = min(span, len(counts))
    total: Counts = sums[span:] - sums[: len(sums) - span]
    return total


def entropies(counts: Counts) -> Numbers:
    """(rows,) entropy of each row of counts, in bits; nan for a row of zeros."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1e-12)
    bits = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    found: Numbers = np.where(totals[:, 0] > 0, bits, np.nan)
    return found


def entropy(bars: Sequence[Bar], span: int) -> float:
    """Mean entropy, in bits, of the pitch classes of each `span` bars (Wu and Yang, The Jazz Transformer, 2020)."""
    found = entropies(rolling(pitch_classes(bars), span))
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def bass_line(bars: Sequence[Bar]) -> list[int]:
    """Pitch of the lowest note that sounds in each beat; silent beats are left out."""
    beats = max(-(-sum(bar.meter.ticks for bar in bars) // BEAT), 0)
    low = np.full(beats, 128)
    for tick, note in notes_in_time(list(bars)):
        if note.program != DRUMS:
            # A note that reaches a few ticks into a beat is not heard there as the bass.
            last = max((tick + note.duration - BEAT // 4) // BEAT, tick // BEAT)
            span = slice(tick // BEAT, last + 1)
            low[span] = np.minimum(low[span], note.pitch)
    return [int(pitch) for pitch in low if pitch < 128]


def closes(bars: Sequence[Bar], wanted: str = "") -> bool:
    """Whether bars end with the bass going 5-1, 7-1 or 4-1 in the key they end in; in `wanted`, if that is given.

    The key is told by the pitch classes of the last eight bars alone, not by the last bass note, which would make every
    ending a close.
    """
    late = bars[-UNIT:]
    key = keys.estimate(keys.weights(late))[0]
    line = [pitch % 12 for pitch in bass_line(late)]
    if not key or not line or wanted not in ("", key):
        return False
    before = next((pitch for pitch in reversed(line) if pitch != line[-1]), None)
    home = keys.tonic(key)
    return line[-1] == home and before is not None and (before - home) % 12 in _CLOSES


def cadences(bars: Sequence[Bar]) -> float:
    """Share of the ends of sections, the piece's end included, that close (`closes`); nan without bars.

    Letters found by `radio.music.form.annotate` change every few bars, often in mid-phrase: human pieces close at 7 to
    36 % of them, hardly more than elsewhere. Their own ends tell more (`Harmony.closed`): in most styles half to nine
    in ten close, in jazz none of ten did.
    """
    if not bars:
        return float("nan")
    ends = [index for index in range(1, len(bars)) if bars[index].section != bars[index - 1].section] + [len(bars)]
    return float(np.mean([closes(bars[max(end - UNIT, 0) : end]) for end in ends]))


def tonic_end(bars: Sequence[Bar]) -> float:
    """1 where the last bass note is the tonic of the piece's key, else 0; nan without notes."""
    key = keys.estimate(keys.weights(bars))[0]
    return float(tonic_last(bars, key)) if key else float("nan")


def tonic_last(bars: Sequence[Bar], key: str) -> bool:
    """Whether the last bass note is the tonic of a key."""
    line = bass_line(bars)
    return bool(line) and line[-1] % 12 == keys.tonic(key)


def dissonance(bars: Sequence[Bar]) -> float:
    """Share of the beats with a note at which a minor second or a tritone sounds, in any octave."""
    beats = max(-(-sum(bar.meter.ticks for bar in bars) // BEAT), 0)
    sounding = np.zeros((beats, 12), dtype=bool)
    for tick, note in notes_in_time(list(bars)):
        if note.program != DRUMS:
            sounding[-(-tick // BEAT) : -(-(tick + note.duration) // BEAT), note.pitch % 12] = True
    seconds = np.any(sounding & np.roll(sounding, 1, axis=1), axis=1)
    tritones = np.any(sounding & np.roll(sounding, 6, axis=1), axis=1)
    some = np.any(sounding, axis=1)
    return float(np.mean((seconds | tritones)[some])) if some.any() else float("nan")


def sounding(bars: Sequence[Bar], group: int) -> tuple[Numbers, Numbers]:
    """By `group` bars: mean number of pitched notes sounding while any does (else nan), share of time in silence."""
    ends = np.cumsum([bar.meter.ticks for bar in bars])
    at = np.concatenate(([0], ends[group - 1 : -1 : group]))
    total = int(ends[-1])
    every, pitched = np.zeros(total + 1, dtype=int), np.zeros(total + 1, dtype=int)
    for tick, note in notes_in_time(list(bars)):
        for change in (every, pitched) if note.program != DRUMS else (every,):
            change[tick] += 1
            change[min(tick + note.duration, total)] -= 1
    parts = np.cumsum(pitched)[:-1]
    some = np.add.reduceat(parts > 0, at, dtype=float)
    mean = np.where(some > 0, np.add.reduceat(parts, at) / np.maximum(some, 1), np.nan)
    silent = np.add.reduceat(np.cumsum(every)[:-1] == 0, at, dtype=float)
    return mean, silent / np.diff(np.append(at, total))


def harmony(bars: Sequence[Bar]) -> Harmony:
    """All figures of a piece."""
    return Harmony(
        in_scale(bars),
        clarity(bars),
        entropy(bars, 1),
        entropy(bars, 4),
        cadences(bars),
        float(closes(bars)),
        tonic_end(bars),
        dissonance(bars),
    )
