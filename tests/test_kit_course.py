"""The kit's course: pieces that climb or fill up as they go on are told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import bars, laid_out, melody
from radio.composer.kit.course import SHORTEST, gathering, rise
from radio.music.score import DRUMS, Bar, Note


def lifted(piece: list[Bar], per_bar: int) -> list[Bar]:
    """The piece, each bar that much higher than it would be beside the one before."""
    return [
        replace(bar, notes=tuple(replace(note, pitch=note.pitch + per_bar * at) for note in bar.notes))
        for at, bar in enumerate(piece)
    ]


def test_a_piece_that_comes_back_goes_nowhere() -> None:
    piece = 4 * laid_out(melody(1, 60))[:8]
    assert rise(piece) == pytest.approx(0)
    assert gathering(piece) == pytest.approx(0)


def test_a_piece_that_climbs_is_told_by_how_far() -> None:
    piece = 4 * laid_out(melody(1, 60))[:8]
    assert rise(lifted(piece, 1)) == pytest.approx(24)
    assert gathering(lifted(piece, 1)) == pytest.approx(0)


def test_a_piece_that_fills_up_is_told_by_how_much() -> None:
    piece = 4 * laid_out(melody(1, 60))[:8]
    full = [replace(bar, notes=tuple(sorted((*bar.notes, *bar.notes)))) for bar in piece]
    assert gathering([*piece[:24], *full[24:]]) == pytest.approx(1)


def test_of_short_pieces_and_of_drums_nothing_is_said() -> None:
    piece = 4 * laid_out(melody(1, 60))[:8]
    kit = [replace(bar, notes=(Note(0, DRUMS, 36, 24, 80),)) for bar in piece]
    assert math.isnan(rise(piece[: SHORTEST - 1]))
    assert math.isnan(gathering(piece[: SHORTEST - 1]))
    assert math.isnan(rise(kit))
    assert gathering(kit) == pytest.approx(0)


@given(st.lists(bars(), min_size=SHORTEST, max_size=SHORTEST + 4))
def test_a_piece_played_backwards_goes_the_other_way(piece: list[Bar]) -> None:
    for figure in (rise, gathering):
        there, back = figure(piece), figure(piece[::-1])
        assert math.isnan(there) == math.isnan(back)
        assert math.isnan(there) or there == pytest.approx(-back)
