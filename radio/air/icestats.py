"""/status-json.xsl, as Icecast 2.4 has it and its many clients read it. Pure: the station in, plain values out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from radio import __version__
from radio.air.station import Mount, Station, Transmission
from radio.formats import RATE
from radio.settings import ChannelConfig, StationConfig


def icestats(station: Station, address: str, now: datetime, mount: str = "") -> dict[str, Any]:
    """The document; a single mount is an object, several are a list, as Icecast makes them.

    Args:
        address: where listeners reach the station.
        now: the time of day that the station's clock shows now, with its distance from UTC.
        mount: the path of the only mount to be told of; empty: all.
    """
    sources = [
        _source(station, one, own, address, now)
        for one in station.transmissions.values()
        for own in one.mounts.values()
        if one.channel.log and mount in ("", own.path)
    ]
    fields: dict[str, Any] = {
        "host": address.partition("//")[2].partition("/")[0],
        "server_id": f"Generative Radio {__version__}",
        **_time("server_start", station, station.started, now),
    }
    fields |= {"source": sources[0] if len(sources) == 1 else sources} if sources else {"dummy": None}
    return {"icestats": fields}


def _source(station: Station, one: Transmission, mount: Mount, address: str, now: datetime) -> dict[str, Any]:
    own, channel, form = station.config.station, one.config, mount.form
    rate = own.kbits(form)
    begun = one.channel.pace.signed_on if one.channel.pace else station.clock()
    fields = {
        "audio_info": f"channels=2;samplerate={RATE}" + (f";bitrate={rate}" if rate else ""),
        "bitrate": rate,
        "channels": 2,
        "genre": channel.genre,
        "listener_peak": mount.peak,
        "listeners": len(mount.listeners),
        "listenurl": address + mount.path,
        "samplerate": RATE,
        "server_description": channel.description,
        "server_name": name(own, channel),
        "server_type": form.content_type.partition(";")[0],
        "server_url": own.url,
        **_time("stream_start", station, begun, now),
        "title": one.channel.title,
        "dummy": None,
    }
    always = ("listener_peak", "listeners", "dummy")
    return {key: value for key, value in fields.items() if value or key in always}


def name(station: StationConfig, channel: ChannelConfig) -> str:
    """The name of a mount."""
    return f"{channel.title} - {station.name}"


def _time(key: str, station: Station, at: float, now: datetime) -> dict[str, str]:
    """A moment of the station's clock, as Icecast writes it, twice."""
    moment = now - timedelta(seconds=station.clock() - at)
    return {key: f"{moment:%a, %d %b %Y %H:%M:%S %z}", f"{key}_iso8601": f"{moment:%Y-%m-%dT%H:%M:%S%z}"}
