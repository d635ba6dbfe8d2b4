"""Constancy: whether music an hour after a channel's beginning is as true to its style as a minute after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from radio.composer.corpus import Corpus
from radio.composer.kit import panel
from radio.composer.kit.fidelity import Fidelity, Matrix, compared, fit, judged, tabulate
from radio.composer.style import WINDOW, features
from radio.music.score import Bar

MINUTES = (1, 60)
"""After which excerpts are taken."""


def excerpt(pieces: Sequence[Sequence[Bar]], minute: float) -> list[Bar]:
    """About WINDOW notes of pieces that follow each other, from the bar played at `minute` on; [] for fewer."""
    found: list[Bar] = []
    seconds, notes = 0.0, 0
    for bar in (bar for piece in pieces for bar in piece):
        seconds += bar.seconds
        if seconds > 60 * minute:
            found.append(bar)
            notes += len(bar.notes)
            if notes >= WINDOW:
                return found
    return []


class Ear:
    """A judge of styles that was fitted on the training works, and what human works are taken for under it."""

    def __init__(self, corpus: Corpus, seed: int = 0) -> None:
        train, held_out = (panel.works(corpus, validation=side, seed=seed) for side in (False, True))
        known = judged(train)
        self._train, self._held_out = (
            tabulate([piece for piece in side if piece.style in known], seed=seed) for side in (train, held_out)
        )
        self._judge = fit(self._train)

    def taken(self, streams: Sequence[Sequence[Sequence[Bar]]]) -> dict[str, list[str]]:
        """The style that each stream's excerpt is taken for, by minute; a stream is pieces that follow each other."""
        found: dict[str, list[str]] = {}
        for minute in MINUTES:
            excerpts = [own for own in (excerpt(stream, minute) for stream in streams) if own]
            rows = [features(own) for own in excerpts]
            found[str(minute)] = self._judge.model.predict(np.stack(rows)).tolist() if rows else []
        return found

    def fidelity(self, style_of: Mapping[str, str], taken: Mapping[str, Sequence[str]], seed: int = 0) -> Fidelity:
        """Style fidelity of channels, whose styles are given, from what their excerpts of one minute were taken for."""
        told: dict[str, Matrix] = {
            channel: (np.array(own)[:, None] == np.array(self._judge.styles)).astype(float)
            for channel, own in taken.items()
        }
        return compared(self._judge, style_of, told, self._train, self._held_out, seed=seed)
