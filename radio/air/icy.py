"""ICY metadata (SHOUTcast titles inside the audio): pure, bytes in, bytes out.

After every `metaint` bytes of audio comes one length byte L and then 16 × L bytes of text, padded with NUL; L is 0 when
nothing has changed. There is no escape in the text: it ends at "';".
"""

from __future__ import annotations

import unicodedata

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


class Interleaver:
    """Puts titles into one listener's audio, every `metaint` bytes of it."""

    def __init__(self, metaint: int) -> None:
        self.metaint = metaint
        self._left = metaint
        self._title: str | None = None

    def feed(self, audio: bytes, title: str) -> bytes:
        """`audio`, which belongs to `title`, with metadata blocks where they fall due.

        The full block comes at the first place after a title changed, a zero byte at all others.
        """
        parts = []
        at = 0
        while len(audio) - at >= self._left:
            parts.append(audio[at : at + self._left])
            at += self._left
            self._left = self.metaint
            parts.append(b"\0" if title == self._title else block(title))
            self._title = title
        parts.append(audio[at:])
        self._left -= len(audio) - at
        return b"".join(parts)
