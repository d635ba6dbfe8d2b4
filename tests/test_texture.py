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
from radio.composer.texture import MOST, REACH, UNIT, Texture, bias, together
from radio.composer.writer import advance
from radio.music import grammar, tokens
from radio.music.score import Bar, Meter, Note

ONSET = tokens.RANGES["onset"].start


def chord(*sizes: int) -> Bar:
    """A bar with chords of these sizes."""
    notes = [Note(24 * at, 0, 60 + 4 * k, 24, 64) for at, size in enumerate(sizes) for k in range(size)]
    return Bar(Meter(4, 4), 100.0, tuple(notes))


@given(st.lists(bars(), min_size=1, max_size=6))
def test_how_many_notes_begin_together_is_read_off_a_piece(piece: list[Bar]) -> None:
    found = together(tokens.encode(piece, 100.0))
    assert len(found) == len(piece)
    for tenths, bar in zip(found, piece, strict=True):
        onsets = {note.onset for note in bar.notes}
        assert tenths == (round(UNIT * len(bar.notes) / len(onsets)) if onsets else 0)


@given(st.integers(1, 4), st.integers(1, 12))
def test_music_as_thick_as_planned_is_leaned_on_nowhere(size: int, count: int) -> None:
    assert bias([size * UNIT] * (count + 1), [chord(size, size)] * count, 4.0) == pytest.approx(0, abs=1e-9)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.lists(bars(), max_size=8), st.floats(0, 8))
def test_a_bias_is_bounded_and_goes_to_where_the_plan_is(
    planned: list[int], written: list[Bar], strength: float
) -> None:
    found = bias(planned, written, strength)
    assert abs(found) <= MOST
    wanted = [own for own in planned[-REACH:] if own]
    notes = [note for bar in written[-REACH:] for note in bar.notes]
    onsets = sum(len({note.onset for note in bar.notes}) for bar in written[-REACH:])
    if wanted and notes and found:
        assert (found > 0) == (sum(wanted) / len(wanted) / UNIT > len(notes) / onsets)


def test_a_note_at_the_same_onset_is_leaned_on() -> None:
    texture, at = Texture(0.5), grammar.State(Meter(4, 4), None, grammar.allowed_programs(()))

    def leaned(*drawn: int) -> dict[int, float]:
        logits = np.zeros(tokens.SIZES[len(drawn)])
        texture.lean(logits, at, drawn)
        return {int(place): float(logits[place]) for place in np.flatnonzero(logits)}

    assert leaned() == {}
    at.wrote(24, 0, 60)
    assert leaned() == {ONSET + 24: 0.5}
    assert leaned(ONSET + 24) == {}
    at.wrote(24, 0, 64)
    assert leaned() == {ONSET + 24: 0.5}
    at.wrote(36, 0, 60)
    assert leaned() == {ONSET + 36: 0.5}


def test_music_is_the_thicker_the_thicker_it_is_planned() -> None:
    heard = {}
    known = planner.load(model())["bach"]
    for size in (1, 4):
        plans = tuple(replace(plan, chords=(size * UNIT,) * plan.bars) for plan in known.plans)
        own = of_length(channel(), 8)
        own = replace(own, sampling=replace(own.sampling, texture=6.0, echo=0.0))
        made = writer(own, replace(known, plans=plans))
        while made.numbers.total < 5:
            advance(made.engine, [made])
        written = [item for item in made.queue if isinstance(item, Bar) and item.notes]
        heard[size] = np.mean([len(bar.notes) / len({note.onset for note in bar.notes}) for bar in written])
    assert heard[4] > 1.2 * heard[1]


def test_how_many_notes_players_have_together_is_not_said_where_some_of_them_are_missing() -> None:
    known = planner.load(model())
    style = known["bach"]
    band = replace(style.plans[0], programs=(0, 40), scored=())
    of_both, of_one = (
        planner.Planner(replace(channel(), allowed=allowed), {"bach": replace(style, plans=(band,))})
        for allowed in ((0, 40), (40,))
    )
    assert of_both.plan(1, "").chords == band.chords
    assert of_one.plan(1, "").chords == ()
