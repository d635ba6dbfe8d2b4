"""Ogg pages: what is written reads back, and by others too."""

from __future__ import annotations

import io
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio import ogg
from radio.ogg import Page, checksum, opus_head, opus_tags, pages, restamped

packets = st.lists(st.binary(max_size=1200), max_size=20).map(tuple)
granules = st.integers(0, 2**62)
numbers = st.integers(0, 2**32 - 1)


def slow_checksum(data: bytes) -> int:
    """RFC 3533's CRC, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


@given(st.binary(max_size=300))
def test_the_checksum_is_the_one_the_standard_defines(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


@given(st.lists(st.builds(Page, packets, granules, numbers, numbers, st.sampled_from([0, ogg.FIRST, ogg.LAST]))))
def test_pages_read_back_as_they_were_written(written: list[Page]) -> None:
    assert list(pages(b"".join(map(bytes, written)))) == written


@given(packets, granules, numbers, granules, numbers)
def test_a_restamped_page_differs_in_place_alone(
    held: tuple[bytes, ...], granule: int, sequence: int, new_granule: int, new_sequence: int
) -> None:
    moved = restamped(bytes(Page(held, granule, 7, sequence)), new_granule, new_sequence)
    assert moved == bytes(Page(held, new_granule, 7, new_sequence))


@given(st.builds(Page, packets, granules, numbers, numbers), st.data())
def test_a_damaged_page_is_refused(page: Page, data: st.DataObject) -> None:
    whole = bytearray(bytes(page))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match=r"page|OggS"):
        list(pages(bytes(whole)))


def test_bytes_that_are_not_one_page_are_not_restamped() -> None:
    page = bytes(Page((b"a",), 0, 1, 0))
    for data in (b"", page[:-1], page + page, b"\xff" * 100):
        with pytest.raises(ValueError, match="one whole Ogg page"):
            restamped(data, 0, 0)


def test_more_than_a_page_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="256 segments"):
        bytes(Page((b"",) * 256, 0, 1, 0))


def read_with_av(data: bytes) -> tuple[dict[str, str], list[bytes]]:
    """Tags and Opus packets, as FFmpeg's demuxer finds them."""
    with av.open(io.BytesIO(data), format="ogg") as container:
        stream: Any = container.streams[0]
        assert stream.codec_context.name == "opus"
        return dict(stream.metadata), [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_ffmpeg_reads_the_headers_and_every_packet() -> None:
    """Opus packets of one byte: a valid configuration and nothing coded."""
    head = Page((opus_head(2, 312, 48000),), 0, 9, 0, ogg.FIRST)
    tags = Page((opus_tags("radio", ["TITLE=Étude · № 1", "COMMENT="]),), 0, 9, 1)
    sound = [Page((bytes([0xFC]), bytes([0xF8]) * 2), 1920 * (n + 1), 9, n + 2) for n in range(5)]
    found, read = read_with_av(b"".join(map(bytes, [head, tags, *sound])))
    assert found["TITLE"] == "Étude · № 1"
    assert read == [packet for page in sound for packet in page.packets]
