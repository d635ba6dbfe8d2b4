"""The window over a piece: what comes back is in it, and nothing of what is still to come."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from music import tune
from radio.composer.window import Context, Window, held, is_bar_line, made_anew
from radio.music import tokens
from radio.music.score import Bar, Meter, Note

Piece = list[tuple[int, ...]]


def piece(bars: list[Bar]) -> Piece:
    return [tuple(p) for p in tokens.encode(bars, 100.0, ended=False).tolist()]


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """Bars of any length, that say they resemble any bar before them."""
    made = []
    for number in range(draw(st.integers(1, 40))):
        notes = tuple(Note(n, 0, 60, 6, 64) for n in range(draw(st.integers(0, 30))))
        made.append(Bar(Meter(4, 4), 100.0, notes, repeat=draw(st.integers(0, min(number, tokens.MAX_REPEAT)))))
    return piece(made)


@given(pieces(), st.integers(40, 200))
def test_the_window_fits_its_room_and_holds_the_latest_positions_and_whole_bars(written: Piece, room: int) -> None:
    context = Context(room)
    lines = [n for n, position in enumerate(written) if is_bar_line(position)]
    for count, position in enumerate(written, 1):
        context.add(position)
        own = context.window
        assert own.size(count) <= room
        assert count - own.start >= min(count, int(room * 0.35) - 31)
        assert own.stop - own.first == 1 or {own.first, own.stop, own.start} <= set(lines)


@given(pieces())
def test_a_bar_that_comes_back_is_in_the_window_as_its_return_is_written(written: Piece) -> None:
    context = Context(200)  # of which 60 may be called back, more than any bar here
    lines: list[int] = []
    for index, position in enumerate(written):
        context.add(position)
        if not is_bar_line(position):
            continue
        lines.append(index)
        if context.back:
            begin = lines[-1 - context.back]
            assert all(context.window.holds(place) for place in range(begin, lines[-context.back]))


@given(pieces(), st.integers(40, 200))
def test_what_is_held_is_at_its_own_time_and_gaps_are_marked(written: Piece, room: int) -> None:
    whole = np.array(written, dtype=np.int32)
    times = tokens.times(whole)
    context = Context(room, written)
    places = context.window.places(len(written))
    own = context.held()
    assert own.positions.tolist() == whole[places].tolist()
    assert (own.ticks == times[places] - times[places[0]]).all()
    assert own.after_gap.sum() == (context.window.first < context.window.stop < context.window.start)


def test_without_returns_a_full_window_keeps_its_later_half() -> None:
    written = piece([replace(bar, repeat=0) for bar in tune(1, 40)])
    context = Context(100)
    slid = [count for count, position in enumerate(written, 1) if context.add(position)]
    assert slid[0] == 100
    assert all(45 <= b - a <= 65 for a, b in itertools.pairwise(slid))
    assert context.window.first == context.window.stop


def test_a_theme_that_returns_after_the_window_has_left_it_is_called_back_once() -> None:
    bars = [replace(bar, repeat=0) for bar in tune(2, 40)]
    bars[32:] = [replace(bar, repeat=32) for bar in bars[:7]]
    written = piece(bars)
    lines = [n for n, position in enumerate(written) if is_bar_line(position)]
    context = Context(250)
    slid = [count - 1 for count, position in enumerate(written, 1) if context.add(position)]
    assert lines[32] in slid
    assert not set(lines[33:]) & set(slid)
    assert (context.window.first, context.window.stop) == (0, lines[7])


def test_one_bar_longer_than_the_room_keeps_its_bar_line() -> None:
    written = piece([Bar(Meter(4, 4), 100.0, tuple(Note(n, 0, 60, 6, 64) for n in range(90)))])
    context = Context(51, written)
    own = context.held().positions.tolist()
    assert own[0] == list(written[0])
    assert own[1:] == [list(p) for p in written[1 - len(own) :]]
    assert 25 <= len(own) <= 51


def test_a_window_made_anew_where_the_bar_is_still_among_the_latest_calls_nothing_back() -> None:
    lines = list(range(0, 200, 10))
    assert made_anew(lines, 191, 100, 2) == Window(150, 150, 150) or made_anew(lines, 191, 100, 2).size(191) <= 50
    far = made_anew(lines, 191, 100, 15)
    assert (far.first, far.stop, far.start) == (40, 70, 160)
    assert held(np.zeros((191, tokens.SLOTS), dtype=np.int32), far, 191).after_gap.tolist().index(True) == 30
