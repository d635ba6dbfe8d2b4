"""The engine: one batch, one forward pass for every row that is hungry.

A *row* is one channel's place in the batch: its cache, what it may write next, its random numbers. `draw` draws
one position for each row it is given, `write` adds them. A row whose window (`radio.composer.window`) is made anew
keeps its prefix and is prefilled once.

Guidance: a row with guidance g ≠ 1 has a *shadow*, the same music under an empty prefix and of the last SIGHT
positions alone; logits are shadow + g × (row − shadow). What a row knows by its prefix counts for more then
(classifier-free guidance, Ho and Salimans 2022), and so does what it knows by music long past (coherence boosting,
Malkin et al. 2022); and a shadow costs less than a row. How likely each octave is stays as the row has it: what is rare
elsewhere is exaggerated, above all the highest notes, and music would climb from bar to bar.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from radio.composer.decoding import decoder
from radio.composer.intervals import History
from radio.composer.model import PITCH, Transformer
from radio.composer.sampling import Numbers, draw, octaves, with_octaves
from radio.composer.window import Context, Held, Position
from radio.music import grammar, tokens

SIGHT = 160
"""Positions of a shadow's window."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How ids are drawn from the logits of one row."""

    temperature: tuple[float, ...] = (1.0,) * tokens.SLOTS
    """By slot."""
    nucleus: float = 0.97
    guidance: float = 1.0


class Lean(Protocol):
    """Makes some of what may be drawn likelier than the model has it."""

    def lean(self, logits: Numbers, state: grammar.State, drawn: Sequence[int]) -> None:
        """Adds to the logits of the slot after those drawn, (ids,), given where the bar stands."""


@dataclass(slots=True)
class Voice:
    """What is one row to the decoder: a row itself, or its shadow."""

    place: int
    """Its row in the decoder."""
    weight: float
    """What its logits are multiplied by."""
    prefix: tokens.Positions
    context: Context | None
    """Of a row itself. A shadow has none: its decoder forgets what it does not see any more."""
    origin: int = 0
    """Time of the first position of its window."""
    out: Tensor | None = None
    """The trunk's output at the last position: (D,)."""


@dataclass(slots=True)
class Row:
    """One row. `context` holds the positions of the piece so far, the prefix not counted; times are since its first."""

    prefix: tokens.Positions
    sampling: Sampling
    state: grammar.State
    rng: np.random.Generator
    context: Context
    leans: tuple[Lean, ...] = ()
    """What the bar under way leans on."""
    tick: int = 0
    """Time of the position written last."""
    bar_tick: int = 0
    """Where the bar under way begins, and how long it is."""
    bar_ticks: int = 0
    voices: tuple[Voice, ...] = ()


