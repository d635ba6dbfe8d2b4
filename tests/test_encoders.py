"""Encoders: header and any packets that follow each other are a stream, in time with the blocks they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from radio.formats import BLOCK, FORMATS
from radio.ogg import pages
from radio.settings import StationConfig
from radio.studio.encoders import CODECS, codec, encoder
from sound import Pcm, decode, decode_mpg123, lag, noise, samples, tone

BLOCKS = 12
SETTLING = 4608
"""Frames after a join or splice that may differ: MP3's bit reservoir, Opus's prediction."""
every = pytest.mark.parametrize("name", CODECS)


def encode(name: str, sound: Pcm, *, restart_at: int | None = None, **station: int) -> list[bytes]:
    """The packets of the sound; a new encoder takes over at block `restart_at`."""
    config = StationConfig(**station)  # type: ignore[arg-type]
    made = encoder(config, name)
    pcm = samples(sound)
    packets = []
    for number in range(len(sound) // BLOCK):
        start = number * BLOCK
        if number == restart_at:
            made = encoder(config, name, pcm[:start])
        packets.append(made.encode(pcm[start : start + BLOCK], number, start))
    return packets


def header(name: str) -> bytes:
    return codec(name).header("The radio")


def likeness(one: Pcm, other: Pcm) -> float:
    """Correlation, 1 for the same sound."""
    return float(np.corrcoef(one[:, 0], other[:, 0])[0, 1])


@every
@pytest.mark.parametrize("first", [0, 1, 5, BLOCKS - 2])
def test_header_and_any_packets_after_are_a_stream_in_time_with_its_blocks(name: str, first: int) -> None:
    sound = noise(BLOCKS * BLOCK)
    delay = FORMATS[name].delay_at(first * BLOCK)
    heard = decode(header(name) + b"".join(encode(name, sound)[first:]))
    assert lag(heard, sound[first * BLOCK :]) == delay
    start = max(delay, SETTLING)
    length = len(heard) - start
    assert likeness(heard[start:], sound[first * BLOCK + start - delay :][:length]) > 0.7
    assert abs(len(heard) - (BLOCKS - first) * BLOCK) <= max(312, FORMATS[name].grid)


@every
def test_a_new_encoder_takes_over_at_any_packet(name: str) -> None:
    """No decoder complains, nothing is out of time, and the sound goes on."""
    sound = tone(BLOCKS * BLOCK, hertz=440)
    delay = FORMATS[name].delay
    heard = decode(header(name) + b"".join(encode(name, sound, restart_at=6)))
    middle = heard[delay + SETTLING : len(heard) - SETTLING]
    wanted = sound[SETTLING : SETTLING + len(middle)]
    apart = np.abs(middle - wanted).max(axis=1) > 0.06
    assert apart.sum() < 1152
    assert lag(middle, wanted) == 0


@every
def test_a_new_encoder_in_silence_is_not_heard(name: str) -> None:
    sound = tone(BLOCKS * BLOCK, hertz=440)
    sound[4 * BLOCK : 7 * BLOCK] = 0
    whole = decode(header(name) + b"".join(encode(name, sound)))
    taken_over = decode(header(name) + b"".join(encode(name, sound, restart_at=6)))
    around = slice(FORMATS[name].delay + 5 * BLOCK, FORMATS[name].delay + 7 * BLOCK - 1000)
    assert np.abs(whole[around]).max() < 0.001
    assert np.abs(taken_over[around]).max() < 0.001
    assert likeness(taken_over[8 * BLOCK : 11 * BLOCK], whole[8 * BLOCK : 11 * BLOCK]) > 0.999


@every
def test_the_same_sound_gives_the_same_bytes(name: str) -> None:
    assert encode(name, noise(3 * BLOCK)) == encode(name, noise(3 * BLOCK))


@every
def test_the_header_does_not_change(name: str) -> None:
    """Packets of different encoders follow one header."""
    assert header(name) == header(name)


@pytest.mark.parametrize("bitrate", [64, 80, 96, 112, 128, 160, 192, 224, 256, 320])
def test_every_mp3_packet_is_ten_frames_and_the_first_needs_none_before(bitrate: int) -> None:
    """Loud noise after silence takes all that the bit reservoir has."""
    sound = noise(BLOCKS * BLOCK, level=0.3)
    sound[: 4 * BLOCK] *= 0.0001
    sound[8 * BLOCK : 9 * BLOCK] = 0
    packets = encode("mp3", sound, bitrate=bitrate)
    size = bitrate * 3  # 1,152 frames at 48 kHz
    for packet in packets:
        assert len(packet) == 10 * size
        assert all(packet[k * size : k * size + 2] == b"\xff\xfb" for k in range(10))
    assert packets[0][4] == 0  # main_data_begin, the high 8 of 9 bits
    assert packets[0][5] >> 7 == 0
    assert lag(decode_mpg123(b"".join(packets)), sound) == FORMATS["mp3"].delay


def test_an_mp3_packet_after_others_than_its_own_is_silent_where_it_would_have_been_noise() -> None:
    """Its first frames need bytes that are not there; all others sound as they would have."""
    quiet, loud = noise(4 * BLOCK, level=0.01), noise(BLOCKS * BLOCK, level=0.3)
    before, after = encode("mp3", quiet), encode("mp3", loud)[5:]
    spliced = decode(b"".join((*before, FORMATS["mp3"].alone(after[0]), *after[1:])))
    start = len(before) * BLOCK
    whole = decode(b"".join(encode("mp3", loud)))[5 * BLOCK :]
    assert np.abs(spliced[: start + 2304]).max() <= np.abs(whole).max()
    settled = 4 * 1152
    np.testing.assert_allclose(spliced[start + settled : start + BLOCK], whole[settled:BLOCK], atol=0.01)


def test_an_mp3_packet_that_needs_none_before_it_is_left_as_it_is() -> None:
    first = encode("mp3", noise(2 * BLOCK))[0]
    assert FORMATS["mp3"].alone(first) == first
    with pytest.raises(ValueError, match="10 frames"):
        FORMATS["mp3"].alone(b"no frames at all")


def test_every_opus_packet_is_one_page_of_twelve_frames() -> None:
    for number, packet in enumerate(encode("opus", noise(5 * BLOCK))):
        (page,) = pages(packet)
        assert len(page.packets) == 12
        assert page.sequence == number + 2
        assert page.granule == (number + 1) * BLOCK


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.codec])
def test_a_format_at_another_bit_rate_keeps_to_it(name: str) -> None:
    sound = noise(BLOCKS * BLOCK, level=0.2)
    size = sum(map(len, encode(name, sound)))
    assert size / (StationConfig().kbits(FORMATS[name]) * 125 * BLOCKS * 0.24) == pytest.approx(1.0, abs=0.1)


def test_opus_keeps_to_its_bitrate_for_tonal_music() -> None:
    sound = tone(BLOCKS * BLOCK, 440, 0.3) + tone(BLOCKS * BLOCK, 554, 0.2) + tone(BLOCKS * BLOCK, 659, 0.2)
    size = sum(map(len, encode("opus", sound, opus_bitrate=96)))
    assert size / (96 * 125 * BLOCKS * 0.24) == pytest.approx(1.0, abs=0.12)


def test_what_mp3_holds_back_comes_with_flush() -> None:
    sound = noise(4 * BLOCK)
    pcm = samples(sound)
    mp3 = encoder(StationConfig(), "mp3")
    packets = [mp3.encode(pcm[n * BLOCK : (n + 1) * BLOCK], n, n * BLOCK) for n in range(4)]
    heard = decode(b"".join(packets) + mp3.flush())
    delay = FORMATS["mp3"].delay
    assert likeness(heard[delay : delay + 4 * BLOCK], sound) > 0.7
