"""The kit's structure: what returns is found, what loops is caught, and a plan that is not heard is told."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music import COMMON, bars, tune
from radio.composer.kit import structure as kit
from radio.music import form
from radio.music.score import DRUMS, Bar, Note


def moved(piece: Sequence[Bar], semitones: int) -> list[Bar]:
    """The piece at another pitch."""
    return [
        replace(bar, notes=tuple(replace(note, pitch=note.pitch + semitones) for note in bar.notes)) for bar in piece
    ]


def shuffled(piece: Sequence[Bar], seed: int = 1) -> list[Bar]:
    """The piece's music in another order, under the same section letters."""
    order = random.Random(seed).sample(range(len(piece)), len(piece))
    return [replace(piece[index], section=bar.section) for index, bar in zip(order, piece, strict=True)]


def lettered(*statements: tuple[str, Sequence[Bar]]) -> list[Bar]:
    """Bars one after the other under planned letters."""
    return [replace(bar, section=letter) for letter, group in statements for bar in group]


def fresh(seed: int, count: int = 8) -> list[Bar]:
    """A tune in which no bar comes back."""
    return tune(seed, 2 * count)[:count]


def test_a_half_that_comes_back_is_half_the_bars() -> None:
    found = kit.recurrence(tune(1))
    assert found.same == found.transposed == 0.5


def test_recurrence_is_told_by_how_far_back_the_bar_lies() -> None:
    piece = [*fresh(1), *fresh(2), *fresh(3), *fresh(1)]
    assert kit.recurrence(piece).bands == (0.0, 0.0, 8 / 32, 0.0)
    assert kit.recurrence(tune(1)).bands == (0.0, 0.5, 0.0, 0.0)


def test_the_bar_just_before_is_no_recurrence() -> None:
    one, two = fresh(1, 2)
    assert kit.recurrence([one, one, two, two]).same == 0.0


@pytest.mark.parametrize("semitones", [-6, -1, 3, 6])
def test_a_transposed_copy_is_found_with_transposition_alone(semitones: int) -> None:
    found = kit.recurrence([*fresh(2), *moved(fresh(2), semitones)])
    assert (found.same, found.transposed) == (0.0, 0.5)


def test_a_copy_further_than_a_tritone_is_another_bar() -> None:
    assert kit.recurrence([*fresh(2), *moved(fresh(2), 7)]).transposed == 0.0


def test_a_rhythm_returns_where_its_pitches_do_not() -> None:
    found = kit.recurrence(fresh(3))
    assert (found.same, found.rhythm) == (0.0, 6 / 8)


def test_bars_of_fewer_than_three_notes_do_not_count() -> None:
    hold = Bar(COMMON, 100.0, (Note(0, 0, 60, 96, 64),))
    assert math.isnan(kit.recurrence([hold] * 8).same)
    assert kit.recurrence([*[hold] * 16, *tune(1)]).same == 0.5


def test_drums_are_left_out_of_pitched_music_and_compared_where_there_is_nothing_else() -> None:
    beat = tuple(Note(onset, DRUMS, 36, 6, 90) for onset in (0, 24, 48, 72))
    with_beat = [replace(bar, notes=(*bar.notes, *beat)) for bar in fresh(3)]
    assert kit.recurrence(with_beat).same == 0.0
    assert kit.loops([Bar(COMMON, 100.0, beat)] * 9).longest == 9


def test_music_without_loops_has_none() -> None:
    assert kit.loops(tune(4)) == kit.Loops(0.0, 0)


def test_a_looped_bar_is_caught() -> None:
    piece = [*fresh(5), *[fresh(5)[-1]] * 8, *fresh(6)]
    found = kit.loops(piece)
    assert found.longest == 9
    assert found.share == 8 / 24


@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_a_figure_of_up_to_four_bars_that_goes_round_is_a_loop(period: int) -> None:
    piece = [*fresh(7), *fresh(8, period) * 3, *fresh(9)]
    assert kit.loops(piece).longest == 3 * period
    assert kit.rounds(kit.cells(piece)) == [(8, 3 * period)]


def test_a_figure_that_begins_again_and_goes_elsewhere_is_no_loop() -> None:
    assert kit.loops([*fresh(7), *fresh(8, 4), *fresh(8, 3), *fresh(9)]).longest == 0


def test_eight_bars_heard_twice_are_no_loop() -> None:
    assert kit.loops(tune(10)).longest == 0


def test_silence_is_no_loop() -> None:
    silent = [Bar(COMMON, 100.0, ())] * 12
    assert kit.rounds(kit.cells(silent)) == []
    assert math.isnan(kit.loops(silent).share)
    assert kit.compression(silent) == 0.0


