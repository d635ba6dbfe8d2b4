"""The studio's end of the link: a blocking socket, written by the channels' threads and read by one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Self

from radio import link
from radio.link import Message

READ = 1 << 16
"""Bytes read at once."""
PATIENCE = 5.0
"""Seconds that connecting may take."""


class Connection:
    """A connection to the air at `address`: a unix socket's path, or host:port.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, address: str) -> None:
        host, colon, port = address.rpartition(":")
        if colon and port.isdecimal():
            self._socket = socket.create_connection((host or "localhost", int(port)), timeout=PATIENCE)
        else:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.connect(address)
            except OSError:
                self._socket.close()
                raise
        self._socket.settimeout(None)
        self._sending = threading.Lock()
        self._unpacker = link.Unpacker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._socket.close()

    def send(self, message: Message) -> None:
        """Sends a message. Any thread may.

        Raises:
            ConnectionError: the link is gone.
        """
        data = link.pack(message)
        with self._sending:
            try:
                self._socket.sendall(data)
            except OSError as error:
                raise ConnectionError(f"the air is gone: {error}") from error

    def receive(self) -> Iterator[Message]:
        """The messages that come, until the link ends. One thread reads.

        Raises:
            LinkError: what comes are not messages.
        """
        while True:
            try:
                data = self._socket.recv(READ)
            except OSError:
                return
            if not data:
                return
            yield from self._unpacker.feed(data)

    def close(self) -> None:
        """Ends the link: readers and writers in any thread come back at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
