"""Draws of works: the bootstrap, which tells how far a figure would move with other works, and even and whole draws.

A work is what was chosen independently of all others. Its windows are alike, so they are never drawn on their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]
Indices = npt.NDArray[np.int64]
T = TypeVar("T")

LEVEL = 0.95
"""Share of intervals that hold the true figure, if there are works enough."""
DRAWS = 1000
"""Times that groups are drawn anew."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the interval it lies in."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several draws."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float] | Values) -> Spread:
        """Mean and standard deviation of the values."""
        return cls(float(np.mean(values)), float(np.std(values)))

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.sd:.2f}"


def replicates(
    statistic: Callable[[Sequence[T]], float],
    groups: Sequence[T],
    *,
    strata: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Values:
    """The statistic of groups drawn again with replacement, (draws,).

    A group is a work with all its windows. With `strata`, one for each group, every stratum keeps its number of groups.

    Raises:
        ValueError: a stratum has fewer than two groups: nothing can be said of how much they differ.
    """
    if strata is not None and len(strata) != len(groups):
        raise ValueError(f"got {len(groups)} groups and {len(strata)} strata, wanted a stratum for each group")
    members: dict[Hashable, list[int]] = {}
    for index, stratum in enumerate(strata if strata is not None else [None] * len(groups)):
        members.setdefault(stratum, []).append(index)
    fewest = min(map(len, members.values()), default=0)
    if fewest < 2:
        raise ValueError(f"got {fewest} works or pieces to draw from, wanted 2 or more; give more music")
    rng = np.random.default_rng(seed)
    drawn = np.hstack([np.array(own)[rng.integers(len(own), size=(draws, len(own)))] for own in members.values()])
    return np.array([statistic([groups[index] for index in row]) for row in drawn.tolist()])


def around(value: float, values: Values, level: float = LEVEL) -> Interval:
    """The figure with the middle `level` of its replicates: the percentile interval.

    Raises:
        ValueError: the figure or a replicate is not a finite number.
    """
    if not (np.isfinite(value) and np.isfinite(values).all()):
        raise ValueError("got a figure that is not a finite number; wanted one defined for any choice of the groups")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def interval(
    statistic: Callable[[Sequence[T]], float],
    groups: Sequence[T],
    *,
    strata: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """The statistic of the groups with its percentile bootstrap interval (Efron, Annals of Statistics 7, 1979).

    With fewer than about ten groups the interval is too narrow.

    Raises:
        ValueError: too few groups, or a statistic that is not always a finite number.
    """
    return around(statistic(groups), replicates(statistic, groups, strata=strata, draws=draws, seed=seed), level)


def evenly(works: Sequence[str] | Labels, limit: int | None, rng: np.random.Generator) -> Indices:
    """Indices of at most `limit` windows, drawn so that no work gives a second before all have given a first."""
    rank: dict[int, int] = {}
    given: Counter[str] = Counter()
    for index in rng.permutation(len(works)).tolist():
        rank[index] = given[works[index]]
        given[works[index]] += 1
    return np.array(sorted(sorted(rank, key=rank.__getitem__)[:limit]), dtype=np.int64)


def half(works: Labels, size: int, rng: np.random.Generator) -> Indices:
    """Indices of `size` windows, drawn evenly from half of the works, or from more where those have not so many.

    Figures of half-samples vary as those of a bootstrap do (McCarthy, Review of the International Statistical
    Institute 37, 1969), and no window comes twice, which a covariance would take for a lack of variety.
    """
    names, counts = np.unique(works, return_counts=True)
    order = rng.permutation(len(names))
    enough = int(np.searchsorted(np.cumsum(counts[order]), size)) + 1
    chosen = np.flatnonzero(np.isin(works, names[order[: max(enough, (len(names) + 1) // 2)]]))
    return np.asarray(chosen[evenly(works[chosen], size, rng)])
