"""What a channel played, as a standard MIDI file: every note as it sounded, by the frame.

One tick is one audio frame: half a second at 120 beats a minute is as many ticks a beat as there are frames. So what is
read back is what was played, exactly; a sequencer's own bars are not those of the music, whose pieces and sections are
markers. Made as the music goes, as bytes: an hour of message objects would be a hundred times as large.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from heapq import heappop, heappush

import mido

from radio.music.events import BarEvent, ControlEvent, Event, NoteEvent, PieceEvent
from radio.music.score import DRUMS
from radio.music.smf import signature

TEMPO = 500_000
"""Microseconds a beat."""
_TEXT, _NAME, _MARKER = 0x01, 0x03, 0x06
_OFF, _MARK, _ON = range(3)
"""In this order at the same tick; what is equal, as it came."""


class Transcript:
    """A MIDI file that grows. `origin`: the frame that is its tick 0; `rate`: frames a second, at most 65,534."""

    def __init__(self, rate: int, origin: int, title: str) -> None:
        self.division = rate * TEMPO // 1_000_000
        self.origin = origin
        self.notes = 0
        self._track = bytearray()
        self._tick = self._count = 0
        self._coming: list[tuple[int, int, int, bytes]] = []
        """A heap of tick, order at that tick, order of arrival, and a message."""
        self._programs: dict[int, int] = {}
        """By lane."""
        self._section = ""
        self._put(origin, _MARK, _meta(_NAME, title))
        self._put(origin, _MARK, bytes(mido.MetaMessage("set_tempo", tempo=TEMPO).bytes()))

    def add(self, events: Iterable[Event], until: int) -> None:
        """Takes events, none before those of an earlier call; all that is to come is at frame `until` or later."""
        for event in sorted(events, key=lambda event: event.at):
            match event:
                case NoteEvent():
                    self._note(event)
                case ControlEvent(at, lane, control, value):
                    message = mido.Message("control_change", channel=lane, control=control, value=value)
                    self._put(at, _MARK, bytes(message.bytes()))
                case PieceEvent():
                    self._section = ""
                    self._put(event.at, _MARK, _meta(_MARKER, event.title))
                    self._put(event.at, _MARK, _meta(_TEXT, f"{event.form}, {event.meter}, {event.tempo:g} a minute"))
                    key = mido.MetaMessage("key_signature", key=signature(event.key))
                    self._put(event.at, _MARK, bytes(key.bytes()))
                case BarEvent(section=section) if section and section != self._section:
                    self._section = section
                    self._put(event.at, _MARK, _meta(_MARKER, section))
        self._write(until - self.origin)

    def file(self) -> bytes:
        """The whole file, with the ends of all notes; nothing can be added after."""
        self._write(None)
        track = bytes(self._track) + b"\0" + bytes(mido.MetaMessage("end_of_track").bytes())
        header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, self.division)
        return header + struct.pack(">4sI", b"MTrk", len(track)) + track

    def _note(self, note: NoteEvent) -> None:
        if note.program not in (DRUMS, self._programs.get(note.lane)):
            self._programs[note.lane] = note.program
            change = mido.Message("program_change", channel=note.lane, program=note.program)
            self._put(note.at, _ON, bytes(change.bytes()))
        on = mido.Message("note_on", channel=note.lane, note=note.pitch, velocity=note.velocity)
        off = mido.Message("note_off", channel=note.lane, note=note.pitch, velocity=64)
        self._put(note.at, _ON, bytes(on.bytes()))
        self._put(note.at + max(note.frames, 1), _OFF, bytes(off.bytes()))
        self.notes += 1

    def _put(self, at: int, order: int, message: bytes) -> None:
        self._count += 1
        heappush(self._coming, (max(at - self.origin, 0), order, self._count, message))

    def _write(self, until: int | None) -> None:
        """Writes what comes before tick `until`; None: everything."""
        while self._coming and (until is None or self._coming[0][0] < until):
            tick, _, _, message = heappop(self._coming)
            self._track += _length(tick - self._tick) + message
            self._tick = tick


def _meta(kind: int, text: str) -> bytes:
    data = text.encode()
    return bytes((0xFF, kind)) + _length(len(data)) + data


def _length(value: int) -> bytes:
    """A number as MIDI files write times and lengths: seven bits a byte, the most significant first."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(0x80 | value & 0x7F)
    return bytes(reversed(parts))
