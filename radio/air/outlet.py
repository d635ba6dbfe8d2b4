"""Where a listener's bytes go: the connection's socket alone, or its transport.

Once a response of sound has begun, nothing is left of HTTP but bytes that go one way. A socket of our own is all that
takes; the transport, protocol, request and task that asked for it are let go, which held ten times as much memory, and
a write is one system call. TLS needs its transport.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Protocol

SEND_BUFFER = 64 << 10
"""Bytes the kernel may hold for one listener: it would hold megabytes for one who never reads."""
UNANSWERED = 40_000
"""Milliseconds after which the kernel gives up one who acknowledges nothing (RFC 5482): a phone out of reach, of whom
nothing is heard, and for whom so little is waiting that patience never begins."""
_NOTHING = memoryview(b"")
_LINGER = struct.pack("ii", 1, 0)


class Options(Protocol):
    """A socket, or what a transport shows of its own."""

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        """Sets an option."""


class Outlet(Protocol):
    """Takes bytes, without ever waiting, and sends them when it can."""

    @property
    def waiting(self) -> int:
        """Bytes that were not sent yet."""

    @property
    def lost(self) -> bool:
        """Whether the other side has gone, or this one has closed."""

    def write(self, data: bytes) -> None:
        """Sends bytes after those that wait."""

    def close(self) -> None:
        """Ends the connection after what still waits."""

    def reset(self) -> None:
        """Ends the connection with RST: what it never took is thrown away, and nothing lingers in FIN-WAIT."""


class Direct:
    """A socket of its own. The bytes that wait are those of everybody, not a copy."""

    __slots__ = ("_closing", "_loop", "_rest", "_socket", "lost")

    def __init__(self, own: socket.socket) -> None:
        """`own` must not block."""
        self._socket, self._loop = own, asyncio.get_running_loop()
        self._rest = _NOTHING
        self._closing = False
        self.lost = False
        prepare(own)

    @property
    def waiting(self) -> int:
        return len(self._rest)

    def write(self, data: bytes) -> None:
        if self.lost or self._closing:
            return
        if self._rest:
            self._rest = memoryview(bytes(self._rest) + data)
            return
        sent = self._send(data)
        if sent < len(data) and not self.lost:
            self._rest = memoryview(data)[sent:]
            self._loop.add_writer(self._socket.fileno(), self._more)

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._shut()
            return 0

    def _more(self) -> None:
        sent = self._send(self._rest)
        if self.lost:
            return
        self._rest = self._rest[sent:]
        if not self._rest:
            self._rest = _NOTHING
            self._loop.remove_writer(self._socket.fileno())
            if self._closing:
                self._shut()

    def close(self) -> None:
        self._closing = True
        if not self._rest:
            self._shut()

    def reset(self) -> None:
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self._shut()

    def _shut(self) -> None:
        if not self.lost:
            self.lost = True
            if self._rest:
                self._loop.remove_writer(self._socket.fileno())
                self._rest = _NOTHING
            self._socket.close()


class Through:
    """A transport, for as long as somebody else keeps it."""

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        if (own := transport.get_extra_info("socket")) is not None:
            prepare(own)

    @property
    def waiting(self) -> int:
        return self._transport.get_write_buffer_size()

    @property
    def lost(self) -> bool:
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        if not self.lost:
            self._transport.close()

    def reset(self) -> None:
        reset(self._transport)


def direct(transport: asyncio.Transport) -> Direct | None:
    """The socket of a transport, which may then be closed without ending the connection; None if it is needed: for TLS,
    or for bytes that it has still to send."""
    own = transport.get_extra_info("socket")
    if own is None or transport.get_extra_info("sslcontext") is not None or transport.get_write_buffer_size():
        return None
    return Direct(own.dup())


def prepare(own: Options) -> None:
    """Keeps the kernel from holding megabytes for one who never reads, or anything for long for one who is gone."""
    own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED)


def reset(transport: asyncio.WriteTransport) -> None:
    """Ends a transport's connection with RST."""
    own = transport.get_extra_info("socket")
    if own is not None:
        with suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    transport.abort()
