"""Loudness: how loud a channel's sound is (ITU-R BS.1770-4, EBU R128), and the slow gain that keeps it at its target.

The gain is decided with seconds of sound in view, since the studio works ahead: a piece begins at its own level, and
within a piece the gain moves so slowly that its dynamics live. Three estimates, all gated as the standard gates them:
the piece so far, what earlier pieces of the channel led to expect, and what has been sent, whose error is fed back.
What the limiter takes is given beforehand.
Passages that would be lost in a room with people in it are lifted a little.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import sosfilt

from radio.formats import BLOCK, RATE
from radio.studio.limiter import GROUP, Gains

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""
Energies = npt.NDArray[np.float64]

PARTS = 3
"""Parts of a block, 80 ms each; five make the 400 ms window of the standard."""
WINDOW = 5
SECONDS = BLOCK / RATE
PART_SECONDS = SECONDS / PARTS
K_WEIGHTING = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585),
    (1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621),
)
"""The standard's two filters at 48 kHz: the head, and the high pass."""
LOWEST, HIGHEST = -70, 10
"""LUFS: the absolute gate, and what nothing is louder than."""
RELATIVE_GATE = 10.0

PIECE_HALF_LIFE, SENT_HALF_LIFE = 60.0, 240.0
"""Seconds after which what was measured of the piece, or sent, counts half."""
EXPECTED_SECONDS = 4.0
"""How much measured sound the expectation weighs as much as."""
UNKNOWN = -22.0
"""LUFS before any gain, of a channel that nothing is known of and that nothing was measured of."""
LOSS_HALF_LIFE, LOSS_MOST = 60.0, 3.0
"""Seconds after which what the limiter took counts half, and the dB given for it at most."""
FEEDBACK, FEEDBACK_MOST, FEEDBACK_SECONDS = 2.0, 2.5, 30.0
SLEW, SLEW_MORE = 0.12, 0.25
"""dB a second, and what is added for each dB more than one that the gain is off."""
LIFT, LIFT_FROM, LIFT_MOST = 0.5, 7.0, 6.0
"""Music that stays more than LIFT_FROM dB below the target for seconds is lifted by this share of the rest."""
QUIETEST_GAIN, LOUDEST_GAIN = -30.0, 34.0
"""dB"""


def lufs(energy: float) -> float:
    """Loudness of a K-weighted mean square, summed over the two sides."""
    return -0.691 + 10 * math.log10(energy) if energy > 0 else -math.inf


def energy(loudness: float) -> float:
    """Inverse of `lufs`."""
    return float(10 ** ((loudness + 0.691) / 10))


def _mean(values: Collection[float] | Energies) -> float:
    return float(sum(values)) / len(values) if len(values) else 0.0


class Weighting:
    """The K-weighted energies of a channel's sound, block after block."""

    def __init__(self) -> None:
        self._sos = np.array(K_WEIGHTING)
        self._state = np.zeros((2, 2, 2))

    def groups(self, pcm: Pcm) -> Energies:
        """Energies of the block's groups of frames: (BLOCK / GROUP,)."""
        weighted, self._state = sosfilt(self._sos, pcm.T.astype(np.float64), axis=1, zi=self._state)
        energies: Energies = np.square(weighted).reshape(2, -1, GROUP).mean(axis=2).sum(axis=0)
        return energies


class Sliding:
    """The standard's overlapping windows over groups of frames, block after block."""

    def __init__(self) -> None:
        self._parts: Energies = np.zeros(WINDOW - 1)

    def windows(self, groups: Energies) -> Energies:
        """Energies of the 400 ms that end with each part of the block: (PARTS,)."""
        parts = np.concatenate((self._parts, groups.reshape(PARTS, -1).mean(axis=1)))
        self._parts = parts[PARTS:]
        windows: Energies = np.convolve(parts, np.full(WINDOW, 1 / WINDOW), mode="valid")
        return windows


class Histogram:
    """Windows by their loudness, in bins of 1 dB, older ones counting less."""

    def __init__(self, half_life: float) -> None:
        self._keep = 0.5 ** (SECONDS / half_life)
        self._counts = np.zeros(HIGHEST - LOWEST)
        self._energies = np.zeros(HIGHEST - LOWEST)

    def add(self, windows: Energies) -> None:
        """Adds the windows of one block."""
        self._counts *= self._keep
        self._energies *= self._keep
        heard = windows[windows > energy(LOWEST)]
        if len(heard):
            bins = np.clip((10 * np.log10(heard) - 0.691 - LOWEST).astype(int), 0, HIGHEST - LOWEST - 1)
            np.add.at(self._counts, bins, 1.0)
            np.add.at(self._energies, bins, heard)

    def gated(self) -> tuple[float, float]:
        """Integrated energy, and the seconds it was measured over; (0, 0) if nothing was heard."""
        counts, energies = self._counts, self._energies
        total = float(counts.sum())
        if total < 1e-6:
            return 0.0, 0.0
        gate = lufs(float(energies.sum()) / total) - RELATIVE_GATE
        first = min(max(math.ceil(gate - LOWEST), 0), HIGHEST - LOWEST - 1)
        count = float(counts[first:].sum())
        if count < 1e-6:
            return float(energies.sum()) / total, total * PART_SECONDS
        return float(energies[first:].sum()) / count, count * PART_SECONDS

    def to_json(self) -> list[list[float]]:
        """The bins that hold anything."""
        return [
            [int(bin), round(float(self._counts[bin]), 4), float(f"{self._energies[bin]:.5g}")]
            for bin in np.flatnonzero(self._counts > 1e-3)
        ]

    def from_json(self, bins: list[list[float]]) -> None:
        """Inverse of `to_json`."""
        for bin, count, total in bins:
            self._counts[int(bin)], self._energies[int(bin)] = count, total


