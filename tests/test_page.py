"""The page in a real Chromium: it plays, its notes move in time with the sound, and it fits desktop and phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from browser import CHROMIUM, Page, browser
from onair import arguments, radio

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Ubuntu has it as a snap only)"),
    pytest.mark.timeout(240),
]
HEARD = "radio.audio.currentTime > {}"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A station of three channels of scales."""
    async with radio("serve", *arguments(tmp_path, "bach", "ragtime", "chopin")) as process:
        found = await process.said(r"on air at (\S+)")
        yield found[1]


async def opened(page: Page, url: str, width: int, height: int) -> None:
    await page.open(url, width, height)
    await page.until("document.querySelectorAll('#dial button').length === 3")
    await page.until("Object.values(radio.page.channels).every(c => c.state === 'live')", 60)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
async def test_it_plays_and_its_notes_move_in_time_at_both_widths(url: str, width: int, height: int) -> None:
    async with browser() as page:
        await opened(page, url, width, height)
        await page.value("document.querySelector('[data-channel=chopin]').click()")
        await page.until(HEARD.format(1), 40)
        assert await page.value("document.body.classList.contains('playing')")
        assert "Scale No." in await page.until("document.getElementById('title').textContent")
        # The frame that the roll shows is the frame that is heard: where the response began, plus what was played.
        wanted = "radio.clock.tuned + radio.audio.currentTime * 48000"
        assert await page.until("radio.clock.tuned !== null")
        assert abs(await page.value(f"radio.clock.frame - ({wanted})")) < 0.1 * 48000
        before = await page.value("document.getElementById('roll').toDataURL()")
        heard = await page.value("radio.audio.currentTime")
        await page.until(HEARD.format(heard + 1))
        assert await page.value("document.getElementById('roll').toDataURL()") != before
        assert await page.until("document.getElementById('facts').textContent.includes('bar')")
        assert await page.value("document.documentElement.scrollWidth <= innerWidth")
        assert page.complaints == []


async def test_stopping_ends_the_download_and_another_channel_can_be_chosen_with_the_keys(url: str) -> None:
    async with browser() as page:
        await opened(page, f"{url}/#ragtime", 1440, 900)
        assert await page.value("radio.page.selected") == "ragtime"
        await page.value("document.getElementById('play').click()")
        await page.until(HEARD.format(0.5), 40)
        await page.value(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))"
        )
        assert await page.value("radio.page.selected") == "bach"
        await page.until("radio.audio.src.includes('/bach.mp3') && radio.audio.currentTime > 0.5", 40)
        await page.value("document.getElementById('play').click()")
        listeners = "fetch('/status.json').then(r => r.json()).then(s => s.listeners)"
        async with asyncio.timeout(20):
            while await page.value(listeners) != 0:
                await asyncio.sleep(0.1)
        assert page.complaints == []


async def test_a_station_that_goes_away_and_comes_back_is_said_and_heard_again(tmp_path: Path) -> None:
    words = arguments(tmp_path, "bach", "ragtime", "chopin")
    async with browser() as page:
        async with radio("serve", *words) as first:
            url = (await first.said(r"on air at (\S+)"))[1]
            await opened(page, url, 390, 844)
            await page.value("document.getElementById('play').click()")
            await page.until(HEARD.format(0.5), 40)
        await page.until("document.getElementById('air').textContent.includes('cannot be reached')", 30)
        port = url.rpartition(":")[2]
        async with radio("serve", *words, "--port", port):
            await page.until("document.getElementById('air').textContent.startsWith('on air')", 60)
            heard = await page.value("radio.audio.currentTime")
            await page.until(f"radio.audio.currentTime > 0.5 && radio.audio.currentTime !== {heard}", 60)
