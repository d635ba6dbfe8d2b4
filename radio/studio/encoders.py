"""The encoders: one block of sound in, the bytes of one packet out, for each of `radio.formats.FORMATS`.

An encoder belongs to one thread. A new one may take over at any packet: its first packet depends on no earlier bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Protocol

import av
import lameenc
import numpy as np
import numpy.typing as npt

from radio import adts, flac, ogg
from radio.formats import BLOCK, FORMATS, HEADER_PAGES, OPUS_PRESKIP, RATE, opus_granule
from radio.settings import StationConfig

Samples = npt.NDArray[np.int16]
"""(frames, 2)"""

LAME_QUALITY = 5
"""Of 2 (best) to 7: 5 costs 1.0 % of a core a channel, 2 costs 1.65 % and 7, without noise shaping, 0.6 %."""
LAME_DELAY = 1105
"""Frames by which LAME (576) and a decoder (529) delay sound."""
LAME_SCALE = 0.95
"""LAME makes sound this much softer, against overshoots; undone, since the limiter has left room for them."""
OPUS_EFFORT = "5"
"""Of 0 to 10: 5 costs 0.6 % of a core a channel, 10 costs 0.9 %."""
SERIAL = 0x52414449
"""Of every Opus stream: a listener has one only, and a header must fit packets made before and after a restart."""


class Encoder(Protocol):
    """One format of one channel."""

    @staticmethod
    def header(title: str) -> bytes:
        """What a listener gets before the first packet; `title`: of the whole stream."""

    def __init__(self, kbits: int, before: Samples | None = None) -> None:
        """To go on from sound already sent, `before` holds the frames before the first block."""

    def encode(self, pcm: Samples, number: int, start: int) -> bytes:
        """The packet of one block, with its number and its start in frames."""

    def flush(self) -> bytes:
        """What is still held back; the encoder is spent."""


class Mp3:
    """MP3 at a constant bitrate, by LAME.

    LAME's bit reservoir lets bytes of a frame stand in the ones before, and so holds back up to 511 bytes. The encoder
    therefore begins with frames from before its first block, so many that a packet's bytes are always at hand.
    """

    PRIMING = FORMATS["mp3"].delay - LAME_DELAY

    @staticmethod
    def header(title: str) -> bytes:
        return b""

    def __init__(self, kbits: int, before: Samples | None = None) -> None:
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(2)
        self._lame.set_in_sample_rate(RATE)
        self._lame.set_out_sample_rate(RATE)  # or LAME would lower it at low bitrates
        self._lame.set_bit_rate(kbits)
        self._lame.set_quality(LAME_QUALITY)
        self._size = kbits * 125 * BLOCK // RATE
        self._held = bytearray(self._lame.encode(_scaled(_last(before, self.PRIMING))))

    def encode(self, pcm: Samples, number: int, start: int) -> bytes:
        self._held += self._lame.encode(_scaled(pcm))
        assert len(self._held) >= self._size, f"LAME held back {self._size - len(self._held)} bytes of a packet"
        packet = bytes(self._held[: self._size])
        del self._held[: self._size]
        return packet

    def flush(self) -> bytes:
        return bytes(self._held + self._lame.flush())


class Opus:
    """Opus in Ogg pages of our own, by libopus through PyAV; a page a packet."""

    PRIMING = 4800
    """Frames encoded and thrown away, so that a new encoder's predictions come near those of the one before it."""

    @staticmethod
    def header(title: str) -> bytes:
        head = ogg.opus_head(2, OPUS_PRESKIP, RATE)
        tags = ogg.opus_tags("radio", [f"TITLE={title}"])
        return bytes(ogg.Page((head,), 0, SERIAL, 0, ogg.FIRST)) + bytes(ogg.Page((tags,), 0, SERIAL, 1))

    def __init__(self, kbits: int, before: Samples | None = None) -> None:
        codec: Any = av.CodecContext.create("libopus", "w")
        codec.sample_rate, codec.layout, codec.format = RATE, "stereo", "s16"
        codec.bit_rate = kbits * 1000
        # Free VBR takes 40 % more than it was told for music as tonal as this; "constrained" keeps to the bitrate.
        codec.options = {"application": "audio", "vbr": "constrained", "compression_level": OPUS_EFFORT}
        codec.open()
        self._codec = codec
        if before is not None:
            self._packets(_last(before, self.PRIMING))

    def encode(self, pcm: Samples, number: int, start: int) -> bytes:
        return bytes(ogg.Page(self._packets(pcm), opus_granule(start), SERIAL, number + HEADER_PAGES))

    def flush(self) -> bytes:
        return b""

    def _packets(self, pcm: Samples) -> tuple[bytes, ...]:
        data: Any = np.ascontiguousarray(pcm).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, format="s16", layout="stereo")
        frame.sample_rate = RATE
        return tuple(bytes(packet) for packet in self._codec.encode(frame))


