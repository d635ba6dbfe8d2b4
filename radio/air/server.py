"""The web server: mounts, feeds, documents, status and the page, and the order in which the air starts and ends."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

from radio.air import access, admin, audio, docs, documents, feed, hls_server, licence, metrics, pages
from radio.air.answers import STATION, near, problem, transmission
from radio.air.changes import reload
from radio.air.door import Door
from radio.air.head import CORS
from radio.air.limits import DOORKEEPER, OWN_FILES, Doorkeeper, room
from radio.air.receiver import Receiver
from radio.air.sinks.keeper import Sinks
from radio.air.station import Station
from radio.air.status import health, status
from radio.air.supervisor import Supervisor, studio_command
from radio.air.tls import Certificate
from radio.config import Config
from radio.errors import ConfigError, MissingError

log = logging.getLogger(__name__)

LONGEST_HEAD = 8190
"""Bytes of a request's line and of each of its headers."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(station: Station, log: logging.Logger | None = None) -> web.Application:
    """The web application of a station. `log`: where those who go in the middle of a response are written."""
    app = web.Application(middlewares=[_answer_errors], client_max_size=64 << 10)
    server_logger.addFilter(_of_ours)
    app[STATION] = station
    access.prepare(app, station.config.station.proxies, log)
    app[DOORKEEPER] = Doorkeeper(station, room())
    app.middlewares.insert(0, app[DOORKEEPER].middleware)
    app.router.add_get("/status.json", _status)
    app.router.add_get("/healthz", _health)
    app.router.add_routes(documents.routes())
    metrics.add_routes(app, station)
    docs.add_routes(app, station)
    pages.add_routes(app)
    admin.add_routes(app, station)
    licence.add_routes(app, station)
    app.router.add_get("/{channel:[^/.]+}/feed", _feed)
    app.router.add_get("/{channel:[^/.]+}/events", _events)
    app.router.add_routes(hls_server.routes())
    audio.add_routes(app)
    # Endless responses end here, before the server waits for their handlers.
    app.on_shutdown.append(_sign_off)
    return app


