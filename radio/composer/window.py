"""The window: what of a piece the model has before it, besides the prefix.

It is the latest positions, from a bar line on, and before them, if the music goes back to bars that these no longer
hold, those bars at their own times. A bar line says how far back the bar lies that its bar resembles: where that is
out of the window, the window is made anew with that bar and the ones after it, for what follows will resemble those.
Nothing here looks ahead: the same rule holds when composing, when training and when measuring.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radio.music import tokens

Position = tuple[int, ...]
"""SLOTS ids."""
RECALLED = 0.3
"""Share of the room that bars called back may take."""
LATEST, ALONE = 0.35, 0.5
"""Share of the room that the latest positions take in a new window, with and without bars called back."""

_REPEAT = tokens.RANGES["repeat"]


@dataclass(frozen=True, slots=True)
class Window:
    """Positions from `first` to `stop`, called back, and all from `start` on."""

    first: int = 0
    stop: int = 0
    start: int = 0

    def size(self, count: int) -> int:
        """Positions held after `count` were written."""
        return self.stop - self.first + count - self.start

    def holds(self, index: int) -> bool:
        """Whether a position is in the window."""
        return index >= self.start or self.first <= index < self.stop

    def places(self, count: int) -> npt.NDArray[np.int64]:
        """Indexes of the positions held."""
        return np.concatenate((np.arange(self.first, self.stop), np.arange(self.start, count)))


def is_bar_line(position: Sequence[int]) -> bool:
    """Whether a position begins a bar."""
    return tokens.BAR <= position[0] < tokens.END


def made_anew(lines: Sequence[int], count: int, room: int, back: int) -> Window:
    """The window after `count` positions, for a room of `room`.

    Args:
        lines: indexes of the bar lines written, the last one of the bar under way.
        back: how many bars back the bar lies that the bar under way resembles; 0: none.
    """
    recalled = None
    if back:
        recalled = _recalled(lines, count - int(room * LATEST), int(room * RECALLED), len(lines) - 1 - back)
    oldest = count - int(room * (LATEST if recalled else ALONE))
    start = next((line for line in lines if line >= oldest), None)
    if start is None:
        # One bar alone is longer: its line, and what fits of it.
        return Window(lines[-1], lines[-1] + 1, max(oldest, lines[-1] + 1))
    return Window(*(recalled or (start, start)), start)


def _recalled(lines: Sequence[int], oldest: int, room: int, bar: int) -> tuple[int, int] | None:
    """Whole bars from `bar` on that end before the bar line from which the latest positions are kept."""
    latest = next((index for index, line in enumerate(lines) if line >= oldest), len(lines) - 1)
    stop = bar
    while bar >= 0 and stop < latest and lines[stop + 1] - lines[bar] <= room:
        stop += 1
    return (lines[bar], lines[stop]) if 0 <= bar < stop else None


class Context:
    """A piece's positions so far and the window over them, for a room of `room` positions."""

    def __init__(self, room: int, written: Iterable[Position] = ()) -> None:
        self.room = room
        self.written: list[Position] = []
        self.window = Window()
        self._lines: list[int] = []
        for position in written:
            self.add(position)

    def add(self, position: Position) -> bool:
        """Takes the next position; whether the window was made anew."""
        index = len(self.written)
        self.written.append(position)
        line = is_bar_line(position)
        if line:
            self._lines.append(index)
        back = self.back if self._lines else 0
        away = line and back and not self.window.holds(self._lines[-1 - back])
        if not away and self.window.size(index + 1) < self.room:
            return False
        self.window = made_anew(self._lines, index + 1, self.room, back)
        return True

    @property
    def back(self) -> int:
        """How many bars back the bar lies that the one under way resembles; 0: none, or none of this piece."""
        back = self.written[self._lines[-1]][_REPEAT.slot] - _REPEAT.start
        return back if 0 < back < len(self._lines) else 0

    def held(self) -> Held:
        """What the window holds now."""
        return held(np.array(self.written, dtype=np.int32).reshape(-1, tokens.SLOTS), self.window, len(self.written))


@dataclass(frozen=True, slots=True)
class Held:
    """Positions of a window."""

    positions: tokens.Positions
    """(n, SLOTS)"""
    ticks: npt.NDArray[np.int32]
    """(n,), since the first of them."""
    after_gap: npt.NDArray[np.bool_]
    """(n,): the position before is not the one that came before in the piece, so that it cannot be foretold."""
    origin: int = 0
    """Time of the first of them, in ticks since the piece's first."""


def held(piece: tokens.Positions, window: Window, count: int) -> Held:
    """What a window over the first `count` positions of a piece holds."""
    places = window.places(count)
    ticks = tokens.times(piece[:count])[places]
    after_gap = np.zeros(len(places), dtype=bool)
    after_gap[1:] = np.diff(places) > 1
    return Held(piece[places], ticks - ticks[:1], after_gap, int(ticks[0]) if len(ticks) else 0)
