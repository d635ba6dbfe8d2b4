"""Requests and feed frames that nobody would send: each is answered or closed, and no exception is left over.

`make fuzz` sends ten million of each; the suite a share of that. RADIO_FUZZ sets how many, RADIO_FUZZ_SEED which.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from aired import Air, aired
from fakes import config
from radio.air.players import GONE
from radio.formats import FORMATS

COUNT = int(os.environ.get("RADIO_FUZZ", "4000"))
SEED = int(os.environ.get("RADIO_FUZZ_SEED", "1"))
ABREAST = 32
"""Connections at a time."""
PATHS = (
    *("/", "/bach.mp3", "/bach.opus", "/bach.m3u8", "/bach.rewind.m3u8", "/bach.m3u", "/radio.opml", "/status.json"),
    *("/healthz", "/metrics", "/bach/feed", "/bach/events", "/bach/licence", "/hls/x/bach/aac/live.m3u8", "/docs"),
    *("/hls/bach/aac/1.mp4", "/api/listeners", "/api/listeners/7", "/api/reload", "/api/channels/bach/skip", "/nobody"),
    *("/static/player.js", "/status-json.xsl?mount=/bach.mp3", "/bach.mp3?tune=%ff%00", "/bach.mp3/../..//", "*", ""),
)
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "PUT", "SOURCE", "PROPFIND", "get", "G\u00cbT", "")
HEADERS = (
    "Host: radio", "Host: ", "Icy-MetaData: 1", "Icy-MetaData: \u2603", "Range: bytes=0-", "Range: bytes=-1,5-2",
    "Connection: close", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Key: x",
    "Sec-WebSocket-Extensions: permessage-deflate", "Content-Length: 5", "Content-Length: -5",
    "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "Expect: 100-continue", "Authorization: Bearer \udcff", "Accept-Encoding: gzip",
    "X-Forwarded-For: 1.2.3.4, ::1, nonsense", "X-Forwarded-Proto: gopher", "Cookie: " + "a=b; " * 200, "NoColon",
    ": empty", "A: " + "b" * 9000,
)  # fmt: skip


def head(rng: random.Random) -> bytes:
    """A request's head, more or less."""
    first = f"{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/{rng.choice(('1.1', '1.0', '0.9', '2.0', 'x', '1.1 '))}"
    lines = [first, *(rng.choice(HEADERS) for _ in range(rng.randrange(7)))]
    made = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    made += rng.choice((b"", b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\n", bytes(rng.randrange(40))))
    return mutated(made, rng)


def frame(rng: random.Random) -> bytes:
    """A WebSocket frame of a client's (RFC 6455), more or less."""
    payload = rng.randbytes(rng.choice((0, 1, 2, 5, 125, 126, 300, 70_000)))
    mask = rng.randbytes(4)
    first = rng.choice((0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0xF1, 0x83, 0x8F, rng.randrange(256)))
    length = len(payload) if rng.random() < 0.8 else rng.choice((0, 125, 126, 127, 1 << 20, 1 << 62))
    if length < 126:
        size = bytes((0x80 | length,))
    elif length < 1 << 16:
        size = b"\xfe" + length.to_bytes(2, "big")
    else:
        size = b"\xff" + length.to_bytes(8, "big")
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload[:200])) + payload[200:]
    return mutated(bytes((first,)) + size + mask + masked, rng)


def mutated(made: bytes, rng: random.Random) -> bytes:
    """The same with a few bytes changed, left out or doubled, one time in two."""
    own = bytearray(made)
    for _ in range(rng.choice((0, 0, 0, 1, 2, 5))):
        at = rng.randrange(len(own)) if own else 0
        match rng.randrange(4):
            case 0:
                own[at : at + 1] = rng.randbytes(1)
            case 1:
                del own[at : at + rng.randrange(1, 20)]
            case 2:
                own[at:at] = own[at : at + rng.randrange(1, 40)]
            case _:
                own[at:at] = rng.choice((b"\r\n", b"\n", b"\0", b"\xff", b" ", b"\r\n\r\n", "\u2028".encode()))
    return bytes(own)


UPGRADE = (
    "GET /bach/feed HTTP/1.1\r\nHost: radio\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n\r\n"
).encode()


def request(rng: random.Random) -> tuple[bytes, int]:
    """What a client sends on one connection, and how many heads that is."""
    count = rng.randrange(1, 9)
    return b"".join(head(rng) for _ in range(count)), count


def session(rng: random.Random) -> tuple[bytes, int]:
    """A feed that is asked for as it should be, and what the client says then."""
    count = rng.randrange(1, 9)
    return UPGRADE + b"".join(frame(rng) for _ in range(count)), count


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    async with aired(config("bach", formats=tuple(FORMATS))) as made:
        made.send("bach", 40)
        await made.run(0.3)
        yield made


async def storm(air: Air, made: Callable[[random.Random], tuple[bytes, int]], count: int) -> None:
    """Sends so many, several connections at a time."""
    rng = random.Random(SEED)
    left = count

    async def client() -> None:
        nonlocal left
        while left > 0:
            data, own = made(rng)
            left -= own
            reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
            try:
                writer.write(data)
                writer.write_eof()
                async with asyncio.timeout(0.3):
                    while await reader.read(65536):
                        pass
            except (OSError, TimeoutError):
                pass
            finally:
                writer.transport.abort()

    await asyncio.gather(*(client() for _ in range(ABREAST)))


@pytest.mark.parametrize("made", [request, session])
async def test_nothing_that_is_sent_leaves_an_exception_behind(
    air: Air, made: Callable[[random.Random], tuple[bytes, int]], caplog: pytest.LogCaptureFixture
) -> None:
    left_over: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: left_over.append(context))
    with caplog.at_level(logging.ERROR):
        await storm(air, made, COUNT)
    async with ClientSession() as session, session.get(f"{air.url}/healthz") as answer:
        assert answer.status == 200
    assert not left_over
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    # A player of HLS counts as here for a while after its last request.
    for _ in range(round(GONE) + 6):
        air.send("bach", 5)
        await air.run(1)
    assert air.station.listeners == 0
    assert not air.station.transmissions["bach"].feed.subscribers
