"""Keys: names, relatives, signatures and estimates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio.music import keys
from radio.music.meters import LONGEST, METERS, SHORTEST, nearest, of_length
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note

FOUR = Meter(4, 4)


def melody(pitches: list[int], duration: int = BEAT) -> Bar:
    """One bar of equal notes."""
    return Bar(FOUR, 100.0, tuple(Note(i * 12, 0, pitch, duration, 80) for i, pitch in enumerate(pitches)))


def test_there_are_24_keys_and_each_is_named_once() -> None:
    assert len(keys.KEYS) == len(set(keys.KEYS)) == 24
    assert keys.KEYS[0] == "C major"
    assert keys.KEYS[-1] == "B minor"


@pytest.mark.parametrize(
    ("key", "semitones", "expected"),
    [
        ("C major", 2, "D major"),
        ("G minor", 3, "Bb minor"),
        ("B minor", 1, "C minor"),
        ("C major", -1, "B major"),
        ("D# minor", 0, "Eb minor"),
        ("A major", 12, "A major"),
    ],
)
def test_transpose_spells_keys_by_convention(key: str, semitones: int, expected: str) -> None:
    assert keys.transpose(key, semitones) == expected


@given(st.sampled_from(keys.KEYS), st.integers(-40, 40))
def test_transposing_there_and_back_changes_nothing(key: str, semitones: int) -> None:
    assert keys.transpose(keys.transpose(key, semitones), -semitones) == key


def test_scales_are_major_and_harmonic_minor() -> None:
    assert keys.scale("D major") == (2, 4, 6, 7, 9, 11, 1)
    assert keys.scale("A minor") == (9, 11, 0, 2, 4, 5, 8)


def test_related_keys_are_dominant_subdominant_relative_and_parallel() -> None:
    assert keys.related("C major") == ("G major", "F major", "A minor", "C minor")
    assert keys.related("G minor") == ("D minor", "C minor", "Bb major", "G major")


@given(st.sampled_from(keys.KEYS))
def test_being_relative_or_parallel_is_mutual(key: str) -> None:
    _, _, relative, parallel = keys.related(key)
    assert keys.related(relative)[2] == key
    assert keys.related(parallel)[3] == key


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        ("C major", (0, False)),
        ("G major", (1, False)),
        ("F major", (-1, False)),
        ("Db major", (-5, False)),
        ("F# major", (6, False)),
        ("B major", (5, False)),
        ("A minor", (0, True)),
        ("Bb minor", (-5, True)),
        ("Eb minor", (-6, True)),
        ("G# minor", (5, True)),
        ("C# minor", (4, True)),
    ],
)
def test_signatures_count_sharps_and_flats(key: str, signature: tuple[int, bool]) -> None:
    assert keys.to_signature(key) == signature
    assert keys.from_signature(*signature) == key


@given(st.integers(-7, 7), st.booleans())
def test_every_midi_signature_is_a_key(sharps: int, minor: bool) -> None:
    back = keys.to_signature(keys.from_signature(sharps, minor))
    assert back[1] == minor
    assert (back[0] - sharps) % 12 == 0


@pytest.mark.parametrize("wrong", ["", "H major", "C", "c minor", "C dorian", "Cx major"])
def test_a_name_that_is_no_key_is_refused_with_what_was_got(wrong: str) -> None:
    with pytest.raises(ValueError, match="wanted a key such as") as error:
        keys.scale(wrong)
    assert repr(wrong) in str(error.value)


@given(st.integers(0, 11), st.booleans(), st.integers(-2, 2))
def test_a_cadence_is_in_its_key_in_all_transpositions(tonic: int, minor: bool, octaves: int) -> None:
    third = 3 if minor else 4
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)]
    base = 60 + tonic + 12 * octaves
    bars = [Bar(FOUR, 90.0, tuple(Note(0, 0, base + pitch, 96, 80) for pitch in sorted(chord))) for chord in chords]
    name, confidence = keys.estimate(bars)
    assert keys.tonic(name) == tonic
    assert name.endswith("minor") == minor
    assert 0 < confidence <= 1


def test_the_drum_kit_has_no_key() -> None:
    bar = Bar(FOUR, 100.0, (Note(0, DRUMS, 36, 12, 100), Note(24, DRUMS, 38, 12, 100)))
    assert keys.estimate([bar]) == ("", 0.0)
    assert keys.estimate([]) == ("", 0.0)


def test_a_key_is_estimated_from_weights_alone() -> None:
    weights = np.zeros(12)
    weights[list(keys.scale("Eb major"))] = [5, 2, 4, 3, 5, 2, 1]
    assert keys.estimate(weights)[0] == "Eb major"


def test_even_weights_give_no_confidence() -> None:
    assert keys.estimate(np.ones(12))[1] == 0.0


def test_a_relative_is_decided_by_the_last_bass_note() -> None:
    notes = [60, 62, 64, 65, 67, 69, 71, 72]
    in_c, in_a = melody([*notes[:-1], 60]), melody([*notes[:-1], 57])
    assert keys.estimate([melody(notes), in_c])[0] == "C major"
    assert keys.estimate([melody(notes), in_a])[0] == "A minor"


def test_every_meter_can_be_written() -> None:
    assert len(set(METERS)) == len(METERS)
    for meter in METERS:
        assert SHORTEST <= meter.ticks <= LONGEST
        assert meter.ticks * meter.unit == meter.beats * 4 * BEAT
        assert nearest(meter) == (meter,)


@pytest.mark.parametrize(
    ("meter", "expected"),
    [
        ((2, 1), ["4/2"]),
        ((3, 1), ["3/2", "3/2"]),
        ((8, 4), ["4/2"]),
        ((10, 4), ["5/4", "5/4"]),
        ((9, 4), ["3/4", "3/4", "3/4"]),
        ((12, 4), ["6/4", "6/4"]),
        ((15, 8), ["5/8", "5/8", "5/8"]),
        ((2, 8), ["1/4"]),
        ((12, 16), ["6/8"]),
        ((13, 8), ["12/8", "1/8"]),
        ((1, 32), ["1/16"]),
    ],
)
def test_other_meters_are_written_with_those(meter: tuple[int, int], expected: list[str]) -> None:
    assert [str(part) for part in nearest(Meter(*meter))] == expected


@given(st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_meter_of_whole_sixteenths_keeps_its_length(beats: int, unit: int) -> None:
    meter = Meter(beats, unit)
    assert sum(part.ticks for part in nearest(meter)) == meter.ticks


@given(st.integers(1, 5000))
def test_any_length_is_written_to_the_nearest_sixteenth(ticks: int) -> None:
    total = sum(meter.ticks for meter in of_length(ticks))
    assert abs(total - ticks) <= max(SHORTEST // 2, SHORTEST - ticks)


@given(st.integers(0, 23), st.lists(st.floats(0, 100), min_size=12, max_size=12))
def test_no_key_fits_better_than_the_one_that_fits_best(number: int, sounding: list[float]) -> None:
    weights = np.array(sounding)
    assert 0 <= keys.misfit(weights, keys.KEYS[number]) <= 2
    best, _ = keys.estimate(weights)
    assert not best or keys.misfit(weights, best) == 0


@pytest.mark.parametrize("key", keys.KEYS)
def test_the_profile_of_a_key_fits_that_key_and_adds_up_to_one(key: str) -> None:
    assert keys.misfit(keys.profile(key), key) == pytest.approx(0)
    assert keys.profile(key).sum() == pytest.approx(1)
    assert keys.profile(key).argmax() == keys.tonic(key)
