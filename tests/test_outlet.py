"""Outlets over real sockets: every byte in order, what waits, and how a connection ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from radio.air.outlet import Direct, Outlet, Through, direct

KINDS = ["direct", "through"]


class Server(asyncio.Protocol):
    """One connection, and the outlet made of it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.outlet: asyncio.Future[Outlet] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        if self.kind == "through":
            self.outlet.set_result(Through(transport))
            return
        own = direct(transport)
        assert own is not None
        transport.close()
        self.outlet.set_result(own)


@asynccontextmanager
async def connected(kind: str) -> AsyncIterator[tuple[Outlet, asyncio.StreamReader]]:
    """An outlet, and who reads at the other end of it."""
    own = Server(kind)
    server = await asyncio.get_running_loop().create_server(lambda: own, "127.0.0.1", 0)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, server.sockets[0].getsockname())
    reader, writer = await asyncio.open_connection(sock=client, limit=4096)
    outlet = await own.outlet
    try:
        yield outlet, reader
    finally:
        if not outlet.lost:
            outlet.reset()
        writer.close()
        server.close()


async def drained(reader: asyncio.StreamReader) -> None:
    """Reads to the end."""
    while await reader.read(65536):
        pass


async def sent(outlet: Outlet) -> None:
    """Waits until nothing waits."""
    async with asyncio.timeout(10):
        while outlet.waiting:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_byte_arrives_in_order_however_slowly_it_is_read(kind: str) -> None:
    parts = [bytes([number]) * 200_000 for number in range(5)]
    async with connected(kind) as (outlet, reader):
        for part in parts:
            outlet.write(part)
        assert 0 < outlet.waiting < sum(map(len, parts))
        async with asyncio.timeout(10):
            assert await reader.readexactly(sum(map(len, parts))) == b"".join(parts)
        await sent(outlet)
        outlet.write(b"more")
        async with asyncio.timeout(10):
            assert await reader.readexactly(4) == b"more"
        assert not outlet.lost


@pytest.mark.parametrize("kind", KINDS)
async def test_closed_it_still_sends_what_waits(kind: str) -> None:
    async with connected(kind) as (outlet, reader):
        outlet.write(b"x" * 1_000_000)
        outlet.close()
        async with asyncio.timeout(10):
            assert len(await reader.read(-1)) == 1_000_000
        assert outlet.lost


@pytest.mark.parametrize("kind", KINDS)
async def test_reset_throws_away_what_waits_and_the_other_side_knows_at_once(kind: str) -> None:
    async with connected(kind) as (outlet, reader):
        outlet.write(b"x" * 1_000_000)
        outlet.reset()
        assert outlet.lost
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(drained(reader), 10)


@pytest.mark.parametrize("kind", KINDS)
async def test_that_the_other_side_has_gone_is_known_by_the_next_writes(kind: str) -> None:
    async with connected(kind) as (outlet, reader):
        reader._transport.abort()  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            while not outlet.lost:
                outlet.write(b"x" * 1000)
                await asyncio.sleep(0.001)
        outlet.write(b"nobody")
        outlet.close()
        assert outlet.waiting == 0


async def test_what_waits_is_shared_not_copied() -> None:
    data = b"x" * 1_000_000
    async with connected("direct") as (outlet, _):
        assert isinstance(outlet, Direct)
        outlet.write(data)
        assert outlet._rest.obj is data


async def test_a_transport_that_has_still_to_send_is_not_taken_from() -> None:
    async with connected("through") as (outlet, _):
        assert isinstance(outlet, Through)
        outlet.write(b"x" * 1_000_000)
        assert direct(outlet._transport) is None
