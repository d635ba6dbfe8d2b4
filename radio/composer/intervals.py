"""Where a pitch lies from what was heard before it: intervals, and its degree in the piece's key.

A transformer of this size, given pitches by number only, has to learn every interval twelve times over and more; it
did, roughly, and repeated notes several times too often. So each note also tells its intervals to a few *references*,
and the next pitch is foretold, besides by number, by the same intervals. (Intervals in the input and the output
instead of pitches alone: the "relative pitch" of Liang et al. 2017, "Automatic stylistic composition of Bach
chorales with deep LSTM"; with attention: Huang et al. 2018, "Music Transformer". The references are ours.)

References of a note, all of its own program but the last, 0 where there is none; drums have none:

0. the note before (of the same chord, or the highest of the chord before)
1. the highest note of the chord before
2. the lowest note of the chord before
3. the lowest note of its own chord
4. the highest note of the chord before the chord before
5. the note before, of whatever program
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from radio.music import tokens
from radio.music.score import DRUMS

REFERENCES = 6
REACH = 24
"""Semitones; wider intervals count as this wide."""
WIDTHS = 2 * REACH + 1
DEGREES = 24
"""Of major, then of minor."""

_PITCH = tokens.RANGES["pitch"]
_DRUMS = tokens.RANGES["program"].start + DRUMS
_ANY_KEY = tokens.RANGES["prefix_key"].start
_KEY_ROW = [name for name, _ in tokens.PREFIX_FIELDS].index("key")
_TONICS = 12
IDS = REFERENCES * (WIDTHS + 1) + DEGREES + 1
"""Ids of everything that `told` may say."""


def tuned(positions: Tensor) -> Tensor:
    """Which positions are notes with a pitch: (..., SLOTS) → (...)."""
    onset = positions[..., 0]
    return (onset > 0) & (onset < tokens.BAR) & (positions[..., 1] != _DRUMS)


def key_of(positions: Tensor) -> Tensor:
    """The key that a prefix names, 0 for none: (..., T, SLOTS) → (...)."""
    return (positions[..., _KEY_ROW, 1] - _ANY_KEY).clamp(min=0)


def references(positions: Tensor, ticks: Tensor) -> Tensor:
    """References of every position: (B, T, SLOTS) ids and (B, T) times → (B, T, REFERENCES) pitch ids, 0 for none."""
    own = tuned(positions)
    index = torch.arange(positions.shape[1], device=positions.device).expand(own.shape)
    pitch, program = positions[..., 2] * own, positions[..., 1] * own
    # Notes of one program side by side, in the order they had.
    program, order = torch.sort(program, dim=1, stable=True)
    tick, heard = ticks.gather(1, order), pitch.gather(1, order)
    first = torch.ones_like(own)
    first[:, 1:] = program[:, 1:] != program[:, :-1]
    opens = first.clone()
    opens[:, 1:] |= tick[:, 1:] != tick[:, :-1]
    begin = (index * first).cummax(dim=1).values
    chord = (index * opens).cummax(dim=1).values

    def back(place: Tensor) -> Tensor:
        """The place before, -1 if it is of another program or there is none."""
        return torch.where(place > begin, place - 1, -1)

    def opening(place: Tensor) -> Tensor:
        """Where the chord of a place begins."""
        return torch.where(place >= 0, chord.gather(1, place.clamp(min=0)), -1)

    above = back(chord)
    below = opening(above)
    root = torch.where(index > chord, chord, -1)
    places = torch.stack((back(index), above, below, root, back(below)), dim=-1)
    found = torch.where(places >= 0, heard.gather(1, places.clamp(min=0).flatten(1)).view(places.shape), 0)
    alike = torch.empty_like(found).scatter_(1, order[..., None].expand(found.shape), found)
    last = torch.where(own, index, -1).cummax(dim=1).values.roll(1, dims=1)
    last[:, 0] = -1
    any_program = torch.where(last >= 0, pitch.gather(1, last.clamp(min=0)), 0)
    return torch.cat((alike, any_program[..., None]), dim=-1) * own[..., None]


def told(pitch: Tensor, references: Tensor, key: Tensor) -> Tensor:
    """What pitches are to their references and to the key, as ids of one table of IDS.

    Args:
        pitch: (...) ids of slot 2.
        references: (..., REFERENCES); the ids of position that has no pitch are all 0.
        key: (...) as `key_of`.

    Returns:
        (..., REFERENCES + 1).
    """
    wide = (pitch[..., None] - references).clamp(-REACH, REACH) + REACH + 1
    start = torch.arange(REFERENCES, device=pitch.device) * (WIDTHS + 1)
    intervals = torch.where(references > 0, wide, 0) + start
    tonic, minor = (key - 1) % _TONICS, (key - 1) // _TONICS
    degree = torch.where(key > 0, (pitch - _PITCH.start - tonic) % _TONICS + _TONICS * minor + 1, 0)
    return torch.cat((intervals, degree[..., None] + REFERENCES * (WIDTHS + 1)), dim=-1)


def spread(logits: Tensor, references: Tensor, key: Tensor) -> Tensor:
    """Logits of intervals and degrees as logits of pitches: (..., IDS) → (..., 128)."""
    total = logits.new_zeros((*key.shape, _PITCH.size))
    pitch = torch.arange(_PITCH.start, _PITCH.stop, device=logits.device)
    for each in told(pitch, references[..., None, :], key[..., None]).unbind(-1):
        total = total + logits.gather(-1, each)
    return total


@dataclass(slots=True)
class _Voice:
    """The last three chords of one program: pitch ids, 0 for none."""

    tick: int = -1
    low: int = 0
    high: int = 0
    low_before: int = 0
    high_before: int = 0
    high_earlier: int = 0


@dataclass(slots=True)
class History:
    """What `references` looks back on, kept up one position at a time."""

    key: int = 0
    """As `key_of`."""
    _voices: dict[int, _Voice] = field(default_factory=dict)
    _last: int = 0

    @classmethod
    def of(cls, positions: Tensor, ticks: Tensor) -> History:
        """That of a row: (T, SLOTS) ids, prefix included, and (T,) times."""
        made = cls(int(key_of(positions)))
        for position, tick in zip(positions.tolist(), ticks.tolist(), strict=True):
            made.add(position, tick)
        return made

    def add(self, position: Sequence[int], tick: int) -> None:
        """Adds a position."""
        if not self.tuned(position):
            return
        program, pitch = position[1:3]
        voice = self._voices.setdefault(program, _Voice())
        if tick != voice.tick:
            voice.high_earlier, voice.high_before, voice.low_before = voice.high_before, voice.high, voice.low
            voice.tick, voice.low = tick, pitch
        voice.high = self._last = pitch

    @staticmethod
    def tuned(position: Sequence[int]) -> bool:
        """Whether a position is a note with a pitch."""
        return 0 < position[0] < tokens.BAR and position[1] != _DRUMS

    @staticmethod
    def pitched(program: int) -> bool:
        """Whether a program's notes have a pitch; `program`: an id of slot 1, 0 for what is no note."""
        return program not in (0, _DRUMS)

    def references(self, program: int, tick: int) -> tuple[int, ...]:
        """Those of a note to come; `program`: an id of slot 1."""
        if not self.pitched(program):
            return (0,) * REFERENCES
        voice = self._voices.get(program, _Voice())
        if tick == voice.tick:
            own = (voice.high, voice.high_before, voice.low_before, voice.low, voice.high_earlier)
        else:
            own = (voice.high, voice.high, voice.low, 0, voice.high_before)
        return (*own, self._last)
