"""The kit's harmony and dynamics: keys, closes and rough chords are told; velocities follow what they follow."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music import COMMON, bars, tune
from radio.composer.kit import dynamics as loud
from radio.composer.kit import harmony as kit
from radio.music.score import DRUMS, Bar, Meter, Note

TRIADS = {"1": (48, 64, 67, 72), "4": (53, 65, 69, 72), "5": (43, 62, 67, 71), "7": (47, 62, 65, 67)}
"""Chords of C major by their bass's degree, the lowest first."""


def chord(*pitches: int, meter: Meter = COMMON) -> Bar:
    """A bar that one chord fills."""
    return Bar(meter, 100.0, tuple(Note(0, 0, pitch, meter.ticks, 64) for pitch in sorted(pitches)))


def degrees(*names: str) -> list[Bar]:
    """A bar of each of the TRIADS, after six that make the key plain."""
    return [chord(*TRIADS[name]) for name in ("1", "4", "5", "1", "4", "5", *names)]


def chromatic(seed: int, count: int = 32) -> list[Bar]:
    """A tune whose pitches are drawn from all twelve."""
    rng = random.Random(seed)
    return [
        replace(bar, notes=tuple(sorted(replace(note, pitch=rng.randrange(48, 84)) for note in bar.notes)))
        for bar in tune(seed, count)
    ]


def moved(piece: Sequence[Bar], semitones: int) -> list[Bar]:
    return [
        replace(bar, notes=tuple(replace(note, pitch=note.pitch + semitones) for note in bar.notes)) for bar in piece
    ]


