"""Course: whether pieces go somewhere as they go on, from their first quarter to their last.

Human pieces come back to where they began; what is composed note by note may climb, or fill up, from bar to bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from radio.music.score import BEAT, DRUMS, Bar

SHORTEST = 16
"""Bars of a piece that has a course."""


def quarters(bars: Sequence[Bar]) -> tuple[Sequence[Bar], Sequence[Bar]]:
    """The first and the last."""
    size = len(bars) // 4
    return bars[:size], bars[len(bars) - size :]


def rise(bars: Sequence[Bar]) -> float:
    """Semitones by which the mean pitch is higher in the last quarter; nan for fewer than SHORTEST bars, or none."""
    if len(bars) < SHORTEST:
        return math.nan
    first, last = ([n.pitch for bar in own for n in bar.notes if n.program != DRUMS] for own in quarters(bars))
    return sum(last) / len(last) - sum(first) / len(first) if first and last else math.nan


def gathering(bars: Sequence[Bar]) -> float:
    """Times 2 by which there are more notes a beat in the last quarter (1: twice as many); nan as for `rise`."""
    if len(bars) < SHORTEST:
        return math.nan
    first, last = (
        sum(len(bar.notes) for bar in own) * BEAT / sum(bar.meter.ticks for bar in own) for own in quarters(bars)
    )
    return math.log2(last / first) if first and last else math.nan
