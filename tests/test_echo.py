from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import channel, writer
from music import tune
from radio.composer.compose import of_length
from radio.composer.draft import NEAR, NEAREST, fading
from radio.composer.echo import Echo
from radio.composer.writer import advance
from radio.music import grammar, tokens
from radio.music.score import DRUMS, Bar, Meter, Note

notes = st.builds(
    Note, st.integers(0, 95), st.sampled_from([0, 40, DRUMS]), st.integers(20, 100), st.integers(1, 96), st.just(80)
)


def state() -> grammar.State:
    return grammar.State(Meter(4, 4), Meter(4, 4), grammar.allowed_programs(()))


@given(st.lists(notes, max_size=20))
def test_who_follows_an_echo_to_the_letter_writes_the_same_bar(given: list[Note]) -> None:
    bar = Bar(Meter(4, 4), 100.0, tuple(sorted(given)))
    echo, at = Echo(bar, 1.0), state()
    written: list[tuple[int, ...]] = []
    while True:
        drawn: list[int] = []
        while len(drawn) < 4:
            favoured = echo.leaning(at, drawn)
            if not drawn and set(favoured) >= {tokens.BAR, tokens.END}:
                _, *expected = tokens.encode_bar(bar, 100.0)
                assert written == [position[:4] for position in expected]
                return
            assert len(favoured) == 1
            drawn.append(next(iter(favoured)))
        written.append(tuple(drawn))
        note = tokens.decode_note((*drawn, tokens.RANGES["velocity"].start))
        at.wrote(note.onset, note.program, note.pitch)


def test_an_echo_goes_on_with_what_is_left_after_a_note_that_is_not_in_it() -> None:
    bar = Bar(Meter(4, 4), 100.0, (Note(0, 0, 60, 24, 80), Note(24, 0, 62, 24, 80), Note(48, 0, 64, 24, 80)))
    echo, at = Echo(bar, 1.0), state()
    at.wrote(36, 0, 70)
    onset = tokens.RANGES["onset"].start
    assert echo.leaning(at, []) == (onset + 48,)
    assert echo.leaning(at, [onset + 40]) == ()
    at.wrote(48, 0, 64)
    assert tokens.BAR in echo.leaning(at, [])
    assert echo.leaning(at, [tokens.BAR]) == ()


def test_bars_resemble_those_they_are_planned_to_resemble_the_more_the_stronger_the_echo() -> None:
    likeness = {}
    for strength in (0.0, 8.0):
        own = of_length(channel(), 16)
        own = replace(own, sampling=replace(own.sampling, echo=strength))
        made = writer(own)
        while len(made.queue) < 60:
            advance(made.engine, [made])
        bars = [item for item in made.queue if isinstance(item, Bar)]
        pairs = [
            (bar, bars[index - bar.repeat])
            for index, bar in enumerate(bars)
            if bar.repeat >= NEAREST and bars[index - bar.repeat].left == bar.left + bar.repeat
        ]
        assert len(pairs) > 5
        likeness[strength] = np.mean([_shared(one, other) for one, other in pairs])
    assert likeness[8.0] > 0.8
    assert likeness[0.0] < 0.5


def _shared(one: Bar, other: Bar) -> float:
    left, right = ({(note.onset, note.program, note.pitch) for note in bar.notes} for bar in (one, other))
    return len(left & right) / max(len(left | right), 1)


@pytest.mark.parametrize("back", [0, 1])
def test_a_bar_that_resembles_none_or_the_one_just_played_has_no_echo(back: int) -> None:
    made = writer(of_length(channel(), 8))
    made.prepare()
    assert made.draft is not None
    made.draft.piece = made.draft.piece.with_bars(tuple(tune(1)[:4]))
    made.draft.bar = replace(made.draft.bar, repeat=back)
    assert not any(isinstance(lean, Echo) for lean in made._leans(made.draft))
    made.draft.bar = replace(made.draft.bar, repeat=NEAREST)
    assert any(isinstance(lean, Echo) for lean in made._leans(made.draft))


def leaned_on(sections: str, back: int) -> float:
    """How hard the last bar of a piece with these sections leans on the one so far back, beside the channel's wish."""
    made = writer(of_length(channel(), len(sections)))
    made.prepare()
    draft = made.draft
    assert draft is not None
    draft.plan = replace(draft.plan, sections=sections)
    draft.piece = draft.piece.with_bars((tuple(tune(1)[:4]) * len(sections))[: len(sections) - 1])
    draft.bar = replace(draft.bar, repeat=back)
    (echo,) = (lean for lean in draft.leans(made.wishes, made.planner.closing) if isinstance(lean, Echo))
    return echo.strength / made.wishes.echo


@pytest.mark.parametrize("back", [2, 50])
def test_a_bar_long_past_is_leaned_on_harder(back: int) -> None:
    assert (leaned_on("A" * 60, back) > 1) is (back > NEAR)


@pytest.mark.parametrize(("sections", "harder"), [("AAAABBBB", 1), ("AAAABBAA", 1.5), ("ABACCCCC", 1)])
def test_a_bar_of_a_section_that_returns_is_leaned_on_harder(sections: str, harder: float) -> None:
    assert leaned_on(sections, 4) == harder


def test_how_hard_a_bar_is_leaned_on_never_falls_with_distance() -> None:
    assert [fading(back) for back in (2, NEAR)] == [1.0, 1.0]
    assert all(fading(back + 1) >= fading(back) for back in range(200))
