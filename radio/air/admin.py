"""The administrator's addresses, under /api: who listens, and what is to be changed. Bearer tokens (RFC 6750)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

from radio.air.changes import reload
from radio.air.channel import BLOCK_SECONDS
from radio.air.listener import Listener
from radio.air.spans import Titled
from radio.air.station import Mount, Station
from radio.errors import ConfigError

Answer = dict[str, Any]
Handler = Callable[[web.Request, Station], Awaitable[Answer]]
WANTED = "admin_token in station.toml, or RADIO_ADMIN_TOKEN in the environment"


class Refused(Exception):
    """A request that is answered with an error: its HTTP status, and what the JSON says."""

    def __init__(self, status: int, error: str, **fields: Any) -> None:
        self.status, self.fields = status, {"error": error, **fields}


def add_routes(app: web.Application, station: Station) -> None:
    """Adds the administrator's addresses."""

    def guarded(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                authorize(request.headers.get("Authorization", ""), station.config.station.admin_token)
                return _json(200, await handler(request, station))
            except Refused as refused:
                return _json(refused.status, refused.fields)

        return answer

    app.router.add_get("/api/listeners", guarded(_listeners))
    app.router.add_delete("/api/listeners/{id}", guarded(_kick))
    app.router.add_post("/api/channels/{channel}/skip", guarded(_skip))
    app.router.add_post("/api/reload", guarded(_reload))


def authorize(given: str, token: str) -> None:
    """Compares the `Authorization` header with the administrator's token, in a time that tells nothing of it.

    Raises:
        Refused: 404 where there is no token, 401 where another was given.
    """
    if not token:
        raise Refused(404, "this station has no administration", wanted=WANTED)
    scheme, _, own = given.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(own.strip().encode(errors="replace"), token.encode()):
        raise Refused(401, "not the administrator's token", wanted="Authorization: Bearer TOKEN")


def _json(status: int, fields: Answer) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="radio"'
    return web.Response(status=status, text=json.dumps(fields) + "\n", content_type="application/json", headers=headers)


def _mounts(station: Station) -> Iterator[Mount]:
    return (mount for one in station.transmissions.values() for mount in one.mounts.values())


async def _listeners(request: web.Request, station: Station) -> Answer:
    """All listeners, or those of `?mount=/bach.mp3`, longest first."""
    path = request.query.get("mount")
    found = [mount for mount in _mounts(station) if path in (None, mount.path)]
    if not found:
        raise Refused(404, "no such mount", got=path, mounts=[mount.path for mount in _mounts(station)])
    now = station.clock()
    told = [_told(mount, listener, now) for mount in found for listener in mount.listeners]
    return {"listeners": sorted(told, key=lambda one: int(one["id"]))}


def _told(mount: Mount, listener: Listener, now: float) -> Answer:
    return {
        "id": listener.id,
        "mount": mount.path,
        "address": listener.who.address,
        "agent": listener.who.agent,
        "titles": isinstance(listener.spans, Titled),
        "seconds": round(now - listener.began, 1),
        "bytes": listener.sent,
        "behind": round((listener.spans.log.next - listener.number) * BLOCK_SECONDS, 2),
    }


async def _kick(request: web.Request, station: Station) -> Answer:
    """Ends a response. Whoever listened may come back: most players do."""
    wanted = request.match_info["id"]
    for mount in _mounts(station):
        for listener in mount.listeners:
            if str(listener.id) == wanted:
                listener.end("kicked")
                return {"kicked": _told(mount, listener, station.clock())}
    raise Refused(404, "no such listener", got=wanted, wanted="an id of /api/listeners")


async def _skip(request: web.Request, station: Station) -> Answer:
    """Has another piece follow soon, and says in how many seconds; the one that is played dies away."""
    name = request.match_info["channel"]
    transmission = station.transmissions.get(name)
    if transmission is None:
        raise Refused(404, "no such channel", got=name, channels=list(station.transmissions))
    channel = transmission.channel
    if station.studio != "live" or channel.state != "live":
        raise Refused(409, f"{name} has nothing else to play now", studio=station.studio, state=channel.state)
    seconds = channel.ends_in()
    if seconds is None:
        station.on_open(transmission, channel.cut())
        seconds = channel.held
    return {"channel": name, "skipped": channel.title, "seconds": round(seconds, 1)}


async def _reload(request: web.Request, station: Station) -> Answer:
    """Reads all files again; where one has an error nothing is changed, and every error is told."""
    try:
        found = await reload(station)
    except ConfigError as error:
        raise Refused(422, "nothing is changed: there are errors in the files", problems=error.problems) from error
    names = ("added", "changed", "removed", "needs_restart")
    return {name: list(getattr(found, name)) for name in names}
