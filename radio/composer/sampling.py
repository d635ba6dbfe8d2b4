"""Drawing ids from logits: mask, temperature, nucleus, one uniform number a row."""

from __future__ import annotations

import torch
from torch import Tensor


def draw(logits: Tensor, mask: Tensor, temperature: Tensor, nucleus: Tensor, uniform: Tensor) -> Tensor:
    """One id a row.

    Args:
        logits: (R, V).
        mask: (R, V); True where an id is allowed, at least one a row.
        temperature: (R,), above 0.
        nucleus: (R,), 0 < p ≤ 1: only the most likely ids that together reach p are drawn (Holtzman et al. 2020).
        uniform: (R,), in [0, 1): where in the distribution the draw falls.
    """
    scores = (logits / temperature[:, None]).masked_fill(~mask, float("-inf"))
    shares, order = torch.softmax(scores, dim=-1).sort(dim=-1, descending=True)
    below = shares.cumsum(dim=-1) - shares
    kept = torch.zeros_like(shares).scatter_(1, order, shares * (below < nucleus[:, None]))
    # The draw falls in the order of the ids: in that of the shares, rounding could exchange two that are alike.
    edges = kept.cumsum(dim=-1)
    place = (edges <= (uniform * edges[:, -1])[:, None]).sum(dim=-1)
    last = kept.shape[1] - 1 - (kept > 0).flip(1).int().argmax(dim=-1)
    return torch.minimum(place, last)
