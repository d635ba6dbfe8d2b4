from __future__ import annotations

import asyncio
import errno
import http.client
import io
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aired import Air, aired
from fakes import config
from radio.air import door as doors
from radio.air.door import LONGEST, Door, call

GET = b"GET /bach.mp3 HTTP/1.1\r\nHost: radio\r\n"
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
NAMES = st.sampled_from(("Host", "Icy-MetaData", "User-Agent", "Range", "x-forwarded-for", "CONNECTION")) | (
    st.text("abcXYZ019-_.!~", min_size=1, max_size=12).map("X-".__add__)
)


@given(
    st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True), st.sampled_from(["mp3", "opus", "wav"]), st.integers(0, 1),
    st.lists(st.tuples(NAMES, VALUES), max_size=6, unique_by=lambda header: header[0].lower()),
)  # fmt: skip
def test_a_call_has_the_headers_that_another_parser_reads(
    channel: str, extension: str, minor: int, headers: list[tuple[str, str]]
) -> None:
    first = f"GET /{channel}.{extension} HTTP/1.{minor}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    asked = call(f"{first}\r\n{lines}".encode())
    assert (asked is None) == (minor == 1 and not any(name == "Host" for name, _ in headers))
    if asked is None:
        return
    assert (asked.channel, asked.extension, asked.minor, asked.line) == (channel, extension, minor, first)
    other = http.client.parse_headers(io.BytesIO(lines.encode()))
    assert asked.headers == {name.lower(): value.strip() for name, value in other.items()}


