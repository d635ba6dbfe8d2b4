from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models import channel, model, writer
from music import bars
from radio.composer import planner
from radio.composer.compose import of_length
from radio.composer.scoring import Scoring, among, playing
from radio.composer.writer import advance
from radio.music import grammar, tokens
from radio.music.score import DRUMS, Bar, Meter

BAND = (0, 40, 73, DRUMS)
ONSET, PROGRAM = (tokens.RANGES[name].start for name in ("onset", "program"))


@given(st.lists(bars(programs=BAND), min_size=1, max_size=6))
def test_who_plays_in_a_bar_is_read_off_a_piece(piece: list[Bar]) -> None:
    scored = playing(tokens.encode(piece, 100.0), BAND)
    assert len(scored) == len(piece)
    for bits, bar in zip(scored, piece, strict=True):
        assert {program for k, program in enumerate(BAND) if bits >> k & 1} == {note.program for note in bar.notes}


@given(st.lists(st.integers(0, 15), max_size=8), st.lists(st.sampled_from(BAND), unique=True))
def test_some_of_the_programs_play_where_they_played_among_all(scored: list[int], kept: list[int]) -> None:
    for all_of_them, some in zip(scored, among(scored, BAND, kept), strict=True):
        for k, program in enumerate(kept):
            assert some >> k & 1 == all_of_them >> BAND.index(program) & 1


def test_a_program_is_leaned_on_until_it_has_played_and_who_rests_is_leaned_away_from() -> None:
    scoring = Scoring((0, 40, 73), 0b011, 2.0)
    at = grammar.State(Meter(4, 4), None, grammar.allowed_programs((0, 40, 73)))

    def leaned(*drawn: int) -> list[float]:
        logits = np.zeros(tokens.SIZES[len(drawn)])
        scoring.lean(logits, at, drawn)
        return [float(logits[PROGRAM + program]) for program in (0, 40, 73)] if drawn else [float(logits.sum())]

    assert leaned(ONSET) == [2.0, 2.0, -2.0]
    assert leaned(tokens.BAR) == [0.0, 0.0, 0.0]
    at.wrote(0, 0, 60)
    assert leaned() == [0.0]
    assert leaned(ONSET) == [0.0, 2.0, -2.0]
    at.wrote(24, 40, 60)
    assert leaned(ONSET + 24) == [0.0, 0.0, -2.0]


def test_all_who_are_to_play_do_the_more_the_stronger_the_scoring() -> None:
    heard = {}
    for strength in (0.0, 6.0):
        own = of_length(channel(), 8)
        own = replace(own, sampling=replace(own.sampling, scoring=strength, echo=0.0))
        known = planner.load(model())["bach"]
        # Everybody plays in every other bar, the second alone in those between.
        scored = (0b111, 0b010)
        plans = tuple(
            replace(plan, programs=(0, 40, 73), scored=scored * (plan.bars // 2) + scored[: plan.bars % 2])
            for plan in known.plans
        )
        made = writer(own, replace(known, plans=plans))
        while made.numbers.total < 5:
            advance(made.engine, [made])
        written = [item for item in made.queue if isinstance(item, Bar)]
        right = [
            {note.program for note in bar.notes} == ({40} if (8 - bar.left) % 2 else {0, 40, 73})
            for bar in written
            if len(bar.notes) > 2
        ]
        heard[strength] = np.mean(right)
    assert heard[6.0] > heard[0.0] + 0.2


def test_a_plan_that_is_cut_or_sung_again_says_of_each_bar_who_plays_and_how_thickly() -> None:
    for style in planner.load(model()).values():
        for plan in style.plans:
            assert len(plan.scored) == len(plan.chords) == plan.bars
            assert len(plan.cut(5).scored) == len(plan.cut(5).chords) == 5
            again = plan.sung_again(2 * plan.bars + 1)
            assert again.scored == (*plan.scored, *plan.scored, plan.scored[0])
            assert again.chords == (*plan.chords, *plan.chords, plan.chords[0])


def test_the_plans_of_a_channel_with_a_shape_say_of_each_bar_who_plays() -> None:
    own = planner.Planner(channel(shapes=("rondo",)), planner.load(model()))
    for seed in range(20):
        plan = own.plan(seed, "")
        assert len(plan.scored) == len(plan.chords) == plan.bars
