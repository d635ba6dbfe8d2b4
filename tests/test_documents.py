"""Playlists and what directories read: over real sockets, and by parsers that know nothing of our code."""

from __future__ import annotations

import asyncio
import configparser
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from fakes import Clock, Tones, config
from icecast import PASSWORD, icecast
from radio.air import playlists
from radio.air.head import LISTED, headers
from radio.air.icestats import icestats
from radio.air.playlists import Entry, clean
from radio.air.server import application
from radio.air.station import Station
from radio.config import Config
from radio.formats import FORMATS
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import IcecastConfig, ListingConfig
from transmitting import Transmitter

HOSTILE = "<b>“Bach” & 'Söhne'</b> ]]> \x00\x0b\ud800 日本 🎹"
NAMES = {"x": "http://xspf.org/ns/0/"}
LISTING = ListingConfig(
    public=True,
    address="https://radio.example/",
    logo="https://radio.example/logo.png",
    country="at",
    languages=("en", "deu"),
    latitude=48.2082,
    longitude=16.3738,
)


def station(*names: str, title: str = HOSTILE, **keys: object) -> Station:
    """A station that was on the air for five seconds."""
    made: Config = config(*names, name=HOSTILE, **{"formats": ("mp3",), **keys})
    own = {name: replace(channel, title=title, description=HOSTILE) for name, channel in made.channels.items()}
    clock = Clock()
    found = Station(replace(made, channels=own), clock=clock)
    for name, one in found.transmissions.items():
        for packet in Tones(name, station=made.station).packets(22):
            found.receive(replace(packet, title=HOSTILE))
        one.advance(clock.now)
    clock.now += 5
    return found


@asynccontextmanager
async def served(own: Station) -> AsyncIterator[tuple[str, ClientSession]]:
    runner = web.AppRunner(application(own))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession() as session:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}", session
    finally:
        await runner.cleanup()


async def test_xspf_of_a_channel_and_of_the_station_lead_to_mounts() -> None:
    async with served(station("bach", "ragtime", formats=("mp3", "opus"))) as (url, session):
        async with session.get(f"{url}/bach.xspf") as answer:
            assert answer.content_type == "application/xspf+xml"
            one = ElementTree.fromstring(await answer.read())
        async with session.get(f"{url}/radio.xspf") as answer:
            whole = ElementTree.fromstring(await answer.read())
        assert one.attrib == {"version": "1"}
        paths = [
            track.findtext("x:location", "", NAMES).removeprefix(url) for track in one.iterfind(".//x:track", NAMES)
        ]
        assert paths == ["/bach.mp3", "/bach.opus"]
        assert one.findtext("x:title", "", NAMES) == clean(HOSTILE)
        tracks = list(whole.iterfind("x:trackList/x:track", NAMES))
        assert [track.findtext("x:location", "", NAMES) for track in tracks] == [
            f"{url}/bach.mp3",
            f"{url}/ragtime.mp3",
        ]
        assert tracks[0].findtext("x:annotation", "", NAMES) == clean(HOSTILE)


async def test_the_opml_has_an_outline_for_each_channel_and_each_mount() -> None:
    async with served(station("bach", "ragtime", formats=("mp3", "flac"))) as (url, session):
        async with session.get(f"{url}/radio.opml") as answer:
            top = ElementTree.fromstring(await answer.read())
        assert (top.tag, top.attrib) == ("opml", {"version": "2.0"})
        assert top.findtext("head/title") == clean(HOSTILE)
        outlines = [[dict(mount.attrib) for mount in channel] for channel in top.iterfind("body/outline")]
        assert [[mount["URL"] for mount in mounts] for mounts in outlines] == [
            [f"{url}/{name}.mp3", f"{url}/{name}.flac"] for name in ("bach", "ragtime")
        ]
        assert outlines[0][0]["type"] == "audio"
        assert (outlines[0][0]["bitrate"], outlines[0][0]["formats"]) == ("128", "mp3")
        assert "bitrate" not in outlines[0][1]


async def test_the_stations_pls_is_read_by_a_parser_of_ini_files() -> None:
    async with served(station("bach", "ragtime", title="Bach & Söhne")) as (url, session):
        async with session.get(f"{url}/radio.pls") as answer:
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(await answer.text())
        assert dict(parser["playlist"])["file2"] == f"{url}/ragtime.mp3"
        assert dict(parser["playlist"])["numberofentries"] == "2"


