"""The desk: the thread of one channel. It makes packets as far as there is credit, and begins again if it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from radio.config import ChannelConfig, StationConfig
from radio.link import Credit, Message, Packet, Position, SignOn, Trouble
from radio.studio.encodings import Encodings
from radio.studio.programme import Bars, Programme

log = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds to wait for the composer before looking whether to stop."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a channel that failed is begun again; doubled each time."""
HEALTHY = 60.0
"""Seconds after which a failure counts as the first again."""


class Desk:
    """One channel's thread. `send` raises ConnectionError when the air is gone, which ends the thread."""

    def __init__(
        self,
        station: StationConfig,
        channel: ChannelConfig,
        bars: Bars,
        position: Position,
        soundfont: Path,
        send: Callable[[Message], None],
    ) -> None:
        self.station, self.channel = station, channel
        self.figures: dict[str, Any] = {}
        """For the report; replaced, never changed."""
        self.failures = 0
        self._bars, self._soundfont, self._send = bars, soundfont, send
        self._position = position
        self._credit = Credit(channel.name, 0)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._programme: Programme | None = None
        self._thread = threading.Thread(target=self._run, name=f"channel {channel.name}")

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end."""
        self._stop.set()
        with self._changed:
            if self._programme is not None:
                self._programme.stop()
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Waits for the thread to end; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def allow(self, credit: Credit) -> None:
        """What may be sent, and in which formats."""
        with self._changed:
            self._credit = credit
            self._changed.notify_all()

    def skip(self) -> None:
        """Ends the piece that is being made."""
        with self._changed:
            if self._programme is not None:
                self._programme.skip()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._work()
            except ConnectionError as error:
                log.info("%s: %s", self.channel.name, error)
                return
            except Exception as error:
                if time.monotonic() - began > HEALTHY:
                    self.failures = 0
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Says what happened and waits. What fails twice in a row is a piece that cannot be gone on with."""
        self.failures += 1
        wait = min(FIRST_WAIT * 2 ** (self.failures - 1), LONGEST_WAIT)
        log.exception("%s failed; it begins again in %.1f s", self.channel.name, wait)
        if self.failures > 1:
            self._position = Position(self._position.number, self._position.start, fresh=True)
        try:
            self._send(Trouble(self.channel.name, f"{type(error).__name__}: {error}"))
        except ConnectionError:
            self._stop.set()
        self._stop.wait(wait)

    def _work(self) -> None:
        """Makes and sends packets until told to stop."""
        position = self._position
        programme = Programme(self.station, self.channel, self._bars, position, self._soundfont)
        encodings = Encodings(self.station, self.channel.name, position.number)
        try:
            with self._changed:
                self._programme = programme
            self._send(SignOn(self.channel.name, encodings.headers))
            while not self._stop.is_set():
                sound = programme.next_sound(PATIENCE)
                if sound is None:
                    self._encode(encodings)
                elif sound.start < position.start:
                    encodings.remember(sound)
                elif self._may_send(encodings):
                    packet = encodings.packet(sound)
                    self._send(packet)
                    self._sent(packet, programme)
        finally:
            with self._changed:
                self._programme = None
            programme.close()

    def _may_send(self, encodings: Encodings) -> bool:
        """Waits for credit, and gives what else is wanted meanwhile; False when told to stop."""
        while not self._stop.is_set():
            credit = self._encode(encodings)
            if encodings.number < credit.until:
                return True
            with self._changed:
                self._changed.wait_for(lambda seen=credit: self._credit is not seen or self._stop.is_set())  # type: ignore[misc]
        return False

    def _encode(self, encodings: Encodings) -> Credit:
        """Makes the formats wanted now."""
        with self._changed:
            credit = self._credit
        for encoded in encodings.want(credit):
            self._send(encoded)
        return credit

    def _sent(self, packet: Packet, programme: Programme) -> None:
        self._position = Position(packet.number + 1, packet.start + packet.frames, fresh=False)
        self.figures = {
            "voices": programme.voices,
            "gain": programme.gain,
            "loudness": packet.loudness,
            "failures": self.failures,
        }
