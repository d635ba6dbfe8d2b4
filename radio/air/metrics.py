"""/metrics in Prometheus' text format: made of the station's own figures as they are when they are asked for.

Names and units are as https://prometheus.io/docs/practices/naming/ has them: seconds, bytes, `_total` for what only
grows. What the studio reports is told while there is a studio; its figures begin at 0 with each that is started.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from radio import __version__
from radio.air.station import Mount, Station, Transmission
from radio.usage import usage

LOOK = 0.25
"""Seconds between two measurements of the event loop's lag."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds of lag; a packet counts as late after 0.25."""
STATES = ("starting", "live", "encore", "off air")
Values = Iterable[tuple[tuple[str, ...], float]]
"""Labels' values, and the figure."""


class Lag:
    """How late the event loop comes to what is due."""

    def __init__(self) -> None:
        self.histogram = Histogram(
            "radio_event_loop_lag_seconds", "How late the event loop was.", buckets=BUCKETS, registry=None
        )

    async def run(self) -> None:
        """Measures until cancelled."""
        while True:
            due = time.monotonic() + LOOK
            await asyncio.sleep(LOOK)
            self.histogram.observe(max(0.0, time.monotonic() - due))


def add_routes(app: web.Application, station: Station) -> None:
    """Adds /metrics, and measures the event loop's lag for as long as the application runs."""
    registry, lag = CollectorRegistry(), Lag()
    registry.register(Figures(station))
    registry.register(lag.histogram)
    ProcessCollector(registry=registry)

    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def measure(app: web.Application) -> AsyncIterator[None]:
        measuring = asyncio.create_task(lag.run())
        yield
        measuring.cancel()

    app.router.add_get("/metrics", answer)
    app.cleanup_ctx.append(measure)


class Figures(Collector):
    """A station's figures."""

    def __init__(self, station: Station) -> None:
        self.station = station

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        station = self.station
        yield InfoMetricFamily(
            "radio_build", "What is running.", {"version": __version__, "python": platform.python_version()}
        )
        started = time.time() - (station.clock() - station.started)
        yield _gauge("radio_start_time_seconds", "When the air began, since 1970.", (), [((), started)])
        dismissed = [((), float(station.dismissed))]
        yield _counter("radio_connections_dismissed", "Connections closed because they asked nothing.", (), dismissed)
        yield from _mounts([mount for one in station.transmissions.values() for mount in one.mounts.values()])
        yield from _channels(station.transmissions)
        yield from _studio(station)


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Values) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for own, value in values:
        family.add_metric(own, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], values: Values) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for own, value in values:
        family.add_metric(own, value)
    return family


def _mounts(mounts: list[Mount]) -> Iterator[Metric]:
    labels = ("channel", "format")
    each = [((mount.channel.name, mount.form.name), mount) for mount in mounts]
    yield _gauge("radio_listeners", "Listeners now.", labels, [(own, len(m.listeners)) for own, m in each])
    yield _gauge("radio_listeners_peak", "Listeners at once, at most.", labels, [(own, m.peak) for own, m in each])
    yield _counter("radio_listeners_joined", "Listeners ever.", labels, [(own, m.joined) for own, m in each])
    ended = [((*own, reason), float(count)) for own, m in each for reason, count in m.ended.items()]
    yield _counter("radio_listeners_ended", "Listeners who are no more, and why.", (*labels, "reason"), ended)
    sent = [(own, m.sent) for own, m in each]
    yield _counter("radio_sent_bytes", "Audio and titles written to listeners.", labels, sent)