async def test_documents_lead_to_the_address_that_is_configured_or_the_proxys() -> None:
    async with served(station("bach")) as (url, session):
        own = {"X-Forwarded-Proto": "https", "Host": "radio.example"}
        async with session.get(f"{url}/bach.m3u", headers=own) as answer:
            assert "https://radio.example/bach.mp3" in (await answer.text()).splitlines()
        async with session.get(f"{url}/bach.m3u", headers={**own, "X-Forwarded-Proto": "javascript"}) as answer:
            assert "http://radio.example/bach.mp3" in (await answer.text()).splitlines()
    async with served(station("bach", listing=LISTING)) as (url, session), session.get(f"{url}/bach.xspf") as answer:
        assert "https://radio.example/bach.mp3" in await answer.text()


@pytest.mark.parametrize("path", ["bahc.xspf", "bahc.m3u", "bahc/streaminfo.json"])
async def test_documents_of_no_channel_are_404_with_near_names(path: str) -> None:
    async with served(station("bach")) as (url, session), session.get(f"{url}/{path}") as answer:
        assert answer.status == 404
        assert (await answer.json())["near"] == ["bach"]


hostile = st.text(max_size=60) | st.just(HOSTILE) | st.text(st.characters(categories=["Cc", "Cs", "Cn", "Po", "Sm"]))


@given(hostile, hostile, st.lists(st.tuples(hostile, hostile), max_size=4))
def test_xml_holds_whatever_titles_are(title: str, creator: str, rows: list[tuple[str, str]]) -> None:
    made = [Entry(text, f"http://host/{n}.mp3?a&b", more, "mp3", 128) for n, (text, more) in enumerate(rows)]
    top = ElementTree.fromstring(playlists.xspf(title, creator, made).encode())
    assert top.findtext("x:title", "", NAMES) == clean(title)
    tracks = list(top.iterfind("x:trackList/x:track", NAMES))
    assert [track.findtext("x:title", "", NAMES) for track in tracks] == [clean(text) for text, _ in rows]
    assert [track.findtext("x:location", "", NAMES) for track in tracks] == [entry.address for entry in made]
    outlines = ElementTree.fromstring(playlists.opml(title, [(creator, made)]).encode())
    found = [dict(mount.attrib) for mount in outlines.iterfind("body/outline/outline")]
    assert [mount.get("text", "") for mount in found] == [clean(text) for text, _ in rows]
    assert [mount.get("subtext", "") for mount in found] == [clean(more) for _, more in rows]
    assert [outline.get("text") for outline in outlines.iterfind("body/outline")] == [clean(creator)]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="\ufffe\uffff")))
def test_of_what_xml_can_hold_nothing_is_lost(text: str) -> None:
    assert clean(text) == text


@given(hostile, hostile)
def test_lists_of_lines_have_a_line_for_each_field(title: str, other: str) -> None:
    made = [Entry(title, "http://host/a.mp3"), Entry(other, "http://host/b.mp3")]
    lines = playlists.m3u(made).split("\n")
    assert lines[2::2] == ["http://host/a.mp3", "http://host/b.mp3"]
    assert len(playlists.pls(made).split("\n")) == 10


async def test_icecasts_clients_read_the_status() -> None:
    async with served(station("bach", "ragtime", formats=("mp3", "opus", "flac"), url="http://home.example")) as (
        url,
        session,
    ):
        async with session.get(f"{url}/status-json.xsl") as answer:
            assert answer.content_type == "application/json"
            told = (await answer.json())["icestats"]
        async with session.get(f"{url}/status-json.xsl?mount=/bach.opus") as answer:
            one = (await answer.json())["icestats"]["source"]
        async with session.get(f"{url}/status-json.xsl?mount=/none.mp3") as answer:
            assert "source" not in (await answer.json())["icestats"]
    assert [source["listenurl"].removeprefix(url) for source in told["source"]][:3] == [
        "/bach.mp3",
        "/bach.opus",
        "/bach.flac",
    ]
    assert told["source"][0]["bitrate"] == 128
    assert "bitrate" not in told["source"][2]
    assert one["server_type"] == "audio/ogg"
    assert one["title"].startswith("<b>“Bach” & 'Söhne'</b>")
    assert (one["listeners"], one["listener_peak"]) == (0, 0)


