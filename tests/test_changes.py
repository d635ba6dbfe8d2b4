"""Channels that are added, changed and removed on the air, by editing their files: the real studio."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from onair import Listening, Process, arguments, crowd, listening, radio, whole
from radio.air.changes import Changes, changes
from radio.config import Config, load
from radio.formats import RATE
from sound import decode

CROWD = 1000
"""Listeners to the channels that stay."""
PIANO = 'title = "{}"\nbreath = 0.5\n[programs]\nall = 0\n'
HARP = 'title = "{}"\nbreath = 0.5\n[programs]\nall = 46\n'


MODEL = '[prefix]\nstyle = "bach"\nbars = [4, 8]\n'
"""What a channel needs besides to be composed by the model."""


def write(folder: Path, **channels: str) -> None:
    """Channels' files; those not named are left as they are."""
    folder.mkdir(exist_ok=True)
    for name, text in channels.items():
        (folder / f"{name}.toml").write_text(text.format(name.title()), encoding="utf-8")


def configured(folder: Path, **channels: str) -> Config:
    for path in folder.glob("*.toml"):
        path.unlink()
    write(folder, **channels)
    return load(None, channels=folder)


def test_changes_are_those_of_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "channels"
    old = configured(folder, bach=PIANO, folk=PIANO, jazz=PIANO)
    assert changes(old, old) == Changes((), (), (), ())
    new = configured(folder, bach=PIANO, folk=HARP, lofi=PIANO)
    assert changes(old, new) == Changes(("lofi",), ("folk",), ("jazz",), ())
    assert str(changes(old, new)) == "added: lofi; changed: folk; removed: jazz"
    other = load(None, channels=folder, port=99, only=["bach"])
    assert changes(new, other) == Changes((), (), ("folk", "lofi"), ("port",))


@dataclass
class Serving:
    """A station of channels in a folder, and its listeners."""

    folder: Path
    process: Process
    own: Listening

    def reload(self) -> None:
        self.process.process.send_signal(signal.SIGHUP)

    async def notes(self, channel: str, since: int) -> list[dict[str, Any]]:
        """Notes of the feed that begin after a frame, once there are some."""

        def found() -> list[dict[str, Any]]:
            return [e for e in self.own.notes[channel] if e["event"] == "note" and e["at"] >= since]

        await self.own.until(lambda _: len(found()) > 8)
        return found()


@asynccontextmanager
async def serving(tmp_path: Path, composer: str = "scale", **channels: str) -> AsyncIterator[Serving]:
    folder = tmp_path / "channels"
    write(folder, **channels)
    words = [*arguments(tmp_path / "state", composer=composer), "--channels", str(folder)]
    async with radio("serve", *words) as process:
        address = (await process.said(r"on air at (\S+)"))[1]
        async with listening(address) as own:
            await own.all_live()
            yield Serving(folder, process, own)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("composer", ["scale", "model"])
async def test_a_channel_is_added_changed_and_removed_and_other_listeners_hear_nothing_of_it(
    tmp_path: Path, composer: str
) -> None:
    piano, harp = (PIANO + MODEL, HARP + MODEL) if composer == "model" else (PIANO, HARP)
    async with serving(tmp_path, composer, bach=piano, folk=piano, jazz=piano) as station:
        own = station.own
        before = await own.all_ahead(18)
        own.tune_in("/bach.mp3", "/folk.mp3", "/jazz.mp3")
        own.follow("folk")
        others = [one for path in ("/bach.mp3", "/folk.mp3") for one in await crowd(own.url, path, CROWD // 2)]
        await own.until(lambda s: s["listeners"] == 3 + CROWD)
        write(station.folder, folk=harp, lofi=piano)
        (station.folder / "jazz.toml").unlink()
        station.reload()
        await station.process.said("added: lofi; changed: folk; removed: jazz")
        # The one that is no more ends; the new one comes; the changed one keeps its listener.
        await own.until(lambda s: own.tapes["/jazz.mp3"].over)
        status = await own.until(lambda s: s["channels"].get("lofi", {}).get("state") == "live")
        assert set(status["channels"]) == {"bach", "folk", "lofi"}
        own.tune_in("/lofi.mp3")
        changed = await own.until(
            lambda s: s["channels"]["folk"]["now"]["title"] != status["channels"]["folk"]["now"]["title"]
        )
        notes = await station.notes("folk", changed["channels"]["folk"]["now"]["started"])
        assert {note["program"] for note in notes} == {46}
        after = await own.until(lambda s: own.tapes["/lofi.mp3"].pieces and s["listeners"] == 3 + CROWD)
        assert after["studio"]["pid"] == before["studio"]["pid"]
        assert after["studio"]["restarts"] == 0
        heard = [one.heard for one in others]
        await own.until(lambda _: all(one.heard > before for one, before in zip(others, heard, strict=True)))
        assert not any(one.lost for one in others)
        assert max(one.longest_wait for one in others) < 2.0
        for one in others:
            one.transport.abort()
        for name in ("bach", "folk"):
            assert not after["channels"][name]["ended"]
            tape = own.tapes[f"/{name}.mp3"]
            assert not tape.over
            assert tape.spare > 1.0
            assert after["channels"][name]["encores"] == 0
            assert len(decode(whole(tape.data))) > 5 * RATE
        assert {note["program"] for note in own.notes["folk"] if note["event"] == "note"} == {0, 46}


@pytest.mark.timeout(200)
async def test_files_with_errors_leave_all_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path, bach=PIANO, folk=PIANO) as station:
        own = station.own
        own.tune_in("/folk.mp3")
        await own.until(lambda s: s["listeners"] == 1)
        write(station.folder, folk='title = "Folk"\ntempoo = 3\n', lofi="not TOML", jazz=HARP)
        (station.folder / "bach.toml").unlink()
        station.reload()
        await station.process.said(r"folk.toml: tempoo: unknown key")
        await station.process.said(r"lofi.toml: not TOML")
        status = await own.status()
        assert set(status["channels"]) == {"bach", "folk"}
        assert status["listeners"] == 1
        assert not own.tapes["/folk.mp3"].over


@pytest.mark.timeout(200)
async def test_a_studio_that_is_started_anew_makes_the_channels_as_they_are_now(tmp_path: Path) -> None:
    async with serving(tmp_path, bach=PIANO, folk=PIANO) as station:
        own = station.own
        write(station.folder, folk=HARP, lofi=PIANO)
        station.reload()
        status = await own.until(
            lambda s: len(s["channels"]) == 3 and all(c["lookahead"] > 15 for c in s["channels"].values())
        )
        # What is on disk now is of no concern to the studio: the air tells it what the channels are.
        write(station.folder, lofi="not TOML", bach="not TOML")
        os.kill(status["studio"]["pid"], signal.SIGKILL)
        await station.process.said("killed by SIGKILL")
        await own.until(lambda s: s["studio"]["state"] == "live" and s["studio"]["restarts"] == 1, 120)
        own.follow("folk")
        after = await own.until(lambda s: {c["state"] for c in s["channels"].values()} == {"live"}, 120)
        assert set(after["channels"]) == {"bach", "folk", "lofi"}
        assert after["studio"]["troubles"] == {}
        made_now = after["channels"]["folk"]["frame"] + 25 * RATE
        assert {note["program"] for note in await station.notes("folk", made_now)} == {46}
