"""The access log: a line for each request, a listener's as it ends, in Apache's combined format and one field more.

    127.0.0.1 - - [21/Nov/2026:04:20:00 +0000] "GET /bach.mp3 HTTP/1.1" 200 9600000 "-" "VLC/3.0.18" 600.021

The last two fields but two are bytes of the body and, at the very end, seconds: how long somebody has listened.
https://httpd.apache.org/docs/2.4/mod/mod_log_config.html
"""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from radio import remote
from radio.air.listener import Listener
from radio.errors import MissingError

LOG: web.AppKey[logging.Logger | None] = web.AppKey("access log")
PROXIES: web.AppKey[tuple[str, ...]] = web.AppKey("proxies")
CLIENT: web.RequestKey[str] = web.RequestKey("client", str)
"""The address of whoever asks."""
RESPONSE: web.RequestKey[web.StreamResponse] = web.RequestKey("response", web.StreamResponse)
"""The response that a request has begun to get."""
LATER: web.RequestKey[bool] = web.RequestKey("later", bool)
"""Whether its line is written when the request is forgotten."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def writing(path: Path | None) -> AsyncIterator[logging.Logger | None]:
    """The logger of a file, which may be moved away at any time: another is begun then. None without a path.

    Raises:
        MissingError: the file cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.WatchedFileHandler(path, encoding="ascii")
    except OSError as error:
        raise MissingError(f"access_log: {path}: {error.strerror}; choose another, or leave the key out") from error
    log = logging.Logger("access", logging.INFO)
    log.addHandler(file)
    try:
        yield log
    finally:
        file.close()


def prepare(app: web.Application, proxies: tuple[str, ...], log: logging.Logger | None) -> None:
    """Has an application know whom it believes, and write the lines that aiohttp does not."""
    app[PROXIES] = proxies
    app[LOG] = log
    app.on_response_prepare.append(_remember)
    app.middlewares.insert(0, _watch)


def client(request: web.BaseRequest) -> str:
    """The address of whoever asks; "" if it is not known."""
    # What is not even a request comes to no application, and to no proxies that are believed.
    return request.get(CLIENT) or request.remote or ""


class AccessLog(AbstractAccessLogger):
    """What aiohttp hands every request to that was answered to its end."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Writes the request's line, unless that is done later."""
        if LATER not in request:
            self.logger.info("%s", line(Asked.of(request), response.status, _size(request, response), time))


def later(app: web.Application, asked: Asked, listener: Listener) -> None:
    """Has a listener's line written as it ends, when nothing is left of the request."""
    log = app[LOG]
    if log is None:
        return
    began = time.monotonic()
    listener.then(lambda: log.info("%s", line(asked, 200, listener.sent, time.monotonic() - began)))


class Asked(NamedTuple):
    """What a line tells of a request."""

    client: str
    first: str
    """Method, path and version."""
    referer: str
    agent: str

    @classmethod
    def of(cls, request: web.BaseRequest) -> Asked:
        """That of a request."""
        version = request.version
        first = f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}"
        return cls(client(request), first, *(request.headers.get(name, "-") for name in ("Referer", "User-Agent")))


def _size(request: web.BaseRequest, response: web.StreamResponse) -> int:
    """Bytes of a body. aiohttp's own count has the head in it, Apache's not."""
    size = response.body_length if response.content_length is None else response.content_length
    return 0 if request.method == "HEAD" else size


def line(asked: Asked, status: int, size: int, seconds: float) -> str:
    """The line of a request that was answered for so long."""
    begun = datetime.now().astimezone() - timedelta(seconds=seconds)
    return (
        f"{asked.client or '-'} - - [{begun:%d/%b/%Y:%H:%M:%S %z}] "
        f'"{escaped(asked.first)}" {status} {size or "-"} '
        f'"{escaped(asked.referer)}" "{escaped(asked.agent)}" {seconds:.3f}'
    )


def escaped(text: str) -> str:
    """A text that cannot end its own field: quotes and backslashes after a backslash, all but ASCII as \\xhh."""
    raw = re.sub(r'(["\\])', r"\\\1", text).encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in raw)


async def _remember(request: web.Request, response: web.StreamResponse) -> None:
    """Keeps what a request has begun to get, in case it goes before it has all."""
    request[RESPONSE] = response


@web.middleware
async def _watch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Sees who asks, and writes the lines of those who go in the middle of a response, of which aiohttp is silent."""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
    proxies: tuple[str, ...] = request.app[PROXIES]
    request[CLIENT] = remote.client(request.remote or "", forwarded, proxies)
    log, loop = request.app[LOG], asyncio.get_running_loop()
    began = loop.time()
    try:
        return await handler(request)
    except (asyncio.CancelledError, ConnectionError):
        if log is not None and RESPONSE in request:
            response = request[RESPONSE]
            size = _size(request, response)
            log.info("%s", line(Asked.of(request), response.status, size, loop.time() - began))
        raise
