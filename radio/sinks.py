"""The configuration of what a station sends besides to its listeners: the `[[sinks]]` tables and `[listing]`.

A sink's table says its `kind`, and for which channels it is; each of those gets a sink of its own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from radio.formats import FORMATS
from radio.tables import Within, few, near

JOINABLE = tuple(name for name, form in FORMATS.items() if form.icy or name == "opus")
"""Formats that somebody can join on an Icecast server, which sends nobody a header but Ogg's."""


@dataclass(frozen=True, slots=True)
class ListingConfig:
    """What directories are told of the station, as radio-browser.info asks for it (stream-meta.info, version 2)."""

    public: bool = False
    """Whether directories may list the station, and take from it what is said here."""
    address: str = ""
    """Where listeners reach the station, such as https://radio.example; empty: as each request has it."""
    logo: str = ""
    """Address of a PNG or JPEG."""
    country: str = ""
    """Two letters: ISO 3166-1."""
    subdivision: str = ""
    """Of the country: ISO 3166-2."""
    languages: tuple[str, ...] = ()
    """Two or three letters each: ISO 639-1 or -3."""
    latitude: Annotated[float, Within(-90, 90, "degrees")] | None = None
    longitude: Annotated[float, Within(-180, 180, "degrees")] | None = None


@dataclass(frozen=True, slots=True)
class IcecastConfig:
    """Sends channels to an Icecast server, for its listeners."""

    kind: Literal["icecast"]
    server: str
    """Such as http://icecast.example:8000; https: over TLS."""
    channels: tuple[str, ...] = ()
    """Empty: all."""
    format: str = "mp3"
    mount: str = "/{channel}.{format}"
    """Path on the server."""
    user: str = "source"
    password_env: str = "ICECAST_PASSWORD"
    """Name of the environment variable that holds the password."""
    charset: Literal["latin-1", "utf-8"] = "latin-1"
    """That of names and titles in MP3 and AAC on the server: Latin-1 unless it has a `<charset>` for the mount."""
    public: bool = False
    """Whether that server may list the mounts in directories."""


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """Records channels to files, each with a cue sheet and a MIDI file."""

    kind: Literal["record"]
    channels: tuple[str, ...] = ()
    """Empty: all."""
    format: str = "mp3"
    folder: Path = Path("recordings")
    """Beside `station.toml` if relative."""
    each: Literal["hour", "piece"] = "hour"
    """What a file holds: an hour by the clock, or a piece, beginning with the first that is heard from its start."""
    name: str = "{channel}/{date} {time} {title}"
    """Path in the folder, without the ending. `{title}`: the piece's, of an hour the channel's."""
    cue: bool = True
    midi: bool = True
    keep_days: Annotated[float, Within(0.01, 36500, "days")] | None = None
    """Recordings of a channel that are older are deleted; None: none are."""
    keep_gigabytes: Annotated[float, Within(0.001, 1e6, "GB")] | None = None
    """What the recordings of a channel may take besides the one under way, the oldest being deleted; None: all."""
    spare_gigabytes: Annotated[float, Within(0, 1e6, "GB")] = 0.5
    """What is left free on the disk: nothing is recorded where there is less."""


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """Announces channels to a directory that speaks Icecast's YP protocol. Needs `listing.address`."""

    kind: Literal["directory"]
    server: str = "http://dir.xiph.org/cgi-bin/yp-cgi"
    channels: tuple[str, ...] = ()
    """Empty: all."""
    format: str = "mp3"
    """The mount that is announced."""


SinkConfig = IcecastConfig | RecordConfig | DirectoryConfig
FIELDS = {"icecast": ("channel", "format"), "record": ("channel", "date", "time", "title")}
"""What may stand in braces in the paths of a kind."""


def placed(sinks: tuple[SinkConfig, ...], folder: Path) -> tuple[SinkConfig, ...]:
    """The same with absolute paths."""
    return tuple(
        replace(sink, folder=(folder / sink.folder).absolute()) if isinstance(sink, RecordConfig) else sink
        for sink in sinks
    )


def listing_problems(listing: ListingConfig) -> Iterator[str]:
    """What the types of the fields cannot say."""
    for name in ("address", "logo"):
        if (value := getattr(listing, name)) and not is_address(value):
            yield f"listing.{name}: got {value}, wanted an address such as https://radio.example"
    if listing.country and not re.fullmatch("[A-Za-z]{2}", listing.country):
        yield f"listing.country: got {listing.country}, wanted two letters (ISO 3166-1)"
    for language in listing.languages:
        if not re.fullmatch("[A-Za-z]{2,3}", language):
            yield f"listing.languages: got {language}, wanted two or three letters (ISO 639)"
    if (listing.latitude is None) != (listing.longitude is None):
        yield "listing.latitude, listing.longitude: got one of them, wanted both"


def sink_problems(
    sinks: tuple[SinkConfig, ...], channels: Collection[str], formats: Collection[str], listing: ListingConfig
) -> Iterator[str]:
    """What the types of the fields cannot say, held against the station's channels and formats."""
    for number, sink in enumerate(sinks, 1):
        where = f"sinks[{number}]."
        for name in sink.channels:
            if name not in channels:
                yield f"{where}channels: {name}: no such channel{near(name, channels) or few(sorted(channels))}"
        allowed = [name for name in formats if name in JOINABLE] if isinstance(sink, IcecastConfig) else formats
        if sink.format not in allowed:
            yield f"{where}format: {sink.format}: not to be had here{near(sink.format, allowed) or few(allowed)}"
        if not isinstance(sink, RecordConfig) and not is_address(sink.server):
            yield f"{where}server: got {sink.server}, wanted an address such as http://icecast.example:8000"
        if isinstance(sink, DirectoryConfig) and not listing.address:
            yield f"{where}kind: a directory needs listing.address, where listeners reach the station"
        if isinstance(sink, IcecastConfig):
            yield from _pattern_problems(sink.mount, f"{where}mount", sink)
            if not sink.mount.startswith("/"):
                yield f"{where}mount: got {sink.mount}, wanted a path that begins with /"
        elif isinstance(sink, RecordConfig):
            yield from _pattern_problems(sink.name, f"{where}name", sink)
            if Path(sink.name).is_absolute() or ".." in Path(sink.name).parts or sink.name.endswith("/"):
                yield f"{where}name: got {sink.name}, wanted the path of a file within the folder"


def _pattern_problems(pattern: str, place: str, sink: IcecastConfig | RecordConfig) -> Iterator[str]:
    known = FIELDS[sink.kind]
    try:
        fields = [
            name + (f":{form}" if form else "") + (f"!{how}" if how else "")
            for _, name, form, how in string.Formatter().parse(pattern)
            if name is not None
        ]
    except ValueError as error:
        yield f"{place}: got {pattern}: {error}"
        return
    for name in fields:
        if name not in known:
            yield f"{place}: {{{name}}}: not known{near(name, known) or few(known)}"
    if "channel" not in fields and len(sink.channels) != 1:
        yield f"{place}: got {pattern}, wanted {{channel}} in it, since it is for several channels"


def is_address(text: str) -> bool:
    """Whether it is an address of the web: with a host, without a password."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False
