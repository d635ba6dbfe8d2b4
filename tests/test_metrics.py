"""/metrics, read by the parsers of Prometheus' own library, against what listeners really got."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.samples import Sample

from fakes import Clock, Tones, config
from onair import Listening, arguments, listening, radio
from radio import __version__
from radio.air.server import application
from radio.air.station import Station
from radio.formats import BLOCK, RATE


class Scrape:
    """What was told."""

    def __init__(self, text: str) -> None:
        self.families = list(parser.text_string_to_metric_families(text))
        self.samples: list[Sample] = [sample for family in self.families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """The only sample of a name with these labels among its own."""
        (value,) = (s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())
        return value

    def all(self, name: str, **labels: str) -> list[Sample]:
        return [s for s in self.samples if s.name == name and labels.items() <= s.labels.items()]


async def scrape(url: str) -> Scrape:
    async with ClientSession() as session, session.get(url + "/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return Scrape(await answer.text())


@asynccontextmanager
async def playing() -> AsyncIterator[tuple[Station, Clock, str]]:
    """A station of two channels, one of which plays tones for some seconds and then an encore."""
    clock = Clock()
    station = Station(config("bach", "folk", formats=("mp3",)), clock=clock)
    tones = Tones("bach", length=10, station=station.config.station)
    for packet in tones.packets(30):
        station.receive(packet)
    runner = web.AppRunner(application(station))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        for _ in range(round(9 * RATE / BLOCK)):
            clock.now += BLOCK / RATE
            for one in station.transmissions.values():
                one.advance(clock.now)
        yield station, clock, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_what_is_told_is_what_the_station_knows() -> None:
    async with playing() as (station, clock, url):
        station.studio, station.connections = "live", 3
        station.report = {
            "cpu_seconds": 12.5,
            "memory": 1 << 28,
            "channels": {"bach": {"voices": 7, "gain": -2.5, "loudness": -16.0, "failures": 1}, "folk": {}},
            "composer": {
                "cpu_seconds": 30.25,
                "memory": 1 << 29,
                "positions": 1234,
                "ahead": {"bach": 14.0},
                "faults": {"bach": {"loop": 3, "copy": 1}},
                "repairs": {"bach": {"redrawn": 4}},
            },
        }
        channel = station.transmissions["bach"].channel
        assert channel.pace is not None
        clock.now += 1.5
        channel.advance(clock.now)
        told = await scrape(url)
    assert told("radio_build_info") == 1
    assert told.all("radio_build_info")[0].labels["version"] == __version__
    assert told("radio_encores_total", channel="bach") == 1
    assert told("radio_channel_state", channel="bach", radio_channel_state="encore") == 1
    assert told("radio_channel_state", channel="folk", radio_channel_state="starting") == 1
    assert sum(sample.value for sample in told.all("radio_channel_state")) == 2
    assert told("radio_packets_released_total", channel="bach") == channel.log.next
    assert told("radio_packets_late_total", channel="bach") == channel.pace.late == 1
    assert told("radio_lateness_seconds_total", channel="bach") == pytest.approx(channel.pace.lost)
    assert told("radio_loudness_lufs", channel="bach") == -20.0
    assert not told.all("radio_loudness_lufs", channel="folk")
    assert told("radio_lookahead_seconds", channel="bach") == pytest.approx(channel.ahead)
    assert told("radio_process_cpu_seconds_total", process="composer") == 30.25
    assert told("radio_process_resident_memory_bytes", process="studio") == 1 << 28
    assert told("radio_process_resident_memory_bytes", process="air") > 1 << 20
    assert told("radio_studio_restarts_total") == 2
    assert told("radio_guard_faults_total", channel="bach", fault="loop") == 3
    assert told("radio_guard_repairs_total", channel="bach", repair="redrawn") == 4
    assert told("radio_channel_failures", channel="bach") == 1


async def test_of_a_studio_that_is_away_nothing_is_told() -> None:
    async with playing() as (station, _, url):
        station.report = {"cpu_seconds": 12.5, "memory": 1, "composer": {"cpu_seconds": 1.0}}
        station.studio = "away"
        told = await scrape(url)
    assert told("radio_studio_up") == 0
    assert [sample.labels["process"] for sample in told.all("radio_process_cpu_seconds_total")] == ["air"]


async def test_names_say_units_and_counters_end_in_total() -> None:
    async with playing() as (_, _, url):
        told = await scrape(url)
    assert len(told.families) > 20
    for family in told.families:
        assert family.documentation
        assert family.type != "untyped"
        if family.name.startswith("radio_"):
            assert not family.name.endswith(("_count", "_sum", "_milliseconds", "_kilobytes"))
            assert family.type != "counter" or all(s.name.endswith("_total") for s in family.samples)
            assert family.type == "counter" or not family.name.endswith("_total")
    assert len({family.name for family in told.families}) == len(told.families)


async def test_whoever_asks_for_openmetrics_gets_it() -> None:
    async with playing() as (_, _, url), ClientSession() as session:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with session.get(url + "/metrics", headers=accept) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            families = list(openmetrics_parser.text_string_to_metric_families(await answer.text()))
    assert "radio_listeners_joined" in {family.name for family in families}


async def heard(own: Listening, *paths: str) -> dict[str, int]:
    """Bytes that listeners have so far."""
    return {path: len(own.tapes[path].data) for path in paths}


@pytest.mark.timeout(200)
async def test_listeners_and_bytes_are_those_that_were_really_sent(tmp_path: Path) -> None:
    words = arguments(tmp_path, "bach", "folk")
    async with radio("serve", *words) as process, listening((await process.said(r"on air at (\S+)"))[1]) as own:
        await own.all_live()
        own.tune_in("/bach.mp3", "/folk.opus")
        await own.until(lambda s: s["listeners"] == 2 and all(tape.pieces for tape in own.tapes.values()))
        async with own.session.get(own.url + "/bach.mp3") as third:
            await third.content.read(1000)
        await own.until(lambda s: s["channels"]["bach"]["ended"] == {"left": 1})
        begun = await scrape(own.url)
        before = await heard(own, "/bach.mp3", "/folk.opus")
        assert begun("radio_listeners", channel="bach", format="mp3") == 1
        assert begun("radio_listeners_joined_total", channel="bach", format="mp3") == 2
        assert begun("radio_listeners_peak", channel="bach", format="mp3") == 2
        assert begun("radio_listeners_ended_total", channel="bach", format="mp3", reason="left") == 1
        await own.until(lambda s: len(own.tapes["/bach.mp3"].data) > before["/bach.mp3"] + 64_000)
        got = await heard(own, "/bach.mp3", "/folk.opus")
        told = await scrape(own.url)
        for path, channel, form in (("/bach.mp3", "bach", "mp3"), ("/folk.opus", "folk", "opus")):
            labels = {"channel": channel, "format": form}
            sent = told("radio_sent_bytes_total", **labels) - begun("radio_sent_bytes_total", **labels)
            # Within three packets, as both were asked a moment apart.
            assert sent == pytest.approx(got[path] - before[path], abs=3 * 4_000)
        assert told("radio_studio_up") == 1
        assert told("radio_process_cpu_seconds_total", process="studio") > 0.1
        assert told("radio_process_cpu_seconds_total", process="air") > 0.1
        assert told("radio_event_loop_lag_seconds_count") > 4
        assert told("radio_event_loop_lag_seconds_bucket", le="+Inf") == told("radio_event_loop_lag_seconds_count")
        assert told("process_open_fds") > 3
        assert -70 < told("radio_loudness_lufs", channel="bach") < 0
