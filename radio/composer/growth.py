"""Another shape for a trained model: deeper, saying at first exactly what it said, or shallower, to be trained further.

A new block is a copy of the one below it whose two outputs are zero, so that it adds nothing until it has learned to;
its queries, keys and features are of use from the first step. (Zero-initialised residual outputs: Zhang et al. 2019,
arXiv:1901.09321; depth by copied blocks: Gong et al. 2019, "Efficient Training of BERT by Progressively Stacking".) A
shallower model keeps blocks evenly spread: each block adds to what all others say, so that the others say most of it
still (Sajjad et al. 2023, "On the effect of dropping layers of pre-trained transformer models").
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from radio.composer.model import Transformer


def origins(layers: int, wanted: int) -> list[tuple[int, bool]]:
    """For each of `wanted` blocks the block it comes from, and whether it is a new one; both are spread evenly."""
    if wanted < layers:
        return [(index * layers // wanted, False) for index in range(wanted)]
    found: list[tuple[int, bool]] = []
    for index in range(layers):
        copies = (index + 1) * (wanted - layers) // layers - index * (wanted - layers) // layers
        found += [(index, False), *[(index, True)] * copies]
    return found


def with_layers(model: Transformer, layers: int) -> Transformer:
    """The model with `layers` blocks, and intervals; if it loses no block, its figures are those of `model` to the
    rounding."""
    with torch.random.fork_rng(devices=()):
        made = Transformer(replace(model.config, layers=layers, intervals=True))
    others = {name: value for name, value in model.state_dict().items() if not name.startswith("blocks.")}
    made.load_state_dict(others, strict=False)
    for block, (origin, new) in zip(made.blocks, origins(model.config.layers, layers), strict=True):
        block.load_state_dict(model.blocks[origin].state_dict())
        if new:
            nn.init.zeros_(block.out.weight)
            nn.init.zeros_(block.down.weight)
    return made