def played(velocities: Sequence[int], *, each: int = 24) -> list[Bar]:
    """One note after the other, `each` ticks apart, with these velocities."""
    rows = [velocities[at : at + 96 // each] for at in range(0, len(velocities), 96 // each)]
    return [Bar(COMMON, 100.0, tuple(Note(i * each, 0, 60, each, v) for i, v in enumerate(row))) for row in rows]


def test_music_of_one_scale_is_in_it_and_chromatic_music_is_not() -> None:
    assert kit.in_scale(degrees("1")) == 1.0
    assert np.mean([kit.in_scale(chromatic(seed)) for seed in range(5)]) < 0.75


def test_a_key_is_clearer_than_none() -> None:
    tonal = kit.clarity(degrees("5", "1"))
    assert tonal > 0.85
    assert np.mean([kit.clarity(chromatic(seed)) for seed in range(5)]) < tonal - 0.2


def test_a_change_of_key_leaves_the_key_clear() -> None:
    home = degrees("5", "1")
    assert kit.clarity([*home, *moved(home, 6)]) == pytest.approx(kit.clarity(home))


def test_entropy_is_that_of_the_pitch_classes_sounded() -> None:
    assert kit.entropy([chord(48, 60, 72)] * 4, 1) == pytest.approx(0.0)
    assert kit.entropy([chord(*range(60, 72))], 1) == pytest.approx(math.log2(12))
    assert kit.entropy([chord(60), chord(62), chord(64), chord(65)], 4) == pytest.approx(2.0)
    assert kit.entropy([chord(60), Bar(COMMON, 100.0, ())], 1) == pytest.approx(0.0)


@pytest.mark.parametrize("before", ["5", "7", "4"])
def test_a_bass_that_falls_home_closes(before: str) -> None:
    assert kit.closes(degrees(before, "1"))
    assert kit.closes(moved(degrees(before, "1"), 5))


@pytest.mark.parametrize("ending", [("1", "5"), ("1", "4"), ("4", "5"), ("1", "7")])
def test_an_end_away_from_home_does_not_close(ending: tuple[str, str]) -> None:
    assert not kit.closes(degrees(*ending))


def test_a_bass_that_does_not_come_from_the_dominant_or_subdominant_does_not_close() -> None:
    second = chord(50, 62, 65, 69)
    assert not kit.closes([*degrees("1"), second, chord(*TRIADS["1"])])


def test_the_bass_of_a_broken_chord_is_its_lowest_note() -> None:
    broken = Bar(COMMON, 100.0, tuple(Note(6 * i, 0, p, 6, 64) for i, p in enumerate((48, 55, 52, 55) * 4)))
    assert kit.bass_line([broken]) == [48] * 4
    assert kit.closes([*degrees("1", "5"), broken])


def test_a_held_bass_is_the_bass_of_later_notes() -> None:
    pedal = Bar(COMMON, 100.0, (Note(0, 0, 36, 96, 64), Note(24, 0, 72, 24, 64), Note(72, 0, 71, 24, 64)))
    assert kit.bass_line([pedal]) == [36] * 4


def test_cadences_are_counted_at_the_ends_of_sections_and_of_the_piece() -> None:
    closed, opened = degrees("5", "1"), degrees("1", "5")
    first = [replace(bar, section="A") for bar in opened]
    last = [replace(bar, section="B") for bar in closed]
    assert kit.cadences([*first, *last]) == 0.5
    assert kit.cadences(last) == kit.harmony(last).closed == 1.0
    assert math.isnan(kit.cadences([]))


def test_shuffled_notes_close_less_often_than_cadences() -> None:
    assert np.mean([kit.closes(chromatic(seed, 8)) for seed in range(40)]) < 0.2


def test_the_last_bass_note_is_the_tonic_or_not() -> None:
    assert kit.tonic_end(degrees("1")) == 1.0
    assert kit.tonic_end(degrees("5")) == 0.0


@pytest.mark.parametrize(
    ("pitches", "rough"),
    [((60, 64, 67), 0.0), ((60, 61), 1.0), ((60, 85), 1.0), ((60, 71), 1.0), ((60, 66), 1.0), ((60, 62), 0.0)],
)
def test_minor_seconds_and_tritones_are_rough_in_any_octave(pitches: tuple[int, ...], rough: float) -> None:
    assert kit.dissonance([chord(*pitches)]) == rough


def test_notes_one_after_the_other_are_not_rough() -> None:
    line = Bar(COMMON, 100.0, tuple(Note(24 * i, 0, pitch, 24, 64) for i, pitch in enumerate((60, 61, 67, 66))))
    assert kit.dissonance([line]) == 0.0
    assert kit.dissonance([Bar(COMMON, 100.0, (Note(0, 0, 60, 96, 64), Note(48, 0, 61, 48, 64)))]) == 0.5


def test_the_drum_kit_has_no_harmony() -> None:
    beat = [Bar(COMMON, 100.0, tuple(Note(24 * i, DRUMS, 36, 6, 90) for i in range(4)))] * 8
    found = kit.harmony(beat)
    assert all(math.isnan(figure) for figure in (found.scale, found.clarity, found.entropy1, found.dissonance))
    piece = degrees("5", "1")
    drummed = [replace(bar, notes=(*bar.notes, Note(0, DRUMS, 37, 6, 90))) for bar in piece]
    assert kit.harmony(drummed) == kit.harmony(piece)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.integers(-11, 11))
def test_another_key_has_the_same_harmony(seed: int, semitones: int) -> None:
    # Tunes without a leading key tie two keys; of equally good ones either may be told.
    piece = [*tune(seed), *degrees("5", "1")]
    assert astuple(kit.harmony(moved(piece, semitones))) == pytest.approx(astuple(kit.harmony(piece)))


@settings(max_examples=40, deadline=None)
@given(st.lists(bars(), min_size=1, max_size=8))
def test_every_figure_is_in_its_range_or_undefined(piece: list[Bar]) -> None:
    found = kit.harmony(piece)
    for share in (found.scale, found.cadences, found.closed, found.tonic_end, found.dissonance):
        assert math.isnan(share) or -1e-9 <= share <= 1 + 1e-9
    assert math.isnan(found.entropy4) or -1e-9 <= found.entropy4 <= math.log2(12) + 1e-9
    spoken = loud.dynamics(piece)
    assert all(math.isnan(r) or -1.001 <= r <= 1.001 for r in (spoken.memory, spoken.height, spoken.meter))


def test_texture_is_told_by_groups_of_bars() -> None:
    thick, thin = chord(60, 64, 67), chord(60)
    half = Bar(COMMON, 100.0, (Note(0, 0, 60, 48, 64), Note(0, DRUMS, 36, 48, 64)))
    parts, silent = kit.sounding([thick, thin, half, Bar(COMMON, 100.0, ())], 1)
    assert list(parts[:3]) == [3.0, 1.0, 1.0]
    assert math.isnan(parts[3])
    assert list(silent) == [0.0, 0.0, 0.5, 1.0]
    assert [len(figure) for figure in kit.sounding([thick] * 9, 4)] == [3, 3]


def test_flat_music_has_one_level_and_no_correlations() -> None:
    found = loud.dynamics(played([64] * 32))
    assert (found.spread, found.levels, found.swell) == (0.0, 1, 0.0)
    assert math.isnan(found.memory)
    assert math.isnan(found.meter)


def test_velocities_that_remember_differ_from_shuffled_ones() -> None:
    wave = [round(64 + 30 * math.sin(i / 5)) for i in range(128)]
    mixed = random.Random(1).sample(wave, len(wave))
    assert loud.dynamics(played(wave)).memory > 0.9
    assert abs(loud.dynamics(played(mixed)).memory) < 0.3
    assert loud.dynamics(played(wave)).spread == pytest.approx(loud.dynamics(played(mixed)).spread)


def test_strong_beats_played_loud_correlate_with_the_meter() -> None:
    strong = loud.dynamics(played([100, 60, 80, 60] * 8))
    weak = loud.dynamics(played([60, 100, 60, 100] * 8))
    assert strong.meter > 0.9
    assert weak.meter < -0.5


def test_high_notes_played_loud_correlate_with_height() -> None:
    rising = [Bar(COMMON, 100.0, tuple(Note(24 * i, 0, 60 + 5 * i, 24, 60 + 9 * i) for i in range(4)))] * 4
    assert loud.dynamics(rising).height == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("meter", "weights"),
    [
        (Meter(4, 4), {0: 4, 48: 3, 24: 2, 72: 2, 12: 1, 6: 0, 8: 0}),
        (Meter(3, 4), {0: 4, 24: 2, 48: 2, 36: 1, 18: 0}),
        (Meter(6, 8), {0: 4, 36: 3, 12: 1, 48: 1, 6: 0}),
        (Meter(2, 2), {0: 4, 48: 3, 24: 1, 12: 0}),
    ],
    ids=str,
)
def test_metric_weight_falls_with_the_place_in_the_bar(meter: Meter, weights: dict[int, int]) -> None:
    assert {onset: loud.weight(meter, onset) for onset in weights} == weights


def test_a_phrase_that_swells_has_an_arc() -> None:
    phrase = [50, 60, 70, 80, 90, 80, 70, 60]
    found = loud.dynamics(played([velocity for velocity in phrase * 3 for _ in range(4)]))
    assert found.arc == pytest.approx([velocity - 70 for velocity in phrase])
    assert found.swell == 40


def test_the_spread_of_bars_in_a_row_is_that_of_their_velocities() -> None:
    piece = [*played([40, 80] * 8), *played([64] * 16)]
    assert list(loud.spreads(piece, 4)[[0, -1]]) == [20.0, 0.0]
    assert len(loud.spreads(piece, 100)) == 1
