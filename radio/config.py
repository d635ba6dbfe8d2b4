"""The configuration: one `station.toml` (optional) and one file for each channel, as frozen values (`radio.settings`).

`load` reads every file and raises one ConfigError with every problem of all of them. It touches no
network, no model and no torch. Secrets come from the environment, under names that the configuration says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radio import dayparts, remote
from radio.errors import ConfigError
from radio.formats import FORMATS
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import listing_problems, placed, sink_problems
from radio.tables import few, make, near, table_of, toml

ROOT = Path(__file__).resolve().parent.parent
"""The checkout, which holds the channels and the model that come with the program."""
RESERVED = (
    "api", "docs", "favicon", "healthz", "hls", "metrics", "openapi", "radio", "static", "status", "status-json",
    "streaminfo",
)  # fmt: skip
"""Paths of the web server that a channel may not take."""


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
    if station.breaks.folder is not None:
        paths["breaks"] = replace(station.breaks, folder=(folder / station.breaks.folder).absolute())
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
    if station.breaks.folder and not station.breaks.folder.is_dir():
        yield f"breaks.folder: {station.breaks.folder}: no such folder"
    names = {path.stem for path in station.channels.glob("*.toml")}
    for name in station.breaks.channels:
        if name not in names:
            yield f"breaks.channels: {name}: no such channel{near(name, names)}"
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
    yield from dayparts.problems(channel.dayparts)
    styles = [style for own in channel.dayparts for style in own.mix]
    yield from (f"dayparts.mix.{problem}" for problem in unknown({"style": styles}))
    for program in channel.programs:
        if channel.allowed and program not in channel.allowed and len(channel.programs) < 128:
            yield f"programs.{program}: the composer may not write for it (allowed has no {program})"
