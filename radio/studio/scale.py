"""Scales: pieces for two hands that need no model. For tests, and to hear at once that a station works."""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

from radio.music.keys import KEYS, scale, tonic
from radio.music.score import BEAT, Bar, Meter, Note, Piece, Prefix
from radio.music.titles import spoken
from radio.settings import ChannelConfig

PROGRAMS = (0, 4, 6, 11, 12, 24, 46, 48, 68, 73)
"""What the channels' scales are played on."""
LENGTHS = (8, 12, 16)
"""Bars of a piece."""
METERS = (Meter(4, 4), Meter(3, 4), Meter(6, 8))


class ScaleComposer:
    """Writes scales and arpeggios for any channel, as fast as they are taken."""

    trouble: BaseException | None = None

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Piece | Bar]] = {}
        self._numbers: dict[str, int] = {}

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def open(self, channel: ChannelConfig) -> None:
        """Nothing: scales are the same for all."""

    def keep(self, channels: Collection[str]) -> None:
        """Leaves all other channels."""
        with self._lock:
            for name in self._numbers.keys() - set(channels):
                self._queues.pop(name, None)
                del self._numbers[name]

    def take(self, channel: str, timeout: float) -> Piece | Bar | None:
        """The next piece, or the next bar of the piece taken last; never None."""
        with self._lock:
            queue = self._queues.setdefault(channel, deque())
            if not queue:
                number = self._numbers[channel] = self._numbers.get(channel, 0) + 1
                piece = plan(channel, number, self.seed)
                queue.append(piece)
                queue.extend(write(piece))
            return queue.popleft()

    def resume(self, channel: str, piece: Piece) -> None:
        """Goes on after the bars that the piece has."""
        with self._lock:
            self._numbers[channel] = piece.number
            self._queues[channel] = deque(list(write(piece))[len(piece.bars) :])

    def skip(self, channel: str) -> None:
        """Leaves the piece; the next `take` gives another."""
        with self._lock:
            self._queues.pop(channel, None)

    def state(self) -> dict[str, Any]:
        """Pieces begun, by channel."""
        with self._lock:
            return {"pieces": dict(self._numbers)}


def plan(channel: str, number: int, seed: int) -> Piece:
    """A channel's piece of that number, without its bars: through the keys by fifths, a key after its relative."""
    own = zlib.crc32(f"{seed} {channel}".encode())
    turn = own + number
    fifths = 7 * (turn // 2) % 12
    key = KEYS[fifths] if turn % 2 == 0 else KEYS[12 + (fifths + 9) % 12]
    prefix = Prefix(
        style="scale",
        form="etude",
        key=key,
        meter=METERS[turn // 3 % len(METERS)],
        tempo=float(84 + 8 * (turn % 6)),
        bars=LENGTHS[turn % len(LENGTHS)],
        dynamics=False,
        parts=1,
    )
    seed_of_piece = zlib.crc32(f"{seed} {channel} {number}".encode())
    return Piece(prefix, f"Scale No. {number} in {spoken(key)}", number=number, seed=seed_of_piece)


def write(piece: Piece) -> Iterator[Bar]:
    """The bars of a piece made by `plan`: a scale (A), arpeggios (B), the scale again, and a chord."""
    prefix = piece.prefix
    meter, total = prefix.meter or METERS[0], prefix.bars
    program = PROGRAMS[piece.seed % len(PROGRAMS)]
    for index in range(total):
        section = "B" if total // 2 <= index < total - 2 else "A"
        if index == total - 1:
            pairs = [(0, meter.ticks, pitch) for pitch in _chord(prefix.key, 60)]
            pairs.append((0, meter.ticks, _degree(prefix.key, 36, 0)))
        else:
            pairs = list(_right(prefix.key, meter, index, section)) + list(_left(prefix.key, meter, index))
        notes = sorted(Note(onset, program, pitch, duration, 72) for onset, duration, pitch in pairs)
        yield Bar(meter, prefix.tempo, tuple(notes), section, total - index, 0 if index < 2 else 2)


def _degree(key: str, lowest: int, step: int) -> int:
    """The pitch `step` degrees above the first tonic at or above `lowest`."""
    base = lowest + (tonic(key) - lowest) % 12
    octave, degree = divmod(step, 7)
    return base + 12 * octave + (scale(key)[degree] - tonic(key)) % 12


def _chord(key: str, lowest: int) -> list[int]:
    return [_degree(key, lowest, step) for step in (0, 2, 4)]


def _right(key: str, meter: Meter, index: int, section: str) -> Iterator[tuple[int, int, int]]:
    """Quavers up in even bars and down in odd ones: (onset, duration, pitch)."""
    count = meter.ticks // (BEAT // 2)
    for place in range(count):
        step = place if index % 2 == 0 else count - place
        yield place * (BEAT // 2), BEAT // 2, _degree(key, 60, 2 * step % 14 if section == "B" else step)


def _left(key: str, meter: Meter, index: int) -> Iterator[tuple[int, int, int]]:
    """A note on every beat, of the tonic in even bars and the dominant in odd ones."""
    beat = 3 * BEAT // 2 if meter.unit == 8 else BEAT
    for place in range(meter.ticks // beat):
        yield place * beat, beat, _degree(key, 36, 0 if index % 2 == 0 else 4) + (12 if place else 0)
