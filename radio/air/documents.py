"""The addresses of what leads players and directories to mounts: playlists, Icecast's status and streaminfo.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime

from aiohttp import web

from radio.air import playlists
from radio.air.answers import STATION, transmission
from radio.air.head import CORS, listed
from radio.air.icestats import icestats
from radio.air.playlists import M3U, OPML, PLS, XSPF, Entry
from radio.air.station import Station, Transmission
from radio.settings import StationConfig

JSON = "application/json"


def routes() -> Iterable[web.RouteDef]:
    """The routes of all documents, for the station and for each channel."""
    for ending in PLAYLISTS:
        yield web.get(f"/radio.{ending}", _of_station)
        yield web.get(f"/{{channel:[^/.]+}}.{ending}", _of_channel)
    yield web.get("/radio.opml", _opml)
    yield web.get("/status-json.xsl", _icestats)
    yield web.get("/streaminfo.json", _streaminfo)
    yield web.get("/{channel:[^/.]+}/streaminfo.json", _channels_streaminfo)


def address(request: web.Request) -> str:
    """Where listeners reach the station: as it is configured, or else as this one has."""
    configured = request.app[STATION].config.station.listing.address
    forwarded = request.headers.get("X-Forwarded-Proto", "")
    scheme = forwarded if forwarded in ("http", "https") else request.scheme
    return configured.rstrip("/") or f"{scheme}://{request.host}"


def entries(station: StationConfig, found: Transmission, address: str) -> list[Entry]:
    """Every mount of a channel, the station's first format first."""
    own = found.config
    title = f"{own.title} – {station.name}"
    return [
        Entry(title, address + mount.path, own.description, mount.form.extension, station.kbits(mount.form))
        for mount in found.mounts.values()
    ]


PLAYLISTS: dict[str, tuple[str, Callable[[str, str, list[Entry]], str]]] = {
    "m3u": (M3U, lambda title, creator, entries: playlists.m3u(entries)),
    "pls": (PLS, lambda title, creator, entries: playlists.pls(entries)),
    "xspf": (XSPF, playlists.xspf),
}
"""By ending: content type, and the text from a title, a creator and entries."""


async def _of_station(request: web.Request) -> web.Response:
    """A playlist with one mount of each channel."""
    station = request.app[STATION]
    own, where = station.config.station, address(request)
    found = [entries(own, one, where)[0] for one in station.transmissions.values()]
    kind, make = PLAYLISTS[request.path.rpartition(".")[2]]
    return _text(make(own.name, own.name, found), kind)


async def _of_channel(request: web.Request) -> web.Response:
    """A playlist of one channel. In an M3U the entries would be played one after the other: it has the first only."""
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    own, ending = request.app[STATION].config.station, request.path.rpartition(".")[2]
    all_mounts = entries(own, found, address(request))
    kind, make = PLAYLISTS[ending]
    return _text(make(found.config.title, own.name, all_mounts[:1] if ending == "m3u" else all_mounts), kind)


async def _opml(request: web.Request) -> web.Response:
    station = request.app[STATION]
    own, where = station.config.station, address(request)
    channels = [(one.config.title, entries(own, one, where)) for one in station.transmissions.values()]
    return _text(playlists.opml(own.name, channels), OPML)


async def _icestats(request: web.Request) -> web.Response:
    now = datetime.now().astimezone()
    return _json(icestats(request.app[STATION], address(request), now, request.query.get("mount", "")))


async def _streaminfo(request: web.Request) -> web.Response:
    """What a directory finds beside the station's home page: of a name and a genre only where there is one channel."""
    station: Station = request.app[STATION]
    channels = list(station.transmissions.values())
    own = station.config.station
    return _json(streaminfo(own, channels[0]) if len(channels) == 1 else listed(own))


async def _channels_streaminfo(request: web.Request) -> web.Response:
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    return _json(streaminfo(request.app[STATION].config.station, found))


def streaminfo(station: StationConfig, found: Transmission) -> dict[str, str | int]:
    """What directories may know of a channel; of its mounts, the first."""
    own, mount = found.config, next(iter(found.mounts.values()))
    told = {"icy-name": f"{own.title} - {station.name}", "icy-description": own.description, "icy-genre": own.genre}
    fields = listed(station, mount.path)
    return fields | {key: value for key, value in told.items() if value and station.listing.public}


def _text(text: str, content_type: str) -> web.Response:
    return web.Response(body=text.encode(errors="replace"), headers={"Content-Type": content_type, **CORS})


def _json(fields: dict[str, str | int]) -> web.Response:
    own = {"Content-Type": JSON, "Cache-Control": "no-store", **CORS}
    return web.Response(body=json.dumps(fields, ensure_ascii=False).encode(errors="replace"), headers=own)
