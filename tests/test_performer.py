"""The performer: bars become events in frames, as the channel says, the same every time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.music.events import BarEvent, ControlEvent, NoteEvent
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note, Piece, Prefix
from radio.settings import ChannelConfig, PerformerConfig
from radio.studio.performer import DRUM_LANE, EARLY, PEDAL, Performed, Performer
from radio.studio.scale import plan, write
from radio.studio.touch import WIDEST

RATE = 48000
STRICT = PerformerConfig(dynamics=0, rubato=0, ritardando=0, humanize=0)
FREE = PerformerConfig(dynamics=1.5, rubato=1.5, ritardando=1.5, humanize=2, pedal=True)
FOUR = Meter(4, 4)


def channel(performer: PerformerConfig = STRICT, **fields: Any) -> ChannelConfig:
    return ChannelConfig("test", "Test", performer=performer, **fields)


def piece(bars: Sequence[Bar], *, seed: int = 5, **prefix: Any) -> Piece:
    return Piece(Prefix(bars=len(bars), **prefix), "Test", tuple(bars), number=1, seed=seed)


def perform(channel: ChannelConfig, piece: Piece, start: int = 1000) -> list[Performed]:
    performer = Performer(channel, piece, start)
    return [performer.play(bar, after) for bar, after in zip(piece.bars, [*piece.bars[1:], None], strict=True)]


def scales(number: int = 1) -> Piece:
    made = plan("test", number, seed=0)
    return made.with_bars(tuple(write(made)))


def crotchets(count: int, *, tempo: float = 120, program: int = 0, velocity: int = 64, left: int = 1) -> list[Bar]:
    """Bars of four crotchets, all alike."""
    notes = tuple(Note(beat * BEAT, program, 60 + beat, BEAT, velocity) for beat in range(4))
    return [Bar(FOUR, tempo, notes, "A", count - n + left - 1) for n in range(count)]


def notes_of(performed: Sequence[Performed]) -> list[NoteEvent]:
    return [event for bar in performed for event in bar.events if isinstance(event, NoteEvent)]


def test_without_freedom_every_note_is_exactly_where_it_is_written() -> None:
    performed = perform(channel(), piece(crotchets(3)))
    notes = notes_of(performed)
    assert [note.at for note in notes] == [1000 + n * 24000 for n in range(12)]
    assert {note.velocity for note in notes} == {64}
    assert [bar.start for bar in performed] == [1000, 97000, 193000]


@pytest.mark.parametrize("performer", [STRICT, PerformerConfig(), FREE])
@given(number=st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_bars_follow_without_a_gap_and_notes_keep_to_their_bar(performer: PerformerConfig, number: int) -> None:
    performed = perform(channel(performer), scales(number))
    for before, after in itertools.pairwise(performed):
        assert after.start == before.end
    for bar in performed:
        assert [event.at for event in bar.events] == sorted(event.at for event in bar.events)
        for event in bar.events:
            if isinstance(event, NoteEvent):
                assert bar.start - EARLY <= event.at < bar.end + EARLY
                assert event.frames > 0
                assert 1 <= event.velocity <= 127
    assert [event.number for bar in performed for event in bar.events if isinstance(event, BarEvent)] == list(
        range(1, len(performed) + 1)
    )


def test_the_same_piece_is_played_the_same_and_another_seed_otherwise() -> None:
    own = channel(FREE)
    assert perform(own, scales()) == perform(own, scales())
    assert perform(own, scales()) != perform(own, replace(scales(), seed=6))


def test_a_performance_depends_on_no_bar_but_the_next() -> None:
    """So that it can be given while the piece is still being written."""
    whole = perform(channel(FREE), scales())
    bars = scales().bars
    performer = Performer(channel(FREE), scales().with_bars(()), 1000)
    assert [performer.play(bars[n], bars[n + 1]) for n in range(3)] == whole[:3]


def test_a_piece_slows_down_at_its_end_and_only_there() -> None:
    bars = crotchets(12, tempo=120)
    lengths = [bar.end - bar.start for bar in perform(channel(replace(STRICT, ritardando=1.0)), piece(bars))]
    assert lengths[:10] == [96000] * 10
    assert 96000 < lengths[10] < lengths[11] < 2.2 * 96000


def test_a_ritardando_that_is_written_is_not_slowed_again() -> None:
    bars = crotchets(12, tempo=120)
    written = [*bars[:10], replace(bars[10], tempo=80), replace(bars[11], tempo=50)]
    plain, slowed = (
        [bar.end - bar.start for bar in perform(channel(replace(STRICT, ritardando=share)), piece(written))]
        for share in (0.0, 1.0)
    )
    assert slowed == plain
    hardly = [*bars[:10], *(replace(bar, tempo=118) for bar in bars[10:])]
    lengths = [bar.end - bar.start for bar in perform(channel(replace(STRICT, ritardando=1.0)), piece(hardly))]
    whole = [bar.end - bar.start for bar in perform(channel(replace(STRICT, ritardando=1.0)), piece(bars))]
    assert lengths == pytest.approx(whole, rel=0.002)


def test_a_piece_whose_end_is_not_in_sight_keeps_its_tempo() -> None:
    bars = crotchets(6, left=10)
    lengths = [bar.end - bar.start for bar in perform(channel(replace(STRICT, ritardando=1.0)), piece(bars))]
    assert set(lengths) == {96000}


def test_rubato_bends_the_tempo_but_keeps_the_length_of_the_piece() -> None:
    bars = crotchets(32, left=5)
    performed = perform(channel(replace(STRICT, rubato=1.0)), piece(bars))
    lengths = [bar.end - bar.start for bar in performed]
    assert len(set(lengths)) > 16
    assert min(lengths) > 0.88 * 96000
    assert max(lengths) < 1.15 * 96000
    assert sum(lengths) == pytest.approx(32 * 96000, rel=0.05)


def test_small_changes_of_tempo_are_glided_over_and_large_ones_are_not() -> None:
    slow, fast, much_faster = crotchets(1, tempo=100)[0], crotchets(1, tempo=109)[0], crotchets(1, tempo=150)[0]
    performer = replace(STRICT, rubato=0.01)
    glided = perform(channel(performer), piece([slow, fast, fast]))
    lengths = [bar.end - bar.start for bar in glided]
    assert lengths[0] > lengths[1] > lengths[2]
    assert lengths[1] > 1.005 * 96000 * 120 / 109
    leapt = perform(channel(performer), piece([slow, much_faster]))
    assert leapt[1].end - leapt[1].start == pytest.approx(96000 * 120 / 150, rel=0.002)


def test_timing_varies_with_memory_and_within_bounds() -> None:
    notes = notes_of(perform(channel(replace(STRICT, humanize=1.0)), piece(crotchets(100))))
    late = [note.at - (1000 + n * 24000) for n, note in enumerate(notes)]
    assert max(map(abs, late)) <= EARLY
    mean = sum(late) / len(late)
    variance = sum((x - mean) ** 2 for x in late) / len(late)
    together = sum((a - mean) * (b - mean) for a, b in itertools.pairwise(late)) / len(late)
    assert 0.002 * RATE < variance**0.5 < 0.008 * RATE
    assert together / variance > 0.2


def test_the_melody_sings_above_its_chord_and_downbeats_are_stressed() -> None:
    chord = tuple(Note(onset, 0, pitch, BEAT, 64) for onset in (0, 2 * BEAT + 12) for pitch in (60, 64, 67))
    bars = [Bar(FOUR, 120, chord, "A", 9)]
    velocity = {
        (note.at, note.pitch): note.velocity
        for note in notes_of(perform(channel(replace(STRICT, dynamics=1.0)), piece(bars, dynamics=False)))
    }
    (down, off) = sorted({at for at, _ in velocity})
    assert velocity[down, 67] > velocity[down, 64] > velocity[down, 60]
    assert velocity[down, 64] > velocity[off, 64]


def spreading(spread: int) -> list[Bar]:
    """Bars whose velocities have that standard deviation."""
    return [
        replace(bar, notes=tuple(replace(n, velocity=64 + spread * (-1) ** i) for i, n in enumerate(bar.notes)))
        for bar in crotchets(32)
    ]


def velocities(bars: list[Bar], dynamics: float) -> list[int]:
    own = channel(replace(STRICT, dynamics=dynamics))
    return [note.velocity for note in notes_of(perform(own, piece(bars)))]


def test_music_with_dynamics_of_its_own_is_shaped_less() -> None:
    def added(spread: int) -> float:
        written = spreading(spread)
        played = velocities(written, 1.0)
        return float(np.std(np.array(played) - [note.velocity for bar in written for note in bar.notes]))

    assert 0 < added(14) < 0.4 * added(0)


def test_extremes_further_apart_than_anybody_plays_them_are_drawn_together_unless_all_is_to_be_as_written() -> None:
    assert np.std(velocities(spreading(30), 1.0)) == pytest.approx(WIDEST, rel=0.15)
    assert np.std(velocities(spreading(30), 0.5)) == pytest.approx((30 + WIDEST) / 2, rel=0.15)
    assert set(velocities(spreading(30), 0.0)) == {34, 94}


def test_a_channel_plays_on_other_programs_and_at_another_pitch_but_drums_stay() -> None:
    bar = Bar(FOUR, 120, (Note(0, 0, 60, 24, 64), Note(0, 40, 72, 24, 64), Note(0, DRUMS, 36, 24, 64)), "A", 1)
    own = channel(programs={0: 6}, transpose=-12)
    performed = perform(own, piece([bar], key="G minor"))
    assert {(note.program, note.pitch) for note in notes_of(performed)} == {(6, 48), (40, 60), (DRUMS, 36)}
    (line,) = (event for event in performed[0].events if isinstance(event, BarEvent))
    assert line.key == "G minor"
    assert {note.lane for note in notes_of(performed) if note.program == DRUMS} == {DRUM_LANE}


def test_a_transposed_channel_names_the_key_that_sounds() -> None:
    (performed,) = perform(channel(transpose=2), piece(crotchets(1), key="G minor"))
    assert [event.key for event in performed.events if isinstance(event, BarEvent)] == ["A minor"]


def test_each_program_has_a_lane_and_many_programs_share() -> None:
    notes = tuple(Note(program * 4, program, 60, 4, 64) for program in range(20))
    heard = notes_of(perform(channel(), piece([Bar(FOUR, 120, notes, "A", 1)])))
    lanes = {note.lane for note in heard}
    assert len(lanes) == 15
    assert DRUM_LANE not in lanes
    programs = {lane: {note.program for note in heard if note.lane == lane} for lane in lanes}
    assert all(len(sounding) == 1 for sounding in programs.values())


def test_a_note_struck_twice_at_once_is_struck_once() -> None:
    bar = Bar(FOUR, 120, (Note(0, 0, 60, 24, 64), Note(0, 1, 60, 96, 64)), "A", 1)
    (note,) = notes_of(perform(channel(programs={1: 0}), piece([bar])))
    assert note.frames == 96000


def test_a_note_ends_before_it_is_struck_again_in_this_bar_or_the_next() -> None:
    again = Note(0, 0, 60, 24, 64)
    first = Bar(FOUR, 120, (replace(again, duration=96), Note(48, 0, 60, 96, 64)), "A", 2)
    second = Bar(FOUR, 120, (again,), "A", 1)
    one, two, three = notes_of(perform(channel(), piece([first, second])))
    assert one.at + one.frames <= two.at - 0.02 * RATE
    assert two.at + two.frames <= three.at - 0.02 * RATE


def test_a_note_may_sound_past_its_bar_line() -> None:
    bar = Bar(FOUR, 120, (Note(72, 0, 60, 72, 64),), "A", 2)
    rest = Bar(FOUR, 120, (), "A", 1)
    (note,) = notes_of(perform(channel(), piece([bar, rest])))
    assert note.at + note.frames == 1000 + 144 * 1000


def pedals(performed: Performed) -> list[tuple[int, int]]:
    return [(e.at, e.value) for e in performed.events if isinstance(e, ControlEvent) and e.control == PEDAL]


def harmony(*chords: tuple[int, ...]) -> Bar:
    """A chord on each beat."""
    notes = [Note(beat * BEAT, 0, pitch, BEAT, 64) for beat, chord in enumerate(chords) for pitch in chord]
    return Bar(FOUR, 120, tuple(notes), "A", 2)


def test_the_pedal_is_changed_with_the_harmony() -> None:
    c, g = (48, 60, 64, 67), (43, 59, 62, 67)
    own = channel(replace(STRICT, pedal=True))
    same, changing = perform(own, piece([harmony(c, c, c, c), harmony(c, c, g, g), harmony(c)]))[:2]
    assert pedals(same) == [(1000, 0), (1000 + 4320, 127)]
    at = changing.start
    assert pedals(changing) == [(at, 0), (at + 4320, 127), (at + 48000, 0), (at + 48000 + 4320, 127)]


def test_a_run_is_played_without_pedal_and_the_pedal_is_up_after_the_end() -> None:
    run = Bar(FOUR, 120, tuple(Note(tick, 0, 60 + tick // 6, 6, 64) for tick in range(0, 96, 6)), "A", 1)
    (performed,) = perform(channel(replace(STRICT, pedal=True)), piece([run]))
    assert {value for _, value in pedals(performed)} == {0}
    assert pedals(performed)[-1] == (performed.end, 0)


def test_programs_without_a_pedal_have_none() -> None:
    (performed,) = perform(channel(replace(STRICT, pedal=True)), piece(crotchets(1, program=6)))
    assert pedals(performed) == []


def test_years_of_bars_stay_exact() -> None:
    """Rounding does not add up: after 1,000 bars of 7/8 at an odd tempo the last ends within a frame of the sum."""
    meter = Meter(7, 8)
    bars = [Bar(meter, 131.7, (Note(0, 0, 60, 12, 64),), "A", 0)] * 1000
    performed = perform(channel(), piece(bars), start=10**10)
    exact = 10**10 + 1000 * 84 / 24 * 60 / 131.7 * RATE
    assert performed[-1].end == pytest.approx(exact, abs=1)
