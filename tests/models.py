"""A small model folder and its training data, made from a corpus of tunes. Untrained, it still writes valid bars."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch

import music
from radio.composer import corpus, guard, planner, weights
from radio.composer.engine import Engine
from radio.composer.kit.collapse import Limits
from radio.composer.model import ModelConfig, Transformer
from radio.composer.writer import Numbers, Writer
from radio.settings import ChannelConfig, PrefixConfig

ANYTHING = Limits((0.0, 99.0), (0.0, 9.0), 99, 99.0, 999.0, False)
"""Limits that let everything pass."""
UNGUARDED = guard.NONE.of("bach")
"""A guard that lets everything pass."""
TINY = ModelConfig(width=32, layers=2, heads=2, head_width=32, context=160)


@lru_cache
def data() -> Path:
    """The training data of the small corpus; made once in each process."""
    folder = Path(mkdtemp(prefix="radio-tests-"))
    corpus.build(music.corpus(folder / "corpus"), folder / "data", workers=1)
    return folder / "data"


@lru_cache
def model() -> Path:
    """A model folder with random weights."""
    torch.manual_seed(0)
    folder = data().parent / "model"
    made = Transformer(TINY)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    weights.save(folder, made, {})
    planner.save(folder, corpus.Corpus.load(data()))
    guard.save(folder, corpus.Corpus.load(data()))
    return folder


def channel(name: str = "bach", **prefix: object) -> ChannelConfig:
    """A channel of the small model."""
    return ChannelConfig(name, name.title(), prefix=PrefixConfig(style=name, **prefix))  # type: ignore[arg-type]


def writer(
    own: ChannelConfig, style: planner.Style | None = None, *, heeds: guard.Guard = UNGUARDED, seed: int = 5
) -> Writer:
    """One that writes a channel with the small model, or as a style of its own has it, on an engine of its own."""
    styles = planner.load(model()) if style is None else {own.prefix.style: style}
    engine = Engine(weights.load(model()), 1)
    return Writer(own, styles, engine, 0, seed=(seed, 0), numbers=Numbers(None, own.name), guard=heeds)
