"""`radio render`: what is in the sound files it writes, as ffmpeg hears them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from radio.cli import main
from radio.config import load
from radio.errors import ConfigError, MidiError
from radio.formats import RATE
from radio.music import smf
from radio.render import CODECS, render
from radio.studio.scale import plan, write


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """A short piece as a MIDI file."""
    piece = plan("scales", 3, 0)
    path = tmp_path / "A_scale.mid"
    smf.write(piece.with_bars(tuple(write(piece))), path)
    return path


def heard(path: Path) -> np.ndarray:
    """A sound file decoded by ffmpeg: (frames, 2)."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-ar", str(RATE), "-ac", "2", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32).reshape(-1, 2)


def loudness(path: Path) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP), as ffmpeg measures them."""
    command = ["ffmpeg", "-nostats", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    integrated = re.findall(r"I:\s+(-?[\d.]+) LUFS", text)
    peak = re.findall(r"Peak:\s+(-?[\d.]+) dBFS", text)
    return float(integrated[-1]), float(peak[-1])


@pytest.mark.parametrize("ending", CODECS)
def test_each_format_holds_the_piece_at_the_stations_loudness(
    station: Path, midi: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / "new folder" / f"a{ending}"
    config = load(station)
    render(config, str(midi), output, None, None)
    integrated, peak = loudness(output)
    assert integrated == pytest.approx(config.station.loudness, abs=0.5)
    assert peak <= -1.0
    written = smf.read(midi)
    seconds = sum(bar.seconds for bar in written.bars)
    assert seconds < len(heard(output)) / RATE < seconds * 1.2 + 9


def test_the_title_is_in_the_file(station: Path, midi: Path, tmp_path: Path) -> None:
    render(load(station), str(midi), tmp_path / "a.mp3", 1.0, None)
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", str(tmp_path / "a.mp3")]
    fields = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert fields["format"]["tags"]["title"] == "A scale"


def test_the_same_file_is_played_the_same_way_each_time(station: Path, midi: Path, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        render(load(station), str(midi), tmp_path / name, 3.0, None)
    assert np.array_equal(heard(tmp_path / "a.wav"), heard(tmp_path / "b.wav"))


def test_seconds_end_the_file_early(station: Path, midi: Path, tmp_path: Path) -> None:
    render(load(station), str(midi), tmp_path / "a.wav", 2.0, None)
    assert len(heard(tmp_path / "a.wav")) / RATE == pytest.approx(2.0, abs=0.24)


def test_the_end_dies_away(station: Path, midi: Path, tmp_path: Path) -> None:
    render(load(station), str(midi), tmp_path / "a.wav", None, None)
    assert np.abs(heard(tmp_path / "a.wav")[-2400:]).max() < 0.005


def test_a_channel_plays_a_file_in_its_own_manner(station: Path, midi: Path, tmp_path: Path) -> None:
    (station.parent / "channels" / "organ.toml").write_text('title = "Organ"\nprograms = { all = 19 }\n')
    config = load(station)
    render(config, str(midi), tmp_path / "a.wav", 2.0, None)
    render(config, str(midi), tmp_path / "b.wav", 2.0, "organ")
    one, other = heard(tmp_path / "a.wav"), heard(tmp_path / "b.wav")
    frames = min(len(one), len(other))
    assert abs(np.corrcoef(one[:frames, 0], other[:frames, 0])[0, 1]) < 0.9


def test_a_channels_name_renders_a_new_piece(station: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "a.flac"
    assert main(["render", "scales", "-o", str(output), "--seconds", "2", "--station", str(station)]) == 0
    assert "Scale No. 1 in" in capsys.readouterr().err
    assert np.abs(heard(output)).max() > 0.05


def test_an_ending_that_is_no_format_is_answered_with_those_there_are(station: Path, midi: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.aac: not a sound file's ending, wanted one of: \.mp3, \.opus"):
        render(load(station), str(midi), Path("a.aac"), None, None)


def test_a_file_that_is_not_midi_is_refused(station: Path, tmp_path: Path) -> None:
    (tmp_path / "no.mid").write_bytes(b"hello")
    with pytest.raises(MidiError):
        render(load(station), str(tmp_path / "no.mid"), tmp_path / "a.wav", None, None)
