"""The recorder: its files are whole, as long as their packets, and agree with what was sent; and it harms nobody."""

from __future__ import annotations

import asyncio
import io
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mido
import numpy as np
import pytest

from fakes import Tones
from radio.air.sinks import keeper
from radio.air.sinks.recorder import Recorder
from radio.air.sinks.sink import Progress
from radio.formats import BLOCK, FORMATS, RATE
from radio.music.events import NoteEvent
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import RecordConfig
from sound import decode
from transmitting import Transmitter


def record(folder: Path, **keys: object) -> RecordConfig:
    """A recorder's table."""
    return RecordConfig("record", folder=folder, spare_gigabytes=0, **keys)  # type: ignore[arg-type]


async def recorded(folder: Path, *, packets: int = 60, length: int = 20, **keys: object) -> Transmitter:
    """Records until there are files of so many packets, and signs off."""
    async with Transmitter(record(folder, **keys), length=length) as air:
        await air.until(lambda: len(air.released) > packets, speed=40)
        await settled(air)
    return air


async def settled(air: Transmitter) -> None:
    """Waits until the recorder has written what was released."""
    own = air.keepers[0]
    before = -1
    async with asyncio.timeout(60):
        while before != own.progress.bytes:
            before = own.progress.bytes
            await asyncio.sleep(0.1)


