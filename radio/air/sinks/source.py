"""A source connection to an Icecast server: HTTP PUT with a body that has no end. The head and the answer are pure.

As Icecast 2.4 and libshout speak it (people.xiph.org/~epirat/protocol_rfc_draft): basic authentication, `Expect:
100-continue`, what the mount is in ice-* headers, and then the sound, neither chunked nor with a length.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from radio import __version__
from radio.air.outlet import prepare, reset
from radio.errors import SinkError

PATIENCE = 10.0
"""Seconds that a server may take for an answer, or to take what is sent; Icecast gives a source as many."""
REFUSED = 60.0
"""Seconds before a password that was refused is tried again: servers ban those who guess."""
LONGEST_ANSWER = 4096
"""Bytes of an answer that are read."""
AGENT = f"radio/{__version__}"


def credentials(user: str, password: str) -> str:
    """The value of `Authorization`."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def head(path: str, host: str, authorization: str, fields: Mapping[str, str], charset: str) -> bytes:
    """The head of the request; what has no character in `charset` is sent as "?", and no value ends its line."""
    own = {
        "Host": host,
        "Authorization": authorization,
        "User-Agent": AGENT,
        "Expect": "100-continue",
        **fields,
    }
    lines = (f"{name}: {' '.join(value.split())}" for name, value in own.items() if value)
    return "\r\n".join((f"PUT {path} HTTP/1.1", *lines, "", "")).encode(charset, "replace")


def check(answer: bytes, where: str, user: str) -> None:
    """Reads the server's answer to the head.

    Raises:
        SinkError: it is not that the sound may come.
    """
    begin, _, body = answer.partition(b"\r\n\r\n")
    line = begin.partition(b"\r\n")[0].decode("latin-1")
    status = line.split(" ")[1] if line.startswith("HTTP/") and " " in line else ""
    if status in ("100", "200"):
        return
    if not line:
        raise SinkError(f"{where}: closed the connection without an answer")
    reason = " ".join(body.decode("utf-8", "replace").split()) or line
    if status == "401":
        raise SinkError(f"{where}: wrong password for user {user!r}", pause=REFUSED)
    if status == "403" and "in use" in reason.lower():
        raise SinkError(f"{where}: the mount is in use by another source")
    raise SinkError(f"{where}: refused: {reason[:200]} ({line[:80]})")


class Source:
    """An open source connection."""

    def __init__(self, where: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.where = where
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Sends sound.

        Raises:
            SinkError: the connection is lost, or the server takes nothing.
        """
        try:
            self._writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await self._writer.drain()
        except TimeoutError as error:
            raise SinkError(f"{self.where}: took nothing for {PATIENCE:g} s") from error
        except OSError as error:
            raise SinkError(f"{self.where}: connection lost: {said(error)}") from error

    async def ended(self) -> None:
        """Waits for the end of the connection, which is an error; what the server says meanwhile is of no interest.

        Raises:
            SinkError: always.
        """
        try:
            while await self._reader.read(LONGEST_ANSWER):
                pass
        except OSError as error:
            raise SinkError(f"{self.where}: connection lost: {said(error)}") from error
        raise SinkError(f"{self.where}: the server closed the connection")

    def close(self) -> None:
        """Ends the connection at once: what it has not taken is not waited for."""
        if self._writer.transport.get_write_buffer_size():
            reset(self._writer.transport)
        else:
            self._writer.close()


async def connect(server: str, begin: bytes, where: str, user: str) -> Source:
    """Connects, sends the head and waits until the sound may come.

    Raises:
        SinkError: no route, no answer in time, or a refusal.
    """
    parts = urlsplit(server)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=parts.scheme == "https" or None)
    except TimeoutError as error:
        raise SinkError(f"{where}: no answer within {PATIENCE:g} s") from error
    except OSError as error:
        raise SinkError(f"{where}: cannot be reached: {said(error)}") from error
    # No more than a few seconds of sound are to lie in the kernel: so a server that hangs is noticed.
    if (own := writer.transport.get_extra_info("socket")) is not None:
        prepare(own)
    writer.transport.set_write_buffer_limits(0)
    source = Source(where, reader, writer)
    try:
        await source.send(begin)
        check(await _answer(reader, where), where, user)
    except BaseException:
        source.close()
        raise
    return source


async def _answer(reader: asyncio.StreamReader, where: str) -> bytes:
    """The head of the server's answer, and its text where it refuses."""
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await reader.readuntil(b"\r\n\r\n")
            refused = not answer.split(b" ", 2)[1].startswith((b"1", b"2"))
            return answer + (await reader.read(LONGEST_ANSWER) if refused else b"")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except (TimeoutError, asyncio.LimitOverrunError) as error:
        raise SinkError(f"{where}: no answer of a server within {PATIENCE:g} s") from error
    except OSError as error:
        raise SinkError(f"{where}: connection lost: {said(error)}") from error


def said(error: OSError) -> str:
    """What the system said, which asyncio says in other words."""
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
