"""Ogg pages (RFC 3533) and the two headers of an Opus stream (RFC 7845). Pure: bytes in, bytes out."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HEAD = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, checksum, segments
_GRANULE, _CHECKSUM = 6, 22
"""Offsets into a page."""
FIRST, LAST = 2, 4
"""Flags of a stream's first and last page."""
SEGMENTS = 255
"""Most segments of a page, and most bytes of a segment."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Page:
    """One page that holds whole packets."""

    packets: tuple[bytes, ...]
    granule: int
    """Audio frames decoded once this page is, from the start of the stream."""
    serial: int
    sequence: int
    flags: int = 0

    def __bytes__(self) -> bytes:
        lacing = b"".join(_lacing(len(packet)) for packet in self.packets)
        if len(lacing) > SEGMENTS:
            raise ValueError(f"got {len(lacing)} segments, a page holds at most {SEGMENTS}: write fewer packets to it")
        head = _HEAD.pack(b"OggS", 0, self.flags, self.granule, self.serial, self.sequence, 0, len(lacing))
        return _sealed(bytearray(head + lacing + b"".join(self.packets)))


def _lacing(size: int) -> bytes:
    return b"\xff" * (size // SEGMENTS) + bytes((size % SEGMENTS,))


def checksum(data: bytes) -> int:
    """Ogg's CRC: polynomial 0x04c11db7, most significant bit first, nothing inverted.

    zlib's is the same polynomial with the bits of bytes and of the result the other way round, and inverted.
    """
    reflected = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def _sealed(page: bytearray) -> bytes:
    """The page with its checksum written; the field must be zero."""
    struct.pack_into("<I", page, _CHECKSUM, checksum(bytes(page)))
    return bytes(page)


def restamped(data: bytes, granule: int, sequence: int) -> bytes:
    """A single page at another place of its stream.

    Raises:
        ValueError: not one whole page.
    """
    if len(data) < _HEAD.size or _size(data, 0) != len(data):
        raise ValueError(f"got {len(data)} bytes, wanted one whole Ogg page")
    page = bytearray(data)
    serial = struct.unpack_from("<I", page, _GRANULE + 8)[0]
    struct.pack_into("<qIII", page, _GRANULE, granule, serial, sequence, 0)
    return _sealed(page)


def _size(data: bytes, start: int) -> int:
    """Length of the page that begins at `start`."""
    segments = data[start + _HEAD.size - 1]
    table = start + _HEAD.size
    return _HEAD.size + segments + sum(data[table : table + segments])


def pages(data: bytes) -> Iterator[Page]:
    """The pages of a whole stream or a part of it cut at page borders.

    Raises:
        ValueError: no page where one should begin, cut short, a wrong checksum, or a packet that runs on.
    """
    start = 0
    while start < len(data):
        end = start + _size(data, start) if len(data) - start >= _HEAD.size else len(data) + 1
        if end > len(data):
            raise ValueError(f"got a page cut short at byte {start}, wanted whole pages")
        yield _page(data[start:end], start)
        start = end


def _page(data: bytes, start: int) -> Page:
    capture, version, flags, granule, serial, sequence, seal, segments = _HEAD.unpack_from(data)
    if capture != b"OggS" or version:
        raise ValueError(f"got {bytes(capture)!r} version {version} at byte {start}, wanted b'OggS' version 0")
    if seal != checksum(data[:_CHECKSUM] + bytes(4) + data[_CHECKSUM + 4 :]):
        raise ValueError(f"the page at byte {start} has a wrong checksum")
    packets, size, at = [], 0, _HEAD.size + segments
    for segment in data[_HEAD.size : at]:
        size += segment
        if segment < SEGMENTS:
            packets.append(data[at : at + size])
            at, size = at + size, 0
    if size or flags & 1:
        raise ValueError(f"a packet of the page at byte {start} runs on into another page, wanted whole packets")
    return Page(tuple(packets), granule, serial, sequence, flags)


def opus_head(channels: int, preskip: int, rate: int) -> bytes:
    """The identification header. `preskip`: frames at the stream's start that a decoder throws away."""
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, preskip, rate, 0, 0)


def opus_tags(vendor: str, fields: Iterable[str] = ()) -> bytes:
    """The comment header; fields such as "TITLE=Bach, Endlessly"."""
    return b"OpusTags" + comments(vendor, fields)


def comments(vendor: str, fields: Iterable[str]) -> bytes:
    """Vorbis comments, as Opus and FLAC have them."""
    own = [field.encode() for field in fields]
    return b"".join((_text(vendor.encode()), struct.pack("<I", len(own)), *map(_text, own)))


def _text(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text
