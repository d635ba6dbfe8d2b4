"""The tempo curve: where in time each tick of a bar lies. Pure but for the generator it draws from.

How far it bends is measured on pieces as played (`benchmarks/performance.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.music.score import BEAT, Bar
from radio.settings import PerformerConfig

PHRASE = 4
"""Bars of a phrase, counted from the start of a section."""
LEAP = 0.4
"""Octaves of tempo: a greater difference between two bars is a new tempo, a smaller one is glided over."""
ARCH = 0.012
"""Octaves by which the middle of a phrase is faster than its ends."""
SECTION_END = 0.03
"""Octaves by which the last bar of a section has slowed down at its end."""
DRIFT, DRIFT_MEMORY = 0.02, 0.25
"""Octaves: standard deviation of a bar's tempo; and how much of it carries over to the next bar."""
RITARDANDO = 4.0
"""Seconds that a final ritardando takes as written, to the nearest bar."""
LAST = 0.55
"""Share of the tempo left at its end; over the last bar, about 0.77."""
SLOWEST = 0.3


@dataclass(slots=True)
class Phrase:
    """Where in its phrase a bar stands."""

    section: str = ""
    bars: int = -1
    """Bars since the section began."""
    ends_section: bool = False

    def enter(self, bar: Bar, following: Bar | None) -> None:
        """Goes to the next bar."""
        self.bars = self.bars + 1 if bar.section == self.section else 0
        self.section = bar.section
        self.ends_section = following is None or following.section != bar.section

    @property
    def begins(self) -> bool:
        """Whether a phrase begins with this bar."""
        return self.bars % PHRASE == 0

    def at(self, x: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
        """How much of the phrase is past, 0 to 1, at the relative positions `x` of the bar."""
        return np.asarray((self.bars % PHRASE + x) / PHRASE, dtype=np.float64)


class Tempo:
    """The tempo curve of one piece, bar after bar."""

    def __init__(self, config: PerformerConfig, rng: np.random.Generator) -> None:
        self._rubato, self._ritardando = config.rubato, config.ritardando
        self._rng = rng
        self._octaves: float | None = None
        """Tempo at the end of the bar before, log2 of beats a minute."""
        self._drift = 0.0
        self._final = 0
        """Bars of the final ritardando, once the end is in sight."""
        self._flow = 0.0
        """Tempo before it, log2 of beats a minute; 0 as long as there is none."""

    def times(self, bar: Bar, phrase: Phrase) -> npt.NDArray[np.float64]:
        """Seconds from the bar's start to each of its ticks and to its end: (ticks + 1,)."""
        ticks = bar.meter.ticks
        x = (np.arange(ticks) + 0.5) / ticks
        if not self._final and self._octaves is not None:
            self._flow = self._octaves
        octaves = self._glide(bar, x) + self._bend(phrase, x)
        seconds = 60.0 / BEAT / np.exp2(octaves) / self._slowing(bar, x, octaves)
        times: npt.NDArray[np.float64] = np.concatenate(([0.0], np.cumsum(seconds)))
        return times

    def _glide(self, bar: Bar, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The written tempo; a performer with rubato passes from one bar's to the next smoothly."""
        written = math.log2(bar.tempo)
        before = self._octaves
        if before is None or self._rubato == 0 or abs(written - before) > LEAP:
            self._octaves = written
            return np.full_like(x, written)
        self._octaves = written + 0.35 * min(self._rubato, 1.0) * (before - written)
        return before + (self._octaves - before) * np.minimum(2 * x, 1.0)

    def _bend(self, phrase: Phrase, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What rubato adds: an arch over the phrase, breath at the end of a section, slow drift."""
        if self._rubato == 0:
            return np.zeros_like(x)
        past = phrase.at(x)
        bend = ARCH * (4 * past * (1 - past) - 0.6)
        if phrase.ends_section:
            bend = bend - SECTION_END * x**2
        before = self._drift
        fresh = math.sqrt(1 - DRIFT_MEMORY**2) * DRIFT * float(self._rng.standard_normal())
        self._drift = DRIFT_MEMORY * before + fresh
        drift: npt.NDArray[np.float64] = self._rubato * (bend + before + (self._drift - before) * x)
        return drift

    def _slowing(
        self, bar: Bar, x: npt.NDArray[np.float64], octaves: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64] | float:
        """The final ritardando: the share of the tempo that is left, less what is written as slower already.

        It stops as a runner does: Friberg and Sundberg, "Does music performance allude to locomotion?", Journal of
        the Acoustical Society of America 105 (1999), with their q = 3.
        """
        if not self._ritardando or not 0 < bar.left <= 4:
            return 1.0
        if not self._final:
            self._final = min(max(round(RITARDANDO / bar.seconds), 1), bar.left)
        if bar.left > self._final:
            return 1.0
        last = max(1.0 - (1.0 - LAST) * self._ritardando, SLOWEST)
        past = (self._final - bar.left + x) / self._final
        wanted = np.cbrt(1.0 + (last**3 - 1.0) * past)
        written = np.minimum(np.exp2(octaves - self._flow), 1.0) if self._flow else 1.0
        return np.minimum(wanted / written, 1.0)
