"""The packet log: what a channel has sent lately. Everyone who listens is a position in it."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator

from radio.formats import RATE
from radio.link import Packet

KEPT = 480.0
"""Seconds kept at most."""


class PacketLog:
    """Released packets, numbered without gap: the piece under way and the one finished before it, at most KEPT."""

    def __init__(self) -> None:
        self._packets: deque[Packet] = deque()
        self._openings: deque[int] = deque()
        """Numbers of the packets in the log that open a piece."""
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def first(self) -> int:
        """Number of the oldest packet; of the next one if there is none."""
        return self._packets[0].number if self._packets else 0

    @property
    def next(self) -> int:
        """Number after the newest packet's."""
        return self._packets[-1].number + 1 if self._packets else 0

    def append(self, packet: Packet) -> None:
        """Adds the next packet, and forgets what is not kept."""
        self._packets.append(packet)
        self.seconds += packet.frames / RATE
        if packet.opening:
            self._openings.append(packet.number)
        while self.seconds > KEPT or (len(self._openings) > 2 and self.first < self._openings[-3]):
            gone = self._packets.popleft()
            self.seconds -= gone.frames / RATE
            if self._openings and self._openings[0] == gone.number:
                self._openings.popleft()

    def __setitem__(self, number: int, packet: Packet) -> None:
        """The packet with this number in more formats."""
        self._packets[number - self.first] = packet

    def __getitem__(self, number: int) -> Packet:
        """The packet with this number, first ≤ number < next."""
        return self._packets[number - self.first]

    def burst(self, seconds: float) -> int:
        """Number of the packet from which `seconds` of sound follow, as far as there are."""
        if not self._packets:
            return self.next
        end = self._packets[-1].start + self._packets[-1].frames
        later = bisect_right(range(self.first, self.next), end - seconds * RATE, key=lambda number: self[number].start)
        return max(self.first, self.first + later - 1)

    def from_which(self, formats: Collection[str], first: int, stop: int | None = None) -> int:
        """The lowest number, not below `first`, from which on every packet before `stop` is there in the formats."""
        number = self.next if stop is None else stop
        while number > first and self[number - 1].holds(formats):
            number -= 1
        return number

    def whole(self, formats: Collection[str], start: int, stop: int) -> bool:
        """Whether every packet from `start` and before `stop` is there in the formats."""
        return self.from_which(formats, start, stop) <= start

    def finished(self, formats: Collection[str] = ()) -> list[Packet]:
        """The packets of the last finished piece; of all there is where no piece is whole.

        Where that was not made in all these formats: the latest packets that were, if any were.
        """
        openings = list(self._openings)
        piece = (openings[0] if openings else self.first, self.next)
        if len(openings) >= 2:
            piece = (openings[-2], openings[-1])
        if self.from_which(formats, *piece) > piece[0]:
            stop = self.next
            while stop > self.first and not self[stop - 1].holds(formats):
                stop -= 1
            if stop > self.first:
                piece = (self.from_which(formats, self.first, stop), stop)
        return list(self._range(*piece))

    def _range(self, start: int, stop: int) -> Iterator[Packet]:
        return (self[number] for number in range(start, stop))
