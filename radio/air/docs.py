"""/openapi.json, and /docs, where people read the same."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from radio.air import openapi
from radio.air.head import CORS
from radio.air.station import Station

PAGE = "docs.html"


def add_routes(app: web.Application, station: Station, folder: Path) -> None:
    """Adds both; the page is a file of the folder."""

    async def description(request: web.Request) -> web.Response:
        return web.json_response(openapi.document(station.config.station), headers=CORS)

    async def page(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / PAGE, headers={"Cache-Control": "no-cache"})

    app.router.add_get("/openapi.json", description)
    app.router.add_get("/docs", page)
