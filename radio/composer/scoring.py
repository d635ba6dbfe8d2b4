"""Scoring: who plays in which bar. A bar leans on the programs that its skeleton has in it.

Left to itself the model forgets who else there is: a program that has rested for a while is foretold to go on resting,
so that parts die out one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from radio.composer.sampling import Numbers
from radio.music import grammar, tokens

_PROGRAM = tokens.RANGES["program"]


def playing(positions: tokens.Positions, programs: Sequence[int]) -> tuple[int, ...]:
    """For each bar of a piece, which of `programs` begin a note in it: bit k for the k-th."""
    found: list[int] = []
    bits = {_PROGRAM.start + program: 1 << k for k, program in enumerate(programs)}
    for first, second in positions[:, :2].tolist():
        if first < tokens.BAR:
            found[-1] |= bits.get(second, 0)
        elif first < tokens.END:
            found.append(0)
    return tuple(found)


def among(scored: Sequence[int], programs: Sequence[int], kept: Sequence[int]) -> tuple[int, ...]:
    """The same of some of the programs."""
    places = [programs.index(program) for program in kept]
    return tuple(sum((bits >> place & 1) << k for k, place in enumerate(places)) for bits in scored)


class Scoring:
    """What one bar leans on."""

    def __init__(self, programs: Sequence[int], bits: int, strength: float) -> None:
        """`bits`: which of the programs play; `strength`: nats by which those not heard yet are made likelier."""
        self.strength = strength
        self._waiting = {program for k, program in enumerate(programs) if bits >> k & 1}
        self._resting = [_PROGRAM.start + program for k, program in enumerate(programs) if not bits >> k & 1]

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn."""
        if state.notes:
            self._waiting.discard(state.program)
        if len(drawn) == _PROGRAM.slot and drawn[0] < tokens.BAR:
            logits[[_PROGRAM.start + program for program in self._waiting]] += self.strength
            logits[self._resting] -= self.strength
