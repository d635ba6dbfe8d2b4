"""Formats: the facts the two halves share."""

from __future__ import annotations

from radio.config import StationConfig
from radio.formats import BLOCK, FORMATS, RATE
from radio.ogg import pages
from radio.studio.encoders import ENCODERS
from sound import noise, samples


def test_every_format_has_an_encoder_and_every_encoder_a_format() -> None:
    assert set(FORMATS) == set(ENCODERS)
    for name, format in FORMATS.items():
        assert format.name == name
        assert format.content_type == ENCODERS[name].content_type


def test_an_mp3_packet_is_the_same_wherever_it_stands() -> None:
    assert FORMATS["mp3"].restamp(b"frames", 7, 7 * BLOCK) == b"frames"


def test_an_opus_packet_moved_is_the_one_that_would_have_been_made_there() -> None:
    here, there = (ENCODERS["opus"](StationConfig()) for _ in range(2))
    sound = samples(noise(BLOCK))
    moved = FORMATS["opus"].restamp(here.encode(sound, 5, 5 * BLOCK), 900, 1000 * BLOCK)
    assert moved == there.encode(sound, 900, 1000 * BLOCK)


def test_an_opus_packet_carries_the_time_of_its_block() -> None:
    """A player's clock is granule − pre-skip; sound lags by the pre-skip, so the page ends at the block's end."""
    (page,) = pages(ENCODERS["opus"](StationConfig()).encode(samples(noise(BLOCK)), 3, 3 * RATE))
    assert page.granule == 3 * RATE + BLOCK
