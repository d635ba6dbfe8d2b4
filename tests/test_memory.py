"""Memory: runs shared with other works, in any key, tempo and place; what is nobody's; people and attacks by prompt."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import music
from music import Tune, laid_out, melody
from radio.composer import memory
from radio.composer.memory import GRAM, LONG, VARIED, Runs, Tokens
from radio.music import tokens
from radio.music.score import DRUMS, Bar, Meter, Note


def line(own: Tune) -> Tokens:
    return memory.line(laid_out(own))


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Twenty works of one piece, and one of two."""
    works = [(f"work {seed}", line(melody(seed))) for seed in range(20)]
    return Runs([*works, ("double", line(melody(20))), ("double", line(melody(20)[:50] + melody(21)[:30]))])


def test_a_verbatim_copy_is_found_whole(runs: Runs) -> None:
    shared = runs.search(line(melody(7)))
    assert shared.longest == memory.Run(100, "work 7", 7, 0, 0)
    assert shared.coverage == 1.0
    assert (shared.nearest, shared.kinship) == ("work 7", 1.0)


def test_a_transposed_copy_is_found_whole(runs: Runs) -> None:
    found = runs.search(memory.line(laid_out(melody(7), up=-5))).longest
    assert (found.length, found.work) == (100, "work 7")


def test_a_copy_that_starts_within_a_bar_at_another_tempo_and_meter_is_found_whole(runs: Runs) -> None:
    bars = laid_out(melody(7), up=2, late=5, tempo=63.0, meter=Meter(3, 4))
    found = runs.search(memory.line(bars)).longest
    assert (found.length, found.work) == (100, "work 7")


def test_a_quotation_within_new_music_is_found_with_its_places(runs: Runs) -> None:
    quoting = melody(100, 30) + melody(4)[40:60] + melody(101, 50)
    shared = runs.search(line(quoting))
    assert shared.longest == memory.Run(20, "work 4", 4, 30, 40)
    assert shared.coverage == pytest.approx(20 / 100)


def test_a_changed_note_ends_one_run_and_begins_another(runs: Runs) -> None:
    changed = melody(7)
    changed[60] = (3, 20)
    shared = runs.search(line(changed))
    assert shared.longest == memory.Run(60, "work 7", 7, 0, 0)
    assert shared.coverage == pytest.approx(99 / 100)


def test_shuffled_music_shares_nothing(runs: Runs) -> None:
    notes = melody(7)
    random.Random(1).shuffle(notes)
    assert runs.search(line(notes)) == memory.NOTHING


@pytest.mark.parametrize("count", [0, 1, 2, GRAM, GRAM + 1])
def test_music_of_few_notes_shares_something_only_if_it_fills_a_gram(runs: Runs, count: int) -> None:
    own = line(melody(7)[:count]) if count else memory.line([])
    assert runs.search(own).longest.length == (count if count > GRAM else 0)


def test_nothing_is_found_among_no_works() -> None:
    assert Runs([]).search(line(melody(1))) == memory.NOTHING


def test_a_work_left_out_finds_neither_itself_nor_its_other_pieces(runs: Runs) -> None:
    assert runs.search(line(melody(20))).longest.length == 100
    assert runs.search(line(melody(20)), without=["double"]) == memory.NOTHING


FIGURES: dict[str, Tune] = {
    "a repeated note": [(1, 60)] * 60,
    "a trill": [(1, 60 + step % 2) for step in range(60)],
    "a scale up and down": [(1, 60 + step) for step in (0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2) * 5],
    "a broken chord": [(1, 60 + step) for step in (0, 7, 4, 7) * 15],
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_is_nobodys_does_not_count(name: str) -> None:
    runs = Runs([("study", line(FIGURES[name]))])
    assert runs.search(line(FIGURES[name])) == memory.NOTHING


def test_a_trill_does_not_lengthen_the_run_it_is_in() -> None:
    trill = FIGURES["a trill"]
    first, second, other = melody(1, 20), melody(2, 15), melody(3, 30)
    runs = Runs([("sonata", line(first + trill + second))])
    found = runs.search(line(other + first + trill + second)).longest
    assert (found.work, found.here, found.there) == ("sonata", 30, 0)
    # A few of the trill's notes are in varied grams with the notes before or after it.
    assert 35 <= found.length <= 35 + 2 * GRAM


def test_the_line_is_the_highest_note_of_each_onset_and_the_bass_the_lowest() -> None:
    bar = Bar(music.COMMON, 120.0, (Note(0, 0, 60, 6, 80), Note(0, 0, 72, 6, 80), Note(24, 0, 64, 6, 80)))
    assert memory.line([bar]).tolist() == [(64 - 72 + 127) * 17 + 4]
    assert memory.line([bar], bass=True).tolist() == [(64 - 60 + 127) * 17 + 4]


@pytest.mark.parametrize("gap", [23, 24, 25])
def test_notes_a_tick_early_or_late_are_on_the_same_sixteenth(gap: int) -> None:
    bar = Bar(music.COMMON, 120.0, (Note(0, 0, 60, 6, 80), Note(gap, 0, 60, 6, 80)))
    assert memory.line([bar]).tolist() == [127 * 17 + 4]


def test_a_bass_that_comes_back_below_another_melody_is_found() -> None:
    bass = [(gap, pitch - 24) for gap, pitch in melody(5)]

    def piece(seed: int) -> list[Bar]:
        rng = random.Random(seed)
        above = {bar: [replace(n, program=1, pitch=rng.randrange(70, 90)) for n in bar.notes] for bar in laid_out(bass)}
        return [replace(bar, notes=tuple(sorted((*bar.notes, *added)))) for bar, added in above.items()]

    low = memory.line(piece(1), bass=True), memory.line(piece(2), bass=True)
    top = memory.line(piece(1)), memory.line(piece(2))
    assert Runs([("ground", low[0])]).search(low[1]).longest.length >= LONG
    assert Runs([("ground", top[0])]).search(top[1]) == memory.NOTHING


def test_drums_have_no_line() -> None:
    bars = [Bar(music.COMMON, 120.0, (Note(0, DRUMS, 36, 6, 80), Note(24, DRUMS, 38, 6, 80)))]
    assert len(memory.line(bars)) == len(memory.line(bars, bass=True)) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(music.bars(), max_size=4), st.booleans())
