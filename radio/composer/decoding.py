"""The model one position at a time, for rows of different length: how music is written, as training is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from radio.composer import blocks
from radio.composer.intervals import History, told
from radio.composer.model import PITCH, Transformer, has_bfloat16, norm, rotations
from radio.errors import ModelError
from radio.music.tokens import PREFIX_LENGTH


class Decoder(Protocol):
    """Rows of a model, each with what it holds."""

    def widen(self, rows: int) -> None:
        """Makes room for so many rows more."""

    def prefill(self, row: int, positions: Tensor, ticks: Tensor, sight: int = 0) -> Tensor:
        """Fills a row from nothing: (T, SLOTS) ids and (T,) times → the trunk's output at the last position (D,).

        `sight`: how many positions the row holds at most, its prefix and then the latest; 0: it is full at some time.
        """

    def advance(self, rows: Sequence[int], positions: Tensor, ticks: Tensor) -> Tensor:
        """Adds one position to each of the rows: (R, SLOTS) ids and (R,) times → the trunk's output (R, D).

        Raises:
            IndexError: a row is full; of `prefill`, there are more positions than it holds.
        """

    def near(self, rows: Sequence[int], programs: Sequence[int], ticks: Sequence[int]) -> tuple[Tensor, Tensor]:
        """What the pitch to come in each of the rows is foretold by, as `Transformer.head_logits` takes it.

        `programs` are ids of slot 1, 0 for what is no note.
        """


def decoder(model: Transformer, rows: int) -> Decoder:
    """The quickest way for the device that the model is on."""
    return Compiled(model, rows) if model.embed[0].weight.device.type == "cpu" else Masked(model, rows)


class Histories:
    """What the intervals of each row's next position are told from."""

    def __init__(self, model: Transformer) -> None:
        self.intervals, self.device = model.config.intervals, model.embed[0].weight.device
        self._rows: dict[int, History] = {}

    def fill(self, row: int, positions: Tensor, ticks: Tensor) -> None:
        """A row from nothing."""
        if self.intervals:
            self._rows[row] = History.of(positions, ticks)

    def near(self, rows: Sequence[int], programs: Sequence[int], ticks: Sequence[int]) -> tuple[Tensor, Tensor]:
        """As `Decoder.near`."""
        own = [self._rows[row] for row in rows]
        found = [history.references(program, tick) for history, program, tick in zip(own, programs, ticks, strict=True)]
        keys = [history.key * history.pitched(program) for history, program in zip(own, programs, strict=True)]
        return torch.tensor(found, device=self.device), torch.tensor(keys, device=self.device)

    def add(self, rows: Sequence[int], positions: Tensor, ticks: Tensor) -> Tensor | None:
        """Adds a position to each of the rows; what its intervals tell (R, REFERENCES + 1)."""
        if not self.intervals:
            return None
        ids, times = positions.tolist(), ticks.tolist()
        programs = [position[1] if History.tuned(position) else 0 for position in ids]
        references, keys = self.near(rows, programs, times)
        for row, position, tick in zip(rows, ids, times, strict=True):
            self._rows[row].add(position, tick)
        return told(positions[:, PITCH.slot], references, keys)


class Compiled:
    """For a CPU: `radio.composer.blocks`, one thread.

    Raises:
        ModelError: a width that the compiled loops, which look at no bounds, cannot take.
    """

    def __init__(self, model: Transformer, rows: int) -> None:
        config, own = model.config, list(model.blocks)
        self.model, self.context = model, config.context
        self.dim = config.width // config.heads
        self.bfloat16 = has_bfloat16(torch.device("cpu"))
        if self.dim % 4:
            raise ModelError(
                f"a model of width {config.width} with {config.heads} heads; wanted heads of a width that 4 divides"
            )
        self.weights = blocks.Weights(
            stacked([block.qkv.weight for block in own]),
            stacked([block.out.weight for block in own]),
            stacked([block.up.weight for block in own]),
            stacked([block.down.weight for block in own]),
        )
        self.cache = blocks.Cache.empty(config.layers, rows, config.heads, config.context, self.dim)
        self.histories = Histories(model)
        self.near = self.histories.near

    def widen(self, rows: int) -> None:
        self.cache = self.cache.widened(rows)

    def prefill(self, row: int, positions: Tensor, ticks: Tensor, sight: int = 0) -> Tensor:
        if len(positions) > self.context:
            raise IndexError(f"got {len(positions)} positions, wanted {self.context} at most")
        # What bfloat16 rounds off is no more than the cache's 8 bits do.
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            out, keys, values = (made.float() for made in self.model.prefill(positions, ticks))
        self.histories.fill(row, positions, ticks)
        blocks.fill(self.cache, row, keys.numpy(), values.numpy())
        self.cache.sights[row] = sight
        return out

    def advance(self, rows: Sequence[int], positions: Tensor, ticks: Tensor) -> Tensor:
        places = np.array(rows)
        lengths = self.cache.lengths[places]
        if (lengths[self.cache.sights[places] == 0] >= self.context).any():
            raise IndexError(f"a row is full: it holds {self.context} positions")
        cos, sin = rotations(torch.from_numpy(lengths), ticks, self.dim)
        x = self.model.embedded(positions, self.histories.add(rows, positions, ticks))
        return blocks.step(x, cos, sin, self.weights, self.cache, places)


