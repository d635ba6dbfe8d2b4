"""The composer: one batch, every channel's music, ahead of those who take it.

Each channel has a `Writer` (`radio.composer.writer`). No thread and no clock: `radio.composer.process` runs it in a
process of its own.
"""

from __future__ import annotations

import itertools
import secrets
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from radio.composer import guard, planner, weights
from radio.composer.engine import Engine
from radio.composer.repertoire import Repertoire
from radio.composer.writer import Numbers, Writer, advance
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig
from radio.usage import usage

LOW, FULL = 12.0, 30.0
"""Seconds of bars waiting in a channel's queue.

A step of 16 rows costs four to five times a step of one, so nobody is written for until somebody is below LOW; then
all are, up to FULL.
"""
URGENT, STRIDE = 2.0, 3.0
"""Seconds below which a channel is written for at once; and how far ahead of the least written of those others may be.

When all wait, as after a start, each channel then gets as many seconds, not as many notes: what is dense would fall
behind.
"""


class Composer:
    """Writes the music of all channels.

    Raises:
        MissingError, ModelError: the model folder cannot be used.
    """

    def __init__(
        self,
        model: Path,
        channels: Sequence[ChannelConfig] = (),
        *,
        seed: int | None = None,
        state: Path | None = None,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._styles, self._guards, self._state = planner.load(model), guard.load(model), state
        self._seed = secrets.randbits(32) if seed is None else seed
        self.engine = Engine(weights.load(model, device), len(channels))
        self.writers: dict[str, Writer] = {}
        self._given: dict[str, int] = {}
        """Items at the head of each queue that `news` has given out; they wait there until they are taken."""
        self._filling = False
        self._began, self._cpu = time.monotonic(), time.process_time()
        for channel in channels:
            self.open(channel)

    def open(self, channel: ChannelConfig) -> None:
        """Writes for a channel from now on; one that is there already is begun anew.

        Its seed is made of its name: what other channels there are changes nothing.

        Raises:
            ModelError: the model knows nothing of its style.
        """
        self.close(channel.name)
        taken = {writer.number for writer in self.writers.values()}
        number = next(number for number in itertools.count() if number not in taken)
        repertoire = Repertoire(self._state, channel.name)
        self.writers[channel.name] = Writer(
            channel,
            self._styles,
            self.engine,
            number,
            seed=(self._seed, zlib.crc32(channel.name.encode())),
            numbers=Numbers(self._state, channel.name),
            guard=self._guards.of(channel.prefix.style, repertoire),
            guards=lambda style: self._guards.of(style, repertoire),
        )
        self._given[channel.name] = 0

    def close(self, channel: str) -> None:
        """Leaves a channel."""
        if channel in self.writers:
            self.engine.close(self.writers.pop(channel).number)

    def hungry(self) -> list[Writer]:
        """The writers that the next step is for."""
        ahead = [(writer.seconds_ahead(), writer) for writer in self.writers.values()]
        urgent = [writer for seconds, writer in ahead if seconds < URGENT]
        if urgent:
            self._filling = True
            most = min(writer.written for writer in urgent) + STRIDE
            return [writer for writer in urgent if writer.written <= most]
        least = min((seconds for seconds, _ in ahead), default=FULL)
        self._filling = least < (FULL if self._filling else LOW)
        return [writer for seconds, writer in ahead if self._filling and seconds < FULL]

    def advance(self) -> None:
        """Draws one position for each hungry writer."""
        hungry = self.hungry()
        if hungry:
            advance(self.engine, hungry)

    def news(self) -> Iterator[tuple[str, Piece | Bar]]:
        """Pieces and bars that were finished since the last call, with their channels, in order."""
        for name, writer in self.writers.items():
            for index in range(self._given[name], len(writer.queue)):
                yield name, writer.queue[index]
            self._given[name] = len(writer.queue)

    def taken(self, channel: str) -> None:
        """The oldest item given out has been taken."""
        self.writers[channel].queue.popleft()
        self._given[channel] -= 1

    def resume(self, channel: str, piece: Piece) -> None:
        """Goes on with a piece after the bars it has; what was written for the channel is dropped."""
        self.writers[channel].resume(piece)
        self._given[channel] = 0

    def skip(self, channel: str) -> None:
        """Drops the piece being written and all that waits to be taken."""
        self.writers[channel].skip()
        self._given[channel] = 0

    def state(self) -> dict[str, Any]:
        """Figures: positions drawn, positions a second while drawing, share of a core used, seconds ahead."""
        elapsed = max(time.monotonic() - self._began, 1e-6)
        seconds = self.engine.seconds
        return {
            "positions": self.engine.drawn,
            "positions_per_second": round(self.engine.drawn / seconds, 1) if seconds else 0.0,
            "cpu": round((time.process_time() - self._cpu) / elapsed, 4),
            **usage(),
            "faults": {
                name: counted for name, writer in self.writers.items() if (counted := writer.counted(faults=True))
            },
            "repairs": {
                name: counted for name, writer in self.writers.items() if (counted := writer.counted(faults=False))
            },
            "certificates": {
                name: {"piece": writer.finished.title, "number": writer.finished.number, **writer.certificate.to_json()}
                for name, writer in self.writers.items()
                if writer.finished and writer.certificate
            },
            "ahead": {name: round(writer.seconds_ahead(), 1) for name, writer in self.writers.items()},
        }
