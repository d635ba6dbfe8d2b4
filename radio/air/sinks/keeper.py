"""The sinks of a station, each run alone and run again when it fails: nobody else hears of it."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

from radio.air.sinks.directory import Directory
from radio.air.sinks.icecast import Icecast
from radio.air.sinks.recorder import Recorder
from radio.air.sinks.sink import Progress, Sink
from radio.air.station import Mount, Station
from radio.errors import SinkError
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import SinkConfig

log = logging.getLogger(__name__)

SINKS: dict[str, type[Sink]] = {"icecast": Icecast, "record": Recorder, "directory": Directory}
"""By kind."""
HEALTHY = 30.0
"""Seconds after which a sink counts as having run well."""
LONGEST = 60.0
"""Seconds of the longest pause."""


def pause(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row, at least one: 2, 4, 8 … 60, less up to half of it.

    `chance`, 0 to 1, spreads those who failed together, so that they do not come back together.
    """
    return min(2.0 ** min(failures, 10), LONGEST) * (1 - chance / 2)


class Keeper:
    """Keeps one sink running."""

    def __init__(self, config: SinkConfig, station: StationConfig, channel: ChannelConfig, mount: Mount) -> None:
        self.config, self.channel, self.mount = config, channel, mount
        self.progress = Progress()
        self.sink = SINKS[config.kind](config, station, channel, self.progress)
        self.failures = 0
        """In a row."""

    async def run(self) -> None:
        """Runs the sink, and again after each failure and a pause, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began, longer = loop.time(), 0.0
            try:
                await self.sink.run(self.mount)
            except SinkError as error:
                self._report(str(error))
                longer = error.pause
            except Exception as error:
                self._report(f"{type(error).__name__}: {error}", error)
            self.progress.turn("failed")
            self.failures = 1 if loop.time() - began > HEALTHY else self.failures + 1
            await asyncio.sleep(max(longer, pause(self.failures, random.random())))
            self.progress.turn("waiting")

    def _report(self, message: str, error: Exception | None = None) -> None:
        """Logs what is new; that it failed again, as before, is not worth a line each minute."""
        again = message == self.progress.error and self.progress.state != "running"
        level = logging.DEBUG if again else logging.ERROR
        log.log(level, "sink %s of %s: %s", self.config.kind, self.mount.path, message, exc_info=error)
        self.progress.error = message

    def status(self) -> dict[str, Any]:
        """What /status.json tells of it."""
        own = self.progress
        return {
            "kind": self.config.kind,
            "channel": self.mount.channel.name,
            "mount": self.mount.path,
            "state": own.state,
            "since": own.since.isoformat(timespec="seconds"),
            "bytes": own.bytes,
            "failures": self.failures,
            "error": own.error,
        }


class Sinks:
    """All sinks of a station, which run as long as the context lasts: one for each channel that a table is for."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._running: dict[tuple[int, str], tuple[Keeper, asyncio.Task[None]]] = {}
        """By the table's place and the channel's name."""
        self._ending: set[asyncio.Task[None]] = set()
        station.sinks = lambda: [keeper.status() for keeper in self.keepers]
        station.on_settled = self.settle

    @property
    def keepers(self) -> list[Keeper]:
        return [keeper for keeper, _ in self._running.values()]

    def settle(self) -> None:
        """Starts and ends sinks so that they are those of the channels there are, as they are configured.

        Raises:
            MissingError: a sink has not what it needs.
        """
        own = self.station.config.station
        wanted = {
            (number, name): transmission
            for number, config in enumerate(own.sinks)
            for name, transmission in self.station.transmissions.items()
            if not config.channels or name in config.channels
        }
        for place, (keeper, task) in list(self._running.items()):
            one = wanted.get(place)
            if one and keeper.channel == one.config and keeper.mount is one.mounts[keeper.config.format]:
                del wanted[place]
            else:
                task.cancel()
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
                del self._running[place]
        for (number, name), one in wanted.items():
            config = own.sinks[number]
            made = Keeper(config, own, one.config, one.mounts[config.format])
            self._running[number, name] = made, asyncio.create_task(made.run())

    async def __aenter__(self) -> Sinks:
        try:
            self.settle()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for _keeper, task in self._running.values():
            task.cancel()
            self._ending.add(task)
        await asyncio.gather(*self._ending, return_exceptions=True)
