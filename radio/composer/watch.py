"""Early stopping by style: a style that is being learned by heart is heard less from then on.

Small styles are learned by heart long before large ones are learned at all; one stopping point for all would be wrong
for most. A style is learned by heart when its validation works cost more than they did and its training works less. If
both cost more, it is being forgotten, or the learning rate is high, and hearing it less would be the wrong remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from radio.composer.corpus import Corpus
from radio.composer.dataset import Example, example
from radio.composer.losses import cell_losses, cells
from radio.composer.model import Transformer
from radio.composer.window import Window, held
from radio.music import tokens

WINDOWS = 8
"""Of each style's works on either side of the split."""
WORSE = 0.005
"""Share by which the bits of a style's validation works must exceed their best."""
LEAST = 0.125
"""Of its usual share, that a style keeps."""
CELL = 6144
LN2 = float(np.log(2))


@dataclass(frozen=True, slots=True)
class Standing:
    """Bits a position of a style's windows."""

    validation: float
    training: float


@dataclass(slots=True)
class Watch:
    """Windows of each style's works, always the same, and how each style has fared on them."""

    windows: dict[str, tuple[list[Example], list[Example]]]
    """Of validation works, and of training works."""
    best: dict[str, Standing] = field(default_factory=dict)
    """When the validation works cost least."""
    shares: dict[str, float] = field(default_factory=dict)
    """What each style's share of the training windows is multiplied by."""

    @classmethod
    def over(cls, corpus: Corpus, context: int, seed: int = 0) -> Watch:
        """Openings and middles of works of every style, spread over the works."""
        styles = sorted({e.style for e in corpus.split(validation=True)})
        return cls(
            {
                style: (_windows(corpus, style, context, seed, True), _windows(corpus, style, context, seed, False))
                for style in styles
            }
        )

    def look(self, model: Transformer) -> dict[str, Standing]:
        """How each style stands, which is weighed."""
        found = {style: Standing(*(_bits(model, side) for side in own)) for style, own in self.windows.items()}
        self.weigh(found)
        return found

    def weigh(self, found: Mapping[str, Standing]) -> None:
        """Halves the share of what is being learned by heart, and doubles that of others up to 1."""
        for style, now in found.items():
            best, share = self.best.get(style), self.shares.get(style, 1.0)
            if best is None or now.validation < best.validation:
                self.best[style] = now
            by_heart = now.validation > (1 + WORSE) * self.best[style].validation
            by_heart = by_heart and now.training < self.best[style].training
            self.shares[style] = max(LEAST, share / 2) if by_heart else min(1.0, 2 * share)

    def state(self) -> dict[str, dict[str, Any]]:
        """What `restore` takes."""
        return {"best": {style: asdict(own) for style, own in self.best.items()}, "shares": dict(self.shares)}

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Goes on from what `state` gave."""
        self.best = {style: Standing(**own) for style, own in state["best"].items()}
        self.shares = dict(state["shares"])


def _windows(corpus: Corpus, style: str, context: int, seed: int, validation: bool) -> list[Example]:
    rng = np.random.default_rng((seed, validation))
    entries = [e for e in corpus.split(validation=validation) if e.style == style]
    order = rng.permutation(len(entries))
    found = []
    for number in range(WINDOWS):
        entry = entries[order[number % len(entries)]]
        positions = corpus.of(entry)
        lines = np.flatnonzero((positions[:, 0] >= tokens.BAR) & (positions[:, 0] < tokens.END))
        start = int(lines[rng.integers(max(1, len(lines) - 4))]) if number % 2 else 0
        count = min(len(positions), start + context - tokens.PREFIX_LENGTH)
        found.append(example(entry.prefix(), held(positions, Window(start, start, start), count), style))
    return found


@torch.inference_mode()
def _bits(model: Transformer, examples: list[Example]) -> float:
    total, count = 0.0, 0
    for group in cells(sorted(examples, key=lambda e: len(e.positions)), CELL):
        losses, counted = cell_losses(model, group)
        total += float(losses.sum()) / LN2
        count += int(counted)
    return total / count
