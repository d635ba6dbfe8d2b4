"""A three-layer LSTM of 512 units in place of our trunk; positions, prefix, windows and heads are ours.

Three layers of 512 are those of S. Skúli's Classical Piano Composer (2017), whose token was a note or chord. There is
no dropout: a passage is hardly heard twice within these budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.baseline import Bits, Order, by_field
from benchmarks.baselines.network import Lesson, Network
from benchmarks.baselines.ours import HeadVoice, slot_bits
from benchmarks.baselines.writing import write
from radio.composer.corpus import Corpus
from radio.composer.dataset import Windows
from radio.composer.losses import cell_losses
from radio.composer.model import Each, ModelConfig, Transformer, norm
from radio.composer.train import TrainConfig
from radio.composer.window import Context, Position
from radio.music import tokens
from radio.music.score import Bar, Prefix

SHAPE = ModelConfig(width=512, layers=3, context=320, intervals=False)
State = tuple[Tensor, Tensor]


class Recurrent(Transformer):
    """Our embeddings and heads round an LSTM as wide as they are; `layers` are the LSTM's."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, layers=0))
        self.config = config
        self.blocks = Each()
        self.lstm = nn.LSTM(config.width, config.width, config.layers, batch_first=True)

    def forward(self, positions: Tensor, ticks: Tensor) -> Tensor:
        """As a transformer's; the times are not looked at, for the LSTM hears them pass."""
        return self.heard(positions, None)[0]

    def heard(self, positions: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Goes on from a state: (B, T, SLOTS) ids → (B, T, D), and the state after them."""
        out, state = self.lstm(self.embedded(positions), state)
        return norm(out), state


class Lstm(Network[Recurrent]):
    """The LSTM."""

    conditioned = True
    complete = True

    def __init__(self, shape: ModelConfig = SHAPE, batch: int = 8) -> None:
        self.shape = shape
        self.settings = TrainConfig(batch=batch, rate=2e-3)
        super().__init__()

    def build(self) -> Recurrent:
        """A new model."""
        return Recurrent(self.shape)

    def lesson(self, corpus: Corpus, seed: int) -> Lesson:
        """Windows of training pieces with their prefixes, as for our own model."""
        drawn = Windows(corpus, corpus.split(validation=False), self.shape.context, seed)

        def lesson(rng: np.random.Generator) -> tuple[Tensor, int]:
            drawn.rng = rng
            losses, count = cell_losses(self.model, drawn.batch(self.settings.batch))
            return losses.sum(), int(count)

        return lesson

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece costs."""
        return by_field(slot_bits(self.model, prefix, positions), positions)

    def compose(self, order: Order) -> list[Bar]:
        """A new piece."""
        return write(Voice(self.model, tokens.encode_prefix(order.prefix)), order)


class Voice(HeadVoice):
    """A piece that the LSTM is writing: when its window is made anew, the prefix and the window are heard anew."""

    model: Recurrent

    def __init__(self, model: Recurrent, prefix: tokens.Positions) -> None:
        self.prefix, self.context = prefix, Context(model.config.room)
        super().__init__(model, model.embed[0].weight[0])
        self.state: State | None = None
        self._listen(prefix)

    @torch.inference_mode()
    def _listen(self, positions: tokens.Positions | Sequence[Position]) -> None:
        ids = torch.from_numpy(np.array(positions, dtype=np.int64))
        out, self.state = self.model.heard(ids[None], self.state)
        self.out = out[0, -1]

    def hear(self, position: Position) -> None:
        """Takes the next position."""
        if self.context.add(position):
            self.state = None
            self._listen(np.concatenate((self.prefix, self.context.held().positions)))
        else:
            self._listen([position])
