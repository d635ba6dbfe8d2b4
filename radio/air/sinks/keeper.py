"""The sinks of a station, each run alone and run again when it fails: nobody else hears of it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from typing import Any

from radio.air.sinks.directory import Directory
from radio.air.sinks.icecast import Icecast
from radio.air.sinks.recorder import Recorder
from radio.air.sinks.sink import Progress, Sink
from radio.air.station import Mount, Station
from radio.config import ChannelConfig, StationConfig
from radio.errors import SinkError
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
        self.config, self.mount = config, mount
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


def keepers(station: Station) -> Iterator[Keeper]:
    """One for each channel of each of the station's sinks.

    Raises:
        MissingError: a sink has not what it needs.
    """
    for config in station.config.station.sinks:
        for name, transmission in station.transmissions.items():
            if not config.channels or name in config.channels:
                mount = transmission.mounts[config.format]
                yield Keeper(config, station.config.station, transmission.config, mount)
