"""ICY metadata (SHOUTcast titles inside the audio): pure, bytes in, bytes out.

After every `metaint` bytes of audio comes one length byte L and then 16 × L bytes of text, padded with NUL; L is 0 when
nothing has changed. There is no escape in the text: it ends at "';".

All who listen to a mount with titles are brought into one phase, so that they can be written the same bytes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from radio.formats import BLOCK, RATE

LONGEST = 255 * 16
"""Bytes of the longest text, padding included."""


def clean(title: str) -> str:
    """A title that cannot end its own field early: NFC, no control characters, "';" with a typographic quote."""
    flat = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in unicodedata.normalize("NFC", title))
    return flat.replace("';", "’;")


def block(title: str, url: str = "") -> bytes:
    """The metadata block of a title: length byte, text in UTF-8, padding; cut between characters if too long."""
    ending = f"';StreamUrl='{clean(url)}';".encode() if url else b"';"
    room = LONGEST - len(b"StreamTitle='") - len(ending)
    text = clean(title).encode()[:room].decode(errors="ignore").encode()
    whole = b"StreamTitle='" + text + ending
    length = -(-len(whole) // 16)
    return bytes((length,)) + whole.ljust(16 * length, b"\0")


@dataclass(frozen=True, slots=True)
class Phase:
    """Where in the audio one stands: bytes until the next block, and the title that was told last."""

    left: int
    title: str | None = None


def interval(bitrate: int) -> int:
    """Bytes of audio between two blocks: those of a packet, so that at a constant bitrate (kbit/s) a title begins with
    the very byte that it is the title of."""
    return bitrate * 125 * BLOCK // RATE


def interleave(audio: bytes, title: str, phase: Phase, metaint: int) -> tuple[bytes, Phase]:
    """`audio`, which belongs to `title`, with blocks where they fall due, and the phase after it.

    A block is empty where its title has been told.
    """
    parts = []
    at, left, told = 0, phase.left, phase.title
    while len(audio) - at >= left:
        parts.append(audio[at : at + left])
        at, left = at + left, metaint
        parts.append(b"\0" if title == told else block(title))
        told = title
    parts.append(audio[at:])
    return b"".join(parts), Phase(left - (len(audio) - at), told)


TAG = 10
"""Bytes of the shortest filler."""


def filler(phase: Phase, metaint: int) -> bytes:
    """An ID3v2.4 tag of padding alone: a stream that begins with it comes to its first block when `phase` does.

    Players pass over such a tag before MP3 and AAC alike. Empty where the phase is that of a beginning.
    """
    size = metaint - phase.left
    if not size:
        return b""
    body = size - TAG + metaint * (size < TAG)
    return b"ID3\4\0\0" + syncsafe(body) + bytes(body)


def syncsafe(size: int) -> bytes:
    """A size below 2**28 as ID3v2.4 writes it: seven bits a byte."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
