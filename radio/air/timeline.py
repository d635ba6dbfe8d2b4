"""Where a channel's packets are on the wall clock, and among the segments of all times.

Media sequence numbers must not go back when the air begins again, or players would wait for ever: a channel's first one
is what the wall clock counts in segments since 1970, and more than any that was used before, which is kept in a file.
Beside it is how often the channel began: its discontinuity sequence number, from which a player that lives through a
restart knows that another timeline has begun. It must be small, since players have lists with a place for each.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Used:
    """What a channel has used so far."""

    segments: int = 0
    """No number from this on."""
    runs: int = 0
    """How often it began."""


class Sequences:
    """What was used on each channel, in a file. Trouble with the disk is logged; then the clock has to do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._channels: dict[str, Used] | None = None

    def begin(self, channel: str, number: int) -> tuple[int, int]:
        """The first media sequence number of a run, this one or the one after those used before; and the run's own."""
        used = self._load().get(channel, Used())
        first = max(number, used.segments)
        self._save(channel, Used(first + RESERVED, used.runs + 1))
        return first, used.runs

    def use(self, channel: str, number: int) -> None:
        """Says that a number is used, as are all before it."""
        used = self._load()[channel]
        if number >= used.segments:
            self._save(channel, replace(used, segments=number + RESERVED))

    def _save(self, channel: str, used: Used) -> None:
        channels = self._load()
        channels[channel] = used
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".part")
            partial.write_text(json.dumps({name: asdict(own) for name, own in channels.items()}), encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            log.warning("%s: %s; a restart may strand those who play HLS", self._path, error)

    def _load(self) -> dict[str, Used]:
        if self._channels is None:
            self._channels = {}
            try:
                found = json.loads(self._path.read_text(encoding="utf-8"))
                self._channels = {name: Used(int(own["segments"]), int(own["runs"])) for name, own in found.items()}
            except FileNotFoundError:
                pass
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                log.warning("%s is of no use, segments are numbered by the clock: %r", self._path, error)
        return self._channels


class Timeline:
    """One channel's: numbers of its segments and dates of its frames, the same in every bit rate."""

    def __init__(self, channel: str, sequences: Sequences, wall: Callable[[], float]) -> None:
        """`wall`: the wall clock, in seconds of the Unix epoch."""
        self.channel, self._sequences, self._wall = channel, sequences, wall
        self._base: int | None = None
        """Media sequence number of the segment that the channel's first packet is in."""
        self._run = 0
        self._epochs: list[tuple[int, float]] = []
        """From each of these frames on, when frame 0 would have been released, in seconds of the Unix epoch."""

    @property
    def discontinuity(self) -> int:
        """The discontinuity sequence number of all segments: within a run of the air there is no discontinuity."""
        return self._run

    def number(self, part: int) -> tuple[int, int]:
        """The media sequence number of the segment of a part, and the part's place in it."""
        segment, place = divmod(part, PARTS)
        if self._base is None:
            first, self._run = self._sequences.begin(self.channel, int(self._wall() / SEGMENT_SECONDS))
            self._base = first - segment
        number = self._base + segment
        self._sequences.use(self.channel, number)
        return number, place

    def name(self, frame: int) -> str:
        """A name for what is at a frame, which nothing else on this channel ever has."""
        return f"{self._base}-{frame}"

    def keep(self, frame: int, ago: float) -> None:
        """Told again and again: as `frame` was the last to be released, frame 0 counts as released so long ago."""
        epoch = self._wall() - ago
        if not self._epochs or abs(epoch - self._epochs[-1][1]) > APART:
            self._epochs = [*self._epochs, (frame, epoch)][-EPOCHS:]

    def date(self, frame: int) -> float:
        """When a frame is released, in seconds of the Unix epoch; only after `keep`."""
        index = bisect_right(self._epochs, frame, key=itemgetter(0)) - 1
        return self._epochs[max(index, 0)][1] + frame / RATE
