"""The composer: one thread, one batch, every channel's music.

Each channel has a `Writer` (`radio.composer.writer`). The thread steps all hungry writers together and sleeps when
none is; the studio's threads take pieces and bars from the writers' queues.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from radio.composer import planner, weights
from radio.composer.engine import Engine
from radio.composer.writer import Numbers, Writer, advance
from radio.config import ChannelConfig
from radio.music.score import Bar, Piece

log = logging.getLogger(__name__)

AHEAD = 16.0
"""Seconds of bars that a channel's queue is kept filled with."""


class Composer:
    """Writes the music of all channels, ahead of those who take it.

    Raises:
        MissingError, ModelError: the model folder cannot be used.
    """

    def __init__(
        self,
        model: Path,
        channels: Sequence[ChannelConfig],
        *,
        seed: int | None = None,
        state: Path | None = None,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.threads = threads
        styles = planner.load(model)
        self.engine = Engine(weights.load(model, device), len(channels))
        seed = secrets.randbits(32) if seed is None else seed
        self.writers = {
            channel.name: Writer(
                channel, styles, self.engine, number, seed=(seed, number), numbers=Numbers(state, channel.name)
            )
            for number, channel in enumerate(channels)
        }
        self.wake = threading.Condition()
        self._turn = threading.Lock()
        """Held while positions are drawn and written, and by whoever else changes a writer."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="composer")
        self._busy = 0.0
        self._since = time.monotonic()
        self.trouble: BaseException | None = None

    def start(self) -> None:
        """Begins to compose."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the position it is at."""
        with self.wake:
            self._stopping = True
            self.wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def take(self, channel: str, timeout: float) -> Piece | Bar | None:
        """What the channel plays next: a Piece opens a piece, its bars follow; None if nothing came in time.

        Raises:
            RuntimeError: the composer's thread has died; its exception is the cause.
        """
        writer = self.writers[channel]
        with self.wake:
            self.wake.wait_for(lambda: bool(writer.queue) or self.trouble is not None, timeout)
            if writer.queue:
                taken = writer.queue.popleft()
                self.wake.notify_all()
                return taken
        if self.trouble is not None:
            raise RuntimeError("the composer has died") from self.trouble
        return None

    def resume(self, channel: str, piece: Piece) -> None:
        """Goes on with a piece after the bars it has; to be called before the first `take`."""
        with self._turn:
            self.writers[channel].resume(piece)
        self._notify()

    def skip(self, channel: str) -> None:
        """Drops the piece being written and all that waits to be taken; the next `take` gives a new piece."""
        with self._turn:
            self.writers[channel].skip()
        self._notify()

    def state(self) -> dict[str, Any]:
        """Figures: positions drawn, positions a second while drawing, share of time spent, bars waiting."""
        elapsed = max(time.monotonic() - self._since, 1e-6)
        seconds = self.engine.seconds
        return {
            "positions": self.engine.drawn,
            "positions_per_second": round(self.engine.drawn / seconds, 1) if seconds else 0.0,
            "share": round(self._busy / elapsed, 4),
            "ahead": {name: round(writer.seconds_ahead(), 1) for name, writer in self.writers.items()},
        }

    def _notify(self) -> None:
        with self.wake:
            self.wake.notify_all()

    def _run(self) -> None:
        torch.set_num_threads(self.threads)
        try:
            while not self._stopping:
                self._advance()
        except BaseException as error:
            log.exception("the composer died")
            with self.wake:
                self.trouble = error
                self.wake.notify_all()

    def _advance(self) -> None:
        with self.wake:
            hungry = self._hungry()
            if not hungry:
                self.wake.wait(0.5)
                return
        began = time.monotonic()
        with self._turn:
            advance(self.engine, hungry)
        with self.wake:
            self.wake.notify_all()
        self._busy += time.monotonic() - began

    def _hungry(self) -> list[Writer]:
        """The writers whose queue is short. Those with nothing at all come alone, so that every channel starts soon."""
        hungry = [w for w in self.writers.values() if w.seconds_ahead() < AHEAD]
        starved = [w for w in hungry if w.seconds_ahead() == 0.0]
        return starved or hungry
