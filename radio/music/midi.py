"""MIDI files as bytes: from the bytes of a standard MIDI file to lists of notes, tempos, meters and keys in file ticks.

Ours rather than a library's because the corpus has twelve million notes and real files are broken in many ways:
it makes no object for a message, and keeps what came before the damage. Format: "Standard MIDI Files 1.0", MIDI
Manufacturers Association, 1996.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from radio.errors import MidiError
from radio.music.score import BEAT

DRUM_LANE = 9
"""The lane of the drum kit, counted from 0."""
LARGEST = 64 << 20
"""Bytes of the largest file that is read."""
END = "end"
"""Text of the marker at the end of the last bar."""
OWN = -1
"""Program of a note whose track has not set one: the lane's holds."""
_UNENDED = -1
_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_PEDAL = 64

Sounding = list[int]
"""One note: start tick, end tick, lane, pitch, velocity, program."""


@dataclass(slots=True)
class Tracks:
    """What all tracks of a file hold together; every tick counts from the start of the file."""

    ticks: tuple[int, int] = (1, 1)
    """Grid ticks = file ticks × this fraction."""
    frames: bool = False
    """Time is counted in film frames: tempo has no meaning, and a beat is half a second."""
    notes: list[Sounding] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    """Tick and microseconds a beat."""
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    """Tick, beats, unit."""
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    """Tick, sharps, whether minor."""
    programs: list[tuple[int, int, int]] = field(default_factory=list)
    """Tick, lane, program."""
    pedals: list[tuple[int, int, bool]] = field(default_factory=list)
    """Tick, lane, whether down."""
    end: int = 0
    """Tick of the marker END, if there is one: where the last bar ends, though its notes may ring on."""
    damage: str = ""
    """What is wrong with the file, if only its beginning could be read."""


def parse(data: bytes) -> Tracks:
    """Reads a file. A damaged track is kept up to the damage.

    Raises:
        MidiError: not a MIDI file, or none that can be used.
    """
    if len(data) > LARGEST:
        raise MidiError(f"too large: got {len(data)} bytes, wanted at most {LARGEST}")
    start = data.find(b"MThd", 0, 256)  # a RIFF or MacBinary wrapper may come first
    if start < 0:
        raise MidiError(f"not a MIDI file: wanted the bytes MThd, got {bytes(data[:4])!r}; check what the file is")
    if len(data) < start + 14:
        raise MidiError(f"cut off: wanted a header of 14 bytes, got {len(data) - start}; copy the file again")
    size, kind, count, division = (
        int.from_bytes(data[start + a : start + b]) for a, b in ((4, 8), (8, 10), (10, 12), (12, 14))
    )
    if kind > 1:
        raise MidiError(f"format {kind}: wanted format 0 or 1 (tracks that sound together); save it as format 1")
    found = Tracks()
    _set_division(found, division)
    position = start + 8 + max(size, 6)
    for track in range(count):
        position = _find_track(data, position)
        if position < 0:
            found.damage = found.damage or f"{track} of {count} tracks are there"
            break
        length = int.from_bytes(data[position + 4 : position + 8])
        first = position + 8
        position = min(first + length, len(data))
        if first + length > len(data):
            found.damage = f"track {track + 1} is cut off"
        _Track(found, data).read(first, position)
    return found


def _set_division(found: Tracks, division: int) -> None:
    if division & 0x8000:
        rate, per_frame = 256 - (division >> 8), division & 0xFF
        if rate not in (24, 25, 29, 30) or not per_frame:
            raise MidiError(f"division {division:#06x}: wanted ticks a beat, or 24, 25, 29 or 30 frames a second")
        found.frames = True
        found.ticks = (2 * BEAT * 1001, 30000 * per_frame) if rate == 29 else (2 * BEAT, rate * per_frame)
    elif division:
        found.ticks = (BEAT, division)
    else:
        raise MidiError("division 0: wanted at least one tick a beat; the header is damaged")


def _find_track(data: bytes, position: int) -> int:
    """Where the next track begins; other blocks are passed over, and after damage it is looked for. −1: none."""
    while data[position : position + 4] != b"MTrk":
        following = position + 8 + int.from_bytes(data[position + 4 : position + 8])
        if len(data) < position + 8 or len(data) <= following or not data[position : position + 4].isalpha():
            return data.find(b"MTrk", position)
        position = following
    return position


