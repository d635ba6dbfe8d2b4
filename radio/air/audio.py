"""Sound: who asks for a mount is handed to it, by the web server or at the door."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from radio import remote
from radio.air import access, feed
from radio.air.answers import STATION, problem, transmission
from radio.air.door import Call
from radio.air.head import FRAME, head, headers
from radio.air.limits import DOORKEEPER, crowded, full
from radio.air.listener import Listener, Who
from radio.air.outlet import Direct, Through, direct
from radio.air.station import Mount, Station, Transmission
from radio.formats import FORMATS

FORMS = {form.extension: name for name, form in FORMATS.items()}


def add_routes(app: web.Application) -> None:
    """The mounts."""
    app.router.add_get("/{channel:[^/.]+}.{extension:[^/]+}", _audio)


async def _audio(request: web.Request) -> web.StreamResponse:
    """GET and HEAD of a mount. Range is ignored, as of a radio it must be."""
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    station, extension = request.app[STATION], request.match_info["extension"]
    mount = found.mounts.get(FORMS.get(extension, ""))
    if mount is None:
        formats = [own.form.extension for own in found.mounts.values()]
        return problem(request, 404, "no such format", got=extension, formats=formats)
    icy = _titled(mount, request.headers.get("Icy-MetaData", ""))
    if request.method == "HEAD":
        return Handwritten(_opening(station, found, mount, request.version.minor, icy=icy))
    if not found.channel.log:
        return problem(request, 503, f"{found.channel.name} is not on the air yet", state=found.channel.state)
    if refused := full(request, station, found):
        return refused
    first = await station.supplied(found, mount)
    if first is None:
        return problem(request, 503, f"{mount.path} cannot be made now", studio=station.studio)
    frame = mount.frame(first)
    if tune := request.query.get("tune", "")[: feed.LONGEST_TUNE]:
        found.feed.tuned(tune, frame)
    begin = _opening(station, found, mount, request.version.minor, icy=icy, frame=frame)
    return await _listen(request, station, mount, begin, first, icy=icy)


def _titled(mount: Mount, asked: str) -> bool:
    """Whether a listener gets titles in the sound; `asked`: what `Icy-MetaData` says."""
    return mount.form.icy and asked.strip() not in ("", "0")


def _opening(
    station: Station, found: Transmission, mount: Mount, minor: int, *, icy: bool, frame: int | None = None
) -> bytes:
    """The head of a response in HTTP/1.`minor`, made once for all who ask alike, but for the frame."""
    config, made = mount.heads.get((minor, icy), (None, b""))
    if config is not found.config:
        fields = headers(station.config.station, found.config, mount.form, metaint=mount.metaint * icy)
        made = head((1, minor), fields)
        mount.heads[minor, icy] = found.config, made
    return made if frame is None else made[:-2] + FRAME % frame + made[-2:]


async def _listen(
    request: web.Request, station: Station, mount: Mount, begin: bytes, first: int, *, icy: bool
) -> web.StreamResponse:
    """Hands the socket to the mount; where it cannot be taken from its transport, until the response ends."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the listener has gone")
    # Nothing more is wanted of this client: what it sends stays in its own buffers.
    transport.pause_reading()
    who = Who(access.client(request), request.headers.get("User-Agent", ""))
    own = direct(transport)
    listener = mount.join(own or Through(transport), begin, first, icy=icy, now=station.clock(), who=who)
    if own:
        request[access.LATER] = True
        access.later(request.app, access.Asked.of(request), listener)
        return Handwritten()
    response = request[access.RESPONSE] = Handwritten(listener=listener)
    gone = asyncio.Event()
    listener.then(gone.set)
    try:
        await gone.wait()
    finally:
        listener.end("left")
    return response


class Handwritten(web.StreamResponse):
    """A response whose bytes were written to the transport by hand; at most its head is still to be written."""

    def __init__(self, begin: bytes = b"", listener: Listener | None = None) -> None:
        super().__init__()
        self._begin, self._listener = begin, listener
        self.force_close()

    @property
    def body_length(self) -> int:
        """Bytes of audio and titles."""
        return self._listener.sent if self._listener else 0

    async def prepare(self, request: web.BaseRequest) -> None:
        """Writes the head."""
        if self._begin and request.transport is not None:
            request.transport.write(self._begin)

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing follows."""


def called(app: web.Application, own: socket.socket, peer: str, call: Call) -> bool:
    """Hands a connection to the mount that it calls, if sound can begin at once; else the web server is to answer."""
    station = app[STATION]
    found = station.transmissions.get(call.channel)
    mount = found.mounts.get(FORMS.get(call.extension, "")) if found else None
    if found is None or mount is None or app[DOORKEEPER].full:
        return False
    proxies: tuple[str, ...] = app[access.PROXIES]
    address = remote.client(peer, call.headers.get("x-forwarded-for", ""), proxies)
    first = station.ready(found, mount)
    if first is None or crowded(station, found, address):
        return False
    icy = _titled(mount, call.headers.get("icy-metadata", ""))
    begin = _opening(station, found, mount, call.minor, icy=icy, frame=mount.frame(first))
    who = Who(address, call.headers.get("user-agent", ""))
    asked = access.Asked(address, call.line, call.headers.get("referer", "-"), who.agent or "-")
    listener = mount.join(Direct(own), begin, first, icy=icy, now=mount.heard, who=who)
    access.later(app, asked, listener)
    return True
