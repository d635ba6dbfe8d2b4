"""MP3 frames (ISO/IEC 11172-3, layer III) that are heard after others than they were made after. Pure.

Bytes of a frame may stand in the frames before it. After other frames a decoder would take their bytes for its own,
which is a loud noise.
"""

from __future__ import annotations

FRAMES = 10
"""Frames of a packet, all of one size."""
_HEADER, _SIDE = 4, 32
"""Bytes of a frame's header, and of the side information of two channels after it; no checksum between them."""


def alone(data: bytes) -> bytes:
    """A packet as it may follow any other: frames that need bytes from before it are silent, all others as they were.

    The bytes that later frames need stay where they are.

    Raises:
        ValueError: not a packet of whole frames.
    """
    size = len(data) // FRAMES
    frames = [data[at : at + size] for at in range(0, size * FRAMES, size)] if size else []
    if size * FRAMES != len(data) or not all(frame[:2] == b"\xff\xfb" for frame in frames):
        raise ValueError(f"got {len(data)} bytes that begin with {data[:2].hex()}, wanted {FRAMES} frames of fffb")
    held = 0
    for index, frame in enumerate(frames):
        needed = frame[_HEADER] << 1 | frame[_HEADER + 1] >> 7
        if needed > held:
            frames[index] = frame[:_HEADER] + bytes(_SIDE) + frame[_HEADER + _SIDE :]
        held += size - _HEADER - _SIDE
    return b"".join(frames)
