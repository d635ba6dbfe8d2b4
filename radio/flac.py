"""FLAC frames (RFC 9639) that are moved to another place of their stream, and the stream's header. Pure."""

from __future__ import annotations

import struct

HEADER = b"fLaC"
_FIXED = 4
"""Bytes of a frame's header before its number."""
_SIZES = {0b0110: 1, 0b0111: 2}
"""Bytes that tell the frame's length after its number, by the code in the header."""
_RATES = {0b1100: 1, 0b1101: 2, 0b1110: 2}
"""Bytes that tell the rate."""
_CRC8, _CRC16 = 0x107, 0x18005
"""Generators of the checksums of a frame's header and of the whole frame."""


def stream_header(streaminfo: bytes) -> bytes:
    """What a stream begins with: the marker and the STREAMINFO block alone.

    Raises:
        ValueError: not the 34 bytes of that block.
    """
    if len(streaminfo) != 34:
        raise ValueError(f"got {len(streaminfo)} bytes of STREAMINFO, wanted 34")
    return HEADER + struct.pack(">I", 0x80 << 24 | len(streaminfo)) + streaminfo


def file_header(header: bytes, comments: bytes, frames: int) -> bytes:
    """What a file begins with: a stream's header, its length in audio frames (0: not known), and Vorbis comments.

    The checksum of the sound is left out, as in the stream: nobody here has decoded it.
    """
    info = bytearray(header[len(HEADER) + 4 :])
    packed = int.from_bytes(info[10:18]) >> 36 << 36 | frames
    info[10:18] = packed.to_bytes(8)
    blocks = struct.pack(">I", len(info)) + info + struct.pack(">I", 0x84 << 24 | len(comments)) + comments
    return HEADER + blocks


def renumbered(frame: bytes, number: int) -> bytes:
    """One whole frame as the one with that number, 0 to 2**31 − 1, of a stream of frames of one length.

    Raises:
        ValueError: not a frame of such a stream, or a number beyond its range.
    """
    if frame[:2] != b"\xff\xf8":
        raise ValueError(f"got {frame[:2].hex()}, wanted fff8: a FLAC frame of fixed length")
    before = _coded_size(frame[_FIXED])
    rest = _SIZES.get(frame[2] >> 4, 0) + _RATES.get(frame[2] & 15, 0)
    old = frame[: _FIXED + before + rest + 1]
    fields = frame[:_FIXED] + _coded(number) + old[_FIXED + before : -1]
    new = fields + bytes((_remainder(fields, _CRC8, 8),))
    # A checksum is linear: that of the new frame differs by what the old and the new header add to it, as many bits up
    # as come after them.
    body = frame[len(old) : -2]
    added = _remainder(old, _CRC16, 16) ^ _remainder(new, _CRC16, 16)
    whole = struct.unpack(">H", frame[-2:])[0] ^ _product(added, _power(8 * len(body)))
    return new + body + struct.pack(">H", whole)


def _coded(number: int) -> bytes:
    """A number as UTF-8 would code it if it went on to six bytes."""
    if not 0 <= number < 2**31:
        raise ValueError(f"got frame number {number}, wanted 0 to {2**31 - 1}")
    if number < 0x80:
        return bytes((number,))
    size = next(n for n in range(2, 7) if number < 1 << (5 * n + 1))
    tail = [0x80 | number >> 6 * place & 0x3F for place in reversed(range(size - 1))]
    return bytes((0xFF << 8 - size & 0xFF | number >> 6 * (size - 1), *tail))


def _coded_size(first: int) -> int:
    """Bytes of a coded number that begins with this byte."""
    ones = 8 - (first ^ 0xFF).bit_length()
    if ones == 1 or ones > 6:
        raise ValueError(f"got {first:#04x} where a FLAC frame's number begins")
    return max(ones, 1)


def _remainder(data: bytes, generator: int, bits: int) -> int:
    """The checksum of a few bytes, from 0, the most significant bit first."""
    found = 0
    for byte in data:
        found ^= byte << bits - 8
        for _ in range(8):
            found <<= 1
            if found >> bits:
                found ^= generator
    return found


def _product(one: int, other: int) -> int:
    """The product of two polynomials modulo the frame's generator."""
    found = 0
    while other:
        if other & 1:
            found ^= one
        one <<= 1
        if one >> 16:
            one ^= _CRC16
        other >>= 1
    return found


def _power(exponent: int) -> int:
    """x to that power, modulo the frame's generator."""
    found, base = 1, 2
    while exponent:
        if exponent & 1:
            found = _product(found, base)
        base = _product(base, base)
        exponent >>= 1
    return found
