"""What is logged: the processes' own words, and a line for every request."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from fakes import Clock, Tones, config
from onair import arguments, listening, radio
from radio.air import access
from radio.air.access import escaped
from radio.air.server import application, served
from radio.air.station import Station
from radio.errors import MissingError
from radio.formats import BLOCK, RATE
from radio.logs import Json
from radio.remote import client, network

COMBINED = re.compile(
    r'(?P<host>\S+) - - \[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<bytes>\d+|-) '
    r'"(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)" (?P<seconds>\d+\.\d{3})'
)
"""A line of Apache's combined format, and seconds."""


def parsed(path: Path) -> list[dict[str, str]]:
    lines = path.read_text(encoding="ascii").splitlines()
    found = [COMBINED.fullmatch(line) for line in lines]
    assert all(found), lines
    return [line.groupdict() for line in found if line]


# --- the log ---


def test_a_record_is_one_line_of_json_with_its_trace() -> None:
    try:
        raise ValueError("no\nink")
    except ValueError:
        record = logging.LogRecord(
            "radio.air", logging.ERROR, "", 1, "%s failed – “%s”", ("bach", "x\ny"), sys.exc_info()
        )
    line = Json("air").format(record)
    told = json.loads(line)
    assert "\n" not in line
    assert (told["level"], told["process"], told["logger"]) == ("error", "air", "radio.air")
    assert told["message"] == "bach failed – “x\ny”"
    assert "ValueError: no\nink" in told["exception"]
    assert datetime.fromisoformat(told["time"]).timestamp() == pytest.approx(record.created, abs=0.001)


@pytest.mark.timeout(200)
async def test_with_json_every_line_of_every_process_is_json(tmp_path: Path) -> None:
    words = [*arguments(tmp_path, "bach"), "--set", "log=json"]
    async with radio("serve", *words) as process:
        await process.said('"message": ".*: on air at ')
        async with listening(str(json.loads(process.lines[-1])["message"]).split(" at ")[1].split()[0]) as own:
            pid = (await own.all_live())["studio"]["pid"]
        os.kill(pid, 9)
        await process.said("killed by SIGKILL")
    told = [json.loads(line) for line in process.lines]
    assert {"air"} <= {line["process"] for line in told} <= {"air", "studio"}
    assert {line["level"] for line in told} >= {"info", "error"}


# --- the access log ---


@asynccontextmanager
async def playing(path: Path, **station: object) -> AsyncIterator[tuple[Station, Clock, str]]:
    """A station that plays, and writes an access log."""
    clock = Clock()
    own = Station(config("bach", formats=("mp3",), **station), clock=clock)
    for packet in Tones("bach", station=own.config.station).packets(30):
        own.receive(packet)
    own.transmissions["bach"].advance(clock.now)
    async with access.writing(path) as log, served(application(own, log), "127.0.0.1", 0) as door:
        yield own, clock, f"http://127.0.0.1:{door.port}"


async def lines(path: Path, count: int) -> list[dict[str, str]]:
    """The lines, once there are so many."""
    async with asyncio.timeout(20):
        while not path.exists() or len(found := parsed(path)) < count:
            await asyncio.sleep(0.02)
    return found


async def test_requests_have_their_lines_whatever_they_send(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "access.log"
    async with playing(path) as (_, _, url), ClientSession() as session:
        agent = {"User-Agent": 'Evil "quoted" \\ agent', "Referer": "https://example.org/?a=b"}
        async with session.get(url + '/status.json?x="y"', headers=agent) as answer:
            size = len(await answer.read())
        async with session.get(url + "/polka.mp3") as answer:
            await answer.read()
        async with session.head(url + "/bach.mp3"):
            pass
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"\x00\xff garbage\r\n\r\n")
        await reader.read()
        writer.close()
        first, second, third, fourth = await lines(path, 4)
    assert first["host"] == "127.0.0.1"
    assert first["request"] == "GET /status.json?x=%22y%22 HTTP/1.1"
    assert (first["status"], first["bytes"]) == ("200", str(size))
    assert first["agent"] == r"Evil \"quoted\" \\ agent"
    assert first["referer"] == "https://example.org/?a=b"
    assert datetime.strptime(first["time"], "%d/%b/%Y:%H:%M:%S %z").tzinfo is not None
    assert second["status"] == "404"
    assert (third["request"], third["status"]) == ("HEAD /bach.mp3 HTTP/1.1", "200")
    assert fourth["status"] == "400"


