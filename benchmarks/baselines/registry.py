"""The five baselines by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.baselines.attention import Attention
from benchmarks.baselines.baseline import Baseline
from benchmarks.baselines.biaxial import BiaxialRolls
from benchmarks.baselines.flat import FlatTokens
from benchmarks.baselines.lstm import Lstm
from benchmarks.baselines.markov import Markov

BASELINES: dict[str, Callable[[], Baseline]] = {
    "markov": Markov,
    "lstm": Lstm,
    "attention": Attention,
    "biaxial": BiaxialRolls,
    "flat": FlatTokens,
}


def trained(name: str, runs: Path) -> Baseline:
    """A baseline as it was trained into `runs`.

    Raises:
        MissingError: it was not.
    """
    made = BASELINES[name]()
    made.load(runs / name)
    return made
