"""Shapes: sections return as the shape says, within what a bar line can say."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio import settings
from radio.music.shapes import FREE, SHAPES, shaped
from radio.music.tokens import MAX_REPEAT, SECTIONS

skeletons = st.lists(st.integers(0, MAX_REPEAT), min_size=6, max_size=200)


@given(st.sampled_from(sorted(SHAPES)), skeletons)
def test_a_section_that_returns_has_the_letters_and_the_distance_of_the_one_before(
    name: str, skeleton: list[int]
) -> None:
    letters, repeats, places = shaped(name, skeleton)
    plan = SHAPES[name]
    length = len(letters) // len(plan)
    assert len(letters) == len(repeats) == length * len(plan) <= len(skeleton)
    assert set(letters) <= set(SECTIONS)
    last: dict[str, int] = {}
    for index, letter in enumerate(plan):
        bars = slice(index * length, (index + 1) * length)
        if letter in last:
            before = slice(last[letter], last[letter] + length)
            assert letters[bars] == letters[before]
            assert places[bars] == places[before]
            assert set(repeats[bars]) == {index * length - last[letter]}
        last[letter] = index * length


@given(st.sampled_from(sorted(SHAPES)), skeletons)
def test_no_bar_returns_to_before_the_piece_or_further_than_a_bar_line_can_say(name: str, skeleton: list[int]) -> None:
    _, repeats, _ = shaped(name, skeleton)
    assert all(0 <= back <= min(bar, MAX_REPEAT) for bar, back in enumerate(repeats))


def test_sections_are_whole_units_and_keep_the_returns_within_them() -> None:
    letters, repeats, _ = shaped("ternary", [0] * 8 + [8] * 8 + [0] * 32)
    assert letters == "A" * 8 + "B" * 8 + "C" * 8 + "D" * 8 + "A" * 8 + "B" * 8
    assert repeats == (0,) * 8 + (8,) * 8 + (0,) * 16 + (32,) * 16


def test_a_channel_may_ask_for_every_shape() -> None:
    assert set(get_args(settings.Shape)) == {FREE, *SHAPES}


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(ValueError, match="rondo: got 4 bars, wanted 5 or more"):
        shaped("rondo", [0] * 4)
