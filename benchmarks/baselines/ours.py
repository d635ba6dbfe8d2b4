"""Our own model, trained and measured as the baselines are; and how models with its embeddings and heads are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.baselines.baseline import Bits, Report, SlotBits, by_field, silent
from benchmarks.baselines.network import BUSY
from radio.composer import guard, planner, weights
from radio.composer.corpus import Corpus
from radio.composer.dataset import Example, example
from radio.composer.evaluate import windows
from radio.composer.losses import cell_losses, cells
from radio.composer.model import ModelConfig, Transformer
from radio.composer.sections import OURS as OURS
from radio.composer.train import LN2, Progress, TrainConfig, Trainer
from radio.music import tokens
from radio.music.score import Prefix

SHAPE = ModelConfig()
"""What `radio train` begins with, and the trunk of the flat tokens."""
SHORT = ModelConfig(layers=3)
"""Of a short training: more layers would see less music in it."""
BATCH = 8
"""Windows a step: fewer than of a long training, since in a short one steps are what there is too little of."""
CELL = 6144
"""Positions a forward pass holds at most, padding included."""


def train(
    corpus: Corpus,
    minutes: float,
    seed: int,
    out: Path,
    *,
    resume: bool = False,
    report: Report = silent,
    shape: ModelConfig = SHORT,
    fuse: bool = True,
) -> Progress:
    """Trains a model of ours as `radio train` does, but on the clock of the baselines and in small batches.

    `fuse`: compiles first, which needs a C++ compiler.
    """
    torch.manual_seed(seed)
    config = TrainConfig(minutes=minutes, seed=seed, batch=BATCH)
    trainer = Trainer(corpus, Transformer(shape), config, out, clock=BUSY)
    if resume:
        trainer.resume()
    if fuse:
        trainer.fuse()
    trainer.run(lambda standing, _: report(standing))
    planner.save(out, corpus)
    guard.save(out, corpus)
    return trainer.progress


class Ours:
    """The radio's model."""

    conditioned = True
    complete = True

    def __init__(self, folder: Path) -> None:
        self.model = weights.load(folder)

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece costs."""
        return by_field(slot_bits(self.model, prefix, positions), positions)


@torch.inference_mode()
def slot_bits(model: Transformer, prefix: Prefix, positions: tokens.Positions) -> SlotBits:
    """Bits of each slot of each position, in the windows that a piece goes through when it is composed."""
    examples = []
    fresh: dict[int, tuple[int, int]] = {}
    told = 0
    for body, known in windows(positions, model.config.room):
        made = example(prefix, body)
        count = len(body.positions) - known
        fresh[id(made)] = (told, count)
        examples.append(made)
        told += count
    found = np.zeros(positions.shape)
    for group in cells(sorted(examples, key=_length), CELL):
        losses, _ = cell_losses(model, group)
        for own, made in zip(losses, group, strict=True):
            start, count = fresh[id(made)]
            end = len(made.positions) - tokens.PREFIX_LENGTH
            found[start : start + count] = own[end - count : end].numpy() / LN2
    return found


def _length(made: Example) -> int:
    return len(made.positions)


class HeadVoice:
    """Logits of the slots of one position after another, for a model with our embeddings and heads."""

    def __init__(self, model: Transformer, out: Tensor) -> None:
        self.model = model
        self.out = out
        """(D,): what the model says of the next position."""

    @torch.inference_mode()
    def scores(self, drawn: Sequence[int]) -> Tensor:
        """Logits (ids,) of the slot after those drawn."""
        x = self.out
        for slot, value in enumerate(drawn):
            x = x + self.model.drawn[slot].weight[value]
        return self.model.head_logits(x, len(drawn))
