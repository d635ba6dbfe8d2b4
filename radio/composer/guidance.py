"""Guidance: how far a piece is pushed towards its prefix, learned by the model instead of reckoned at every position.

Guidance g writes what an empty prefix would make of the same music, and g times what the prefix changes in that:
log p = log p(any) + g (log p(prefix) - log p(any)), for g = 1 what the prefix alone says (classifier-free guidance, Ho
and Salimans 2022). Two passes a position for one would be twice the work, so a model that is told g learns to say it
in one (guidance distillation: Meng et al. 2023, "On distillation of guided diffusion models", there for images).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from radio.composer.model import MOST_GUIDED, Transformer
from radio.music import tokens

UNLIKELY = math.log(1000)
"""What is less likely than this part of the likeliest stays so, however far the empty prefix is from it."""
NEVER = 30.0
"""Nats below the likeliest, for what is unlikely."""


def drawn(uniform: Tensor) -> Tensor:
    """Guidances for numbers in [0, 1), as many between 1 and 2 as between 2 and 4."""
    return MOST_GUIDED**uniform


def pushed(told: Tensor, untold: Tensor, guidance: Tensor) -> Tensor:
    """Logits with and without the prefix (..., ids), and guidances (...), as guided log-probabilities."""
    told, untold = F.log_softmax(told.float(), -1), F.log_softmax(untold.float(), -1)
    guided = untold + guidance[..., None] * (told - untold)
    likely = told >= told.amax(-1, keepdim=True) - UNLIKELY
    most = guided.masked_fill(~likely, -math.inf).amax(-1, keepdim=True)
    return F.log_softmax(torch.where(likely, guided, most - NEVER), -1)


@torch.no_grad()
def targets(model: Transformer, positions: Tensor, ticks: Tensor, guidance: Tensor) -> Iterator[Tensor]:
    """What two passes of a model say of each slot of each next position, guided: (B, T - PREFIX_LENGTH, ids) each.

    Args:
        positions, ticks: (B, T, SLOTS) ids and (B, T) times, prefixes first.
        guidance: (B,).
    """
    blank = positions.clone()
    blank[:, : tokens.PREFIX_LENGTH] = torch.from_numpy(tokens.any_prefix()).to(positions)
    both = zip(
        model.foretold(positions, ticks, tokens.PREFIX_LENGTH),
        model.foretold(blank, ticks, tokens.PREFIX_LENGTH),
        strict=True,
    )
    for told, untold in both:
        yield pushed(told, untold, guidance[:, None])


def losses(
    model: Transformer, teacher: Transformer, positions: Tensor, ticks: Tensor, pad: Tensor, guidance: Tensor
) -> Tensor:
    """Nats by which a model that is told `guidance` (B,) differs from its teacher's two passes (Kullback–Leibler).

    Counted as `Transformer.losses` counts: (B, T - PREFIX_LENGTH, SLOTS).
    """
    ids = positions[:, tokens.PREFIX_LENGTH :]
    total = []
    wanted = targets(teacher, positions, ticks, guidance)
    said = model.foretold(positions, ticks, tokens.PREFIX_LENGTH, guidance)
    for slot, (want, logits) in enumerate(zip(wanted, said, strict=True)):
        apart = F.kl_div(F.log_softmax(logits.float(), -1), want, log_target=True, reduction="none").sum(-1)
        total.append(apart * (ids[..., slot] > 0))
    return torch.stack(total, dim=-1) * ~pad[:, tokens.PREFIX_LENGTH :, None]
