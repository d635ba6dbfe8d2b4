"""A Markov chain of order 5: listeners asked in 2015 for something "better than a good Markov chain".

Each slot has a chain of its own (`chains`). Probabilities are counts, interpolated from the longest context down to
none and from that to a uniform one, so that they sum to 1. How much a context leaves to the next shorter one is fitted,
length by length, on training pieces that were not counted.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.baselines.baseline import Bits, Order, Report, SlotBits, by_field, missing, silent
from benchmarks.baselines.chains import LEVELS, NAMES, Chain, chains, joined
from benchmarks.baselines.counts import Numbers, Shares, Table, Tables, keys_of, merged, save
from benchmarks.baselines.writing import write
from radio.composer.corpus import Corpus, Entry
from radio.composer.train import Progress
from radio.composer.window import Position
from radio.music import tokens
from radio.music.score import Bar, Prefix

SHARD = 500_000
"""Positions counted between checkpoints."""
ASIDE = 200_000
"""Positions that the weights are fitted on, at most a tenth of all."""
COUNTING = 0.7
"""Share of the budget for counting; the rest puts the counts together and fits the weights."""
WEIGHTS = tuple(2.0**k for k in range(-2, 13))
SEEN = 400
"""Positions looked back at in composing."""

Weights = dict[str, list[float]]


class Markov:
    """The chain, of one folder."""

    conditioned = True
    complete = True

    def __init__(self, shard: int = SHARD) -> None:
        self.shard = shard
        self.tables: Tables = {}
        self.weights: Weights = {}

    def train(
        self, corpus: Corpus, minutes: float, seed: int, out: Path, *, resume: bool = False, report: Report = silent
    ) -> Progress:
        """Counts training pieces in random order until the budget or the corpus is spent: each is counted once.

        At least one shard is counted. Shards stay in the folder, so that a larger budget can go on from them.
        """
        out.mkdir(parents=True, exist_ok=True)
        shards, aside = divided(corpus, seed, self.shard)
        standing = out / "standing.json"
        progress = Progress()
        if resume and standing.is_file():
            progress = Progress(**json.loads(standing.read_text(encoding="utf-8")))
        while progress.step < len(shards) and (progress.step == 0 or progress.seconds < COUNTING * 60 * minutes):
            began = time.perf_counter()
            shard = shards[progress.step]
            save(out / f"shard{progress.step}.npz", counted(corpus, shard))
            progress.step += 1
            progress.positions += sum(entry.count for entry in shard)
            progress.seconds += time.perf_counter() - began
            progress.rate = progress.positions / progress.seconds
            standing.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            report(progress)
        began = time.perf_counter()
        self.tables = merged([out / f"shard{number}.npz" for number in range(progress.step)], LEVELS)
        self.weights, progress.bits = fitted(self.tables, corpus, aside)
        save(out / "tables.npz", self.tables)
        (out / "weights.json").write_text(json.dumps(self.weights, indent=1) + "\n", encoding="utf-8")
        progress.seconds += time.perf_counter() - began
        report(progress)
        return progress

    def load(self, folder: Path) -> None:
        """Takes up what was trained."""
        if not (folder / "weights.json").is_file():
            raise missing(folder)
        self.tables = merged([folder / "tables.npz"], LEVELS)
        self.weights = json.loads((folder / "weights.json").read_text(encoding="utf-8"))

    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What a piece costs; of the prefix only the style is known."""
        return by_field(self.slot_bits(prefix, positions), positions)

    def slot_bits(self, prefix: Prefix, positions: tokens.Positions) -> SlotBits:
        """Bits of each slot of each position."""
        found = np.zeros(positions.shape)
        for chain in chains(positions, style_of(prefix)):
            found[chain.rows, tokens.RANGES[chain.name].slot] = -np.log2(self.shares(chain))
        return found

    def shares(self, chain: Chain) -> Shares:
        """Probability of each of a chain's ids: (n,)."""
        mixed = np.full(len(chain.rows), 1 / chain.size)
        for level, table in enumerate(self.tables[chain.name]):
            found = table.found(chain.contexts[level], chain.ids + chain.shifts[level])
            mixed = found.interpolated(mixed, self.weights[chain.name][level])
        return mixed

    def compose(self, order: Order) -> list[Bar]:
        """A new piece."""
        return write(Voice(self, style_of(order.prefix)), order)