async def test_the_status_has_the_keys_and_kinds_of_a_real_icecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one mount that is sent to Icecast, both servers say the same, but for their names, addresses and times."""
    monkeypatch.setenv("ICECAST_PASSWORD", PASSWORD)
    async with icecast(tmp_path) as server:
        sink = IcecastConfig("icecast", server.url)
        air = Transmitter(sink, formats=("mp3",), url="http://home.example", length=9999)
        object.__setattr__(air.transmission.config, "genre", "Baroque")
        object.__setattr__(air.transmission.config, "description", "Endlessly.")
        async with air:
            async with air.playing():
                async with asyncio.timeout(60):
                    while "title" not in (await server.sources()).get("/bach.mp3", {}):
                        await asyncio.sleep(0.05)
            async with ClientSession() as session, session.get(f"{server.url}/status-json.xsl") as answer:
                real = (await answer.json(content_type=None))["icestats"]
            ours = icestats(air.station, "http://127.0.0.1:8000", datetime.now(UTC))["icestats"]
    assert set(ours) <= set(real)
    assert isinstance(real["source"], dict)
    assert isinstance(ours["source"], dict)
    assert {key: type(value) for key, value in ours["source"].items()} == {
        key: type(value) for key, value in real["source"].items()
    }
    own = {"listenurl", "stream_start", "stream_start_iso8601"}
    assert {key: value for key, value in ours["source"].items() if key not in own} == {
        key: value for key, value in real["source"].items() if key not in own
    }
    for document in (ours, real):
        pattern, iso = "%a, %d %b %Y %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z"
        assert datetime.strptime(document["server_start"], pattern) == datetime.strptime(
            document["server_start_iso8601"], iso
        )


def test_times_of_the_status_are_those_of_day() -> None:
    own = station("bach")
    told = icestats(own, "http://x", datetime(2026, 11, 22, 4, 0, 5, tzinfo=UTC))["icestats"]
    assert told["server_start"] == "Sun, 22 Nov 2026 04:00:00 +0000"
    source: dict[str, Any] = told["source"]
    assert source["stream_start_iso8601"] == "2026-11-22T03:59:56+0000"  # its burst was released at once


def named(own: StationConfig) -> dict[str, str]:
    channel = ChannelConfig("bach", "Bach", "Endlessly.", "Baroque")
    return {key.lower(): value for key, value in headers(own, channel, FORMATS["opus"]).items()}


def test_directories_find_in_the_headers_what_they_ask_for() -> None:
    told = named(StationConfig(name="Radio", listing=LISTING))
    assert {name: told[name] for name in (*LISTED, "icy-pub") if name in told} == {
        "icy-version": "2",
        "icy-index-metadata": "1",
        "icy-logo": "https://radio.example/logo.png",
        "icy-main-stream-url": "https://radio.example/bach.opus",
        "icy-country-code": "AT",
        "icy-language-codes": "en,deu",
        "icy-geo-lat-long": "48.2082,16.3738",
        "icy-pub": "1",
    }
    assert all(name in told["access-control-expose-headers"] for name in LISTED)


def test_a_station_that_is_not_public_asks_not_to_be_listed() -> None:
    told = named(StationConfig(listing=replace(LISTING, public=False)))
    assert told["icy-pub"] == "0"
    assert {name: told[name] for name in LISTED if name in told} == {
        "icy-version": "2",
        "icy-index-metadata": "1",
        "icy-do-not-index": "1",
    }


async def test_streaminfo_says_of_a_channel_what_its_headers_say() -> None:
    own = station("bach", "ragtime", title="Bach & Söhne", listing=LISTING)
    async with served(own) as (url, session):
        async with session.get(f"{url}/bach/streaminfo.json") as answer:
            told = json.loads(await answer.read())
        async with session.get(f"{url}/streaminfo.json") as answer:
            whole = json.loads(await answer.read())
    assert told["icy-name"].startswith("Bach & Söhne - ")
    assert told["icy-version"] == 2
    assert told["icy-main-stream-url"] == "https://radio.example/bach.mp3"
    # Directories let it override what every channel's headers say.
    assert not {"icy-name", "icy-genre", "icy-description", "icy-main-stream-url"} & set(whole)
    assert whole["icy-country-code"] == "AT"


async def test_streaminfo_of_a_station_with_one_channel_is_that_channels() -> None:
    own = station("bach", listing=LISTING)
    async with served(own) as (url, session), session.get(f"{url}/streaminfo.json") as answer:
        assert "icy-name" in await answer.json()
    async with served(station("bach")) as (url, session), session.get(f"{url}/streaminfo.json") as answer:
        assert await answer.json() == {"icy-version": 2, "icy-index-metadata": 1, "icy-do-not-index": 1}
