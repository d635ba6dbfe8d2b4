"""Early stopping by style: a style whose validation works cost more than they did is heard less from then on.

Small styles are learned by heart long before large ones are learned at all; one stopping point for all would be wrong
for most.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from radio.composer.corpus import Corpus
from radio.composer.dataset import Example, example
from radio.composer.losses import cell_losses, cells
from radio.composer.model import Transformer
from radio.composer.window import Window, held
from radio.music import tokens

WINDOWS = 8
"""Of each style's validation works."""
WORSE = 0.005
"""Share by which a style's bits must exceed its best to be heard less."""
LEAST = 0.125
"""Of its usual share, that a style keeps."""
CELL = 6144
LN2 = float(np.log(2))


@dataclass(slots=True)
class Watch:
    """Windows of each style's validation works, always the same, and how each style has fared on them."""

    windows: dict[str, list[Example]]
    best: dict[str, float] = field(default_factory=dict)
    """Bits a position."""
    shares: dict[str, float] = field(default_factory=dict)
    """What each style's share of the training windows is multiplied by."""

    @classmethod
    def over(cls, corpus: Corpus, context: int, seed: int = 0) -> Watch:
        """Openings and middles of validation works of every style, spread over the works."""
        rng = np.random.default_rng(seed)
        entries = corpus.split(validation=True)
        windows: dict[str, list[Example]] = {}
        for style in sorted({e.style for e in entries}):
            own = [e for e in entries if e.style == style]
            order = rng.permutation(len(own))
            for number in range(WINDOWS):
                entry = own[order[number % len(own)]]
                positions = corpus.of(entry)
                lines = np.flatnonzero((positions[:, 0] >= tokens.BAR) & (positions[:, 0] < tokens.END))
                start = int(lines[rng.integers(max(1, len(lines) - 4))]) if number % 2 else 0
                count = min(len(positions), start + context - tokens.PREFIX_LENGTH)
                body = held(positions, Window(start, start, start), count)
                windows.setdefault(style, []).append(example(entry.prefix(), body, style))
        return cls(windows)

    def look(self, model: Transformer) -> dict[str, float]:
        """Bits a position of each style; moves the shares: halved where worse than its best, doubled at a new best."""
        found = {style: _bits(model, own) for style, own in self.windows.items()}
        for style, bits in found.items():
            best, share = self.best.get(style, float("inf")), self.shares.get(style, 1.0)
            if bits < best:
                self.best[style], self.shares[style] = bits, min(1.0, 2 * share)
            elif bits > (1 + WORSE) * best:
                self.shares[style] = max(LEAST, share / 2)
        return found

    def state(self) -> dict[str, dict[str, float]]:
        """What `restore` takes."""
        return {"best": dict(self.best), "shares": dict(self.shares)}

    def restore(self, state: dict[str, dict[str, float]]) -> None:
        """Goes on from what `state` gave."""
        self.best, self.shares = dict(state["best"]), dict(state["shares"])


@torch.inference_mode()
def _bits(model: Transformer, examples: list[Example]) -> float:
    total, count = 0.0, 0
    for group in cells(sorted(examples, key=lambda e: len(e.positions)), CELL):
        losses, counted = cell_losses(model, group)
        total += float(losses.sum()) / LN2
        count += int(counted)
    return total / count
