"""MIDI files in and out, from real bytes."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radio.errors import MidiError
from radio.music import midi, smf
from radio.music.meters import METERS
from radio.music.score import DRUMS, Bar, Meter, Note, Piece, Prefix, notes_in_time

MICROSECONDS = 60_000_000
FOUR, THREE = Meter(4, 4), Meter(3, 4)
END_OF_TRACK = bytes.fromhex("00ff2f00")


def header(kind: int, tracks: int, division: int) -> bytes:
    """The first 14 bytes of a file."""
    return b"MThd" + (6).to_bytes(4) + kind.to_bytes(2) + tracks.to_bytes(2) + division.to_bytes(2)


def track(*parts: str) -> bytes:
    """A track of events in hexadecimal, its end added."""
    body = bytes.fromhex("".join(parts)) + END_OF_TRACK
    return b"MTrk" + len(body).to_bytes(4) + body


def file(*tracks: bytes, division: int = 96, kind: int | None = None) -> bytes:
    """A file of tracks."""
    return header((len(tracks) > 1) if kind is None else kind, len(tracks), division) + b"".join(tracks)


def notes(data: bytes, **options: str) -> list[tuple[int, int, int, int, int]]:
    """Onset from the start, program, pitch, duration and velocity of each note of a file."""
    bars = smf.read(data, **options).bars  # type: ignore[arg-type]
    return [(at, note.program, note.pitch, note.duration, note.velocity) for at, note in notes_in_time(bars)]


def written(bars: list[Bar] | tuple[Bar, ...] | Piece, **options: str | int) -> bytes:
    """The bytes of a written file."""
    out = io.BytesIO()
    smf.write(bars, out, **options)  # type: ignore[arg-type]
    return out.getvalue()


# At division 96 a quarter note is 0x60 file ticks, a grid tick is 4.
QUARTER = "00 90 3c 50  60 80 3c 40"


# What is read


def test_a_quarter_note_in_a_format_0_file_is_24_ticks_of_a_bar_of_four() -> None:
    score = smf.read(file(track(QUARTER)))
    assert score.bars == (Bar(FOUR, 120.0, (Note(0, 0, 60, 24, 80),), left=1),)
    assert not score.damage


def test_running_status_goes_on_over_meta_events_and_ends_notes_by_velocity_0() -> None:
    # The second note has no status byte; a text event stands between; both end by a note-on of velocity 0.
    data = file(track("00 90 3c 50", "30 40 51", "00 ff 01 02 68 69", "30 3c 00", "18 40 00"))
    assert notes(data) == [(0, 0, 60, 24, 80), (12, 0, 64, 18, 81)]


def test_delta_times_of_several_bytes_are_read() -> None:
    assert notes(file(track("8160 90 3c 50", "8100 80 3c 00"))) == [(56, 0, 60, 32, 80)]


def test_time_is_rounded_to_the_grid_half_up() -> None:
    # Grid ticks are 20 file ticks at division 480: 9 → 0, 10 → 1; the end at 29 → 1, never shorter than 1 tick.
    data = file(track("09 90 3c 50", "01 3d 50", "04 80 3c 00", "0f 80 3d 00"), division=480)
    assert notes(data) == [(0, 0, 60, 1, 80), (1, 0, 61, 1, 80)]


def test_tracks_of_a_format_1_file_sound_together_with_their_programs() -> None:
    conductor = track("00 ff 51 03 0927c0")
    violin = track("00 c0 28", QUARTER)
    cello = track("00 c1 2a", "00 91 30 60", "8140 81 30 40")
    score = smf.read(file(conductor, violin, cello))
    assert score.bars[0].notes == (Note(0, 40, 60, 24, 80), Note(0, 42, 48, 48, 96))
    assert score.bars[0].tempo == 100.0


def test_a_program_set_in_another_track_of_the_lane_holds() -> None:
    data = file(track("00 c0 28", "60 c0 29"), track(QUARTER, QUARTER))
    assert [note[1] for note in notes(data)] == [40, 41]


def test_a_program_may_change_in_mid_track() -> None:
    assert [note[1] for note in notes(file(track("00 c0 05", QUARTER, "00 c0 06", QUARTER)))] == [5, 6]


def test_the_tenth_lane_is_the_drum_kit_whatever_its_program() -> None:
    assert notes(file(track("00 c9 28", "00 99 24 64", "0c 89 24 00"))) == [(0, DRUMS, 36, 3, 100)]


def test_a_lane_that_plays_one_pitch_twice_at_once_ends_the_first_note_at_the_second() -> None:
    # On at 0 and 24, off at 48 and 72 grid ticks: the first off belongs to the first note, which has ended already.
    data = file(track("00 90 3c 50", "60 90 3c 51", "60 80 3c 00", "60 80 3c 00"))
    assert notes(data) == [(0, 0, 60, 24, 80), (24, 0, 60, 48, 81)]


def test_a_note_that_is_never_ended_sounds_no_longer_than_its_track_or_four_beats() -> None:
    assert notes(file(track("00 90 3c 50", "60 90 3e 50", "60 80 3e 00"))) == [(0, 0, 60, 48, 80), (24, 0, 62, 24, 80)]
    long = file(track("00 90 3c 50", "8800 90 3e 50", "60 80 3e 00"))
    assert notes(long)[0] == (0, 0, 60, 96, 80)


def test_an_end_without_a_note_is_passed_over() -> None:
    assert notes(file(track("00 80 3c 00", QUARTER, "00 80 3c 00"))) == [(0, 0, 60, 24, 80)]


def test_the_pedal_is_ignored_unless_asked_for() -> None:
    # Down at 12, the note ends at 24, up at 72.
    pedalled = file(track("00 90 3c 50", "30 b0 40 7f", "30 80 3c 00", "8140 b0 40 00"))
    assert notes(pedalled)[0][3] == 24
    assert notes(pedalled, pedal="extend")[0][3] == 72


def test_the_pedal_holds_a_note_no_longer_than_to_the_next_of_its_pitch() -> None:
    data = file(track("00 b0 40 7f", QUARTER, "60 90 3c 50", "60 80 3c 00", "60 b0 40 00"))
    assert [(at, duration) for at, _, _, duration, _ in notes(data, pedal="extend")] == [(0, 48), (48, 48)]


# Meters and tempos


def test_an_upbeat_written_as_a_short_bar_stays_one() -> None:
    # 1/4 at 0, 3/4 from the first beat on.
    data = file(track("00 ff 58 04 01021808", QUARTER, "00 ff 58 04 03021808", QUARTER, QUARTER, QUARTER, QUARTER))
    assert [str(bar.meter) for bar in smf.read(data).bars] == ["1/4", "3/4", "3/4"]


def test_a_meter_change_inside_a_bar_ends_the_bar_there() -> None:
    # 4/4, but after six beats comes 3/4.
    data = file(track(*[QUARTER] * 6, "00 ff 58 04 03021808", *[QUARTER] * 3))
    bars = smf.read(data).bars
    assert [str(bar.meter) for bar in bars] == ["4/4", "2/4", "3/4"]
    assert [len(bar.notes) for bar in bars] == [4, 2, 3]


def test_a_meter_the_vocabulary_does_not_have_is_written_as_several_bars() -> None:
    data = file(track("00 ff 58 04 0a021808", *[QUARTER] * 10))
    bars = smf.read(data).bars
    assert [str(bar.meter) for bar in bars] == ["5/4", "5/4"]
    assert [len(bar.notes) for bar in bars] == [5, 5]


def test_a_bar_is_as_fast_on_average_as_its_tempos_make_it() -> None:
    # Two beats at 120 and two at 60 a minute: 3 seconds for 4 beats.
    data = file(track("00 ff 51 03 07a120", QUARTER, QUARTER, "00 ff 51 03 0f4240", QUARTER, QUARTER, QUARTER))
    first, second = smf.read(data).bars
    assert first.tempo == pytest.approx(80.0)
    assert first.seconds == pytest.approx(3.0)
    assert second.tempo == pytest.approx(60.0)


def test_a_note_that_ends_a_hair_late_makes_no_bar_of_its_own() -> None:
    data = file(track("00 90 3c 50", "8304 80 3c 00"))  # 97 grid ticks
    assert len(smf.read(data).bars) == 1


def test_a_final_note_held_on_has_the_bars_it_sounds_in() -> None:
    data = file(track("00 90 3c 50", "8600 80 3c 00"))
    assert [bar.left for bar in smf.read(data).bars] == [2, 1]


def test_key_signatures_are_given_with_their_bar() -> None:
    data = file(track("00 ff 59 02 fe01", *[QUARTER] * 4, "00 ff 59 02 0100", QUARTER))
    assert smf.read(data).key_signatures == ((0, "G minor"), (1, "G major"))


def test_a_performance_is_told_from_a_score() -> None:
    assert not smf.read(file(track(*[QUARTER] * 8))).played
    assert smf.read(file(track(*["61 90 3c 50  5e 80 3c 40"] * 8))).played
    one_tick_late = ["01 90 3c 50  835f 80 3c 40"] + ["00 90 3c 50  8360 80 3c 40"] * 7
    assert not smf.read(file(track(*one_tick_late), division=480)).played


def test_film_frames_become_beats_of_half_a_second() -> None:
    # 25 frames of 40 ticks: 1000 ticks a second, so 500 are a beat.
    data = file(track("00 90 3c 50", "8374 80 3c 00"), division=0xE728)
    score = smf.read(data)
    assert score.bars[0].notes == (Note(0, 0, 60, 24, 80),)
    assert score.bars[0].tempo == 120.0


# What is wrong with files


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a MIDI file"),
        (b"ID3\x04 an mp3 file, more like it", "not a MIDI file"),
        (b"MThd\x00\x00", "cut off"),
        (header(2, 1, 96) + track(QUARTER), "format 2"),
        (header(0, 1, 0) + track(QUARTER), "division 0"),
        (header(0, 1, 0x8000) + track(QUARTER), "division 0x8000"),
        (header(1, 3, 96), "no notes .0 of 3 tracks"),
        (file(track("00 c0 05")), "no notes"),
        (file(track("00 3c 50")), "no notes .an event is cut off or makes no sense"),
        (file(track("ffffff7f 90 3c 50", "01 80 3c 00"), division=1), "too long"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MidiError, match=reason) as error:
        smf.read(data)
    assert "wanted" in str(error.value)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MidiError, match=r"none\.mid: No such file"):
        smf.read(tmp_path / "none.mid")


def test_of_a_truncated_file_the_beginning_is_used() -> None:
    whole = file(track(*[QUARTER] * 8))
    score = smf.read(whole[:-24])
    assert score.damage == "track 1 is cut off"
    assert 0 < len([note for bar in score.bars for note in bar.notes]) < 8


def test_of_tracks_that_are_missing_the_others_are_used() -> None:
    score = smf.read(header(1, 2, 96) + track(QUARTER))
    assert score.damage == "1 of 2 tracks are there"
    assert len(score.bars[0].notes) == 1


def test_blocks_that_are_not_tracks_are_passed_over() -> None:
    data = b"RIFF....RMIDdata...." + header(0, 1, 96) + b"XFIH\x00\x00\x00\x04abcd" + track(QUARTER)
    assert notes(data) == [(0, 0, 60, 24, 80)]


def test_system_messages_are_passed_over() -> None:
    data = file(track("00 f0 05 7e7f0901f7", "00 f7 02 f3 01", QUARTER))
    assert notes(data) == [(0, 0, 60, 24, 80)]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400), st.integers(0, 3), st.integers(0, 4), st.integers(1, 0xFFFF))
def test_garbage_is_read_or_refused_but_never_breaks_the_reader(
    body: bytes, kind: int, count: int, division: int
) -> None:
    data = header(kind, count, division) + b"MTrk" + len(body).to_bytes(4) + body
    try:
        score = smf.read(data, pedal="extend")
    except MidiError:
        return
    assert_well_formed(score.bars)


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(written([Bar(FOUR, 100.0, tuple(Note(k * 12, 0, 60 + k, 12, 80) for k in range(8)))] * 2))
    for place in data.draw(st.lists(st.integers(14, len(whole) - 1), max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        score = smf.read(bytes(whole))
    except MidiError:
        return
    assert_well_formed(score.bars)


def assert_well_formed(bars: tuple[Bar, ...]) -> None:
    assert bars
    for bar in bars:
        assert bar.meter in METERS
        assert bar.tempo > 0
        assert list(bar.notes) == sorted(bar.notes)
        for note in bar.notes:
            assert 0 <= note.onset < bar.meter.ticks
            assert 0 <= note.program <= DRUMS
            assert 0 <= note.pitch <= 127
            assert 1 <= note.velocity <= 127
            assert note.duration >= 1
    assert smf.canonical(bars) == bars


# What is written


def tempos() -> st.SearchStrategy[float]:
    """Tempos a MIDI file can hold: whole microseconds a beat."""
    return st.integers(200_000, 3_000_000).map(lambda microseconds: MICROSECONDS / microseconds)


@st.composite
def scores(draw: st.DrawFn, programs: int = 5) -> tuple[Bar, ...]:
    """Bars with overlaps within and across bar lines, of several programs, meters and tempos."""
    used = draw(st.lists(st.integers(0, DRUMS), min_size=1, max_size=programs, unique=True))
    bars = []
    for _ in range(draw(st.integers(1, 5))):
        meter = draw(st.sampled_from(METERS))
        note = st.builds(
            Note,
            onset=st.integers(0, meter.ticks - 1),
            program=st.sampled_from(used),
            pitch=st.integers(58, 64),
            duration=st.one_of(st.integers(1, 24), st.integers(1, 400)),
            velocity=st.integers(1, 127),
        )
        found = draw(st.lists(note, max_size=12))
        bars.append(Bar(meter, draw(tempos()), tuple(sorted(found)), draw(st.sampled_from("AAB"))))
    return tuple(bars)


def stripped(bars: tuple[Bar, ...]) -> list[tuple[Meter, float, tuple[Note, ...]]]:
    return [(bar.meter, bar.tempo, bar.notes) for bar in bars]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(scores(), st.sampled_from([24, 96, 480, 960]))
def test_what_is_written_is_read_back_exactly(bars: tuple[Bar, ...], division: int) -> None:
    bars = smf.canonical(bars)
    if not any(bar.notes for bar in bars):
        return
    back = smf.read(written(bars, division=division)).bars
    assert stripped(back) == stripped(bars)
    assert [bar.left for bar in back] == list(range(len(bars), 0, -1))


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, DRUMS), min_size=17, max_size=40, unique=True))
def test_more_programs_than_lanes_are_read_back_exactly(programs: list[int]) -> None:
    bar = Bar(FOUR, 100.0, tuple(sorted(Note(k * 2, program, 60, 30, 80) for k, program in enumerate(programs))))
    data = written([bar])
    assert smf.read(data).bars[0].notes == bar.notes


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(scores())
def test_canonical_bars_hold_no_pitch_twice_at_once_and_stay_as_they_are(bars: tuple[Bar, ...]) -> None:
    once = smf.canonical(bars)
    assert smf.canonical(once) == once
    assert [(bar.meter, bar.tempo, bar.section) for bar in once] == [(b.meter, b.tempo, b.section) for b in bars]
    ends: dict[tuple[int, int], int] = {}
    for onset, note in notes_in_time(once):
        assert onset >= ends.get((note.program, note.pitch), 0)
        ends[note.program, note.pitch] = onset + note.duration
    onsets = [{(at, note.program, note.pitch) for at, note in notes_in_time(some)} for some in (bars, once)]
    assert onsets[0] == onsets[1]


def test_a_new_onset_ends_the_note_before_it_across_the_bar_line() -> None:
    bars = (Bar(THREE, 90.0, (Note(48, 0, 60, 96, 80),)), Bar(THREE, 90.0, (Note(12, 0, 60, 24, 70),)))
    assert smf.canonical(bars)[0].notes == (Note(48, 0, 60, 36, 80),)


def test_of_two_notes_at_one_onset_the_longer_stays() -> None:
    bar = Bar(FOUR, 90.0, (Note(0, 0, 60, 24, 100), Note(0, 0, 60, 48, 50)))
    assert smf.canonical([bar])[0].notes == (Note(0, 0, 60, 48, 50),)


def test_a_piece_brings_its_title_key_and_section_letters() -> None:
    bars = tuple(Bar(FOUR, 100.0, (Note(0, 0, 60, 24, 80),), section) for section in "AAB")
    piece = Piece(Prefix(key="Eb minor"), "Étude No. 1 in E-flat minor", bars, certificate="It shares 3 notes.")
    data = written(piece)
    read = mido.MidiFile(file=io.BytesIO(data), charset="utf-8")
    conductor = read.tracks[0]
    assert read.type == 1
    assert conductor.name == "Étude No. 1 in E-flat minor"
    assert [message.text for message in conductor if message.type == "text"] == ["It shares 3 notes."]
    found = [(message.type, message.text) for message in conductor if message.type == "marker"]
    assert found == [("marker", "A"), ("marker", "B"), ("marker", midi.END)]
    assert smf.read(data).key_signatures == ((0, "Eb minor"),)


@pytest.mark.parametrize("key", ["Db major", "F# major", "G# minor", "Bb minor", "C major"])
def test_every_kind_of_key_signature_is_written(key: str) -> None:
    bar = Bar(FOUR, 100.0, (Note(0, 0, 60, 24, 80),))
    assert smf.read(written([bar], key=key)).key_signatures == ((0, key),)


def test_each_program_has_a_lane_and_the_drum_kit_the_tenth() -> None:
    programs = [*range(15), DRUMS]
    bar = Bar(FOUR, 100.0, tuple(Note(0, program, 60, 24, 80) for program in programs))
    lanes = Counter(
        message.channel
        for part in mido.MidiFile(file=io.BytesIO(written([bar]))).tracks
        for message in part
        if message.type == "note_on"
    )
    assert lanes == Counter(range(16))


def test_a_shared_lane_changes_its_program_before_each_note() -> None:
    """A synth that plays all tracks in one has the right program at every onset."""
    programs = list(range(40))
    bars = [Bar(FOUR, 100.0, tuple(Note(k, program, 60, 4, 80) for k, program in enumerate(programs)))]
    now, heard = {}, []
    for message in mido.MidiFile(file=io.BytesIO(written(bars))).merged_track:
        if message.type == "program_change":
            now[message.channel] = message.program
        elif message.type == "note_on":
            heard.append(now[message.channel])
    assert heard == programs


def test_a_file_lasts_as_long_as_its_bars(tmp_path: Path) -> None:
    bars = [Bar(meter, 77.0 + 10 * k, (Note(0, 0, 60, 24, 80),)) for k, meter in enumerate(METERS)]
    smf.write(bars, tmp_path / "meters.mid", title="Meters")
    length = mido.MidiFile(tmp_path / "meters.mid").length
    assert length == pytest.approx(sum(bar.seconds for bar in bars), abs=0.001)
    assert stripped(smf.read(tmp_path / "meters.mid").bars)[0][0] == METERS[0]


def test_our_reading_of_the_bytes_agrees_with_mido() -> None:
    bars = [Bar(FOUR, 100.0, tuple(Note(k * 6, 40 * (k % 3), 50 + k, 30, 20 + k) for k in range(16)))] * 3
    data = written(bars)
    expected = Counter[tuple[int, int, int, int]]()
    for part in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick = 0
        for message in part:
            tick += message.time
            if message.type == "note_on":
                expected[tick, message.channel, message.note, message.velocity] += 1
    got = Counter((start, lane, pitch, velocity) for start, _, lane, pitch, velocity, _ in midi.parse(data).notes)
    assert got == expected


@pytest.mark.parametrize("division", [0, 100, 32784])
def test_a_division_that_would_lose_time_is_refused(division: int) -> None:
    with pytest.raises(ValueError, match="multiple of 24"):
        smf.write([], io.BytesIO(), division=division)
