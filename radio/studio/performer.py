"""The performer turns bars into events in frames. Pure: the same piece gives the same performance.

Here, and nowhere else, musical time becomes audio frames. A bar starts exactly where the one before ended. Notes may be
up to EARLY frames ahead of their bar, so sound is final only up to the last bar's end less EARLY.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radio.formats import RATE
from radio.music import keys
from radio.music.events import BarEvent, ControlEvent, Event, NoteEvent
from radio.music.score import DRUMS, Bar, Note, Piece
from radio.settings import ChannelConfig
from radio.studio.tempo import Phrase, Tempo
from radio.studio.touch import FURTHEST, Touch, pedalling, voicing

EARLY = 960
"""Frames: no event is further ahead of its bar line."""
DRUM_LANE = 9
LANES = tuple(lane for lane in range(16) if lane != DRUM_LANE)
PEDAL, PAN = 64, 10
PIANOS = range(6)
"""Programs that have a sustain pedal."""
SEATS = (64, 84, 44, 98, 30, 74, 54)
"""Pan of the lanes in the order in which they enter; the first sits in the middle."""
BASSES = frozenset({*range(32, 40), 43, 47, 58, 70})
"""Programs that sit in the middle."""
GAP = 0.025
"""Seconds between a note and the same note struck again."""
SHORTEST = 0.03
"""Seconds."""
REPEDAL = 0.09
"""Seconds from lifting the pedal to pressing it again."""


@dataclass(frozen=True, slots=True)
class Performed:
    """A bar as it is played."""

    start: int
    end: int
    events: tuple[Event, ...]
    """In order of time."""


class Performer:
    """Plays one piece, bar after bar, from frame `start` on.

    `lanes`: the lanes that programs have from the piece before, if this one goes on from it.
    """

    def __init__(
        self, channel: ChannelConfig, piece: Piece, start: int, lanes: Mapping[int, int] | None = None
    ) -> None:
        rng = np.random.default_rng((piece.seed, 4))
        self._channel, self._piece = channel, piece
        config = replace(channel.performer, ritardando=0.0) if channel.endless else channel.performer
        self._tempo = Tempo(config, rng)
        self._touch = Touch(channel.performer, rng)
        self._phrase = Phrase()
        self._lanes = dict(lanes or {})
        self._used: set[int] = set()
        """Programs that have sounded."""
        self._start = float(start)
        self._number = 0
        self._key = keys.transpose(piece.prefix.key, channel.transpose) if piece.prefix.key else ""

    @property
    def lanes(self) -> dict[int, int]:
        """The lanes of the programs that have sounded."""
        return {program: lane for program, lane in self._lanes.items() if program in self._used}

    def play(self, bar: Bar, following: Bar | None) -> Performed:
        """The next bar as it is played. `following` is the bar after it; None: this is the last."""
        self._number += 1
        self._phrase.enter(bar, following)
        self._touch.enter(bar, self._phrase)
        frames = self._start + self._tempo.times(bar, self._phrase) * RATE  # (ticks + 1,)
        start, end = round(self._start), round(float(frames[-1]))
        self._start = float(frames[-1])
        events: list[Event] = [self._bar_line(bar, start)]
        earliest = start - EARLY
        events += [replace(event, at=max(event.at, earliest)) for event in self._notes(bar, following, frames)]
        if self._channel.performer.pedal:
            events += self._pedal(bar, frames, last=following is None or bar.left == 1)
        return Performed(start, end, tuple(sorted(events, key=lambda event: (event.at, event.kind))))

    def _bar_line(self, bar: Bar, at: int) -> BarEvent:
        bars = self._number + bar.left - 1 if bar.left else max(self._piece.prefix.bars, self._number)
        return BarEvent(at, self._number, bars, bar.section, self._key, round(bar.tempo, 2), str(bar.meter))

    def _notes(self, bar: Bar, following: Bar | None, frames: Frames) -> Iterator[NoteEvent | ControlEvent]:
        struck = self._struck(bar, following)
        for (onset, program), chord in self._chords(bar):
            lanes = len(self._lanes)
            lane, sounding = self._lane(program)
            late = self._touch.strike(lane, program == DRUMS)
            if len(self._lanes) > lanes and (seat := self._seat(lane, sounding)) is not None:
                yield ControlEvent(round(float(frames[onset])) - EARLY, lane, PAN, seat)
            for note, voice, melody in voicing(chord):
                off = min(max(late + self._touch.spread(melody), -FURTHEST), FURTHEST) * RATE
                velocity = self._touch.velocity(note, bar, self._phrase, voice, note is chord[-1])
                until = min([tick for tick in struck[program, note.pitch] if tick > onset], default=None)
                end = _at(frames, onset + note.duration)
                if until is not None:
                    end = min(end, _at(frames, until) - GAP * RATE)
                length = max(end - _at(frames, onset), SHORTEST * RATE)
                at = round(_at(frames, onset) + off)
                yield NoteEvent(at, round(length), lane, sounding, note.pitch, velocity)

    def _chords(self, bar: Bar) -> list[tuple[tuple[int, int], list[Note]]]:
        """What is struck together, by onset and program, as it is to sound; each note once, pitches rising."""
        found: dict[tuple[int, int], dict[int, Note]] = defaultdict(dict)
        for note in sorted(bar.notes, key=lambda note: (note.onset, note.duration)):
            heard = replace(note, program=self._program(note), pitch=self._pitch(note))
            found[note.onset, heard.program][heard.pitch] = heard  # of two, the longer
        return [(place, [chord[pitch] for pitch in sorted(chord)]) for place, chord in sorted(found.items())]

    def _struck(self, bar: Bar, following: Bar | None) -> dict[tuple[int, int], list[int]]:
        """When each program's pitches are struck in this bar and the next, in ticks from this bar's start."""
        struck: dict[tuple[int, int], list[int]] = defaultdict(list)
        for offset, notes in ((0, bar.notes), (bar.meter.ticks, following.notes if following else ())):
            for note in notes:
                struck[self._program(note), self._pitch(note)].append(offset + note.onset)
        return struck

    def _program(self, note: Note) -> int:
        return note.program if note.program == DRUMS else self._channel.programs.get(note.program, note.program)

    def _pitch(self, note: Note) -> int:
        """The pitch that sounds; one off the keyboard comes back by octaves."""
        if note.program == DRUMS:
            return note.pitch
        pitch = note.pitch + self._channel.transpose
        return pitch + 12 if pitch < 0 else pitch - 12 if pitch > 127 else pitch

    def _lane(self, program: int) -> tuple[int, int]:
        """The lane of a program and the program it sounds with: the nearest one's where all lanes are taken."""
        if program == DRUMS:
            self._lanes[DRUMS] = DRUM_LANE
        elif program not in self._lanes:
            free = next((lane for lane in LANES if lane not in self._lanes.values()), None)
            if free is None:
                program = min(sorted(self._lanes.keys() - {DRUMS}), key=lambda known: abs(known - program))
            else:
                self._lanes[program] = free
        self._used.add(program)
        return self._lanes[program], program

    def _seat(self, lane: int, program: int) -> int | None:
        """Where a lane that enters sits between left and right; None: in the middle."""
        if lane == DRUM_LANE or program in BASSES:
            return None
        seat = SEATS[LANES.index(lane) % len(SEATS)]
        return None if seat == SEATS[0] else seat

    def _pedal(self, bar: Bar, frames: Frames, *, last: bool) -> Iterator[ControlEvent]:
        sounding = {self._program(note) for note in bar.notes} & set(PIANOS)
        for program in sorted(sounding):
            lane, _ = self._lane(program)
            notes = [note for note in bar.notes if self._program(note) == program]
            for tick, down in pedalling(bar, notes):
                at = round(_at(frames, tick))
                yield ControlEvent(at, lane, PEDAL, 0)
                if down:
                    yield ControlEvent(at + round(REPEDAL * RATE), lane, PEDAL, 127)
        if last:
            for program in sorted(set(self._lanes) & set(PIANOS)):
                yield ControlEvent(round(float(frames[-1])), self._lanes[program], PEDAL, 0)


Frames = npt.NDArray[np.float64]
"""Where each tick of a bar, and its end, lie: (ticks + 1,)."""


def _at(frames: Frames, tick: int) -> float:
    """Where a tick lies; past the bar line, as if the bar went on at the tempo of its second half."""
    ticks = len(frames) - 1
    if tick <= ticks:
        return float(frames[tick])
    pace = float(frames[-1] - frames[ticks // 2]) / (ticks - ticks // 2)
    return float(frames[-1]) + (tick - ticks) * pace
