"""A station on a real port, its time and its studio in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from fakes import Clock, Tones
from radio.air.channel import Channel
from radio.air.server import application
from radio.air.station import Station
from radio.config import Config
from radio.formats import BLOCK, RATE
from radio.link import Credit

EPOCH = 1.7e9
"""What the wall clock shows when the station's shows 0."""


@dataclass
class Air:
    """A station on a real port, its time in the test's hands."""

    station: Station
    clock: Clock
    runner: web.AppRunner
    tones: dict[str, Tones] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.runner.addresses[0][1])

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


@asynccontextmanager
async def aired(config: Config, clock: Clock | None = None) -> AsyncIterator[Air]:
    """A station that has not signed on yet."""
    own = clock or Clock()
    station = Station(config, clock=own, wall=lambda: EPOCH + own.now)
    runner = web.AppRunner(application(station), handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Air(station, own, runner)
    finally:
        await runner.cleanup()
