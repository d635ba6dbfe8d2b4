"""Counts of what followed what, and probabilities interpolated from them.

A table is two sorted arrays: keys, each a context's hash and a symbol, and how often they came. All symbols of one
context lie side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
SYMBOLS = 512
"""A symbol is less than this."""
_WIDTH = np.uint64(SYMBOLS.bit_length() - 1)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)


def hashed(columns: Sequence[Numbers]) -> Keys:
    """One hash of 54 bits a row of equally long columns of integers ≥ 0, (n,) each.

    Of the ten million contexts of a large table it is unlikely that any two fall together.
    """
    mixed = np.full(len(columns[0]), len(columns), dtype=np.uint64) * _MIX
    for column in columns:
        mixed = (mixed ^ (mixed >> np.uint64(29)) ^ (column.astype(np.uint64) + _ONE)) * _MIX
        mixed ^= mixed >> np.uint64(32)
    return mixed >> (_WIDTH + _ONE)


def keys_of(contexts: Keys, symbols: Numbers) -> Keys:
    """A key for each context and symbol, both (n,)."""
    return (contexts << _WIDTH) | symbols.astype(np.uint64)


@dataclass(frozen=True, slots=True)
class Table:
    """Counts of what came in the contexts of one length."""

    keys: Keys
    """(entries,), rising."""
    before: Numbers
    """(entries + 1,): the sum of the counts before each entry."""

    @classmethod
    def of(cls, keys: Keys, counts: Numbers | None = None) -> Table:
        """A table of keys in any order, each with a count, or once."""
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        own = np.ones(len(keys), dtype=np.int64) if counts is None else counts[order]
        first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        before = np.append(0, np.cumsum(own))
        return cls(keys[first], np.append(before[first], before[-1]))

    @property
    def counts(self) -> Numbers:
        """(entries,)"""
        return np.diff(self.before)

    def found(self, contexts: Keys, symbols: Numbers) -> Found:
        """What the table knows of symbols in contexts, both (n,)."""
        if not len(self.keys):
            none = np.zeros(len(contexts), dtype=np.int64)
            return Found(none, none, none)
        low = np.searchsorted(self.keys, contexts << _WIDTH)
        high = np.searchsorted(self.keys, (contexts + _ONE) << _WIDTH)
        wanted = keys_of(contexts, symbols)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        seen = np.where(self.keys[place] == wanted, self.before[place + 1] - self.before[place], 0)
        return Found(seen, self.before[high] - self.before[low], high - low)


Tables = dict[str, list[Table]]
"""By name and length of context."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came in some contexts: (n,) each."""

    seen: Numbers
    """How often the symbol came."""
    total: Numbers
    """How many symbols came, and of how many kinds."""
    kinds: Numbers

    def interpolated(self, lower: Shares, weight: float) -> Shares:
        """Probabilities of the symbols, from those in shorter contexts: (n,) both.

        Witten and Bell 1991, "The zero-frequency problem", method C: a context leaves kinds / (total + kinds) to the
        shorter one; here `weight` times the kinds.
        """
        left = weight * self.kinds
        return np.where(self.total > 0, (self.seen + left * lower) / np.maximum(self.total + left, 1e-9), lower)


def save(path: Path, tables: Tables) -> None:
    """Writes tables, whole or not at all."""
    arrays: dict[str, npt.NDArray[np.unsignedinteger]] = {}
    for name, own in tables.items():
        for level, table in enumerate(own):
            arrays[f"{name}.{level}.keys"] = table.keys
            arrays[f"{name}.{level}.counts"] = table.counts.astype(np.uint32)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    partial.replace(path)


def merged(paths: Sequence[Path], levels: Mapping[str, int]) -> Tables:
    """The sum of the tables that were saved at `paths`, by name so many as `levels` says."""
    files = [np.load(path) for path in paths]
    tables: Tables = {}
    for name, count in levels.items():
        tables[name] = []
        for level in range(count):
            keys = np.concatenate([file[f"{name}.{level}.keys"] for file in files])
            counts = np.concatenate([file[f"{name}.{level}.counts"] for file in files]).astype(np.int64)
            tables[name].append(Table.of(keys, counts))
    for file in files:
        file.close()
    return tables
