"""Fragmented MP4 with one track of AAC: what a player gets first, and fragments. Pure: frames in, bytes out.

Boxes are those of ISO/IEC 14496-12, the descriptors those of 14496-1 and 14496-14, the profile that of CMAF
(ISO/IEC 23000-19): a fragment needs no other, and offsets in it count from its own first byte.

PyAV could write them, but its muxer ends a fragment only as the next one's first frame comes, a fragment late.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

SILENCE = bytes.fromhex("210049900219002380")
"""An AAC-LC frame of two silent channels."""
_RATE = 48000
"""Ticks a second of the track's timeline: one is one audio frame."""
_FRAME = 1024
"""Audio frames of an AAC frame."""
_TRACK = 1
_LANGUAGE = 0x55C4
"""Undetermined."""
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The matrix that every header of a movie or track has, sound or not."""
_AUDIO_CONFIG = bytes.fromhex("1190")
"""AudioSpecificConfig (ISO/IEC 14496-3): AAC-LC, 48 kHz, two channels, frames of 1,024."""
_SYNC = 0x02000000
"""Sample flags: it depends on no other."""
_BASE_IS_MOOF, _DURATION, _FLAGS = 0x020000, 0x08, 0x20
"""Flags of a tfhd: offsets count from the fragment; a default duration and default flags are there."""
_OFFSET, _SIZES = 0x01, 0x200
"""Flags of a trun: the data's offset and the size of each frame are there."""


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _descriptor(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, len(body))) + body


def init_segment() -> bytes:
    """What comes before any fragments: an empty movie with one track."""
    ftyp = _box(b"ftyp", b"iso6", bytes(4), b"iso6", b"cmfc", b"mp41")
    mvhd = _full(b"mvhd", 0, 0, struct.pack(">4I", 0, 0, _RATE, 0), struct.pack(">IH10x", 0x10000, 0x100), _UNITY,
                 bytes(24), struct.pack(">I", _TRACK + 1))  # fmt: skip
    trex = _full(b"trex", 0, 0, struct.pack(">5I", _TRACK, 1, _FRAME, 0, _SYNC))
    return ftyp + _box(b"moov", mvhd, _track(), _box(b"mvex", trex))


def _track() -> bytes:
    enabled_in_movie = 3
    tkhd = _full(b"tkhd", 0, enabled_in_movie, struct.pack(">5I8x4H", 0, 0, _TRACK, 0, 0, 0, 0, 0x100, 0), _UNITY,
                 bytes(8))  # fmt: skip
    mdhd = _full(b"mdhd", 0, 0, struct.pack(">4I2H", 0, 0, _RATE, 0, _LANGUAGE, 0))
    hdlr = _full(b"hdlr", 0, 0, bytes(4), b"soun", bytes(12), b"sound\0")
    here = _full(b"url ", 0, 1)
    dinf = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), here))
    empty = [_full(kind, 0, 0, bytes(size)) for kind, size in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))]
    stbl = _box(b"stbl", _full(b"stsd", 0, 0, struct.pack(">I", 1), _aac()), *empty)
    minf = _box(b"minf", _full(b"smhd", 0, 0, bytes(4)), dinf, stbl)
    return _box(b"trak", tkhd, _box(b"mdia", mdhd, hdlr, minf))


def _aac() -> bytes:
    """The sample entry: stereo, 16 bits, and the decoder's configuration."""
    mpeg4_audio, audio_stream = 0x40, 0x15
    decoder = _descriptor(4, bytes((mpeg4_audio, audio_stream)), bytes(11), _descriptor(5, _AUDIO_CONFIG))
    esds = _full(b"esds", 0, 0, _descriptor(3, bytes(3), decoder, _descriptor(6, b"\x02")))
    return _box(b"mp4a", bytes(6), struct.pack(">H8x4HI", 1, 2, 16, 0, 0, _RATE << 16), esds)


def fragment(number: int, time: int, frames: Sequence[bytes]) -> bytes:
    """AAC frames, the first of which begins `time` ticks into the timeline (0 to 2**64 − 1).

    `number` grows from fragment to fragment; only its low 32 bits are written.
    """
    mfhd = _full(b"mfhd", 0, 0, struct.pack(">I", number & 0xFFFFFFFF))
    tfhd = _full(b"tfhd", 0, _BASE_IS_MOOF | _DURATION | _FLAGS, struct.pack(">3I", _TRACK, _FRAME, _SYNC))
    tfdt = _full(b"tfdt", 1, 0, struct.pack(">Q", time))
    sizes = struct.pack(f">{len(frames)}I", *map(len, frames))
    # Three boxes' headers are around the track's boxes: moof and traf, and that of the data they point at.
    data = 3 * 8 + len(mfhd) + len(tfhd) + len(tfdt) + 20 + len(sizes)
    trun = _full(b"trun", 0, _OFFSET | _SIZES, struct.pack(">2I", len(frames), data), sizes)
    return _box(b"moof", mfhd, _box(b"traf", tfhd, tfdt, trun)) + _box(b"mdat", *frames)
