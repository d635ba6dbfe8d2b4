"""The configuration: one `station.toml` (optional) and one file for each channel, as frozen values.

Defaults live here, in the fields, and nowhere else; TOML and the command line only override them.
`load` reads every file and raises one ConfigError with every problem of all of them. It touches no
network, no model and no torch. Secrets come from the environment, under names that the configuration says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from radio import remote
from radio.errors import ConfigError
from radio.formats import FORMATS, Format
from radio.music.score import Meter
from radio.sinks import ListingConfig, SinkConfig, listing_problems, placed, sink_problems
from radio.tables import Within, few, make, near, table_of, toml

ROOT = Path(__file__).resolve().parent.parent
"""The checkout, which holds the channels and the model that come with the program."""
RESERVED = (
    "api", "docs", "favicon", "healthz", "hls", "metrics", "openapi", "radio", "static", "status", "status-json",
    "streaminfo",
)  # fmt: skip
"""Paths of the web server that a channel may not take."""

Tempo = Annotated[float, Within(20, 400, "beats a minute")]
Length = Annotated[int, Within(4, 256, "bars")]
Program = Annotated[int, Within(0, 127, "(General MIDI)")]
PositiveSeconds = Annotated[float, Within(0.5, 600, "seconds")]
Shape = Literal["free", "binary", "ternary", "rondo", "strophic", "variations", "aaba", "verse-chorus"]
"""`radio.music.shapes`, whose import would cost every command numpy's."""
Strength = Annotated[float, Within(0, 4, "(1: as it comes)")]


@dataclass(frozen=True, slots=True)
class StationConfig:
    """The station: `station.toml`."""

    name: str = "Generative Radio"
    description: str = "Music composed while you listen."
    url: str = ""
    """Home page, sent to listeners as icy-url."""
    host: str = "0.0.0.0"
    port: Annotated[int, Within(0, 65535)] = 8000
    """0: any free port."""
    channels: Path = Path("channels")
    """Folder of the channels' TOML files."""
    only: tuple[str, ...] = ()
    """Names of the channels to run; empty: all of the folder."""
    model: Path = Path("models/base")
    """Folder with the composer's weights and `config.json`."""
    composer: Literal["model", "scale"] = "model"
    """"scale" plays scales without a model: sound on a machine that has nothing yet."""
    soundfont: Path | None = None
    """None: the one found on the system."""
    formats: tuple[str, ...] = tuple(FORMATS)
    """Of `radio.formats.FORMATS`; every channel is sent in each, which costs nothing while nobody listens to it."""
    bitrate: Literal[64, 80, 96, 112, 128, 160, 192, 224, 256, 320] = 128
    """MP3, kbit/s, constant."""
    opus_bitrate: Annotated[int, Within(32, 256, "kbit/s")] = 96
    aac_bitrate: Annotated[int, Within(64, 320, "kbit/s")] = 128
    lookahead: PositiveSeconds = 20.0
    """How far the studio works ahead of the clock: the longest absence nobody hears."""
    burst: Annotated[float, Within(2, 30, "seconds")] = 4.0
    """Sound sent at once to a listener who joins."""
    feed_lead: Annotated[float, Within(0, 30, "seconds")] = 2.0
    """How long before their sound the feed sends events."""
    hls_window: Annotated[float, Within(60, 86400, "seconds")] = 7200.0
    """How far one who listens by HLS can go back, if somebody has listened for so long."""
    hls_memory: Annotated[int, Within(16, 1_000_000, "MB")] = 512
    """For all that HLS keeps; where it does not do, windows are shorter. Two hours of 128 kbit/s are 120 MB."""
    loudness: Annotated[float, Within(-36, -8, "LUFS")] = -16.0
    """Integrated loudness of every channel (EBU R128)."""
    state: Path = Path("state")
    """Folder for what a restarted studio continues from; beside `station.toml` if relative."""
    link: str = ""
    """Where studio and air meet: a unix socket's path, or host:port; empty: `link.sock` in `state`."""
    threads: Annotated[int, Within(1, 256)] = 1
    """Threads of torch in the composer. A step on a CPU takes one; a row is begun, and drawn from, with these."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_listeners: Annotated[int, Within(1, 1_000_000)] = 20000
    seed: int | None = None
    """None: different music at every start."""
    log: Literal["text", "json"] = "text"
    """How the log is written to standard error: lines for people, or a JSON object a line."""
    access_log: Path | None = None
    """File of a line for each request, a listener's as it ends; None: none. It may be moved away at any time."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies before the station: what they say in X-Forwarded-For is believed."""
    tls_certificate: Path | None = None
    """File (PEM) for https; it may be replaced at any time. None: http, as behind a proxy that sees to https."""
    tls_key: Path | None = None
    """None: in the same file."""
    admin_token: str = field(default="", repr=False)
    """The secret of the addresses under /api, better given as RADIO_ADMIN_TOKEN; empty: there are none."""
    sinks: tuple[SinkConfig, ...] = ()
    """What channels are sent to besides listeners: `radio.sinks`."""
    listing: ListingConfig = field(default_factory=ListingConfig)
    """What directories are told of the station."""

    @property
    def address(self) -> str:
        """The link's address: a unix socket's path, or host:port."""
        return self.link or str(self.state / "link.sock")

    def kbits(self, form: Format) -> int:
        """kbit/s of a format; 0: as the sound has it."""
        return form.kbits if isinstance(form.kbits, int) else int(getattr(self, form.kbits))


