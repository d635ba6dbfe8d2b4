"""Formats: the facts the two halves share."""

from __future__ import annotations

from radio.formats import BLOCK, FORMATS, RATE
from radio.ogg import pages
from radio.settings import StationConfig
from radio.studio.encoders import CODECS, encoder
from sound import noise, samples


def test_every_format_has_a_codec_and_every_codec_a_format() -> None:
    assert {form.codec or name for name, form in FORMATS.items()} == set(CODECS)
    assert all(format.name == name for name, format in FORMATS.items())
    assert len({form.extension for form in FORMATS.values()}) == len(FORMATS)


def test_an_mp3_packet_is_the_same_wherever_it_stands() -> None:
    assert FORMATS["mp3"].restamp(b"frames", 7, 7 * BLOCK) == b"frames"


def test_an_opus_packet_moved_is_the_one_that_would_have_been_made_there() -> None:
    here, there = (encoder(StationConfig(), "opus") for _ in range(2))
    sound = samples(noise(BLOCK))
    moved = FORMATS["opus"].restamp(here.encode(sound, 5, 5 * BLOCK), 900, 1000 * BLOCK)
    assert moved == there.encode(sound, 900, 1000 * BLOCK)


def test_an_opus_packet_carries_the_time_of_its_block() -> None:
    """A player's clock is granule − pre-skip; sound lags by the pre-skip, so the page ends at the block's end."""
    (page,) = pages(encoder(StationConfig(), "opus").encode(samples(noise(BLOCK)), 3, 3 * RATE))
    assert page.granule == 3 * RATE + BLOCK
