"""FLAC frames: moved to any place of a stream they are what an encoder would have written there."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio import flac
from radio.formats import BLOCK
from radio.settings import StationConfig
from radio.studio.encoders import codec, encoder
from sound import decode, noise, samples

numbers = st.integers(0, 2**31 - 1)


@lru_cache
def frame() -> bytes:
    return encoder(StationConfig(), "flac").encode(samples(noise(BLOCK)), 0, 0)


def slow_checksum(data: bytes, generator: int, bits: int) -> int:
    """RFC 9639's, by division of the whole polynomial."""
    value = int.from_bytes(data, "big") << bits
    for place in reversed(range(8 * len(data))):
        if value >> place + bits & 1:
            value ^= (generator | 1 << bits) << place
    return value


@given(numbers)
def test_a_frame_has_the_number_it_was_given_and_right_checksums(number: int) -> None:
    moved = flac.renumbered(frame(), number)
    size = next(n for n in range(1, 8) if number < (0x80 if n == 1 else 1 << 5 * n + 1))
    coded = moved[4 : 4 + size]
    told = coded[0] if size == 1 else coded[0] & (1 << 7 - size) - 1
    assert size == 1 or coded[0] >> 7 - size == (1 << size + 1) - 2  # as many ones as there are bytes, and a zero
    for byte in coded[1:]:
        assert byte >> 6 == 0b10
        told = told << 6 | byte & 0x3F
    assert told == number
    header = moved[: 4 + size + 2]
    assert moved[len(header)] == slow_checksum(header, 0x07, 8)
    assert moved[len(header) + 1 :][:-2] == frame()[8:-2]


@pytest.mark.parametrize("number", [0, 127, 128, 2047, 2048, 70_000, 2**26, 2**31 - 1])
def test_the_whole_frames_checksum_is_the_standards(number: int) -> None:
    moved = flac.renumbered(frame(), number)
    assert int.from_bytes(moved[-2:], "big") == slow_checksum(moved[:-2], 0x8005, 16)


@given(numbers, numbers)
def test_a_frame_moved_and_moved_again_is_the_frame_moved_at_once(one: int, other: int) -> None:
    assert flac.renumbered(flac.renumbered(frame(), one), other) == flac.renumbered(frame(), other)


@pytest.mark.parametrize("number", [0, 5_000_000])
def test_a_stream_may_begin_with_any_frame(number: int) -> None:
    head = codec("flac").header("The radio")
    made = encoder(StationConfig(), "flac")
    sound = noise(4 * BLOCK)
    pcm = samples(sound)
    frames = [made.encode(pcm[n * BLOCK : (n + 1) * BLOCK], number + n, 0) for n in range(4)]
    heard = decode(head + b"".join(frames))
    assert (samples(heard) == pcm).mean() > 0.99


@pytest.mark.parametrize(
    ("data", "number", "error"),
    [
        (b"OggS" + bytes(20), 1, "got 4f67, wanted fff8"),
        (b"\xff\xf8\x7a\xa8\xff" + bytes(20), 1, "got 0xff where a FLAC frame's number begins"),
        (b"\xff\xf8\x7a\xa8\x80" + bytes(20), 1, "got 0x80 where"),
        (b"", 1, "wanted fff8"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes, number: int, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        flac.renumbered(data, number)


@pytest.mark.parametrize("number", [-1, 2**31])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"got frame number {number}, wanted 0 to 2147483647"):
        flac.renumbered(frame(), number)


def test_a_header_needs_its_block() -> None:
    with pytest.raises(ValueError, match="got 3 bytes of STREAMINFO, wanted 34"):
        flac.stream_header(b"abc")
