"""Whether two channels sound different: a classifier fitted on the corpus judges pieces composed for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radio.composer.corpus import Corpus, Entry
from radio.composer.style import Features, classifier, features, windows
from radio.music import tokens
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig


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
    corpus: Corpus,
    first: tuple[ChannelConfig, Sequence[Piece]],
    second: tuple[ChannelConfig, Sequence[Piece]],
    seed: int = 0,
) -> Apart:
    """Has a classifier of two channels' styles judge the pieces composed for them.

    The classifier sees no timbre: it must tell them by their notes. A piece counts by the mean of its windows'
    probabilities.
    """
    rng = np.random.default_rng(seed)
    rows: list[Features] = []
    labels: list[int] = []
    real_rows: list[Features] = []
    real_labels: list[int] = []
    for label, (channel, _) in enumerate((first, second)):
        for validation in (False, True):
            own = [e for e in corpus.split(validation=validation) if e.style == channel.prefix.style]
            fitted = [features(w) for w in _real(corpus, own, 60 if validation else 300, rng)]
            (real_rows if validation else rows).extend(fitted)
            (real_labels if validation else labels).extend([label] * len(fitted))
    judge = classifier().fit(np.stack(rows), labels)
    right = ended = 0
    for label, (_, pieces) in enumerate((first, second)):
        for item in pieces:
            chances = judge.predict_proba(np.stack([features(w) for w in windows(item.bars)]))[:, label]
            right += bool(chances.mean() > 0.5)
            ended += item.bars[-1].left == 1 and len(item.bars) == item.prefix.bars
    real = float(np.mean(judge.predict(np.stack(real_rows)) == np.array(real_labels)))
    return Apart((first[0].name, second[0].name), right, len(first[1]) + len(second[1]), real, ended)
