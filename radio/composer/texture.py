"""Texture: how many notes begin together. A bar leans on as many as its skeleton has there.

What is drawn note by note comes out thinner than what it was learned from, above all in chords of three and four notes.
So the last bars are held against the skeleton's, and by as much as they are thinner another note at the same onset is
made likelier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from radio.composer.sampling import Numbers
from radio.music import grammar, tokens
from radio.music.score import Bar

_ONSET = tokens.RANGES["onset"]
REACH = 4
"""Bars over which notes are counted."""
UNIT = 10
"""A chord of one note, as it is kept."""
LEAST = 4.0
"""Onsets that weigh as much as those counted, so that a bar of one chord says little."""
MOST = 2.0
"""Nats by which another note is made likelier or less likely at most."""


def together(positions: tokens.Positions) -> tuple[int, ...]:
    """For each bar of a piece, tenths of notes that begin together on average; 0 where none begins."""
    found: list[int] = []
    bar = np.cumsum((positions[:, 0] >= tokens.BAR) & (positions[:, 0] < tokens.END)) - 1
    notes = positions[:, 0] < tokens.BAR
    for number in range(int(bar.max()) + 1):
        own = positions[notes & (bar == number), 0]
        found.append(round(UNIT * len(own) / len(np.unique(own))) if len(own) else 0)
    return tuple(found)


def bias(planned: Sequence[int], written: Sequence[Bar], strength: float) -> float:
    """Nats by which another note at the same onset is made likelier in the bar that comes next.

    Args:
        planned: as `together` has it, of the bars up to that one and it.
        written: the bars before it.
        strength: what the logarithm of how much too thin the music is is multiplied by.
    """
    wanted = [own for own in planned[-REACH:] if own]
    notes = [len(bar.notes) for bar in written[-REACH:]]
    onsets = [len({note.onset for note in bar.notes}) for bar in written[-REACH:]]
    if not wanted:
        return 0.0
    goal = sum(wanted) / len(wanted) / UNIT
    heard = (sum(notes) + LEAST * goal) / (sum(onsets) + LEAST)
    return min(max(strength * math.log(goal / heard), -MOST), MOST)


class Texture:
    """What one bar leans on."""

    def __init__(self, bias: float) -> None:
        self.bias = bias

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn."""
        if not drawn and state.notes:
            logits[_ONSET.start + state.onset] += self.bias