@dataclass(frozen=True, slots=True)
class PrefixConfig:
    """What the planner draws each piece's prefix from. Empty: as the training corpus has it."""

    style: str = ""
    """Composer or genre; a style the model was trained on."""
    composer: str = ""
    forms: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    meters: tuple[Meter, ...] = ()
    tempo: tuple[Tempo, Tempo] | None = None
    """Slowest and fastest, in beats (quarter notes) a minute."""
    bars: tuple[Length, Length] | None = None
    """Shortest and longest piece, in bars."""
    dynamics: bool | None = None
    """True: music with dynamics of its own; False: flat, for the performer to shape."""
    timing: Literal["", "guessed", "score", "played"] = ""
    """Whose the timing is that pieces are to have: the score's, a player's. Empty: as the skeleton has it."""
    shapes: tuple[Shape, ...] = ()
    """Forms that pieces are given, each as often as the others; "free": as a work of the corpus has it. Empty: free."""
    parts: tuple[Annotated[int, Within(1, 6)], ...] = ()
    """Numbers of programs that sound in a piece, the drum kit counted."""


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How tokens are drawn."""

    temperature: Annotated[float, Within(0, 2)] = 1.0
    nucleus: Annotated[float, Within(0.05, 1)] = 0.97
    """Draw among the likeliest tokens whose probabilities add up to this."""
    guidance: Annotated[float, Within(0, 8)] = 1.0
    """How hard to push towards the prefix; 1: not at all."""
    echo: Annotated[float, Within(0, 8)] = 4.0
    """How closely a bar follows the one that it is planned to resemble: e to this power is what the chances of the
    other's next note are multiplied by. 0: as closely as the model has it."""
    fields: Mapping[Literal["onset", "program", "pitch", "duration", "velocity"], Annotated[float, Within(0, 2)]] = (
        field(default_factory=dict)
    )
    """Temperatures of single fields of a note, instead of `temperature`."""