@pytest.mark.parametrize(
    "begun",
    [
        b"", GET, GET + b"A: x\r\n", GET[:-2] + b"\n\n", GET + b"\r\nhello", (GET + b"\r\n") * 2,
        b"HEAD /bach.mp3 HTTP/1.1\r\n\r\n", b"POST /bach.mp3 HTTP/1.1\r\n\r\n", b"get /bach.mp3 HTTP/1.1\r\n\r\n",
        b"GET /bach.mp3 HTTP/2.0\r\n\r\n", b"GET /bach.mp3 HTTP/1.1 \r\n\r\n", b"GET  /bach.mp3 HTTP/1.1\r\n\r\n",
        b"GET /bach.mp3?tune=1 HTTP/1.1\r\n\r\n", b"GET /b%61ch.mp3 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
        b"GET /bach/feed HTTP/1.1\r\n\r\n", b"GET /../bach.mp3 HTTP/1.1\r\n\r\n", b"GET /b\xe4ch.mp3 HTTP/1.1\r\n\r\n",
        GET + b"Content-Length: 5\r\n\r\n", GET + b"transfer-encoding: chunked\r\n\r\n", GET + b"UPGRADE: h2c\r\n\r\n",
        GET + b"Expect: 100-continue\r\n\r\n", GET + b"A: x\r\n folded\r\n\r\n", GET + b"NoColon\r\n\r\n",
        GET + b": empty\r\n\r\n", GET + b"A : x\r\n\r\n", GET + b"A: \0\r\n\r\n", GET + b"A: \xe2\x98\x83\r\n\r\n",
        GET + b"A: x\nIcy-MetaData: 1\r\n\r\n", GET + b"A: x\rIcy-MetaData: 1\r\n\r\n",
        GET + b"host: other\r\n\r\n", b"GET /bach.mp3 HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_plain_and_whole_request_for_sound_is_left_to_the_web_server(begun: bytes) -> None:
    assert call(begun) is None


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    async with aired(config("bach", formats=("mp3", "opus"), proxies=("127.0.0.0/8",))) as made:
        made.send("bach", 40)
        await made.run(0.3)
        yield made


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Connections that the door has left to the web server."""
    found: list[socket.socket] = []
    leave = Door._pass

    def left(own: Door, connection: socket.socket) -> None:
        found.append(connection)
        leave(own, connection)

    monkeypatch.setattr(Door, "_pass", left)
    return found


async def ask(air: Air, *parts: bytes, most: int = 40_000) -> bytes:
    """What comes first of the answer to a request that is sent in parts, each after the one before has arrived."""
    reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
    got = b""
    try:
        async with asyncio.timeout(20):
            for part in parts:
                before = air.door.connections()
                writer.write(part)
                while part is not parts[-1] and air.door.connections().keys() == before.keys():
                    await asyncio.sleep(0)
            while len(got) < most and (data := await reader.read(1 << 16)):
                got += data
    finally:
        writer.close()
    return got[:most]


@pytest.mark.parametrize("path", [b"/bach.mp3", b"/bach.opus"])
@pytest.mark.parametrize("minor", [b"0", b"1"])
@pytest.mark.parametrize("headers", [b"", b"Icy-MetaData: 1\r\n", b"icy-metadata:  0 \r\nRange: bytes=0-\r\n"])
async def test_the_door_answers_byte_by_byte_what_the_web_server_does(
    air: Air, passed: list[socket.socket], path: bytes, minor: bytes, headers: bytes
) -> None:
    request = b"GET %b HTTP/1.%b\r\nHost: radio\r\n%b\r\n" % (path, minor, headers)
    await ask(air, request, most=1)  # the first listener to a format waits for it
    passed.clear()
    at_door = await ask(air, request)
    assert not passed
    by_server = await ask(air, request[:20], request[20:])
    assert len(passed) == 1
    assert at_door.startswith(b"HTTP/1.%b 200 OK\r\n" % minor)
    head, _, sound = at_door.partition(b"\r\n\r\n")
    assert len(sound) > 1000
    other_head, _, other_sound = by_server.partition(b"\r\n\r\n")
    assert head == other_head
    assert sound == other_sound


async def test_a_listener_at_the_door_is_known_by_the_address_that_a_proxy_of_ours_names(air: Air) -> None:
    request = GET + b"X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n\r\n"
    assert await ask(air, request, most=100)
    assert air.station.addresses == {"192.0.2.7": 1}


async def test_a_changed_channel_has_another_head_at_once(air: Air) -> None:
    request = GET + b"\r\n"
    assert b"icy-name: Bach" in await ask(air, request, most=2000)
    found = air.station.transmissions["bach"]
    found.config = replace(found.config, title="Köthen")
    assert "icy-name: Köthen".encode("latin-1") in await ask(air, request, most=2000)


async def test_who_goes_without_a_word_is_forgotten(air: Air, passed: list[socket.socket]) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", air.port)
    async with asyncio.timeout(10):
        while not air.door.connections():
            await asyncio.sleep(0)
        writer.close()
        while air.door.connections():
            await asyncio.sleep(0)
    assert air.station.listeners == 0


async def test_a_head_longer_than_the_door_reads_is_answered_all_the_same(
    air: Air, passed: list[socket.socket]
) -> None:
    request = GET + b"Cookie: " + b"a" * LONGEST + b"\r\n\r\n"
    assert (await ask(air, request)).startswith(b"HTTP/1.1 200 OK")
    assert len(passed) == 1


async def test_who_has_asked_nothing_is_let_go_as_the_door_closes() -> None:
    async with aired(config("bach")) as air:
        reader, writer = await asyncio.open_connection("127.0.0.1", air.port)
        async with asyncio.timeout(10):
            while not air.door.connections():
                await asyncio.sleep(0)
    assert await reader.read() == b""
    writer.close()


class Exhausted(socket.socket):
    """A listening socket of a process that has as many files open as it may."""

    refusals = 0

    def accept(self) -> tuple[socket.socket, object]:
        if Exhausted.refusals:
            Exhausted.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_when_there_are_no_files_left_connections_wait_until_there_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(doors, "PAUSE", 0.01)
    monkeypatch.setattr(socket, "socket", Exhausted)
    monkeypatch.setattr(Exhausted, "refusals", 2)
    async with aired(config("bach", formats=("mp3",))) as air:
        air.send("bach", 40)
        await air.run(0.3)
        with caplog.at_level(logging.ERROR):
            assert (await ask(air, GET + b"\r\n", most=100)).startswith(b"HTTP/1.1 200 OK")
    assert [record.getMessage() for record in caplog.records] == [
        "no connection is accepted for 0 s: Too many open files"
    ] * 2


async def test_two_cannot_have_one_address() -> None:
    async with aired(config("bach")) as air:
        other = Door(None, lambda own, address, asked: False)  # type: ignore[arg-type]
        with pytest.raises(OSError, match="in use"):
            await other.open("127.0.0.1", air.port)
        other.close()
