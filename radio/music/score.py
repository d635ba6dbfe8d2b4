"""The score: `Note`, `Bar`, `Prefix`, `Piece`, and the integer time they are written in.

A beat is always a quarter note of 24 ticks, so that sixteenths (6), triplet eighths (8) and triplet
sixteenths (4) are exact. The bar is the unit of composing, queueing, steering and resuming.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

BEAT = 24
"""Ticks a beat (a quarter note)."""
DRUMS = 128
"""The program that stands for the drum kit; a drum note's pitch is its General MIDI drum key."""


class Meter(NamedTuple):
    """A time signature: `beats` units of 1/`unit` note a bar."""

    beats: int
    unit: int

    @property
    def ticks(self) -> int:
        """Length of a bar, in ticks."""
        return self.beats * 4 * BEAT // self.unit

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note of a bar. Ordered by onset, program, pitch: the order in which the composer writes."""

    onset: int
    """Ticks from the start of the bar, 0 ≤ onset < meter.ticks."""
    program: int
    """General MIDI program 0–127, or 128 for the drum kit."""
    pitch: int
    """MIDI key number 0–127."""
    duration: int
    """Ticks, ≥ 1; a note may sound past its bar line."""
    velocity: int
    """1–127."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `left` counts the bars still to come in the piece, this one included: 1 is the last."""

    meter: Meter
    tempo: float
    """Beats (quarter notes) a minute."""
    notes: tuple[Note, ...]
    section: str = "A"
    left: int = 0
    """0: not known."""
    repeat: int = 0
    """This bar resembles the one `repeat` bars back; 0: none."""

    @property
    def seconds(self) -> float:
        """Length of the bar as written, before the performer bends it."""
        return self.meter.ticks / BEAT * 60.0 / self.tempo


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the composer is told before the first bar. An empty or zero field is left to the composer."""

    style: str = ""
    """Composer or genre: the channel's tag, such as "bach" or "ragtime"."""
    composer: str = ""
    """A composer within the style, such as "schubert"; only names the model was trained on."""
    form: str = ""
    """The kind of piece, such as "prelude", "waltz", "chorale"."""
    key: str = ""
    """Such as "G minor"; see `radio.music.keys`."""
    meter: Meter | None = None
    tempo: float = 0.0
    """Beats a minute of the piece as a whole."""
    bars: int = 0
    """Length of the piece."""
    dynamics: bool | None = None
    """True: velocities as played or marked; False: flat."""
    parts: int = 0
    """How many programs sound in the piece, the drum kit counted."""
    timing: str = ""
    """Whose its tempo and its timing are: "guessed", "score" or "played"; so that what a file lacks teaches nothing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of music: what it was meant to be, what it is called, and its bars so far."""

    prefix: Prefix
    title: str
    bars: tuple[Bar, ...] = ()
    number: int = 0
    """Serial number on its channel, from 1."""
    seed: int = 0
    """The seed all of this piece's random draws come from."""
    certificate: str = ""
    """Of a finished piece, in words: what it shares with the works that the model was trained on."""

    def with_bars(self, bars: tuple[Bar, ...]) -> Piece:
        """This piece with other bars."""
        return replace(self, bars=bars)

    @property
    def seconds(self) -> float:
        """Length as written."""
        return sum(bar.seconds for bar in self.bars)


def notes_in_time(bars: tuple[Bar, ...] | list[Bar]) -> Iterator[tuple[int, Note]]:
    """Each note with its onset in ticks from the start of the first bar, in order of writing."""
    start = 0
    for bar in bars:
        for note in bar.notes:
            yield start + note.onset, note
        start += bar.meter.ticks
