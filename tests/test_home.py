"""Home: music that has strayed from its key is led back to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import channel, model, writer
from music import bars
from radio.composer import planner
from radio.composer.compose import of_length
from radio.composer.home import LEAST, REACH, SPAN, Home, stray
from radio.composer.writer import advance
from radio.music import grammar, keys, tokens
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note

FOUR = Meter(4, 4)
PROGRAM, PITCH = (tokens.RANGES[name].start for name in ("program", "pitch"))
KEYS = st.sampled_from(keys.KEYS)


def chorus(key: str, count: int) -> list[Bar]:
    """Bars of the tonic, dominant and tonic chords of a key."""
    home, minor = keys.tonic(key), key.endswith("minor")
    third = 3 if minor else 4
    chords = ((0, third, 7), (7, 11, 14), (0, third, 7), (0, third, 7))
    notes = [Note(beat * BEAT, 0, 48 + home + step, BEAT, 80) for beat, chord in enumerate(chords) for step in chord]
    return [Bar(FOUR, 100.0, tuple(notes), left=count - index) for index in range(count)]


def state() -> grammar.State:
    return grammar.State(FOUR, None, grammar.allowed_programs(()))


def leaned(home: Home, *drawn: int) -> np.ndarray:
    logits = np.zeros(tokens.SIZES[len(drawn)])
    home.lean(logits, state(), drawn)
    return logits


@given(KEYS)
def test_music_in_its_key_has_not_strayed(key: str) -> None:
    assert stray(chorus(key, 12), key, 40) == 0.0
    assert stray(chorus(key, 12), key, 1) == 0.0


@given(KEYS, st.integers(1, 6))
def test_music_in_another_key_has_strayed_the_further_the_longer_it_lasts(key: str, steps: int) -> None:
    other = keys.transpose(key, steps)
    found = [stray(chorus(other, count), key, 99) for count in (1, 4, 16)]
    assert 0 < found[0] < found[1] < found[2] < 2


def test_a_piece_may_modulate_until_its_end_is_near() -> None:
    music = [*chorus("C major", 24), *chorus("G major", SPAN)]
    assert stray(music, "C major", REACH + 1) == 0.0
    assert stray(music, "C major", REACH) > 0.05


@given(st.lists(bars(), max_size=6), KEYS, st.integers(1, 60))
def test_how_far_a_piece_has_strayed_is_bounded(music: list[Bar], key: str, left: int) -> None:
    assert 0.0 <= stray(music, key, left) < 2.0


def test_silence_and_drums_alone_are_in_every_key() -> None:
    drums = Bar(FOUR, 100.0, tuple(Note(tick, DRUMS, 36, 6, 90) for tick in range(0, 96, 12)))
    assert stray([], "C major", 5) == stray([drums] * 20, "F# minor", 5) == 0.0


@given(KEYS)
def test_the_tonic_is_leaned_on_most_and_notes_of_the_scale_more_than_others(key: str) -> None:
    found = leaned(Home(key, 1.0), 0, PROGRAM)[PITCH + 60 : PITCH + 72]
    assert found.argmax() == keys.tonic(key)
    scale = [pitch for pitch in keys.scale(key) if pitch != (keys.tonic(key) + 9) % 12]
    others = set(range(12)) - {*scale, *((keys.tonic(key) + step) % 12 for step in (8, 9, 10, 11))}
    assert min(found[scale]) > max(found[list(others)])


@given(KEYS, st.floats(0, 9), st.integers(0, 9), st.integers(0, 999))
def test_a_part_is_left_in_its_register(key: str, strength: float, octave: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0.0, 5.0, tokens.SIZES[2])
    leaning = logits.copy()
    Home(key, strength).lean(leaning, state(), (0, PROGRAM))
    within = slice(PITCH + 12 * octave, PITCH + 12 * octave + 12)
    assert np.isclose(np.exp(leaning[within]).sum(), np.exp(logits[within]).sum())


def test_drums_bar_lines_and_other_fields_are_left_as_the_model_has_them() -> None:
    home = Home("C major", 1.0)
    for drawn in ((), (0,), (0, PROGRAM + DRUMS), (tokens.BAR, 0), (0, PROGRAM, PITCH + 60)):
        assert not leaned(home, *drawn).any(), drawn


def test_the_harder_a_piece_is_led_home_the_more_of_it_is_in_its_key() -> None:
    known = planner.load(model())["bach"]
    found = {}
    for strength in (0.0, 8.0):
        own = of_length(channel(), 12)
        own = replace(own, sampling=replace(own.sampling, home=strength, echo=0.0, cadence=0.0))
        made = writer(own, known)
        misfits = []
        while made.numbers.total < 6:
            advance(made.engine, [made])
            if made.draft and len(made.draft.piece.bars) == 11 and not made.draft.notes:
                sounding = keys.weights(made.draft.piece.bars)
                misfits.append(keys.misfit(sounding, made.draft.piece.prefix.key))
        found[strength] = np.mean(misfits)
    assert found[8.0] < 0.7 * found[0.0]


def test_little_music_says_little() -> None:
    note = Bar(FOUR, 100.0, (Note(0, 0, 66, BEAT, 80),))
    one = stray([note], "C major", 40)
    assert one == pytest.approx(keys.misfit(keys.weights([note]), "C major") * BEAT / (BEAT + LEAST))
