"""The whole line, as processes of their own: composer, studio, link, air, and listeners who record what they hear."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from onair import Listening, Process, Tape, arguments, listening, radio, whole
from radio.formats import RATE
from sound import Pcm, decode, measure

HOP = RATE // 1000
"""Frames of a millisecond."""
LOOKAHEAD = 22.0
"""Seconds a full lookahead holds at least."""


async def on_air(process: Process) -> str:
    return (await process.said(r"on air at (\S+)"))[1]


def loud(pcm: Pcm) -> npt.NDArray[np.float64]:
    """Energy of each millisecond."""
    size = len(pcm) // HOP * HOP
    energy: npt.NDArray[np.float64] = (pcm[:size].astype(np.float64) ** 2).reshape(-1, HOP * 2).mean(axis=1)
    return energy


def longest_silence(pcm: Pcm) -> float:
    """Seconds of the longest stretch below −60 dB."""
    quiet = np.concatenate(([False], loud(pcm) < 1e-6, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(int)))
    return float((edges[1::2] - edges[::2]).max(initial=0)) / 1000


def onsets(pcm: Pcm) -> npt.NDArray[np.float64]:
    """How much louder each millisecond is than the ones before it, in dB; 0 where it is not."""
    level = 10 * np.log10(loud(np.diff(pcm, axis=0)) + 1e-9)
    rise = np.zeros_like(level)
    rise[5:] = level[5:] - np.maximum.reduce([level[5 - back : -back] for back in range(1, 6)])
    return np.maximum(rise, 0)


def heard_at(tape: Tape, notes: list[dict[str, Any]], pcm: Pcm) -> tuple[float, float]:
    """Milliseconds by which a click at each note's frame precedes the sound, and how far that peak stands out."""
    rise = onsets(pcm)
    clicks = np.zeros_like(rise)
    for note in notes:
        place = (note["at"] - tape.frame) // HOP
        if 0 <= place < len(clicks):
            clicks[place] = 1.0
    size = 1 << (2 * len(rise)).bit_length()
    both = np.fft.irfft(np.fft.rfft(rise, size) * np.conj(np.fft.rfft(clicks, size)))
    near = np.concatenate((both[-300:], both[:300]))
    return float(near.argmax() - 300), float(near.max() / np.sort(near)[len(near) // 2])


@pytest.mark.timeout(200)
async def test_notes_of_the_feed_are_heard_within_20_ms_of_their_frames(tmp_path: Path) -> None:
    """By cross-correlation of the recorded sound's onsets with a click at each note."""
    channels = tmp_path / "channels"
    channels.mkdir()
    for name, program in (("piano", 0), ("harp", 46)):
        (channels / f"{name}.toml").write_text(f'title = "{name}"\n[programs]\nall = {program}\n')
    words = [*arguments(tmp_path / "state"), "--channels", str(channels)]
    async with radio("serve", *words) as process, listening(await on_air(process)) as own:
        await own.all_live()
        for name in ("piano", "harp"):
            own.follow(name)
            own.tune_in(f"/{name}.mp3")
        begun = own.notes["piano"], own.tapes["/piano.mp3"]
        await own.until(lambda status: begun[1].pieces and status["channels"]["piano"]["frame"] > 25 * RATE)
        for name in ("piano", "harp"):
            tape = own.tapes[f"/{name}.mp3"]
            notes = [event for event in own.notes[name] if event["event"] == "note"]
            pcm = decode(whole(tape.data))
            assert len(pcm) > 10 * RATE
            within = [note for note in notes if 0 <= note["at"] - tape.frame < len(pcm)]
            assert len(within) > 40
            lag, contrast = heard_at(tape, notes, pcm)
            assert abs(lag) <= 20, name
            assert contrast > 2, name
        ahead = [e for e in own.notes["piano"] if e["event"] == "note" and e["at"] > begun[1].frame]
        assert ahead


async def recorded(own: Listening, seconds: float) -> None:
    """Lets listeners record for so long."""
    first = next(iter(own.tapes))
    until = time.monotonic() + seconds
    await own.until(lambda _: own.tapes[first].over or time.monotonic() > until, seconds + 10)


@pytest.mark.timeout(300)
async def test_a_studio_that_is_killed_is_back_before_anyone_hears_it(tmp_path: Path) -> None:
    names = ("bach", "ragtime", "chopin", "lofi")
    words = arguments(tmp_path, *names, composer="model")
    async with radio("serve", *words) as process, listening(await on_air(process)) as own:
        own_status = await own.all_ahead(LOOKAHEAD - 4)
        own.tune_in(*(f"/{name}.mp3" for name in names))
        own.follow("bach")
        await own.until(lambda s: s["listeners"] == len(names))
        await own.all_ahead(LOOKAHEAD - 4)
        os.kill(own_status["studio"]["pid"], signal.SIGKILL)
        killed = time.monotonic()
        await process.said("killed by SIGKILL")
        await own.until(
            lambda s: s["studio"]["restarts"] == 1 and all(c["lookahead"] > 15 for c in s["channels"].values()), 100
        )
        await recorded(own, max(0.0, killed + 30 - time.monotonic()))
        status = await own.status()
        assert status["listeners"] == len(names)
        for name in names:
            tape = own.tapes[f"/{name}.mp3"]
            assert not tape.over
            assert status["channels"][name]["encores"] == 0
            assert status["channels"][name]["late"] == 0
            assert tape.spare > 1.0
            pcm = decode(whole(tape.data))
            assert len(pcm) > 30 * RATE
            assert longest_silence(pcm) < 6.0  # between pieces; a gap would be of the whole lookahead
        bars = [event["number"] for event in own.notes["bach"] if event["event"] == "bar"]
        pieces = [event for event in own.notes["bach"] if event["event"] == "piece"]
        jumps = [b for a, b in itertools.pairwise(bars) if b != a + 1]
        assert all(jump == 1 for jump in jumps), bars
        assert len(jumps) <= len(pieces)


@pytest.mark.timeout(400)
async def test_a_studio_held_down_for_a_minute_is_covered_by_an_encore(tmp_path: Path) -> None:
    names = ("ragtime", "folk")
    words = [*arguments(tmp_path, *names), "--set", f"link={tmp_path / 'link.sock'}"]
    async with radio("air", *words) as air, listening(await on_air(air)) as own:
        async with radio("studio", *words) as studio:
            await own.all_ahead(LOOKAHEAD - 4)
            await own.until(lambda s: s["channels"]["folk"]["frame"] > 40 * RATE)  # a piece has been finished
            own.tune_in("/ragtime.mp3", "/folk.mp3")
            await own.until(lambda s: s["listeners"] == 2)
            await own.all_ahead(LOOKAHEAD - 4)
            studio.process.kill()
            await studio.ended(10)
        down = time.monotonic()
        encore = await own.until(lambda s: {c["state"] for c in s["channels"].values()} == {"encore"}, 60)
        assert encore["studio"]["state"] == "away"
        for channel in encore["channels"].values():
            assert channel["now"]["title"].endswith(" (encore)")
        await recorded(own, 5)  # a burst that begins with the encore
        assert b"(encore)" in await titles(own.url + "/folk.mp3")
        await recorded(own, max(0.0, down + 60 - time.monotonic()))
        assert (await own.status())["listeners"] == 2
        async with radio("studio", *words):
            status = await own.all_live()
            assert all("(encore)" not in channel["now"]["title"] for channel in status["channels"].values())
            await recorded(own, 5)
        for tape in own.tapes.values():
            assert not tape.over
            assert tape.spare > 1.0
            pcm = decode(whole(tape.data))
            assert len(pcm) > 65 * RATE
            assert longest_silence(pcm) < 6.0


async def titles(url: str) -> bytes:
    """The first metadata block of a mount."""
    probe = await asyncio.create_subprocess_exec(
        "ffprobe", "-v", "error", "-show_entries", "format_tags=StreamTitle", url, stdout=subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(probe.communicate(), 30)
    return out


@pytest.mark.timeout(200)
async def test_sigterm_ends_the_station_in_two_seconds_with_listeners_connected(tmp_path: Path) -> None:
    words = arguments(tmp_path, "bach", "ragtime", composer="model")
    async with radio("serve", *words) as process, listening(await on_air(process)) as own:
        status = await own.all_live()
        own.tune_in("/bach.mp3", "/bach.opus", "/ragtime.mp3")
        own.follow("bach")
        await own.until(lambda s: s["listeners"] == 3)
        studio = status["studio"]["pid"]
        began = time.monotonic()
        process.process.terminate()
        assert await process.ended(10) == 0
        assert time.monotonic() - began < 2.0
        with pytest.raises(ProcessLookupError):
            os.kill(studio, 0)


@pytest.mark.timeout(100)
async def test_the_studio_does_not_outlive_an_air_that_is_killed(tmp_path: Path) -> None:
    async with radio("serve", *arguments(tmp_path, "bach")) as process, listening(await on_air(process)) as own:
        await own.until(lambda s: s["studio"]["state"] == "live")
        process.process.kill()
        # The log ends only once the studio, which writes to it as well, has ended.
        assert await process.ended(10) == -signal.SIGKILL


async def test_a_port_in_use_is_an_error_that_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with radio("serve", *arguments(tmp_path, "bach"), "--port", str(port)) as process:
            assert await process.ended(60) == 2
    assert f"port {port} of 127.0.0.1" in process.lines[-1]
    assert "--port" in process.lines[-1]


@pytest.mark.timeout(300)
async def test_what_is_heard_is_at_the_station_loudness_below_full_scale_and_never_long_silent(tmp_path: Path) -> None:
    names = ("bach", "jazz", "ambient")
    words = arguments(tmp_path, *names, composer="model")
    async with radio("serve", *words) as process, listening(await on_air(process)) as own:
        await own.all_live()
        own.tune_in(*(f"/{name}.mp3" for name in names))
        await recorded(own, 60)
        for name in names:
            pcm = decode(whole(own.tapes[f"/{name}.mp3"].data))
            figures = measure(pcm)
            # A minute is less than the leveller needs to be within 1 LU; ten minutes are measured by hand.
            assert -19 < figures["I"] < -13, (name, figures)
            assert figures["Peak"] <= -1.0, (name, figures)
            assert longest_silence(pcm) < 6.0
