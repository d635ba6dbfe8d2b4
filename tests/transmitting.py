"""A station on the air with a studio of tones and its sinks, as fast as the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fakes import Clock, Tones, config
from radio.air.channel import Channel
from radio.air.sinks.keeper import Keeper, Sinks
from radio.air.station import Mount, Station
from radio.formats import BLOCK, RATE
from radio.link import Packet
from radio.sinks import SinkConfig


class Transmitter:
    """One channel, "bach", with these sinks."""

    def __init__(self, *sinks: SinkConfig, length: int = 20, **station: object) -> None:
        self.clock = Clock()
        self.station = Station(config("bach", sinks=sinks, **station), clock=self.clock)
        self.transmission = self.station.transmissions["bach"]
        self.tones = Tones("bach", length, self.station.config.station)
        list(self.tones.encodings.want(self.transmission.channel.credit()))  # nothing is made that is not asked for
        self.transmission.channel.headers = self.tones.headers
        self.station.on_credit = self._credit
        self.sinks = Sinks(self.station)
        self.title = ""
        """Instead of the tones' own."""
        self.released: list[Packet] = []
        self.transmission.channel.on_released = self.released.append

    @property
    def keepers(self) -> list[Keeper]:
        return self.sinks.keepers

    def mount(self, form: str = "mp3") -> Mount:
        return self.transmission.mounts[form]

    def _credit(self, channel: Channel) -> None:
        for encoded in self.tones.encodings.want(channel.credit()):
            self.station.add(encoded)

    async def play(self, packets: int) -> None:
        """Sends and releases so many packets, with the studio some ahead."""
        for _ in range(packets):
            while self.transmission.channel.ahead < 8:
                (packet,) = self.tones.packets(1)
                self.station.receive(replace(packet, title=self.title) if self.title else packet)
            self.clock.now += BLOCK / RATE
            before = self.transmission.channel.credit()
            self.transmission.advance(self.clock.now)
            if self.transmission.channel.credit() != before:
                self._credit(self.transmission.channel)
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], Any], seconds: float = 90.0, speed: float = 8.0) -> None:
        """Plays, so many times as fast as in life, until the condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.play(1)
                await asyncio.sleep(BLOCK / RATE / speed)

    @asynccontextmanager
    async def playing(self, speed: float = 4.0) -> AsyncIterator[None]:
        """Plays meanwhile."""
        task = asyncio.create_task(self.until(lambda: False, 300.0, speed))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def __aenter__(self) -> Transmitter:
        """Starts the sinks; the studio knows what they want, as it does long before a station's first packet."""
        await self.sinks.__aenter__()
        await asyncio.sleep(0)
        self.transmission.advance(self.clock.now)
        self._credit(self.transmission.channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sinks.__aexit__()
