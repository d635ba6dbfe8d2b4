"""Steadiness: music outside what its style keeps within is led back to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models import ANYTHING, channel, writer
from music import bars
from radio.composer.compose import of_length
from radio.composer.draft import ASTRAY
from radio.composer.guard import SETTLED, SPAN, Guard, Heard
from radio.composer.kit.collapse import Limits
from radio.composer.model import Transformer
from radio.composer.steady import MOST_ONSETS, NEAREST, Steady
from radio.composer.writer import advance
from radio.music import grammar, tokens
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note

FOUR = Meter(4, 4)
ONSET, PROGRAM, PITCH = (tokens.RANGES[name].start for name in ("onset", "program", "pitch"))
VAMP = Bar(FOUR, 100.0, tuple(Note(k * BEAT, 0, 60 + step, BEAT, 80) for k in range(4) for step in (0, 0, 0, 7)))
"""Much of C, a fourth as much of G, and nothing else."""


def leaned(heard: Heard, *drawn: int, onset: int = 0) -> np.ndarray:
    logits = np.zeros(tokens.SIZES[len(drawn)])
    Steady(heard).lean(logits, grammar.State(FOUR, FOUR, grammar.allowed_programs(()), onset=onset), drawn)
    return logits


def outside(kind: str, count: int, *recent: Bar) -> Heard:
    return Heard(outside={kind: count}, recent=recent)


@given(st.lists(bars(), max_size=3))
def test_what_is_within_the_limits_is_left_alone(recent: list[Bar]) -> None:
    assert not Steady(Heard(outside={"density": 0, "entropy": 0}, recent=tuple(recent)))


@given(st.integers(1, 40), st.integers(0, 60))
def test_where_music_is_too_thin_what_comes_next_is_to_come_soon_and_the_bar_line_late(count: int, now: int) -> None:
    found = leaned(outside("density", -count), onset=now)
    onsets = found[ONSET + now : ONSET + FOUR.ticks]
    assert (np.diff(onsets) <= 0).all()
    assert onsets[0] > onsets[BEAT] == found[tokens.BAR]
    assert found.max() <= MOST_ONSETS * np.log2(BEAT / NEAREST)


@given(st.integers(1, 40), st.integers(0, 95))
def test_where_it_is_too_full_it_is_the_other_way_round(count: int, now: int) -> None:
    assert np.allclose(
        leaned(outside("density", count), onset=now), -leaned(outside("density", -count), onset=now), atol=1e-12
    )


def test_it_is_led_the_harder_the_longer_it_lasts() -> None:
    spans = [np.ptp(leaned(outside("density", count))) for count in (1, 2, 4)]
    assert spans[0] < spans[1] < spans[2]


def test_of_too_few_pitch_classes_those_heard_most_are_made_less_likely() -> None:
    found = leaned(outside("entropy", -2, VAMP), 0, PROGRAM)[PITCH + 60 : PITCH + 72]
    assert found[0] < found[7] < found[1] == found[11]


def test_of_too_many_pitch_classes_those_heard_least_are() -> None:
    many = replace(VAMP, notes=(*VAMP.notes, Note(0, 0, 63, BEAT, 80)))
    found = leaned(outside("entropy", 2, many, many), 0, PROGRAM)[PITCH + 60 : PITCH + 72]
    assert found[1] == found[11] < found[3] < found[0] == found[7]


@given(st.integers(0, 99), st.integers(0, 99))
def test_velocities_that_have_been_settled_for_longer_are_drawn_hotter(one: int, other: int) -> None:
    slot = slice(tokens.RANGES["velocity"].start, tokens.RANGES["velocity"].stop)

    def spread(bars: int) -> float:
        logits = np.random.default_rng(0).normal(0.0, 5.0, tokens.SIZES[4])
        state = grammar.State(FOUR, FOUR, grammar.allowed_programs(()))
        Steady(Heard(settled=bars)).lean(logits, state, (0, PROGRAM, 0, 0))
        return float(np.ptp(logits[slot]))

    assert spread(max(one, other)) <= spread(min(one, other))
    assert spread(0) > spread(1) > spread(9)


def test_dynamics_have_settled_after_some_bars_on_one_level_and_not_before() -> None:
    def settled(limits: Limits, *velocities: int) -> int:
        own, heard = Guard("bach", limits, None), Heard()
        for velocity in velocities:
            notes = tuple(replace(note, velocity=velocity) for note in VAMP.notes)
            heard, _ = own.judge(heard, replace(VAMP, notes=notes))
        return heard.settled

    wanted, level = replace(ANYTHING, dynamics=True), [80] * (SETTLED[1] + 2)
    assert settled(wanted, *level) == 3
    assert settled(ANYTHING, *level) == 0  # nobody asks for dynamics
    assert settled(wanted, *level[:-3]) == 0
    assert settled(wanted, *level, 20) == 0
    assert settled(wanted, *[70, 90] * SETTLED[1]) == 0


@pytest.mark.parametrize("length", [64, 16], ids=["within_a_piece", "from_piece_to_piece"])
def test_a_model_whose_velocities_settle_is_led_back(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    known, velocity = Transformer.head_logits, tokens.RANGES["velocity"].slot

    def settled(own: Transformer, x: Tensor, slot: int, near: tuple[Tensor, Tensor] | None = None) -> Tensor:
        logits = known(own, x, slot, near)
        # One velocity is as good as certain.
        return logits.index_fill(-1, torch.tensor([9]), 8.0) if slot == velocity else logits

    monkeypatch.setattr(Transformer, "head_logits", settled)

    def spread(limits: Limits) -> float:
        made = writer(of_length(channel(), length), heeds=Guard("bach", limits, None))
        while made.numbers.total <= 192 // length:
            advance(made.engine, [made])
        bars = [item for item in made.queue if isinstance(item, Bar)][SETTLED[1] + 8 :]
        return float(np.std([note.velocity for bar in bars for note in bar.notes]))

    assert spread(replace(ANYTHING, dynamics=True)) > 2 * spread(ANYTHING)


@given(st.integers(-40, 40), st.lists(bars(), max_size=3), st.integers(0, 9), st.integers(0, 999))
def test_a_part_is_left_in_its_register(count: int, recent: list[Bar], octave: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0.0, 5.0, tokens.SIZES[2])
    leaning = logits.copy()
    state = grammar.State(FOUR, FOUR, grammar.allowed_programs(()))
    Steady(outside("entropy", count, *recent)).lean(leaning, state, (0, PROGRAM))
    within = slice(PITCH + 12 * octave, PITCH + 12 * octave + 12)
    assert np.isclose(np.exp(leaning[within]).sum(), np.exp(logits[within]).sum())


@pytest.mark.parametrize("drawn", [(0,), (0, PROGRAM + DRUMS), (tokens.BAR, 0), (0, PROGRAM, PITCH + 60)])
def test_drums_bar_lines_and_other_fields_are_left_as_the_model_has_them(drawn: tuple[int, ...]) -> None:
    assert not leaned(Heard(outside={"density": 9, "entropy": -9}, recent=(VAMP,)), *drawn).any()


def composed(guard: Guard) -> list[Bar]:
    """Some pieces of sixteen bars."""
    own = of_length(channel(), 16)
    made = writer(own, heeds=guard)
    while made.numbers.total < 4:
        advance(made.engine, [made])
    return [item for item in made.queue if isinstance(item, Bar)]


def density(music: list[Bar]) -> float:
    """Notes a bar, but for the first four bars of pieces."""
    return float(np.mean([len(bar.notes) for bar in music if bar.left <= 12]))


def test_a_model_that_writes_too_many_notes_writes_fewer() -> None:
    free = composed(Guard("bach", ANYTHING, None))
    most = density(free) / 4 / 2  # notes a beat, half of what the model writes
    held = composed(Guard("bach", replace(ANYTHING, density=(0.0, most)), None))
    assert density(held) < 0.8 * density(free)


def test_while_music_is_astray_no_bar_is_to_be_more_of_the_same() -> None:
    def repeats(limits: Limits) -> list[int]:
        return [bar.repeat for bar in composed(Guard("bach", limits, None)) if bar.left < 16 - 3 - ASTRAY]

    assert any(repeats(ANYTHING))
    assert not any(repeats(replace(ANYTHING, entropy=(9.0, 10.0))))


def test_the_piece_after_one_that_had_to_be_ended_is_warned_but_not_ended_for_it() -> None:
    limits = replace(ANYTHING, entropy=(3.0, 9.0))
    own = Guard("bach", limits, None)
    heard, fault = Heard(), ""
    while fault != "collapse":
        heard, fault = own.judge(heard, VAMP)
    kept = heard.kept()
    assert Steady(kept)
    assert kept.watch == Heard().watch
    heard, fault = own.judge(kept, VAMP)
    assert fault == "entropy"
    found = [fault]
    while found[-1] != "collapse":
        heard, fault = own.judge(heard, VAMP)
        found.append(fault)
    assert len(found) == 1 + SPAN
