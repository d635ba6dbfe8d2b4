"""The attack by prompt: the composer is given the opening of a work that it was trained on; how much of it follows?

That is how verbatim memory is looked for in language models (Carlini et al. 2023, "Quantifying memorization across
neural language models"). The opening comes with the work's own prefix, so the composer is told all it could be told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radio.composer import guard, planner, weights
from radio.composer.corpus import Corpus, Entry
from radio.composer.engine import Engine
from radio.composer.kit.bootstrap import Interval, interval
from radio.composer.memory import Recall, Tokens, line, line_in, recalled
from radio.composer.planner import Style
from radio.composer.prompted import Prompt, opening, played_on
from radio.music.score import Bar

PROMPT = 16
"""Notes of the highest voice that are given, and those up to the next bar line."""
AFTER = 64
"""Notes of the highest voice that are compared after them."""
WORKS = 8
"""Works of each style."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What came of the attacks on works of one style."""

    works: int
    in_a_row: int
    """The most notes of a work that followed its opening at once."""
    share: Interval
    """Share of the notes compared that are the work's, each in its place; the mean over works."""
    chance: float
    """The same for other works of the style in the place of what was composed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A work to be attacked: its entry, its opening, its line, and how many notes of that the opening holds."""

    entry: Entry
    opening: tuple[Bar, ...]
    line: Tokens
    given: int


def targets(corpus: Corpus, style: str, count: int, seed: int) -> list[Target]:
    """At most so many training works of a style that are long enough, in random order."""
    entries = [entry for entry in corpus.split(validation=False) if entry.style == style]
    found: list[Target] = []
    works: set[str] = set()
    for index in np.random.default_rng((seed, 5)).permutation(len(entries)).tolist():
        entry = entries[index]
        own = None if entry.work in works else _target(corpus, entry)
        if own is not None:
            works.add(entry.work)
            found.append(own)
        if len(found) == count:
            break
    return found


def _target(corpus: Corpus, entry: Entry) -> Target | None:
    whole = line_in(corpus.of(entry))
    bars = opening(corpus, entry, lambda bars: len(line(bars)) + 1 >= PROMPT) if len(whole) >= PROMPT + AFTER else ()
    return Target(entry, bars, whole, len(line(bars)) + 1) if bars else None


def attack(
    model: Path,
    corpus: Corpus,
    styles: Sequence[str],
    seed: int,
    *,
    works: int = WORKS,
    guarded: bool = True,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda style: None,
) -> dict[str, Attack]:
    """Attacks works of each style; a style without two works that have a melody long enough is left out.

    Args:
        progress: told each style when it is done.

    Raises:
        MissingError, ModelError: the model cannot be used.
    """
    skeletons, guards = planner.load(model), guard.load(model) if guarded else guard.NONE
    engine = Engine(weights.load(model, device), works)
    found = {}
    for style in styles:
        chosen = targets(corpus, style, works, seed)
        if len(chosen) > 1:
            told = [
                recalled(own.line, line((*own.opening, *bars))[: own.given + AFTER], prompt=own.given)
                for own, bars in zip(chosen, _continued(engine, skeletons, guards, chosen, seed), strict=True)
            ]
            found[style] = _summed(chosen, told, seed)
        progress(style)
    return found


def _continued(
    engine: Engine, styles: dict[str, Style], guards: guard.Guards, chosen: Sequence[Target], seed: int
) -> list[list[Bar]]:
    """What is composed after each opening, so much that it can be compared."""

    def enough(row: int, written: Sequence[Bar]) -> bool:
        return len(line((*chosen[row].opening, *written))) >= chosen[row].given + AFTER

    prompts = [Prompt(own.entry.prefix(), own.opening) for own in chosen]
    return played_on(engine, styles, guards, prompts, seed, enough)


def _summed(chosen: Sequence[Target], told: Sequence[Recall], seed: int) -> Attack:
    tails = [own.line[own.given - 1 :][:AFTER] for own in chosen]
    pairs = [(one, other) for one in tails for other in tails if one is not other]
    chance = [float((one[: len(other)] == other[: len(one)]).mean()) for one, other in pairs]
    shares = [own.share for own in told]
    return Attack(
        len(told),
        max(own.in_a_row for own in told),
        interval(lambda drawn: float(np.mean(drawn)), shares, seed=seed),
        round(float(np.mean(chance)), 4),
    )
