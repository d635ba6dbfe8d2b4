"""Steadiness: music that leaves what human works of its style keep within is led back, before the guard refuses it.

A bar that is drawn again comes out much like the first time, for it goes on from the same bars. So from the first four
bars on that are too thin or too full, the next onset is made likelier to be near, or far; and from the first that use
too few pitch classes, or too many, those heard most of late are made less likely, or those heard least. Velocities that
have settled on a level are drawn hotter until they spread again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from radio.composer.guard import Heard
from radio.composer.kit.harmony import pitch_classes
from radio.composer.sampling import Numbers, lean_within_octaves
from radio.music import grammar, tokens
from radio.music.score import BEAT, DRUMS

ONSETS, MOST_ONSETS = 0.4, 2.0
"""Nats by which an onset twice as far away is made likelier or less likely, for each bar that density has been outside
its limits; and at most."""
NEAREST = 3
"""Ticks: an onset nearer than that counts as so near, and one further than a beat as a beat away."""
PITCHES, MOST_PITCHES = 0.5, 1.5
"""Nats by which a pitch class is made less likely if it was heard e times as often as all on average, where the music
has too few; or e times as seldom, where it has too many; likewise for each bar of entropy."""
HEAT, MOST_HEAT = 0.125, 2.0
"""By how much velocities are drawn at a higher temperature for each bar that they have been settled; and at most."""
_ONSET, _PROGRAM, _PITCH, _VELOCITY = (tokens.RANGES[name] for name in ("onset", "program", "pitch", "velocity"))


class Steady:
    """What one bar leans on, given what has been heard."""

    def __init__(self, heard: Heard) -> None:
        density, entropy = (heard.outside.get(kind, 0) for kind in ("density", "entropy"))
        self._far = _bounded(ONSETS * density, MOST_ONSETS)
        """Nats for an onset twice as far away."""
        self._heat = 1 + min(HEAT * heard.settled, MOST_HEAT)
        self._pitches: Numbers = np.zeros(_PITCH.size)
        if entropy:
            counts = pitch_classes(heard.recent).sum(axis=0)
            # As in radio.composer.home, half of it as if all pitch classes were as likely: none is ruled out.
            heights = np.log(6 * counts / max(counts.sum(), 1) + 0.5)
            heights = np.minimum(heights, 0.0) if entropy > 0 else np.maximum(heights, 0.0)
            self._pitches = _bounded(PITCHES * entropy, MOST_PITCHES) * heights[np.arange(_PITCH.size) % 12]

    def __bool__(self) -> bool:
        """Whether there is anything to lead back."""
        return bool(self._far or self._pitches.any() or self._heat > 1)

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Changes the logits of the slot after those drawn."""
        if not drawn and self._far:
            now, end = max(state.onset, 0), state.meter.ticks
            logits[_ONSET.start + now : _ONSET.stop] += self._far * _doublings(
                np.arange(_ONSET.size - now, dtype=float)
            )
            logits[grammar.LINES] += self._far * _doublings(end - now)
        elif len(drawn) == _PITCH.slot and drawn[0] < tokens.BAR and drawn[1] != _PROGRAM.start + DRUMS:
            lean_within_octaves(logits[_PITCH.start : _PITCH.stop], self._pitches)
        elif len(drawn) == _VELOCITY.slot and drawn[0] < tokens.BAR:
            logits[_VELOCITY.start : _VELOCITY.stop] /= self._heat


def _bounded(value: float, most: float) -> float:
    return min(max(value, -most), most)


def _doublings(ticks: npt.ArrayLike) -> Numbers:
    """How many times as far away as a beat, as a power of two; at most 0."""
    doublings: Numbers = np.log2(np.clip(np.asarray(ticks, dtype=float), NEAREST, BEAT) / BEAT)
    return doublings
