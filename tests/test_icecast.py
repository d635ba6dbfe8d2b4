"""The Icecast sink, and a real Icecast."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecast import PASSWORD, icecast
from ports import free_port
from radio import ogg
from radio.air.icy import clean
from radio.air.sinks.icecast import fields
from radio.air.sinks.keeper import LONGEST, pause
from radio.air.sinks.source import REFUSED, credentials, head
from radio.errors import MissingError
from radio.formats import FORMATS, HEADER_PAGES, RATE
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import IcecastConfig
from transmitting import Transmitter

HOSTILE = "Prélude ’№ 1’ in \"G\" <b>&amp; 'x'; \\ 日本 🎹"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICECAST_PASSWORD", PASSWORD)


async def heard(url: str, seconds: float = 2.0) -> tuple[float, str]:
    """Frequency of the loudest partial that ffmpeg hears, and what it complains of."""
    command = f"ffmpeg -v error -i {url} -t {seconds} -f f32le -ac 1 -ar {RATE} -"
    process = await asyncio.create_subprocess_exec(
        *command.split(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 90)
    pcm = np.frombuffer(out, dtype="<f4")
    assert len(pcm) == seconds * RATE, errors.decode()
    spectrum = np.abs(np.fft.rfft(pcm[RATE // 2 :]))
    return float(np.fft.rfftfreq(len(pcm) - RATE // 2, 1 / RATE)[spectrum.argmax()]), errors.decode()


async def stream_title(url: str) -> str:
    """The title that ffprobe finds in the stream of the server."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags=StreamTitle", "-of", "json", url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    return str(json.loads(out)["format"]["tags"]["StreamTitle"])


@pytest.mark.parametrize("form", ["mp3", "aac", "opus", "mp3-192"])
async def test_a_player_hears_the_channel_from_the_server(tmp_path: Path, form: str) -> None:
    async with icecast(tmp_path) as server:
        sink = IcecastConfig("icecast", server.url, format=form, public=False)
        async with Transmitter(sink, length=100_000) as air, air.playing(speed=6):
            path = f"/bach.{FORMATS[form].extension}"
            async with asyncio.timeout(60):
                while (found := (await server.sources()).get(path)) is None or air.keepers[0].progress.bytes < 30_000:
                    await asyncio.sleep(0.1)
            hertz, complaints = await heard(server.url + path)
            assert hertz == pytest.approx(440 * 2 ** ((61 - 69) / 12), abs=5)
            assert not [line for line in complaints.splitlines() if "bytes of comment header remain" not in line]
            assert found["server_name"] == "Bach - Generative Radio"
            assert found["server_type"] == FORMATS[form].content_type.partition(";")[0]
            assert found["samplerate"] == RATE
            assert air.keepers[0].status()["state"] == "running"


async def test_titles_reach_the_servers_status_and_its_listeners_to_the_letter(tmp_path: Path) -> None:
    async with icecast(tmp_path) as server:
        sink = IcecastConfig("icecast", server.url, mount="/live/{channel}", charset="utf-8")
        async with Transmitter(sink, name="Rädio 日本") as air:
            await air.until(lambda: air.keepers[0].progress.bytes > 20_000)
            air.title = HOSTILE
            async with air.playing():
                async with asyncio.timeout(60):
                    while (found := (await server.sources()).get("/live/bach", {})).get("title") != clean(HOSTILE):
                        await asyncio.sleep(0.1)
                assert found["server_name"] == "Bach - Rädio 日本"
                assert await stream_title(f"{server.url}/live/bach") == clean(HOSTILE)


async def test_each_title_is_told_after_the_first_of_its_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with icecast(tmp_path) as server, Transmitter(IcecastConfig("icecast", server.url), length=10) as air:
        own = air.keepers[0].sink
        told: list[tuple[str, int]] = []

        async def update(session: object, query: dict[str, str]) -> str:
            told.append((query["song"], air.keepers[0].progress.bytes))
            return ""

        monkeypatch.setattr(own, "_update", update)
        await air.until(lambda: len(told) > 3)
        first = next(n for n, packet in enumerate(air.released) if packet.title == told[1][0])
        later = next(n for n, packet in enumerate(air.released) if packet.title == told[2][0])
        assert later - first == 10
        size = len(air.released[first].data["mp3"])
        assert 0 <= told[2][1] - told[1][1] - 10 * size <= size


async def test_the_sink_comes_back_after_the_server_was_killed(tmp_path: Path) -> None:
    port = free_port()
    sink = IcecastConfig("icecast", f"http://127.0.0.1:{port}")
    async with Transmitter(sink) as air:
        keeper = air.keepers[0]
        async with icecast(tmp_path, port) as server:
            await air.until(lambda: keeper.progress.bytes > 20_000)
            await server.kill()
            await air.until(lambda: keeper.progress.state == "failed")
            assert "127.0.0.1" in keeper.progress.error
        before = keeper.progress.bytes
        async with icecast(tmp_path, port) as server:
            await air.until(lambda: keeper.progress.bytes > before + 100_000, speed=16)
            assert keeper.progress.state == "running"
            async with air.playing():
                assert (await heard(f"{server.url}/bach.mp3", 1.0))[0] > 200
                assert "Tone No." in (await server.sources())["/bach.mp3"]["title"]


