"""Channels added, changed and removed while the station is on the air, by editing their files.

Whoever listens to another channel hears nothing of it; a channel that is changed keeps its listeners: the piece that is
played dies away and the next one is of the changed kind.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields, replace

from radio import styles
from radio.air.station import Station, Transmission
from radio.config import Config
from radio.errors import ConfigError
from radio.settings import ChannelConfig

AT_ONCE = {"channels", "only"}
"""Keys of the station whose change needs no restart."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the channels, by name; and the station's keys that are other than they were."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    """The station goes on as it was in these until it is started anew."""

    def __str__(self) -> str:
        named = ((field.name.replace("_", " "), getattr(self, field.name)) for field in fields(self))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in named if names) or "nothing has changed"


def changes(old: Config, new: Config) -> Changes:
    """From one configuration to another."""
    both = old.channels.keys() & new.channels.keys()
    return Changes(
        added=tuple(name for name in new.channels if name not in both),
        changed=tuple(name for name in new.channels if name in both and new.channels[name] != old.channels[name]),
        removed=tuple(name for name in old.channels if name not in both),
        needs_restart=tuple(
            field.name
            for field in fields(old.station)
            if field.name not in AT_ONCE and getattr(old.station, field.name) != getattr(new.station, field.name)
        ),
    )


def audible(channel: ChannelConfig) -> ChannelConfig:
    """What of a channel makes its sound."""
    return replace(channel, title="", description="", genre="", lookahead=None)


async def reload(station: Station) -> Changes:
    """Reads all files again and does what they say.

    Raises:
        ConfigError: with every problem of every file; then all is left as it was.
    """
    return apply(station, await asyncio.to_thread(_read, station.config))


def _read(old: Config) -> Config:
    new = old.again()
    try:
        unheard = styles.unheard(replace(new, station=old.station))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{old.station.model}: the model's plans cannot be read: {error}"]) from error
    if unheard:
        where = new.station.channels
        raise ConfigError(
            [
                f"{where / name}.toml: prefix.style: got {new.channels[name].prefix.style!r}, "
                "wanted a style that the model has heard"
                for name in unheard
            ]
        )
    return new


def apply(station: Station, new: Config) -> Changes:
    """Makes the station's channels those of another configuration."""
    old = station.config
    found = changes(old, new)
    kept = replace(old.station, channels=new.station.channels, only=new.station.only)
    station.config = config = replace(new, station=kept)
    before = station.transmissions
    station.transmissions = {
        name: before[name] if name in before else station.transmission(config, own)
        for name, own in config.channels.items()
    }
    for name in found.removed:
        station.on_close(name)
        before[name].close(station.clock())
        station.troubles.pop(name, None)
    for name in found.added:
        added = station.transmissions[name]
        station.on_open(added, added.channel.position())
    for name in found.changed:
        _change(station, station.transmissions[name], config)
    station.on_settled()
    return found


def _change(station: Station, transmission: Transmission, config: Config) -> None:
    name, before = transmission.channel.name, transmission.config
    transmission.config = config.channels[name]
    transmission.channel.lookahead = config.lookahead(name)
    # A studio that is away is told as it comes back.
    if station.studio == "live" and audible(before) != audible(transmission.config):
        station.on_open(transmission, transmission.channel.cut())
