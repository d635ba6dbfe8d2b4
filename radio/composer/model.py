"""The transformer: positions in, the next position's five slots out.

- One position is one note or bar line; its slots are embedded together (summed) and pass the trunk once.
- Rotary attention on two clocks: half of each head turns with the position's index, half with its musical time, so
  that "the same place eight bars ago" is one fixed rotation whatever the texture. (RoPE: Su et al. 2021,
  arXiv:2104.09864; the second clock is ours.)
- The next position is decoded slot after slot by a small head: each slot sees the trunk's output and the slots
  before it.
- A note is embedded, and its pitch foretold, by its intervals and its degree in the key besides its number
  (`radio.composer.intervals`).
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

from radio.composer.intervals import IDS, key_of, references, spread, told, tuned
from radio.music.score import BEAT
from radio.music.tokens import PREFIX_LENGTH, RANGES, SIZES, SLOTS

PITCH = RANGES["pitch"]
_SILENT = ("out.weight", "down.weight", "bias", "told.weight", "leans.weight")
"""Parameters that begin as zeros: what they add is nothing until they have learned to."""


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
    intervals: bool = True
    """Whether notes are also known by their intervals (`radio.composer.intervals`)."""

    @property
    def room(self) -> int:
        """Positions a row may hold after its prefix."""
        return self.context - PREFIX_LENGTH

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ModelConfig:
        # Models that were made before there were intervals say nothing of them.
        return cls(**{"intervals": False, **fields, "sizes": tuple(fields["sizes"])})

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


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention; each (B, H, T, D/H)."""
    if q.device.type == "cpu":
        # Half as long again in bfloat16 there.
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has arithmetic for bfloat16; without, it is slower than single precision."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


class Head(nn.Module):
    """Logits of one slot from the trunk's output and the slots decoded before it."""

    def __init__(self, config: ModelConfig, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(config.width, config.head_width, bias=False)
        self.logits = nn.Linear(config.head_width, size)

    def features(self, x: Tensor) -> Tensor:
        """What the logits are made of: (..., D) → (..., head width)."""
        return F.relu(self.hidden(norm(x))).square()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.logits(self.features(x))
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
        self.told = nn.Embedding(IDS, config.width) if config.intervals else None
        self.leans = nn.Linear(config.head_width, IDS, bias=False) if config.intervals else None
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith(_SILENT) or ".logits." in name:
                nn.init.zeros_(parameter)
            elif "embed" in name or "drawn" in name:
                nn.init.normal_(parameter, std=0.5 if "embed" in name else 0.1)
            else:
                nn.init.uniform_(parameter, -math.sqrt(3 / parameter.shape[1]), math.sqrt(3 / parameter.shape[1]))

    def embedded(self, positions: Tensor, near: Tensor | None = None) -> Tensor:
        """(..., SLOTS) ids, and what `intervals.told` says of each (..., REFERENCES + 1) → (..., D)."""
        x: Tensor = self.embed[0](positions[..., 0])
        for slot in range(1, SLOTS):
            x = x + self.embed[slot](positions[..., slot])
        if self.told is not None and near is not None:
            x = x + F.embedding_bag(near.flatten(0, -2), self.told.weight, mode="sum").view(x.shape)
        return norm(x)

    def near(self, positions: Tensor, ticks: Tensor) -> Tensor | None:
        """What is told of each position's intervals: (B, T, SLOTS) ids and (B, T) times → (B, T, REFERENCES + 1)."""
        if self.told is None:
            return None
        key = key_of(positions)[:, None] * tuned(positions)
        return told(positions[..., PITCH.slot], references(positions, ticks), key)

    def forward(self, positions: Tensor, ticks: Tensor) -> Tensor:
        """The trunk over whole sequences: (B, T, SLOTS) ids and (B, T) times → (B, T, D)."""
        index = torch.arange(positions.shape[1], device=positions.device).expand(positions.shape[:2])
        cos, sin = (r[:, None] for r in rotations(index, ticks, self.config.width // self.config.heads))
        x = self.embedded(positions, self.near(positions, ticks))
        for block in self.blocks:
            q, k, v = block.project(x, cos, sin)
            x = block.finish(x, attended(q, k, v))
        return norm(x)

    def prefill(self, positions: Tensor, ticks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One row: (T, SLOTS) ids and (T,) times → the trunk's output at the last position (D,), keys and values.

        Keys and values are (layers, heads, T, head dim).
        """
        index = torch.arange(len(positions), device=positions.device)[None]
        cos, sin = (r[:, None] for r in rotations(index, ticks[None], self.config.width // self.config.heads))
        x = self.embedded(positions[None], self.near(positions[None], ticks[None]))
        keys, values = [], []
        for block in self.blocks:
            q, k, v = block.project(x, cos, sin)
            keys.append(k[0])
            values.append(v[0])
            x = block.finish(x, attended(q, k, v))
        return norm(x)[0, -1], torch.stack(keys), torch.stack(values)

    def head_logits(self, x: Tensor, slot: int, near: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Logits of a slot: x (..., D) is the trunk's output plus `drawn` of the slots before → (..., ids).

        `near`: of the pitch's slot the references (..., REFERENCES) and the key (...) to foretell it by.
        """
        features = self.heads[slot].features(x)
        logits: Tensor = self.heads[slot].logits(features)
        if self.leans is None or near is None or slot != PITCH.slot:
            return logits
        leaning = spread(self.leans(features).float(), *near)
        return logits.float() + F.pad(leaning, (PITCH.start, logits.shape[-1] - PITCH.stop))

    def losses(self, positions: Tensor, ticks: Tensor, skip: int, pad: Tensor) -> Tensor:
        """Nats of each slot of each next position.

        `skip` positions at the start (the prefix), slots that are 0 and positions where `pad` (B, T) is True
        count 0: (B, T - skip, SLOTS).
        """
        x = self(positions[:, :-1], ticks[:, :-1])[:, skip - 1 :]
        target = positions[:, skip:]
        total = []
        near = None
        if self.told is not None:
            key = key_of(positions)[:, None] * tuned(positions)
            near = references(positions, ticks)[:, skip:], key[:, skip:]
        for slot, size in enumerate(self.config.sizes):
            logits = self.head_logits(x, slot, near).float()
            ids = target[..., slot]
            loss = F.cross_entropy(logits.reshape(-1, size), ids.reshape(-1), reduction="none").view(ids.shape)
            total.append(loss * (ids > 0))
            if slot < SLOTS - 1:
                x = x + self.drawn[slot](ids)
        return torch.stack(total, dim=-1) * ~pad[:, skip:, None]
