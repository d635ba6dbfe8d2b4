"""Who joins a mount, whenever it is, gets whole frames from the first byte on, as ffmpeg hears."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from aired import aired
from fakes import config
from radio.formats import BLOCK, FORMATS, RATE
from sound import decode

MOMENTS = 100
PACKETS = 4
"""That are decoded of each."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["mp3", "aac", "opus", "flac", "wav"])
async def test_a_hundred_who_join_at_random_moments_hear_whole_frames_from_the_first(name: str) -> None:
    form, rng = FORMATS[name], np.random.default_rng(7)
    async with aired(config("bach", formats=(name,))) as air:
        air.send("bach", 40)
        await air.run(0.3)
        channel = air.station.transmissions["bach"].channel
        for _ in range(MOMENTS):
            for _ in range(rng.integers(1, 5)):
                air.send("bach", 1)
                await air.run(BLOCK / RATE)
            air.clock.now += rng.random() * 0.01  # nor at the beginning of a packet
            reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
            writer.write(f"GET /bach.{form.extension} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
            lines = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:-2])
            frame = int(lines["x-radio-frame"])
            first = -(-frame // BLOCK)
            size = len(channel.headers.get(name, b""))
            size += sum(len(channel.log[number].data[name]) for number in range(first, first + PACKETS))
            body = await asyncio.wait_for(reader.readexactly(size), 10)
            writer.close()
            heard = await asyncio.to_thread(decode, body)
            assert abs(len(heard) - PACKETS * BLOCK) <= max(form.grid, 312)
            # A tone throughout, but for what a codec takes to begin.
            assert float(np.abs(heard[2048:]).reshape(-1, 2).max(axis=1)[: 2 * BLOCK].mean()) > 0.05
