"""Where a channel's packets are on the wall clock, and among the segments of all times.

Media sequence numbers must not go back when the air begins again, or players would wait for ever: a channel's first one
is what the wall clock counts in segments since 1970, and more than any that was used before, which is kept in a file.
A player that lives through it sees later numbers and a later discontinuity: another timeline.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

from radio.air.segments import PARTS, SEGMENT_SECONDS
from radio.formats import RATE

log = logging.getLogger(__name__)

RESERVED = 25
"""Numbers set aside at once: so many may be left out by an air that is killed, and so seldom is the file written."""
APART = 0.1
"""Seconds by which the wall clock and the channel's may differ before dates follow: less than a release is late."""
EPOCHS = 100
"""Times that dates have followed, which are remembered."""


class Sequences:
    """The numbers that were used on each channel, in a file. Trouble with the disk is logged, and the clock counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserved: dict[str, int] | None = None

    def begin(self, channel: str, number: int) -> int:
        """The first number to use: this one, or the one after those used before."""
        found = max(number, self._load().get(channel, 0))
        self.use(channel, found)
        return found

    def use(self, channel: str, number: int) -> None:
        """Says that a number is used, as are all before it."""
        reserved = self._load()
        if number < reserved.get(channel, 0):
            return
        reserved[channel] = number + RESERVED
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".part")
            partial.write_text(json.dumps(reserved), encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            log.warning("%s: %s; a restart within seconds may strand players of HLS", self._path, error)

    def _load(self) -> dict[str, int]:
        if self._reserved is None:
            self._reserved = {}
            try:
                text = self._path.read_text(encoding="utf-8")
                self._reserved = {str(name): int(number) for name, number in json.loads(text).items()}
            except FileNotFoundError:
                pass
            except (OSError, ValueError, TypeError, AttributeError) as error:
                log.warning("%s is of no use, segments are numbered by the clock: %r", self._path, error)
        return self._reserved


class Timeline:
    """One channel's: numbers of its segments and dates of its frames, the same in every bit rate."""

    def __init__(self, channel: str, sequences: Sequences, wall: Callable[[], float]) -> None:
        """`wall`: the wall clock, in seconds of the Unix epoch."""
        self.channel, self._sequences, self._wall = channel, sequences, wall
        self._base: int | None = None
        self._epochs: list[tuple[int, float]] = []
        """From each of these frames on, when frame 0 would have been released, in seconds of the Unix epoch."""

    @property
    def discontinuity(self) -> int:
        """The discontinuity sequence number: there is none in a run of the air, and the next run's is greater."""
        assert self._base is not None, "no segment was numbered so far"
        return self._base

    def number(self, part: int) -> tuple[int, int]:
        """The media sequence number of the segment of a part, and the part's place in it."""
        segment, place = divmod(part, PARTS)
        if self._base is None:
            self._base = self._sequences.begin(self.channel, int(self._wall() / SEGMENT_SECONDS)) - segment
        number = self._base + segment
        self._sequences.use(self.channel, number)
        return number, place

    def keep(self, frame: int, ago: float) -> None:
        """Told again and again: as `frame` was the last to be released, frame 0 counts as released so long ago."""
        epoch = self._wall() - ago
        if not self._epochs or abs(epoch - self._epochs[-1][1]) > APART:
            self._epochs = [*self._epochs, (frame, epoch)][-EPOCHS:]

    def date(self, frame: int) -> float:
        """When a frame is released, in seconds of the Unix epoch; only after `keep`."""
        index = bisect_right(self._epochs, frame, key=itemgetter(0)) - 1
        return self._epochs[max(index, 0)][1] + frame / RATE
