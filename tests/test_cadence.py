from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import ANYTHING, channel, model, writer
from radio.composer import guard, planner
from radio.composer.cadence import MOST, REACH, Cadence, Closing, closings, stage
from radio.composer.compose import of_length
from radio.composer.draft import Draft
from radio.composer.planner import Plan
from radio.composer.writer import CLOSED, Writer, advance
from radio.music import grammar, tokens
from radio.music.keys import KEYS, tonic, transpose
from radio.music.score import DRUMS, Bar, Meter, Note, Piece, Prefix

COMMON = Meter(4, 4)
ONSET, PROGRAM, PITCH, DURATION = (tokens.RANGES[name].start for name in ("onset", "program", "pitch", "duration"))


def hymn(home: int = 60, count: int = 16) -> list[Bar]:
    """Running notes that shun the tonic, a dominant, and a held tonic chord."""
    running = (2, 5, 9, 11, 7, 4, 11, 2)
    bars = [[Note(24 * k // 2, 0, home + running[(k + n) % 8], 12, 80) for k in range(8)] for n in range(count - 2)]
    bars.append([Note(48 * half, 0, home + up, 48, 80) for half in (0, 1) for up in (-5, 2)])
    bars.append([Note(0, 0, home + up, 96, 80) for up in (-12, 0, 4, 7)])
    return [Bar(COMMON, 90.0, tuple(sorted(notes)), "A", count - number, 0) for number, notes in enumerate(bars)]


def closing() -> Closing:
    pieces = [(tokens.encode(hymn(60 + k), 90.0), transpose("C major", k)) for k in range(-5, 7)]
    return closings({"bach": pieces})["bach"]


LAST_BAR = Cadence(closing(), "C major", 1, 96)


def state(onset: int = 0, notes: int = 1) -> grammar.State:
    return grammar.State(COMMON, None, grammar.allowed_programs(()), onset=onset, notes=notes)


def leaned(own: Cadence, at: grammar.State, *drawn: int) -> np.ndarray:
    logits = np.zeros(tokens.SIZES[len(drawn)])
    own.lean(logits, at, drawn)
    return logits


@given(st.sampled_from(KEYS[:12]))
def test_in_the_last_bar_the_tonic_is_leaned_on_and_its_neighbours_are_not(key: str) -> None:
    found = leaned(Cadence(closing(), key, 1, 96), state(), ONSET, PROGRAM)[PITCH:][:128]
    for home in range(tonic(key), 128, 12):
        if 53 <= home <= 68:
            assert found[home] > 0 > max(found[home + 2], found[home - 1])


def test_the_dominant_is_leaned_on_in_the_bar_before_and_the_tonic_is_not() -> None:
    own = Cadence(closing(), "C major", 2, 96)
    found = leaned(own, state(), ONSET + 48, PROGRAM)
    assert found[PITCH + 55] > found[PITCH + 52]


def test_a_last_bar_ends_the_sooner_but_not_before_it_has_a_note() -> None:
    own = Cadence(closing(), "C major", 1, 96)
    assert leaned(own, state())[tokens.END] > 0
    assert not leaned(own, state(notes=0)).any()
    assert not leaned(Cadence(closing(), "C major", 2, 96), state()).any()


def test_notes_of_a_last_bar_lean_to_being_held_to_its_end() -> None:
    own = Cadence(closing(), "C major", 1, 96)
    found = leaned(own, state(), ONSET, PROGRAM, PITCH + 60)
    whole, short = (DURATION + tokens.nearest_duration(ticks) for ticks in (96, 12))
    assert found[whole] > 0 > found[short]


def test_drums_bar_lines_and_velocities_are_left_as_the_model_has_them() -> None:
    own = Cadence(closing(), "C major", 1, 96)
    assert not leaned(own, state(), ONSET, PROGRAM + DRUMS).any()
    assert not leaned(own, state(), tokens.BAR).any()
    assert not leaned(own, state(), ONSET, PROGRAM, PITCH + 60, DURATION).any()


def test_a_stronger_cadence_may_insist_on_pitches_without_ending_the_sooner() -> None:
    plain, insistent = (Cadence(closing(), "C major", 1, 96, 1.0, pitches) for pitches in (None, 3.0))
    at = (ONSET, PROGRAM)
    over = [
        found[PITCH + 60] - found[PITCH + 62] for found in (leaned(own, state(), *at) for own in (plain, insistent))
    ]
    assert np.isclose(over[1], 3 * over[0])
    assert np.array_equal(leaned(insistent, state()), leaned(plain, state()))


@given(st.integers(0, 10), st.integers(0, 999))
def test_a_cadence_leaves_a_part_in_its_register(octave: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0.0, 5.0, tokens.SIZES[2])
    leaning = logits.copy()
    LAST_BAR.lean(leaning, state(), (ONSET, PROGRAM))
    within = slice(PITCH + 12 * octave, min(PITCH + 12 * octave + 12, PITCH + 128))
    assert np.isclose(np.exp(leaning[within]).sum(), np.exp(logits[within]).sum())


def test_stages_follow_each_other_up_to_the_end() -> None:
    places = [(left, late) for left in range(REACH + 2, 0, -1) for late in (False, True)]
    found = [stage(*place) for place in places]
    assert found == sorted(found)
    assert set(found) == set(range(6))


def test_what_endings_have_comes_back_from_a_file() -> None:
    own = closing()
    again = Closing.from_json(own.to_json())
    assert np.allclose(again.pitches, own.pitches.clip(-MOST, MOST), atol=0.01)
    with pytest.raises(ValueError, match="shape"):
        Closing.from_json({**own.to_json(), "ended": [1.0]})


def test_the_plans_of_a_model_tell_how_human_pieces_end() -> None:
    endings = {plan.ending for style in planner.load(model()).values() for plan in style.plans}
    assert endings == set(get_args(planner.Ending))


def closer(strength: float, *, guarded: bool) -> Writer:
    """Of pieces of eight bars that are all to close."""
    own = of_length(channel(), 8)
    known = planner.load(model())["bach"]
    plans = tuple(replace(plan, ending="closed") for plan in known.plans)
    bounds = replace(known.bounds, low=48, high=84)
    return writer(
        replace(own, sampling=replace(own.sampling, cadence=strength)),
        replace(known, plans=plans, bounds=bounds, closing=closing()),
        heeds=guard.Guard("bach", ANYTHING if guarded else None, None),
    )


def written(own: Writer, count: int) -> list[list[Bar]]:
    """So many pieces."""
    while own.numbers.total <= count:
        advance(own.engine, [own])
    pieces: list[list[Bar]] = []
    for item in own.queue:
        if isinstance(item, Piece):
            pieces.append([])
        else:
            pieces[-1].append(item)
    return pieces[:count]


@pytest.mark.parametrize(
    ("strength", "ending", "key", "led"), [(1.0, "closed", "C major", True), (1.0, "home", "C major", True),
    (0.0, "closed", "C major", False), (1.0, "open", "C major", False), (1.0, "closed", "", False)],
)  # fmt: skip
def test_the_last_bars_of_a_piece_with_a_key_that_is_to_end_at_home_lead_there(
    strength: float, ending: planner.Ending, key: str, led: bool
) -> None:
    own = closer(strength, guarded=False)
    own.prepare()
    assert own.draft is not None
    own.draft.plan = replace(own.draft.plan, ending=ending)
    own.draft.piece = replace(own.draft.piece, prefix=replace(own.draft.piece.prefix, key=key))
    leading = []
    for left in range(REACH + 2, 0, -1):
        own.draft.bar = replace(own.draft.bar, left=left)
        leading.append(any(isinstance(lean, Cadence) for lean in own._leans(own.draft)))
    assert leading == [False] * 2 + [led] * REACH


@pytest.mark.parametrize(
    ("left", "up", "leaves_open"),
    [(3, 2, False), (2, -5, False), (2, -1, False), (2, 2, True), (2, 9, True), (1, 0, False), (1, -5, True)],
)
def test_a_piece_is_left_open_by_a_last_bar_that_does_not_close_it_and_one_before_it_that_cannot_lead_home(
    left: int, up: int, leaves_open: bool
) -> None:
    scale = tuple(Note(12 * k, 0, 60 + step, 12, 80) for k, step in enumerate((0, 4, 7, 5, 4, 2, 0, -5)))
    before = [Bar(COMMON, 90.0, scale, "A", left + n, 0) for n in range(9, 0, -1)]
    own = Bar(COMMON, 90.0, (Note(0, 0, 60 + up, 96, 80),), "A", left, 0)
    piece = Piece(Prefix("bach", key="C major", meter=COMMON, tempo=90.0), "Begun", tuple(before))
    plan = Plan(piece.prefix, "A" * 16, (0,) * 16, (), ending="closed")
    assert Draft(piece, plan, own).left_open(own) is leaves_open
    assert not Draft(piece, replace(plan, ending="open"), own).left_open(own)


@pytest.mark.parametrize(("ending", "key"), [("home", "C major"), ("home", "F# minor"), ("closed", "F# minor")])
def test_a_piece_that_need_not_close_or_has_lost_its_key_is_left_open_by_any_last_bass_but_its_tonic(
    ending: planner.Ending, key: str
) -> None:
    before = hymn()[:14]
    piece = Piece(Prefix("bach", key=key, meter=COMMON, tempo=90.0), "Begun", tuple(before))
    plan = Plan(piece.prefix, "A" * 16, (0,) * 16, (), ending=ending)
    for up in range(12):
        own = Bar(COMMON, 90.0, (Note(0, 0, 48 + up, 96, 80),), "A", 1, 0)
        assert Draft(piece, plan, own).left_open(own) is (up != tonic(key))
        one_before = replace(own, left=2)
        assert not Draft(piece, plan, one_before).left_open(one_before)


def test_an_open_end_is_a_fault_that_is_counted_and_drawn_again() -> None:
    own = closer(1.0, guarded=True)
    written(own, 8)
    assert own.counted(faults=True)[guard.OPEN] > 0
    assert own.counted(faults=False)[CLOSED] > 0


def test_without_a_guard_an_open_end_passes() -> None:
    own = closer(1.0, guarded=False)
    written(own, 4)
    assert not own.repairs
