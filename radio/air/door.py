"""The door: accepts connections, and has those that ask for sound, in the way of players, listen at once.

A listener's request is one line and a few headers; all that follows is bytes that go one way. To make a transport, a
protocol, a request and three tasks for each, only to let them go again, takes half of what a join costs. So the door
looks at what a connection asks without taking it from the socket. What it does not know, and all that is not answered
with sound at once, is left to the web server as it came.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from aiohttp import web

log = logging.getLogger(__name__)

LONGEST = 4096
"""Bytes of a head that is looked at."""
BACKLOG = 1024
"""Connections that the system keeps until they are accepted."""
AT_ONCE = 64
"""Connections accepted before others are served."""
PAUSE = 1.0
"""Seconds without accepting, when the system gives no more connections."""
HANDSHAKE = 12.0
"""Seconds that TLS may take to begin."""
_HEAD = re.compile(
    rb"GET /(?P<channel>[\w-]+)\.(?P<extension>\w+) HTTP/1\.(?P<minor>[01])\r\n"
    rb"(?P<headers>(?:[!#$%&'*+.^`|~\w-]+:[\t\x20-\x7e]*\r\n)*)\r\n"
)
_MORE = frozenset({"content-length", "transfer-encoding", "upgrade", "expect"})
"""Headers of requests that are about more than sound."""


class Call(NamedTuple):
    """A request for sound."""

    channel: str
    extension: str
    minor: int
    """Of HTTP/1.x."""
    headers: Mapping[str, str]
    """By names in small letters."""

    @property
    def line(self) -> str:
        """Method, path and version."""
        return f"GET /{self.channel}.{self.extension} HTTP/1.{self.minor}"


def call(begun: bytes) -> Call | None:
    """What a connection asks that begins so, if that is for sound and nothing else, and whole (RFC 9112)."""
    found = _HEAD.fullmatch(begun)
    if found is None:
        return None
    headers: dict[str, str] = {}
    for line in found["headers"].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip("\t ")
        if name in headers:
            return None
        headers[name] = value
    if not _MORE.isdisjoint(headers) or (found["minor"] == b"1" and "host" not in headers):
        return None
    return Call(found["channel"].decode("ascii"), found["extension"].decode("ascii"), int(found["minor"]), headers)


class Door:
    """Accepts connections until it is closed."""

    def __init__(
        self, server: web.Server, listen: Callable[[socket.socket, str, Call], bool], tls: ssl.SSLContext | None = None
    ) -> None:
        """`listen` has a socket, from an address, get what it calls for, and says whether it does; the server answers
        all others, and everybody where there is TLS."""
        self._server, self._listen, self._tls = server, listen, tls
        self._loop = asyncio.get_running_loop()
        self._open: list[socket.socket] = []
        self._silent: dict[socket.socket, str] = {}
        """Connections that have asked nothing yet, and their addresses."""
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> None:
        """Listens at all addresses that the host has.

        Raises:
            OSError: at one of them that cannot be done.
        """
        found = await self._loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            listening.setblocking(False)
            self._open.append(listening)
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    @property
    def port(self) -> int:
        """That of the first address."""
        return int(self._open[0].getsockname()[1])

    def connections(self) -> dict[object, Callable[[], None]]:
        """All connections that are not listeners, and what ends each of them."""
        found: dict[object, Callable[[], None]] = {own: partial(self._dismiss, own) for own in self._silent}
        found |= {one: one.transport.abort for one in self._server.connections if one.transport is not None}
        return found

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                own, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no connection is accepted for %.0f s: %s", PAUSE, error.strerror)
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(PAUSE, self._resume, listening)
                return
            own.setblocking(False)
            if self._tls:
                self._pass(own)
            else:
                self._silent[own] = address[0]
                self._loop.add_reader(own.fileno(), self._asked, own)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._open:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _asked(self, own: socket.socket) -> None:
        """Looks at what a connection has begun to ask."""
        self._loop.remove_reader(own.fileno())
        address = self._silent.pop(own)
        try:
            begun = own.recv(LONGEST, socket.MSG_PEEK)
            asked = call(begun)
            heard = asked is not None and self._listen(own, address, asked)
            if heard:
                # What is left unread would have the connection end with RST.
                own.recv(len(begun))
        except OSError:
            own.close()
            return
        if not heard:
            self._pass(own)

    def _pass(self, own: socket.socket) -> None:
        task = self._loop.create_task(self._serve(own))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _serve(self, own: socket.socket) -> None:
        handshake = HANDSHAKE if self._tls else None
        # What goes wrong with a handshake is the client's affair.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(self._server, own, ssl=self._tls, ssl_handshake_timeout=handshake)

    def _dismiss(self, own: socket.socket) -> None:
        self._loop.remove_reader(own.fileno())
        del self._silent[own]
        own.close()

    def close(self) -> None:
        """Accepts no more, and lets go of those who have asked nothing."""
        for listening in self._open:
            self._loop.remove_reader(listening.fileno())
            listening.close()
        self._open.clear()
        for own in tuple(self._silent):
            self._dismiss(own)
