"""The transformer: positions in, the next position's five slots out.

- One position is one note or bar line; its slots are embedded together (summed) and pass the trunk once.
- Rotary attention on two clocks: half of each head turns with the position's index, half with its musical time, so
  that "the same place eight bars ago" is one fixed rotation whatever the texture. (RoPE: Su et al. 2021,
  arXiv:2104.09864; the second clock is ours.)
- The next position is decoded slot after slot by a small head: each slot sees the trunk's output and the slots
  before it.
- Pre-norm with RMSNorm, squared-ReLU feed-forward (So et al. 2021, arXiv:2109.08668), no biases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radio.music.score import BEAT
from radio.music.tokens import PREFIX_LENGTH, SIZES, SLOTS


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of a model."""

    width: int = 192
    layers: int = 6
    heads: int = 6
    head_width: int = 192
    """Width of the hidden layer of each slot's head."""
    context: int = 640
    """Positions a row may hold, prefix included."""
    sizes: tuple[int, ...] = SIZES

    @property
    def room(self) -> int:
        """Positions a row may hold after its prefix."""
        return self.context - PREFIX_LENGTH

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ModelConfig:
        return cls(**{**fields, "sizes": tuple(fields["sizes"])})

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "sizes": list(self.sizes)}


def rotations(index: Tensor, ticks: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines for heads of `dim`: (..., dim // 2) each; first half by index, second half by time."""
    quarter = dim // 4
    power = torch.arange(quarter, device=index.device, dtype=torch.float32) / max(quarter - 1, 1)
    by_index = 1.0 / (1024.0**power)
    # Wavelengths from one beat to 512 beats.
    by_time = 2 * math.pi / (BEAT * 512.0**power)
    angles = torch.cat((index[..., None].float() * by_index, ticks[..., None].float() * by_time), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns pairs (x[i], x[i + dim/2]) by the angles; x: (…, B, H, T, dim), cos and sin: (B, 1, T, dim/2)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Block(nn.Module):
    """Attention and feed-forward, each added to what came in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of x (B, T, D): each (B, H, T, D/H), turned."""
        batch, length, width = x.shape
        qkv = self.qkv(norm(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k = rotate(norm(qkv[:2]), cos, sin).unbind(0)
        return q, k, qkv[2]

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """x plus attention's output (B, H, T, D/H) plus the feed-forward."""
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        hidden: Tensor = self.down(F.relu(self.up(norm(x))).square())
        return x + hidden


def norm(x: Tensor) -> Tensor:
    """RMSNorm without a gain."""
    return F.rms_norm(x, (x.shape[-1],))


class Head(nn.Module):
    """Logits of one slot from the trunk's output and the slots decoded before it."""

    def __init__(self, config: ModelConfig, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(config.width, config.head_width, bias=False)
        self.logits = nn.Linear(config.head_width, size)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.logits(F.relu(self.hidden(norm(x))).square())
        return logits


M = TypeVar("M", bound=nn.Module)


class Each(nn.ModuleList, Generic[M]):
    """A list of modules of one type."""

    def __getitem__(self, index: int) -> M:  # type: ignore[override]
        return cast(M, super().__getitem__(index))

    def __iter__(self) -> Iterator[M]:
        return cast("Iterator[M]", super().__iter__())


class Transformer(nn.Module):
    """The composer's model. See the module's docstring for its shape."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed: Each[nn.Embedding] = Each(nn.Embedding(size, config.width) for size in config.sizes)
        self.blocks: Each[Block] = Each(Block(config) for _ in range(config.layers))
        self.drawn: Each[nn.Embedding] = Each(nn.Embedding(size, config.width) for size in config.sizes[:-1])
        self.heads: Each[Head] = Each(Head(config, size) for size in config.sizes)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith(("out.weight", "down.weight", "bias")) or ".logits." in name:
                nn.init.zeros_(parameter)
            elif "embed" in name or "drawn" in name:
                nn.init.normal_(parameter, std=0.5 if "embed" in name else 0.1)
            else:
                nn.init.uniform_(parameter, -math.sqrt(3 / parameter.shape[1]), math.sqrt(3 / parameter.shape[1]))

    def embedded(self, positions: Tensor) -> Tensor:
        """(B, T, SLOTS) ids → (B, T, D)."""
        x: Tensor = self.embed[0](positions[..., 0])
        for slot in range(1, SLOTS):
            x = x + self.embed[slot](positions[..., slot])
        return norm(x)

    def forward(self, positions: Tensor, ticks: Tensor) -> Tensor:
        """The trunk over whole sequences: (B, T, SLOTS) ids and (B, T) times → (B, T, D)."""
        index = torch.arange(positions.shape[1], device=positions.device).expand(positions.shape[:2])
        cos, sin = (r[:, None] for r in rotations(index, ticks, self.config.width // self.config.heads))
        x = self.embedded(positions)
        for block in self.blocks:
            q, k, v = block.project(x, cos, sin)
            x = block.finish(x, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return norm(x)

    def prefill(self, positions: Tensor, ticks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One row: (T, SLOTS) ids and (T,) times → the trunk's output at the last position (D,), keys and values.

        Keys and values are (layers, heads, T, head dim).
        """
        index = torch.arange(len(positions), device=positions.device)[None]
        cos, sin = (r[:, None] for r in rotations(index, ticks[None], self.config.width // self.config.heads))
        x = self.embedded(positions[None])
        keys, values = [], []
        for block in self.blocks:
            q, k, v = block.project(x, cos, sin)
            keys.append(k[0])
            values.append(v[0])
            x = block.finish(x, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return norm(x)[0, -1], torch.stack(keys), torch.stack(values)

    def head_logits(self, x: Tensor, slot: int) -> Tensor:
        """Logits of a slot: x (..., D) is the trunk's output plus `drawn` of the slots before → (..., ids)."""
        logits: Tensor = self.heads[slot](x)
        return logits

    def losses(self, positions: Tensor, ticks: Tensor, skip: int, pad: Tensor) -> Tensor:
        """Nats of each slot of each next position.

        `skip` positions at the start (the prefix), slots that are 0 and positions where `pad` (B, T) is True
        count 0: (B, T - skip, SLOTS).
        """
        x = self(positions[:, :-1], ticks[:, :-1])[:, skip - 1 :]
        target = positions[:, skip:]
        total = []
        for slot, size in enumerate(self.config.sizes):
            logits = self.head_logits(x, slot).float()
            ids = target[..., slot]
            loss = F.cross_entropy(logits.reshape(-1, size), ids.reshape(-1), reduction="none").view(ids.shape)
            total.append(loss * (ids > 0))
            if slot < SLOTS - 1:
                x = x + self.drawn[slot](ids)
        return torch.stack(total, dim=-1) * ~pad[:, skip:, None]
