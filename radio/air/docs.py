"""/openapi.json: every address, for machines. People read the same at /docs."""

from __future__ import annotations

from aiohttp import web

from radio.air import openapi
from radio.air.head import CORS
from radio.air.station import Station


def add_routes(app: web.Application, station: Station) -> None:
    """Adds it."""

    async def description(request: web.Request) -> web.Response:
        return web.json_response(openapi.document(station.config.station), headers=CORS)

    app.router.add_get("/openapi.json", description)