class _Track:
    """Reads one track into the `Tracks` of the file."""

    def __init__(self, found: Tracks, data: bytes) -> None:
        self.found = found
        self.data = data
        self.programs = [OWN] * 16
        self.open: dict[int, list[Sounding]] = {}

    def read(self, first: int, stop: int) -> None:
        """Reads the bytes from `first` to `stop`."""
        began = len(self.found.notes)
        self.tick = 0
        try:
            self._events(first, stop)
        except IndexError:
            self.found.damage = self.found.damage or "an event is cut off or makes no sense"
        # A note that is never ended sounds on, but not for ever.
        longest = 4 * BEAT * self.found.ticks[1] // self.found.ticks[0]
        for note in self.found.notes[began:]:
            if note[1] == _UNENDED:
                note[1] = min(max(self.tick, note[0] + 1), note[0] + longest)

    def _events(self, at: int, stop: int) -> None:
        data, open_notes, notes, programs = self.data, self.open, self.found.notes, self.programs
        tick = status = running = 0
        while at < stop:
            byte = data[at]
            at += 1
            if byte < 0x80:
                tick += byte
            else:
                value = byte & 0x7F
                while byte >= 0x80:
                    byte = data[at]
                    at += 1
                    value = value << 7 | byte & 0x7F
                tick += value
            self.tick = tick
            status = data[at]
            if status >= 0x80:
                at += 1
            else:
                status = running
            if 0x80 <= status < 0xA0:
                running = status
                pitch, velocity = data[at] & 0x7F, data[at + 1]
                at += 2
                name = (status & 0x0F) << 7 | pitch
                if status >= 0x90 and velocity:
                    lane = status & 0x0F
                    note = [tick, _UNENDED, lane, pitch, min(velocity, 127), programs[lane]]
                    notes.append(note)
                    if name in open_notes:
                        open_notes[name].append(note)
                    else:
                        open_notes[name] = [note]
                elif sounding := open_notes.get(name):
                    # Of several notes at one pitch the first to begin is the first to end.
                    sounding.pop(0)[1] = tick
            elif 0x80 <= status < 0xF0:
                running = status
                at = self._control(status, at)
            elif status == 0xFF:
                at, ended = self._meta(at)
                if ended:
                    return
            else:
                at = self._system(status, at)

    def _control(self, status: int, at: int) -> int:
        kind, lane, value = status & 0xF0, status & 0x0F, self.data[at] & 0x7F
        if kind == 0xC0:
            self.programs[lane] = value
            self.found.programs.append((self.tick, lane, value))
        elif kind == 0xB0 and value == _PEDAL:
            self.found.pedals.append((self.tick, lane, self.data[at + 1] >= 64))
        return at + (1 if kind in (0xC0, 0xD0) else 2)

    def _meta(self, at: int) -> tuple[int, bool]:
        kind = self.data[at]
        length, at = self._length(at + 1)
        body = self.data[at : at + length]
        if kind == 0x51 and length == 3 and (tempo := int.from_bytes(body)):
            self.found.tempos.append((self.tick, tempo))
        elif kind == 0x58 and length >= 2 and body[0] and body[1] <= 6:
            self.found.meters.append((self.tick, body[0], 1 << body[1]))
        elif kind == 0x59 and length == 2 and abs(sharps := (body[0] ^ 0x80) - 0x80) <= 7:
            self.found.keys.append((self.tick, sharps, body[1] == 1))
        elif kind == 0x06 and body == END.encode():
            self.found.end = self.tick
        return at + length, kind == 0x2F

    def _system(self, status: int, at: int) -> int:
        if status in (0xF0, 0xF7):
            length, at = self._length(at)
            return at + length
        if status < 0x80:
            raise IndexError("a data byte where an event should begin")
        return at + _SYSTEM_LENGTHS.get(status, 0)

    def _length(self, at: int) -> tuple[int, int]:
        value = 0
        for place in range(at, at + 4):
            value = value << 7 | self.data[place] & 0x7F
            if self.data[place] < 0x80:
                return value, place + 1
        raise IndexError("a length of more than four bytes")
