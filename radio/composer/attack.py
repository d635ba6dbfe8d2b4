"""The attack by prompt: the composer is given the opening of a work that it was trained on; how much of it follows?

That is how verbatim memory is looked for in language models (Carlini et al. 2023, "Quantifying memorization across
neural language models"). The opening comes with the work's own prefix, so the composer is told all it could be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radio.composer import guard, planner, weights
from radio.composer.corpus import Corpus, Entry
from radio.composer.engine import Engine
from radio.composer.kit.bootstrap import Interval, interval
from radio.composer.memory import Recall, Tokens, line, line_in, recalled
from radio.composer.planner import Style
from radio.composer.writer import Numbers, Writer, advance
from radio.config import ChannelConfig, PrefixConfig
from radio.music import tokens
from radio.music.score import Bar, Piece

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
    positions = corpus.of(entry)
    whole = line_in(positions)
    if len(whole) < PROMPT + AFTER:
        return None
    bars = tokens.decode(positions, entry.tempo)
    for count in range(1, len(bars)):
        given = len(line(bars[:count])) + 1
        if given >= PROMPT:
            return Target(entry, tuple(bars[:count]), whole, given)
    return None


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
            writers = [_prompted(own, skeletons, engine, row, guards.of(style), seed) for row, own in enumerate(chosen)]
            told = [
                recalled(own.line, composed, prompt=own.given)
                for own, composed in zip(chosen, _continued(engine, chosen, writers), strict=True)
            ]
            found[style] = _summed(chosen, told, seed)
        progress(style)
    return found


def _prompted(
    target: Target, skeletons: dict[str, Style], engine: Engine, row: int, own: guard.Guard, seed: int
) -> Writer:
    style = target.entry.style
    channel = ChannelConfig(style, style, prefix=PrefixConfig(style=style))
    writer = Writer(channel, skeletons, engine, row, seed=(seed, row), numbers=Numbers(None, style), guard=own)
    writer.resume(Piece(target.entry.prefix(), target.entry.title, target.opening, 1, seed))
    return writer


def _continued(engine: Engine, chosen: Sequence[Target], writers: Sequence[Writer]) -> Iterator[Tokens]:
    """The line of each opening with what was composed after it, long enough to be compared or to the piece's end."""
    done: dict[int, Tokens] = {}
    bars = dict.fromkeys(range(len(writers)), 0)
    while left := [row for row in range(len(writers)) if row not in done]:
        advance(engine, [writers[row] for row in left])
        for row in left:
            written = _written(writers[row])
            if len(written) == bars[row]:
                continue
            bars[row] = len(written)
            own = line((*chosen[row].opening, *written))
            if len(own) >= chosen[row].given + AFTER or written[-1].left == 1:
                done[row] = own[: chosen[row].given + AFTER]
    yield from (done[row] for row in range(len(writers)))


def _written(writer: Writer) -> list[Bar]:
    """The bars that were composed of the piece that was prompted."""
    found: list[Bar] = []
    for item in writer.queue:
        if isinstance(item, Piece):
            break
        found.append(item)
    return found


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
