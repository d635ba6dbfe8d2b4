from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.music import grammar, tokens
from radio.music.meters import METERS
from radio.music.score import DRUMS, Bar, Meter, Note
from tests.music import bars


def allowed_position(state: grammar.State, position: tuple[int, ...]) -> bool:
    if not grammar.first(state)[position[0]]:
        return False
    return all(grammar.rest(state, position[:slot])[position[slot]] for slot in range(1, tokens.SLOTS))


@given(bars())
def test_the_grammar_allows_every_real_bar(bar: Bar) -> None:
    state = grammar.State(bar.meter, Meter(4, 4), grammar.allowed_programs(()))
    for note in bar.notes:
        assert allowed_position(state, tokens.note_position(note))
        state.wrote(note.onset, note.program, note.pitch)
    assert allowed_position(state, tokens.bar_line(Bar(Meter(4, 4), 120.0, (), left=3), 120.0))


def write_at_random(state: grammar.State, rng: random.Random, most: int = 500) -> tuple[list[Note], tuple[int, ...]]:
    """Notes drawn under the masks alone, all ids equally likely, until the bar ends."""
    notes = []
    for _ in range(most):
        drawn: tuple[int, ...] = (rng.choice(np.flatnonzero(grammar.first(state)).tolist()),)
        while len(drawn) < tokens.SLOTS:
            drawn += (rng.choice(np.flatnonzero(grammar.rest(state, drawn)).tolist()),)
        if drawn[0] >= tokens.BAR:
            return notes, drawn
        note = tokens.decode_note(drawn)
        notes.append(note)
        state.wrote(note.onset, note.program, note.pitch)
    raise AssertionError("the bar did not end")


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.sampled_from(METERS),
    st.sampled_from([(), (0,), (0, 40), (DRUMS,), (127, DRUMS)]),
    st.booleans(),
    st.builds(grammar.Bounds, st.integers(0, 60), st.integers(61, 127), st.integers(1, 6), st.integers(1, 40)),
)
def test_whatever_is_drawn_under_the_masks_is_a_valid_bar(
    seed: int, meter: Meter, programs: tuple[int, ...], last: bool, bounds: grammar.Bounds
) -> None:
    state = grammar.State(
        meter, None if last else Meter(3, 4), grammar.allowed_programs(programs), bounds=bounds, filled=True
    )
    notes, ending = write_at_random(state, random.Random(seed))
    assert 1 <= len(notes) <= bounds.bar
    assert notes == sorted(notes)
    assert len({(n.onset, n.program, n.pitch) for n in notes}) == len(notes)
    assert all(0 <= n.onset < meter.ticks for n in notes)
    assert all(n.program in programs for n in notes) or not programs
    pitched = [n for n in notes if n.program != DRUMS]
    assert all(bounds.low <= n.pitch <= bounds.high for n in pitched)
    begun = [(n.onset, n.program) for n in pitched]
    assert all(begun.count(place) <= bounds.chord for place in begun)
    assert ending[0] == tokens.END if last else ending[0] == tokens.BAR + METERS.index(Meter(3, 4))


def test_a_silent_bar_is_not_followed_by_another() -> None:
    state = grammar.State(Meter(4, 4), Meter(4, 4), grammar.allowed_programs(()), filled=True)
    assert not grammar.first(state)[tokens.BAR : tokens.END + 1].any()
    state.wrote(0, 0, 60)
    assert grammar.first(state)[tokens.BAR]


def test_the_last_bar_ends_the_piece_and_no_other_bar_does() -> None:
    everything = grammar.allowed_programs(())
    assert grammar.first(grammar.State(Meter(4, 4), None, everything))[tokens.END]
    assert not grammar.first(grammar.State(Meter(4, 4), None, everything))[tokens.BAR : tokens.END].any()
    assert not grammar.first(grammar.State(Meter(4, 4), Meter(4, 4), everything))[tokens.END]
