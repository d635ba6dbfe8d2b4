"""The composer in a process of its own, and the studio's side of it. This side loads no torch.

A step of the model holds the interpreter's lock for some 20 ms, and drawing gives it away at every call; with a
thread for every channel in the same process each call waits to get it back, and so do they.

    studio                                     composer
    ("taken" | "open" | "resume" | "skip" | "close", channel, …)  →
                                               ←  ("item", channel, generation, Piece | Bar)
                                               ←  ("refused", channel, why)
                                               ←  ("state", figures)
                                               ←  ("trouble", exception), the last thing it says

Generations: whatever was written before any of the last four carries an older number, and is dropped as it comes.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import threading
import time
from collections import defaultdict, deque
from collections.abc import Collection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radio import logs
from radio.errors import ModelError, RadioError
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig

if TYPE_CHECKING:
    from radio.composer.composer import Composer

log = logging.getLogger(__name__)

IDLE = 0.5
"""Seconds that a composer with nothing to do waits for a message."""
REPORT = 1.0
"""Seconds from one report of its state to the next."""


class ComposerProcess:
    """Writes the music of all channels; the arguments are those of `radio.composer.composer.Composer`.

    Safe for threads; one caller a channel.

    `trouble` is what it died of: a RadioError where the user can mend it.
    """

    def __init__(
        self,
        model: Path,
        *,
        seed: int | None = None,
        state: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        log: str = "text",
    ) -> None:
        arguments = {"seed": seed, "state": state, "device": device, "threads": threads}
        context = multiprocessing.get_context("spawn")
        self._pipe, self._other = context.Pipe()
        self._process = context.Process(
            target=_main, args=(self._other, model, arguments, log), name="composer", daemon=True
        )
        self._reader = threading.Thread(target=self._read, name="composer", daemon=True)
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._queues: defaultdict[str, deque[Piece | Bar]] = defaultdict(deque)
        self._generations: defaultdict[str, int] = defaultdict(int)
        self._channels: dict[str, ChannelConfig] = {}
        self._refused: dict[str, str] = {}
        self._state: dict[str, Any] = {}
        self._stopping = False
        self.trouble: BaseException | None = None

    def start(self) -> None:
        """Begins to compose."""
        self._process.start()
        self._other.close()
        self._reader.start()

    def stop(self) -> None:
        """Ends the process, wherever it is: nothing that it holds would be lost."""
        self._stopping = True
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()
            self._reader.join()

    def open(self, channel: ChannelConfig) -> None:
        """Writes for a channel from now on; for one that is another than it was, anew."""
        with self._changed:
            same = self._channels.get(channel.name) == channel
            self._channels[channel.name] = channel
        if not same:
            self._anew("open", channel.name, channel)

    def keep(self, channels: Collection[str]) -> None:
        """Leaves all other channels."""
        with self._changed:
            left = self._channels.keys() - set(channels)
            for name in left:
                del self._channels[name]
        for name in left:
            self._anew("close", name)

    def take(self, channel: str, timeout: float) -> Piece | Bar | None:
        """What the channel plays next: a Piece opens a piece, its bars follow; None if nothing came in time.

        Raises:
            ModelError: the model cannot write for this channel.
        """
        with self._changed:
            queue = self._queues[channel]
            self._changed.wait_for(lambda: queue or channel in self._refused, timeout)
            if channel in self._refused:
                raise ModelError(self._refused[channel])
            item = queue.popleft() if queue else None
        if item is not None:
            self._tell("taken", channel, self._generations[channel])
        return item

    def resume(self, channel: str, piece: Piece) -> None:
        """Goes on with a piece after the bars it has; to be called after `open` and before the first `take`."""
        self._anew("resume", channel, piece)

    def skip(self, channel: str) -> None:
        """Drops the piece being written and all that waits to be taken; the next `take` gives a new piece."""
        self._anew("skip", channel)

    def state(self) -> dict[str, Any]:
        """The composer's figures, a second old at most."""
        return self._state

    def _anew(self, what: str, channel: str, *more: object) -> None:
        with self._changed:
            self._generations[channel] += 1
            self._queues[channel].clear()
            self._refused.pop(channel, None)
        self._tell(what, channel, self._generations[channel], *more)

    def _tell(self, *message: object) -> None:
        with self._sending, contextlib.suppress(OSError):  # it has died: the reader learns what of
            self._pipe.send(message)

    def _read(self) -> None:
        trouble: BaseException | None = None
        try:
            while True:
                kind, *rest = self._pipe.recv()
                if kind == "item":
                    self._add(*rest)
                elif kind == "refused":
                    self._refuse(*rest)
                elif kind == "state":
                    self._state = rest[0]
                else:
                    trouble = rest[0]
        except (EOFError, OSError):
            pass
        self._process.join()
        if not self._stopping:
            self.trouble = trouble or RuntimeError(f"its process ended: exit status {self._process.exitcode}")

    def _add(self, channel: str, generation: int, item: Piece | Bar) -> None:
        with self._changed:
            if generation == self._generations[channel]:
                self._queues[channel].append(item)
                self._changed.notify_all()

    def _refuse(self, channel: str, generation: int, why: str) -> None:
        with self._changed:
            if generation == self._generations[channel]:
                self._refused[channel] = why
                self._changed.notify_all()


def _main(pipe: Connection, model: Path, arguments: dict[str, Any], form: str) -> None:
    """The process: composes until the studio's end of the pipe closes."""
    # Ctrl-C goes to every process of the terminal; this one ends with the studio.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.use(form, "composer")
    try:
        from radio.composer.composer import Composer

        _compose(pipe, Composer(model, **arguments))
    except (EOFError, ConnectionError):
        pass
    except RadioError as error:
        pipe.send(("trouble", error))
    except Exception as error:
        log.exception("the composer died")
        pipe.send(("trouble", RuntimeError(f"{type(error).__name__}: {error}")))


def _compose(pipe: Connection, composer: Composer) -> None:
    generations: defaultdict[str, int] = defaultdict(int)
    told = 0.0
    while True:
        while pipe.poll(0.0 if composer.hungry() else IDLE):
            refused = _obey(composer, generations, *pipe.recv())
            if refused is not None:
                pipe.send(("refused", *refused))
        composer.advance()
        for channel, item in composer.news():
            pipe.send(("item", channel, generations[channel], item))
        if time.monotonic() - told >= REPORT:
            told = time.monotonic()
            pipe.send(("state", composer.state()))


def _obey(
    composer: Composer, generations: dict[str, int], what: str, channel: str, generation: int, *more: Any
) -> tuple[str, int, str] | None:
    """Does what a message says; a channel that is refused, the generation of it and why."""
    if what != "taken":
        generations[channel] = generation
    if what == "open":
        try:
            composer.open(*more)
        except ModelError as error:
            return channel, generation, str(error)
    elif channel in composer.writers and generation == generations[channel]:
        getattr(composer, what)(channel, *more)
    return None
