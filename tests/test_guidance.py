"""Guidance: a model learns in one pass what two of its passes say, and each row of the engine is told its own."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models import TINY, channel, model
from music import tune, whole
from radio.composer import guidance, weights
from radio.composer.composer import Composer
from radio.composer.dataset import Example, example
from radio.composer.decoding import Compiled, Decoder, Masked
from radio.composer.growth import with_layers
from radio.composer.losses import arrays
from radio.composer.model import MOST_GUIDED, Transformer
from radio.music import tokens
from radio.music.score import Prefix
from radio.settings import SamplingConfig

CPU = torch.device("cpu")


def examples(count: int) -> list[Example]:
    return [example(Prefix(style="bach"), whole(tokens.encode(tune(seed, 8), 100.0))) for seed in range(count)]


@settings(deadline=None)
@given(st.floats(1, MOST_GUIDED), st.integers(0, 2**32 - 1))
def test_guidance_multiplies_what_the_prefix_changes_in_the_odds(far: float, seed: int) -> None:
    torch.manual_seed(seed)
    told, untold = torch.randn(2, 3, 5)
    got = guidance.pushed(told, untold, torch.full((3,), far))
    assert torch.allclose(got.exp().sum(-1), torch.ones(3))
    odds, with_, without = (x[:, 1:] - x[:, :1] for x in (got, told, untold))
    torch.testing.assert_close(odds, without + far * (with_ - without), atol=1e-4, rtol=1e-4)


def test_what_the_prefix_makes_unlikely_stays_unlikely_however_much_more_so_it_was_without() -> None:
    told, untold = torch.tensor([[0.0, -10.0]]), torch.tensor([[0.0, -40.0]])
    assert guidance.pushed(told, untold, torch.tensor([4.0]))[0, 1] < -20


def test_as_many_guidances_are_drawn_below_two_as_above() -> None:
    found = guidance.drawn(torch.linspace(0, 1, 101))
    assert (float(found[0]), float(found[50]), float(found[-1])) == pytest.approx((1, 2, MOST_GUIDED))


def test_a_model_that_has_not_learned_guidance_says_the_same_whatever_it_is_told() -> None:
    fresh = with_layers(Transformer(replace(TINY, guided=False)), TINY.layers)
    positions, ticks, _ = arrays(examples(2), CPU)
    plain, far = (fresh(positions, ticks, told) for told in (None, torch.tensor([1.0, MOST_GUIDED])))
    torch.testing.assert_close(plain, far)


def test_a_model_learns_to_say_in_one_pass_what_its_teacher_says_in_two() -> None:
    torch.manual_seed(1)
    teacher = Transformer(replace(TINY, guided=False))
    for name, parameter in teacher.named_parameters():
        torch.nn.init.normal_(parameter, std=0.05 if "logits" in name else 0.4)  # heeds its prefix
    pupil = with_layers(teacher, TINY.layers)
    positions, ticks, pad = arrays(examples(4), CPU)
    far = torch.tensor([1.0, 2.0, 3.0, 4.0])
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=5e-4)
    found = []
    for _ in range(60):
        losses = guidance.losses(pupil, teacher, positions, ticks, pad, far).sum(dim=(1, 2))
        found.append(losses.detach())
        optimizer.zero_grad()
        torch.autograd.backward(losses.sum())
        optimizer.step()
    assert found[0][1] < found[0][2] < found[0][3]  # the further, the more there is to learn
    assert found[-1].sum() < 0.6 * found[0].sum()


@pytest.mark.parametrize("decoding", [Compiled, Masked])
def test_a_row_keeps_the_guidance_it_was_filled_with(decoding: type[Decoder]) -> None:
    own = weights.load(model())
    positions, ticks, _ = arrays(examples(2), CPU)
    far = (1.0, 3.0)
    with torch.inference_mode():
        wanted = own(positions, ticks, torch.tensor(far))
        decoder = decoding(own, 2)
        for row in range(2):
            decoder.prefill(row, positions[row, :20], ticks[row, :20], far[row])
        for at in range(20, 30):
            out = decoder.advance(range(2), positions[:, at], ticks[:, at])
            torch.testing.assert_close(out, wanted[:, at], atol=0.02, rtol=0.02)


def test_a_channel_may_ask_for_all_the_guidance_there_is() -> None:
    within = get_type_hints(SamplingConfig, include_extras=True)["guidance"]
    assert get_args(within)[1].high == MOST_GUIDED


def test_guidance_that_a_model_has_not_learned_is_warned_of(caplog: pytest.LogCaptureFixture, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("plain")
    for path in model().iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights.save(folder, Transformer(replace(TINY, guided=False)), {})
    with caplog.at_level(logging.WARNING):
        Composer(folder, [replace(channel(), sampling=SamplingConfig(guidance=2.0))])
    assert "bach: [sampling] guidance has no effect: the model was not trained for it" in caplog.text


def test_the_divergence_is_counted_in_nats_of_slots_that_say_something() -> None:
    own = weights.load(model())
    positions, ticks, pad = arrays(examples(1), CPU)
    losses = guidance.losses(own, own, positions, ticks, pad, torch.tensor([2.0]))
    assert losses.shape == (1, positions.shape[1] - tokens.PREFIX_LENGTH, tokens.SLOTS)
    assert float(losses[positions[:, tokens.PREFIX_LENGTH :] == 0].abs().sum()) == 0
    told = next(own.foretold(positions, ticks, tokens.PREFIX_LENGTH, torch.tensor([2.0])))
    want = next(guidance.targets(own, positions, ticks, torch.tensor([2.0])))
    said = F.log_softmax(told, -1)
    assert math.isclose(float(losses[0, 0, 0]), float((want.exp() * (want - said))[0, 0].sum()), rel_tol=1e-3)