class Voice:
    """A piece that the chain is writing."""

    def __init__(self, markov: Markov, style: int) -> None:
        self.markov, self.style = markov, style
        self.heard: list[Position] = []

    def scores(self, drawn: Sequence[int]) -> Tensor:
        """Logarithms of the probabilities of the next slot's ids."""
        slot = len(drawn)
        line = slot > 0 and drawn[0] >= tokens.BAR
        name = ("", "tempo", "left", "section", "repeat")[slot] if line else NAMES[slot]
        # The slots to come do not matter, so long as the row is a note's or a bar line's as it should be.
        row = (*(drawn or (1,)), *[1] * tokens.SLOTS)[: tokens.SLOTS]
        positions = np.array([*self.heard[-SEEN:], row], dtype=np.int32)
        chain = next(c for c in chains(positions, self.style) if c.name == name)
        ids, shares = distribution(self.markov, chain, int(np.flatnonzero(chain.rows == len(positions) - 1)[0]))
        logits = torch.full((tokens.SIZES[slot],), float("-inf"))
        logits[torch.from_numpy(ids)] = torch.from_numpy(np.log(shares)).float()
        return logits

    def hear(self, position: Position) -> None:
        """Takes the next position."""
        self.heard.append(position)


def distribution(markov: Markov, chain: Chain, place: int) -> tuple[Numbers, Shares]:
    """All ids that the chain's position at `place` could have, and the probability of each; they sum to 1."""
    ids = chain.first + np.arange(chain.size)
    contexts = tuple(np.repeat(own[place], chain.size) for own in chain.contexts)
    shifts = tuple(np.repeat(own[place], chain.size) for own in chain.shifts)
    whole = Chain(chain.name, np.repeat(chain.rows[place], chain.size), ids, chain.first, chain.size, contexts, shifts)
    return ids, markov.shares(whole)


def style_of(prefix: Prefix) -> int:
    """The style's number; one that was never counted if the prefix gives none."""
    return tokens.STYLES.index(prefix.style) if prefix.style in tokens.STYLES else len(tokens.STYLES)


def divided(corpus: Corpus, seed: int, shard: int) -> tuple[list[list[Entry]], list[Entry]]:
    """Training pieces in random order: shards of about `shard` positions, and those set aside for fitting."""
    entries = corpus.split(validation=False)
    order = [entries[index] for index in np.random.default_rng(seed).permutation(len(entries))]
    limit = min(ASIDE, sum(entry.count for entry in order) // 10)
    aside = [order.pop()]
    while sum(entry.count for entry in aside) + order[-1].count <= limit:
        aside.append(order.pop())
    shards: list[list[Entry]] = []
    size = shard
    for entry in order:
        if size >= shard:
            shards.append([])
            size = 0
        shards[-1].append(entry)
        size += entry.count
    return shards, aside


def all_chains(corpus: Corpus, entries: Sequence[Entry]) -> dict[str, Chain]:
    """The chains of several pieces, each joined end to end."""
    found: dict[str, list[Chain]] = defaultdict(list)
    for entry in entries:
        for chain in chains(corpus.of(entry), style_of(entry.prefix())):
            found[chain.name].append(chain)
    return {name: joined(parts) for name, parts in found.items()}


def counted(corpus: Corpus, entries: Sequence[Entry]) -> Tables:
    """The tables of some pieces."""
    return {
        name: [Table.of(keys_of(c, chain.ids + s)) for c, s in zip(chain.contexts, chain.shifts, strict=True)]
        for name, chain in all_chains(corpus, entries).items()
    }


def fitted(tables: Tables, corpus: Corpus, aside: Sequence[Entry]) -> tuple[Weights, float]:
    """The weight of each level that makes the pieces set aside cheapest, and their bits a position."""
    weights: Weights = {}
    total, positions = 0.0, sum(entry.count for entry in aside)
    for name, chain in all_chains(corpus, aside).items():
        mixed, weights[name] = np.full(len(chain.rows), 1 / chain.size), []
        for level, table in enumerate(tables[name]):
            found = table.found(chain.contexts[level], chain.ids + chain.shifts[level])
            tried = [found.interpolated(mixed, weight) for weight in WEIGHTS]
            best = int(np.argmin([-np.log2(shares).sum() for shares in tried]))
            mixed = tried[best]
            weights[name].append(WEIGHTS[best])
        total -= float(np.log2(mixed).sum())
    return weights, total / positions
