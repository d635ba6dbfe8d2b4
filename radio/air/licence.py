"""The licence page of each channel: under what its music is given, what its model learned from, and what sounds.

For venues, which must be able to say what they play; as a page to print, and as JSON.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from string import Template
from typing import Any

from aiohttp import web

from radio import licences
from radio.air.answers import STATION, transmission
from radio.air.head import CORS
from radio.air.pages import FOLDER
from radio.air.station import Station, Transmission
from radio.errors import ModelError
from radio.licences import Origin

log = logging.getLogger(__name__)

PAGE = FOLDER / "licence.html"
ORIGINS: web.AppKey[Mapping[str, Origin]] = web.AppKey("origins")


def add_routes(app: web.Application, station: Station) -> None:
    """Adds the pages; what the model says of its sources is read once."""
    try:
        app[ORIGINS] = licences.read(station.config.station.model)
    except ModelError as error:
        log.warning("%s; the licence pages tell nothing of sources", error)
        app[ORIGINS] = {}
    app.router.add_get("/{channel:[^/.]+}/licence", _page)
    app.router.add_get("/{channel:[^/.]+}/licence.json", _json)


def licence(station: Station, found: Transmission, origins: Mapping[str, Origin]) -> dict[str, Any]:
    """What is told of a channel."""
    own, font = station.config.station, str(station.report.get("soundfont", ""))
    style = found.config.prefix.style
    origin = origins.get(style)
    return {
        "station": own.name,
        "channel": found.config.title,
        "music": {
            "licence": own.music_licence,
            "made": "composed by a model as it is broadcast; no recording and no work of a composer is played",
            "now": found.channel.title,
        },
        "model": {
            "style": style,
            "sources": [asdict(source) for source in origin.sources] if origin else [],
            "longest_shared": origin.longest if origin else None,
        },
        "sound": {"soundfont": font, "licence": licences.of_soundfont(font)},
    }


async def _json(request: web.Request) -> web.Response:
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    return web.json_response(licence(request.app[STATION], found, request.app[ORIGINS]), headers=CORS)


async def _page(request: web.Request) -> web.Response:
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    told = licence(request.app[STATION], found, request.app[ORIGINS])
    text = Template(PAGE.read_text(encoding="utf-8")).substitute(
        station=html.escape(told["station"]),
        channel=html.escape(told["channel"]),
        licence=html.escape(told["music"]["licence"]),
        json=html.escape(f"/{found.config.name}/licence.json"),
        guard=_guard(told["model"]["longest_shared"]),
        sources=_table(told["model"]["sources"]),
        sound=html.escape(_sound(told["sound"])),
    )
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-cache"})


def _guard(longest: int | None) -> str:
    if not longest:
        return ""
    return (
        f"Before a bar is heard, the notes so far are held against all works learned from, in whatever key: a bar that "
        f"would end a run of more than {longest} notes that any of them has too is written anew. As much is shared by "
        "different works of the style by people."
    )


def _table(sources: Iterable[Mapping[str, Any]]) -> str:
    """Rows of the sources."""
    rows = [
        f"<tr><td>{html.escape(own['source'])}</td><td>{html.escape(own['licence'])}</td><td>{own['pieces']}</td></tr>"
        for own in sources
    ]
    return "\n".join(rows) or '<tr><td colspan="3">The model that plays says nothing of its sources.</td></tr>'


def _sound(told: Mapping[str, str]) -> str:
    if not told["soundfont"]:
        return "No sound has been made yet."
    return f"{told['soundfont']}, under {told['licence'] or 'a licence that is not known here'}."
