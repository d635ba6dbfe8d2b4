"""The sink that announces a mount to a directory, in Icecast's YP protocol.

Requests are forms (`action=add`, then `touch` again and again, at last `remove`); answers are headers: YPResponse (1:
done), YPMessage, and to an `add` SID, by which the entry is called, and TouchFreq. Source: Icecast's src/yp.c.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientTimeout

from radio.air.sinks.sink import Progress
from radio.air.sinks.source import AGENT, PATIENCE
from radio.air.station import Mount
from radio.errors import SinkError
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import DirectoryConfig

log = logging.getLogger(__name__)

LEAST, USUAL, MOST = 30.0, 600.0, 86400.0
"""Seconds between two touches: what a directory may ask for, and between the two what is meant if it asks for none."""
SETTLE = 3.0
"""Seconds from a new title to the touch that tells it."""
LOST, REFUSED = 1200.0, 7200.0
"""Seconds until an entry is added again that a directory has lost, or has refused."""
FAREWELL = 1.0
"""Seconds that removing the entry may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A directory's answer."""

    done: bool
    message: str = ""
    sid: str = ""
    every: float = USUAL
    """Seconds from one touch to the next."""


def parse(fields: Mapping[str, str]) -> Answer:
    """The answer from the headers of a response."""
    asked = fields.get("TouchFreq", "").strip()
    every = min(max(LEAST, float(asked)), MOST) if asked.isdecimal() else USUAL
    done = fields.get("YPResponse", "").strip() == "1"
    return Answer(done, fields.get("YPMessage", "").strip(), fields.get("SID", "").strip(), every)


class Directory:
    """Keeps one mount's entry in a directory."""

    def __init__(
        self, config: DirectoryConfig, station: StationConfig, channel: ChannelConfig, progress: Progress
    ) -> None:
        self.config, self.station, self.channel, self.progress = config, station, channel, progress

    async def run(self, mount: Mount) -> None:
        """Adds the entry once the channel is on the air, keeps it alive, and removes it when cancelled.

        Raises:
            SinkError: the directory cannot be reached, refuses, or has lost the entry.
        """
        while not mount.channel.log:
            await mount.news.wait()
        timeout = ClientTimeout(total=PATIENCE)
        async with ClientSession(timeout=timeout, headers={"User-Agent": AGENT}) as session:
            added = await self._ask(session, self.added(mount), REFUSED)
            if not added.sid:
                raise SinkError(f"{self.config.server}: gave no SID", pause=REFUSED)
            log.info("%s is listed at %s", mount.path, self.config.server)
            self.progress.turn("running")
            try:
                await asyncio.sleep(SETTLE)
                while True:
                    told = mount.channel.title
                    answer = await self._ask(session, self.touched(mount, added.sid), LOST)
                    await due(mount, told, answer.every if answer.every != USUAL else added.every)
            finally:
                with suppress(SinkError, TimeoutError):
                    async with asyncio.timeout(FAREWELL):
                        await self._ask(session, {"action": "remove", "sid": added.sid}, LOST)

    def added(self, mount: Mount) -> dict[str, str]:
        """The form that adds the entry."""
        kind, _, parameters = mount.form.content_type.partition(";")
        return {
            "action": "add",
            "sn": f"{self.channel.title} - {self.station.name}",
            "genre": self.channel.genre,
            "cpswd": "",
            "desc": self.channel.description,
            "url": self.station.url or self.station.listing.address,
            "listenurl": self.station.listing.address.rstrip("/") + mount.path,
            "type": kind,
            "stype": parameters.partition("codecs=")[2].title(),
            "b": str(self.station.kbits(mount.form)),
        }

    def touched(self, mount: Mount, sid: str) -> dict[str, str]:
        """The form that keeps it alive."""
        return {
            "action": "touch",
            "sid": sid,
            "st": mount.channel.title,
            "listeners": str(len(mount.listeners)),
            "max_listeners": str(self.station.max_listeners),
            "stype": self.added(mount)["stype"],
        }

    async def _ask(self, session: ClientSession, form: Mapping[str, str], pause: float) -> Answer:
        """The directory's answer to a form.

        Raises:
            SinkError: there is none, or it is that nothing was done; not to be asked again for `pause` seconds.
        """
        server, action = self.config.server, form["action"]
        try:
            async with session.post(server, data=form) as response:
                answer = parse(response.headers)
        except (ClientError, TimeoutError) as error:
            raise SinkError(f"{server}: {action}: {str(error) or type(error).__name__}", pause=LOST) from error
        if not answer.done:
            said = answer.message or f"{response.status} {response.reason}"
            raise SinkError(f"{server}: {action} refused: {said[:200]}", pause=pause)
        return answer


async def due(mount: Mount, told: str, every: float) -> None:
    """Waits for the next touch: `every` seconds, or until there is a title that was not told."""
    with suppress(TimeoutError):
        async with asyncio.timeout(every):
            while mount.channel.title == told:
                await mount.news.wait()
            await asyncio.sleep(SETTLE)
