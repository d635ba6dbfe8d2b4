"""What a model's guesses cost on examples, in batches that fit the memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from radio.composer.dataset import Example, padded
from radio.composer.model import Transformer
from radio.music import tokens


def cells(examples: Sequence[Example], limit: int) -> list[list[Example]]:
    """Neighbouring examples together as long as they, padded, stay within `limit` positions."""
    groups: list[list[Example]] = [[]]
    for e in examples:
        if groups[-1] and len(e.positions) * (len(groups[-1]) + 1) > limit:
            groups.append([])
        groups[-1].append(e)
    return groups


def cell_losses(model: Transformer, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Nats by slot, and the number of positions counted: (B, T, SLOTS) and a scalar."""
    positions, ticks, pad = (torch.from_numpy(a) for a in padded(examples))
    device = next(model.parameters()).device
    positions, ticks, pad = positions.to(device), ticks.to(device), pad.to(device)
    losses = model.losses(positions, ticks, tokens.PREFIX_LENGTH, pad)
    return losses, (~pad[:, tokens.PREFIX_LENGTH :]).sum()
