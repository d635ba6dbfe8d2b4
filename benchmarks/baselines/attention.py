"""Attention over a bidirectional LSTM's reading of the last 100 positions, and an LSTM that goes on from there.

After the piano network of Issa and others, 2019: bidirectional LSTM of 512, attention, LSTM of 512, dense layer of 256.
Theirs read 100 tokens anew for each token it told; here it goes on for STRETCH positions before it reads anew, or a
budget of minutes would be spent on a few thousand notes. Their token was a note or chord with its duration, one of
3,400; here a position is told slot by slot by our heads. As theirs it knows no prefix and is primed with a passage.
Theirs had dropout against hearing 75 pieces again and again; a passage is hardly heard twice within these budgets, so
there is none.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.baselines.baseline import Bits, Order, SlotBits, by_field
from benchmarks.baselines.network import Lesson, Network
from benchmarks.baselines.ours import HeadVoice
from benchmarks.baselines.pieces import Pieces
from benchmarks.baselines.writing import write
from radio.composer.corpus import Corpus
from radio.composer.model import Each, ModelConfig, Transformer, norm
from radio.composer.train import LN2, TrainConfig
from radio.composer.window import Position
from radio.music import tokens
from radio.music.score import Bar, Prefix

SHAPE = ModelConfig(width=256, layers=1, intervals=False)
UNITS = 512
"""Units of each LSTM."""
MEMORY = 100
"""Positions read."""
STRETCH = 50
"""Positions told after each reading."""
OPENINGS = 0.1
"""Share of the lessons in which a piece begins: all before it is silence, written as ENDs."""
GROUP = 32
"""Stretches measured at a time."""
State = tuple[Tensor, Tensor]


class Reader(Transformer):
    """Our embeddings and heads round an encoder, attention and a decoder."""

    def __init__(self, config: ModelConfig, units: int) -> None:
        super().__init__(replace(config, layers=0))
        self.blocks = Each()
        self.encoder = nn.LSTM(config.width, units, batch_first=True, bidirectional=True)
        self.query = nn.Linear(config.width, 2 * units, bias=False)
        self.decoder = nn.LSTM(config.width + 2 * units, units, batch_first=True)
        self.dense = nn.Linear(units, config.width)

    def forward(self, positions: Tensor, ticks: Tensor) -> Tensor:
        """MEMORY positions are read, the others heard: (B, MEMORY + n, SLOTS) ids → (B, MEMORY + n, D).

        The last n + 1 outputs tell the positions after the memory; the others are 0.
        """
        memory = self.read(positions[:, :MEMORY])
        out, _ = self.heard(positions[:, MEMORY - 1 :], memory, None)
        return F.pad(out, (0, 0, MEMORY - 1, 0))

    def read(self, positions: Tensor) -> Tensor:
        """(B, MEMORY, SLOTS) ids → (B, MEMORY, 2 units)."""
        read: Tensor = self.encoder(self.embedded(positions))[0]
        return read

    def heard(self, positions: Tensor, memory: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Goes on from a state: (B, n, SLOTS) ids and what was read → (B, n, D), and the state after them."""
        x = self.embedded(positions)
        likeness = self.query(x) @ memory.mT / math.sqrt(memory.shape[-1])
        out, state = self.decoder(torch.cat((x, likeness.softmax(dim=-1) @ memory), dim=-1), state)
        return norm(F.relu(self.dense(out))), state


class Attention(Network[Reader]):
    """The network."""

    conditioned = False
    complete = True

    def __init__(self, shape: ModelConfig = SHAPE, units: int = UNITS, batch: int = 16) -> None:
        self.shape, self.units = shape, units
        self.settings = TrainConfig(batch=batch, rate=2e-3)
        super().__init__()

    def build(self) -> Reader:
        """A new model."""
        return Reader(self.shape, self.units)

    def lesson(self, corpus: Corpus, seed: int) -> Lesson:
        """Random stretches of training pieces."""
        pieces = Pieces(corpus, corpus.split(validation=False), seed)

        def stretch(rng: np.random.Generator) -> tokens.Positions:
            piece = pieces.piece(rng)
            start = 0 if rng.random() < OPENINGS else int(rng.integers(len(piece)))
            return stretched(piece, start)

        def lesson(rng: np.random.Generator) -> tuple[Tensor, int]:
            batch = np.stack([stretch(rng) for _ in range(self.settings.batch)])
            losses = self.losses(batch)
            return losses.sum(), int((batch[:, MEMORY:, 0] > 0).sum())

        return lesson

    def losses(self, batch: tokens.Positions) -> Tensor:
        """Nats of each slot after the memory: (B, MEMORY + STRETCH, SLOTS) → (B, STRETCH, SLOTS)."""
        ids = torch.from_numpy(batch.astype(np.int64))
        none = torch.zeros(ids.shape[:2], dtype=torch.long)
        return self.model.losses(ids, none, MEMORY, none.bool())

    @torch.inference_mode()
    def slot_bits(self, positions: tokens.Positions) -> SlotBits:
        """Bits of each slot of each position."""
        parts = [stretched(positions, start) for start in range(0, len(positions), STRETCH)]
        groups = [np.stack(parts[i : i + GROUP]) for i in range(0, len(parts), GROUP)]
        losses = torch.cat([self.losses(group) for group in groups])
        found: SlotBits = losses.reshape(-1, tokens.SLOTS)[: len(positions)].numpy().astype(np.float64) / LN2
        return found

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece costs; the prefix is not known."""
        return by_field(self.slot_bits(positions), positions)

    def compose(self, order: Order) -> list[Bar]:
        """A new piece."""
        return write(Voice(self.model, order.prime), order)


def stretched(piece: tokens.Positions, start: int) -> tokens.Positions:
    """The MEMORY positions before `start`, ENDs where the piece has none, and STRETCH from it, zeros where none."""
    found = np.zeros((MEMORY + STRETCH, tokens.SLOTS), dtype=np.int32)
    found[:MEMORY, 0] = tokens.END
    before, after = piece[max(start - MEMORY, 0) : start], piece[start : start + STRETCH]
    found[MEMORY - len(before) : MEMORY] = before
    found[MEMORY : MEMORY + len(after)] = after
    return found


class Voice(HeadVoice):
    """A piece that the network is writing."""

    model: Reader

    def __init__(self, model: Reader, prime: tokens.Positions) -> None:
        super().__init__(model, model.embed[0].weight[0])
        self.last: list[Position] = [(tokens.END, 0, 0, 0, 0)] * MEMORY + [tuple(row) for row in prime.tolist()]
        self._read()

    @torch.inference_mode()
    def _read(self) -> None:
        self.last = self.last[-MEMORY:]
        self.heard = 0
        self.memory = self.model.read(torch.tensor(self.last)[None])
        self.state: State | None = None
        self._listen(self.last[-1])

    @torch.inference_mode()
    def _listen(self, position: Position) -> None:
        out, self.state = self.model.heard(torch.tensor([[position]]), self.memory, self.state)
        self.out = out[0, 0]

    def hear(self, position: Position) -> None:
        """Takes the next position."""
        self.last.append(position)
        self.heard += 1
        if self.heard == STRETCH:
            self._read()
        else:
            self._listen(position)
