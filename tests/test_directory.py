"""The directory sink, and a directory that speaks Icecast's YP protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from ports import free_port
from radio.air.sinks import directory
from radio.air.sinks.directory import LEAST, LOST, MOST, REFUSED, USUAL, Answer, parse
from radio.sinks import DirectoryConfig, ListingConfig
from transmitting import Transmitter

LISTING = ListingConfig(public=True, address="https://radio.example/")
DONE = {"YPResponse": "1", "YPMessage": "Ok"}


@dataclass
class Yp:
    """A directory: what it was sent, and what it answers."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    answers: dict[str, Mapping[str, str]] = field(
        default_factory=lambda: {"add": {**DONE, "SID": "sid-1", "TouchFreq": "0"}, "touch": DONE, "remove": DONE}
    )

    hangs: asyncio.Event | None = None
    """Set when it goes on answering."""

    def said(self, action: str) -> list[dict[str, str]]:
        return [form for form in self.asked if form["action"] == action]

    async def answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if self.hangs:
            await self.hangs.wait()
        return web.Response(headers=self.answers[form["action"]])


@asynccontextmanager
async def listing() -> AsyncIterator[Yp]:
    yp = Yp()
    app = web.Application()
    app.router.add_post("/cgi-bin/yp-cgi", yp.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yp.url = f"http://127.0.0.1:{runner.addresses[0][1]}/cgi-bin/yp-cgi"
    try:
        yield yp
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "SETTLE", 0.05)


async def test_a_mount_is_added_touched_with_its_title_and_removed_at_the_end() -> None:
    async with listing() as yp:
        async with Transmitter(DirectoryConfig("directory", yp.url, format="opus"), listing=LISTING) as air:
            await air.until(lambda: len(yp.said("touch")) > 2)
            assert air.keepers[0].status()["state"] == "running"
        assert yp.said("add") == [
            {
                "action": "add",
                "sn": "Bach - Generative Radio",
                "genre": "",
                "cpswd": "",
                "desc": "",
                "url": "https://radio.example/",
                "listenurl": "https://radio.example/bach.opus",
                "type": "audio/ogg",
                "stype": "Opus",
                "b": "96",
            }
        ]
        titles = [form["st"] for form in yp.said("touch")]
        assert titles == [f"Tone No. {number}" for number in range(1, len(titles) + 1)]
        assert {form["sid"] for form in yp.asked if "sid" in form} == {"sid-1"}
        assert yp.asked[-1] == {"action": "remove", "sid": "sid-1"}
        assert len(yp.said("remove")) == 1


async def test_a_title_of_any_letters_arrives() -> None:
    async with listing() as yp, Transmitter(DirectoryConfig("directory", yp.url), listing=LISTING) as air:
        air.title = "Prélude & “№ 1” = 100 % 🎹;\n"
        await air.until(lambda: yp.said("touch"))
        assert yp.said("touch")[0]["st"].split() == air.title.split()


async def test_nothing_is_made_for_a_directory() -> None:
    async with listing() as yp, Transmitter(DirectoryConfig("directory", yp.url), listing=LISTING) as air:
        await air.until(lambda: yp.said("touch"))
        assert air.transmission.channel.formats == ()


async def test_a_directory_that_refuses_is_quoted_and_left_alone() -> None:
    async with listing() as yp:
        yp.answers["add"] = {"YPResponse": "0", "YPMessage": "no such stream"}
        async with Transmitter(DirectoryConfig("directory", yp.url), listing=LISTING) as air:
            await air.until(lambda: air.keepers[0].progress.state == "failed")
            assert air.keepers[0].progress.error == f"{yp.url}: add refused: no such stream"
            await air.play(20)
        assert len(yp.asked) == 1


async def test_an_entry_that_was_lost_is_added_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "LOST", 0.0)
    async with listing() as yp, Transmitter(DirectoryConfig("directory", yp.url), listing=LISTING) as air:
        await air.until(lambda: yp.said("touch"))
        yp.answers["touch"] = {"YPResponse": "0", "YPMessage": "SID does not exist"}
        await air.until(lambda: air.keepers[0].progress.state == "failed")
        yp.answers["touch"] = DONE
        yp.answers["add"] = {**DONE, "SID": "sid-2"}
        await air.until(lambda: any(form["sid"] == "sid-2" for form in yp.said("touch")))
        assert len(yp.said("add")) == 2


async def test_a_directory_that_is_away_harms_nobody() -> None:
    address = f"http://127.0.0.1:{free_port()}/yp"
    async with Transmitter(DirectoryConfig("directory", address), listing=LISTING) as air:
        await air.until(lambda: air.keepers[0].progress.state == "failed")
        assert air.keepers[0].progress.error.startswith(f"{address}: add: ")
        assert air.transmission.channel.state == "live"


async def test_signing_off_does_not_wait_for_a_directory_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listing() as yp, Transmitter(DirectoryConfig("directory", yp.url), listing=LISTING) as air:
        await air.until(lambda: yp.said("touch"))
        yp.hangs = asyncio.Event()
        monkeypatch.setattr(directory, "FAREWELL", 0.2)
        await asyncio.wait_for(air.sinks.__aexit__(), 5)
        assert yp.said("remove")
        yp.hangs.set()


@given(st.dictionaries(st.sampled_from(["YPResponse", "YPMessage", "SID", "TouchFreq"]), st.text(max_size=12)))
def test_any_answer_is_understood(fields: dict[str, str]) -> None:
    answer = parse(fields)
    assert LEAST <= answer.every <= MOST
    assert answer.done == (fields.get("YPResponse", "").strip() == "1")


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({**DONE, "SID": "x", "TouchFreq": "200"}, Answer(True, "Ok", "x", 200)),
        ({**DONE, "TouchFreq": "5"}, Answer(True, "Ok", "", LEAST)),
        ({"YPResponse": "0"}, Answer(False, "", "", USUAL)),
        ({}, Answer(False)),
    ],
)
def test_how_often_to_touch_is_the_directorys_wish(fields: dict[str, str], answer: Answer) -> None:
    assert parse(fields) == answer
    assert LOST < REFUSED
