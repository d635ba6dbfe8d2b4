"""Flat tokens: one token a field, after REMI (Huang and Yang 2020), in a transformer with our blocks.

A note is five tokens in a row, a bar line too, the end one, a field of the prefix one; all share one vocabulary and one
softmax. Trunk, width and optimisers are our own model's; the window is longer in tokens and shorter in notes. Each
token has the time of its note or bar line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.baselines.baseline import Bits, Order, SlotBits, by_field
from benchmarks.baselines.network import Lesson, Network
from benchmarks.baselines.writing import write
from radio.composer.corpus import Corpus
from radio.composer.dataset import Example, Windows, example
from radio.composer.decoding import decoder
from radio.composer.evaluate import windows
from radio.composer.model import ModelConfig, Transformer, norm
from radio.composer.train import LN2, TrainConfig, optimizers
from radio.composer.window import Context, Position, is_bar_line
from radio.music import tokens
from radio.music.score import Bar, Prefix

SHAPE = ModelConfig(context=1024, intervals=False)
OFFSETS = np.append(0, np.cumsum(tokens.SIZES))
"""Where each slot's ids begin in the one vocabulary, and its size."""
GROUP = 6
"""Windows measured at a time."""
Tokens = npt.NDArray[np.int64]


class Flat(Transformer):
    """Our trunk with one embedding and one head: positions are (B, T, 1) tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, sizes=(int(OFFSETS[-1]),)))

    def embedded(self, positions: Tensor, near: Tensor | None = None) -> Tensor:
        """(B, T, 1) tokens → (B, T, D)."""
        return norm(self.embed[0](positions[..., 0]))

    def losses(self, positions: Tensor, ticks: Tensor, skip: int, pad: Tensor) -> Tensor:
        """Nats of each next token after the first `skip`, 0 where `pad` (B, T): (B, T - skip, 1)."""
        x = self(positions[:, :-1], ticks[:, :-1])[:, skip - 1 :]
        logits, ids = self.head_logits(x, 0).float(), positions[:, skip:, 0]
        loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none").view(ids.shape)
        return (loss * ~pad[:, skip:])[..., None]


@dataclass(frozen=True, slots=True)
class Line:
    """A window in tokens."""

    tokens: Tokens
    """(T,), and the time of each in ticks (T,)."""
    ticks: Tokens
    places: tuple[Tokens, Tokens]
    """Position in the window and slot of each: (T,) each."""
    untold: npt.NDArray[np.bool_]
    """(T,): not to be foretold."""


def flattened(window: Example) -> Line:
    """A window's tokens."""
    ids = window.positions.astype(np.int64)
    said = ids > 0
    # That a position is of the prefix goes without saying.
    said[ids[:, 0] == tokens.PREFIX, 0] = False
    rows, slots = np.nonzero(said)
    return Line(ids[said] + OFFSETS[slots], window.ticks[rows].astype(np.int64), (rows, slots), window.untold[rows])


def padded(lines: Sequence[Line]) -> tuple[Tensor, Tensor, Tensor]:
    """Lines of different lengths: tokens (B, T, 1), times (B, T), and what is not to be foretold (B, T)."""
    longest = max(len(line.tokens) for line in lines)
    ids = torch.zeros((len(lines), longest, 1), dtype=torch.long)
    ticks, pad = torch.zeros((len(lines), longest), dtype=torch.long), torch.ones((len(lines), longest)).bool()
    for row, line in enumerate(lines):
        ids[row, : len(line.tokens), 0] = torch.from_numpy(line.tokens)
        ticks[row, : len(line.tokens)] = torch.from_numpy(line.ticks)
        pad[row, : len(line.tokens)] = torch.from_numpy(line.untold)
    return ids, ticks, pad


