"""A mount's packets with ICY titles between their bytes: made once, for all who ask for titles."""

from __future__ import annotations

from radio.air.icy import Phase, filler, interleave
from radio.air.log import PacketLog

READY = 64
"""Packets kept as they were made; those who are further behind have theirs made again."""


class Titled:
    """The packets of a log in one format with titles; those asked for must be there in that format."""

    def __init__(self, log: PacketLog, form: str, metaint: int) -> None:
        self.log, self.form, self.metaint = log, form, metaint
        self._phases: dict[int, Phase] = {}
        """Before each packet, in order and without gap, from the one that the first listener began with."""
        self._ready: dict[int, bytes] = {}

    def begin(self, number: int) -> tuple[bytes, Phase]:
        """What a listener gets before the packet it begins with, and its phase then."""
        fill = filler(self.phase(number), self.metaint)
        return interleave(fill, self.log[number].title, Phase(self.metaint), self.metaint)

    def packet(self, number: int, phase: Phase) -> tuple[bytes, Phase]:
        """A packet for a listener who is in `phase`, and the phase after it."""
        if number in self._ready and phase == self._phases[number]:
            return self._ready[number], self._phases[number + 1]
        made = self._made(number, phase)
        if phase == self.phase(number):
            self._ready[number], self._phases[number + 1] = made
            self._forget()
        return made

    def phase(self, number: int) -> Phase:
        """The phase before a packet, into which all come."""
        if number in self._phases:
            return self._phases[number]
        last = next(reversed(self._phases), -1)
        if not self.log.first <= last < number or not self.log.whole((self.form,), last, number):
            # Those who listen already go on in the phase they have.
            self._phases, self._ready = {number: Phase(self.metaint)}, {}
            return self._phases[number]
        for between in range(last, number):
            _, self._phases[between + 1] = self._made(between, self._phases[between])
        return self._phases[number]

    def _made(self, number: int, phase: Phase) -> tuple[bytes, Phase]:
        packet = self.log[number]
        return interleave(packet.data[self.form], packet.title, phase, self.metaint)

    def _forget(self) -> None:
        """Drops what no listener can ask for, and what few do; oldest come first in both."""
        while len(self._ready) > READY:
            del self._ready[next(iter(self._ready))]
        while next(iter(self._phases)) < self.log.first:
            del self._phases[next(iter(self._phases))]
