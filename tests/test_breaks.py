from __future__ import annotations

import math
import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from radio.config import load
from radio.errors import ConfigError
from radio.formats import BLOCK, RATE
from radio.settings import BreaksConfig
from radio.studio.breaks import Breaks, recording
from sound import measure

Pcm = npt.NDArray[np.float32]
EVERY = 60.0
STRETCH = round(EVERY * RATE)
FAR = STRETCH // BLOCK * BLOCK + BLOCK
"""A block in the second stretch."""
MUSIC: Pcm = np.full((BLOCK, 2), 0.5, dtype=np.float32)


def tone(path: Path, hertz: float, seconds: float = 2.0, amplitude: float = 0.05, rate: int = 44100) -> Path:
    """A WAV with one side."""
    samples = amplitude * np.sin(2 * math.pi * hertz * np.arange(round(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spots").mkdir()
    tone(tmp_path / "spots" / "a.wav", 440)
    tone(tmp_path / "spots" / "b.wav", 880)
    return tmp_path / "spots"


def config(folder: Path | None) -> BreaksConfig:
    return BreaksConfig(folder, every=EVERY, duck=20.0)


def run(own: Breaks, start: int, blocks: int, opens: tuple[int, ...] = ()) -> Pcm:
    """Blocks of music from a frame on; those of the numbers in `opens` open a piece."""
    return np.concatenate(
        [own.mix(MUSIC.copy(), start + number * BLOCK, opening=number in opens) for number in range(blocks)]
    )


def pitch(pcm: Pcm) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(pcm[:, 0] - pcm[:, 0].mean()))
    return float(np.argmax(spectrum) * RATE / len(pcm))


def test_without_a_folder_the_music_stays_as_it_is() -> None:
    own = Breaks(BreaksConfig(), "bach", -16.0, 0)
    assert (run(own, FAR, 10, opens=(2,)) == 0.5).all()
    assert own.state() == {}


def test_a_break_begins_as_a_piece_opens_and_the_music_makes_way_for_it(folder: Path) -> None:
    own = Breaks(config(folder), "bach", -16.0, 0)
    heard = run(own, FAR, 20, opens=(3,))
    assert (heard[: 3 * BLOCK] == 0.5).all()
    down, spoken = heard[3 * BLOCK : 4 * BLOCK, 0], heard[4 * BLOCK : 12 * BLOCK]
    assert (np.diff(down) <= 0).all()
    assert down[-1] == pytest.approx(0.05, abs=1e-6)
    assert spoken.mean() == pytest.approx(0.05, abs=1e-3)
    assert pitch(spoken) == pytest.approx(880, abs=2)
    assert (heard[-BLOCK:] == 0.5).all()
    assert np.abs(np.diff(heard[:, 0])).max() < 0.2


def test_a_file_is_as_loud_as_the_music_whatever_it_was_recorded_at(folder: Path) -> None:
    for amplitude in (0.01, 0.5):
        pcm = recording(tone(folder / "c.wav", 1000, 4.0, amplitude), -18.0)
        assert measure(pcm)["I"] == pytest.approx(-18.0, abs=0.3)


def test_there_is_one_break_in_a_stretch_at_most_and_none_in_that_of_the_start(folder: Path) -> None:
    own = Breaks(config(folder), "bach", -16.0, 0)
    assert (run(own, 0, 40, opens=(0, 20)) == 0.5).all()
    assert (run(own, FAR, 40, opens=(0,)) != 0.5).any()
    assert (run(own, FAR + 40 * BLOCK, 40, opens=(0,)) == 0.5).all()


def test_files_take_their_turn(folder: Path) -> None:
    own = Breaks(config(folder), "bach", -16.0, 0)
    found = [round(pitch(run(own, FAR + turn * STRETCH, 12, opens=(0,))[BLOCK : 9 * BLOCK]), -1) for turn in range(4)]
    assert found == [880, 440, 880, 440]


def test_one_who_takes_over_goes_on_with_the_same_sound(folder: Path) -> None:
    whole = run(Breaks(config(folder), "bach", -16.0, 0), FAR, 16, opens=(0,))
    own = Breaks(config(folder), "bach", -16.0, 0)
    before = run(own, FAR, 5, opens=(0,))
    other = Breaks(config(folder), "bach", -16.0, FAR + 5 * BLOCK, own.state())
    after = run(other, FAR + 5 * BLOCK, 11)
    np.testing.assert_array_equal(np.concatenate((before, after)), whole)
    assert (run(other, FAR + 16 * BLOCK, 20, opens=(0,)) == 0.5).all()


def test_what_cannot_be_played_is_told_and_passed_over(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "b.wav").write_bytes(b"no sound")
    tone(folder / "c.wav", 660, amplitude=0.0)
    own = Breaks(config(folder), "bach", -16.0, 0)
    assert pitch(run(own, FAR, 12, opens=(0,))[BLOCK : 9 * BLOCK]) == pytest.approx(440, abs=2)
    assert "b.wav" in caplog.text
    for path in (folder / "a.wav", folder / "b.wav", folder / "c.wav"):
        path.unlink()
    assert (run(own, FAR + STRETCH, 12, opens=(0,)) == 0.5).all()


def test_other_channels_have_none(folder: Path) -> None:
    own = Breaks(replace(config(folder), channels=("jazz",)), "bach", -16.0, 0)
    assert (run(own, FAR, 12, opens=(0,)) == 0.5).all()


@pytest.mark.parametrize(("ending", "codec"), [("mp3", "mp3"), ("ogg", "libopus"), ("m4a", "aac")])
def test_any_format_is_read(tmp_path: Path, ending: str, codec: str) -> None:
    path = tmp_path / f"spot.{ending}"
    rate = 48000
    samples = (0.2 * np.sin(2 * math.pi * 500 * np.arange(2 * rate) / rate)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 960
        )
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.rate = rate
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(part))
    pcm = recording(path, -20.0)
    assert len(pcm) / RATE == pytest.approx(2.0, abs=0.3)
    assert pitch(pcm[BLOCK : 7 * BLOCK]) == pytest.approx(500, abs=2)


def test_a_folder_that_is_not_there_is_told_with_its_key(tmp_path: Path) -> None:
    station = tmp_path / "station.toml"
    station.write_text('[breaks]\nfolder = "nowhere"\nchannels = ["bahc"]\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(station)
    assert "breaks.folder" in str(caught.value)
    assert "did you mean bach?" in str(caught.value)
