"""The command itself on the air, as processes of their own, and listeners who record what they hear."""

from __future__ import annotations

import asyncio
import itertools
import re
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from radio.config import ROOT
from radio.formats import FORMATS, RATE
from radio.link import Packet

ENDLESS = ClientTimeout(total=None, sock_read=30)


class Process:
    """`radio` with these words, its log read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())
        self._more = asyncio.Event()

    async def _read(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())
            self._more.set()

    async def said(self, pattern: str, seconds: float = 60.0) -> re.Match[str]:
        """Waits for a line of the log."""
        seen = 0
        async with asyncio.timeout(seconds):
            while True:
                for line in self.lines[seen:]:
                    if found := re.search(pattern, line):
                        return found
                seen = len(self.lines)
                self._more.clear()
                if seen == len(self.lines):
                    await self._more.wait()

    async def ended(self, seconds: float) -> int:
        """Waits for it to end; its exit status."""
        status = await asyncio.wait_for(self.process.wait(), seconds)
        await self._reading
        return status


@asynccontextmanager
async def radio(*words: str) -> AsyncIterator[Process]:
    """Runs the command; ends it, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "radio", *words, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    own = Process(process)
    try:
        yield own
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await own.ended(10.0)
        except TimeoutError:
            process.kill()
            raise


BYTES = 16_000
"""Of a second of MP3."""


@dataclass
class Tape:
    """What a listener heard of one mount: bytes, when they came, and the source frame the sound begins at."""

    path: str
    frame: int = 0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    over: bool = False
    """Whether the server ended the response."""

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    @property
    def spare(self) -> float:
        """Seconds of sound that a player which plays from the first byte on had left when it had least."""
        begun, _ = self.pieces[0]
        had = itertools.accumulate(len(data) for _, data in self.pieces[:-1])
        return min(sound / BYTES - (at - begun) for sound, (at, _) in zip(had, self.pieces[1:], strict=True))


class Follower(asyncio.Protocol):
    """A listener who counts."""

    def __init__(self, path: str) -> None:
        self.path, self.heard, self.last, self.longest_wait, self.lost = path, 0, 0.0, 0.0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(f"GET {self.path} HTTP/1.1\r\nHost: radio\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self.heard:
            self.longest_wait = max(self.longest_wait, now - self.last)
        self.last, self.heard = now, self.heard + len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


async def crowd(url: str, path: str, count: int) -> list[Follower]:
    """So many listeners of a mount. They need as many open files, which the process is allowed here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    loop, port = asyncio.get_running_loop(), int(url.rpartition(":")[2])
    made = [await loop.create_connection(lambda: Follower(path), "127.0.0.1", port) for _ in range(count)]
    return [follower for _, follower in made]


class Listening:
    """Listeners of a running station."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.url, self.session = url, session
        self.tapes: dict[str, Tape] = {}
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def tune_in(self, *paths: str) -> None:
        """Records mounts."""
        for path in paths:
            self.tapes[path] = Tape(path)
            self._tasks.append(asyncio.create_task(self._record(self.tapes[path])))

    def follow(self, channel: str) -> None:
        """Records a channel's feed."""
        self.notes[channel] = []
        self._tasks.append(asyncio.create_task(self._follow(channel)))

    async def _record(self, tape: Tape) -> None:
        async with self.session.get(self.url + tape.path) as response:
            assert response.status == 200, await response.text()
            tape.frame = int(response.headers["X-Radio-Frame"])
            async for data in response.content.iter_any():
                tape.pieces.append((time.monotonic(), data))
        tape.over = True

    async def _follow(self, channel: str) -> None:
        async with self.session.ws_connect(f"{self.url}/{channel}/feed") as socket:
            async for message in socket:
                self.notes[channel].append(message.json())

    async def status(self) -> dict[str, Any]:
        async with self.session.get(self.url + "/status.json") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def until(self, condition: Any, seconds: float = 60.0) -> dict[str, Any]:
        """Waits until the condition holds for the status; the status then."""
        async with asyncio.timeout(seconds):
            while not condition(found := await self.status()):
                await asyncio.sleep(0.1)
        return found

    async def all_live(self, seconds: float = 90.0) -> dict[str, Any]:
        """Waits until every channel is live."""
        return await self.until(lambda s: {c["state"] for c in s["channels"].values()} == {"live"}, seconds)

    async def all_ahead(self, lookahead: float, seconds: float = 120.0) -> dict[str, Any]:
        """Waits until every channel is live and ahead by more than so many seconds, as it may be before."""
        return await self.until(
            lambda s: all(c["state"] == "live" and c["lookahead"] > lookahead for c in s["channels"].values()), seconds
        )

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Listening]:
    async with ClientSession(timeout=ENDLESS) as session:
        own = Listening(url, session)
        try:
            yield own
        finally:
            own.close()


def whole(data: bytes, bitrate: int = 128) -> bytes:
    """MP3 without the frame that was cut off at its end."""
    size = bitrate * 125 * 1152 // RATE
    return data[: len(data) // size * size]


def packet_at(tape: Tape, packet: Packet) -> int:
    """Where in the decoded sound of a tape a packet's first frame is."""
    return packet.start - tape.frame - FORMATS["mp3"].delay


def arguments(folder: Path, *only: str, composer: str = "scale") -> list[str]:
    """Options for a small station on any port, with its state in `folder`."""
    words = ["--host", "127.0.0.1", "--port", "0", "--composer", composer, "--seed", "5", "--set", f"state={folder}"]
    return [*words, "--only", *only] if only else words
