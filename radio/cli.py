"""The command `radio`: its arguments, and which room each subcommand hands them to.

Rooms are imported inside the subcommands, so that only what a subcommand needs is loaded: torch by
those that compose, FluidSynth by those that play.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radio import __version__, logs
from radio.arguments import add_command, positive
from radio.errors import RadioError
from radio.training import add_model_commands

if TYPE_CHECKING:
    from radio.config import Config
from radio.settings import StationConfig

STATION_OPTIONS = ("host", "port", "only", "channels", "model", "composer", "soundfont", "device", "threads", "seed")
"""Options that stand for the station's key of the same name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Exit status: 0 done, 1 `check` found problems, 2 an error to mend, 130 interrupted."""
    arguments = parser().parse_args(argv)
    logs.use("text")
    try:
        status: int | None = arguments.run(arguments)
    except RadioError as error:
        print(f"radio: {error}".replace("\n", "\nradio: "), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status or 0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="radio",
        description="A radio whose music is composed while you listen.",
        epilog="`radio serve` is the whole station. `radio COMMAND --help` explains each command with examples.",
    )
    top.add_argument("--version", action="version", version=f"radio {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_on_air(commands)
    _add_look(commands)
    _add_files(commands)
    add_model_commands(commands)
    return top


def _station_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("station", "these take precedence over station.toml")
    group.add_argument("--station", type=Path, metavar="FILE", help="the station's TOML file (default: ./station.toml)")
    group.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key of station.toml")
    group.add_argument("--only", nargs="+", metavar="CHANNEL", help="run these channels and no others")
    group.add_argument("--channels", type=Path, metavar="DIR", help="folder of the channels' TOML files")
    group.add_argument("--host", help="address to listen on (default: all)")
    group.add_argument("--port", type=int, help="port to listen on (default: 8000; 0: any free one)")
    group.add_argument("--composer", choices=("model", "scale"), help="scale: plays scales and needs no model")
    group.add_argument("--model", type=Path, metavar="DIR", help="folder of the composer's model")
    group.add_argument(
        "--soundfont", type=Path, metavar="FILE", help="a General MIDI soundfont (default: the system's)"
    )
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where the model runs")
    group.add_argument("--threads", type=int, metavar="N", help="threads of torch in the composer")
    group.add_argument("--seed", type=int, metavar="N", help="the same music at every start")


def _config(arguments: argparse.Namespace) -> Config:
    """The configuration that the command line asks for.

    Raises:
        ConfigError: with every problem.
    """
    from radio.config import load

    return load(arguments.station, **_overrides(arguments))


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    """Values of the command line for keys of the station."""
    values: dict[str, object] = {}
    for pair in arguments.set:
        key, _, text = pair.partition("=")
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key] = text  # a string without its quotes
    return values | {name: value for name in STATION_OPTIONS if (value := getattr(arguments, name)) is not None}


def _add_on_air(commands: Any) -> None:
    serve = add_command(
        commands, "serve", _serve, "put the station on the air",
        "The air process sends; it starts a studio process that composes and plays, and starts it again if it dies.",
        """radio serve
        radio serve --only bach jazz --port 9000
        radio serve --composer scale          sound at once, without a model
        radio serve --set lookahead=40        any key of station.toml""",
    )  # fmt: skip
    air = add_command(
        commands, "air", _air, "run the air alone",
        "It waits for a studio at the link: run `radio studio` beside it, or on another machine.",
        """radio air
        radio air --set link=0.0.0.0:7000     and elsewhere: radio studio --set link=air.example:7000""",
    )  # fmt: skip
    studio = add_command(
        commands, "studio", _studio, "run the studio alone",
        "It composes, plays and encodes every channel and sends it to the air at the link, as far ahead as it may.",
        """radio studio
        radio studio --set link=air.example:7000 --device cuda""",
    )  # fmt: skip
    for command in (serve, air, studio):
        _station_options(command)
    studio.add_argument(
        "--until-eof", action="store_true", help="end when standard input does, as whoever started it has ended"
    )


def _serve(arguments: argparse.Namespace) -> None:
    from radio.air.server import serve

    serve(_logging(_config(arguments)), supervise=True)


def _air(arguments: argparse.Namespace) -> None:
    from radio.air.server import serve

    serve(_logging(_config(arguments)), supervise=False)


def _logging(config: Config) -> Config:
    """The same; from now on the log is written as it says."""
    logs.use(config.station.log, "air")
    return config