def test_a_plan_that_is_heard_correlates_and_one_over_shuffled_bars_does_not() -> None:
    piece = list(form.annotate([*fresh(11), *fresh(12), *fresh(11), *fresh(13), *fresh(12)]))
    assert kit.adherence(piece) > 0.2
    assert all(abs(kit.adherence(shuffled(piece, seed))) < 0.1 for seed in range(5))


def test_a_plan_of_one_letter_cannot_be_followed() -> None:
    assert math.isnan(kit.adherence(lettered(("A", fresh(1)))))
    assert math.isnan(kit.adherence([]))


def test_a_planned_return_is_heard_or_not() -> None:
    first, other = fresh(14), fresh(15)
    assert kit.returns(lettered(("A", first), ("B", other), ("A", first))) == 1.0
    assert kit.returns(lettered(("A", first), ("B", other), ("A", fresh(16)))) == 0.0
    assert kit.returns(lettered(("A", first), ("B", other), ("A", first), ("B", fresh(17)))) == 0.5
    assert math.isnan(kit.returns(lettered(("A", first), ("B", other))))


def test_a_return_may_be_transposed_and_varied() -> None:
    first = fresh(18)
    varied = [replace(bar, notes=(*bar.notes[:-2], replace(bar.notes[-1], pitch=84))) for bar in moved(first, 5)]
    assert kit.returns(lettered(("A", first), ("B", fresh(19)), ("A", varied))) == 1.0


def test_a_return_may_begin_with_a_later_unit_of_a_long_first_statement() -> None:
    first = [*fresh(20), *fresh(21)]
    assert kit.returns(lettered(("A", first), ("B", fresh(22)), ("A", fresh(21)))) == 1.0


def test_bars_that_are_silent_both_times_do_not_tell_whether_a_section_returns() -> None:
    silent, first, other = [Bar(COMMON, 100.0, ())] * 12, fresh(14), fresh(15)
    assert kit.returns(lettered(("A", [*first, *silent]), ("B", other), ("A", [*first, *silent]))) == 1.0
    assert kit.returns(lettered(("A", [*first, *silent]), ("B", other), ("A", [*silent, *first]))) == 0.0
    assert kit.returning(lettered(("A", silent), ("B", other), ("A", silent))) == []


def test_the_letter_that_stands_for_all_later_sections_has_no_returns() -> None:
    assert kit.returning(lettered(("H", fresh(1)), ("A", fresh(2)), ("H", fresh(3)))) == []


def test_the_returns_of_shuffled_bars_are_not_heard() -> None:
    pieces = [lettered(("A", fresh(s)), ("B", fresh(s + 50)), ("A", fresh(s))) for s in range(10)]
    assert sum(kit.returns(piece) for piece in pieces) == 10
    assert sum(kit.returns(shuffled(piece)) for piece in pieces) <= 2


def test_repetition_compresses() -> None:
    new, half, loop = fresh(23, 32), tune(23, 32), fresh(23, 1) * 32
    assert 1.0 < kit.compression(new) < kit.compression(half) < kit.compression(loop) / 3


def test_a_piece_heard_before_is_a_quotation_in_any_key() -> None:
    run = [fresh(seed, 16) for seed in range(4)]
    assert kit.quoted(run) == 0.0
    assert kit.quoted([*run, moved(run[1], 3)]) == pytest.approx(1 / 5)


def test_what_comes_back_within_a_piece_is_no_quotation() -> None:
    assert kit.quoted([tune(1, 32), tune(2, 32)]) == 0.0
    assert math.isnan(kit.quoted([[Bar(COMMON, 100.0, ())] * 16]))


@settings(max_examples=40, deadline=None)
@given(st.lists(bars(), min_size=1, max_size=12))
def test_every_share_is_a_share_or_undefined(piece: list[Bar]) -> None:
    found = kit.structure(piece)
    shares = (*astuple(found.recurrence)[:3], *found.recurrence.bands, found.loops.share, found.returns)
    assert all(math.isnan(share) or 0.0 <= share <= 1.0 for share in shares)
    assert found.recurrence.transposed >= found.recurrence.same or math.isnan(found.recurrence.same)
    assert 0 <= found.loops.longest <= len(piece)
    assert math.isnan(found.adherence) or -1.0 <= found.adherence <= 1.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(-24, 24))
def test_another_key_changes_nothing(seed: int, semitones: int) -> None:
    piece = list(form.annotate(tune(seed)))
    there = kit.structure(moved(piece, semitones))
    here = kit.structure(piece)
    assert (there.recurrence, there.loops, there.returns) == (here.recurrence, here.loops, here.returns)
    assert there.adherence == pytest.approx(here.adherence, nan_ok=True)
