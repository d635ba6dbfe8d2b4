from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from radio.music.form import annotate, repeats, sections, similarity
from radio.music.score import Bar, Note
from tests.music import bars, tune


def moved(bar: Bar, semitones: int) -> Bar:
    return replace(bar, notes=tuple(replace(n, pitch=n.pitch + semitones) for n in bar.notes))


def test_a_passage_that_returns_has_one_distance() -> None:
    assert repeats(similarity(tune(1, 16)))[8:] == [8] * 8


def test_a_transposed_return_is_a_return() -> None:
    half = tune(2, 16)[:8]
    whole = [*half, *(moved(bar, 5) for bar in half)]
    assert repeats(similarity(whole))[8:] == [8] * 8
    assert repeats(similarity(whole, transposed=False))[8:] != [8] * 8


def test_returning_units_carry_the_same_letter() -> None:
    a, b = tune(3, 16)[:8], tune(4, 16, low=30)[:8]
    letters = "".join(sections(similarity([*a, *b, *a, *tune(5, 16, low=55)[:8]])))
    assert letters == "A" * 8 + "B" * 8 + "A" * 8 + "C" * 8


@given(st.lists(bars(), max_size=12))
def test_annotation_counts_down_to_one_and_looks_only_back(written: list[Bar]) -> None:
    done = annotate(written)
    assert [bar.left for bar in done] == list(range(len(written), 0, -1))
    assert all(bar.repeat <= index for index, bar in enumerate(done))
    assert [bar.notes for bar in done] == [bar.notes for bar in written]


def test_an_empty_bar_resembles_nothing() -> None:
    empty = Bar(tune(1)[0].meter, 100.0, ())
    note = Bar(empty.meter, 100.0, (Note(0, 0, 60, 24, 64),))
    assert repeats(similarity([empty, empty, note, note])) == [0, 0, 0, 1]
