"""Register: a program plays as high as it is planned to, and guidance leaves octaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import channel, model, writer
from music import bars
from radio.composer import planner
from radio.composer.compose import of_length
from radio.composer.model import Transformer
from radio.composer.register import MOST, REACH, UNKNOWN, Register, Span, registers
from radio.composer.sampling import octaves, with_octaves
from radio.composer.writer import advance
from radio.music import grammar, tokens
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note

FOUR = Meter(4, 4)
PROGRAM, PITCH = (tokens.RANGES[name] for name in ("program", "pitch"))


def playing(*pitches: int, program: int = 0) -> Bar:
    """A bar of these pitches, one after the other."""
    notes = [Note(BEAT // 4 * at, program, pitch, BEAT // 4, 64) for at, pitch in enumerate(pitches)]
    return Bar(FOUR, 100.0, tuple(notes))


def leaned(register: Register, program: int = 0) -> np.ndarray:
    """What is added to the logits of a program's pitches."""
    logits = np.zeros(tokens.SIZES[PITCH.slot])
    register.lean(logits, grammar.State(FOUR, None, grammar.allowed_programs(())), (1, PROGRAM.start + program))
    return logits[PITCH.start : PITCH.stop]


@given(st.lists(bars(), min_size=1, max_size=6))
def test_registers_are_read_off_a_piece(piece: list[Bar]) -> None:
    programs = tuple(sorted({note.program for bar in piece for note in bar.notes} | {73}))
    found = registers(tokens.encode(piece, 100.0), programs)
    for program, (middle, spread) in zip(programs, found, strict=True):
        pitches = [note.pitch for bar in piece for note in bar.notes if note.program == program]
        if not pitches or program == DRUMS:
            assert (middle, spread) == UNKNOWN
        else:
            assert min(pitches) <= middle <= max(pitches)
            assert spread >= 1


@given(
    st.integers(30, 96),
    st.integers(2, 20),
    st.lists(st.integers(0, 127), min_size=1, max_size=16),
    st.floats(0.1, 8.0),
)
def test_leaning_is_bounded_and_goes_to_where_the_plan_is(
    middle: int, spread: int, pitches: list[int], strength: float
) -> None:
    found = leaned(Register({0: (middle, spread)}, [playing(*pitches)] * REACH, strength))
    assert np.abs(found).max() <= MOST
    high = round(np.mean(pitches))
    if strength <= 1 and np.std(pitches) <= spread and high > middle + spread:
        assert found[middle] > found[high]


def test_music_as_high_as_planned_is_leaned_on_nowhere() -> None:
    found = leaned(Register({0: (60, 5)}, [playing(55, 65)] * REACH, 2.0))
    assert np.abs(found).max() < 1e-9


def test_each_program_keeps_to_its_own_register() -> None:
    written = [playing(72, program=40), playing(72, program=42)]
    register = Register({40: (72, 6), 42: (48, 6), 0: (60, 6), DRUMS: UNKNOWN}, written, 1.0)
    assert leaned(register, 42)[48] > leaned(register, 42)[72]
    assert np.ptp(leaned(register, 40)) < np.ptp(leaned(register, 42))
    assert not leaned(register, 0).any()  # it has not been heard
    assert not leaned(register, DRUMS).any()
    assert not Register({}, written, 1.0)


@given(st.integers(0, 999), st.integers(1, 4))
def test_octaves_are_as_likely_as_they_are_to_be(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    logits, others = rng.normal(0.0, 5.0, (2, rows, PITCH.size))
    found = with_octaves(logits, octaves(others))
    assert np.allclose(octaves(found), octaves(others))
    # Within an octave pitches stay as likely beside each other as they were.
    assert np.allclose(found[:, 60:72] - found[:, 60:61], logits[:, 60:72] - logits[:, 60:61])
    assert np.exp(octaves(others)).sum() == pytest.approx(np.exp(others).sum())


def composed(*, register: float, wanted: Span | None = None, guidance: float = 1.0) -> float:
    """The mean pitch of some pieces, but for their first four bars."""
    own = of_length(channel(), 16)
    own = replace(own, sampling=replace(own.sampling, register=register, echo=0.0, guidance=guidance))
    known = planner.load(model())["bach"]
    if wanted:
        plans = tuple(replace(plan, registers=(wanted,) * len(plan.programs)) for plan in known.plans)
        known = replace(known, plans=plans)
    made = writer(own, known)
    while made.numbers.total < 4:
        advance(made.engine, [made])
    heard = [item for item in made.queue if isinstance(item, Bar) and item.left <= 12]
    return float(np.mean([note.pitch for bar in heard for note in bar.notes]))


def test_music_is_as_high_as_planned() -> None:
    low, high = composed(register=2.0, wanted=(52, 6)), composed(register=2.0, wanted=(72, 6))
    assert high > low + 4
    assert composed(register=0.0, wanted=(52, 6)) == composed(register=0.0, wanted=(72, 6))


def test_guidance_does_not_exaggerate_how_high_a_style_is(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Transformer.head_logits

    def higher(
        own: Transformer, x: torch.Tensor, slot: int, near: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        logits = known(own, x, slot, near)
        if slot == PITCH.slot:
            # The prefix tells that the upper half is likelier; a row is followed by its shadow, which has none.
            logits[::2, PITCH.start + 60 : PITCH.stop] += 1.0
        return logits

    monkeypatch.setattr(Transformer, "head_logits", higher)
    assert composed(register=0.0, guidance=8.0) == pytest.approx(composed(register=0.0), abs=4.0)