def _of_ours(record: logging.LogRecord) -> bool:
    """What is no HTTP is answered 400 and has its line in the access log, and who has gone is gone; traces of either
    would only fill the log."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError | ConnectionError)


async def _sign_off(app: web.Application) -> None:
    app[STATION].close()


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """OPTIONS of any path; and every error is JSON that says what was got and what was wanted."""
    if request.method == "OPTIONS":
        return _options()
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "application/json":
            raise
        fields: dict[str, Any] = {"error": error.reason, "got": f"{request.method} {request.path}"}
        kept = {name: value for name, value in error.headers.items() if name in (hdrs.ALLOW, hdrs.RETRY_AFTER)}
        if hdrs.ALLOW in kept:
            fields["wanted"] = kept[hdrs.ALLOW]
        elif error.status == 404:
            fields |= near(request, request.path.strip("/").split("/")[0].split(".")[0])
        return web.json_response(fields, status=error.status, headers={**kept, **CORS})
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        log.exception("%s %s", request.method, request.path)
        return web.json_response({"error": "the radio made a mistake; its log has more"}, status=500, headers=CORS)


async def _feed(request: web.Request) -> web.StreamResponse:
    found = transmission(request)
    if isinstance(found, web.Response):
        return found
    if request.headers.get("Upgrade", "").lower() != "websocket":
        events = request.path.removesuffix("feed") + "events"
        return problem(request, 426, "this address speaks WebSocket", wanted="Upgrade: websocket", events=events)
    return await feed.websocket(request, found.feed, request.query)


async def _events(request: web.Request) -> web.StreamResponse:
    found = transmission(request)
    return found if isinstance(found, web.Response) else await feed.server_sent(request, found.feed, request.query)


async def _status(request: web.Request) -> web.Response:
    return web.json_response(status(request.app[STATION]), headers={**CORS, "Cache-Control": "no-store"})


async def _health(request: web.Request) -> web.Response:
    kind, fields = health(request.app[STATION])
    return web.json_response(fields, status=kind, headers={**CORS, "Cache-Control": "no-store"})


def _options() -> web.Response:
    return web.Response(status=204, headers={**CORS, "Allow": "GET, HEAD, OPTIONS", "Access-Control-Max-Age": "86400"})


@asynccontextmanager
async def on_air(config: Config, *, supervise: bool) -> AsyncIterator[tuple[Station, str]]:
    """The station with all its parts running, and the address it is heard at. Parts end in the opposite order.

    Raises:
        MissingError: the port is in use, or the link's address is; the access log cannot be written; or a sink has not
            what it needs.
        ConfigError: the certificate cannot be used.
    """
    station = Station(config)
    own = config.station
    certificate = Certificate(own.tls_certificate, own.tls_key) if own.tls_certificate else None
    async with (
        Sinks(station),
        AsyncTasks() as tasks,
        Receiver(station).listening(own.address),
        access.writing(own.access_log) as accesses,
    ):
        app = application(station, accesses)
        async with served(app, own.host, own.port, certificate) as door:
            tasks.start(station.run())
            tasks.start(app[DOORKEEPER].run(door.connections))
            if certificate:
                tasks.start(certificate.watch())
            if supervise:
                tasks.start(Supervisor(studio_command(config.arguments), lambda pid: _started(station, pid)).run())
            yield station, f"{'https' if certificate else 'http'}://{own.host}:{door.port}"


@asynccontextmanager
async def served(
    app: web.Application, host: str, port: int, certificate: Certificate | None = None
) -> AsyncIterator[Door]:
    """An application that answers at an address, and its door.

    Raises:
        MissingError: the address is in use, or is none of this machine.
    """
    accesses = app[access.LOG]
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        shutdown_timeout=0.5,
        max_line_size=LONGEST_HEAD,
        max_field_size=LONGEST_HEAD,
        access_log=accesses,
        access_log_class=access.AccessLog,
    )
    await runner.setup()
    assert runner.server is not None
    door = Door(runner.server, partial(audio.called, app), certificate.context if certificate else None)
    try:
        try:
            await door.open(host, port)
        except OSError as error:
            raise MissingError(
                f"port {port} of {host}: {error.strerror or error}; stop what uses it, or choose another with --port"
            ) from error
        yield door
    finally:
        door.close()
        await runner.cleanup()


def _started(station: Station, pid: int | None) -> None:
    station.studio_pid = pid
    if pid is None:
        station.studio = "away"


class AsyncTasks:
    """Tasks that are cancelled and waited for at the end; one that fails is logged."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Any) -> None:
        """Runs a coroutine."""
        self._tasks.append(asyncio.create_task(work))
        self._tasks[-1].add_done_callback(_report_failure)

    async def __aenter__(self) -> AsyncTasks:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a task of the air has failed", exc_info=error)


async def _run(config: Config, *, supervise: bool) -> None:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    async with AsyncTasks() as tasks, on_air(config, supervise=supervise) as (station, address):
        terminal = os.isatty(0)

        def hang_up() -> None:
            # SIGHUP also comes as a terminal is closed, which is none from then on: that is the end.
            if terminal and not os.isatty(0):
                ending.set()
            else:
                tasks.start(_reload(station))

        loop.add_signal_handler(signal.SIGHUP, hang_up)
        log.info("%s: on air at %s with %d channels", config.station.name, address, len(station.transmissions))
        await ending.wait()
        log.info("signing off")


async def _reload(station: Station) -> None:
    try:
        log.info("channels read again; %s", await reload(station))
    except ConfigError as error:
        log.error("channels read again; nothing is changed, because of\n%s", error)


def _allow_sockets(wanted: int) -> None:
    """Lets the process have so many sockets open, or as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if most > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("the system allows %d open files, less than max_listeners wants: raise `ulimit -n`", most)


def serve(config: Config, supervise: bool) -> None:
    """Runs the air until SIGINT or SIGTERM; with `supervise`, a studio beside it.

    Raises:
        MissingError: a port or socket that cannot be listened at.
    """
    _allow_sockets(config.station.max_listeners + OWN_FILES)
    asyncio.run(_run(config, supervise=supervise))