class FlatTokens(Network[Flat]):
    """The transformer on flat tokens."""

    conditioned = True
    complete = True

    def __init__(self, shape: ModelConfig = SHAPE, batch: int = 12) -> None:
        self.shape = shape
        self.settings = TrainConfig(batch=batch)
        self.room = (shape.context - tokens.PREFIX_LENGTH) // tokens.SLOTS
        """Positions of a window, the prefix not counted."""
        super().__init__()

    def build(self) -> Flat:
        """A new model."""
        return Flat(self.shape)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """As for our own model."""
        return optimizers(self.model, self.settings)

    def lesson(self, corpus: Corpus, seed: int) -> Lesson:
        """Windows of training pieces with their prefixes, as for our own model."""
        drawn = Windows(corpus, corpus.split(validation=False), self.room + tokens.PREFIX_LENGTH, seed)

        def lesson(rng: np.random.Generator) -> tuple[Tensor, int]:
            drawn.rng = rng
            batch = drawn.batch(self.settings.batch)
            nats = self.model.losses(*_order(padded([flattened(own) for own in batch])))
            return nats.sum(), sum(int((~own.untold[tokens.PREFIX_LENGTH :]).sum()) for own in batch)

        return lesson

    @torch.inference_mode()
    def slot_bits(self, prefix: Prefix, positions: tokens.Positions) -> SlotBits:
        """Bits of each slot of each position, in the windows that a piece goes through when it is composed."""
        found = np.zeros(positions.shape)
        parts = [
            (flattened(example(prefix, body)), known, len(body.positions))
            for body, known in windows(positions, self.room)
        ]
        told = 0
        for first in range(0, len(parts), GROUP):
            group = parts[first : first + GROUP]
            nats = self.model.losses(*_order(padded([line for line, _, _ in group])))[..., 0].numpy()
            for own, (line, known, length) in zip(nats, group, strict=True):
                rows, slots = (place[tokens.PREFIX_LENGTH :] for place in line.places)
                rows = rows - tokens.PREFIX_LENGTH
                new = rows >= known
                found[told + rows[new] - known, slots[new]] = own[: len(rows)][new] / LN2
                told += length - known
        return found

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece costs."""
        return by_field(self.slot_bits(prefix, positions), positions)

    def compose(self, order: Order) -> list[Bar]:
        """A new piece."""
        return write(Voice(self.model, tokens.encode_prefix(order.prefix), self.room), order)


def _order(batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, int, Tensor]:
    ids, ticks, pad = batch
    return ids, ticks, tokens.PREFIX_LENGTH, pad


class Voice:
    """A piece that the transformer is writing: when its window is made anew, the cache is filled anew."""

    def __init__(self, model: Flat, prefix: tokens.Positions, room: int) -> None:
        self.model, self.prefix = model, prefix
        self.context = Context(room)
        self.decoder = decoder(model, 1)
        self.told = 0
        """Slots of the next position that are in the cache already."""
        self.bar_tick, self.bar_ticks = 0, 0
        """Where the bar under way begins, and how long it is."""
        self._fill()

    @torch.inference_mode()
    def _fill(self) -> None:
        held = self.context.held()
        whole = np.concatenate((self.prefix, held.positions))
        ticks = np.concatenate((np.zeros(len(self.prefix), dtype=np.int32), held.ticks))
        line = flattened(Example(whole, ticks, np.zeros(len(whole), dtype=bool)))
        ids, times = torch.from_numpy(line.tokens)[:, None], torch.from_numpy(line.ticks)
        self.out = self.decoder.prefill(0, ids, times)
        lines = [index for index, row in enumerate(whole.tolist()) if is_bar_line(row)]
        if lines:
            self.bar_tick, self.bar_ticks = int(ticks[lines[-1]]), tokens.meter_of(whole[lines[-1]]).ticks

    @torch.inference_mode()
    def _tell(self, ids: Sequence[int]) -> None:
        """Puts the slots of the next position that are not there yet into the cache."""
        tick = self.bar_tick + (self.bar_ticks if ids and is_bar_line(ids) else ids[0] - 1 if ids else 0)
        for slot in range(self.told, len(ids)):
            token = torch.tensor([[ids[slot] + OFFSETS[slot]]])
            self.out = self.decoder.advance([0], token, torch.tensor([tick]))[0]
        self.told = len(ids)

    @torch.inference_mode()
    def scores(self, drawn: Sequence[int]) -> Tensor:
        """Logits (ids,) of the slot after those drawn."""
        self._tell(drawn)
        slot = len(drawn)
        return self.model.head_logits(self.out, 0)[OFFSETS[slot] : OFFSETS[slot + 1]]

    def hear(self, position: Position) -> None:
        """Takes the next position."""
        if self.context.add(position):
            self._fill()
        else:
            self._tell(position)
            if is_bar_line(position):
                self.bar_tick += self.bar_ticks
                self.bar_ticks = tokens.meter_of(position).ticks
        self.told = 0
