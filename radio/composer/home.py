"""Home: the key. A piece that has strayed from its key is led back to it.

What is drawn note by note modulates and forgets to return. So all of the piece, and near its end its last bars, are
held against the profiles of all keys, and by as much as another one fits better the notes that tell the planned key
are made likelier. While that fits best nothing is done: a piece may modulate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radio.composer.sampling import Numbers, lean_within_octaves
from radio.music import grammar, keys, tokens
from radio.music.score import BEAT, DRUMS, Bar

REACH = 16
"""Bars before the end in which the last bars alone are to be in the key, besides the piece as a whole."""
SPAN = 8
"""Those last bars."""
LEAST = 16.0 * BEAT
"""Ticks of notes that weigh as much as those counted, so that a chord or two say little."""
MOST = 2.0
"""What the logarithms of a key's profile are multiplied by at most."""
_PROGRAM, _PITCH = (tokens.RANGES[name] for name in ("program", "pitch"))


def stray(written: Sequence[Bar], key: str, left: int) -> float:
    """How far a piece has strayed from `key`, 0 to 2: by how much the music correlates better with another one's
    profile.

    Args:
        written: the bars so far.
        left: bars left, the one that comes next included.
    """
    found = 0.0
    for bars in (written, *([written[-SPAN:]] if left <= REACH else [])):
        sounding = keys.weights(bars)
        total = float(sounding.sum())
        found = max(found, keys.misfit(sounding, key) * total / (total + LEAST))
    return found


class Home:
    """What one bar leans on."""

    def __init__(self, key: str, strength: float) -> None:
        """`strength`: what the logarithms of the key's profile are multiplied by, up to MOST."""
        # Half of it as if all pitch classes were as likely: notes out of the key are not ruled out.
        profile = np.log(keys.profile(key) / 2 + 1 / 24)
        self._pitches = min(strength, MOST) * profile[np.arange(_PITCH.size) % 12]

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn."""
        if len(drawn) == _PITCH.slot and drawn[0] < tokens.BAR and drawn[1] != _PROGRAM.start + DRUMS:
            lean_within_octaves(logits[_PITCH.start : _PITCH.stop], self._pitches)
