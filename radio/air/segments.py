"""Segments (HLS): packets of AAC put together, each part and each segment at a fixed place of the packet log. Pure.

A packet is 11.25 AAC frames long and holds those that end in it, so four packets hold 45 and no fraction. A part is
four packets, 0.96 s; a segment is six parts, 5.76 s; part n begins with packet 4 n, at frame 46,080 n of the timeline.

The sound lags behind its packets by the encoder's delay. The timeline counts packets; dates are those of the sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from radio import adts, mp4
from radio.formats import BLOCK, FORMATS, RATE

PART = 4
"""Packets of a part."""
PARTS = 6
"""Parts of a segment."""
SEGMENT = PART * PARTS
"""Packets of a segment."""
PART_SECONDS = PART * BLOCK / RATE
SEGMENT_SECONDS = PARTS * PART_SECONDS
FRAMES = PART * BLOCK // FORMATS["aac"].grid
"""AAC frames of a part."""
DELAY_SECONDS = FORMATS["aac"].delay / RATE
"""By which the sound of a part lags behind its packets, whose start is a whole number of AAC frames."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment, whole or still growing. The first one that is made may lack parts at its beginning."""

    number: int
    """Media sequence number."""
    date: float
    """When its first frame of sound is released, in seconds of the Unix epoch."""
    first: int
    """Which of a segment's parts, from 0, its first is."""
    parts: tuple[bytes, ...]

    @property
    def complete(self) -> bool:
        return self.first + len(self.parts) == PARTS

    @property
    def seconds(self) -> float:
        return len(self.parts) * PART_SECONDS

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.parts))

    @property
    def name(self) -> str:
        """Its file's, once complete. One that lacks parts does not share it with the whole one."""
        return f"{self.number}.{self.first}-{PARTS - 1}.m4s"

    def part_name(self, index: int) -> str:
        """The file's of the part with this index, which may be the one to come."""
        return f"{self.number}.{self.first + index}.m4s"


def part(number: int, packets: Sequence[bytes], splice: int = PART) -> bytes:
    """Part `number` of the log, as a fragment.

    Args:
        packets: its packets in ADTS.
        splice: which of them may follow others than it was made after.
    """
    frames = fitted([adts.frames(packet) for packet in packets], splice)
    return mp4.fragment(number, number * PART * BLOCK, frames)


def fitted(packets: Sequence[Sequence[bytes]], splice: int) -> list[bytes]:
    """The AAC frames of a part, exactly as many as it lasts.

    Four packets that were made one after the other hold just so many, wherever in the log they stand. Where an encore
    begins or ends they may be one more or fewer: then frames go from, or silence goes into, where the sound breaks.
    """
    before = [frame for packet in packets[:splice] for frame in packet]
    after = [frame for packet in packets[splice:] for frame in packet]
    spare = len(before) + len(after) - FRAMES
    if spare > 0:
        return [*before[: max(0, len(before) - spare)], *after][-FRAMES:]
    return [*before, *[mp4.SILENCE] * -spare, *after]
