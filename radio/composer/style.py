"""A plain style classifier: features of windows of bars, logistic regression, folds by work.

It is fitted on the corpus alone and then asked whose music a composed piece is, so it judges the composer without
having seen it. Features are those a listener could name: key-relative pitch classes, intervals of the outer voices,
onsets within the beat, durations, chord sizes, register, density, programs' families.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radio.errors import MissingError
from radio.music import keys
from radio.music.score import BEAT, DRUMS, Bar, notes_in_time

Features = npt.NDArray[np.float64]
WINDOW = 400
"""Notes a window holds."""


def _shares(values: Sequence[int], size: int) -> Features:
    counts = np.bincount(np.clip(np.array(values, dtype=int), 0, size - 1), minlength=size) if len(values) else 0
    return np.sqrt(np.broadcast_to(counts, (size,)) / max(len(values), 1))


def features(bars: Sequence[Bar], *, timbre: bool = False) -> Features:
    """What a window of bars is like; `timbre` adds the programs' families, which give most styles away."""
    placed = [(tick, note) for tick, note in notes_in_time(list(bars)) if note.program != DRUMS]
    onsets: dict[int, list[int]] = {}
    for tick, note in placed:
        onsets.setdefault(tick, []).append(note.pitch)
    key = keys.estimate(list(bars))[0] if placed else "C major"
    tonic = keys.tonic(key)
    tops = [max(onsets[t]) for t in sorted(onsets)]
    basses = [min(onsets[t]) for t in sorted(onsets)]
    gaps = np.diff(sorted(onsets)).astype(int)
    beats = sum(bar.meter.ticks for bar in bars) / BEAT
    parts = [
        _shares([(note.pitch - tonic) % 12 for _, note in placed], 12),
        _shares([int(d) + 12 for d in np.diff(tops)], 25),
        _shares([int(d) + 12 for d in np.diff(basses)], 25),
        _shares([int(g) // 3 for g in gaps], 17),
        _shares([note.duration // 3 for _, note in placed], 17),
        _shares([len(chord) - 1 for chord in onsets.values()], 7),
        _shares([tick % BEAT // 3 for tick, _ in placed], 8),
        _shares([(note.pitch - 21) // 8 for _, note in placed], 11),
        np.array([len(placed) / max(beats, 1) / 8, len(onsets) / max(beats, 1) / 4, float(key.endswith("minor"))]),
    ]
    if timbre:
        parts.append(_shares([note.program // 8 for bar in bars for note in bar.notes], 17))
    return np.concatenate(parts)


def windows(bars: Sequence[Bar], notes: int = WINDOW) -> list[list[Bar]]:
    """Consecutive runs of whole bars with about `notes` notes each; a shorter rest belongs to the last."""
    found: list[list[Bar]] = []
    for bar in bars:
        if not found or sum(len(b.notes) for b in found[-1]) >= notes:
            found.append([])
        found[-1].append(bar)
    if len(found) > 1 and sum(len(b.notes) for b in found[-1]) < notes // 2:
        found[-2].extend(found.pop())
    return found


def classifier() -> Any:
    """Standardised logistic regression (C = 0.1, balanced).

    Raises:
        MissingError: scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingError("scikit-learn is not installed; run `pip install scikit-learn`") from error
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