@pytest.mark.parametrize("why", ["leaves", "kicked"])
async def test_a_listeners_line_has_the_bytes_and_seconds_and_is_written_as_it_ends(tmp_path: Path, why: str) -> None:
    path = tmp_path / "access.log"
    async with playing(path) as (station, clock, url):
        mount = station.transmissions["bach"].mounts["mp3"]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /bach.mp3 HTTP/1.1\r\nHost: x\r\nUser-Agent: VLC/3\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1000)
        (listener,) = mount.listeners
        assert not path.read_text()
        if why == "kicked":
            listener.end("kicked")
            await reader.read()
        writer.close()
        while why == "leaves" and mount.listeners:
            clock.now += BLOCK / RATE
            station.transmissions["bach"].advance(clock.now)
            await asyncio.sleep(0.02)
        (line,) = await lines(path, 1)
    assert (line["request"], line["status"], line["agent"]) == ("GET /bach.mp3 HTTP/1.1", "200", "VLC/3")
    assert int(line["bytes"]) == listener.sent > 10_000
    assert 0 <= float(line["seconds"]) < 60


async def test_a_feed_that_is_left_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with playing(path) as (station, _, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /bach/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"hello")
        writer.close()
        feed = station.transmissions["bach"].feed
        while feed.subscribers:
            feed.tell("{}")
            await asyncio.sleep(0.02)
        (line,) = await lines(path, 1)
    assert (line["request"], line["status"]) == ("GET /bach/events HTTP/1.1", "200")


async def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    async with playing(path) as (_, _, url), ClientSession() as session:
        await (await session.get(url + "/healthz")).read()
        await lines(path, 1)
        path.rename(moved)
        await (await session.get(url + "/status.json")).read()
        (second,) = await lines(path, 1)
        (first,) = parsed(moved)
    assert "/healthz" in first["request"]
    assert "/status.json" in second["request"]


async def test_behind_a_proxy_that_is_believed_the_line_has_the_listeners_own_address(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    async with playing(path, proxies=("127.0.0.0/8",)) as (_, _, url), ClientSession() as session:
        await (await session.get(url + "/healthz", headers=forwarded)).read()
        (line,) = await lines(path, 1)
    assert line["host"] == "192.0.2.7"


async def test_a_file_that_cannot_be_written_is_told_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match=r"access_log: .*file/access\.log"):
        async with access.writing(tmp_path / "file" / "access.log"):
            pass


@given(st.text())
def test_no_text_can_end_its_field_or_its_line(text: str) -> None:
    assert re.fullmatch(r'(?:[^"\\\n]|\\.)*', escaped(text))
    assert escaped(text).isascii()


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "wanted"),
    [
        ("192.0.2.1", "", [], "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", [], "192.0.2.1"),
        ("127.0.0.1", "198.51.100.9", ["127.0.0.1"], "198.51.100.9"),
        ("127.0.0.1", "10.0.0.1, 198.51.100.9", ["127.0.0.1"], "198.51.100.9"),
        ("127.0.0.1", "203.0.113.5, 198.51.100.9, 10.1.2.3", ["127.0.0.1", "10.0.0.0/8"], "198.51.100.9"),
        ("::1", "2001:db8::9", ["::1", "127.0.0.1"], "2001:db8::9"),
        ("127.0.0.1", "unknown, <script>", ["127.0.0.1"], "127.0.0.1"),
        ("", "198.51.100.9", ["127.0.0.1"], ""),
    ],
)
def test_forwarded_addresses_are_believed_as_far_as_proxies_are_known(
    peer: str, forwarded: str, proxies: list[str], wanted: str
) -> None:
    assert client(peer, forwarded, proxies) == wanted


addresses = st.ip_addresses().map(str)


@given(addresses, st.lists(addresses, max_size=4), st.lists(addresses, max_size=3))
def test_nobody_who_is_no_proxy_can_pass_for_another(peer: str, before: list[str], proxies: list[str]) -> None:
    if peer in proxies or any(network(peer) == network(proxy) for proxy in proxies):
        return
    assert client(peer, ", ".join(before), proxies) == peer