async def test_after_a_reconnection_the_sound_goes_on_where_it_is_released(tmp_path: Path) -> None:
    """Not where it broke off: what was released meanwhile is never sent."""
    got: list[bytes] = []
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"PUT"):
            got.append(b"")
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            index = len(got) - 1
            while data := await reader.read(65536):
                got[index] += data
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<return>1</return>")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sink = IcecastConfig("icecast", f"http://127.0.0.1:{port}", format="opus")
    async with server, Transmitter(sink) as air:
        await air.until(lambda: got and len(got[0]) > 30_000)
        for writer in connections:
            writer.transport.abort()
        await air.until(lambda: len(got) > 1 and len(got[1]) > 30_000, speed=20)
        await asyncio.sleep(0)
        before, after = ([page.sequence - HEADER_PAGES for page in whole_pages(data)] for data in got)
        assert before == [-2, -1, *range(before[2], before[2] + len(before) - 2)]
        assert after == [-2, -1, *range(after[2], after[2] + len(after) - 2)]
        assert after[2] > before[-1] + 1
        assert air.released[-1].number - after[-1] < 5


async def test_a_wrong_password_is_said_clearly_and_not_tried_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ICECAST_PASSWORD", "guess")
    async with icecast(tmp_path) as server, Transmitter(IcecastConfig("icecast", server.url)) as air:
        await air.until(lambda: air.keepers[0].progress.state == "failed")
        assert air.keepers[0].progress.error == f"{server.url}/bach.mp3: wrong password for user 'source'"
        lines = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [record.getMessage() for record in lines] == [
            f"sink icecast of /bach.mp3: {server.url}/bach.mp3: wrong password for user 'source'"
        ]
        assert lines[0].exc_info is None
    assert REFUSED >= 60


async def test_a_mount_in_use_is_said_clearly(tmp_path: Path) -> None:
    async with icecast(tmp_path) as server:
        first = IcecastConfig("icecast", server.url, mount="/one")
        async with Transmitter(first) as air:
            await air.until(lambda: air.keepers[0].progress.state == "running")
            async with Transmitter(first) as other:
                await other.until(lambda: other.keepers[0].progress.state == "failed")
                assert other.keepers[0].progress.error.endswith("/one: the mount is in use by another source")
            assert air.keepers[0].progress.state == "running"


async def test_a_server_that_is_not_there_is_said_clearly_and_others_hear_all() -> None:
    port = free_port()
    async with Transmitter(IcecastConfig("icecast", f"http://127.0.0.1:{port}")) as air:
        await air.until(lambda: air.keepers[0].progress.state == "failed")
        assert (
            air.keepers[0].progress.error == f"http://127.0.0.1:{port}/bach.mp3: cannot be reached: Connection refused"
        )
        assert air.transmission.channel.state == "live"
    assert air.mount().receptions == 0


async def test_something_else_than_a_web_server_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Transmitter(IcecastConfig("icecast", address)) as air:
            await air.until(lambda: air.keepers[0].progress.state == "failed")
            assert "refused: 220 mail.example ESMTP" in air.keepers[0].progress.error


async def test_its_format_is_asked_for_as_long_as_it_runs_and_no_longer(tmp_path: Path) -> None:
    async with icecast(tmp_path) as server:
        air = Transmitter(IcecastConfig("icecast", server.url, format="aac"))
        await air.play(30)
        assert air.transmission.channel.formats == ()
        async with air:
            await air.until(lambda: air.keepers[0].progress.bytes > 10_000)
            await air.play(200)
            assert air.transmission.channel.formats == ("aac",)
        await air.play(150)
        assert air.transmission.channel.formats == ()


async def test_a_password_that_is_not_in_the_environment_is_an_error_that_says_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ICECAST_PASSWORD")
    with pytest.raises(MissingError, match=r"ICECAST_PASSWORD.*password_env"):
        async with Transmitter(IcecastConfig("icecast", "http://icecast.example")):
            pass


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_are_spread_and_end(failures: int, chance: float) -> None:
    assert 1 <= pause(failures, chance) <= LONGEST
    assert pause(failures, 0) <= 2 * pause(failures, chance)
    assert pause(failures, chance) <= pause(failures + 1, chance)


def whole_pages(data: bytes) -> list[ogg.Page]:
    """The Ogg pages that are there whole."""
    return list(ogg.pages(data[: data.rindex(b"OggS")]))


hostile = st.text(max_size=40) | st.sampled_from(["a\r\nX: y", "\r\n\r\n", "日本", "\0"])


@given(hostile, hostile, st.sampled_from(["latin-1", "utf-8"]))
def test_no_name_ends_its_header(title: str, genre: str, charset: str) -> None:
    channel = ChannelConfig("bach", title, genre=genre)
    own = fields(StationConfig(name="R"), channel, FORMATS["mp3"], public=True)
    made = head("/bach.mp3", "host", credentials("source", "p"), own, charset)
    assert made.endswith(b"\r\n\r\n")
    assert made.count(b"\r\n\r\n") == 1
    lines = made[:-4].split(b"\r\n")
    assert lines[0] == b"PUT /bach.mp3 HTTP/1.1"
    names = [line.split(b": ")[0].decode() for line in lines[1:]]
    assert set(names) <= {"Host", "Authorization", "User-Agent", "Expect", *own}
    assert base64.b64decode(lines[2].split(b" ")[2]) == b"source:p"