def stacked(matrices: Sequence[Tensor]) -> Tensor:
    """Matrices (out, in) of all layers as (layers, in, out): so few rows are multiplied quickest."""
    return torch.stack([matrix.detach().mT for matrix in matrices]).contiguous()


def forgetful(length: Tensor, sight: Tensor) -> Tensor:
    """Where a row that has had `length` positions and holds `sight` puts its next one."""
    return torch.where(length < sight, length, PREFIX_LENGTH + (length - PREFIX_LENGTH) % (sight - PREFIX_LENGTH))


class Masked:
    """For a device that likes few and large operations: the rows are gathered, and masked where they end."""

    def __init__(self, model: Transformer, rows: int) -> None:
        config, device = model.config, model.embed[0].weight.device
        self.model = model
        self.dim = config.width // config.heads
        shape = (config.layers, rows, config.heads, config.context, self.dim)
        self.keys, self.values = torch.zeros((2, *shape), device=device)
        self.lengths, self.sights = torch.zeros((2, rows), dtype=torch.long, device=device)
        self.histories = Histories(model)
        self.near = self.histories.near

    def widen(self, rows: int) -> None:
        more = self.keys.new_zeros((self.keys.shape[0], rows, *self.keys.shape[2:]))
        self.keys, self.values = torch.cat((self.keys, more), 1), torch.cat((self.values, more), 1)
        self.lengths = torch.cat((self.lengths, self.lengths.new_zeros(rows)))
        self.sights = torch.cat((self.sights, self.sights.new_zeros(rows)))

    def prefill(self, row: int, positions: Tensor, ticks: Tensor, sight: int = 0) -> Tensor:
        length = len(positions)
        if length > self.keys.shape[3]:
            raise IndexError(f"got {length} positions, wanted {self.keys.shape[3]} at most")
        out, keys, values = self.model.prefill(positions, ticks)
        self.histories.fill(row, positions, ticks)
        self.keys[:, row, :, :length], self.values[:, row, :, :length] = keys, values
        self.lengths[row], self.sights[row] = length, sight
        return out

    def advance(self, rows: Sequence[int], positions: Tensor, ticks: Tensor) -> Tensor:
        places = torch.tensor(rows, device=positions.device)
        lengths = self.lengths[places]
        cos, sin = (r[:, None, None] for r in rotations(lengths, ticks, self.dim))
        sights = self.sights[places]
        # A row that forgets puts what is new where its oldest was, after the prefix.
        at = torch.where(sights > 0, forgetful(lengths, sights.clamp(min=PREFIX_LENGTH + 1)), lengths)
        held = torch.where(sights > 0, torch.minimum(lengths + 1, sights), lengths + 1)
        longest = int(held.max())
        away = (torch.arange(longest, device=lengths.device) >= held[:, None])[:, None, None]
        x = self.model.embedded(positions, self.histories.add(rows, positions, ticks))[:, None]
        for number, block in enumerate(self.model.blocks):
            q, k, v = block.project(x, cos, sin)
            keys, values = self.keys[number], self.values[number]
            keys[places, :, at], values[places, :, at] = k[:, :, 0], v[:, :, 0]
            scores = q @ keys[places, :, :longest].mT * self.dim**-0.5
            shares = torch.softmax(scores.masked_fill(away, float("-inf")), dim=-1)
            x = block.finish(x, shares @ values[places, :, :longest])
        self.lengths[places] = lengths + 1
        return norm(x)[:, 0]