def _channels(transmissions: Mapping[str, Transmission]) -> Iterator[Metric]:
    labels = ("channel",)
    each = [((name,), one, one.channel) for name, one in transmissions.items()]
    paced = [(own, channel.pace) for own, _, channel in each if channel.pace]
    states = StateSetMetricFamily("radio_channel_state", "What a channel is doing.", labels=labels)
    for own, _, channel in each:
        states.add_metric(own, {state: state == channel.state for state in STATES})
    yield states
    released = [(own, channel.log.next) for own, _, channel in each]
    yield _counter("radio_packets_released", "Packets released, 0.24 s each.", labels, released)
    late = [(own, pace.late) for own, pace in paced]
    yield _counter("radio_packets_late", "Packets released more than 0.25 s late.", labels, late)
    lateness = [(own, pace.lost) for own, pace in paced]
    yield _counter("radio_lateness_seconds", "By how much late packets were late, in all.", labels, lateness)
    ahead = [(own, channel.ahead) for own, _, channel in each]
    yield _gauge("radio_lookahead_seconds", "Music held that is not yet released.", labels, ahead)
    yield _counter("radio_encores", "Encores begun.", labels, [(own, channel.encores) for own, _, channel in each])
    loudness = [(own, channel.loudness) for own, _, channel in each if channel.loudness is not None]
    yield _gauge("radio_loudness_lufs", "Short-term loudness (EBU R128) of what was released last.", labels, loudness)
    following = [(own, len(one.feed.subscribers)) for own, one, _ in each]
    yield _gauge("radio_feed_subscribers", "Subscribers of the live feed.", labels, following)
    dropped = [(own, one.feed.dropped) for own, one, _ in each]
    yield _counter("radio_feed_dropped", "Subscribers who did not keep up.", labels, dropped)


def _studio(station: Station) -> Iterator[Metric]:
    live = station.studio == "live"
    report: Mapping[str, Any] = station.report if live else {}
    composer: Mapping[str, Any] = report.get("composer", {})
    yield _gauge("radio_studio_up", "Whether a studio is connected.", (), [((), live)])
    restarts = max(0, station.connections - 1)
    yield _counter("radio_studio_restarts", "Times a studio came back.", (), [((), restarts)])
    yield _gauge(
        "radio_channels_in_trouble", "Channels that the studio cannot make.", (), [((), len(station.troubles))]
    )
    processes = {"air": usage(), "studio": report, "composer": composer}
    for name, field, text in (
        ("radio_process_cpu_seconds", "cpu_seconds", "Processor time used."),
        ("radio_process_resident_memory_bytes", "memory", "Memory in use."),
    ):
        told = [((process,), own[field]) for process, own in processes.items() if own.get(field) is not None]
        yield (_counter if field == "cpu_seconds" else _gauge)(name, text, ("process",), told)
    yield from _desks(report.get("channels", {}))
    yield from _composer(composer)


def _desks(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    labels = ("channel",)
    each = [((name,), own) for name, own in figures.items() if own]
    failures = [(own, f["failures"]) for own, f in each]
    yield _gauge("radio_channel_failures", "Failures in a row of a channel's thread.", labels, failures)
    yield _gauge(
        "radio_gain_decibels", "Gain that brings a channel to its loudness.", labels, [(o, f["gain"]) for o, f in each]
    )
    yield _gauge("radio_synth_voices", "Voices that sound.", labels, [(own, f["voices"]) for own, f in each])


def _composer(composer: Mapping[str, Any]) -> Iterator[Metric]:
    if "positions" in composer:
        yield _counter("radio_composer_positions", "Positions drawn.", (), [((), composer["positions"])])
    ahead = [((name,), seconds) for name, seconds in composer.get("ahead", {}).items()]
    yield _gauge("radio_composer_ahead_seconds", "Music composed that is not yet played.", ("channel",), ahead)
    for name, field, label, text in (
        ("radio_guard_faults", "faults", "fault", "Bars that the guard refused, by what was wrong."),
        ("radio_guard_repairs", "repairs", "repair", "What was done with bars that the guard refused."),
    ):
        counts = composer.get(field, {})
        told = [((channel, kind), count) for channel, own in counts.items() for kind, count in own.items()]
        yield _counter(name, text, ("channel", label), told)
