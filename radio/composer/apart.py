"""Whether two channels sound different: a classifier fitted on the corpus judges pieces composed for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radio.composer.compose import compose
from radio.composer.corpus import Corpus, Entry
from radio.composer.style import Features, classifier, features, windows
from radio.config import ChannelConfig
from radio.music import tokens
from radio.music.score import Bar, Piece


@dataclass(frozen=True, slots=True)
class Apart:
    """How many pieces of two channels a classifier told right."""

    channels: tuple[str, str]
    right: int
    pieces: int
    real: float
    """The same classifier's share right among windows of real works it was not fitted on."""
    ended: int
    """Pieces whose last bar was the planned last bar."""


def _real(corpus: Corpus, entries: Sequence[Entry], most: int, rng: np.random.Generator) -> list[list[Bar]]:
    found: list[list[Bar]] = []
    for index in rng.permutation(len(entries)):
        entry = entries[index]
        found += windows(tokens.decode(corpus.of(entry), entry.tempo))[:6]
        if len(found) >= most:
            break
    return found


def tell_apart(
    model: Path,
    corpus: Corpus,
    channels: tuple[ChannelConfig, ChannelConfig],
    pieces: int,
    seed: int,
    progress: Callable[[], None] = lambda: None,
) -> Apart:
    """Composes `pieces` pieces for each of two channels and has a classifier of their two styles judge them.

    The classifier sees no timbre: it must tell them by their notes. A piece counts by the mean of its windows'
    probabilities.
    """
    rng = np.random.default_rng(seed)
    rows: list[Features] = []
    labels: list[int] = []
    real_rows: list[Features] = []
    real_labels: list[int] = []
    for label, channel in enumerate(channels):
        for validation in (False, True):
            own = [e for e in corpus.split(validation=validation) if e.style == channel.prefix.style]
            fitted = [features(w) for w in _real(corpus, own, 60 if validation else 300, rng)]
            (real_rows if validation else rows).extend(fitted)
            (real_labels if validation else labels).extend([label] * len(fitted))
    judge = classifier().fit(np.stack(rows), labels)
    right = ended = 0
    for label, channel in enumerate(channels):
        for item in compose(model, channel, pieces, seed):
            if not isinstance(item, Piece):
                continue
            chances = judge.predict_proba(np.stack([features(w) for w in windows(item.bars)]))[:, label]
            right += bool(chances.mean() > 0.5)
            ended += item.bars[-1].left == 1 and len(item.bars) == item.prefix.bars
            progress()
    real = float(np.mean(judge.predict(np.stack(real_rows)) == np.array(real_labels)))
    return Apart((channels[0].name, channels[1].name), right, 2 * pieces, real, ended)
