"""The studio: connects to the air and gives every channel a desk. It has no clock; it works as far as it has credit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from radio import link
from radio.errors import LinkError, RadioError
from radio.link import Close, Credit, Hello, Message, Open, Report, Stop, Trouble
from radio.settings import ChannelConfig, StationConfig
from radio.studio import soundfont
from radio.studio.connection import Connection
from radio.studio.desk import Desk, Order
from radio.studio.programme import Bars
from radio.studio.synth import Synth
from radio.tables import make
from radio.usage import usage

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0
"""Seconds before the air is looked for again."""
REPORT = 1.0
"""Seconds from report to report."""
LOOK = 0.1
"""Seconds from one look at whether to stop to the next."""
GRACE = 0.8
"""Seconds in which the desks must have ended."""


class Composer(Bars, Protocol):
    """Who writes the music of all channels."""

    trouble: BaseException | None
    """What it died of."""

    def keep(self, channels: Collection[str]) -> None:
        """Leaves all other channels."""

    def state(self) -> dict[str, Any]:
        """Figures for the report."""


def run(station: StationConfig, composer: Composer, address: str, stop: threading.Event) -> None:
    """Works for the air at `address` until `stop` is set; whenever the link breaks, connects again.

    Raises:
        MissingError: FluidSynth or the soundfont is not there.
        LinkError: the air is of another version.
        RadioError: the composer's model cannot be used.
        RuntimeError: the composer has died.
    """
    font = soundfont.find(station.soundfont)
    # One synth that plays nothing keeps the soundfont in memory while channels come and go.
    keeper = Synth(font)
    try:
        wait = FIRST_WAIT
        while not stop.is_set():
            try:
                connection = Connection(address)
            except OSError as error:
                log.log(logging.INFO if wait < LONGEST_WAIT else logging.DEBUG, "no air at %s: %s", address, error)
                stop.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT)
                continue
            with connection:
                if Session(station, composer, connection, font).run(stop):
                    wait = FIRST_WAIT
            if isinstance(composer.trouble, RadioError):
                raise composer.trouble
            if composer.trouble is not None:
                raise RuntimeError("the composer has died") from composer.trouble
            stop.wait(wait)
    finally:
        keeper.close()


class Session:
    """One connection to the air, from its Hello to its end."""

    def __init__(self, station: StationConfig, composer: Composer, connection: Connection, font: Path) -> None:
        self.station, self.composer, self.connection, self.font = station, composer, connection, font
        self.desks: dict[str, Desk] = {}
        self._ended = threading.Event()
        self._refused: LinkError | None = None
        self._greeted = False

    def run(self, stop: threading.Event) -> bool:
        """Works until the link ends or `stop` is set; whether the air had greeted us.

        Raises:
            LinkError: the air is of another version.
        """
        reader = threading.Thread(target=self._read, name="link")
        reader.start()
        cpu, clock = time.process_time(), time.monotonic()
        try:
            while not stop.is_set() and not self._ended.wait(LOOK) and self.composer.trouble is None:
                now, used = time.monotonic(), time.process_time()
                if now - clock >= REPORT:
                    self._report((used - cpu) / (now - clock))
                    cpu, clock = used, now
        finally:
            self.connection.close()
            reader.join()
            self._end(tuple(self.desks.values()))
        if self._refused is not None:
            raise self._refused
        return self._greeted

    def _read(self) -> None:
        try:
            for message in self.connection.receive():
                if isinstance(message, Stop):
                    log.info("the air signs off")
                    break
                self._obey(message)
        except LinkError as error:
            log.error("the link is closed: %s", error)
        except ConnectionError as error:
            log.info("%s", error)
        finally:
            self._ended.set()

    def _obey(self, message: Message) -> None:
        match message:
            case Hello():
                self._greet(message)
            case Open():
                self._open(message)
            case Credit(channel) if channel in self.desks:
                self.desks[channel].allow(message)
            case Close(channel) if channel in self.desks:
                self._end([self.desks.pop(channel)])
                self.composer.keep(tuple(self.desks))

    def _greet(self, hello: Hello) -> None:
        if hello.version != link.VERSION:
            self._refused = LinkError(
                f"the air speaks version {hello.version} of the link, the studio {link.VERSION}: "
                "run the same version of radio on both"
            )
            raise self._refused
        self._greeted = True
        self.composer.keep(hello.channels)

    def _open(self, message: Open) -> None:
        """Begins a channel, or begins it anew."""
        name, problems = message.channel, list[str]()
        channel = make(ChannelConfig, message.table, "", problems, name=name)
        if channel is None:
            self.connection.send(Trouble(name, f"not a channel for this studio: {'; '.join(problems)}"))
            return
        order = Order(channel, message.turn, message.position)
        if name in self.desks:
            self.desks[name].begin(order)
        else:
            self.desks[name] = Desk(self.station, order, self.composer, self.font, self.connection.send)
            self.desks[name].start()

    def _report(self, cpu: float) -> None:
        desks = dict(self.desks)
        figures = {
            "cpu": round(cpu, 3),
            "soundfont": self.font.name,
            **usage(),
            "composer": self.composer.state(),
            "channels": {name: desk.figures for name, desk in desks.items()},
        }
        try:
            self.connection.send(Report(figures))
        except ConnectionError:
            self._ended.set()

    def _end(self, desks: Collection[Desk]) -> None:
        for desk in desks:
            desk.stop()
        until = time.monotonic() + GRACE
        for desk in desks:
            if not desk.join(max(until - time.monotonic(), 0.0)):
                log.error("%s does not end", desk.name)
