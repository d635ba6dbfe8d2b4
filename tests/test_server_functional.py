"""The web server over real sockets: what players send, and what they must get."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, WSMsgType

from aired import Air, aired
from fakes import config
from radio.air import listener as listeners
from radio.air import station as stations
from radio.formats import BLOCK, FORMATS, RATE, Format
from sound import decode


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    async with aired(config("bach", "ragtime")) as made:
        made.send("bach", 40)
        await made.run(0.3)
        yield made


async def raw(air: Air, request: bytes, *, most: int = 1 << 20, until: int = 0) -> bytes:
    """What the server answers to these bytes, until it closes or `until` bytes are there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    writer.write(request)
    got = b""
    async with asyncio.timeout(10):
        while len(got) < most and (not until or len(got) < until):
            data = await reader.read(65536)
            if not data:
                break
            got += data
    writer.close()
    return got


def parse(answer: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}, body


async def test_a_listener_gets_a_burst_of_whole_frames_at_once(air: Air) -> None:
    line, headers, body = parse(await raw(air, b"GET /bach.mp3 HTTP/1.1\r\nHost: x\r\n\r\n", until=60_000))
    assert line == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "audio/mpeg"
    assert headers["connection"] == "close"
    assert headers["accept-ranges"] == "none"
    assert headers["icy-name"].startswith("Bach")
    assert headers["access-control-allow-origin"] == "*"
    assert "transfer-encoding" not in headers
    assert "content-length" not in headers
    assert "icy-metaint" not in headers
    assert body[:2] == b"\xff\xfb"
    assert int(headers["x-radio-frame"]) == -FORMATS["mp3"].delay
    assert len(decode(body[: len(body) // 384 * 384])) > 2 * RATE


async def test_an_http_1_0_player_is_answered_in_http_1_0(air: Air) -> None:
    line, _, body = parse(await raw(air, b"GET /bach.mp3 HTTP/1.0\r\n\r\n", until=20_000))
    assert line == "HTTP/1.0 200 OK"
    assert body[:2] == b"\xff\xfb"


@pytest.mark.parametrize("form", [name for name, form in FORMATS.items() if form.icy and not form.codec])
async def test_titles_are_in_the_audio_when_asked_for_and_ffprobe_reads_them(air: Air, form: str) -> None:
    request = f"GET /bach.{form} HTTP/1.1\r\nHost: x\r\nicy-metadata:1\r\n\r\n"
    _, headers, body = parse(await raw(air, request.encode(), until=20_000))
    metaint = int(headers["icy-metaint"])
    length = body[metaint] * 16
    assert body[metaint + 1 : metaint + 1 + length].rstrip(b"\0") == b"StreamTitle='Tone No. 1';"
    air.send("bach", 60)
    keep = asyncio.create_task(_keep_running(air))
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "json", f"{air.url}/bach.{form}"]
    probe = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await asyncio.wait_for(probe.communicate(), 30)
    keep.cancel()
    tags = json.loads(out)["format"]["tags"]
    assert not err
    assert tags["StreamTitle"].startswith("Tone No.")
    assert tags["icy-name"].startswith("Bach")


async def _keep_running(air: Air) -> None:
    while True:
        air.send("bach", 1)
        await air.run(BLOCK / RATE)
        await asyncio.sleep(0.02)


async def test_range_is_answered_with_the_whole_stream(air: Air) -> None:
    request = b"GET /bach.mp3 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n"
    line, headers, _ = parse(await raw(air, request, until=9000))
    assert line == "HTTP/1.1 200 OK"
    assert "content-range" not in headers


async def test_head_has_the_headers_and_no_body(air: Air) -> None:
    line, headers, body = parse(await raw(air, b"HEAD /bach.mp3 HTTP/1.1\r\nHost: x\r\nIcy-MetaData: 1\r\n\r\n"))
    assert line == "HTTP/1.1 200 OK"
    assert headers["icy-metaint"] == "3840"
    assert body == b""


async def test_options_say_what_is_allowed(air: Air) -> None:
    line, headers, body = parse(await raw(air, b"OPTIONS /bach.mp3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert line.startswith("HTTP/1.1 204")
    assert headers["allow"] == "GET, HEAD, OPTIONS"
    assert "Icy-MetaData" in headers["access-control-allow-headers"]
    assert body == b""


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
async def test_every_format_begins_with_its_header_and_whole_packets_and_decodes(air: Air, form: Format) -> None:
    await air.run(3)
    channel = air.station.transmissions["bach"].channel
    first = channel.log.burst(channel.burst)
    packets = [channel.log[number].data[form.name] for number in range(first, first + 8)]
    whole = channel.headers[form.name] + b"".join(packets)
    request = f"GET /bach.{form.extension} HTTP/1.1\r\nHost: x\r\nIcy-MetaData: 1\r\n\r\n"
    _, headers, body = parse(await raw(air, request.encode(), until=len(whole) + 5000))
    assert headers["content-type"] == form.content_type
    assert ("icy-metaint" in headers) == form.icy
    assert int(headers["x-radio-frame"]) == first * BLOCK - form.delay_at(first * BLOCK)
    if not form.icy:
        assert body.startswith(whole)
    assert abs(len(decode(whole)) - 8 * BLOCK) <= max(form.grid, 312)


async def test_the_first_listener_of_a_format_hears_what_was_made_for_nobody(air: Air) -> None:
    air.silence("bach")
    air.send("bach", 40)
    await air.run(12)
    _, headers, body = parse(await raw(air, b"GET /bach.opus HTTP/1.1\r\nHost: x\r\n\r\n", until=30_000))
    channel = air.station.transmissions["bach"].channel
    assert int(headers["x-radio-frame"]) == BLOCK * channel.log.burst(channel.burst)
    assert len(decode(body[: body.rindex(b"OggS")])) > RATE


async def test_a_format_is_made_as_long_as_it_is_heard_and_a_while_longer(air: Air) -> None:
    channel = air.station.transmissions["bach"].channel
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    writer.write(b"GET /bach.mp3 HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    drained = asyncio.create_task(_drain(reader))
    for _ in range(200):
        air.send("bach", 1)
        await air.run(BLOCK / RATE)
    assert channel.formats == ("mp3",)
    for listener in tuple(air.station.transmissions["bach"].mounts["mp3"].listeners):
        listener.end("left")
    await drained
    await air.run(stations.LINGER - 1)
    assert channel.formats == ("mp3",)
    await air.run(1.5)
    assert channel.formats == ()
    writer.close()


async def test_without_a_studio_a_format_nobody_heard_is_503_in_time(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stations, "PATIENCE", 0.01)
    air.silence("bach")
    air.send("bach", 30)
    air.station.on_credit = lambda channel: None
    await air.run(14)
    async with ClientSession() as session, session.get(f"{air.url}/bach.opus") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert "/bach.opus cannot be made now" in await answer.text()


async def test_a_channel_that_is_not_there_is_404_with_near_names(air: Air) -> None:
    async with ClientSession() as session, session.get(f"{air.url}/bahc.mp3") as answer:
        assert answer.status == 404
        assert await answer.json() == {
            "error": "no such channel",
            "got": "bahc",
            "near": ["bach"],
            "channels": ["bach", "ragtime"],
        }


@pytest.mark.parametrize(
    ("method", "path", "code", "words"),
    [
        ("GET", "/bach.wma", 404, ["no such format", "mp3"]),
        ("GET", "/nowhere/at/all", 404, ["Not Found", "channels"]),
        ("POST", "/status.json", 405, ["Method Not Allowed", "GET"]),
        ("DELETE", "/bach.mp3", 405, ["Method Not Allowed", "GET"]),
        ("GET", "/ragtime.mp3", 503, ["not on the air yet", "starting"]),
        ("GET", "/bach/feed", 426, ["WebSocket", "/bach/events"]),
    ],
)
async def test_errors_are_json_that_say_what_was_wanted(
    air: Air, method: str, path: str, code: int, words: list[str]
) -> None:
    async with ClientSession() as session, session.request(method, air.url + path) as answer:
        assert answer.status == code
        assert answer.content_type == "application/json"
        text = json.dumps(await answer.json())
        assert all(word in text for word in words), text


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
        b"GET\r\n\r\n",
        b"\x00\xff\xfe garbage \r\n\r\n",
        b"GET /bach.mp3 HTTP/9.9\r\n\r\n",
        b"GET /status.json HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["tls", "no version", "binary", "version", "long header", "long line"],
)
async def test_garbage_is_answered_400_and_harms_nobody(air: Air, garbage: bytes) -> None:
    answer = await raw(air, garbage)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    async with ClientSession() as session, session.get(f"{air.url}/healthz") as healthy:
        assert healthy.status == 200


async def test_a_listener_that_never_reads_is_let_go_and_others_hear_all(air: Air) -> None:
    air.tones["bach"].length = 10_000
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect(("127.0.0.1", air.port))
    stuck.sendall(b"GET /bach.mp3 HTTP/1.1\r\nHost: x\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    writer.write(b"GET /bach.mp3 HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    listening = asyncio.create_task(_drain(reader))
    mount = air.station.transmissions["bach"].mounts["mp3"]
    for _ in range(round((listeners.PATIENCE + 45) * RATE / BLOCK)):
        air.send("bach", 1)
        await air.run(BLOCK / RATE)
        if mount.ended:
            break
    assert mount.ended == {"frozen": 1}
    assert len(mount.listeners) == 1
    air.station.close()
    assert await listening == (air.station.transmissions["bach"].channel.log.next) * 3840
    writer.close()
    stuck.close()


async def _drain(reader: asyncio.StreamReader) -> int:
    """Reads to the end; how many bytes there were."""
    heard = 0
    async with asyncio.timeout(60):
        while data := await reader.read(65536):
            heard += len(data)
    return heard


async def test_a_listener_who_leaves_is_counted_as_left(air: Air) -> None:
    await raw(air, b"GET /bach.mp3 HTTP/1.1\r\nHost: x\r\n\r\n", until=9000)
    mount = air.station.transmissions["bach"].mounts["mp3"]
    for _ in range(40):
        air.send("bach", 1)
        await air.run(BLOCK / RATE)
        await asyncio.sleep(0.01)
    assert mount.ended == {"left": 1}
    assert not mount.listeners


async def test_an_encore_can_be_heard_without_a_break_in_the_stream(air: Air) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    writer.write(b"GET /bach.mp3 HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    body = b""
    for _ in range(34):
        await air.run(stations.EACH * BLOCK / RATE)
        body += await reader.read(65536)
    assert air.station.transmissions["bach"].channel.state == "encore"
    sound = decode(body[: len(body) // 384 * 384])
    assert len(sound) > 20 * RATE
    windows = abs(sound[RATE : 20 * RATE, 0]).reshape(-1, RATE // 2).max(axis=1)
    assert windows.min() > 0.1
    writer.close()


async def test_the_feed_greets_tells_notes_ahead_and_where_the_audio_begins(air: Air) -> None:
    async with ClientSession() as session, session.ws_connect(f"{air.url}/bach/feed?tune=me") as feed:
        hello = await feed.receive_json(timeout=5)
        assert (hello["event"], hello["channel"], hello["rate"]) == ("hello", "bach", RATE)
        assert hello["piece"]["title"] == "Tone No. 1"
        await raw(air, b"GET /bach.mp3?tune=me HTTP/1.1\r\nHost: x\r\n\r\n", until=9000)
        air.send("bach", 20)
        await air.run(4.8)
        got = []
        while not {"note", "bar", "title", "tuned", "clock"} <= {message["event"] for message in got}:
            got.append(await feed.receive_json(timeout=5))
        assert next(m for m in got if m["event"] == "tuned")["frame"] == -FORMATS["mp3"].delay
        notes = [m for m in got if m["event"] == "note"]
        assert max(m["at"] for m in notes) > air.station.transmissions["bach"].channel.frame


async def test_a_feed_that_joins_after_its_audio_is_told_where_it_began(air: Air) -> None:
    await raw(air, b"GET /bach.mp3?tune=me HTTP/1.1\r\nHost: x\r\n\r\n", until=9000)
    async with ClientSession() as session, session.ws_connect(f"{air.url}/bach/feed?tune=me") as feed:
        while (message := await feed.receive_json(timeout=5))["event"] != "tuned":
            pass
        assert message["frame"] == -FORMATS["mp3"].delay


async def test_beginnings_of_audio_are_remembered_for_the_latest_alone(air: Air) -> None:
    feed = air.station.transmissions["bach"].feed
    for number in range(100):
        feed.tuned(f"{number}", number)
    assert list(feed._tuned.values()) == list(range(36, 100))


async def test_server_sent_events_carry_the_same_feed(air: Air) -> None:
    async with ClientSession() as session, session.get(f"{air.url}/bach/events") as answer:
        assert answer.content_type == "text/event-stream"
        line = await asyncio.wait_for(answer.content.readline(), 5)
        assert json.loads(line.removeprefix(b"data: "))["event"] == "hello"


async def test_garbage_on_the_feed_closes_it_alone(air: Air) -> None:
    async with ClientSession() as session:
        feed = await session.ws_connect(f"{air.url}/bach/feed")
        await feed.receive_json(timeout=5)
        transport = feed._response.connection.transport  # type: ignore[union-attr]
        transport.write(b"\xff\xff" + bytes(range(256)))
        kinds = set()
        async with asyncio.timeout(5):
            while not kinds & {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR}:
                kinds.add((await feed.receive()).type)
        async with session.get(f"{air.url}/healthz") as healthy:
            assert healthy.status == 200
    assert not air.station.transmissions["bach"].feed.subscribers


async def test_status_tells_of_every_channel(air: Air) -> None:
    async with ClientSession() as session, session.get(f"{air.url}/status.json") as answer:
        told = await answer.json()
    bach, ragtime = told["channels"]["bach"], told["channels"]["ragtime"]
    assert bach["state"] == "live"
    assert ragtime["state"] == "starting"
    assert bach["now"]["title"] == "Tone No. 1"
    assert bach["mounts"][0] == {"path": "/bach.mp3", "format": "mp3", "content_type": "audio/mpeg", "bitrate": 128}
    assert bach["lookahead"] > 3


@pytest.mark.parametrize(("path", "kind"), [("/bach.m3u", "audio/x-mpegurl"), ("/bach.pls", "audio/x-scpls")])
async def test_playlists_lead_to_the_mount(air: Air, path: str, kind: str) -> None:
    async with ClientSession() as session, session.get(air.url + path) as answer:
        assert answer.content_type == kind
        assert f"{air.url}/bach.mp3" in await answer.text()


async def test_a_full_station_says_so(air: Air) -> None:
    object.__setattr__(air.station.config.station, "max_listeners", 0)
    async with ClientSession() as session, session.get(f"{air.url}/bach.mp3") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]


async def test_signing_off_ends_every_listener(air: Air) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    writer.write(b"GET /bach.mp3 HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    air.station.close()
    async with asyncio.timeout(5):
        await reader.read(-1)
    writer.close()
