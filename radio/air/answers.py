"""What the web server's handlers share: the channel asked for, and errors as JSON that say what was wanted."""

from __future__ import annotations

import difflib
from typing import Any

from aiohttp import web

from radio.air.head import CORS
from radio.air.station import Station, Transmission

STATION: web.AppKey[Station] = web.AppKey("station", Station)


def near(request: web.Request, name: str) -> dict[str, Any]:
    """The channels, and those whose names are like this one."""
    names = list(request.app[STATION].transmissions)
    return {"near": difflib.get_close_matches(name, names, 3, 0.4), "channels": names}


def problem(request: web.Request, kind: int, error: str, **fields: Any) -> web.Response:
    """An error's answer."""
    extra = {"Retry-After": "5"} if kind == 503 else {}
    return web.json_response({"error": error, **fields}, status=kind, headers={**CORS, **extra})


def transmission(request: web.Request) -> Transmission | web.Response:
    """The channel asked for, or the answer that there is none."""
    name = request.match_info["channel"]
    found = request.app[STATION].transmissions.get(name)
    if found is None:
        return problem(request, 404, "no such channel", got=name, **near(request, name))
    return found