@dataclass(frozen=True, slots=True)
class PerformerConfig:
    """How freely the score is played. 0: as written; 1: as a player would."""

    dynamics: Strength = 1.0
    rubato: Strength = 1.0
    ritardando: Strength = 1.0
    humanize: Strength = 1.0
    pedal: bool = False
    """Sustain pedal, changed with the harmony."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """A channel: `channels/<name>.toml`."""

    name: str
    """The file's stem, and the channel's path on the web server."""
    title: str
    description: str = ""
    genre: str = ""
    """Sent to listeners as icy-genre."""
    prefix: PrefixConfig = PrefixConfig()
    programs: Mapping[Program, Program] = field(default_factory=dict)
    """Re-orchestration: the composer's program to the one that sounds; in TOML, `all` stands for
    every program not named. Drums stay drums."""
    allowed: tuple[Annotated[int, Within(0, 128, "(128: drums)")], ...] = ()
    """Programs that the composer may write for; empty: any."""
    sampling: SamplingConfig = SamplingConfig()
    performer: PerformerConfig = PerformerConfig()
    breath: Annotated[float, Within(0, 30, "seconds")] = 2.5
    """Silence between two pieces."""
    endless: bool = False
    """Pieces have no end, only a name: each goes on from the one before on its last bar line, at about its tempo."""
    true_peak: Annotated[float, Within(-12, -1, "dBTP")] = -3.0
    """Of what is encoded; so that the decoded sound, which overshoots, stays below −1 dBTP."""
    reverb: Annotated[float, Within(0, 1)] = 0.4
    lookahead: PositiveSeconds | None = None
    """None: the station's."""
    transpose: Annotated[int, Within(-24, 24, "semitones")] = 0


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that was configured."""

    station: StationConfig
    channels: Mapping[str, ChannelConfig]
    """By name, in the alphabet's order."""
    path: Path | None = None
    """The station's file."""
    overrides: Mapping[str, object] = field(default_factory=dict, compare=False)
    """Values that took precedence over it."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options `--station FILE` and `--set KEY=VALUE` that load this same configuration in another process."""
        station = ["--station", str(self.path.absolute())] if self.path else []
        values = [f"{key}={toml(value)}" for key, value in self.overrides.items()]
        return (*station, *(part for value in values for part in ("--set", value)))

    def again(self) -> Config:
        """The same, read anew from the files as they are now.

        Raises:
            ConfigError: with every problem of every file.
        """
        return load(self.path, **self.overrides)

    def channel(self, name: str) -> ChannelConfig:
        """The channel of that name.

        Raises:
            ConfigError: there is none.
        """
        if name not in self.channels:
            raise ConfigError([f"{name}: no such channel{near(name, self.channels) or few(self.channels)}"])
        return self.channels[name]

    def lookahead(self, channel: str) -> float:
        """Seconds that the studio works ahead on a channel."""
        own = self.channels[channel].lookahead
        return self.station.lookahead if own is None else own


def load(path: Path | None = None, **overrides: object) -> Config:
    """The configuration from a station file, its channels, and values that take precedence.

    Without a path: `station.toml` of the working folder, else of the checkout, else defaults.
    A file's relative paths count from its folder, an override's from the working folder. Overrides
    that are None are ignored.

    Raises:
        ConfigError: with every problem of every file.
    """
    config, problems = read(path, **overrides)
    if problems:
        raise ConfigError(problems)
    return config


def load_station(path: Path | None = None, **overrides: object) -> StationConfig:
    """The station alone, whatever its channels' files are like.

    Raises:
        ConfigError: with every problem of the station's file.
    """
    problems: list[str] = []
    station = _read_station(_found(path), _given(overrides), problems)
    if problems:
        raise ConfigError(problems)
    return station


def read(path: Path | None = None, **overrides: object) -> tuple[Config, list[str]]:
    """What `load` gives, with whatever cannot be read left to its default, and every problem."""
    problems: list[str] = []
    path, given = _found(path), _given(overrides)
    station = _read_station(path, given, problems)
    return Config(station, _channels(station, problems), path, given), problems


def _found(path: Path | None) -> Path | None:
    return path or next((file for file in (Path("station.toml"), ROOT / "station.toml") if file.exists()), None)


def _given(overrides: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in overrides.items() if value is not None}


def _read_station(path: Path | None, given: Mapping[str, object], problems: list[str]) -> StationConfig:
    station = _station(table_of(path, problems) if path else {}, f"{path}: ", problems)
    station = _placed(station, path.parent if path else ROOT)
    above = _placed(_station(given, "command line: ", problems), Path.cwd())
    station = replace(station, **{key: getattr(above, key) for key in _usable(given)})
    station = replace(station, admin_token=os.environ.get("RADIO_ADMIN_TOKEN", station.admin_token))
    problems += [f"{path or 'command line'}: {problem}" for problem in _station_problems(station)]
    return station


def _station(table: Mapping[str, object], where: str, problems: list[str]) -> StationConfig:
    return make(StationConfig, table, where, problems) or StationConfig(**_usable(table))


def _usable(table: Mapping[str, object]) -> dict[str, Any]:
    """The values of a station's table that have no problem of their own."""
    each = {key: make(StationConfig, {key: value}, "", []) for key, value in table.items()}
    return {key: getattr(station, key) for key, station in each.items() if station}


