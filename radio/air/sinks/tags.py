"""What a sound file says of itself, in the manner of its format. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import chain

from radio.air.icy import syncsafe
from radio.ogg import comments


@dataclass(frozen=True, slots=True)
class Tags:
    """Title, station, channel, genre and date (ISO 8601) of a recording."""

    title: str
    artist: str
    album: str
    genre: str
    date: str


def id3(tags: Tags) -> bytes:
    """An ID3v2.4 tag, in UTF-8."""
    texts = {"TIT2": tags.title, "TPE1": tags.artist, "TALB": tags.album, "TCON": tags.genre, "TDRC": tags.date}
    frames = b"".join(_id3_frame(name, text) for name, text in texts.items() if text)
    return b"ID3\4\0\0" + syncsafe(len(frames)) + frames


def _id3_frame(name: str, text: str) -> bytes:
    data = b"\3" + text.encode()
    return name.encode() + syncsafe(len(data)) + bytes(2) + data


def vorbis(tags: Tags) -> bytes:
    """Comments as Opus and FLAC have them."""
    texts = {"TITLE": tags.title, "ARTIST": tags.artist, "ALBUM": tags.album, "GENRE": tags.genre, "DATE": tags.date}
    return comments("radio", [f"{name}={text}" for name, text in texts.items() if text])


def info(tags: Tags) -> bytes:
    """The LIST block of a RIFF file, in UTF-8."""
    texts = {"INAM": tags.title, "IART": tags.artist, "IPRD": tags.album, "IGNR": tags.genre, "ICRD": tags.date}
    fields = b"".join(chain.from_iterable(_block(name, text.encode() + b"\0") for name, text in texts.items() if text))
    return b"LIST" + struct.pack("<I", 4 + len(fields)) + b"INFO" + fields


def _block(name: str, data: bytes) -> tuple[bytes, ...]:
    return name.encode(), struct.pack("<I", len(data)), data, bytes(len(data) % 2)
