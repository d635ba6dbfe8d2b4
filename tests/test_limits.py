from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from aired import Air, aired
from radio.air.limits import ASKING, DOORKEEPER, HURRIED
from radio.config import Config
from radio.settings import ChannelConfig, StationConfig

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    channels = {"bach": ChannelConfig("bach", "Bach", max_listeners=2), "jazz": ChannelConfig("jazz", "Jazz")}
    station = StationConfig(formats=("mp3",), lookahead=6, max_listeners=4, max_listeners_per_address=3)
    async with aired(Config(station, channels)) as made:
        for name in channels:
            made.send(name, 24)
        await made.run(5)
        yield made


async def tune_in(air: Air, path: str) -> Streams:
    """A listener, as soon as the head has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: radio\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    return reader, writer


async def refused(air: Air, path: str) -> str:
    """Why nobody else may listen."""
    async with ClientSession() as session, session.get(air.url + path) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.content_type == "application/json"
        return str((await answer.json())["error"])


async def gone(streams: Streams) -> None:
    """Waits until the server has closed the connection."""
    async with asyncio.timeout(5):
        try:
            while await streams[0].read(1 << 16):
                pass
        except ConnectionError:
            pass
    streams[1].close()


def look(air: Air, seconds: float = 0.0) -> None:
    """Has the doorkeeper look, some seconds later."""
    air.clock.now += seconds
    air.app[DOORKEEPER].look(air.door.connections())


async def test_a_channel_takes_no_more_listeners_than_it_may_have_and_others_do(air: Air) -> None:
    listeners = [await tune_in(air, "/bach.mp3") for _ in range(2)]
    assert "bach" in await refused(air, "/bach.mp3")
    listeners.append(await tune_in(air, "/jazz.mp3"))
    for _, writer in listeners:
        writer.close()


async def test_an_address_has_its_share_and_no_more_until_one_of_its_listeners_leaves(air: Air) -> None:
    listeners = [await tune_in(air, "/jazz.mp3") for _ in range(3)]
    assert "127.0.0.1" in await refused(air, "/jazz.mp3")
    listeners.pop()[1].close()
    async with asyncio.timeout(5):
        while sum(air.station.addresses.values()) > 2:
            air.send("jazz", 1)
            await air.run(0.25)
    listeners.append(await tune_in(air, "/jazz.mp3"))
    for _, writer in listeners:
        writer.close()


@pytest.mark.parametrize("said", [b"", b"GET /bach.mp3 HTTP/1.1\r\nHost: ", b"GET / HTTP/1.1\r\nHost: radio\r\n\r\n"])
async def test_who_asks_nothing_for_long_is_let_go_and_counted(air: Air, said: bytes) -> None:
    streams = await asyncio.open_connection("127.0.0.1", air.port)
    streams[1].write(said)
    if said.endswith(b"\r\n\r\n"):
        await streams[0].readuntil(b"</html>")
    async with asyncio.timeout(5):
        while not air.door.connections():
            await asyncio.sleep(0)
    look(air)
    look(air, ASKING - 1)
    assert air.station.dismissed == 0
    look(air, 1)
    assert air.station.dismissed == 1
    await gone(streams)


async def test_a_listener_is_not_taken_for_one_who_asks_nothing(air: Air) -> None:
    listener = await tune_in(air, "/bach.mp3")
    for _ in range(5):
        look(air, ASKING)
    assert air.station.dismissed == 0
    assert air.station.listeners == 1
    listener[1].close()


async def test_without_a_connection_left_only_administration_is_answered_and_the_silent_go_sooner(air: Air) -> None:
    doorkeeper = air.app[DOORKEEPER]
    idle = await asyncio.open_connection("127.0.0.1", air.port)
    doorkeeper.most = 0
    look(air)
    assert "no connection left" in await refused(air, "/bach.mp3")
    async with ClientSession() as session, session.get(air.url + "/status.json") as answer:
        assert answer.status == 200
    look(air, HURRIED)
    assert air.station.dismissed >= 1
    await gone(idle)