def _placed(station: StationConfig, folder: Path) -> StationConfig:
    """The station with absolute paths. Channels and model left to their defaults may be the checkout's."""
    paths: dict[str, Any] = {}
    for name in ("channels", "model", "state", "soundfont", "access_log", "tls_certificate", "tls_key"):
        value: Path | None = getattr(station, name)
        if value is not None:
            paths[name] = (folder / value).absolute()
            if name in ("channels", "model") and not paths[name].exists() and (ROOT / value).exists():
                paths[name] = ROOT / value
    if station.link and not remote.has_port(station.link):
        paths["link"] = str((folder / station.link).absolute())
    return replace(station, **paths, sinks=placed(station.sinks, folder))


def _station_problems(station: StationConfig) -> Iterator[str]:
    """What no single key of the station can be blamed for."""
    for name in ("burst", "feed_lead"):
        if getattr(station, name) >= station.lookahead:
            yield f"{name}: got {getattr(station, name):g}, wanted less than lookahead ({station.lookahead:g})"
    if station.soundfont and not station.soundfont.is_file():
        yield f"soundfont: {station.soundfont}: no such file (leave the key out to use the system's soundfont)"
    if station.tls_key and not station.tls_certificate:
        yield "tls_key: of no use without tls_certificate"
    for name in ("tls_certificate", "tls_key"):
        file: Path | None = getattr(station, name)
        if file and not file.is_file():
            yield f"{name}: {file}: no such file"
    if not remote.has_port(station.address) and len(station.address.encode()) > 100:
        yield f"link: {station.address}: longer than a socket's path may be (set link to a shorter path or host:port)"
    for proxy in station.proxies:
        if not remote.network(proxy):
            yield f"proxies: {proxy}: not an address or network (such as 127.0.0.1 or 10.0.0.0/8)"
    if not station.formats:
        yield "formats: none, wanted at least one"
    for name in station.formats:
        if name not in FORMATS:
            yield f"formats: {name}: unknown format{near(name, FORMATS) or few(FORMATS)}"
    yield from listing_problems(station.listing)
    names = {path.stem for path in station.channels.glob("*.toml")}
    yield from sink_problems(station.sinks, names, station.formats, station.listing)


def _channels(station: StationConfig, problems: list[str]) -> dict[str, ChannelConfig]:
    """The channels in the station's folder that are without problems."""
    channels: dict[str, ChannelConfig] = {}
    files = sorted(station.channels.glob("*.toml"))
    if not files:
        problems.append(f"{station.channels}: no channels (a channel is a file such as {station.channels}/bach.toml)")
    names = [path.stem for path in files]
    problems += [f"only: {name}: no such channel{near(name, names)}" for name in station.only if name not in names]
    for path in files:
        if station.only and path.stem not in station.only:
            continue
        own: list[str] = []
        table = table_of(path, own)
        channel = None if own else make(ChannelConfig, _with_all(table), f"{path}: ", own, name=path.stem)
        if channel:
            own += [f"{path}: {problem}" for problem in _channel_problems(channel, station)]
            channels[channel.name] = channel
        problems += own
    return channels


def _with_all(table: dict[str, Any]) -> dict[str, Any]:
    """The channel's table with `programs.all` written out for every program."""
    programs = table.get("programs")
    if not isinstance(programs, dict) or "all" not in programs:
        return table
    named = {key: value for key, value in programs.items() if key != "all"}
    return {**table, "programs": {**dict.fromkeys(map(str, range(128)), programs["all"]), **named}}


def _channel_problems(channel: ChannelConfig, station: StationConfig) -> Iterator[str]:
    """What the types of the fields cannot say."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", channel.name):
        yield f"{channel.name}: not a channel's name (use a–z, 0–9, - and _: it is part of the address)"
    if channel.name in RESERVED:
        yield f"{channel.name}: the web server's own path (rename the file)"
    if channel.lookahead is not None and channel.lookahead <= station.feed_lead:
        yield f"lookahead: got {channel.lookahead:g}, wanted more than the station's feed_lead ({station.feed_lead:g})"
    # Imported here, since numpy comes with it.
    from radio.vocabulary import unknown

    own = channel.prefix
    words = {"forms": own.forms, "keys": own.keys, "meters": map(str, own.meters)}
    yield from (f"prefix.{problem}" for problem in unknown({"style": [own.style], "composer": [own.composer], **words}))
    for program in channel.programs:
        if channel.allowed and program not in channel.allowed and len(channel.programs) < 128:
            yield f"programs.{program}: the composer may not write for it (allowed has no {program})"
