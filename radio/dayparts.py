"""Dayparts: what a channel is at which hours of the day, by the machine's own clock and time zone (`TZ`)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from radio.settings import DaypartConfig

DAY = 24 * 60
ALWAYS = DaypartConfig(hours="00:00-24:00")
"""What holds where no daypart does: nothing of note."""
_HOURS = re.compile(r"(\d\d?):(\d\d)\s*[-–]\s*(\d\d?):(\d\d)")


def minutes(hours: str) -> tuple[int, int]:
    """First and last minute of the day, the last not included; less than the first where midnight lies between.

    Raises:
        ValueError: not two times of the day.
    """
    found = _HOURS.fullmatch(hours.strip())
    if found is None:
        raise ValueError(f"got {hours!r}, wanted two times of the day such as 06:00-10:30")
    first, last = (60 * int(found[h]) + int(found[h + 1]) for h in (1, 3))
    if int(found[2]) > 59 or int(found[4]) > 59 or first >= DAY or last > DAY:
        raise ValueError(f"got {hours!r}, wanted times from 00:00 to 24:00")
    if first == last:
        raise ValueError(f"got {hours!r}, wanted a time later than the first")
    return first, last


def at(dayparts: Sequence[DaypartConfig], wall: float) -> DaypartConfig:
    """The first daypart that holds at a time (seconds since 1970); ALWAYS if none does."""
    if not dayparts:
        return ALWAYS
    local = time.localtime(wall)
    minute = 60 * local.tm_hour + local.tm_min
    return next((own for own in dayparts if _within(minute, *minutes(own.hours))), ALWAYS)


def problems(dayparts: Sequence[DaypartConfig]) -> Iterator[str]:
    """What the types of the fields cannot say."""
    for own in dayparts:
        try:
            minutes(own.hours)
        except ValueError as error:
            yield f"dayparts.hours: {error}"
        if own.mix and not any(own.mix.values()):
            yield f"dayparts.mix: {own.hours}: no style has a share"


def _within(minute: int, first: int, last: int) -> bool:
    return first <= minute < last if first < last else minute >= first or minute < last
