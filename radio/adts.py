"""AAC frames in ADTS (ISO/IEC 13818-7, 6.2): their headers written, and the frames taken out of them. Pure."""

from __future__ import annotations

_SHORT, _LONG = 7, 9
"""Bytes of a header without and with a checksum."""


def header(size: int) -> bytes:
    """The header before an AAC-LC frame of so many bytes: 48 kHz, two channels, no checksum."""
    size += _SHORT
    return bytes((0xFF, 0xF1, 0x4C, 0x80 | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC))


def frames(data: bytes) -> tuple[bytes, ...]:
    """The AAC frames of whole ADTS frames, without their headers.

    Raises:
        ValueError: no header where one should be, a frame cut short, or one that holds several raw data blocks.
    """
    found, at = [], 0
    while at < len(data):
        head = data[at : at + _SHORT]
        if len(head) < _SHORT or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[6] & 3:
            raise ValueError(f"got {head.hex()} at byte {at}, wanted the header of an ADTS frame of one block")
        begin = at + (_SHORT if head[1] & 1 else _LONG)
        end = at + ((head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5)
        if not begin <= end <= len(data):
            raise ValueError(f"got {len(data) - at} bytes at byte {at}, wanted the {end - at} that the header says")
        found.append(data[begin:end])
        at = end
    return tuple(found)
