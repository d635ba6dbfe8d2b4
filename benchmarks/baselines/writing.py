"""Composing bar by bar with a baseline that speaks in positions.

Drawing is as for our own model: under the grammar, temperature 1, the same nucleus. Meter, programs and the bars left
are given; all else, the bar lines' section and repeat too, is the baseline's: it has no planner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from torch import Tensor

from benchmarks.baselines.baseline import Order
from radio.composer.engine import Sampling
from radio.composer.sampling import draw
from radio.composer.window import Position
from radio.music import grammar, tokens
from radio.music.meters import METERS
from radio.music.score import Bar

TEMPO = 100.0
"""Beats a minute of a piece whose prefix gives none."""


class Speaker(Protocol):
    """A piece under way."""

    def scores(self, drawn: Sequence[int]) -> Tensor:
        """Logits (ids,) of the slot that comes after those drawn of the next position.

        Between two calls of `hear`, each call's `drawn` goes on from that of the call before.
        """

    def hear(self, position: Position) -> None:
        """Takes the next position of the piece, whole."""


def write(speaker: Speaker, order: Order) -> list[Bar]:
    """As many bars as ordered, the last one ending the piece."""
    rng = np.random.default_rng((order.seed, 1))
    meter = order.prefix.meter or METERS[0]
    written: list[Position] = []

    def complete(state: grammar.State, given: list[int], fixed: dict[int, int]) -> Position:
        for slot in range(len(given), tokens.SLOTS):
            given.append(fixed[slot] if slot in fixed else drawn_id(speaker, given, grammar.rest(state, given), rng))
        speaker.hear(tuple(given))
        written.append(tuple(given))
        return written[-1]

    silent = True
    for left in range(order.bars, 0, -1):
        following = meter if left > 1 else None
        state = grammar.State(meter, following, grammar.allowed_programs(order.programs), filled=silent)
        line = [tokens.BAR + METERS.index(meter)]
        complete(state, line, {2: tokens.RANGES["left"].start + tokens.bucket(left, tokens.LEFT)})
        while (first := drawn_id(speaker, [], grammar.first(state), rng)) < tokens.BAR:
            note = tokens.decode_note(complete(state, [first], {}))
            state.wrote(note.onset, note.program, note.pitch)
        silent = not state.notes
    bars = tokens.decode(np.array(written, dtype=np.int32), order.prefix.tempo or TEMPO)
    return [replace(bar, left=order.bars - number) for number, bar in enumerate(bars)]


def drawn_id(speaker: Speaker, drawn: Sequence[int], mask: grammar.Mask, rng: np.random.Generator) -> int:
    """An id of the slot after those drawn, of those that the mask (ids,) allows."""
    ids = draw(
        speaker.scores(drawn).float().numpy()[None],
        mask[None],
        np.ones(1),
        np.array([Sampling().nucleus]),
        np.array([rng.random()]),
    )
    return int(ids[0])
