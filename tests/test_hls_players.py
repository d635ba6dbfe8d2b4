"""HLS in players that know nothing of our code: ffmpeg, and hls.js in a real Chromium, in real time."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

import hlscheck
from aired import Air, aired
from browser import CHROMIUM, browser
from fakes import config
from onair import arguments, listening, radio
from radio.air import hls
from radio.air.segments import PART, SEGMENT, SEGMENT_SECONDS
from radio.formats import BLOCK, RATE
from sound import NOTES, Pcm, decode

VERSION = "1.7.4"
"""Of hls.js."""
NPM = shutil.which("npm")
AGAIN = ("Found duplicated MOOV Atom", "Last message repeated")
"""What ffmpeg says as it reads what EXT-X-MAP names again, which it does whenever it has loaded a playlist."""


@pytest.fixture
async def air(tmp_path: Path) -> AsyncIterator[Air]:
    async with aired(config("bach", formats=("aac", "aac-64", "aac-256"), state=tmp_path)) as made:
        made.send("bach", 0)
        made.tones["bach"].length = 10_000
        made.send("bach", 40)
        await made.run(0.3)
        yield made


async def ffmpeg(url: str, seconds: float) -> Pcm:
    """What ffmpeg makes of a playlist from its first segment on; it must have nothing to complain of."""
    command = f"ffmpeg -v warning -live_start_index 0 -i {url} -t {seconds} -f f32le -ac 2 -ar {RATE} -"
    process = await asyncio.create_subprocess_exec(
        *command.split(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    known = (*NOTES, *AGAIN)
    complaints = [line for line in err.decode().splitlines() if not any(note in line for note in known)]
    assert not complaints, complaints
    return np.frombuffer(out, dtype="<f4").reshape(-1, 2)


async def test_ffmpeg_plays_the_live_playlist_across_reloads_without_an_error_or_a_gap(air: Air) -> None:
    """It loads the playlist again after real seconds; meanwhile our time goes on as fast."""
    own = air.station.transmissions["bach"]
    own.hls.ask("before", "aac", air.clock.now, rewind=True)
    for _ in range(8 * SEGMENT):
        air.send("bach", 1)
        await air.run(BLOCK / RATE)

    async def go_on() -> None:
        while True:
            air.send("bach", 1)
            await air.run(BLOCK / RATE)
            await asyncio.sleep(BLOCK / RATE / 2)

    going = asyncio.create_task(go_on())
    variant = own.hls.variants["aac"]
    first, listed = variant.segments[0], [segment for segment in variant.segments if segment.complete]
    seconds = sum(segment.seconds for segment in listed) + 2 * SEGMENT_SECONDS  # those come after the first load
    heard = await ffmpeg(f"{air.url}/hls/ffmpeg/bach/aac/live.m3u8", seconds)
    going.cancel()
    assert len(heard) == round(seconds * RATE)
    # The channel's first packet is the first of its first segment.
    begin = first.first * PART
    packets = b"".join(own.channel.log[begin + at].data["aac"] for at in range(len(heard) // BLOCK))
    np.testing.assert_array_equal(heard, decode(packets))
    assert own.hls.players.here("ffmpeg")
    assert len(variant.segments) >= len(listed) + 2


@pytest.fixture
def library(request: pytest.FixtureRequest) -> Path:
    """hls.js from the npm registry, fetched once."""
    if NPM is None:
        pytest.skip("no npm here, which fetches hls.js")
    cache: Any = request.config.cache
    folder: Path = cache.mkdir(f"hls.js-{VERSION}")
    script = folder / "hls.min.js"
    if not script.exists():
        command = [NPM, "pack", "--silent", f"hls.js@{VERSION}", "--pack-destination", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot fetch hls.js: {done.stderr.strip().splitlines()[-1:]}")
        with tarfile.open(folder / f"hls.js-{VERSION}.tgz") as archive:
            script.write_bytes(archive.extractfile("package/dist/hls.min.js").read())  # type: ignore[union-attr]
    return script


LAG, LATE = 150, 4000
"""Milliseconds by which the page's own timers are late when other tests keep it from playing in time, and for which it
then has an excuse."""
PAGE = """<!doctype html><title>hls.js</title><link rel=icon href=data:,><audio id=audio></audio>
<script src=hls.js></script><script>
const said = [], excused = [], titles = new Set(), audio = document.getElementById("audio");
let last = performance.now(), late = -LATE;
setInterval(() => { const now = performance.now(); if (now - last > LAG) late = now; last = now; }, 20);
function note(what) {
  const now = performance.now();
  (now - last > LAG || now - late < LATE ? excused : said).push(what);
}
function watch(audio) {
  for (const event of ["waiting", "stalled", "error"])
    audio.addEventListener(event, () => { if (audio.currentTime > 0) note(event); });
}
watch(audio);
function wholeSince(second) {
  const { buffered, currentTime } = audio;
  for (let i = 0; i < buffered.length; i++)
    if (buffered.start(i) <= second && currentTime <= buffered.end(i)) return true;
  return false;
}
const hls = new Hls({ lowLatencyMode: LOW_LATENCY });
let sequences = [], latency = null;
hls.on(Hls.Events.ERROR, (_, data) => note(`${data.details} fatal: ${data.fatal} ${data.error?.message ?? ""}`));
hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
  sequences.push(details.endSN);
  for (const range of Object.values(details.dateRanges)) titles.add(range.attr["X-TITLE"]);
});
hls.on(Hls.Events.MANIFEST_PARSED, () => audio.play());
hls.loadSource("ADDRESS"); hls.attachMedia(audio);
</script>"""


@asynccontextmanager
async def page_with(library: Path, address: str, *, low_latency: bool) -> AsyncIterator[str]:
    """A page of another origin that plays an address with hls.js."""
    text = PAGE.replace("ADDRESS", address).replace("LOW_LATENCY", json.dumps(low_latency))
    text = text.replace("LATE", str(LATE)).replace("LAG", str(LAG))

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    async def script(request: web.Request) -> web.Response:
        return web.Response(body=library.read_bytes(), content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/hls.js", script)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Ubuntu has it as a snap only)")
@pytest.mark.alone
@pytest.mark.timeout(360)
@pytest.mark.parametrize(("path", "low_latency"), [("bach.m3u8", True), ("bach.rewind.m3u8", False)])
async def test_hls_js_plays_without_a_stall(tmp_path: Path, library: Path, path: str, low_latency: bool) -> None:
    async with radio("serve", *arguments(tmp_path, "bach")) as process:
        url = (await process.said(r"on air at (\S+)"))[1]
        async with listening(url) as own, browser() as page:
            # As long on the air as players stay behind.
            await own.until(lambda s: s["channels"]["bach"]["frame"] > 2 * hls.HISTORY * RATE)
            async with page_with(library, f"{url}/{path}", low_latency=low_latency) as address:
                await page.open(address, 400, 300)
                await page.until("audio.currentTime > 0.5", 60)
                if low_latency:
                    # What a slow machine lost at the start the "live" button of any player gives back.
                    await page.value("audio.currentTime = hls.liveSyncPosition")
                    await page.until("hls.latency < 5 && !audio.seeking && audio.readyState > 2", 60)
                begun = await page.value("said.length = 0, audio.currentTime")
                await page.until(f"audio.currentTime > {begun + 15}", 60)
                assert await page.value("said") == []
                assert page.complaints == [], process.lines
                sequences = await page.value("sequences")
                assert sequences == sorted(sequences)
                assert len(set(sequences)) > 1
                assert any("Scale No." in title for title in await page.value("[...titles]"))
                # One gap-free range of sound: no fragment is missing, early or late.
                assert await page.value(f"wholeSince({begun})")
                if low_latency:
                    assert await page.value("hls.latency") < 8
                status = await own.status()
                assert status["channels"]["bach"]["hls"]["listeners"] == 1
                assert status["listeners"] == 1
                await page.call("Page.navigate", url="about:blank")
                await own.until(lambda s: s["listeners"] == 0, hls.LINGER + 30)


@pytest.mark.timeout(200)
async def test_the_sequence_grows_across_a_restart_of_the_process(tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        async with radio("serve", *arguments(tmp_path, "bach")) as process:
            url = (await process.said(r"on air at (\S+)"))[1]
            async with listening(url) as own:
                await own.all_live()
                async with own.session.get(f"{url}/hls/me/bach/aac/live.m3u8") as answer:
                    texts.append(await answer.text())
    assert hlscheck.problems(texts[1], texts[0]) == []
    old, new = map(hlscheck.parse, texts)
    assert new.segments[0].number > old.segments[-1].number
    assert new.number("EXT-X-DISCONTINUITY-SEQUENCE") > old.number("EXT-X-DISCONTINUITY-SEQUENCE")
