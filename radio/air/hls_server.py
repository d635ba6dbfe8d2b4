"""HLS over HTTP: a channel's playlists, and the files that they name.

The multivariant playlist gives each player addresses of its own, with a session by which it is known. What the other
playlists name is the same for all, so that a cache may stand before it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable

from aiohttp import hdrs, web

from radio import mp4
from radio.air import m3u8, reload
from radio.air.answers import STATION, problem, transmission
from radio.air.head import CORS
from radio.air.hls import Variant
from radio.air.limits import full
from radio.air.m3u8 import HOLD_BACK, TARGET
from radio.air.reload import Wanted
from radio.air.station import Station, Transmission

log = logging.getLogger(__name__)

PATIENCE = float(HOLD_BACK)
"""Seconds that a request waits for a part: after three target durations an answer is due (section 6.2.5.2)."""
SESSION = re.compile(r"[A-Za-z0-9_-]{1,32}")
INIT = "init.mp4"
FOR_EVER = "public, max-age=86400, immutable"
"""Nothing else ever has a file's name."""
FOR_A_RELOAD = f"max-age={6 * TARGET}"
"""A playlist that was waited for is what is at its address."""
FOR_A_MOMENT = "max-age=1"


def routes() -> list[web.RouteDef]:
    """The addresses."""
    return [
        web.get("/{channel:[^/.]+}.{kind:m3u8}", _master),
        web.get("/{channel:[^/.]+}.{kind:rewind.m3u8}", _master),
        web.get("/hls/{session}/{channel}/{form}/{kind:live|rewind}.m3u8", _playlist),
        web.get("/hls/{channel}/{form}/{name}", _file),
    ]


async def _master(request: web.Request) -> web.Response:
    """The multivariant playlist. It costs nothing: a player is one who asks for what it names."""
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    own = request.app[STATION].config.station
    if not found.hls.variants:
        return problem(request, 404, "no such format", got=request.match_info["kind"], formats=list(found.mounts))
    kind = "rewind" if request.match_info["kind"].startswith("rewind") else "live"
    session = secrets.token_urlsafe(9)
    variants = [
        (f"hls/{session}/{found.config.name}/{form}/{kind}.m3u8", own.kbits(found.mounts[form].form))
        for form in found.hls.variants
    ]
    headers = {"Content-Type": m3u8.CONTENT_TYPE, "Cache-Control": "no-store", **CORS}
    return web.Response(body=m3u8.master(variants).encode(), headers=headers)


def _variant(request: web.Request) -> tuple[Transmission, Variant] | web.Response:
    """The channel and bit rate asked for, or the answer that there is none."""
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    form = request.match_info["form"]
    if form not in found.hls.variants:
        return problem(request, 404, "no such format", got=form, formats=list(found.hls.variants))
    return found, found.hls.variants[form]


async def _playlist(request: web.Request) -> web.Response:
    """A media playlist, once it has what the player waits for."""
    asked = _variant(request)
    if isinstance(asked, web.Response):
        return asked
    found, variant = asked
    station, session = request.app[STATION], request.match_info["session"]
    if not SESSION.fullmatch(session):
        return problem(request, 400, "no such session", got=session, wanted=f"an address that {_root(found)} names")
    try:
        wanted, update = reload.wanted(request.query), reload.updates(request.query)
    except ValueError as error:
        return problem(request, 400, str(error))
    rewind = request.match_info["kind"] == "rewind"
    refused = await _begin(request, station, found, variant, session, rewind=rewind)
    if refused is not None:
        return refused
    if wanted is not None and variant.playable and reload.too_far(wanted, variant.segments[-1]):
        newest = variant.segments[-1]
        return problem(
            request, 400, "too far ahead", got=request.query_string, newest=newest.number, parts=len(newest.parts)
        )
    if not await _until(variant, lambda: variant.playable and _come(variant, wanted)):
        return problem(request, 503, "no part has come in time", state=found.channel.state, studio=station.studio)
    made = found.hls.rewind(variant.form, update=update) if rewind else found.hls.live(variant.form)
    headers = {"Content-Type": m3u8.CONTENT_TYPE, hdrs.VARY: "Accept-Encoding", **CORS}
    headers["Cache-Control"] = FOR_A_MOMENT if wanted is None else FOR_A_RELOAD
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=made.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=made.text, headers=headers)


def _root(found: Transmission) -> str:
    return f"/{found.config.name}.m3u8"


async def _begin(
    request: web.Request, station: Station, found: Transmission, variant: Variant, session: str, *, rewind: bool
) -> web.Response | None:
    """Has the bit rate made for a player; an answer if it cannot be."""
    if not found.channel.log:
        return problem(request, 503, f"{found.channel.name} is not on the air yet", state=found.channel.state)
    if not found.hls.players.here(session) and (refused := full(request, station, found)):
        return refused
    found.hls.ask(session, variant.form, station.clock(), rewind=rewind)
    if not variant.segments:
        if await station.supplied(found, found.mounts[variant.form]) is None:
            return problem(request, 503, f"{variant.form} cannot be made now", studio=station.studio)
        variant.catch_up()
    return None


def _come(variant: Variant, wanted: Wanted | None) -> bool:
    return wanted is None or reload.there(wanted, variant.segments[-1])


async def _until(variant: Variant, condition: Callable[[], bool]) -> bool:
    """Waits until the condition holds, which may be so after a part has come; False if it does not in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition() and not variant.closed:
                await variant.news.wait()
    except TimeoutError:
        log.warning("%s: no part of %s came within %g s", variant.channel.name, variant.form, PATIENCE)
    return condition()


async def _file(request: web.Request) -> web.Response:
    """What playlists name: segments and parts, one that is hinted at as soon as it has come, and what comes first."""
    asked = _variant(request)
    if isinstance(asked, web.Response):
        return asked
    found, variant = asked
    name = request.match_info["name"]
    headers = {"Content-Type": "audio/mp4", "Cache-Control": FOR_EVER, **CORS}
    if name == INIT:
        return web.Response(body=mp4.init_segment(), headers=headers)
    if variant.segments and name == m3u8.next_part(variant.segments[-1]):
        await _until(variant, lambda: variant.file(name) is not None or not variant.segments)
    data = variant.file(name)
    if data is None:
        return problem(request, 404, "no such file, or no more", got=name, wanted=f"one that {_root(found)} leads to")
    return web.Response(body=data, headers=headers)
