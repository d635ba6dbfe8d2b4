"""The formats a channel is sent in: what the studio, which encodes, and the air, which sends, must agree on.

Each packet of a format holds one block's worth of whole codec frames, so a listener may join, and a sequence of
packets be spliced with another's, at any packet. No encoder here: those are `radio.studio.encoders`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from radio import flac, mp3, ogg

RATE = 48000
"""Audio frames a second."""
BLOCK = 11520
"""Frames of a block, and of the packet made of it: 0.24 s, 10 MP3 frames, 12 Opus frames."""
OPUS_PRESKIP = 312
"""Frames by which libopus delays sound, and which a decoder throws away at the start of a stream."""
HEADER_PAGES = 2
"""Ogg pages before the first packet's."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format."""

    name: str
    extension: str
    content_type: str
    delay: int
    """Frames the sound lags behind the packets: those from the packet that starts at s on decode, from their first
    frame of sound, to source frames s − `delay_at(s)` and after."""
    restamp: Callable[[bytes, int, int], bytes]
    """A packet's bytes, its new number and its new start (frames); the bytes as they must be there."""
    kbits: str | int
    """kbit/s, or the station's setting that says them; 0: as the sound has it."""
    alone: Callable[[bytes], bytes] = lambda data: data
    """A packet's bytes as they must be after others than those they were made after."""
    codec: str = ""
    """The codec's name, which is the format's own where nothing else is said."""
    grid: int = 1
    """Frames of a codec frame, where a packet does not hold whole ones: it holds those that end within it."""
    icy: bool = False
    """Whether titles can be put between its bytes."""

    def at(self, kbits: int) -> Format:
        """The same at another bit rate: `mp3-192`, sent as `/bach.192.mp3`."""
        own = f"{self.name}-{kbits}"
        return replace(self, name=own, extension=f"{kbits}.{self.extension}", kbits=kbits, codec=self.name)

    def delay_at(self, start: int) -> int:
        """Frames by which the sound lags behind the packet that starts at frame `start`."""
        return self.delay + start % self.grid


def _unstamped(data: bytes, number: int, start: int) -> bytes:
    return data


def _restamped_opus(data: bytes, number: int, start: int) -> bytes:
    return ogg.restamped(data, opus_granule(start), number + HEADER_PAGES)


def _restamped_flac(data: bytes, number: int, start: int) -> bytes:
    return flac.renumbered(data, number)


def opus_granule(start: int) -> int:
    """The granule position of the page of the block that starts at frame `start`.

    It counts decoded frames, the pre-skipped ones included, so a player's time is the block's own frame.
    """
    return start + BLOCK


_MP3 = Format("mp3", "mp3", "audio/mpeg", 6912, _unstamped, "bitrate", alone=mp3.alone, icy=True)
_AAC = Format("aac", "aac", "audio/aac", 2048, _unstamped, "aac_bitrate", grid=1024, icy=True)
FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        _MP3,
        Format("opus", "opus", "audio/ogg; codecs=opus", 0, _restamped_opus, "opus_bitrate"),
        _AAC,
        Format("flac", "flac", "audio/flac", 0, _restamped_flac, 0),
        Format("wav", "wav", "audio/wav", 0, _unstamped, 2 * 16 * RATE // 1000),
        _MP3.at(192),
        _MP3.at(320),
        _AAC.at(64),
        _AAC.at(256),
    )
}