def sounds(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{ending}"))


def sheet(text: str) -> list[tuple[str, int]]:
    """Title and time (in 75ths of a second) of each track of a cue sheet, read to the letter."""
    pattern = (
        r'REM DATE (\S+)\nPERFORMER "([^"\n]*)"\nTITLE "([^"\n]*)"\nFILE "([^"\n/]*)" (MP3|WAVE)\n'
        r'((?:  TRACK \d\d AUDIO\n    TITLE "[^"\n]*"\n    PERFORMER "[^"\n]*"\n    INDEX 01 \d\d+:\d\d:\d\d\n)+)'
    )
    whole = re.fullmatch(pattern, text)
    assert whole, text
    tracks = re.findall(r'TRACK (\d\d) AUDIO\n    TITLE "(.*)"\n.*\n    INDEX 01 (\d+):(\d\d):(\d\d)', whole[6])
    assert [int(track[0]) for track in tracks] == list(range(1, len(tracks) + 1))
    return [(title, (60 * int(m) + int(s)) * 75 + int(f)) for _, title, m, s, f in tracks]


def notes(data: bytes) -> list[tuple[int, int, int, int, int, int]]:
    """Onset, length (both in frames), lane, program, pitch and velocity of each note of a MIDI file, read by mido."""
    file = mido.MidiFile(file=io.BytesIO(data), charset="utf-8")
    assert file.ticks_per_beat == RATE // 2
    at, found, programs = 0, [], dict.fromkeys(range(16), 0)
    sounding: dict[tuple[int, int], list[list[int]]] = {}
    for message in mido.merge_tracks(file.tracks):
        at += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity:
            note = [at, -1, message.channel, programs[message.channel], message.note, message.velocity]
            found.append(note)
            sounding.setdefault((message.channel, message.note), []).append(note)
        elif message.type in ("note_on", "note_off"):
            note = sounding[message.channel, message.note].pop(0)
            note[1] = at - note[0]
        elif message.type == "set_tempo":
            assert message.tempo == 500_000
    return [tuple(note) for note in found]  # type: ignore[misc]


@pytest.mark.parametrize("form", ["mp3", "mp3-320", "opus", "flac", "wav"])
async def test_recordings_decode_to_the_packets_length_and_sound(tmp_path: Path, form: str) -> None:
    """ffmpeg has nothing to complain of; where a file follows, not a frame is missing between the two."""
    air = await recorded(tmp_path, format=form, each="piece", packets=52)
    ending = FORMATS[form].extension
    files = sounds(tmp_path, ending)
    assert len(files) == 3
    for index, path in enumerate(files):
        pcm = decode(path.read_bytes())
        last = index == len(files) - 1
        packets = 20 if not last else len(air.released) - 40
        missing = 312 if form == "opus" and last else 0
        if last:  # signed off at any packet
            assert len(pcm) % BLOCK == (BLOCK - missing) % BLOCK
            assert len(pcm) <= packets * BLOCK
        else:
            assert len(pcm) == packets * BLOCK
        middle = pcm[RATE : 2 * RATE, 0]
        hertz = np.abs(np.fft.rfft(middle)).argmax()
        assert hertz == pytest.approx(440 * 2 ** ((61 + index - 69) / 12), abs=5)
        assert abs(middle).max() > 0.15
    assert not list(tmp_path.rglob("*.partial"))


def probe(*words: str) -> str:
    """What ffprobe tells, which must have nothing to complain of."""
    done = subprocess.run(["ffprobe", "-v", "error", *words], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["opus", "flac", "wav", "mp3", "aac"])
async def test_files_say_how_long_they_are_and_what_they_hold(tmp_path: Path, form: str) -> None:
    await recorded(tmp_path, format=form, each="piece", packets=25)
    (path, *_) = sounds(tmp_path, form)
    entries = "format=duration:format_tags:stream_tags"
    told = probe("-show_entries", entries, "-of", "flat", str(path))
    lines = [line.partition("=") for line in told.splitlines()]
    fields = {key.split(".")[-1].lower(): value for key, _, value in lines}
    assert fields["title"] == '"Tone No. 1"'
    assert fields["artist"] == '"Generative Radio"'
    assert fields["album"] == '"Bach"'
    if form != "aac":  # ADTS does not say
        assert float(fields["duration"].strip('"')) == pytest.approx(20 * BLOCK / RATE, abs=0.05)


@pytest.mark.parametrize("form", ["mp3", "flac"])
async def test_the_cue_sheet_has_each_title_at_its_frame(tmp_path: Path, form: str) -> None:
    """To the nearest 75th; in MP3 the sound lags, and so does the sheet."""
    air = await recorded(tmp_path, format=form, packets=70, length=15)
    (path,) = sounds(tmp_path, "cue")
    text = path.read_text(encoding="utf-8")
    assert f'FILE "{path.stem}.{form}"' in text
    tracks = sheet(text)
    assert [title for title, _ in tracks] == [f"Tone No. {number}" for number in range(1, len(tracks) + 1)]
    assert len(tracks) >= 4
    begins = {packet.title: packet.start for packet in reversed(air.released)}
    for title, time in tracks[1:]:
        frames = begins[title] + FORMATS[form].delay
        assert abs(time * RATE / 75 - frames) <= RATE / 150
    assert tracks[0][1] == 0


async def test_the_tone_changes_where_the_cue_sheet_says(tmp_path: Path) -> None:
    await recorded(tmp_path, format="mp3", packets=50)
    pcm = decode(sounds(tmp_path, "mp3")[0].read_bytes())[:, 0]
    for number, (_, time) in enumerate(sheet(sounds(tmp_path, "cue")[0].read_text())[1:], 2):
        at = time * RATE // 75
        sides = pcm[at - 9600 : at - 960], pcm[at + 960 : at + 9600]
        heard = [np.abs(np.fft.rfft(side, RATE)).argmax() for side in sides]
        wanted = [440 * 2 ** ((60 + n - 69) / 12) for n in (number - 1, number)]
        assert heard == pytest.approx(wanted, abs=9)


async def test_the_midi_file_has_the_notes_of_the_feed_to_the_frame(tmp_path: Path) -> None:
    air = await recorded(tmp_path, format="mp3", packets=50)
    (path,) = sounds(tmp_path, "mid")
    written = notes(path.read_bytes())
    delay = FORMATS["mp3"].delay
    sent = [
        (e.at + delay, e.frames, e.lane, e.program, e.pitch, e.velocity)
        for packet in air.released
        for e in packet.events
        if isinstance(e, NoteEvent)
    ]
    assert len(written) > 40
    assert written == sent[: len(written)]
    texts = [message.text for message in mido.MidiFile(path, charset="utf-8").tracks[0] if message.type == "marker"]
    assert texts[:3] == ["Tone No. 1", "A", "Tone No. 2"]


async def test_a_file_by_the_piece_begins_with_the_first_piece_that_is_whole(tmp_path: Path) -> None:
    tmp_path /= "new"
    air = Transmitter(record(tmp_path, each="piece", name="{channel} {title}"))
    await air.play(28)  # into the second
    async with air:
        await air.until(lambda: len(air.released) > 90, speed=40)
        await settled(air)
    names = [path.name for path in sounds(tmp_path, "mp3")]
    assert names[0] == "bach Tone No. 3.mp3"
    assert (tmp_path / "bach Tone No. 3.cue").exists()
    assert (tmp_path / "bach Tone No. 3.mid").exists()


async def test_a_file_by_the_hour_is_cut_at_the_hour_between_two_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = datetime(2026, 3, 29, 0, 59, 56, tzinfo=UTC)
    async with Transmitter(record(tmp_path, format="flac", name="{date}/{channel} {time}")) as air:
        monkeypatch.setattr(Recorder, "now", lambda self: begun + timedelta(seconds=air.clock.now - 1000))
        await air.until(lambda: len(air.released) > 60, speed=20)
        await settled(air)
    first, second = sounds(tmp_path, "flac")
    assert first.parent.name == "2026-03-29"
    assert re.fullmatch(r"bach 00-59-5\d.flac", first.name)
    assert re.fullmatch(r"bach 01-00-0\d.flac", second.name)
    both = [decode(path.read_bytes()) for path in (first, second)]
    assert all(len(pcm) % BLOCK == 0 for pcm in both)
    assert sum(map(len, both)) in range((len(air.released) - 3) * BLOCK, len(air.released) * BLOCK + 1)


def test_the_hour_that_comes_twice_in_autumn_is_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = Recorder(record(tmp_path), StationConfig(), ChannelConfig("bach", "Bach"), Progress())
    (packet,) = Tones("bach").packets(1)
    own._recording = object()  # type: ignore[assignment]
    cuts = []
    for text in ("02:10+02:00", "02:50+02:00", "02:10+01:00", "02:50+01:00"):
        monkeypatch.setattr(own, "now", lambda text=text: datetime.fromisoformat(f"2026-10-25T{text}"))
        cuts.append(own._cut(packet))
    assert cuts == [True, False, True, False]


async def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bach Tone No. 1.mp3").write_text("mine")
    (tmp_path / "bach Tone No. 2 (2).cue").write_text("mine, too")
    (tmp_path / "bach Tone No. 2.mid").write_text("and this")
    await recorded(tmp_path, each="piece", name="{channel} {title}", packets=45)
    assert (tmp_path / "bach Tone No. 1.mp3").read_text() == "mine"
    assert (tmp_path / "bach Tone No. 2 (2).cue").read_text() == "mine, too"
    assert (tmp_path / "bach Tone No. 2.mid").read_text() == "and this"
    assert len(decode((tmp_path / "bach Tone No. 1 (2).mp3").read_bytes())) == 20 * BLOCK
    assert len(decode((tmp_path / "bach Tone No. 2 (3).mp3").read_bytes())) == 20 * BLOCK


async def test_titles_are_no_paths(tmp_path: Path) -> None:
    async with Transmitter(record(tmp_path / "in", each="piece", name="{channel}/{title}")) as air:
        air.title = "../../../etc/\0passwd: “a\nb”?" + "é" * 300
        await air.until(lambda: len(air.released) > 30, speed=40)
        await settled(air)
    assert [path.relative_to(tmp_path).parent for path in tmp_path.rglob("*.mp3")] == [Path("in/bach")] * 2
    assert not list(tmp_path.glob("*.mp3"))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system lets no file grow beyond so many bytes: a write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("form", ["mp3", "flac", "wav"])
async def test_a_disk_that_is_full_leaves_a_whole_file_and_harms_nobody(tmp_path: Path, form: str) -> None:
    async with Transmitter(record(tmp_path, format=form)) as air:
        own = air.keepers[0]
        with largest_file(200_000):
            await air.until(lambda: own.progress.state == "failed", speed=20)
            assert own.progress.error == f"{tmp_path}: File too large"
            (path,) = sounds(tmp_path, form)
            pcm = decode(path.read_bytes())
            assert len(pcm) % BLOCK == 0
            assert len(pcm) > 0
            assert path.stat().st_size <= 200_000
            before = len(air.released)
            await air.play(20)
            assert len(air.released) == before + 20
            assert air.transmission.channel.state == "live"
        await air.until(lambda: own.progress.state == "running" and len(list(tmp_path.rglob("*.partial"))) == 1)
    assert len(sounds(tmp_path, form)) == 2


async def test_a_folder_that_cannot_be_written_to_is_said_and_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with Transmitter(record(tmp_path / "file" / "in")) as air:
        await air.until(lambda: air.keepers[0].progress.state == "failed")
        assert air.keepers[0].progress.error == f"{tmp_path}/file/in: Not a directory"
        assert air.transmission.channel.state == "live"


async def test_where_the_disk_is_nearly_full_nothing_is_recorded(tmp_path: Path) -> None:
    config = RecordConfig("record", folder=tmp_path, spare_gigabytes=1e6)
    async with Transmitter(config) as air:
        await air.until(lambda: air.keepers[0].progress.state == "failed")
        assert re.search(r"the disk has \S+ GB left, wanted at least 1e\+06", air.keepers[0].progress.error)
    assert not list(tmp_path.rglob("*.*"))


async def test_a_sink_that_raises_is_run_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeper, "pause", lambda failures, chance: 0.05)
    faults = [ZeroDivisionError("a mistake"), ZeroDivisionError("a mistake")]
    begin = Recorder._begin

    def broken(self: Recorder, *arguments: object) -> None:
        if self.config.format == "mp3" and faults:
            raise faults.pop()
        begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Recorder, "_begin", broken)
    both = (record(tmp_path / "a"), record(tmp_path / "b", format="opus"))
    async with Transmitter(*both) as air:
        await air.until(lambda: all(own.progress.bytes > 50_000 for own in air.keepers))
        assert [own.failures for own in air.keepers] == [2, 0]
        assert air.keepers[0].status()["error"] == "ZeroDivisionError: a mistake"
        assert air.keepers[1].status()["error"] == ""
    assert len([line for line in caplog.records if line.exc_info]) == 2


async def test_sinks_follow_the_channels_there_are(tmp_path: Path) -> None:
    """A channel that goes takes its recorder along, which completes its file; one that comes brings its own."""
    async with Transmitter(record(tmp_path)) as air:
        await air.until(lambda: air.keepers[0].progress.bytes > 50_000)
        own = air.keepers[0]
        air.sinks.settle()
        assert air.keepers == [own]
        there = air.station.transmissions
        air.station.transmissions = {}
        air.sinks.settle()
        assert air.station.sinks() == []
        async with asyncio.timeout(60):
            while not sounds(tmp_path, "mp3"):
                await asyncio.sleep(0.05)
        assert air.mount().receptions == 0
        air.station.transmissions = there
        air.sinks.settle()
        await air.until(lambda: air.keepers[0].progress.bytes > 20_000)
        assert air.keepers[0] is not own
