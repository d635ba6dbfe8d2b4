"""Evaluation: how many bits a note costs on works that were kept back, and whether two channels can be told apart.

Bits a note: everything that has to be said — notes, bar lines and the end — divided by the number of notes, so that
models with other tokens can be compared. It is measured with the piece's own prefix, with none, and with wrong ones:
the same prefix with style, composer and form taken from a piece of another style. Which style that is moves the figure
by more than a hundredth of a bit, so several are drawn, and the mean is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from radio.composer.corpus import Corpus, Entry
from radio.composer.dataset import Example, example
from radio.composer.losses import cell_losses, cells
from radio.composer.model import Transformer
from radio.composer.window import Context, Held, held
from radio.music import tokens
from radio.music.score import Prefix

KINDS = ("right", "none", "wrong")
DEALT = 2
"""How often each of the other styles is the wrong one of some piece of a style."""
MEASURED = 3000
"""Positions of a piece that are measured at most."""
LN2 = math.log(2)


@dataclass(frozen=True, slots=True)
class Figures:
    """Bits a note of one style, by kind of prefix, and how much was measured; no "wrong" where no other style is."""

    bits: dict[str, float]
    notes: int
    pieces: int
    works: int


def windows(positions: tokens.Positions, room: int) -> Iterator[tuple[Held, int]]:
    """All windows that a piece goes through, each with the count of its positions that one before has covered.

    They are those of a piece as it is composed, so that what is measured has before it what it has on air.
    """
    context, began = Context(room), 0
    window = context.window
    for index, position in enumerate(map(tuple, positions.tolist()), 1):
        if not context.add(position):
            continue
        yield held(positions, window, index), window.size(began)
        window, began = context.window, index
    if began < len(positions):
        yield held(positions, window, len(positions)), window.size(began)


def prefixes(entry: Entry, strangers: Iterable[Entry]) -> dict[str, list[Prefix]]:
    """What a piece is measured with, by KINDS; the wrong ones have style, composer and form of the strangers."""
    right = entry.prefix()
    wrong = [replace(right, style=other.style, composer=other.composer, form=other.form) for other in strangers]
    return {"right": [right], "none": [Prefix()], "wrong": wrong}


def dealt(others: Mapping[str, Sequence[Entry]], pieces: int, rng: np.random.Generator) -> Iterator[list[Entry]]:
    """Strangers for each of so many pieces: every style of `others` at least DEALT times, but once a piece at most."""
    styles = rng.permutation(sorted(others)).tolist()
    hand = min(-(-DEALT * len(styles) // max(pieces, 1)), len(styles))
    for piece in range(pieces):
        drawn = (others[styles[(piece * hand + card) % len(styles)]] for card in range(hand))
        yield [own[int(rng.integers(len(own)))] for own in drawn]


def chosen_from(entries: Sequence[Entry], budget: int, rng: np.random.Generator) -> list[Entry]:
    """Pieces in random order until `budget` positions are reached, MEASURED at most of each; three at least."""
    chosen: list[Entry] = []
    for index in rng.permutation(len(entries)):
        if len(chosen) >= 3 and sum(min(e.count, MEASURED) for e in chosen) >= budget:
            break
        chosen.append(entries[index])
    return chosen


@torch.inference_mode()
def bits_per_note(
    model: Transformer,
    corpus: Corpus,
    *,
    budget: int = 12000,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
    part: Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]] = lambda style, measure: measure(),
) -> dict[str, Figures]:
    """Figures of every style's validation pieces, about `budget` positions of each, MEASURED at most of a piece.

    `part` is given each style and what measures it, so that it may know the figures already.
    """
    entries = corpus.split(validation=True)
    of = {style: [e for e in entries if e.style == style] for style in sorted({e.style for e in entries})}
    found: dict[str, Figures] = {}
    for done, style in enumerate(of, 1):
        rng = np.random.default_rng((seed, done))
        measure = partial(_figures, model, corpus, style, of, budget, rng)
        found[style] = Figures(**part(style, measure))
        progress(done, len(of))
    return found


def _figures(
    model: Transformer,
    corpus: Corpus,
    style: str,
    of: Mapping[str, Sequence[Entry]],
    budget: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Fields of a style's Figures."""
    chosen = chosen_from(of[style], budget, rng)
    bits: dict[str, float] = {}
    notes = 0
    others = {name: entries for name, entries in of.items() if name != style}
    for entry, strangers in zip(chosen, dealt(others, len(chosen), rng), strict=True):
        positions = corpus.of(entry)[:MEASURED]
        notes += int((positions[:, 0] < tokens.BAR).sum())
        for kind, given in prefixes(entry, strangers).items():
            if given:
                mean = sum(_bits(model, prefix, positions) for prefix in given) / len(given)
                bits[kind] = bits.get(kind, 0.0) + mean
    per_note = {kind: total / notes for kind, total in bits.items()}
    return asdict(Figures(per_note, notes, len(chosen), len({e.work for e in chosen})))


def _bits(model: Transformer, prefix: Prefix, positions: tokens.Positions) -> float:
    """All bits of one piece under one prefix."""
    pieces = [(example(prefix, body), known) for body, known in windows(positions, model.config.room)]
    known = {id(e): n for e, n in pieces}
    total = 0.0
    for group in cells(sorted((e for e, _ in pieces), key=_length), 6144):
        losses, _ = cell_losses(model, group)
        for row, e in enumerate(group):
            total += float(losses[row, known[id(e)] :].sum()) / LN2
    return total


def _length(e: Example) -> int:
    return len(e.positions)
