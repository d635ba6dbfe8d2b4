"""Players that people own, a real browser and a real Icecast relay: five minutes of a channel each, all at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from browser import CHROMIUM, Page, browser
from icecast import icecast
from onair import Listening, arguments, listening, radio, whole
from radio.air import hls
from radio.formats import RATE
from sound import NOTES, Pcm, decode, noise
from test_hls_players import library, page_with

__all__ = ["library"]  # a fixture

SECONDS = 300
START = 20.0
"""Seconds that a player may take besides, to open its address and to end."""
PROBE = 4 * RATE
PROBES = 11
"""Stretches of what a player heard that are looked for in what the channel sent, from the first second to the last."""
RAW = "-f s16le -ac 2 -ar {rate} {path}"


@dataclass(frozen=True)
class Player:
    """A program that plays an address for SECONDS and leaves the sound, 16 bits in stereo, in a file."""

    name: str
    command: str
    slack: int = 1
    """Frames by which it may stretch or shrink the sound on the way, to keep in time with its sound card."""
    harmless: tuple[str, ...] = ()
    """What it may say."""

    async def plays(self, address: str, folder: Path) -> tuple[Pcm, list[str], float]:
        """What it heard, what it complained of, and the seconds it took."""
        path = folder / f"{self.name}.raw"
        words = [
            word.format(address=address, seconds=SECONDS, frames=SECONDS * RATE // 1152, rate=RATE, path=path)
            for word in self.command.split()
        ]
        began = time.monotonic()
        # VLC will not run as root.
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user="nobody" if os.geteuid() == 0 else None,
            env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), SECONDS + 60)
        finally:
            if process.returncode is None:
                process.kill()
        took = time.monotonic() - began
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
        known = (*NOTES, *self.harmless)
        assert path.exists(), lines
        heard = np.fromfile(path, dtype="<i2").reshape(-1, 2).astype(np.float32) / 32768
        return heard, [line for line in lines if not any(note in line for note in known)], took


PLAYERS = (
    Player("ffmpeg", f"ffmpeg -v warning -i {{address}} -t {{seconds}} {RAW}"),
    Player("mpg123", "mpg123 -q --no-gapless -n {frames} -e s16 -r {rate} --stereo -O {path} {address}"),
    Player(
        "mpv",
        "mpv --no-config --no-video --no-terminal --msg-level=all=warn --length={seconds} --ao=pcm "
        "--ao-pcm-waveheader=no --ao-pcm-file={path} --audio-format=s16 --audio-samplerate={rate} "
        "--audio-channels=stereo {address}",
    ),
    Player(
        "vlc",
        "vlc -I dummy --no-video --quiet --run-time={seconds} --play-and-exit --aout=afile --audiofile-file={path} "
        "--audiofile-format=s16 --no-audiofile-wav {address} vlc://quit",
        slack=RATE // 20,
        harmless=("VLC media player",),
    ),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may write to."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o777)
        yield Path(made)


NEAR = 2 * RATE
"""Frames about where a stretch should be within which it is looked for, once one was found."""


def places(heard: Pcm, sent: Pcm) -> list[int]:
    """Where in what was sent each of the PROBES stretches of what was heard is, counted from where it was heard."""
    found: list[int] = []
    for start in np.linspace(0, len(heard) - PROBE, PROBES).astype(int).tolist():
        probe = heard[start : start + PROBE, 0]
        first = max(0, start + found[-1] - NEAR) if found else 0
        among = sent[first : first + PROBE + 2 * NEAR if found else None, 0]
        # By likeness, not by loudness: a louder place nearby would match a quiet stretch better than its own.
        energy = np.concatenate(([0.0], np.cumsum(among.astype(np.float64) ** 2)))
        loud = np.sqrt(np.maximum(energy[PROBE:] - energy[:-PROBE], 1e-6))
        place = first + int((signal.correlate(among, probe, mode="valid", method="fft") / loud).argmax())
        # It is that very sound, not what resembles it most.
        there = sent[place : place + PROBE, 0]
        alike = float(np.dot(probe, there)) / float(np.linalg.norm(probe) * np.linalg.norm(there))
        assert alike > 0.9, (start, place, alike)
        found.append(place - start)
    return found


ATTEMPTS = 2
"""Times five minutes of which one must pass without a wait: a browser needs the machine for itself."""
SLOWNESS = 1.5
"""Times as long as the sound that a browser may take to play it. Without a sound card its clock of sound is a timer
that skips what it is late by, which is no gap: it falls behind the channel, and not a note is lost."""


async def watched(page: Page, library: Path, url: str) -> None:
    """Plays the channel in an audio element and in hls.js side by side."""
    async with page_with(library, f"{url}/bach.rewind.m3u8", low_latency=False) as address:
        await page.open(address, 400, 300)
        await page.value(f'(plain = new Audio("{url}/bach.mp3"), watch(plain), plain.play(), true)')
        await page.until("plain.currentTime > 0.5 && audio.currentTime > 0.5", 60)
        for _ in range(ATTEMPTS):
            await page.value("said.length = excused.length = 0")
            plain, by_hls = await page.value("[plain.currentTime, audio.currentTime]")
            played = f"plain.currentTime > {plain + SECONDS} && audio.currentTime > {by_hls + SECONDS}"
            await page.until(played, SLOWNESS * SECONDS)
            said, excused = await page.value("[said, excused]")
            assert not [what for what in (*said, *excused) if what == "error" or "fatal: true" in what], said
            if not said:
                break
        assert said == []
        assert await page.value("audio.buffered.length") == 1
        assert page.complaints == []


async def relayed(own: Listening, folder: Path) -> tuple[Pcm, list[str], float]:
    """What ffmpeg hears of an Icecast that relays the channel."""
    port = int(own.url.rpartition(":")[2])
    async with icecast(folder, relay=("127.0.0.1", port, "/bach.mp3")) as server:
        async with asyncio.timeout(30):
            while "/bach.mp3" not in await server.sources():
                await asyncio.sleep(0.1)
        return await Player("relay", PLAYERS[0].command).plays(f"{server.url}/bach.mp3", folder)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Ubuntu has it as a snap only)")
@pytest.mark.alone
@pytest.mark.timeout(ATTEMPTS * SLOWNESS * SECONDS + 300)
async def test_every_player_plays_five_minutes_without_a_gap(tmp_path: Path, library: Path, folder: Path) -> None:
    missing = [player.name for player in PLAYERS if shutil.which(player.name) is None]
    assert not missing, f"install {', '.join(missing)}"
    async with radio("serve", *arguments(tmp_path / "state", "bach", composer="model")) as process:
        url = (await process.said(r"on air at (\S+)"))[1]
        async with listening(url) as own, browser() as page:
            await own.until(lambda s: s["channels"]["bach"]["frame"] > 2 * hls.HISTORY * RATE, 120)
            own.tune_in("/bach.mp3")
            await own.until(lambda s: s["listeners"] == 1)
            async with asyncio.TaskGroup() as group:
                tasks = {player.name: group.create_task(player.plays(f"{url}/bach.mp3", folder)) for player in PLAYERS}
                tasks["relay"] = group.create_task(relayed(own, folder))
                group.create_task(watched(page, library, url))
            status = await own.status()
            assert status["channels"]["bach"]["encores"] == 0
            # Players whose sound goes to a file do not tell when they waited: what came in time for one did for all.
            assert own.tapes["/bach.mp3"].spare > 1.0
            sent = decode(whole(own.tapes["/bach.mp3"].data))
    for name, task in tasks.items():
        heard, complaints, took = task.result()
        assert complaints == [], name
        assert len(heard) >= (SECONDS - 2) * RATE, name
        assert took < SECONDS + START, name
        slack = next((player.slack for player in PLAYERS if player.name == name), 1)
        found = places(heard, sent)
        assert max(found) - min(found) <= slack, (name, found)


def test_a_tenth_of_a_second_that_is_missing_or_said_twice_would_be_found() -> None:
    sent = noise(125 * RATE)
    heard = sent[3 * RATE : 123 * RATE]
    assert set(places(heard, sent)) == {3 * RATE}
    cut, tenth = 8 * RATE, RATE // 10  # between two probes
    for broken in (
        np.delete(heard, slice(cut, cut + tenth), axis=0),
        np.insert(heard, cut, heard[cut - tenth : cut], 0),
    ):
        found = places(broken, sent)
        assert max(found) - min(found) == tenth
