"""The desk: the thread of one channel. It makes packets as far as there is credit, and begins again if it fails.

It may be given another order at any time: to go on at an earlier packet, with another piece, as another channel. The
piece that it breaks off dies away first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from radio.formats import BLOCK
from radio.link import Credit, Message, Position, SignOn, Trouble
from radio.settings import ChannelConfig, StationConfig
from radio.studio.encodings import Encodings
from radio.studio.programme import Bars, Programme, Sound

log = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds to wait for the composer before looking whether to stop."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a channel that failed is begun again; doubled each time."""
HEALTHY = 60.0
"""Seconds after which a failure counts as the first again."""
PAUSE = 2
"""Silent blocks after a piece that was broken off."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the air asks of a desk: a channel, from a position on. `turn` is told back as it signs on."""

    channel: ChannelConfig
    turn: int
    position: Position


class Desk:
    """One channel's thread. `send` raises ConnectionError when the air is gone, which ends the thread."""

    def __init__(
        self, station: StationConfig, order: Order, bars: Bars, soundfont: Path, send: Callable[[Message], None]
    ) -> None:
        self.station, self.name = station, order.channel.name
        self.figures: dict[str, Any] = {}
        """For the report; replaced, never changed."""
        self.failures = 0
        self._bars, self._soundfont, self._send = bars, soundfont, send
        self._order = order
        self._credit = Credit(self.name, 0)
        self._begun: Order | None = None
        """The order that is carried out."""
        self._position = order.position
        """Where to go on."""
        self._encodings: Encodings | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._programme: Programme | None = None
        self._thread = threading.Thread(target=self._run, name=f"channel {self.name}")

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end."""
        self._stop.set()
        self._wake()

    def join(self, timeout: float) -> bool:
        """Waits for the thread to end; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def begin(self, order: Order) -> None:
        """Breaks off what is being made, for another order. Nothing may be sent before there is credit for it."""
        with self._changed:
            self._order, self._credit = order, Credit(self.name, 0)
        self._wake()

    def allow(self, credit: Credit) -> None:
        """What may be sent, and in which formats."""
        with self._changed:
            self._credit = credit
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            if self._programme is not None:
                self._programme.stop()
            self._changed.notify_all()

    @property
    def _over(self) -> bool:
        """Whether what is being made is not wanted any more."""
        return self._stop.is_set() or self._order is not self._begun

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._work()
            except ConnectionError as error:
                log.info("%s: %s", self.name, error)
                return
            except Exception as error:
                if time.monotonic() - began > HEALTHY:
                    self.failures = 0
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Says what happened and waits. What fails twice in a row is a piece that cannot be gone on with."""
        self.failures += 1
        self._encodings = None
        wait = min(FIRST_WAIT * 2 ** (self.failures - 1), LONGEST_WAIT)
        log.exception("%s failed; it begins again in %.1f s", self.name, wait)
        if self.failures > 1:
            self._position = replace(self._position, fresh=True)
        try:
            self._send(Trouble(self.name, f"{type(error).__name__}: {error}"))
        except ConnectionError:
            self._stop.set()
        self._stop.wait(wait)

    def _work(self) -> None:
        """Makes and sends packets until told to stop, or to do something else."""
        order, cut = self._take_order()
        if self._encodings is None:
            self._encodings = Encodings(self.station, self.name, self._position.number)
        encodings = self._encodings
        self._bars.open(order.channel)
        self._send(SignOn(self.name, order.turn, encodings.headers))
        for dying in farewell(cut):
            if self._give(encodings, dying):
                self._position = replace(self._position, fresh=True)
        position = self._position
        programme = Programme(self.station, order.channel, self._bars, position, self._soundfont)
        try:
            with self._changed:
                self._programme = programme
            while not self._over:
                sound = programme.next_sound(PATIENCE)
                if sound is None:
                    self._encode(encodings)
                elif sound.start < position.start:
                    encodings.remember(sound)
                elif self._give(encodings, sound):
                    self._tell(programme, sound)
        finally:
            with self._changed:
                self._programme = None
            programme.close()

    def _take_order(self) -> tuple[Order, Sound | None]:
        """The order to carry out, and the block at which the piece before it, if any, is broken off."""
        with self._changed:
            order, begun = self._order, self._begun
            self._begun = order
        if order is begun:
            return order, None
        self._position = order.position
        return order, self._encodings.take_back(order.position.number) if self._encodings else None

    def _give(self, encodings: Encodings, sound: Sound) -> bool:
        """Sends a block once there is credit, and gives what else is wanted meanwhile; False if it is over before."""
        while not self._over:
            credit = self._encode(encodings)
            if encodings.number < credit.until:
                packet = encodings.packet(sound)
                self._send(packet)
                self._position = Position(packet.number + 1, packet.start + packet.frames, fresh=False)
                return True
            with self._changed:
                self._changed.wait_for(lambda seen=credit: self._credit is not seen or self._over)  # type: ignore[misc]
        return False

    def _encode(self, encodings: Encodings) -> Credit:
        """Makes the formats wanted now."""
        with self._changed:
            credit = self._credit
        for encoded in encodings.want(credit):
            self._send(encoded)
        return credit

    def _tell(self, programme: Programme, sound: Sound) -> None:
        self.figures = {
            "voices": programme.voices,
            "gain": programme.gain,
            "loudness": sound.loudness,
            "failures": self.failures,
        }


def farewell(cut: Sound | None) -> Iterator[Sound]:
    """What is heard from the block at which a piece is broken off: it dies away in that block, and a silence follows.

    Nothing if no piece is broken off.
    """
    if cut is None or cut.opening:
        return
    faded = cut.pcm * np.linspace(1, 0, BLOCK, dtype=np.float32)[:, None]
    yield replace(cut, pcm=np.rint(faded).astype(np.int16))
    for number in range(1, PAUSE + 1):
        yield replace(cut, start=cut.start + number * BLOCK, pcm=np.zeros_like(cut.pcm), events=())
