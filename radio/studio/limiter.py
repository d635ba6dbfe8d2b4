"""The limiter: keeps true peaks (ITU-R BS.1770-4, four times oversampled) below a ceiling, before they happen.

The reduction is worked out for groups of 32 frames and drawn as straight lines between them, so that it costs little.
It falls within 5 ms before a peak and rises again within a quarter of a second.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radio.formats import BLOCK

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""
Gains = npt.NDArray[np.float32]

GROUP = 32
"""Frames."""
ATTACK = 8
"""Groups over which the reduction comes."""
AHEAD = ATTACK + 1
"""Groups after one that decide about it."""
RELEASE = 0.0013
"""What the gain, 1 at most, rises by in a group."""
OVERSHOOT = 1.5
"""A true peak is hardly ever more than this much above the highest sample near it."""
TAPS = 12
"""Of the filter that finds values between frames."""


def _interpolator() -> npt.NDArray[np.float32]:
    """(TAPS, 3): the value a quarter, a half and three quarters of the way from one frame to the next."""
    places = np.arange(TAPS)[:, None] - (TAPS // 2 - 1) - np.array([0.25, 0.5, 0.75])
    window = 0.5 + 0.5 * np.cos(np.pi * places / (TAPS // 2 + 0.5))
    taps = np.sinc(places) * window
    normal: npt.NDArray[np.float32] = (taps / taps.sum(axis=0)).astype(np.float32)
    return normal


class Limiter:
    """Takes blocks and gives them back, limited, one block later."""

    def __init__(self, ceiling: float) -> None:
        """`ceiling` is the true peak in dBTP that nothing is above."""
        self._ceiling = 10 ** (ceiling / 20)
        self.gains: Gains = np.ones(BLOCK // GROUP, dtype=np.float32)
        """Of each group of the block given back last, their middles."""
        self._taps = _interpolator()
        self._held: Pcm | None = None
        self._allowed: Gains = np.ones(BLOCK // GROUP, dtype=np.float32)
        """Of the block held: the gain that each group must not exceed."""
        self._released: Gains = np.ones(ATTACK - 1, dtype=np.float32)
        """The last gains of the block before, not yet smoothed."""
        self._last = 1.0
        """The gain at the end of the block before."""
        self._tail: Pcm = np.zeros((TAPS - 1, 2), dtype=np.float32)

    def push(self, pcm: Pcm) -> Pcm | None:
        """Takes a block; the one before, limited, or None for the first."""
        allowed = self._allow(pcm)
        held, self._held = self._held, pcm
        if held is None:  # nothing was before, so the gain begins as low as it must
            self._last = float(allowed[:AHEAD].min())
            self._released[:] = self._last
        done = None if held is None else self._limit(held, np.concatenate((self._allowed, allowed[:AHEAD])))
        self._allowed = allowed
        return done

    def _allow(self, pcm: Pcm) -> Gains:
        peaks: Gains = np.abs(pcm).reshape(-1, GROUP * 2).max(axis=1)
        extended = np.concatenate((self._tail, pcm))
        self._tail = extended[-(TAPS - 1) :]
        if float(peaks.max()) * OVERSHOOT > self._ceiling:
            for side in range(2):
                frames = np.lib.stride_tricks.sliding_window_view(np.ascontiguousarray(extended[:, side]), TAPS)
                between = np.abs(frames @ self._taps)  # (frames, 3)
                peaks = np.maximum(peaks, between.reshape(-1, GROUP * 3).max(axis=1))
        return np.minimum(1.0, self._ceiling / np.maximum(peaks, self._ceiling)).astype(np.float32)

    def _limit(self, pcm: Pcm, allowed: Gains) -> Pcm:
        if float(allowed.min()) == 1.0 and float(self._released.min()) == 1.0:
            self._last = 1.0
            self.gains = np.ones(BLOCK // GROUP, dtype=np.float32)
            return pcm
        limited: Pcm = pcm * self._drawn(allowed)[:, None]
        return limited

    def _drawn(self, allowed: Gains) -> Gains:
        """The gain of each frame of the block.

        A peak between two frames is counted TAPS / 2 frames late, so perhaps to the group after its own; and a group's
        gain is reached at its end. So the gain is down two groups before the one that is too loud.
        """
        least = np.lib.stride_tricks.sliding_window_view(allowed, AHEAD + 1).min(axis=1)
        places = RELEASE * np.arange(-1, len(least))
        rising = np.minimum.accumulate(np.concatenate((self._released[-1:], least)) - places) + places
        released = np.concatenate((self._released, np.minimum(rising[1:], 1.0)))
        self._released = released[-(ATTACK - 1) :].astype(np.float32)
        smooth = np.convolve(released, np.full(ATTACK, 1 / ATTACK), mode="valid")
        points = np.concatenate(([self._last], smooth))
        self._last = float(smooth[-1])
        self.gains = ((points[:-1] + points[1:]) / 2).astype(np.float32)
        steps = np.arange(1, GROUP + 1) / GROUP
        lines = points[:-1, None] + np.diff(points)[:, None] * steps
        return lines.reshape(-1).astype(np.float32)
