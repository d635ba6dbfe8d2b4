"""The sink that sends a mount to an Icecast server, and each title as its sound begins.

It is a source there: what is sent begins with the packet released last, and so it does after every reconnection.
Titles are told in UTF-8. Icecast makes them the mount's charset, and what that has no letters for "&#8217;".
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout

from radio.air.icy import clean
from radio.air.sinks.reception import Reception
from radio.air.sinks.sink import Progress
from radio.air.sinks.source import AGENT, PATIENCE, Source, connect, credentials, head
from radio.air.station import Mount
from radio.errors import MissingError
from radio.formats import RATE, Format
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import IcecastConfig

log = logging.getLogger(__name__)

TITLE_AGAIN = 5.0
"""Seconds before a title is told again that was not taken."""


def fields(station: StationConfig, channel: ChannelConfig, form: Format, *, public: bool) -> dict[str, str]:
    """What the server is told of the mount. Icecast knows Ogg by its bare content type only."""
    rate = station.kbits(form)
    return {
        "Content-Type": form.content_type.partition(";")[0],
        "Ice-Public": str(int(public)),
        "Ice-Name": f"{channel.title} - {station.name}",
        "Ice-Description": channel.description,
        "Ice-Genre": channel.genre,
        "Ice-URL": station.url,
        "Ice-Bitrate": str(rate),
        "Ice-Audio-Info": f"channels=2;samplerate={RATE};bitrate={rate}",
    }


class Icecast:
    """Sends one mount to an Icecast server."""

    def __init__(
        self, config: IcecastConfig, station: StationConfig, channel: ChannelConfig, progress: Progress
    ) -> None:
        self.config, self.station, self.channel, self.progress = config, station, channel, progress
        password = os.environ.get(config.password_env)
        if not password:
            raise MissingError(
                f"sinks: {config.server}: the environment has no {config.password_env}; "
                "set it to the source's password, or name another variable with password_env"
            )
        self._authorization = credentials(config.user, password)
        self._title = ""
        self._news = asyncio.Event()
        """Set when there is a title to be told."""

    async def run(self, mount: Mount) -> None:
        """Sends what is released, until cancelled.

        Raises:
            SinkError: the server cannot be reached, refuses, or is gone.
        """
        form = mount.form
        path = self.config.mount.format(channel=self.channel.name, format=form.extension)
        where = self.config.server.rstrip("/") + path
        charset = self.config.charset if form.icy else "utf-8"
        own = fields(self.station, self.channel, form, public=self.config.public)
        host = self.config.server.partition("//")[2].partition("/")[0]
        begin = head(quote(path), host, self._authorization, own, charset)
        with Reception(mount) as reception:
            await reception.begin(live=True)
            source = await connect(self.config.server, begin, where, self.config.user)
            log.info("sending %s to %s", mount.path, where)
            self.progress.turn("running")
            self._title = ""
            try:
                titles = [self._tell(path, where)] if form.icy else []
                await first_of(self._send(source, reception, mount), source.ended(), *titles)
            finally:
                source.close()

    async def _send(self, source: Source, reception: Reception, mount: Mount) -> None:
        form = mount.form
        data = mount.channel.headers.get(form.name, b"")
        alone = form.alone
        while True:
            for packet in await reception.packets():
                data += alone(packet.data[form.name])
                alone = _as_it_is
                await source.send(data)
                self.progress.bytes += len(data)
                data = b""
                if packet.title != self._title:
                    self._title = packet.title
                    self._news.set()

    async def _tell(self, path: str, where: str) -> None:
        """Tells the server each title, once the first of its sound is sent; the last one, if it is slow."""
        timeout = ClientTimeout(total=PATIENCE)
        own = {"Authorization": self._authorization, "User-Agent": AGENT}
        async with ClientSession(timeout=timeout, headers=own) as session:
            while True:
                await self._news.wait()
                self._news.clear()
                query = {"mode": "updinfo", "mount": path, "song": clean(self._title), "charset": "UTF-8"}
                if problem := await self._update(session, query):
                    log.warning("%s: the title was not taken: %s", where, problem)
                    await asyncio.sleep(TITLE_AGAIN)
                    self._news.set()

    async def _update(self, session: ClientSession, query: Mapping[str, str]) -> str:
        """Why the server did not take a title; empty if it did."""
        address = self.config.server.rstrip("/") + "/admin/metadata"
        try:
            async with session.get(address, params=query) as answer:
                text = await answer.text(errors="replace")
        except (ClientError, TimeoutError) as error:
            return str(error) or type(error).__name__
        taken = answer.status == 200 and "<return>1</return>" in text
        return "" if taken else f"{answer.status} {answer.reason}: {' '.join(text.split())[:200]}"


def _as_it_is(data: bytes) -> bytes:
    return data


async def first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Runs coroutines side by side until one ends, whose error is raised; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
