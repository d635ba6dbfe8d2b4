"""A station on a real port, its time and its studio in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from fakes import Clock, Tones
from radio.air.channel import Channel
from radio.air.door import Door
from radio.air.server import application, served
from radio.air.station import Station
from radio.config import Config
from radio.formats import BLOCK, RATE
from radio.link import Credit
from radio.music.events import PieceEvent

EPOCH = 1.7e9
"""What the wall clock shows when the station's shows 0."""


@dataclass
class Air:
    """A station on a real port, its time in the test's hands."""

    station: Station
    clock: Clock
    app: web.Application
    door: Door
    tones: dict[str, Tones] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.door.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send(self, name: str, count: int) -> None:
        """Packets from the studio."""
        own = self.tones.setdefault(name, Tones(name, station=self.station.config.station))
        self.station.transmissions[name].channel.headers = own.headers
        self.station.on_credit = self._credit
        for packet in own.packets(count):
            self.station.receive(packet)

    def silence(self, name: str) -> None:
        """The studio has not been asked for any format so far."""
        list(self.tones[name].encodings.want(Credit(name, 0, 0)))

    def _credit(self, channel: Channel) -> None:
        for encoded in self.tones[channel.name].encodings.want(channel.credit()):
            self.station.add(encoded)

    async def run(self, seconds: float) -> None:
        """Lets time pass."""
        for _ in range(round(seconds * RATE / BLOCK)):
            self.clock.now += BLOCK / RATE
            for one in self.station.transmissions.values():
                one.advance(self.clock.now)
            await asyncio.sleep(0)


LOOP = 8
"""Packets that `Again` sends."""


@dataclass
class Again:
    """A studio that encodes a few packets once and sends them again and again: hours of a channel in seconds.

    Every `each` packets begin another piece, with the next of `titles`.
    """

    air: Air
    name: str
    titles: Iterator[str]
    each: int
    number: int = 0
    title: str = ""

    def __post_init__(self) -> None:
        tones = Tones(self.name, length=10**6, station=self.air.station.config.station)
        self.air.station.transmissions[self.name].channel.headers = tones.headers
        self._sound = list(tones.packets(LOOP))

    def send(self, count: int) -> None:
        """Packets from the studio."""
        for _ in range(count):
            start, events = self.number * BLOCK, ()
            if self.number % self.each == 0:
                self.title = next(self.titles)
                piece = self.number // self.each + 1
                events = (PieceEvent(start, piece, self.title, "tone", "C major", "4/4", 100.0, self.each),)
            made = self._sound[self.number % LOOP]
            self.air.station.receive(replace(made, number=self.number, start=start, title=self.title, events=events))
            self.number += 1

    async def play(self, packets: int, *, pause: float = 0.0) -> None:
        """Lets so many packets' time pass, with `pause` real seconds for each."""
        for _ in range(packets):
            self.send(1)
            await self.air.run(BLOCK / RATE)
            await asyncio.sleep(pause)


@asynccontextmanager
async def aired(config: Config, clock: Clock | None = None) -> AsyncIterator[Air]:
    """A station that has not signed on yet."""
    own = clock or Clock()
    station = Station(config, clock=own, wall=lambda: EPOCH + own.now)
    app = application(station)
    async with served(app, "127.0.0.1", 0) as door:
        yield Air(station, own, app, door)
