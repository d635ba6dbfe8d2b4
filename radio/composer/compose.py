"""Composing off the air: whole pieces of one channel, several at a time in one batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from radio.composer import guard, planner, weights
from radio.composer.engine import Engine
from radio.composer.writer import Numbers, Writer, advance
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig

ABREAST = 8
"""Pieces written at a time."""


def of_length(channel: ChannelConfig, bars: int) -> ChannelConfig:
    """The channel, its pieces `bars` bars long."""
    return replace(channel, prefix=replace(channel.prefix, bars=(bars, bars)))


def compose(
    model: Path,
    channel: ChannelConfig,
    count: int,
    seed: int,
    *,
    device: str = "cpu",
    abreast: int = ABREAST,
    guarded: bool = True,
) -> Iterator[Piece | Bar]:
    """`count` pieces: each comes whole, with its bars, as it is finished; every bar is also given as it is written."""
    for _, item in streams(model, channel, count, seed, device=device, abreast=abreast, guarded=guarded):
        yield item


def streams(
    model: Path,
    channel: ChannelConfig,
    count: int,
    seed: int,
    *,
    device: str = "cpu",
    abreast: int = ABREAST,
    guarded: bool = True,
) -> Iterator[tuple[int, Piece | Bar]]:
    """What `compose` gives, each with the number of its stream, 0 to `abreast` − 1: pieces that follow each other.

    Without the guard everything passes that the model writes.

    Raises:
        MissingError, ModelError: the model cannot be used.
    """
    rows = min(count, abreast)
    engine = Engine(weights.load(model, device), rows)
    styles = planner.load(model)
    numbers = Numbers(None, channel.name)
    own = (guard.load(model) if guarded else guard.NONE).of(channel.prefix.style)
    writers = [
        Writer(channel, styles, engine, row, seed=(seed, row), numbers=numbers, guard=own) for row in range(rows)
    ]
    begun: dict[int, Piece] = {}
    left = count - rows
    while writers:
        advance(engine, writers)
        for writer in tuple(writers):
            while writer.queue:
                item = writer.queue.popleft()
                if isinstance(item, Piece):
                    begun[writer.number] = item
                    continue
                piece = begun[writer.number]
                begun[writer.number] = piece.with_bars((*piece.bars, item))
                yield writer.number, item
                if item.left == 1:
                    certificate = str(writer.certificate or "")
                    yield writer.number, replace(begun.pop(writer.number), certificate=certificate)
                    left -= 1
                    if left < 0:
                        writers.remove(writer)
