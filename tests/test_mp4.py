"""AAC frames out of ADTS and into fragmented MP4: what the boxes say is what was put in, and ffmpeg plays it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio import adts, mp4
from radio.formats import BLOCK
from radio.settings import StationConfig
from radio.studio.encoders import encoder
from sound import decode, noise, samples

FRAMES = st.lists(st.binary(max_size=60), min_size=1, max_size=50)
HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf"}


def boxes(data: bytes, within: str = "") -> Iterator[tuple[str, bytes, int]]:
    """Path, body and place of the body of each box, those of boxes in boxes after the box itself."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at, f"{kind!r} at byte {at} of {within}: {size} bytes of {len(data) - at}"
        path = f"{within}/{kind.decode()}"
        body = data[at + 8 : at + size]
        yield path, body, at + 8
        if kind in HOLDERS:
            yield from boxes(body, path)
        at += size


@given(st.lists(st.binary(max_size=8000), max_size=20))
def test_frames_come_out_of_adts_as_they_went_in(given_frames: list[bytes]) -> None:
    stream = b"".join(adts.header(len(frame)) + frame for frame in given_frames)
    assert adts.frames(stream) == tuple(given_frames)


@given(st.binary(min_size=1, max_size=60).filter(lambda data: data[0] != 0xFF), st.integers(1, 10))
def test_what_is_no_adts_is_refused(garbage: bytes, missing: int) -> None:
    good = adts.header(4) + b"good"
    for data in (garbage, good + garbage, (good + good)[:-missing]):
        with pytest.raises(ValueError, match="wanted the"):
            adts.frames(data)


def test_a_checksum_after_the_header_is_passed_over() -> None:
    plain = adts.header(6) + b"ccgood"
    assert adts.frames(plain[:1] + b"\xf0" + plain[2:]) == (b"good",)


@given(st.integers(0, 2**40), st.integers(0, 2**64 - 1), FRAMES)
def test_a_fragment_tells_its_time_and_finds_its_frames(number: int, time: int, frames: list[bytes]) -> None:
    data = mp4.fragment(number, time, frames)
    found = {path: body for path, body, _ in boxes(data)}
    track = ["/moof/traf", *(f"/moof/traf/{kind}" for kind in ("tfhd", "tfdt", "trun"))]
    assert list(found) == ["/moof", "/moof/mfhd", *track, "/mdat"]
    assert struct.unpack(">II", found["/moof/mfhd"]) == (0, number % 2**32)
    assert struct.unpack(">IQ", found["/moof/traf/tfdt"]) == (1 << 24, time)
    flags, own, duration, _ = struct.unpack(">4I", found["/moof/traf/tfhd"])
    assert (flags, own, duration) == (0x020028, 1, 1024)
    _, count, offset, *sizes = struct.unpack(f">3I{len(frames)}I", found["/moof/traf/trun"])
    assert count == len(frames)
    assert sizes == [len(frame) for frame in frames]
    assert data[offset:] == b"".join(frames) == found["/mdat"]


def test_the_first_boxes_are_whole_and_promise_what_hls_asks_for() -> None:
    """RFC 8216bis, 3.1.2: a brand of iso6 or later, no durations, and every box that a movie must have."""
    found = {path: body for path, body, _ in boxes(mp4.init_segment())}
    assert b"iso6" in found["/ftyp"][8:]
    stbl = "/moov/trak/mdia/minf/stbl"
    assert {"/moov/mvhd", "/moov/trak/tkhd", "/moov/trak/mdia/hdlr", "/moov/mvex/trex", f"{stbl}/stsd"} <= set(found)
    for empty in ("stts", "stsc", "stco"):
        assert found[f"{stbl}/{empty}"] == bytes(8)
    assert struct.unpack_from(">II", found["/moov/mvhd"], 12) == (48000, 0)
    assert struct.unpack_from(">II", found["/moov/trak/mdia/mdhd"], 12) == (48000, 0)


def test_fragments_anywhere_on_the_timeline_decode_to_the_samples_of_the_adts_stream() -> None:
    made, pcm = encoder(StationConfig(), "aac"), samples(noise(12 * BLOCK))
    packets = [made.encode(pcm[n * BLOCK : (n + 1) * BLOCK], n, n * BLOCK) for n in range(12)]
    frames = adts.frames(b"".join(packets))
    assert len(frames) == 3 * 45
    hours = 10**9 * 1024  # frames: 245 days, beyond 32 bits
    stream = mp4.init_segment() + b"".join(mp4.fragment(n, hours + n * 46080, frames[n * 45 :][:45]) for n in range(3))
    np.testing.assert_array_equal(decode(stream), decode(b"".join(packets)))
    with av.open(io.BytesIO(stream)) as container:
        (track,) = container.streams
        times = [packet.pts for packet in container.demux(track) if packet.size]
        codec: Any = track.codec_context
        assert (codec.name, codec.profile, codec.sample_rate, codec.channels) == ("aac", "LC", 48000, 2)
    assert times == [hours + n * 1024 for n in range(3 * 45)]


def test_the_silent_frame_is_silent() -> None:
    assert not decode(mp4.init_segment() + mp4.fragment(0, 0, [mp4.SILENCE] * 45)).any()
