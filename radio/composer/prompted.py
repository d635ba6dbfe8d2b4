"""Playing on: openings that others wrote, and what the composer makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radio.composer.corpus import Corpus, Entry
from radio.composer.engine import Engine
from radio.composer.guard import Guards
from radio.composer.planner import Style
from radio.composer.writer import Numbers, Writer, advance
from radio.music import tokens
from radio.music.score import Bar, Piece, Prefix
from radio.settings import ChannelConfig, PrefixConfig

Enough = Callable[[int, Sequence[Bar]], bool]
"""Told the number of a prompt and what was composed after it: whether that will do."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """An opening, and what the composer is told of the piece."""

    prefix: Prefix
    opening: tuple[Bar, ...]


def opening(corpus: Corpus, entry: Entry, enough: Callable[[Sequence[Bar]], bool]) -> tuple[Bar, ...]:
    """The first bars of a work that are enough; none if that would be all of it."""
    bars = tokens.decode(corpus.of(entry), entry.tempo)
    count = next((count for count in range(1, len(bars)) if enough(bars[:count])), 0)
    return tuple(bars[:count])


def played_on(
    engine: Engine, styles: dict[str, Style], guards: Guards, prompts: Sequence[Prompt], seed: int, enough: Enough
) -> list[list[Bar]]:
    """The bars composed after each opening, until they are enough or the piece ends; as many prompts as there are rows.

    Raises:
        ModelError: the model has no plans for a prompt's style.
    """
    writers = [_writer(engine, styles, guards, row, prompt, seed) for row, prompt in enumerate(prompts)]
    found: list[list[Bar]] = [[] for _ in prompts]
    left = set(range(len(prompts)))
    while left:
        advance(engine, [writers[row] for row in sorted(left)])
        for row in sorted(left):
            written = _written(writers[row])
            if len(written) > len(found[row]):
                found[row] = written
                if written[-1].left == 1 or enough(row, written):
                    left.discard(row)
    return found


def _writer(engine: Engine, styles: dict[str, Style], guards: Guards, row: int, prompt: Prompt, seed: int) -> Writer:
    style = prompt.prefix.style
    channel = ChannelConfig(style, style, prefix=PrefixConfig(style=style))
    made = Writer(channel, styles, engine, row, seed=(seed, row), numbers=Numbers(None, style), guard=guards.of(style))
    made.resume(Piece(prompt.prefix, "", prompt.opening, 1, seed))
    return made


def _written(writer: Writer) -> list[Bar]:
    """The bars composed of the piece that was prompted."""
    found: list[Bar] = []
    for item in writer.queue:
        if isinstance(item, Piece):
            break
        found.append(item)
    return found
