"""Cadences: the last bars of a piece lean on what human endings have and the middle of a piece has not.

The bar line tells the model how many bars are left, but endings are a small part of what it was trained on, and it
hardly foretells other notes for the last bar than for any other. So it is counted, style by style, how much likelier
each pitch, each length and the end itself are in the last bars of human pieces that close than further from the end,
and the logarithms of these ratios are added to the model's logits: Bayes' rule, for a model that does not know how near
the end is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from radio.composer.sampling import Numbers as Logits
from radio.composer.sampling import lean_within_octaves
from radio.music import grammar, keys, tokens
from radio.music.meters import METERS
from radio.music.score import BEAT, DRUMS

REACH = 8
"""Bars before the end in which the music comes home."""
STAGES = 6
"""Far from the end; the bars before the last two; the two halves of the last but one; the two halves of the last."""
LAST = 4
"""The first stage of the last bar."""
BANDS = (0, 53, 72)
"""Lower edges, as MIDI keys, of bass, middle and treble."""
QUARTERS = 4
"""Parts of a bar by which its end is told."""
SHARED = 30.0
"""How many notes of its own weigh as much in a style as what all styles have together."""
MOST = 3.0
"""Nats by which anything is made likelier or less likely at most."""

Numbers = npt.NDArray[np.float64]
_PROGRAM, _PITCH, _DURATION = (tokens.RANGES[name] for name in ("program", "pitch", "duration"))
_LENGTHS = np.array(tokens.DURATIONS)


@dataclass(slots=True)
class Counts:
    """Of the notes of pieces that close."""

    pitches: Numbers = field(default_factory=lambda: np.zeros((2, STAGES, len(BANDS), 12)))
    """By mode (major, minor), stage and band: notes of each pitch class above the tonic."""
    ended: Numbers = field(default_factory=lambda: np.zeros((2, QUARTERS, 2)))
    """In other bars and in the last, by quarter of the bar: notes that another follows in it, and that none does."""
    held: Numbers = field(default_factory=lambda: np.zeros((2, QUARTERS, 2)))
    """Likewise, notes that end before their bar does, and that do not."""

    def add(self, positions: tokens.Positions, key: str) -> None:
        """Counts one piece."""
        line = positions[:, 0] >= tokens.BAR
        bar = np.cumsum(line) - 1
        ended = positions[:, 0] == tokens.END
        left = int((line & ~ended).sum()) - bar
        lengths = np.array([meter.ticks for meter in METERS])
        ticks = lengths[np.where(line & ~ended, positions[:, 0] - tokens.BAR, 0)][np.flatnonzero(line)][bar]
        note = ~line
        onset, drums = positions[:, 0], positions[:, _PROGRAM.slot] == _PROGRAM.start + DRUMS
        onset = onset - tokens.RANGES["onset"].start
        quarter = np.minimum(onset * QUARTERS // ticks, QUARTERS - 1)
        last, far = note & (left == 1), note & (left > REACH)
        alone = np.append(line[1:], True)
        reaching = onset + _LENGTHS[np.where(note, positions[:, _DURATION.slot] - _DURATION.start, 0)]
        reaching = reaching >= ticks - BEAT // 4
        for which, own in ((0, far), (1, last)):
            np.add.at(self.ended[which], (quarter[own], alone[own].astype(int)), 1)
            own = own & ~drums
            np.add.at(self.held[which], (quarter[own], reaching[own].astype(int)), 1)
        pitched = note & ~drums
        pitch = positions[pitched, _PITCH.slot] - _PITCH.start
        stages = np.array([stage(*pair) for pair in zip(left[pitched], (2 * onset >= ticks)[pitched], strict=True)])
        bands = np.searchsorted(BANDS, pitch, side="right") - 1
        np.add.at(self.pitches[int(key.endswith("minor"))], (stages, bands, (pitch - keys.tonic(key)) % 12), 1)

    def ratios(self, pooled: Counts) -> Closing:
        """The logarithms of the ratios of last to other bars; `pooled`: the counts of all styles together."""

        def shares(own: Numbers, all_styles: Numbers) -> Numbers:
            prior = (all_styles + 0.5) / (all_styles + 0.5).sum(axis=-1, keepdims=True)
            mixed = own + SHARED * prior
            found: Numbers = np.log(mixed / mixed.sum(axis=-1, keepdims=True))
            return found

        pitches, ended, held = (
            shares(own, other)
            for own, other in (
                (self.pitches, pooled.pitches), (self.ended, pooled.ended), (self.held, pooled.held)
            )
        )  # fmt: skip
        odds = ended[..., 1] - ended[..., 0]
        return Closing(
            pitches[:, 1:] - pitches[:, :1],
            odds[1] - odds[0],
            held[1] - held[0],
        )


def stage(left: int, late: bool) -> int:
    """The stage of a place: `left` bars left, its own included, in the second half of its bar or not."""
    if left > REACH:
        return 0
    return 1 if left > 2 else 2 * (3 - left) + late


@dataclass(frozen=True, slots=True)
class Closing:
    """What endings of a style have: nats to be added."""

    pitches: Numbers
    """(2, STAGES − 1, bands, 12)"""
    ended: Numbers
    """(QUARTERS,): to the last bar's ending after a note."""
    held: Numbers
    """(QUARTERS, 2): to the last bar's notes ending before it does, and with it."""

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {name: np.round(getattr(self, name).clip(-MOST, MOST), 2).tolist() for name in self.__slots__}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Closing:
        """What `to_json` gave.

        Raises:
            ValueError, KeyError: it is not that.
        """
        own = cls(*(np.array(fields[name], dtype=float) for name in cls.__slots__))
        if (own.pitches.shape, own.ended.shape, own.held.shape) != (
            (2, STAGES - 1, len(BANDS), 12), (QUARTERS,), (QUARTERS, 2)
        ):  # fmt: skip
            raise ValueError("closing: of another shape")
        return own


