"""Records every channel at once from a running station, as listeners do, and measures what was heard.

    python benchmarks/recording.py [MINUTES] [-- options of radio serve]

For each channel: whether ffmpeg decodes all of it without a word, the longest silence inside a piece, the longest wait
for bytes, loudness and true peak by ffmpeg's ebur128, title changes, and whether the titles in the stream are those of
/status.json. And the CPU that the station used meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from aiohttp import ClientSession, ClientTimeout
from measuring import Station, cpu_seconds, show, station

RATE = 48000
QUIET = 1e-6
"""Mean square of −60 dB."""
FRAME = 384
"""Bytes of an MP3 frame at 128 kbit/s and 48 kHz."""


@dataclass
class Heard:
    """One channel, as a listener hears it."""

    name: str
    frame: int = 0
    """Source frame of the first sound."""
    audio: bytearray = field(default_factory=bytearray)
    titles: list[str] = field(default_factory=list)
    """As the stream tells them, each once in a row."""
    said: list[str] = field(default_factory=list)
    """As /status.json tells them."""
    pieces: list[int] = field(default_factory=list)
    """Source frames at which pieces begin, as the feed tells them."""
    last_notes: list[int] = field(default_factory=list)
    """Source frames at which notes begin."""
    longest_wait: float = 0.0
    least_lookahead: float = float("inf")
    """Seconds, of what /status.json tells."""


class Icy:
    """A strict reader of audio with titles in it."""

    def __init__(self, metaint: int, heard: Heard) -> None:
        self.metaint, self.heard = metaint, heard
        self.buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) > self.metaint:
            length = self.buffer[self.metaint] * 16
            end = self.metaint + 1 + length
            if len(self.buffer) < end:
                return
            self.heard.audio += self.buffer[: self.metaint]
            if length:
                text = bytes(self.buffer[self.metaint + 1 : end]).rstrip(b"\0").decode()
                found = re.fullmatch(r"StreamTitle='(.*?)';(StreamUrl='.*?';)?", text)
                assert found, text
                if self.heard.titles[-1:] != [found[1]]:
                    self.heard.titles.append(found[1])
            del self.buffer[:end]


async def record(session: ClientSession, url: str, heard: Heard) -> None:
    async with session.get(f"{url}/{heard.name}.mp3", headers={"Icy-MetaData": "1"}) as response:
        assert response.status == 200, await response.text()
        heard.frame = int(response.headers["X-Radio-Frame"])
        reader = Icy(int(response.headers["icy-metaint"]), heard)
        last = time.monotonic()
        async for data in response.content.iter_any():
            now = time.monotonic()
            heard.longest_wait = max(heard.longest_wait, now - last)
            last = now
            reader.feed(data)
    raise AssertionError(f"{heard.name} was ended by the station")


async def follow(session: ClientSession, url: str, heard: Heard) -> None:
    async with session.ws_connect(f"{url}/{heard.name}/feed") as socket:
        async for message in socket:
            event: dict[str, Any] = message.json()
            if event["event"] == "piece":
                heard.pieces.append(event["at"])
            elif event["event"] == "note":
                heard.last_notes.append(event["at"])


async def watch(session: ClientSession, url: str, channels: list[Heard]) -> None:
    while True:
        async with session.get(f"{url}/status.json") as response:
            status = await response.json()
        for heard in channels:
            heard.least_lookahead = min(heard.least_lookahead, status["channels"][heard.name]["lookahead"])
            title = status["channels"][heard.name]["now"]["title"]
            if heard.said[-1:] != [title]:
                heard.said.append(title)
        await asyncio.sleep(1)


async def listen(own: Station, seconds: float) -> tuple[list[Heard], float, dict[str, Any]]:
    """What was heard of every channel, and the share of a core that the station used."""
    channels = [Heard(name) for name in own.status()["channels"]]
    async with ClientSession(timeout=ClientTimeout(total=None, sock_read=30)) as session:
        tasks = [asyncio.create_task(watch(session, own.url, channels))]
        for heard in channels:
            tasks.append(asyncio.create_task(follow(session, own.url, heard)))
            tasks.append(asyncio.create_task(record(session, own.url, heard)))
        before, began = cpu_seconds(own.pid), time.monotonic()
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        used = (cpu_seconds(own.pid) - before) / (time.monotonic() - began)
        for task in done:
            task.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return channels, used, own.status()


def decoded(audio: bytes) -> tuple[npt.NDArray[np.float32], int]:
    """The sound, and how many lines ffmpeg complained in."""
    whole = audio[: len(audio) // FRAME * FRAME]
    command = f"ffmpeg -v warning -f mp3 -i - -f f32le -ac 2 -ar {RATE} -".split()
    done = subprocess.run(command, input=whole, capture_output=True, check=False)
    complaints = [line for line in done.stderr.decode().splitlines() if "Estimating duration" not in line]
    return np.frombuffer(done.stdout, dtype="<f4").reshape(-1, 2), len(complaints)


def loudness(pcm: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP)."""
    command = f"ffmpeg -nostats -f f32le -ar {RATE} -ac 2 -i - -af ebur128=peak=true:framelog=verbose -f null -"
    done = subprocess.run(command.split(), input=pcm.tobytes(), capture_output=True, check=True)
    text = done.stderr.decode().partition("Summary:")[2]
    found = [re.search(rf"\b{name}:\s+(-?[\d.]+)", text) for name in ("I", "Peak")]
    assert all(found)
    return tuple(float(match[1]) for match in found if match)  # type: ignore[return-value]


