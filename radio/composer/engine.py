"""The engine: one batch, one forward pass for every row that is hungry.

A *row* is one channel's place in the batch: its cache, what it may write next, its random numbers. `draw` draws
one position for each row it is given, `write` adds them. A row whose window (`radio.composer.window`) is made anew
keeps its prefix and is prefilled once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radio.composer.decoding import decoder
from radio.composer.echo import Echo
from radio.composer.model import PITCH, Transformer
from radio.composer.sampling import draw
from radio.composer.window import Context, Position
from radio.music import grammar, tokens


@dataclass(frozen=True, slots=True)
class Sampling:
    """How ids are drawn from the logits of one row."""

    temperature: tuple[float, ...] = (1.0,) * tokens.SLOTS
    """By slot."""
    nucleus: float = 0.97
    guidance: float = 1.0
    """See `radio.composer.guidance`."""


@dataclass(slots=True)
class Row:
    """One row. `context` holds the positions of the piece so far, the prefix not counted."""

    prefix: tokens.Positions
    sampling: Sampling
    state: grammar.State
    rng: np.random.Generator
    context: Context
    echo: Echo | None = None
    """The bar that the one under way is to resemble, if any."""
    tick: int = 0
    """Time of the position written last, in ticks since the window's first."""
    bar_tick: int = 0
    """Where the bar under way begins, and how long it is."""
    bar_ticks: int = 0
    logits_from: Tensor | None = None
    """The trunk's output at the last position: (D,)."""


class Engine:
    """Rows of one model. One thread."""

    def __init__(self, model: Transformer, rows: int) -> None:
        self.model = model
        self.rows: list[Row | None] = [None] * rows
        self.decoder = decoder(model, rows)
        self.device = model.embed[0].weight.device
        self.drawn = 0
        """Positions drawn."""
        self.seconds = 0.0
        """Time spent drawing and writing."""

    def open(self, number: int, row: Row) -> None:
        """Puts a row in place, for which room is made; what it has written already is prefilled."""
        if number >= len(self.rows):
            more = max(number + 1, 2 * len(self.rows)) - len(self.rows)
            self.rows += [None] * more
            self.decoder.widen(more)
        self.rows[number] = row
        self._prefill(number, row)

    def close(self, number: int) -> None:
        """Takes a row away; its place is free."""
        if number < len(self.rows):
            self.rows[number] = None

    @torch.inference_mode()
    def _prefill(self, number: int, row: Row) -> None:
        held = row.context.held()
        ticks = np.concatenate((np.zeros(len(row.prefix), dtype=np.int64), held.ticks))
        at = torch.from_numpy(ticks).to(self.device)
        positions = np.concatenate((row.prefix, held.positions))
        ids = torch.from_numpy(positions.astype(np.int64)).to(self.device)
        row.logits_from = self.decoder.prefill(number, ids, at, row.sampling.guidance)
        row.tick = int(ticks[-1])
        bars = [i for i, position in enumerate(positions.tolist()) if tokens.BAR <= position[0] < tokens.END]
        if bars:
            row.bar_tick, row.bar_ticks = int(ticks[bars[-1]]), tokens.meter_of(positions[bars[-1]]).ticks

    @torch.inference_mode()
    def draw(self, numbers: Sequence[int]) -> list[Position]:
        """Draws the next position of each of the rows, without writing it: the caller may complete a bar line first."""
        began = time.perf_counter()
        drawn = self._draw(numbers, [self._row(number) for number in numbers])
        self.drawn += len(drawn)
        self.seconds += time.perf_counter() - began
        return drawn

    @torch.inference_mode()
    def write(self, numbers: Sequence[int], positions: Sequence[Position]) -> None:
        """Adds a position to each of the rows in one forward pass."""
        began = time.perf_counter()
        self._advance(numbers, [self._row(number) for number in numbers], positions)
        self.seconds += time.perf_counter() - began

    def begin_bar(
        self, number: int, state: grammar.State, rng: np.random.Generator, sampling: Sampling, echo: Echo | None
    ) -> None:
        """Gives a row what holds from its next bar line on; guidance stays what it was."""
        row = self._row(number)
        row.state, row.rng, row.sampling, row.echo = state, rng, sampling, echo

    def _row(self, number: int) -> Row:
        row = self.rows[number]
        if row is None:
            raise ValueError(f"row {number} is not open")
        return row

    def _draw(self, numbers: Sequence[int], rows: Sequence[Row]) -> list[Position]:
        trunk = [row.logits_from for row in rows]
        x = torch.stack([t for t in trunk if t is not None])  # (R, D)
        uniform = np.stack([row.rng.random(tokens.SLOTS) for row in rows])
        temperature = np.array([row.sampling.temperature for row in rows])
        nucleus = np.array([row.sampling.nucleus for row in rows])
        positions: list[list[int]] = [[] for _ in rows]
        for slot in range(tokens.SLOTS):
            near = self._near(numbers, rows, positions) if slot == PITCH.slot else None
            logits = self.model.head_logits(x, slot, near).cpu().numpy()
            for k, row in enumerate(rows):
                if row.echo:
                    logits[k, row.echo.leaning(row.state, positions[k])] += row.echo.strength
            masks = [
                grammar.rest(row.state, own) if slot else grammar.first(row.state)
                for row, own in zip(rows, positions, strict=True)
            ]
            ids = draw(logits, np.stack(masks), temperature[:, slot], nucleus, uniform[:, slot])
            for own, value in zip(positions, ids.tolist(), strict=True):
                own.append(value)
            if slot < tokens.SLOTS - 1:
                x = x + self.model.drawn[slot](torch.from_numpy(ids).to(self.device))
        return [tuple(own) for own in positions]

    def _near(
        self, numbers: Sequence[int], rows: Sequence[Row], begun: Sequence[list[int]]
    ) -> tuple[Tensor, Tensor] | None:
        """What the pitches of positions that are drawn up to their program are foretold by."""
        if not self.model.config.intervals:
            return None
        programs = [own[1] if own[0] < tokens.BAR else 0 for own in begun]
        onset = tokens.RANGES["onset"].start
        ticks = [row.bar_tick + own[0] - onset for row, own in zip(rows, begun, strict=True)]
        return self.decoder.near(numbers, programs, ticks)

    def _advance(self, numbers: Sequence[int], rows: Sequence[Row], positions: Sequence[Position]) -> None:
        """Adds a position to each row, and moves its state on."""
        anew: list[tuple[int, Row]] = []
        going: list[tuple[int, Row]] = []
        for number, row, position in zip(numbers, rows, positions, strict=True):
            move(row, position)
            (anew if row.context.add(position) else going).append((number, row))
        if going:
            ids = [row.context.written[-1] for _, row in going]
            ticks = [row.tick for _, row in going]
            out = self.decoder.advance(
                [number for number, _ in going],
                torch.tensor(ids, device=self.device),
                torch.tensor(ticks, device=self.device),
            )
            for (_, row), own in zip(going, out, strict=True):
                row.logits_from = own
        for number, row in anew:
            self._prefill(number, row)


def move(row: Row, position: Position) -> None:
    """Moves the row's clock on by one position, and by a note its grammar state; the caller sets a new bar's state."""
    if position[0] < tokens.BAR:
        note = tokens.decode_note(position)
        row.tick = row.bar_tick + note.onset
        row.state.wrote(note.onset, note.program, note.pitch)
    elif position[0] < tokens.END:
        row.bar_tick += row.bar_ticks
        row.tick, row.bar_ticks = row.bar_tick, tokens.meter_of(position).ticks
