"""The administrator's addresses: who may, who listens, and what becomes of a piece that is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from fakes import config
from onair import Listening, arguments, listening, radio, whole
from radio.air import admin
from radio.air.admin import Refused, authorize
from radio.air.server import application
from radio.air.station import Station
from radio.config import load_station
from radio.formats import BLOCK, RATE
from sound import decode

TOKEN = "correct horse battery staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ADDRESSES = (
    ("GET", "/api/listeners"),
    ("DELETE", "/api/listeners/1"),
    ("POST", "/api/channels/bach/skip"),
    ("POST", "/api/reload"),
)


@asynccontextmanager
async def idle(**station: object) -> AsyncIterator[str]:
    """The address of a station that nobody has sent anything."""
    runner = web.AppRunner(application(Station(config("bach", **station))))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
    async with ClientSession() as session, session.request(method, url + path, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
async def test_without_a_token_there_is_no_administration(method: str, path: str) -> None:
    async with idle() as url:
        status, told, _ = await ask(url, method, path, BEARER)
    assert status == 404
    assert told == {"error": "this station has no administration", "wanted": admin.WANTED}


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic " + TOKEN}])
@pytest.mark.parametrize(("method", "path"), ADDRESSES)
async def test_whoever_has_not_the_token_is_refused(method: str, path: str, given: dict[str, str]) -> None:
    async with idle(admin_token=TOKEN) as url:
        status, told, headers = await ask(url, method, path, given)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert TOKEN not in str(told)


@given(st.text())
def test_no_other_header_than_the_tokens_own_is_let_in(header: str) -> None:
    words = header.split(" ", 1)
    if len(words) == 2 and words[0].lower() == "bearer" and words[1].strip() == TOKEN:
        return
    with pytest.raises(Refused):
        authorize(header, TOKEN)
    with pytest.raises(Refused):
        authorize(header, "")


def test_the_token_may_come_from_the_environment_and_is_not_shown(
    station: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADIO_ADMIN_TOKEN", TOKEN)
    found = load_station(station, admin_token="another")
    assert found.admin_token == TOKEN
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/listeners?mount=/bach.wma", 404, "no such mount"),
        ("DELETE", "/api/listeners/17", 404, "no such listener"),
        ("POST", "/api/channels/polka/skip", 404, "no such channel"),
        ("POST", "/api/channels/bach/skip", 409, "nothing else to play"),
        ("GET", "/api/reload", 405, "POST"),
    ],
)
async def test_errors_say_what_was_wanted(method: str, path: str, status: int, words: str) -> None:
    async with idle(admin_token=TOKEN) as url:
        got, told, _ = await ask(url, method, path, BEARER)
    assert got == status
    assert words in str(told)


@asynccontextmanager
async def on_air(tmp_path: Path, *names: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listening]:
    """A station of the command's own, with an administrator, once its studio is ahead."""
    monkeypatch.setenv("RADIO_ADMIN_TOKEN", TOKEN)
    async with (
        radio("serve", *arguments(tmp_path, *names)) as process,
        listening((await process.said(r"on air at (\S+)"))[1]) as own,
    ):
        await own.all_ahead(18)
        yield own


@pytest.mark.timeout(200)
async def test_listeners_are_told_and_one_is_sent_away_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_air(tmp_path, "bach", monkeypatch=monkeypatch) as own:
        own.tune_in("/bach.mp3", "/bach.opus")
        await own.until(lambda s: s["listeners"] == 2)
        _, told, _ = await ask(own.url, "GET", "/api/listeners", BEARER)
        assert [one["mount"] for one in told["listeners"]] in (["/bach.mp3", "/bach.opus"], ["/bach.opus", "/bach.mp3"])
        status, told, _ = await ask(own.url, "GET", "/api/listeners?mount=/bach.mp3", BEARER)
        (one,) = told["listeners"]
        assert (status, one["address"], one["mount"]) == (200, "127.0.0.1", "/bach.mp3")
        assert "aiohttp" in one["agent"]
        assert one["bytes"] >= 3 * 16_000
        assert 0 <= one["seconds"] < 60
        assert 0 <= one["behind"] < 2
        status, told, _ = await ask(own.url, "DELETE", f"/api/listeners/{one['id']}", BEARER)
        assert (status, told["kicked"]["id"]) == (200, one["id"])
        after = await own.until(lambda s: own.tapes["/bach.mp3"].over and s["listeners"] == 1)
        assert after["channels"]["bach"]["ended"] == {"kicked": 1}
        assert not own.tapes["/bach.opus"].over


