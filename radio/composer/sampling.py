"""Drawing ids from logits: mask, temperature, nucleus, one uniform number a row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from radio.composer.compiled import compiled

Numbers = npt.NDArray[np.floating[Any]]


@compiled
def draw(
    logits: Numbers, mask: npt.NDArray[np.bool_], temperature: Numbers, nucleus: Numbers, uniform: Numbers
) -> npt.NDArray[np.int64]:
    """One id a row.

    Args:
        logits: (R, V).
        mask: (R, V); True where an id is allowed, at least one a row.
        temperature: (R,), above 0.
        nucleus: (R,), 0 < p ≤ 1: only the most likely ids that together reach p are drawn (Holtzman et al. 2020).
        uniform: (R,), in [0, 1): where in the distribution the draw falls, in the order of the ids.

    Raises:
        ValueError: in some row nothing is allowed.
    """
    count, size = logits.shape
    drawn = np.empty(count, np.int64)
    shares, kept = np.empty(size), np.empty(size)
    for r in range(count):
        allowed = np.flatnonzero(mask[r])
        if len(allowed) == 0:
            raise ValueError("nothing is allowed")
        most = logits[r, allowed[0]]
        for i in allowed:
            most = max(most, logits[r, i])
        total = 0.0
        for i in allowed:
            shares[i] = math.exp((logits[r, i] - most) / temperature[r])
            kept[i] = 0.0
            total += shares[i]
        reached = 0.0
        while reached < nucleus[r] * total:
            best = allowed[0]
            for i in allowed:
                if shares[i] > shares[best]:
                    best = i
            if shares[best] <= 0.0:  # rounding: all are taken
                break
            kept[best], shares[best] = shares[best], 0.0
            reached += kept[best]
        edge, place = 0.0, allowed[0]
        for i in allowed:
            if kept[i] > 0.0 and edge <= uniform[r] * reached:
                place = i
            edge += kept[i]
        drawn[r] = place
    return drawn


def octaves(logits: Numbers) -> Numbers:
    """(R, 11): how likely each octave is, as a logit, of the logits of the pitches (R, 128)."""
    padded = np.pad(logits, ((0, 0), (0, -logits.shape[1] % 12)), constant_values=-np.inf)
    likely: Numbers = np.logaddexp.reduce(padded.reshape(len(logits), padded.shape[1] // 12, 12), axis=2)
    return likely


def with_octaves(logits: Numbers, likely: Numbers) -> Numbers:
    """The logits of the pitches (R, 128), changed so that each octave is as likely as said (R, 11)."""
    return logits + np.repeat(likely - octaves(logits), 12, axis=1)[:, : logits.shape[1]]


def lean_within_octaves(logits: Numbers, lean: Numbers) -> None:
    """Adds to the logits of the pitches, (128,), so that each octave stays as likely as it was.

    Else a part whose notes are all made less likely would go wherever they are not.
    """
    logits[:] = with_octaves((logits + lean)[None], octaves(logits[None]))[0]
