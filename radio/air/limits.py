"""How many may listen, and how long a client may take to ask: what keeps the station open for everybody else."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from aiohttp import web

from radio.air import access
from radio.air.answers import problem
from radio.air.station import Station, Transmission

ASKING = 12.0
"""Seconds that a connection may be open without a whole request: since it was made, or since its last answer."""
HURRIED = 2.0
"""The same while connections are running short."""
LOOK = 1.0
"""Seconds between two looks at who asks nothing."""
OWN_FILES = 256
"""Open files that listeners may not take: sinks, the link, and those who administrate."""
RESERVED = ("/api", "/healthz", "/metrics", "/status")
"""Paths that are answered when there is room for nobody else."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Crowd(NamedTuple):
    """Listeners that are as many as they may be."""

    whose: str
    listeners: int
    most: int


def crowded(station: Station, found: Transmission, address: str) -> Crowd | None:
    """Why one more listener from an address would be too many; None if there is room."""
    own = station.config.station
    limits = (
        ("the station", station.listeners, own.max_listeners),
        (found.config.name, found.listeners, found.config.max_listeners),
        (f"your address, {address}", station.addresses[address], own.max_listeners_per_address),
    )
    over = (Crowd(whose, count, most) for whose, count, most in limits if most is not None and count >= most)
    return next(over, None)


def full(request: web.Request, station: Station, found: Transmission) -> web.Response | None:
    """The answer to one who would be a listener too many; None if there is room."""
    crowd = crowded(station, found, access.client(request))
    if crowd is None:
        return None
    error = f"{crowd.whose} has as many listeners as it may have"
    return problem(request, 503, error, listeners=crowd.listeners, most=crowd.most)


def room() -> int:
    """Connections that the system lets the process have, besides its own files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, soft - OWN_FILES)


class Doorkeeper:
    """Lets go of connections that ask nothing, and of new ones when there is no room.

    `middleware` is to see every request.
    """

    def __init__(self, station: Station, most: int) -> None:
        self.most = most
        """Connections."""
        self._station = station
        self._open = 0
        self._busy: set[object] = set()
        """Connections with a request under way."""
        self._idle: dict[object, float] = {}
        """Since when the others have asked nothing."""

    @property
    def full(self) -> bool:
        """Whether there is no connection left for anybody but who administrates."""
        return self._open > self.most

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Sees who asks, and turns away who is one too many."""
        connection = request.protocol
        self._busy.add(connection)
        try:
            if self.full and not request.path.startswith(RESERVED):
                refused = problem(request, 503, "the station has no connection left", most=self.most)
                refused.force_close()
                return refused
            return await handler(request)
        finally:
            self._busy.discard(connection)

    def look(self, connections: Mapping[object, Callable[[], None]]) -> None:
        """Ends those of the open connections, by what is given for each, that have taken too long to ask."""
        now = self._station.clock()
        # Listeners have sockets of their own, but for those who listen through TLS.
        apart = 0 if self._station.config.station.tls_certificate else self._station.addresses.total()
        self._open = len(connections) + apart
        patience = HURRIED if self.full else ASKING
        self._idle = {one: self._idle.get(one, now) for one in connections if one not in self._busy}
        for connection, end in connections.items():
            if now - self._idle.get(connection, now) >= patience:
                self._station.dismissed += 1
                end()

    async def run(self, connections: Callable[[], Mapping[object, Callable[[], None]]]) -> None:
        """Looks again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.look(connections())


DOORKEEPER: web.AppKey[Doorkeeper] = web.AppKey("doorkeeper", Doorkeeper)