class Aac:
    """AAC-LC in ADTS, by FFmpeg's own encoder through PyAV.

    Its frames are 1,024 long and a block no multiple of that: a packet holds the frames that end in its block, counted
    from the channel's first, whichever encoder makes them.
    """

    FRAME = FORMATS["aac"].grid
    PRIMING = 2 * FRAME
    """Frames encoded and thrown away, so that a new encoder's frames overlap as those of the one before it."""

    @staticmethod
    def header(title: str) -> bytes:
        return b""

    def __init__(self, kbits: int, before: Samples | None = None) -> None:
        codec: Any = av.CodecContext.create("aac", "w")
        codec.sample_rate, codec.layout, codec.format = RATE, "stereo", "fltp"
        codec.bit_rate = kbits * 1000
        codec.open()
        self._codec = codec
        self._before, self._begun = before, False

    def encode(self, pcm: Samples, number: int, start: int) -> bytes:
        if not self._begun:
            self._packets(_last(self._before, self.PRIMING + start % self.FRAME))
            self._before, self._begun = None, True
        return b"".join(adts.header(len(packet)) + packet for packet in self._packets(pcm))

    def flush(self) -> bytes:
        return b"".join(adts.header(packet.size) + bytes(packet) for packet in self._codec.encode(None))

    def _packets(self, pcm: Samples) -> list[bytes]:
        data: Any = np.ascontiguousarray(pcm.T, dtype=np.float32) / 32768
        frame = av.AudioFrame.from_ndarray(data, format="fltp", layout="stereo")
        frame.sample_rate = RATE
        return [bytes(packet) for packet in self._codec.encode(frame)]


class Flac:
    """FLAC, a frame a packet, by FFmpeg's encoder through PyAV. No frame depends on another."""

    @staticmethod
    def header(title: str) -> bytes:
        return flac.stream_header(bytes(_flac().extradata))

    def __init__(self, kbits: int, before: Samples | None = None) -> None:
        self._codec = _flac()

    def encode(self, pcm: Samples, number: int, start: int) -> bytes:
        data: Any = np.ascontiguousarray(pcm).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, format="s16", layout="stereo")
        frame.sample_rate = RATE
        (packet,) = self._codec.encode(frame)
        return flac.renumbered(bytes(packet), number)

    def flush(self) -> bytes:
        return b""


def _flac() -> Any:
    codec: Any = av.CodecContext.create("flac", "w")
    codec.sample_rate, codec.layout, codec.format = RATE, "stereo", "s16"
    codec.options = {"frame_size": str(BLOCK)}
    codec.open()
    return codec


class Wav:
    """Sound as it is, 16 bits, little-endian; a RIFF header that says it has no end."""

    @staticmethod
    def header(title: str) -> bytes:
        endless = 0xFFFFFFFF
        form = struct.pack("<IHHIIHH", 16, 1, 2, RATE, 4 * RATE, 4, 16)
        return b"RIFF" + struct.pack("<I", endless) + b"WAVEfmt " + form + b"data" + struct.pack("<I", endless)

    def __init__(self, kbits: int, before: Samples | None = None) -> None:
        pass

    def encode(self, pcm: Samples, number: int, start: int) -> bytes:
        return pcm.astype("<i2").tobytes()

    def flush(self) -> bytes:
        return b""


def _last(pcm: Samples | None, frames: int) -> Samples:
    """The last so many frames, silence before them where there are fewer."""
    found = np.zeros((frames, 2), dtype=np.int16)
    if pcm is not None and len(pcm):
        kept = pcm[-frames:]
        found[frames - len(kept) :] = kept
    return found


def _scaled(pcm: Samples) -> bytes:
    return np.clip(np.rint(pcm / np.float32(LAME_SCALE)), -32768, 32767).astype("<i2").tobytes()


CODECS: dict[str, type[Encoder]] = {"mp3": Mp3, "opus": Opus, "aac": Aac, "flac": Flac, "wav": Wav}
"""By name."""


def codec(form: str) -> type[Encoder]:
    """The codec of a format."""
    return CODECS[FORMATS[form].codec or form]


def encoder(station: StationConfig, form: str, before: Samples | None = None) -> Encoder:
    """A new encoder of a format, at the station's bit rate."""
    return codec(form)(station.kbits(FORMATS[form]), before)