def test_the_line_of_positions_is_that_of_their_bars(bars: list[Bar], bass: bool) -> None:
    positions = tokens.encode(bars, 120.0)
    assert np.array_equal(memory.line_in(positions, bass=bass), memory.line(bars, bass=bass))


def reference(query: Sequence[int], works: Sequence[Sequence[int]]) -> tuple[int, float]:
    """Longest run and coverage, found by looking at every pair of places."""
    longest, covered = 0, set()
    for work in works:
        for shift in range(-len(query), len(work) + 1):
            start = max(0, -shift)
            while start < min(len(query), len(work) - shift):
                stop = start
                while stop < min(len(query), len(work) - shift) and query[stop] == work[stop + shift]:
                    stop += 1
                notes: set[int] = set()
                for place in range(start, stop - GRAM + 1):
                    if len(set(query[place : place + GRAM])) >= VARIED:
                        notes |= set(range(place, place + GRAM + 1))
                longest = max(longest, len(notes))
                covered |= notes if len(notes) >= LONG else set()
                start = stop + 1
    return longest, len(covered) / (len(query) + 1)


few = st.integers(0, 6)
lines = st.lists(few, max_size=40)


@settings(max_examples=60, deadline=None)
@given(lines, lines, lines, lines, st.lists(few, min_size=GRAM, max_size=30), lines)
def test_runs_are_those_that_looking_everywhere_finds(
    before: list[int], after: list[int], early: list[int], late: list[int], planted: list[int], other: list[int]
) -> None:
    query, works = before + planted + after, [early + planted + late, other + planted[: GRAM + 2]]
    runs = Runs([(str(number), np.array(work, dtype=np.uint16)) for number, work in enumerate(works)])
    shared = runs.search(np.array(query, dtype=np.uint16))
    longest, coverage = reference(query, works)
    assert shared.longest.length == longest
    assert shared.coverage == pytest.approx(coverage)
    if all(len(set(planted[place : place + GRAM])) >= VARIED for place in range(len(planted) - GRAM + 1)):
        assert longest >= len(planted) + 1


def test_people_are_measured_without_their_own_work_and_its_versions() -> None:
    quoted = melody(1)[30:45]
    pieces = [
        ("march", line(melody(1))),
        ("the march again", line(melody(50, 10) + melody(1)[10:])),
        ("medley", line(melody(2, 100) + quoted + melody(3, 100))),
        ("apart", line(melody(4))),
    ]
    shared = memory.human(Runs(pieces), pieces)
    assert [one.longest.length for one in shared] == [15, 15, 15, 0]
    assert [one.longest.work for one in shared] == ["medley", "medley", "march", ""]
    assert shared[3].coverage == 0.0


def test_a_recalled_work_is_told_from_a_new_continuation() -> None:
    original = melody(1)
    assert memory.recalled(line(original), line(original)) == memory.Recall(84, 1.0, 84)
    new = memory.recalled(line(original), line(original[:16] + melody(2)[:50]))
    assert new.in_a_row <= 1
    assert new.share < 0.1
    assert new.compared == 50


def test_a_recall_that_breaks_off_counts_the_notes_before_the_break() -> None:
    original = melody(1)
    # The note at the break is another, and so is the interval to the one after it.
    broken = [*original[:26], (3, 20), *original[27:]]
    got = memory.recalled(line(original), line(broken))
    assert got.in_a_row == 10
    assert got.share == pytest.approx(82 / 84)


def test_a_continuation_that_never_came_recalls_nothing() -> None:
    assert memory.recalled(line(melody(1)), line(melody(1)[:16])) == memory.Recall(0, 0.0, 0)


def test_a_continuation_of_another_opening_is_refused() -> None:
    with pytest.raises(ValueError, match="first 16 notes"):
        memory.recalled(line(melody(1)), line(melody(2)))