def closings(styles: Mapping[str, Iterable[tuple[tokens.Positions, str]]]) -> dict[str, Closing]:
    """What each style's endings have, from its pieces that close and their keys."""
    counts = {style: Counts() for style in styles}
    for style, pieces in styles.items():
        for positions, key in pieces:
            counts[style].add(positions, key)
    pooled = Counts(*(sum(getattr(own, name) for own in counts.values()) for name in Counts.__slots__))
    return {style: own.ratios(pooled) for style, own in counts.items()}


class Cadence:
    """What one of the last bars of a piece leans on."""

    def __init__(
        self, closing: Closing, key: str, left: int, ticks: int, strength: float = 1.0, pitches: float | None = None
    ) -> None:
        """What is counted, times `strength`, in pitches times `pitches`.

        Args:
            left: bars left, this one included, 1 to REACH.
            ticks: the bar's length.
        """
        self.ticks, self.last = ticks, left == 1
        every = np.arange(_PITCH.size)
        bands = np.searchsorted(BANDS, every, side="right") - 1
        above = (every - keys.tonic(key)) % 12
        own = closing.pitches[int(key.endswith("minor"))]
        tonal = strength if pitches is None else pitches
        self._pitches = [tonal * own[stage(left, late) - 1, bands, above] for late in (False, True)]
        self._ended, self._held = strength * closing.ended, strength * closing.held

    def lean(self, logits: Logits, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn."""
        slot = len(drawn)
        if slot == 0:
            if self.last and state.notes:
                logits[grammar.LINES] += self._ended[self._quarter(state.onset)]
            return
        if drawn[0] >= tokens.BAR:
            return
        onset = drawn[0] - tokens.RANGES["onset"].start
        if slot >= _PITCH.slot and drawn[1] == _PROGRAM.start + DRUMS:
            return
        if slot == _PITCH.slot:
            lean_within_octaves(logits[_PITCH.start : _PITCH.stop], self._pitches[2 * onset >= self.ticks])
        elif slot == _DURATION.slot and self.last:
            reaching = onset + _LENGTHS >= self.ticks - BEAT // 4
            logits[_DURATION.start : _DURATION.stop] += self._held[self._quarter(onset)][reaching.astype(int)]

    def _quarter(self, onset: int) -> int:
        return min(onset * QUARTERS // self.ticks, QUARTERS - 1)
