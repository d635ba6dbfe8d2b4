"""One listener of a mount: a cursor into the packet log, and the socket it is written to.

Writing happens on the event loop, never waits, and hands every socket the same bytes objects. Packets are written
only when the socket has taken all that came before, so that a slow listener costs its cursor and no memory; one who
takes nothing for `PATIENCE` seconds, or whose place in the log is gone, is disconnected and counted, never skipped.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from dataclasses import dataclass

from radio.air.log import PacketLog
from radio.air.spans import Spans

PATIENCE = 30.0
"""Seconds a listener may take nothing."""
SEND_BUFFER = 64 << 10
"""Bytes the kernel may hold for one listener: it would hold megabytes for one who never reads."""
MOST = 64
"""Packets written at once, to one who has fallen behind."""
_ids = itertools.count(1)
_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Who:
    """Who listens, for the administrator."""

    address: str = ""
    agent: str = ""


NOBODY = Who()


class Listener:
    """One HTTP audio response under way."""

    def __init__(
        self,
        transport: asyncio.Transport,
        log: PacketLog,
        number: int,
        spans: Spans,
        now: float,
        who: Who = NOBODY,
    ) -> None:
        self.id, self.who, self.began = next(_ids), who, now
        self.transport, self.log, self.spans = transport, log, spans
        self.number = number
        """The packet that comes next."""
        self.first, self._phase = spans.begin(number)
        """What comes before the first packet."""
        self.sent = 0
        """Bytes of audio and titles."""
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to why it ended: "left", "frozen", "overtaken", "kicked" or "off air"."""
        self._taken = now
        self._waiting = 0
        small_send_buffer(transport)

    def write(self, now: float) -> None:
        """Writes what is new in the log, if the socket has room."""
        if self.gone.done():
            return
        if self.transport.is_closing():
            self.end("left")
            return
        waiting = self.transport.get_write_buffer_size()
        if waiting < self._waiting or not waiting:
            self._taken = now
        self._waiting = waiting
        if waiting:
            if now - self._taken > PATIENCE:
                self.end("frozen")
            elif self.number < self.log.first:
                self.end("overtaken")
            return
        if self.number < self.log.first:
            self.end("overtaken")
            return
        if self.number == self.log.next:
            return
        span = self.spans.span(self.number, MOST, self._phase)
        if span.stop == self.number:
            # Only if the studio went away just as it began with this format.
            self.end("off air")
            return
        self.transport.write(span.data)
        self.sent += len(span.data)
        self.number, self._phase = span.stop, span.phase
        self._waiting = self.transport.get_write_buffer_size()

    def end(self, why: str) -> None:
        """Ends the response: at once where the socket is stuck, else after what is still on its way."""
        if self.gone.done():
            return
        self.gone.set_result(why)
        if why in ("frozen", "overtaken"):
            reset(self.transport)
        elif not self.transport.is_closing():
            self.transport.close()


def small_send_buffer(transport: asyncio.BaseTransport) -> None:
    """Keeps the kernel from holding megabytes for one who never reads, and the loop from buffering at all."""
    own = transport.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def reset(transport: asyncio.WriteTransport) -> None:
    """Ends a connection with RST: what it never took is thrown away, and nothing lingers in FIN-WAIT."""
    own = transport.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    transport.abort()
