"""The air's end of the link: a socket on which one studio at a time connects and sends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from radio import link
from radio.air.channel import Channel
from radio.air.station import Station, Transmission
from radio.errors import LinkError, MissingError
from radio.link import Close, Encoded, Hello, Message, Open, Packet, Position, Report, SignOn, Stop, Trouble
from radio.tables import table

log = logging.getLogger(__name__)

READ = 256 << 10
"""Bytes read at once."""


class Receiver:
    """Listens at the link's address; gives each studio its positions and credit, and the station its packets."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._writer: asyncio.StreamWriter | None = None
        self._turns = itertools.count(1)
        self._opened: dict[str, int] = {}
        """The turn in which each channel was opened last."""
        self._signed: dict[str, int] = {}
        """The turn in which the studio signed it on last."""
        station.on_credit, station.on_open, station.on_close = self._credit, self._open, self._close

    @contextlib.asynccontextmanager
    async def listening(self, address: str) -> AsyncIterator[str]:
        """Listens as long as the context lasts; the address, with the port if any was asked for.

        Raises:
            MissingError: the address cannot be listened at.
        """
        host, colon, port = address.rpartition(":")
        path = None if colon and port.isdigit() else Path(address)
        try:
            if path is None:
                server = await asyncio.start_server(self._serve, host or None, int(port), limit=READ)
                address = f"{host}:{server.sockets[0].getsockname()[1]}"
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                server = await asyncio.start_unix_server(self._serve, path, limit=READ)
        except OSError as error:
            raise MissingError(f"link: cannot listen at {address}: {error}; choose another with `link`") from error
        try:
            yield address
        finally:
            self.send(Stop())
            server.close()
            if self._writer is not None:
                self._writer.close()
            if path is not None:
                path.unlink(missing_ok=True)

    def send(self, message: Message) -> None:
        """Sends a message to the studio, if there is one."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(link.pack(message))

    def _credit(self, channel: Channel) -> None:
        self.send(channel.credit())

    def _open(self, transmission: Transmission, position: Position) -> None:
        channel, turn = transmission.channel, next(self._turns)
        self._opened[channel.name] = turn
        # The name is the message's own field.
        fields = {key: value for key, value in table(transmission.config).items() if key != "name"}
        self.send(Open(channel.name, turn, position, fields))
        self._credit(channel)

    def _close(self, name: str) -> None:
        self._opened[name] = next(self._turns)
        self.send(Close(name))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            log.warning("another studio has connected; the one before is let go")
            self._writer.close()
        self._writer = writer
        station = self.station
        station.connections += 1
        station.studio = "live"
        self.send(Hello(link.VERSION, tuple(station.transmissions)))
        for transmission in station.transmissions.values():
            self._open(transmission, transmission.channel.position())
        try:
            await self._read(reader)
        except LinkError as error:
            log.error("the studio's link is closed: %s", error)
        except ConnectionError as error:
            log.warning("the studio is gone: %s", error)
        finally:
            if self._writer is writer:
                self._writer = None
                station.studio = "away"
                for transmission in station.transmissions.values():
                    transmission.channel.lost()
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        unpacker = link.Unpacker()
        while data := await reader.read(READ):
            for message in unpacker.feed(data):
                self._take(message)

    def _take(self, message: Message) -> None:
        station = self.station
        match message:
            case Packet(name):
                if self._current(name):
                    station.receive(message)
                    station.troubles.pop(name, None)
            case Encoded(name, number):
                if self._current(name) or not self._awaits(name, number):
                    station.add(message)
            case SignOn(name, turn, headers):
                self._signed[name] = turn
                if self._current(name):
                    station.transmissions[name].channel.headers = headers
            case Report(fields):
                station.report = dict(fields)
            case Trouble(name, text):
                log.error("studio: %s%s", f"{name}: " if name else "", text)
                station.troubles[name] = text
            case _:
                raise LinkError(f"a studio does not send {type(message).__name__}")

    def _current(self, name: str) -> bool:
        """Whether what comes of a channel now was made since it was opened last; what was not is dropped.

        Raises:
            LinkError: there never was such a channel.
        """
        if name not in self._opened:
            raise LinkError(f"got channel {name!r}, which is not on this station")
        return self._signed.get(name) == self._opened[name]

    def _awaits(self, name: str, number: int) -> bool:
        transmission = self.station.transmissions.get(name)
        return transmission is None or transmission.channel.awaits(number)
