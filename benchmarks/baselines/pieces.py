"""Training pieces for baselines that do not know the prefix: drawn and transposed as our own model's are."""

from __future__ import annotations

import numpy as np

from radio.composer.corpus import Corpus, Entry
from radio.composer.dataset import Windows, shift_range, transposed
from radio.music import tokens


class Pieces(Windows):
    """Whole pieces, drawn by the size of their style and by their own."""

    def __init__(self, corpus: Corpus, entries: tuple[Entry, ...], seed: int) -> None:
        super().__init__(corpus, entries, context=2 * tokens.PREFIX_LENGTH, seed=seed)

    def piece(self, rng: np.random.Generator) -> tokens.Positions:
        """A piece at a random pitch: (n, SLOTS)."""
        self.rng = rng
        positions = self.corpus.of(self.entry())
        low, high = shift_range(positions)
        return transposed(positions, int(rng.integers(low, high + 1)))
