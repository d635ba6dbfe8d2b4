"""The one clock: when a channel's packets are due. Arithmetic only; who waits is `radio.air.station`."""

from __future__ import annotations

from dataclasses import dataclass

from radio.formats import RATE

LATE = 0.25
"""Seconds after which a release counts as late, and the sign-on is shifted instead of hurrying after it."""


@dataclass(slots=True)
class Pace:
    """When a channel signed on, in seconds of a monotonic clock, and how often it was late."""

    signed_on: float
    burst: int = 0
    """Frames that were released at once when the channel signed on."""
    late: int = 0
    lost: float = 0.0
    """Seconds by which the sign-on was shifted, in all."""

    def due(self, start: int) -> float:
        """When the packet that starts at frame `start` is to be released."""
        return self.signed_on + start / RATE

    def frame(self, now: float) -> int:
        """The frame that is due now."""
        return int((now - self.signed_on) * RATE)

    def keep(self, start: int, now: float) -> None:
        """Called as the packet at `start` is released: if late, the clock is put back, never the music hurried."""
        behind = now - self.due(start)
        if behind > LATE and start >= self.burst:
            self.late += 1
            self.lost += behind
            self.signed_on += behind