def longest_silence(heard: Heard, pcm: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Seconds of the longest silence inside a piece, and anywhere."""
    step = RATE // 100
    energy = (pcm[: len(pcm) // step * step] ** 2).reshape(-1, 2 * step).mean(axis=1)
    quiet = np.concatenate(([False], energy < QUIET, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(int)))
    inside, anywhere = 0.0, 0.0
    notes = np.array(sorted(heard.last_notes))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        at, until = (heard.frame + edge * step for edge in (start, stop))
        anywhere = max(anywhere, (stop - start) / 100)
        # The silence after a piece's last note, up to the next piece's first, lies between pieces.
        following = notes[notes > at]
        between = any(
            at < piece < until + RATE and (not len(following) or piece <= following[0]) for piece in heard.pieces
        )
        if not between and until < heard.frame + len(pcm) - step:
            inside = max(inside, (stop - start) / 100)
    return inside, anywhere


def in_step(heard: Heard) -> bool:
    """Whether the stream told the titles of /status.json, in order; a burst may begin with the one before."""
    told, said = heard.titles, heard.said
    return told[-len(said) :] == said or told == said[-len(told) :] or told[1:] == said[: len(told) - 1]


def main() -> None:
    words = sys.argv[1:]
    options = words[words.index("--") + 1 :] if "--" in words else []
    minutes = float(words[0]) if words and words[0] != "--" else 10.0
    with station(options=options) as own:
        settled = own.settle()
        channels, used, status = asyncio.run(listen(own, 60 * minutes))
    rows = []
    for heard in channels:
        pcm, complaints = decoded(bytes(heard.audio))
        inside, anywhere = longest_silence(heard, pcm)
        integrated, peak = loudness(pcm)
        own_status = status["channels"][heard.name]
        changes = len(list(pairwise(heard.titles)))
        rows.append([
            heard.name, f"{len(pcm) / RATE:.0f}", complaints, f"{inside:.1f}", f"{anywhere:.1f}",
            f"{heard.longest_wait:.2f}", f"{integrated:.1f}", f"{peak:.1f}", changes,
            "yes" if in_step(heard) else "NO", f"{heard.least_lookahead:.1f}", own_status["encores"],
            own_status["late"],
        ])  # fmt: skip
    columns = [
        "channel", "seconds", "errors", "silence in a piece", "silence", "longest wait", "LUFS", "dBTP", "titles",
        "in step", "least lookahead", "encores", "late",
    ]  # fmt: skip
    show(f"{minutes:g} minutes of {len(rows)} channels, settled after {settled:.0f} s", columns, rows)
    cores = len(os.sched_getaffinity(0))
    shares = f"{100 * used:.0f} % of a core, {100 * used / cores:.0f} % of {cores}"
    repairs: Counter[str] = Counter()
    composer = status["studio"]["report"]["composer"]
    for counted in (*composer["faults"].values(), *composer["repairs"].values()):
        repairs.update(counted)
    print("The guard's repairs: " + ", ".join(f"{name} {count}" for name, count in repairs.most_common()))
    print(f"The station used {shares}; this recorder is not counted.")


if __name__ == "__main__":
    main()