def _studio(arguments: argparse.Namespace) -> None:
    # First of all, since numpy's threads, too, must not take the signals.
    stop = _stop_on_signals()
    if arguments.until_eof:
        threading.Thread(target=_stop_at_eof, args=(stop,), name="leash", daemon=True).start()
    from radio.config import load_station
    from radio.studio.studio import run

    # Which channels there are, the air says.
    station = load_station(arguments.station, **_overrides(arguments))
    logs.use(station.log, "studio")
    composer = _composer(station)
    composer.start()
    try:
        run(station, composer, station.address, stop)
    finally:
        composer.stop()


def _stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set.

    A thread waits for them: a handler would run inside whatever the main thread is doing, which may be
    holding the event's own lock.
    """
    stop = threading.Event()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before any other thread starts, and so for all of them

    def wait() -> None:
        signal.sigwait(signals)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stop


def _stop_at_eof(stop: threading.Event) -> None:
    # Not through sys.stdin: its lock, held by a daemon thread, would break the interpreter's end.
    while os.read(0, 1024):
        pass
    stop.set()


def _composer(station: StationConfig) -> Any:
    """Who writes the station's music."""
    if station.composer == "scale":
        from radio.studio.scale import ScaleComposer

        return ScaleComposer(station.seed or 0)
    from radio.composer.process import ComposerProcess

    return ComposerProcess(
        station.model,
        seed=station.seed,
        state=station.state,
        device=station.device,
        threads=station.threads,
        log=station.log,
    )


def _add_look(commands: Any) -> None:
    check = add_command(
        commands, "check", _check, "find out whether the station can go on the air",
        "Configuration, model, soundfont, libraries, encoders and port: every problem at once, each with its remedy.",
        """radio check
        radio check --torch                   also loads torch and looks for a GPU
        radio check --station my.toml && radio serve --station my.toml""",
    )  # fmt: skip
    check.add_argument("--torch", action="store_true", help="also import torch and look for the device")
    channels = add_command(
        commands, "channels", _channels, "list the channels",
        "A channel is one file in the folder of channels: copy one, change it, and it is a new channel.",
        """radio channels
        radio channels --channels my-channels""",
    )  # fmt: skip
    for command in (check, channels):
        _station_options(command)


def _check(arguments: argparse.Namespace) -> int:
    from radio.check import findings, show

    found = findings(arguments.station, _overrides(arguments), torch=arguments.torch)
    show(found)
    return 1 if any(finding.remedy for finding in found) else 0


def _channels(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("channel", "title", "what it plays", box=None, pad_edge=False, header_style="bold")
    for channel in _config(arguments).channels.values():
        table.add_row(channel.name, channel.title, channel.description)
    Console().print(table)


def _add_files(commands: Any) -> None:
    compose = add_command(
        commands, "compose", _compose, "compose pieces into MIDI files",
        "They are what the channel would have played: the same prefixes, planner and guard.",
        """radio compose bach --pieces 3 -o out
        radio compose ragtime --bars 32 --seed 7 -o out""",
    )  # fmt: skip
    compose.add_argument("channel", help="name of a channel")
    length = compose.add_mutually_exclusive_group()
    length.add_argument("--pieces", type=positive, default=1, metavar="N", help="how many pieces (default: 1)")
    length.add_argument("--bars", type=positive, metavar="N", help="one piece of this many bars")
    compose.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR", help="folder (default: out)")
    render = add_command(
        commands, "render", _render, "play a MIDI file, or a piece newly composed for a channel, into a sound file",
        "With the station's performer, soundfont and loudness. The output's ending says the format.",
        """radio render song.mid -o song.mp3
        radio render chopin -o nocturne.flac --seed 3
        radio render jazz -o half-a-minute.opus --seconds 30""",
    )  # fmt: skip
    render.add_argument("source", help="a MIDI file, or the name of a channel")
    render.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".mp3, .opus, .flac or .wav")
    render.add_argument("--seconds", type=float, metavar="S", help="no more than this")
    render.add_argument("--as", dest="channel", metavar="CHANNEL", help="play a MIDI file in the manner of a channel")
    for command in (compose, render):
        _station_options(command)


def _compose(arguments: argparse.Namespace) -> None:
    from radio.composer.commands import compose

    config = _config(arguments)
    compose(
        config=config,
        channel=config.channel(arguments.channel),
        pieces=arguments.pieces,
        bars=arguments.bars,
        output=arguments.output,
    )


def _render(arguments: argparse.Namespace) -> None:
    from radio.render import render

    render(_config(arguments), arguments.source, arguments.output, arguments.seconds, arguments.channel)
