from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import model
from music import bars, tune, whole
from radio.composer import weights
from radio.composer.dataset import example, transposed
from radio.composer.decoding import Compiled, Decoder, Masked
from radio.composer.intervals import IDS, REACH, REFERENCES, History, key_of, references, spread, told, tuned
from radio.composer.model import PITCH, Transformer
from radio.music import keys, tokens
from radio.music.score import DRUMS, Bar, Meter, Note, Prefix

Row = tuple[torch.Tensor, torch.Tensor]


def row(written: list[Bar], key: str = "", shift: int = 0) -> Row:
    """Ids and times of one row: (1, T, SLOTS) and (1, T)."""
    moved = transposed(tokens.encode(written, 100.0), shift)
    made = example(Prefix(key=key), whole(moved))
    return torch.from_numpy(made.positions.astype(np.int64))[None], torch.from_numpy(made.ticks.astype(np.int64))[None]


def bar(*notes: tuple[int, int, int]) -> Bar:
    """A bar of notes, each its onset, program and pitch."""
    return Bar(Meter(4, 4), 100.0, tuple(Note(onset, program, pitch, 12, 64) for onset, program, pitch in notes))


def pitches(written: list[Bar]) -> list[list[int]]:
    """References of the last position before the end, as MIDI keys; 0 for none."""
    ids, ticks = row(written)
    return [[max(0, pitch - PITCH.start) for pitch in own] for own in references(ids, ticks)[0, :-1].tolist()]


def test_a_note_is_known_by_the_notes_and_chords_of_its_program_before_it() -> None:
    written = [bar((0, 0, 48), (0, 0, 64), (24, 0, 50), (24, 0, 53), (24, 0, 65), (48, 0, 52), (48, 0, 67))]
    assert pitches(written)[-1] == [52, 65, 50, 52, 64, 52]
    assert pitches(written)[-2] == [65, 65, 50, 0, 64, 65]


def test_other_programs_are_heard_as_the_note_before_only() -> None:
    assert pitches([bar((0, 0, 60), (0, 40, 70), (24, 0, 62), (24, 40, 72))])[-1] == [70, 70, 70, 0, 0, 62]


def test_chords_are_told_apart_across_a_bar_line() -> None:
    assert pitches([bar((0, 0, 60)), bar((0, 0, 64))])[-1] == [60, 60, 60, 0, 0, 60]


def test_drums_have_no_references_and_are_none() -> None:
    told_of = pitches([bar((0, 0, 60), (0, DRUMS, 36), (24, 0, 62), (24, DRUMS, 38))])
    assert told_of[-1] == [0] * REFERENCES
    assert told_of[-2] == [60, 60, 60, 0, 0, 60]


@given(st.lists(bars(), min_size=1, max_size=5), st.sampled_from(["", *keys.KEYS]))
def test_a_history_kept_note_by_note_tells_what_the_whole_row_tells(written: list[Bar], key: str) -> None:
    ids, ticks = row(written, key)
    together, own = references(ids, ticks)[0], History(int(key_of(ids)))
    for position, tick, wanted in zip(ids[0].tolist(), ticks[0].tolist(), together.tolist(), strict=True):
        program = position[1] if 0 < position[0] < tokens.BAR else 0
        assert list(own.references(program, tick)) == wanted
        own.add(position, tick)


@pytest.mark.parametrize("shift", [-5, 4])
def test_transposed_with_its_key_music_is_known_by_the_same_intervals(shift: int) -> None:
    written = tune(3, 6)
    here, there = row(written, "D minor"), row(written, keys.transpose("D minor", shift), shift)
    both = [
        told(ids[..., PITCH.slot], references(ids, ticks), key_of(ids)[:, None] * tuned(ids))
        for ids, ticks in (here, there)
    ]
    assert torch.equal(*both)
    assert len(both[0].unique()) > 3 * REFERENCES


def test_without_a_key_no_degree_is_told() -> None:
    ids, ticks = row(tune(3, 6))
    degree = told(ids[..., PITCH.slot], references(ids, ticks), key_of(ids)[:, None] * tuned(ids))[..., -1]
    assert len(degree.unique()) == 1


def test_an_interval_leans_on_the_pitch_that_lies_so_far_from_its_reference() -> None:
    reference = torch.zeros(1, REFERENCES, dtype=torch.long)
    reference[0, 2] = PITCH.start + 60
    none = torch.zeros(1, dtype=torch.long)
    for semitones in (-REACH, -1, 0, 7):
        logits = torch.zeros(1, IDS)
        logits[0, told(torch.tensor([PITCH.start + 60 + semitones]), reference, none)[0, 2]] = 1.0
        found = spread(logits, reference, none)[0]
        wanted = range(60 - REACH + 1) if semitones == -REACH else [60 + semitones]
        assert found.nonzero()[:, 0].tolist() == list(wanted)


def test_a_degree_leans_on_its_pitch_in_every_octave() -> None:
    logits, key = torch.zeros(1, IDS), torch.tensor([1 + keys.KEYS.index("D major")])
    nothing = torch.zeros(1, REFERENCES, dtype=torch.long)
    logits[0, told(torch.tensor([PITCH.start + 69]), nothing, key)[0, -1]] = 1.0
    assert spread(logits, nothing, key)[0].nonzero()[:, 0].tolist() == list(range(9, 128, 12))


@pytest.mark.parametrize(("decoding", "off"), [(Compiled, 0.02), (Masked, 1e-3)])
def test_what_is_drawn_from_costs_what_training_counts(decoding: type[Decoder], off: float) -> None:
    transformer: Transformer = weights.load(model())
    ids, ticks = row(
        [bar((0, 0, 48), (0, 0, 64), (24, 0, 50), (24, 40, 53)), bar((0, 0, 52), (0, DRUMS, 36))], "C major"
    )
    wanted = transformer.losses(ids, ticks, tokens.PREFIX_LENGTH, torch.zeros(ids.shape[:2], dtype=torch.bool))[0]
    with torch.inference_mode():
        decoder = decoding(transformer, 1)
        out = decoder.prefill(0, ids[0, : tokens.PREFIX_LENGTH], ticks[0, : tokens.PREFIX_LENGTH])[None]
        for at in range(tokens.PREFIX_LENGTH, ids.shape[1] - 1):
            position, tick = ids[0, at].tolist(), int(ticks[0, at])
            near = decoder.near([0], [position[1] if position[0] < tokens.BAR else 0], [tick])
            x = out + transformer.drawn[0].weight[position[0]] + transformer.drawn[1].weight[position[1]]
            nats = -torch.log_softmax(transformer.head_logits(x, PITCH.slot, near), -1)[0, position[2]]
            if position[2]:
                assert nats.item() == pytest.approx(wanted[at - tokens.PREFIX_LENGTH, PITCH.slot].item(), abs=off)
            out = decoder.advance([0], ids[:, at], ticks[:, at])