class Engine:
    """Rows of one model. One thread."""

    def __init__(self, model: Transformer, rows: int) -> None:
        self.model = model
        self.rows: list[Row | None] = [None] * rows
        # Row r uses places 2r and, for its shadow, 2r + 1 of the decoder.
        self.decoder = decoder(model, 2 * rows)
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
            self.decoder.widen(2 * more)
        self.rows[number] = row
        guidance = row.sampling.guidance
        voices = [Voice(2 * number, guidance, row.prefix, row.context)]
        if guidance != 1.0:
            voices.append(Voice(2 * number + 1, 1.0 - guidance, tokens.any_prefix(), None))
        row.voices = tuple(voices)
        for position in row.context.written:
            wind(row, position)
        for voice in row.voices:
            self._prefill(voice, (voice.context or self._seen(row)).held())

    def close(self, number: int) -> None:
        """Takes a row away; its place is free."""
        if number < len(self.rows):
            self.rows[number] = None

    @property
    def _sight(self) -> int:
        return min(SIGHT, self.model.config.context)

    def _seen(self, row: Row) -> Context:
        """What a row's shadow begins with."""
        return Context(self._sight - tokens.PREFIX_LENGTH, row.context.written)

    @torch.inference_mode()
    def _prefill(self, voice: Voice, held: Held) -> None:
        ticks = np.concatenate((np.zeros(len(voice.prefix), dtype=np.int64), held.ticks))
        positions = np.concatenate((voice.prefix, held.positions)).astype(np.int64)
        ids, at = torch.from_numpy(positions).to(self.device), torch.from_numpy(ticks).to(self.device)
        sight = 0 if voice.context else self._sight
        voice.origin, voice.out = held.origin, self.decoder.prefill(voice.place, ids, at, sight)

    @torch.inference_mode()
    def draw(self, numbers: Sequence[int]) -> list[Position]:
        """Draws the next position of each of the rows, without writing it: the caller may complete a bar line first."""
        began = time.perf_counter()
        drawn = self._draw([self._row(number) for number in numbers])
        self.drawn += len(drawn)
        self.seconds += time.perf_counter() - began
        return drawn

    @torch.inference_mode()
    def write(self, numbers: Sequence[int], positions: Sequence[Position]) -> None:
        """Adds a position to each of the rows in one forward pass."""
        began = time.perf_counter()
        self._advance([self._row(number) for number in numbers], positions)
        self.seconds += time.perf_counter() - began

    def begin_bar(
        self,
        number: int,
        state: grammar.State,
        rng: np.random.Generator,
        sampling: Sampling,
        leans: tuple[Lean, ...],
    ) -> None:
        """Gives a row what holds from its next bar line on; guidance stays what it was."""
        row = self._row(number)
        row.state, row.rng, row.sampling, row.leans = state, rng, sampling, leans

    def _row(self, number: int) -> Row:
        row = self.rows[number]
        if row is None:
            raise ValueError(f"row {number} is not open")
        return row

    def _draw(self, rows: Sequence[Row]) -> list[Position]:
        voices = [voice for row in rows for voice in row.voices]
        owner = [k for k, row in enumerate(rows) for _ in row.voices]
        x = torch.stack([voice.out for voice in voices if voice.out is not None])  # (voices, D)
        owners = torch.tensor(owner, device=self.device)
        weights = torch.tensor([voice.weight for voice in voices], device=self.device)[:, None]
        uniform = np.stack([row.rng.random(tokens.SLOTS) for row in rows])
        temperature = np.array([row.sampling.temperature for row in rows])
        nucleus = np.array([row.sampling.nucleus for row in rows])
        first = np.searchsorted(owner, np.arange(len(rows)))  # the voice that is the row itself
        positions: list[list[int]] = [[] for _ in rows]
        for slot in range(tokens.SLOTS):
            near = None
            if slot == PITCH.slot and self.model.config.intervals:
                near = self._near(voices, [rows[k] for k in owner], [positions[k] for k in owner])
            each = self.model.head_logits(x, slot, near)
            logits = each.new_zeros(len(rows), each.shape[1]).index_add_(0, owners, each * weights).cpu().numpy()
            if slot == PITCH.slot:
                guided = [k for k, row in enumerate(rows) if len(row.voices) > 1 and History.tuned(positions[k])]
                pitches = slice(PITCH.start, PITCH.stop)
                likely = octaves(each.cpu().numpy()[first[guided], pitches])
                logits[guided, pitches] = with_octaves(logits[guided, pitches], likely)
            for k, row in enumerate(rows):
                for lean in row.leans:
                    lean.lean(logits[k], row.state, positions[k])
            masks = [
                grammar.rest(row.state, own) if slot else grammar.first(row.state)
                for row, own in zip(rows, positions, strict=True)
            ]
            ids = draw(logits, np.stack(masks), temperature[:, slot], nucleus, uniform[:, slot])
            for own, value in zip(positions, ids.tolist(), strict=True):
                own.append(value)
            if slot < tokens.SLOTS - 1:
                x = x + self.model.drawn[slot](torch.from_numpy(ids).to(self.device))[owners]
        return [tuple(own) for own in positions]

    def _near(self, voices: Sequence[Voice], rows: Sequence[Row], begun: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """What the pitches of positions that are drawn up to their program are foretold by."""
        programs = [own[1] if own[0] < tokens.BAR else 0 for own in begun]
        onset = tokens.RANGES["onset"].start
        ticks = [
            row.bar_tick + own[0] - onset - voice.origin for voice, row, own in zip(voices, rows, begun, strict=True)
        ]
        return self.decoder.near([voice.place for voice in voices], programs, ticks)

    def _advance(self, rows: Sequence[Row], positions: Sequence[Position]) -> None:
        """Adds a position to each row, and moves its state on by a note; the caller sets a new bar's."""
        anew: list[Voice] = []
        going: list[Voice] = []
        ids, ticks = [], []
        for row, position in zip(rows, positions, strict=True):
            wind(row, position)
            if position[0] < tokens.BAR:
                note = tokens.decode_note(position)
                row.state.wrote(note.onset, note.program, note.pitch)
            for voice in row.voices:
                if voice.context and voice.context.add(position):
                    anew.append(voice)
                    continue
                going.append(voice)
                ids.append(position)
                ticks.append(row.tick - voice.origin)
        if going:
            out = self.decoder.advance(
                [voice.place for voice in going],
                torch.tensor(ids, device=self.device),
                torch.tensor(ticks, device=self.device),
            )
            for voice, own in zip(going, out, strict=True):
                voice.out = own
        for voice in anew:
            assert voice.context
            self._prefill(voice, voice.context.held())


def wind(row: Row, position: Position) -> None:
    """Moves the row's clock on by one position."""
    if position[0] < tokens.BAR:
        row.tick = row.bar_tick + position[0] - tokens.RANGES["onset"].start
    elif position[0] < tokens.END:
        row.bar_tick += row.bar_ticks
        row.tick, row.bar_ticks = row.bar_tick, tokens.meter_of(position).ticks