class Leveller:
    """The gain of one channel. `push` measures blocks as they are made; `pop` gives them a gain later, in order, and
    `sent` is told what the limiter then took."""

    def __init__(self, target: float, known: Mapping[str, Any] | None = None) -> None:
        self.target = target
        self.gain = 0.0
        """dB at the end of the last block popped."""
        self.expected: float | None = None
        """LUFS that the next piece is expected to have before any gain; None: nothing is known."""
        self._pieces: deque[Histogram] = deque([Histogram(PIECE_HALF_LIFE)])
        self._sent = Histogram(SENT_HALF_LIFE)
        self._made, self._left = 0.0, 0.0
        """Energy before and after the limiter."""
        self._coming, self._going = Sliding(), Sliding()
        self._waiting: deque[tuple[Energies, Energies]] = deque()
        """Windows and groups of the blocks that have no gain yet."""
        self._coming_means: deque[float] = deque()
        """The means of those windows."""
        self._limiting: deque[Energies] = deque()
        """Groups of the blocks that have one and are in the limiter."""
        self._recent: deque[float] = deque(maxlen=round(3.0 / PART_SECONDS))
        """Energies of the last 3 seconds popped, without the gain."""
        self._began = False
        if known is not None:
            self._recall(known)

    def push(self, groups: Energies, *, opening: bool = False, known: bool = False) -> None:
        """Measures a block. `opening`: a piece begins with it; `known`: it was already measured before a restart."""
        windows = self._coming.windows(groups)
        if opening and (self._began or self._waiting):
            self._pieces.append(Histogram(PIECE_HALF_LIFE))
        if not known:
            self._pieces[-1].add(windows)
        self._waiting.append((windows, groups))
        self._coming_means.append(_mean(windows))

    def open(self) -> None:
        """The next block popped opens a piece."""
        if self._began:
            self._learn(self._pieces.popleft())
        self._began = False

    def pop(self) -> tuple[float, float]:
        """The gain in dB at the start and at the end of the earliest block not yet popped."""
        windows, groups = self._waiting.popleft()
        self._coming_means.popleft()
        wanted = min(max(self._wanted(), QUIETEST_GAIN), LOUDEST_GAIN)
        before = self.gain
        if self._began:
            away = wanted - before
            most = SECONDS * (SLEW + SLEW_MORE * max(abs(away) - 1.0, 0.0))
            self.gain = before + min(max(away, -most), most)
        else:
            before = self.gain = wanted
            self._began = True
        self._limiting.append(groups * 10 ** ((before + self.gain) / 20))
        self._recent.extend(windows)
        return before, self.gain

    def sent(self, gains: Gains) -> None:
        """The earliest block popped, and not yet told of, left the limiter with these gains of its groups."""
        made = self._limiting.popleft()
        left = made * np.square(gains)
        self._sent.add(self._going.windows(left))
        keep = 0.5 ** (SECONDS / LOSS_HALF_LIFE)
        self._made = keep * self._made + float(made.mean())
        self._left = keep * self._left + float(left.mean())

    @property
    def loudness(self) -> float | None:
        """Short-term loudness of what was popped, over 3 seconds: LUFS; None for silence."""
        mean = _mean(self._recent) * 10 ** (self.gain / 10)
        return round(lufs(mean), 1) if mean > energy(LOWEST) else None

    def _wanted(self) -> float:
        measured, seconds = self._pieces[0].gated()
        weight = EXPECTED_SECONDS if self.expected is not None else 0.0 if seconds else 1.0
        expected = energy(UNKNOWN if self.expected is None else self.expected)
        estimate = lufs((seconds * measured + weight * expected) / (seconds + weight))
        sent, seconds = self._sent.gated()
        error = self.target - lufs(sent) if seconds else 0.0
        feedback = FEEDBACK * error * seconds / (seconds + FEEDBACK_SECONDS)
        gain = self.target - estimate + self._loss() + min(max(feedback, -FEEDBACK_MOST), FEEDBACK_MOST)
        return gain + self._lift(gain)

    def _loss(self) -> float:
        """dB that the limiter takes."""
        return min(10 * math.log10(self._made / self._left), LOSS_MOST) if self._left > 0 else 0.0

    def _lift(self, gain: float) -> float:
        """What is added for music that has been soft and stays so as far as can be seen."""
        coming = list(self._coming_means)
        half = len(coming) // 2
        near = max(_mean(self._recent), _mean(coming[:half]), _mean(coming[half:]))
        if near <= energy(LOWEST):
            return 0.0
        return min(LIFT * max(self.target - LIFT_FROM - lufs(near) - gain, 0.0), LIFT_MOST)

    def _learn(self, piece: Histogram) -> None:
        measured, seconds = piece.gated()
        if seconds:
            heard = lufs(measured)
            self.expected = heard if self.expected is None else self.expected + 0.4 * (heard - self.expected)

    def state(self) -> dict[str, Any]:
        """What a restarted studio goes on from, as JSON. A piece that has only been opened is to be measured anew."""
        state = {
            "gain": round(self.gain, 4),
            "expected": None if self.expected is None else round(self.expected, 3),
            "sent": self._sent.to_json(),
            "limiter": [float(f"{energy:.5g}") for energy in (self._made, self._left)],
        }
        return state | {"piece": self._pieces[0].to_json()} if self._began else state

    def _recall(self, known: Mapping[str, Any]) -> None:
        self.gain = float(known["gain"])
        self.expected = None if known["expected"] is None else float(known["expected"])
        self._sent.from_json(known["sent"])
        self._made, self._left = map(float, known["limiter"])
        if "piece" in known:
            self._pieces[0].from_json(known["piece"])
            self._began = True
