"""An hour of titles that would break a careless server, read to the byte, and as players show them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aired import Again, aired
from fakes import config
from radio.air.icy import LONGEST
from radio.formats import BLOCK, RATE

EACH = 10
"""Packets a title."""
HOUR = 3600 * RATE // BLOCK
CUT = "Ü" * ((LONGEST - len("StreamTitle='';")) // 2)
TITLES = {
    "It's a piece": "It's a piece",
    "a';b": "a’;b",
    "';StreamUrl='http://evil.example/';": "’;StreamUrl='http://evil.example/’;",
    "🎹 Prélude № 1 🎶": "🎹 Prélude № 1 🎶",
    "שלום עולם": "שלום עולם",
    "日本の音楽": "日本の音楽",
    "one\0two\nthree": "one two three",
    "Ü" * 2500: CUT,  # 5 KB
    "'": "'",
    "StreamTitle='x": "StreamTitle='x",
}
"""What a piece may be called, and what a player is to show."""


@asynccontextmanager
async def hour(each: int = EACH) -> AsyncIterator[Again]:
    """A station whose channel has another title every so many packets."""
    async with aired(config("bach", formats=("mp3",))) as air:
        own = Again(air, "bach", itertools.cycle(TITLES), each)
        own.send(40)
        await air.run(0.3)
        yield own


async def test_an_hour_of_titles_is_exact_to_the_byte() -> None:
    async with hour() as own:
        reader, writer = await asyncio.open_connection("127.0.0.1", own.air.port)
        writer.write(b"GET /bach.mp3 HTTP/1.1\r\nHost: x\r\nIcy-MetaData: 1\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        metaint = int(re.findall(r"icy-metaint: (\d+)", head)[0])
        frame = int(re.findall(r"x-radio-frame: (-?\d+)", head)[0])
        at = first = -(-frame // BLOCK)  # the packet that comes next
        expected = list(TITLES.values())
        told, blocks = None, 0
        while at < HOUR:
            ahead = own.number - at
            if ahead < 60:
                await own.play(20)
            audio = await asyncio.wait_for(reader.readexactly(metaint), 10)
            # A stream may begin with a tag that brings it into the phase of the others.
            if at == first and audio[:3] == b"ID3":
                size = 10 + sum(byte << shift for byte, shift in zip(audio[6:10], (21, 14, 7, 0), strict=True))
                audio = audio[size:] + await asyncio.wait_for(reader.readexactly(size), 10)
            assert audio[:2] == b"\xff\xfb"
            text = await reader.readexactly(16 * (await reader.readexactly(1))[0])
            title = expected[at // EACH % len(expected)]
            assert (text != b"") == (title != told), at
            if text:
                assert text.rstrip(b"\0") == f"StreamTitle='{title}';".encode(), at
                told, blocks = title, blocks + 1
            at += 1
        writer.close()
        assert blocks == pytest.approx((HOUR - first) / EACH, abs=1)


PLAYERS = {
    "ffmpeg": ("ffmpeg -v debug -i {} -f null -", r"Metadata update for StreamTitle: (.*)|StreamTitle +: (.*)"),
    "mpg123": ("mpg123 -v -w /dev/null {}", r"ICY-META: StreamTitle='(.*)';"),
    "mpv": ("mpv --no-config --no-video --ao=pcm --ao-pcm-file=/dev/null {}", r"icy-title: (.*)"),
    "vlc": ("vlc -I dummy -vv --no-color --aout=adummy {}", r"New Icy-Title=(.*)"),
}


@pytest.mark.parametrize("player", PLAYERS)
async def test_a_player_shows_each_title_as_it_is_meant(player: str) -> None:
    command, pattern = PLAYERS[player]
    async with hour() as own:
        process = await asyncio.create_subprocess_exec(
            *command.format(f"{own.air.url}/bach.mp3").split(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user="nobody" if os.geteuid() == 0 else None,
            env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": "/tmp"},
        )
        assert process.stdout
        shown: list[str] = []
        try:
            async with asyncio.timeout(90):
                reading = asyncio.create_task(process.stdout.read(0))
                text = b""
                while len(set(shown) & set(TITLES.values())) < len(TITLES):
                    await own.play(5, pause=0.01)
                    reading = asyncio.create_task(process.stdout.read(1 << 20))
                    while not reading.done():
                        await own.play(1, pause=0.02)
                    text += reading.result()
                    found = re.findall(pattern, text.decode(errors="replace"))
                    shown = ["".join(one) if isinstance(one, tuple) else one for one in found]
        finally:
            process.kill()
            await process.wait()
        unknown = {title for title in shown if title not in TITLES.values()}
        assert not unknown, unknown


PROBE = "ffprobe -v error -probesize 32768 -show_entries format_tags=StreamTitle -of json"
BURST = 20
"""Packets, more than a listener gets at once."""


async def test_ffprobe_shows_whichever_title_is_on_as_it_comes() -> None:
    async with hour(BURST) as own:
        shown = []
        for _ in TITLES:
            words = (*PROBE.split(), f"{own.air.url}/bach.mp3")
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
            said, _ = await asyncio.wait_for(process.communicate(), 60)
            shown.append(json.loads(said)["format"]["tags"]["StreamTitle"])
            await own.play(BURST)
        assert sorted(shown) == sorted(TITLES.values())
