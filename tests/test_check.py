"""`radio check`: every problem at once, each with its remedy."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from conftest import Write
from radio.check import Finding, findings
from radio.cli import main
from radio.music.tokens import SIZES, vocabulary


def found(station: Path, what: str, **overrides: object) -> Finding:
    """The one finding about something."""
    (finding,) = [finding for finding in findings(station, overrides) if finding.what == what]
    return finding


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder as training leaves it, with the smallest of weights."""
    folder = tmp_path / "model"
    folder.mkdir()
    tables = {f"embed.{slot}.weight": np.zeros((size, 4), dtype=np.float16) for slot, size in enumerate(SIZES)}
    save_file(tables, folder / "model.safetensors")
    fields = {"model": {"width": 4, "sizes": SIZES}, "vocabulary": vocabulary()}
    (folder / "config.json").write_text(json.dumps(fields))
    (folder / "plans.json").write_text('{"bach": [{}]}')
    (folder / "limits.json").write_text("{}")
    np.savez(folder / "originality.npz", hashes=np.zeros(1))
    return folder


def test_a_station_that_can_go_on_the_air_has_no_problems(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [finding for finding in findings(station, {}) if finding.remedy] == []
    assert main(["check", "--station", str(station)]) == 0
    assert "✓" in capsys.readouterr().out


@pytest.fixture(autouse=True)
def bach(write: Write, station: Path) -> None:
    """The station's channel has a style that the model knows."""
    write("channels/scales.toml", 'title = "Scales"\nprefix.style = "bach"\n')


def test_a_sink_without_its_password_is_a_problem(station: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RADIO_TEST", raising=False)
    sink = {"kind": "icecast", "server": "http://icecast.example", "password_env": "RADIO_TEST"}
    assert found(station, "sinks[1]", sinks=[sink]).remedy == "set RADIO_TEST to the source's password"
    monkeypatch.setenv("RADIO_TEST", "secret")
    assert found(station, "sinks[1]", sinks=[sink]) == Finding("sinks[1]", "icecast http://icecast.example")


def test_a_sink_whose_folder_is_none_is_a_problem(station: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert found(station, "sinks[1]", sinks=[{"kind": "record", "folder": tmp_path / "file" / "in"}]).remedy
    assert not found(station, "sinks[1]", sinks=[{"kind": "record", "folder": tmp_path / "new"}]).remedy


def test_a_style_that_the_model_has_not_learned_is_a_problem(station: Path, model: Path, write: Write) -> None:
    write("channels/rags.toml", 'title = "Rags"\nprefix.style = "ragtime"\n')
    assert found(station, "model", composer="model", model=model).detail == "has never heard the style of: rags"


def test_a_model_that_fits_is_found_with_its_size(station: Path, model: Path) -> None:
    finding = found(station, "model", composer="model", model=model)
    assert finding.remedy == ""
    assert f"{sum(SIZES) * 4 / 1e6:.1f} million" in finding.detail


def test_a_model_that_is_not_there_is_a_problem(station: Path, tmp_path: Path) -> None:
    finding = found(station, "model", composer="model", model=tmp_path / "none")
    assert "no such file" in finding.detail
    assert "--composer scale" in finding.remedy


def test_weights_cut_short_are_a_problem(station: Path, model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    assert "wanted" in found(station, "model", composer="model", model=model).detail


def test_a_pointer_in_place_of_weights_is_a_problem(station: Path, model: Path) -> None:
    (model / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    finding = found(station, "model", composer="model", model=model)
    assert "not a safetensors file" in finding.detail
    assert "git lfs pull" in finding.remedy


@pytest.mark.parametrize(("name", "said"), [("originality.npz", "not a zip file"), ("limits.json", "Expecting value")])
def test_what_the_guard_needs_must_be_whole(station: Path, model: Path, name: str, said: str) -> None:
    (model / name).write_text("cut short")
    assert said in found(station, "model", composer="model", model=model).detail
    (model / name).unlink()
    assert f"{name}: no such file" in found(station, "model", composer="model", model=model).detail


def test_a_model_of_another_vocabulary_is_a_problem(station: Path, model: Path) -> None:
    fields = json.loads((model / "config.json").read_text())
    fields["vocabulary"]["styles"] = ["bach"]
    (model / "config.json").write_text(json.dumps(fields))
    assert "another vocabulary (different: styles)" in found(station, "model", composer="model", model=model).detail


def test_weights_of_another_width_are_a_problem(station: Path, model: Path) -> None:
    fields = json.loads((model / "config.json").read_text())
    fields["model"]["width"] = 8
    (model / "config.json").write_text(json.dumps(fields))
    assert "embed.0.weight" in found(station, "model", composer="model", model=model).detail


def test_a_file_that_is_not_a_soundfont_is_a_problem(station: Path, write: Write) -> None:
    assert "not a soundfont" in found(station, "soundfont", soundfont=write("a.sf2", "hello")).detail


def test_a_port_in_use_is_a_problem(station: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = found(station, "port", port=server.getsockname()[1])
    assert "--port" in finding.remedy


def test_problems_of_the_configuration_do_not_hide_the_others(
    station: Path, write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("channels/bad.toml", "tilte = 1\nreverb = 9\n")
    model = station.parent / "nowhere"
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.setenv("COLUMNS", "300")
    overrides: dict[str, object] = {"bitrate": 129, "composer": "model", "model": model}
    problems = [finding for finding in findings(station, overrides) if finding.remedy]
    assert [problem.what for problem in problems] == ["configuration"] * 4 + ["FluidSynth", "model"]
    assert str(model) in problems[-1].detail
    assert main(["check", "--station", str(station)]) == 1
    shown = capsys.readouterr().out
    assert "did you mean title?" in shown
    assert "apt-get install libfluidsynth3" in shown
