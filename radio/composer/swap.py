"""The tag swap: one opening and one seed, played on once as the right style and once as another.

What then differs is what the tag says. How much, is judged by the classifier of `radio.composer.kit.fidelity`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from radio.composer import guard, planner, weights
from radio.composer.corpus import Corpus, Entry
from radio.composer.engine import Engine
from radio.composer.kit.bootstrap import Interval
from radio.composer.kit.fidelity import Judge, Pair, tag_swap
from radio.composer.prompted import Prompt, opening, played_on
from radio.composer.style import WINDOW
from radio.music.score import Bar

OPENING = 16
"""Notes that are given, and those up to the next bar line."""
PAIRS = 4
"""Of each style."""


def tag_swaps(
    model: Path,
    corpus: Corpus,
    judge: Judge,
    styles: Sequence[str],
    seed: int,
    *,
    pairs: int = PAIRS,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda style: None,
) -> Interval:
    """How much likelier the right tag makes its style than another tag does, −1 to 1, after openings of works that
    were kept back.

    Args:
        progress: told each style when it is done.

    Raises:
        MissingError, ModelError: the model cannot be used.
        ValueError: fewer than two styles, or one that the judge does not know.
    """
    if len(styles) < 2:
        raise ValueError(f"got the styles {', '.join(styles)}, wanted two or more to swap")
    skeletons, guards = planner.load(model), guard.load(model)
    engine = Engine(weights.load(model, device), 2 * pairs)
    rng = np.random.default_rng((seed, 6))
    found: list[Pair] = []
    for style in styles:
        prompts: list[Prompt] = []
        for entry in _chosen(corpus, style, pairs, rng):
            other = str(rng.choice([own for own in styles if own != style]))
            bars = opening(corpus, entry, lambda bars: _notes(bars) >= OPENING)
            prompts += [Prompt(replace(entry.prefix(), style=s, composer="", form=""), bars) for s in (style, other)]
        composed = played_on(engine, skeletons, guards, prompts, seed, lambda _, bars: _notes(bars) >= WINDOW)
        found += [Pair(style, *both) for both in zip(composed[::2], composed[1::2], strict=True)]
        progress(style)
    return tag_swap(judge, found, seed=seed)


def _chosen(corpus: Corpus, style: str, count: int, rng: np.random.Generator) -> list[Entry]:
    entries = [e for e in corpus.split(validation=True) if e.style == style and e.bars > 8]
    return [entries[index] for index in rng.permutation(len(entries))[:count]]


def _notes(bars: Sequence[Bar]) -> int:
    return sum(len(bar.notes) for bar in bars)
