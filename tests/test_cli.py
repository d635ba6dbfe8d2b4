"""The command: its help, its exit status, and what it loads."""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Write
from radio import cli
from radio.cli import main, parser
from radio.config import ROOT


def commands(top: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every command below a parser, by its words; those that only hold others left out."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                found |= commands(below, f"{name} {word}".strip()) or {f"{name} {word}".strip(): below}
    return found


COMMANDS = commands(parser())


def radio(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own, as a user does."""
    command = [sys.executable, "-m", "radio", *words]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=100, check=False)


def test_the_commands_are_those_of_a_radio() -> None:
    assert set(COMMANDS) == {
        *("serve", "air", "studio", "check", "channels", "compose", "render"),
        *("corpus build", "train", "blend", "evaluate"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_a_command_and_all_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*name.split(), "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert COMMANDS[name].description in text
    assert "examples:" in text
    for action in COMMANDS[name]._actions:
        assert action.help, action.dest


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_in_the_help_is_a_command_line_that_works(name: str) -> None:
    epilog = COMMANDS[name].epilog
    assert epilog
    lines = [re.split(r" {3,}", line.strip())[0] for line in epilog.splitlines()[1:]]
    examples = [part for line in lines for part in line.split(" && ")]
    assert any(example.startswith(f"radio {name}") for example in examples)
    for example in examples:
        program, *words = shlex.split(example)
        assert program == "radio"
        assert callable(parser().parse_args(words).run)


def test_the_command_runs_from_any_folder(tmp_path: Path) -> None:
    done = radio("channels", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Bach, Endlessly" in done.stdout
    assert done.stderr == ""


def test_channels_lists_the_stations_channels(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["channels", "--station", str(station)]) == 0
    assert "Scales" in capsys.readouterr().out


def test_an_error_to_mend_is_told_without_a_traceback(station: Path, write: Write) -> None:
    write("channels/bad.toml", "tilte = 1\n")
    done = radio("channels", "--station", str(station), "--set", "prot=1")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(line.startswith("radio: ") for line in lines)
    assert "radio: command line: prot: unknown key (did you mean port?)" in lines
    assert any("channels/bad.toml: tilte: unknown key (did you mean title?)" in line for line in lines)


def test_a_wrong_option_is_refused_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", "--prot", "1"])
    assert end.value.code == 2
    assert "usage: radio" in capsys.readouterr().err


def test_a_channel_that_is_not_there_is_answered_with_the_nearest(
    station: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "scalse", "-o", str(tmp_path / "a.mp3"), "--station", str(station)]) == 2
    assert "scalse: no such channel (did you mean scales?)" in capsys.readouterr().err


def test_an_interrupt_ends_with_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_channels", interrupted)
    assert main(["channels"]) == 130


def test_a_reader_that_goes_away_is_met_with_silence(station: Path) -> None:
    """As in `radio channels | head -1`: no traceback."""
    code = (
        f"import os, sys; from radio.cli import main; os.read(0, 1); main(['channels', '--station', {str(station)!r}])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.close()
        assert process.stderr.read() == b""
        process.wait(timeout=60)


@pytest.mark.parametrize(
    ("text", "value"),
    [("port=9", 9), ("lookahead=2.5", 2.5), ("name=Night Owl", "Night Owl"), ('only=["a", "b"]', ["a", "b"])],
)
def test_set_takes_any_key_with_a_value_as_toml_or_plain(text: str, value: object) -> None:
    arguments = parser().parse_args(["serve", "--set", text])
    assert cli._overrides(arguments) == {text.partition("=")[0]: value}


def test_an_option_comes_before_the_same_key_of_set() -> None:
    arguments = parser().parse_args(["serve", "--set", "port=1", "--port", "2"])
    assert cli._overrides(arguments) == {"port": 2}


@pytest.mark.parametrize("words", [["channels"], ["check"]])
def test_looking_at_the_station_loads_no_torch(station: Path, words: list[str]) -> None:
    arguments = [*words, "--station", str(station)]
    code = f"import sys; from radio.cli import main; main({arguments!r}); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_studio_without_an_air_ends_when_it_is_asked_to(station: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "radio", "studio", "--station", str(station)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr
        assert "no air at" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(timeout=5) == 0
