"""Runs of a mount's packets as they are written, with titles or without: made once for all who are in one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from radio.air.icy import Phase, filler, interleave
from radio.air.log import PacketLog
from radio.link import Packet

READY = 8
"""Spans kept as they were made; one asked for later is made again."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some packets in a row."""

    data: bytes
    stop: int
    """Number of the packet after the last."""
    phase: Phase | None
    """Where in the audio a listener with titles stands after them."""


class Spans:
    """The packets of a log in one format, as they are."""

    def __init__(self, log: PacketLog, form: str) -> None:
        self.log, self.form = log, form
        self._ready: dict[tuple[int, int, Phase | None], Span] = {}

    def begin(self, number: int) -> tuple[bytes, Phase | None]:
        """What a listener gets before the packet it begins with, and its phase then."""
        return b"", None

    def span(self, number: int, most: int, phase: Phase | None) -> Span:
        """The packets from `number` on, which the log must reach back to, `most` at most, for one in this phase.

        It ends before a packet that is not there in the format.
        """
        stop = min(self.log.next, number + most)
        key = number, stop, phase
        found = self._ready.get(key)
        if found is None:
            found = self._ready[key] = self._made(number, stop, phase)
            if len(self._ready) > READY:
                del self._ready[next(iter(self._ready))]
        return found

    def _made(self, number: int, stop: int, phase: Phase | None) -> Span:
        parts = [packet.data[self.form] for packet in self._packets(number, stop)]
        return Span(b"".join(parts), number + len(parts), None)

    def _packets(self, number: int, stop: int) -> Iterator[Packet]:
        """Those up to the first that is not there in the format."""
        for own in range(number, stop):
            packet = self.log[own]
            if not packet.holds((self.form,)):
                return
            yield packet


class Titled(Spans):
    """The packets with ICY titles between their bytes."""

    def __init__(self, log: PacketLog, form: str, metaint: int) -> None:
        super().__init__(log, form)
        self.metaint = metaint
        self._phases: dict[int, Phase] = {}
        """Before each packet, in order and without gap, from the one that the first listener began with."""

    def begin(self, number: int) -> tuple[bytes, Phase]:
        """A filler that brings the listener into the phase of the others."""
        fill = filler(self.phase(number), self.metaint)
        return interleave(fill, self.log[number].title, Phase(self.metaint), self.metaint)

    def phase(self, number: int) -> Phase:
        """The phase before a packet, into which all come."""
        if number in self._phases:
            return self._phases[number]
        last = next(reversed(self._phases), -1)
        if not self.log.first <= last < number or not self.log.whole((self.form,), last, number):
            # Those who listen already go on in the phase they have.
            self._phases = {number: Phase(self.metaint)}
            return self._phases[number]
        for packet in self._packets(last, number):
            _, self._phases[packet.number + 1] = self._interleaved(packet, self._phases[packet.number])
        return self._phases[number]

    def _made(self, number: int, stop: int, phase: Phase | None) -> Span:
        assert phase is not None
        parts = []
        for packet in self._packets(number, stop):
            before = phase
            data, phase = self._interleaved(packet, before)
            parts.append(data)
            if before == self.phase(packet.number):
                self._phases[packet.number + 1] = phase
        while next(iter(self._phases), self.log.first) < self.log.first:
            del self._phases[next(iter(self._phases))]
        return Span(b"".join(parts), number + len(parts), phase)

    def _interleaved(self, packet: Packet, phase: Phase) -> tuple[bytes, Phase]:
        return interleave(packet.data[self.form], packet.title, phase, self.metaint)
