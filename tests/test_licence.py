from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from aired import Air, aired
from radio import licences
from radio.config import Config
from radio.errors import ModelError
from radio.licences import Origin, Source
from radio.settings import ChannelConfig, PrefixConfig, StationConfig

ORIGINS = {
    "bach": Origin((Source("Editors & Sons", "CC-BY-4.0", 12), Source("A <library>", "Public Domain", 3)), 14),
    "jazz": Origin((Source("A fake book", "CC0-1.0", 2),), 9),
}
STATION = StationConfig(name="Radio “Zwei”", formats=("mp3",), lookahead=6, music_licence="CC-BY-4.0 <us>")


@pytest.fixture
async def air(tmp_path: Path) -> AsyncIterator[Air]:
    licences.write(tmp_path, ORIGINS)
    channels = {
        "organ": ChannelConfig("organ", "The organ", prefix=PrefixConfig(style="bach")),
        "scales": ChannelConfig("scales", "Scales"),
    }
    async with aired(Config(replace(STATION, model=tmp_path), channels)) as made:
        yield made


async def got(air: Air, path: str, kind: int = 200) -> str:
    async with ClientSession() as session, session.get(air.url + path) as answer:
        assert answer.status == kind
        return await answer.text()


def test_sources_are_counted_by_style_the_largest_first(tmp_path: Path) -> None:
    pieces = [("bach", "B", "CC0"), ("bach", "A", "PD"), ("bach", "A", "PD"), ("jazz", "A", "PD")]
    counted = licences.counted(pieces, {"bach": 14})
    assert counted == {
        "bach": Origin((Source("A", "PD", 2), Source("B", "CC0", 1)), 14),
        "jazz": Origin((Source("A", "PD", 1),), 0),
    }
    licences.write(tmp_path, counted)
    assert licences.read(tmp_path) == counted


def test_a_model_without_the_file_says_nothing_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    assert licences.read(tmp_path) == {}
    (tmp_path / licences.FILE).write_text('{"bach": {"sources": [{"of": 1}]}}', encoding="utf-8")
    with pytest.raises(ModelError, match=licences.FILE):
        licences.read(tmp_path)


def test_a_soundfont_is_known_by_how_its_name_begins() -> None:
    assert licences.of_soundfont("FluidR3_GM.sf2").startswith("MIT")
    assert licences.of_soundfont("mine.sf2") == ""


async def test_the_page_says_the_musics_licence_every_source_of_the_style_and_the_soundfont(air: Air) -> None:
    air.station.report = {"soundfont": "FluidR3_GM.sf2"}
    page = await got(air, "/organ/licence")
    for said in ("CC-BY-4.0 &lt;us&gt;", "Editors &amp; Sons", "A &lt;library&gt;", "Public Domain", "14 notes", "MIT"):
        assert said in page
    assert "A fake book" not in page
    assert "$" not in page


async def test_a_channel_whose_style_is_not_known_says_so(air: Air) -> None:
    assert "says nothing of its sources" in await got(air, "/scales/licence")


async def test_machines_are_told_the_same(air: Air) -> None:
    async with ClientSession() as session, session.get(f"{air.url}/organ/licence.json") as answer:
        told = await answer.json()
    assert told["music"]["licence"] == "CC-BY-4.0 <us>"
    assert told["model"]["longest_shared"] == 14
    assert told["model"]["sources"][0] == {"source": "Editors & Sons", "licence": "CC-BY-4.0", "pieces": 12}


async def test_a_channel_that_is_not_there_has_no_licence(air: Air) -> None:
    assert "no such channel" in await got(air, "/nobody/licence", 404)
