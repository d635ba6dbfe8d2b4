"""Muon: momentum whose update is made orthogonal (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

torch.optim.Muon iterates in bfloat16, some seventy times slower on processors without bfloat16 arithmetic; this
one iterates in the weights' own precision, all matrices of one shape together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton–Schulz iteration, from the paper."""


def orthogonal(matrices: Tensor, iterations: int = 5) -> Tensor:
    """The nearest orthogonal matrices, roughly: singular values between 0.7 and 1.2; (N, rows, columns)."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(b * gram, gram, gram, beta=1.0, alpha=c) @ x
    nearest: Tensor = x.mT if tall else x
    return nearest


class Muon(torch.optim.Optimizer):
    """For matrices only. `lr` is the length of a step relative to an orthogonal matrix of the weight's shape."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update from the gradients."""
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[tuple(parameter.shape)].append(parameter)
            for (rows, columns), weights in alike.items():
                update = orthogonal(torch.stack([self._momentum(w, group["momentum"]) for w in weights]))
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                for weight, own in zip(weights, update, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(own, alpha=-scale)

    def _momentum(self, weight: Tensor, momentum: float) -> Tensor:
        state, grad = self.state[weight], weight.grad
        assert grad is not None
        if "mean" not in state:
            state["mean"] = torch.zeros_like(grad)
        state["mean"].lerp_(grad, 1 - momentum)
        return grad.lerp(state["mean"], momentum)
