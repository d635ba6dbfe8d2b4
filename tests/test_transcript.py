"""What was played, as a MIDI file."""

from __future__ import annotations

import io

import mido
from hypothesis import given
from hypothesis import strategies as st

from radio.formats import BLOCK, RATE
from radio.music import smf
from radio.music.events import BarEvent, ControlEvent, Event, NoteEvent, PieceEvent
from radio.music.transcript import Transcript
from test_recorder import notes

lanes = st.integers(0, 15)


@st.composite
def played(draw: st.DrawFn) -> list[NoteEvent]:
    """Notes as a synth can play them: none while the same pitch sounds on the same lane."""
    free: dict[tuple[int, int], int] = {}
    at, made = 0, []
    for _ in range(draw(st.integers(0, 40))):
        at += draw(st.integers(0, 3 * BLOCK))
        lane, pitch = draw(lanes), draw(st.integers(0, 127))
        if free.get((lane, pitch), 0) > at:
            continue
        frames = draw(st.integers(1, 9 * BLOCK))
        free[lane, pitch] = at + frames
        program = 128 if lane == 9 else draw(st.integers(0, 127))
        made.append(NoteEvent(at, frames, lane, program, pitch, draw(st.integers(1, 127))))
    return made


def written(events: list[Event], origin: int = 0) -> bytes:
    """A file of events that come packet by packet."""
    transcript = Transcript(RATE, origin, "Bach")
    last = max((event.at for event in events), default=0)
    for start in range(0, last + 1, BLOCK):
        own = [event for event in events if start <= event.at < start + BLOCK]
        transcript.add(sorted(own, key=lambda event: -event.at), start + BLOCK)
    return transcript.file()


@given(played(), st.integers(0, 6912))
def test_what_is_read_back_is_what_was_played_to_the_frame(events: list[NoteEvent], early: int) -> None:
    expected = [
        (e.at + early, e.frames, e.lane, 0 if e.program == 128 else e.program, e.pitch, e.velocity) for e in events
    ]
    assert sorted(notes(written([*events], -early))) == sorted(expected)


@given(st.lists(st.tuples(st.integers(0, 4 * BLOCK), lanes, st.integers(0, 119), st.integers(0, 127)), max_size=20))
def test_controls_come_at_their_frames(moves: list[tuple[int, int, int, int]]) -> None:
    file = mido.MidiFile(file=io.BytesIO(written([ControlEvent(*move) for move in moves])))
    at, found = 0, []
    for message in file.tracks[0]:
        at += message.time
        if message.type == "control_change":
            found.append((at, message.channel, message.control, message.value))
    assert sorted(found) == sorted(moves)


def test_pieces_and_sections_are_markers_and_keys_are_told() -> None:
    events: list[Event] = [
        PieceEvent(0, 1, "Prélude №1 🎹", "prelude", "Bb minor", "3/4", 80.0, 2),
        BarEvent(0, 1, 2, "A", "Bb minor", 80.0, "3/4"),
        NoteEvent(10, 100, 0, 0, 60, 80),
        BarEvent(RATE, 2, 2, "B", "Bb minor", 80.0, "3/4"),
    ]
    file = mido.MidiFile(file=io.BytesIO(written(events)), charset="utf-8")
    assert [m.text for m in file.tracks[0] if m.type == "marker"] == ["Prélude №1 🎹", "A", "B"]
    assert [m.text for m in file.tracks[0] if m.type == "text"] == ["prelude, 3/4, 80 a minute"]
    assert [m.key for m in file.tracks[0] if m.type == "key_signature"] == ["Bbm"]
    assert file.tracks[0].name == "Bach"


def test_the_projects_own_reader_takes_it(tmp_path: object) -> None:
    score = smf.read(written([NoteEvent(RATE // 2, RATE // 2, 0, 46, 60, 80)]))
    (note,) = [note for bar in score.bars for note in bar.notes]
    assert (note.onset, note.duration, note.pitch, note.program) == (24, 24, 60, 46)
