"""One listener of a mount: a cursor into the packet log, and the socket it is written to.

Writing happens on the event loop, never waits, and hands every socket the same bytes objects. A packet is written
only when the
socket has taken all that came before, so that a slow listener costs its cursor and no memory; one who takes
nothing for `PATIENCE` seconds, or whose place in the log is gone, is disconnected and counted, never skipped.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from radio.air.log import PacketLog
from radio.air.titled import Titled

PATIENCE = 30.0
"""Seconds a listener may take nothing."""
SEND_BUFFER = 64 << 10
"""Bytes the kernel may hold for one listener: it would hold megabytes for one who never reads."""
MOST = 64
"""Packets written at once, to one who has fallen behind."""
_LINGER = struct.pack("ii", 1, 0)


class Listener:
    """One HTTP audio response under way."""

    def __init__(
        self, transport: asyncio.Transport, log: PacketLog, form: str, number: int, titled: Titled | None, now: float
    ) -> None:
        self.transport, self.log, self.form = transport, log, form
        self.number = number
        """The packet that comes next."""
        self.titled = titled
        """None: no titles are wanted."""
        self.first = b""
        """What comes before the first packet."""
        if titled:
            self.first, self._phase = titled.begin(number)
        self.sent = 0
        """Bytes of audio and titles."""
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to why it ended: "left", "frozen", "overtaken" or "off air"."""
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
        for number in range(self.number, min(self.log.next, self.number + MOST)):
            packet = self.log[number]
            data = packet.data.get(self.form)
            if data is None:
                # Only if the studio went away just as it began with this format.
                self.end("off air")
                return
            if self.titled:
                data, self._phase = self.titled.packet(number, self._phase)
            self.transport.write(data)
            self.sent += len(data)
            self.number = number + 1
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