@pytest.mark.timeout(300)
async def test_a_skipped_piece_dies_away_and_another_follows_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_air(tmp_path, "bach", "folk", monkeypatch=monkeypatch) as own:
        own.tune_in("/bach.mp3", "/folk.mp3")
        own.follow("bach")

        def amid(status: dict[str, Any]) -> bool:
            """Whether both are tuned in, and the piece is neither at its start nor where it ends by itself."""
            now = status["channels"]["bach"]["now"]
            return status["listeners"] == 2 and now["bar"] >= 2 and now["bars"] - now["bar"] >= 5

        before = await own.until(amid, 120)
        asked = before["channels"]["bach"]
        status, told, _ = await ask(own.url, "POST", "/api/channels/bach/skip", BEARER)
        assert (status, told["skipped"]) == (200, asked["now"]["title"])
        assert 4 < told["seconds"] < 8
        after = await own.until(lambda s: s["channels"]["bach"]["now"]["title"] != asked["now"]["title"])
        took = (after["channels"]["bach"]["now"]["started"] - asked["frame"]) / RATE
        # Long before it would have ended, however little of the machine the studio has.
        left = asked["now"]["bars"] - asked["now"]["bar"]
        assert took < max(told["seconds"] + 3, left / 2)
        await own.until(
            lambda s: s["channels"]["bach"]["frame"] > after["channels"]["bach"]["now"]["started"] + 4 * RATE
        )
        done = await own.status()
        for name in ("bach", "folk"):
            tape = own.tapes[f"/{name}.mp3"]
            assert not tape.over
            assert tape.spare > 1.0
            assert done["channels"][name]["encores"] == 0
        frames = [event["at"] for event in own.notes["bach"] if event["event"] == "title"]
        assert frames == sorted(frames)
        pcm = decode(whole(own.tapes["/bach.mp3"].data))
        assert len(pcm) > 5 * RATE
        assert abs(pcm[BLOCK:]).max() > 0.02


@pytest.mark.timeout(200)
async def test_files_with_errors_are_answered_with_every_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "channels"
    folder.mkdir()
    (folder / "bach.toml").write_text('title = "Bach"\n')
    monkeypatch.setenv("RADIO_ADMIN_TOKEN", TOKEN)
    async with radio("air", *arguments(tmp_path / "state"), "--channels", str(folder)) as process:
        url = (await process.said(r"on air at (\S+)"))[1]
        (folder / "folk.toml").write_text('titel = "Folk"\n')
        (folder / "jazz.toml").write_text("not TOML")
        status, told, _ = await ask(url, "POST", "/api/reload", BEARER)
        assert status == 422
        assert len(told["problems"]) == 3
        assert "did you mean title?" in str(told["problems"])
        async with ClientSession() as session, session.get(url + "/status.json") as answer:
            assert set((await answer.json())["channels"]) == {"bach"}
        (folder / "folk.toml").write_text('title = "Folk"\n')
        (folder / "jazz.toml").unlink()
        (folder / "bach.toml").write_text('title = "Johann Sebastian"\n')
        status, told, _ = await ask(url, "POST", "/api/reload", BEARER)
        assert (status, told) == (200, {"added": ["folk"], "changed": ["bach"], "removed": [], "needs_restart": []})
        async with ClientSession() as session, session.get(url + "/status.json") as answer:
            channels = (await answer.json())["channels"]
        assert {name: own["title"] for name, own in channels.items()} == {"bach": "Johann Sebastian", "folk": "Folk"}


async def test_two_reloads_at_once_end_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "channels"
    folder.mkdir()
    (folder / "bach.toml").write_text('title = "Bach"\n')
    monkeypatch.setenv("RADIO_ADMIN_TOKEN", TOKEN)
    async with radio("air", *arguments(tmp_path / "state"), "--channels", str(folder)) as process:
        url = (await process.said(r"on air at (\S+)"))[1]
        (folder / "folk.toml").write_text('title = "Folk"\n')
        both = await asyncio.gather(*(ask(url, "POST", "/api/reload", BEARER) for _ in range(2)))
        assert sorted(len(told["added"]) for _, told, _ in both) == [0, 1]
