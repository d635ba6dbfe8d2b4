"""Packets of a mount as a file of its format: whole, of known length, and as long as the packets. Pure: bytes in, out.

A file is what `begin`, then `packet` for each packet, and at last `end` return, one after the other; and when it is
done, what `beginning` returns instead of its first bytes, as many. One that was never ended plays as well.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

from radio import flac, ogg
from radio.air.sinks.tags import Tags, id3, info, vorbis
from radio.formats import BLOCK, FORMATS, HEADER_PAGES, OPUS_PRESKIP, Format

_ENDLESS = 0xFFFFFFFF


class Container:
    """MP3 and AAC, which are but frames: a tag, and the frames."""

    def __init__(self, form: Format, header: bytes, tags: Tags) -> None:
        """`header`: what a listener of the mount gets before the first packet."""
        self.form, self.header, self.tags = form, header, tags
        self.packets = 0

    def begin(self) -> bytes:
        """What the file begins with."""
        return id3(self.tags)

    def packet(self, data: bytes) -> bytes:
        """The next packet."""
        first = self.packets == 0
        self.packets += 1
        return self.form.alone(data) if first else data

    def end(self, following: bytes | None) -> bytes:
        """What the file ends with; `following`: the packet that would have come next, if there is one."""
        return b""

    def beginning(self) -> bytes:
        """What the file begins with, now that it is known how long it is; nothing if that is as it was."""
        return b""


class OpusFile(Container):
    """Ogg Opus (RFC 7845), from the stream's own start.

    A decoder throws the pre-skip away, and so is short of as much at the end: the first packet of Opus after the last
    page is added, but for what is beyond the end. The last page has to say that it is the last, so one is held back.
    """

    def begin(self) -> bytes:
        head = next(ogg.pages(self.header))
        self._serial, self._held = head.serial, b""
        tags = ogg.Page((b"OpusTags" + vorbis(self.tags),), 0, self._serial, 1)
        return bytes(head) + bytes(tags)

    def packet(self, data: bytes) -> bytes:
        self.packets += 1
        before = self._held
        self._held = ogg.restamped(data, self.packets * BLOCK, self.packets - 1 + HEADER_PAGES)
        return before

    def end(self, following: bytes | None) -> bytes:
        if following is None:
            return b"".join(bytes(replace(page, flags=ogg.LAST)) for page in ogg.pages(self._held))
        packet = next(ogg.pages(following)).packets[0]
        sequence = self.packets + HEADER_PAGES
        last = ogg.Page((packet,), self.packets * BLOCK + OPUS_PRESKIP, self._serial, sequence, ogg.LAST)
        return self._held + bytes(last)


class FlacFile(Container):
    """FLAC (RFC 9639), its frames numbered from 0."""

    def begin(self) -> bytes:
        return flac.file_header(self.header, vorbis(self.tags), self.packets * BLOCK)

    def packet(self, data: bytes) -> bytes:
        self.packets += 1
        return flac.renumbered(data, self.packets - 1)

    def beginning(self) -> bytes:
        return self.begin()


class WavFile(Container):
    """RIFF WAVE; at most 6.2 hours, since its sizes have 32 bits."""

    def begin(self) -> bytes:
        return self._header(_ENDLESS)

    def packet(self, data: bytes) -> bytes:
        self.packets += 1
        return data

    def beginning(self) -> bytes:
        return self._header(self.packets * BLOCK * 4)

    def _header(self, size: int) -> bytes:
        form, tags = self.header[12:36], info(self.tags)
        whole = min(4 + len(form) + len(tags) + 8 + size, _ENDLESS)
        return b"RIFF" + struct.pack("<I", whole) + b"WAVE" + form + tags + b"data" + struct.pack("<I", size)


_KINDS: dict[str, Callable[[Format, bytes, Tags], Container]] = {"opus": OpusFile, "flac": FlacFile, "wav": WavFile}


def container(form: str, header: bytes, tags: Tags) -> Container:
    """A file of a format."""
    return _KINDS.get(form, Container)(FORMATS[form], header, tags)
