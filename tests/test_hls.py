"""HLS over real sockets: playlists at many moments, their files, what players wait for, and when they are gone."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from aiohttp import ClientResponse, ClientSession

import hlscheck
from aired import EPOCH, Again, Air, aired
from fakes import Clock, config
from radio.air import hls, hls_server, m3u8, players
from radio.air.segments import PART, PART_SECONDS, PARTS, SEGMENT_SECONDS
from radio.config import Config
from radio.formats import BLOCK, FORMATS, RATE
from radio.link import Credit
from sound import decode

FORMS = ("aac", "aac-64", "aac-256")


def settings(folder: Path, **station: object) -> Config:
    return config("bach", "ragtime", formats=("mp3", *FORMS), state=folder, **station)


class Player:
    """One that plays the first variant of a multivariant playlist."""

    def __init__(self, air: Air, session: ClientSession, address: str) -> None:
        self.air, self.session, self.address = air, session, address
        self.texts: list[str] = []

    async def load(self, query: str = "") -> str:
        """A media playlist."""
        async with self.session.get(self.address + query) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == m3u8.CONTENT_TYPE
            self.texts.append(await answer.text())
        return self.texts[-1]

    async def file(self, uri: str) -> bytes:
        """A file that a playlist names."""
        async with self.session.get(urljoin(self.address, uri)) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "audio/mp4"
            return await answer.read()

    async def sound(self, text: str) -> bytes:
        """All that a playlist names, as a file."""
        playlist = hlscheck.parse(text)
        names = [playlist.tags["map"], *(segment.uri for segment in playlist.whole)]
        if not playlist.segments[-1].uri:
            names += [part.uri for part in playlist.segments[-1].parts]
        return b"".join([await self.file(name) for name in names])


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as own:
        yield own


@pytest.fixture
async def air(tmp_path: Path) -> AsyncIterator[Air]:
    """A station of two channels, one of which has been on the air for ten seconds; nobody listens."""
    async with aired(settings(tmp_path)) as made:
        await begin(made)
        yield made


async def begin(air: Air, seconds: float = 10.0, length: int = 20) -> None:
    """Pieces are so many packets long."""
    air.send("bach", 0)
    air.tones["bach"].length = length
    air.send("bach", 40)
    await air.run(0.3)
    air.silence("bach")
    await play(air, seconds)


async def play(air: Air, seconds: float) -> None:
    """Lets time pass, with a studio that keeps up."""
    for _ in range(round(seconds * RATE / BLOCK)):
        air.send("bach", 1)
        await air.run(BLOCK / RATE)


async def tune_in(air: Air, session: ClientSession, path: str = "/bach.m3u8", variant: int = 0) -> Player:
    """A player that has its first playlist: time passes until it is there."""
    async with session.get(air.url + path) as answer:
        assert (answer.status, answer.content_type) == (200, m3u8.CONTENT_TYPE)
        assert answer.headers["Cache-Control"] == "no-store"
        text = await answer.text()
    assert hlscheck.master_problems(text) == []
    uris = [line for line in text.splitlines() if line and not line.startswith("#")]
    player = Player(air, session, urljoin(air.url + path, uris[variant]))
    await passing(air, player.load())
    return player


async def passing(air: Air, answer: Any) -> Any:
    """Waits for an answer while time passes."""
    task = asyncio.ensure_future(answer)
    async with asyncio.timeout(20):
        while not task.done():
            await play(air, BLOCK / RATE)
            await asyncio.wait([task], timeout=0.02)
    return await task


async def told(response: ClientResponse) -> dict[str, Any]:
    found: dict[str, Any] = await response.json()
    return found


async def test_three_bit_rates_are_offered_and_nothing_is_made_of_them_so_far(air: Air, session: ClientSession) -> None:
    async with session.get(f"{air.url}/bach.m3u8") as answer:
        text = await answer.text()
    assert [int(rate) // 1000 for rate in _each("BANDWIDTH", text)] == [145, 75, 286]
    assert len(set(_each("CODECS", text))) == 1
    await play(air, 1)
    own = air.station.transmissions["bach"]
    assert own.channel.formats == ()
    assert not own.listeners
    assert not any(variant.segments for variant in own.hls.variants.values())


def _each(name: str, master: str) -> list[str]:
    lines = [line.partition(":")[2] for line in master.splitlines() if line.startswith("#EXT-X-STREAM-INF")]
    return [hlscheck.attributes(line)[name] for line in lines]


@pytest.mark.parametrize("path", ["/bach.m3u8", "/bach.rewind.m3u8"])
async def test_playlists_break_no_rule_at_any_moment_and_titles_are_dated(
    air: Air, session: ClientSession, path: str
) -> None:
    player = await tune_in(air, session, path)
    for _ in range(60):
        await play(air, 0.72)
        await player.load()
    assert hlscheck.problems(player.texts[0]) == []
    for before, after in itertools.pairwise(player.texts):
        assert hlscheck.problems(after, before) == []
    last = hlscheck.parse(player.texts[-1])
    assert sum(segment.seconds for segment in last.segments) > 35
    titles = sorted((hlscheck.seconds(own["START-DATE"]), own["X-TITLE"]) for own in last.ranges.values())
    pace = air.station.transmissions["bach"].channel.pace
    assert pace is not None
    for date, text in titles:
        piece = int(text.removeprefix("Tone No. "))
        wanted = EPOCH + pace.signed_on + (piece - 1) * 20 * BLOCK / RATE
        assert date == pytest.approx(wanted, abs=0.001), text


async def test_what_is_played_is_the_sound_of_the_aac_mount_to_the_sample_and_dated(
    tmp_path: Path, session: ClientSession
) -> None:
    async with aired(settings(tmp_path)) as air:
        await begin(air, length=10_000)  # the packet log keeps pieces whole
        await compare(air, session)


async def compare(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    await play(air, 20)
    text = await player.load()
    channel = air.station.transmissions["bach"].channel
    playlist = hlscheck.parse(text)
    heard = decode(await player.sound(text))
    parts = sum(round(segment.seconds / PART_SECONDS) for segment in playlist.whole)
    parts += len(playlist.segments[-1].parts) if not playlist.segments[-1].uri else 0
    assert len(heard) == parts * 46_080
    pace = channel.pace
    assert pace is not None
    date = playlist.segments[0].date
    assert date is not None
    start = round((date - EPOCH - pace.signed_on) * RATE) + FORMATS["aac"].delay
    first = round(start / BLOCK)
    assert abs(start - first * BLOCK) < RATE / 1000
    packets = [channel.log[number].data["aac"] for number in range(first, first + parts * PART)]
    np.testing.assert_array_equal(heard, decode(b"".join(packets)))


async def test_parts_put_together_are_their_segment_and_its_time_is_where_the_one_before_ends(
    air: Air, session: ClientSession
) -> None:
    player = await tune_in(air, session)
    await play(air, 13)
    times = []
    for segment in hlscheck.parse(await player.load()).whole[-2:]:
        parts = [await player.file(part.uri) for part in segment.parts]
        assert b"".join(parts) == await player.file(segment.uri)
        times += [int.from_bytes(part[part.index(b"tfdt") + 8 :][:8], "big") for part in parts]
    assert set(np.diff(times)) == {46_080}


@pytest.mark.parametrize("encore", [23, 41])
async def test_an_encore_neither_breaks_a_rule_nor_the_timeline(air: Air, session: ClientSession, encore: int) -> None:
    """Packets stand elsewhere than they were made for: parts are as long as ever."""
    air.tones["bach"].length = encore
    player = await tune_in(air, session)
    await play(air, 20)
    own = air.station.transmissions["bach"]
    while own.channel.encores < 1:
        await air.run(1)
        await player.load()
    await air.run(12)
    await player.load()
    assert own.channel.state == "encore"
    await play(air, 25)
    text = await player.load()
    assert own.channel.state == "live"
    for before, after in itertools.pairwise(player.texts):
        assert hlscheck.problems(after, before) == []
    assert any(title["X-TITLE"].endswith("(encore)") for title in hlscheck.parse(player.texts[-2]).ranges.values())
    heard = decode(await player.sound(text))
    named = hlscheck.parse(text)
    seconds = sum(segment.seconds or len(segment.parts) * PART_SECONDS for segment in named.segments)
    assert len(heard) == round(seconds * RATE)
    levels = np.abs(heard[RATE : len(heard) // RATE * RATE, 0]).reshape(-1, RATE // 10).max(axis=1)
    assert levels.min() > 0.1


async def test_a_reload_waits_for_the_part_it_wants_and_no_longer(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    for _ in range(8):
        newest = hlscheck.parse(await player.load()).segments[-1]
        wanted = (newest.number + 1, 0) if newest.uri else (newest.number, len(newest.parts))
        reload = asyncio.create_task(player.load(f"?_HLS_msn={wanted[0]}&_HLS_part={wanted[1]}"))
        begun = air.station.transmissions["bach"].channel.log.next
        while not reload.done():
            await asyncio.wait([reload], timeout=0.05)
            if not reload.done():
                await play(air, BLOCK / RATE)
        found = {segment.number: segment for segment in hlscheck.parse(await reload).segments}
        assert len(found[wanted[0]].parts) == wanted[1] + 1
        assert air.station.transmissions["bach"].channel.log.next - begun <= PART
        assert hlscheck.problems(player.texts[-1], player.texts[-2]) == []


async def test_what_is_hinted_at_can_be_asked_for_before_it_is_there(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    for _ in range(PARTS + 1):
        hint = hlscheck.parse(await player.load()).hint
        data = await passing(air, player.file(hint))
        named = [part.uri for segment in hlscheck.parse(await player.load()).segments for part in segment.parts]
        assert hint in named
        assert len(decode(await player.file("../../../bach/aac/init.mp4") + data)) == 46_080


async def test_a_reload_ends_in_time_where_no_part_comes(
    air: Air, session: ClientSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert hls_server.PATIENCE == 18.0
    player = await tune_in(air, session)
    monkeypatch.setattr(hls_server, "PATIENCE", 0.05)
    newest = hlscheck.parse(await player.load()).segments[-1].number
    began = time.monotonic()
    async with session.get(f"{player.address}?_HLS_msn={newest + 1}") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert "no part" in (await told(answer))["error"]
    assert time.monotonic() - began < 5
    assert "bach: no part of aac came within 0.05 s" in caplog.text


async def test_those_who_wait_are_let_go_as_the_station_signs_off(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    playlist = hlscheck.parse(await player.load())
    reload = f"{player.address}?_HLS_msn={playlist.segments[-1].number + 1}"
    waiting = [asyncio.create_task(session.get(url)) for url in (reload, urljoin(player.address, playlist.hint))]
    done, _ = await asyncio.wait(waiting, timeout=0.3)
    assert not done
    air.station.close()
    statuses = []
    for answer in await asyncio.wait_for(asyncio.gather(*waiting), 5):
        statuses.append(answer.status)
        answer.release()
    assert statuses == [503, 404]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/bahc.m3u8", 404, ["bach"]),
        ("/hls/abc/bach/mp3/live.m3u8", 404, ["no such format", "aac-64"]),
        ("/hls/abc/bahc/aac/live.m3u8", 404, ["no such channel", "bach"]),
        ("/hls/a%20b/bach/aac/live.m3u8", 400, ["no such session", "/bach.m3u8"]),
        ("/hls/abc/bach/aac/live.m3u8?_HLS_part=3", 400, ["_HLS_msn"]),
        ("/hls/abc/bach/aac/live.m3u8?_HLS_msn=none", 400, ["wanted a number"]),
        ("/hls/abc/bach/aac/rewind.m3u8?_HLS_skip=NO", 400, ["YES"]),
        ("/hls/abc/ragtime/aac/live.m3u8", 503, ["not on the air yet"]),
        ("/hls/bach/aac/1.m4s", 404, ["/bach.m3u8"]),
        ("/hls/bach/aac/..m4s", 404, ["/bach.m3u8"]),
        ("/hls/bach/opus/init.mp4", 404, ["no such format"]),
        ("/hls/bach", 404, ["Not Found"]),
    ],
)
async def test_errors_are_json_that_say_what_was_wanted(
    air: Air, session: ClientSession, path: str, code: int, words: list[str]
) -> None:
    async with session.get(air.url + path) as answer:
        assert answer.status == code
        text = json.dumps(await told(answer))
        assert all(word in text for word in words), text
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_reload_too_far_ahead_is_refused(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    newest = hlscheck.parse(await player.load()).segments[-1].number
    async with session.get(f"{player.address}?_HLS_msn={newest + 3}") as answer:
        assert answer.status == 400
        assert (await told(answer))["newest"] == newest


async def test_caches_and_other_origins_are_told_what_they_may(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    text = await player.load()
    newest = hlscheck.parse(text).segments[-1].number
    segment = hlscheck.parse(text).whole[0].uri
    for address, control in [
        (player.address, "max-age=1"),
        (f"{player.address}?_HLS_msn={newest - 1}", "max-age=36"),
        (urljoin(player.address, segment), "public, max-age=86400, immutable"),
    ]:
        async with session.get(address, headers={"Accept-Encoding": "identity"}) as answer:
            assert answer.headers["Cache-Control"] == control
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Content-Encoding" not in answer.headers
        async with session.options(address) as answer:
            assert answer.status == 204
        async with session.head(address) as answer:
            assert answer.status == 200
            assert await answer.read() == b""
    async with session.get(player.address, headers={"Accept-Encoding": "gzip"}, auto_decompress=False) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(await answer.read()).decode() == text


async def test_a_player_is_a_listener_until_it_no_longer_asks(air: Air, session: ClientSession) -> None:
    one, other = await tune_in(air, session), await tune_in(air, session, variant=1)
    own = air.station.transmissions["bach"]
    assert (own.listeners, own.channel.formats) == (2, ("aac", "aac-64"))
    async with session.get(f"{air.url}/status.json") as answer:
        status = await told(answer)
    channel = status["channels"]["bach"]
    assert status["listeners"] == 2
    assert (channel["listeners"]["aac"], channel["listeners"]["aac-64"]) == (1, 1)
    assert channel["hls"] | {"seconds": {}, "bytes": 0} == {
        "path": "/bach.m3u8", "rewind": "/bach.rewind.m3u8", "listeners": 2, "peak": 2, "left": 0,
        "seconds": {}, "bytes": 0,
    }  # fmt: skip
    for _ in range(6):
        await play(air, 6)
        await one.load()
    assert (own.listeners, own.hls.players.left) == (1, 1)
    for _ in range(5):
        await play(air, hls.LINGER / 5)
        await one.load()
    assert own.channel.formats == ("aac",)
    assert not own.hls.variants["aac-64"].segments
    async with session.get(urljoin(other.address, hlscheck.parse(other.texts[-1]).whole[0].uri)) as answer:
        assert answer.status == 404
    await play(air, players.GONE + hls.LINGER + 2)
    assert (own.listeners, own.hls.players.left, own.channel.formats) == (0, 2, ())
    assert sum(variant.size for variant in own.hls.variants.values()) == 0


async def test_a_player_that_changes_its_bit_rate_is_one_listener_and_finds_the_same_segments(
    air: Air, session: ClientSession
) -> None:
    player = await tune_in(air, session)
    other = Player(air, session, player.address.replace("/aac/", "/aac-64/"))
    await passing(air, other.load())
    assert air.station.transmissions["bach"].listeners == 1
    await play(air, 7)
    assert hlscheck.parse(other.texts[-1]).segments[0].number <= hlscheck.parse(player.texts[-1]).segments[0].number
    one, two = [hlscheck.parse(await own.load()) for own in (player, other)]
    assert [report["URI"] for report in one.reports] == ["../aac-64/live.m3u8"]
    assert int(one.reports[0]["LAST-MSN"]) == two.segments[-1].number
    assert int(one.reports[0]["LAST-PART"]) == len(two.segments[-1].parts) - 1
    dates = [{segment.number: segment.date for segment in own.whole[1:]} for own in (one, two)]
    both = dates[0].keys() & dates[1].keys()
    assert both
    assert all(dates[0][number] == dates[1][number] for number in both)
    assert one.ranges.keys() & two.ranges.keys()


async def test_a_bit_rate_nobody_played_begins_with_as_much_as_players_stay_behind(
    tmp_path: Path, session: ClientSession
) -> None:
    async with aired(settings(tmp_path)) as air:
        await begin(air, 30, length=10_000)
        player = Player(air, session, f"{air.url}/hls/me/bach/aac/live.m3u8")
        for form in ("aac", "aac-256"):
            player.address = f"{air.url}/hls/me/bach/{form}/live.m3u8"
            text = await asyncio.wait_for(player.load(), 20)  # while no time passes
            assert sum(segment.seconds for segment in hlscheck.parse(text).segments) > 2 * SEGMENT_SECONDS
            assert len(hlscheck.parse(text).whole) >= 3
            assert decode(await player.sound(text)).any()


async def test_one_who_paused_finds_what_was_played_since_in_the_rewind_playlist(
    air: Air, session: ClientSession
) -> None:
    player = await tune_in(air, session, "/bach.rewind.m3u8")
    first = hlscheck.parse(player.texts[-1]).segments[0]
    await play(air, 90)
    assert air.station.listeners == 0
    text = await player.load()
    playlist = hlscheck.parse(text)
    assert playlist.segments[0] == first
    assert sum(segment.seconds for segment in playlist.segments) > 90 - 6
    assert len(decode(await player.sound(text))) == round(sum(s.seconds for s in playlist.whole) * RATE)
    update = await player.load("?_HLS_skip=YES")
    assert hlscheck.parse(update).skipped == len(playlist.whole) - 7
    assert hlscheck.problems(hlscheck.updated(text, update), text) == []


async def test_what_is_kept_slides_with_the_window_and_a_while_after_it(tmp_path: Path, session: ClientSession) -> None:
    async with aired(settings(tmp_path, hls_window=60)) as air:
        await begin(air)
        player = await tune_in(air, session, "/bach.rewind.m3u8")
        for _ in range(45):
            await play(air, 3)
            await player.load()
        for before, after in itertools.pairwise(player.texts):
            assert hlscheck.problems(after, before) == []
        variant = air.station.transmissions["bach"].hls.variants["aac"]
        assert len(variant.segments) == 10 + hls.SPARE
        assert variant.size == sum(segment.size for segment in variant.segments)
        named = hlscheck.parse(player.texts[-1]).whole
        assert 9 <= len(named) <= 11
        gone = hlscheck.parse(player.texts[-4]).whole[0]
        assert gone.number < named[0].number
        assert await player.file(gone.uri)


async def test_memory_is_bounded_and_the_longest_window_is_shortened_first(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session, "/bach.rewind.m3u8")
    for _ in range(25):
        await play(air, 6)
        await player.load()
    await tune_in(air, session, variant=1)
    long, short = (air.station.transmissions["bach"].hls.variants[form] for form in ("aac", "aac-64"))
    before, held = len(short.segments), len(long.segments) + len(short.segments)
    most = long.size + short.size - long.segments[0].size - 1
    hls.bound([short, long], long.size + short.size)
    assert len(long.segments) + len(short.segments) == held
    oldest = long.segments[2]
    hls.bound([short, long], most)
    assert long.segments[0] == oldest
    assert long.size + short.size <= most
    assert hlscheck.problems(await player.load(), player.texts[-2]) == []
    hls.bound([short, long], 0)
    assert len(long.segments) == hls.LISTED + 1 + hls.SPARE
    assert len(short.segments) == before
    assert hlscheck.problems(await player.load(), player.texts[-2]) == []


async def test_the_sequence_grows_across_a_restart_even_if_the_clock_is_set_back(
    tmp_path: Path, session: ClientSession
) -> None:
    texts: list[str] = []
    for now in (1000.0, 1008.0, 500.0):
        async with aired(settings(tmp_path), Clock(now)) as air:
            await begin(air, 5)
            player = await tune_in(air, session)
            await play(air, 10)
            texts.append(await player.load())
    for before, after in itertools.pairwise(texts):
        assert hlscheck.problems(after, before) == []
        old, new = hlscheck.parse(before), hlscheck.parse(after)
        assert new.segments[0].number > old.segments[-1].number
        assert not old.ranges.keys() & new.ranges.keys()
    # Players keep a list with a place for each discontinuity.
    assert [hlscheck.parse(text).number("EXT-X-DISCONTINUITY-SEQUENCE") for text in texts] == [0, 1, 2]
    assert hlscheck.parse(texts[0]).segments[0].number == pytest.approx((EPOCH + 1000) / SEGMENT_SECONDS, abs=3)


async def test_half_an_hour_across_a_restart_breaks_no_rule_at_any_bit_rate(
    tmp_path: Path, session: ClientSession
) -> None:
    texts: dict[tuple[str, int], list[str]] = {}
    kinds = [("/bach.m3u8", 0), ("/bach.m3u8", 1), ("/bach.m3u8", 2), ("/bach.rewind.m3u8", 0)]
    for now in (1000.0, 1000.0 + 15 * 60 + 7):
        async with aired(settings(tmp_path), Clock(now)) as air:
            studio = Again(air, "bach", (f"Tone No. {number}" for number in itertools.count(1)), each=90)
            studio.send(40)
            await studio.play(40)
            players = {}
            for path, variant in kinds:
                async with session.get(air.url + path) as answer:
                    uris = [line for line in (await answer.text()).splitlines() if line and not line.startswith("#")]
                players[path, variant] = Player(air, session, urljoin(air.url + path, uris[variant]))
            for second in range(5, 15 * 60, 5):
                await studio.play(round(5 * RATE / BLOCK))
                for (path, _), player in players.items():
                    if path == "/bach.m3u8" or second % 60 == 0:
                        await player.load()
            for kind, player in players.items():
                texts.setdefault(kind, []).extend(player.texts)
    for kind, own in texts.items():
        assert hlscheck.problems(own[0]) == []
        for before, after in itertools.pairwise(own):
            assert hlscheck.problems(after, before) == [], kind
        lists = [hlscheck.parse(text) for text in own]
        sequence = [playlist.segments[-1].number for playlist in lists]
        assert sequence == sorted(sequence)
        assert sequence[-1] - sequence[0] > 0.97 * 30 * 60 / SEGMENT_SECONDS
        assert [lists[at].number("EXT-X-DISCONTINUITY-SEQUENCE") for at in (0, -1)] == [0, 1]


@pytest.mark.parametrize("content", ["", "[]", '{"bach": 7}', '{"bach": {"segments": 7}}', None])
async def test_without_its_file_the_sequence_goes_by_the_clock(
    tmp_path: Path, session: ClientSession, content: str | None
) -> None:
    file = tmp_path / "hls.json"
    if content is None:
        file.mkdir()
    else:
        file.write_text(content)
    async with aired(settings(tmp_path)) as air:
        await begin(air)
        player = await tune_in(air, session)
        number = hlscheck.parse(player.texts[-1]).segments[0].number
        assert number == pytest.approx((EPOCH + air.clock.now) / SEGMENT_SECONDS, abs=3)


async def test_dates_follow_where_the_release_was_late(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    await play(air, 12)
    air.clock.now += 3.0  # the machine slept
    await play(air, 12)
    named = hlscheck.parse(await player.load()).segments
    apart = [b.date - a.date for a, b in itertools.pairwise(named) if a.date and b.date]  # type: ignore[operator]
    late = [gap for gap in apart if gap > SEGMENT_SECONDS + 0.1]
    assert len(late) == 1
    assert late[0] == pytest.approx(SEGMENT_SECONDS + 3.0, abs=0.25)


async def test_without_a_studio_a_bit_rate_nobody_played_is_503_in_time(
    air: Air, session: ClientSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("radio.air.station.PATIENCE", 0.01)
    air.station.on_credit = lambda channel: None
    async with session.get(f"{air.url}/hls/abc/bach/aac/live.m3u8") as answer:
        assert answer.status == 503
        assert "aac cannot be made now" in await answer.text()
    assert "bach: no aac came within 0.01 s (live)" in caplog.text


async def test_a_full_station_takes_no_more_players_but_keeps_those_it_has(air: Air, session: ClientSession) -> None:
    player = await tune_in(air, session)
    object.__setattr__(air.station.config.station, "max_listeners", 1)
    await player.load()
    async with session.get(player.address.replace("/hls/", "/hls/x")) as answer:
        assert answer.status == 503
        assert (await told(answer))["listeners"] == 1


async def test_a_segment_that_lost_its_packets_begins_anew_later(air: Air, session: ClientSession) -> None:
    """The studio went away just as it began with this bit rate, and was back too late for some packets."""
    player = await tune_in(air, session)
    before = hlscheck.parse(player.texts[-1])
    list(air.tones["bach"].encodings.want(Credit("bach", 0, 0)))
    for _ in range(PART):
        air.send("bach", 1)
    air.station.on_credit = lambda channel: None
    own = air.station.transmissions["bach"].hls.variants["aac"]
    while own.segments:
        own.channel.advance(air.clock.now)
        air.clock.now += BLOCK / RATE
        own.catch_up()
    air.station.on_credit = air._credit
    air._credit(own.channel)
    await passing(air, player.load())
    after = hlscheck.parse(player.texts[-1])
    assert after.segments[0].number > before.segments[-1].number
    assert hlscheck.problems(player.texts[-1], player.texts[-2]) == []
