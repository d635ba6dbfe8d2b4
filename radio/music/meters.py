"""Meters: the time signatures the vocabulary can write, and how every other one is written with them."""

from __future__ import annotations

from functools import lru_cache

from radio.music.score import BEAT, Meter

LONGEST = 192
"""Ticks of the longest bar."""
SHORTEST = BEAT // 4
"""Ticks of the shortest bar, of which all are multiples."""

METERS: tuple[Meter, ...] = tuple(
    Meter(beats, unit)
    for beats, unit in (
        (4, 4), (2, 4), (3, 4), (6, 8), (2, 2), (3, 8), (9, 8), (12, 8), (3, 2), (4, 2), (6, 4), (1, 4),
        (5, 4), (7, 8), (5, 8), (7, 4), (1, 8), (4, 8), (6, 16), (3, 16), (1, 16), (5, 16), (9, 16), (7, 16),
    )
)  # fmt: skip
"""In the order of the vocabulary. Append only: a model's ids depend on the order."""
_KNOWN = frozenset(METERS)
_BY_LENGTH = sorted(METERS, key=lambda meter: -meter.ticks)
"""Longest first; of equal length the commoner first, since sorting is stable and METERS begins with the common."""


@lru_cache(maxsize=1024)
def nearest(meter: Meter) -> tuple[Meter, ...]:
    """The meters of METERS that one bar of `meter` is written as: itself, its double or half, equal parts, or a sum.

    So 2/1 is one bar of 4/2, 12/4 two of 6/4, 9/4 three of 3/4, 13/8 a 12/8 and a 1/8.
    """
    if meter in _KNOWN:
        return (meter,)
    beats, unit = meter
    for like in (Meter(beats * 2, unit * 2), Meter(beats // 2, unit // 2 or unit)):
        if like in _KNOWN and like.ticks == meter.ticks:
            return (like,)
    for factor, parts in ((1, 2), (1, 3), (1, 4), (2, 2), (2, 3)):
        like = Meter(beats * factor // parts, unit * factor)
        if like in _KNOWN and like.ticks * parts == meter.ticks:
            return (like,) * parts
    return of_length(round(4 * BEAT * beats / unit))


@lru_cache(maxsize=1024)
def of_length(ticks: int) -> tuple[Meter, ...]:
    """The fewest common meters that last `ticks` together, to the nearest sixteenth and at least one sixteenth."""
    left = max((ticks + SHORTEST // 2) // SHORTEST, 1) * SHORTEST
    found = []
    while left:
        longest = next(meter for meter in _BY_LENGTH if meter.ticks <= left)
        found.append(longest)
        left -= longest.ticks
    return tuple(found)
