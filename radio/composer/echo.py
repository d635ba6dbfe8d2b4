"""Echoes: a bar that is planned to resemble an earlier one leans on that bar's notes as it is drawn.

The bar line tells the model which bar comes back, but it follows that less closely than human music does, and a return
that nobody recognises is none. So what the earlier bar has next is made likelier, slot by slot; the model may still
think better of it, and then the echo goes on with what is left from there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from radio.composer.sampling import Numbers
from radio.music import grammar, tokens
from radio.music.score import Bar


class Echo:
    """The notes of an earlier bar, in the order of writing."""

    def __init__(self, bar: Bar, strength: float) -> None:
        self.strength = strength
        """What is added to the logit of what the earlier bar has next."""
        _, *self._notes = tokens.encode_bar(bar, bar.tempo)
        self._starts = [note[:3] for note in self._notes]

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn, given where the bar stands."""
        logits[self.leaning(state, drawn)] += self.strength

    def leaning(self, state: grammar.State, drawn: Sequence[int]) -> Sequence[int]:
        """The ids of the slot after those drawn that are to be likelier, given where the bar stands."""
        slot = len(drawn)
        if slot > 3 or (slot and drawn[0] >= tokens.BAR):
            return ()
        left = bisect_right(self._starts, _last(state))
        if slot == 0:
            return self._starts[left][:1] if left < len(self._starts) else grammar.LINES
        begun = tuple(drawn)
        found = bisect_left(self._starts, begun, lo=left)
        alike = found < len(self._starts) and self._starts[found][:slot] == begun
        return (self._notes[found][slot],) if alike else ()


def _last(state: grammar.State) -> tuple[int, int, int]:
    """The first slots of the note written last; before all others if there is none."""
    if not state.notes:
        return 0, 0, 0
    starts = (tokens.RANGES[name].start for name in ("onset", "program", "pitch"))
    onset, program, pitch = starts
    return onset + state.onset, program + state.program, pitch + state.pitch
