"""What a player waits for when it loads a playlist again (draft-pantos-hls-rfc8216bis, 6.2.5). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from radio.air.segments import PART_SECONDS, PARTS, Segment

AHEAD = 2
"""Segments after the newest whole one that may be waited for."""
PARTS_AHEAD = math.floor(3 / PART_SECONDS)
"""Parts after the newest one that may be waited for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A playlist that has this segment, or so many of its parts."""

    segment: int
    """Media sequence number."""
    part: int | None = None
    """Index of a part; None: the whole segment."""


def wanted(query: Mapping[str, str]) -> Wanted | None:
    """What a request's query asks to wait for, if it does.

    Raises:
        ValueError: it asks for what there cannot be.
    """
    numbers = {name: query[name] for name in ("_HLS_msn", "_HLS_part") if name in query}
    for name, text in numbers.items():
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise ValueError(f"got {name}={text!r}, wanted a number from 0")
    if "_HLS_msn" not in numbers:
        if numbers:
            raise ValueError("got _HLS_part without _HLS_msn, wanted both or the latter alone")
        return None
    part = numbers.get("_HLS_part")
    return Wanted(int(numbers["_HLS_msn"]), None if part is None else int(part))


def updates(query: Mapping[str, str]) -> bool:
    """Whether a query asks for a playlist's changes alone.

    Raises:
        ValueError: it asks for what is not known.
    """
    text = query.get("_HLS_skip", "")
    if text not in ("", "YES", "v2"):
        raise ValueError(f"got _HLS_skip={text!r}, wanted YES or v2")
    return text != ""


def too_far(request: Wanted, newest: Segment) -> bool:
    """Whether it is so far ahead that the player must be mistaken."""
    whole = newest.number if newest.complete else newest.number - 1
    if request.segment > whole + AHEAD:
        return True
    return request.segment == newest.number and (request.part or 0) > len(newest.parts) - 1 + PARTS_AHEAD


def there(request: Wanted, newest: Segment) -> bool:
    """Whether it has come. A part beyond a segment's last is the first of the segment after it."""
    segment, part = request.segment, request.part
    if part is not None and part >= (PARTS - newest.first if segment == newest.number else PARTS):
        segment, part = segment + 1, 0
    if segment != newest.number:
        return segment < newest.number
    return newest.complete if part is None else part < len(newest.parts)
