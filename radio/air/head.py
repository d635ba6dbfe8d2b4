"""The head of an audio response, written by hand: never chunked, no length, in the words that players know.

Pure. The icy-* headers are those of SHOUTcast and Icecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from radio.config import ChannelConfig, StationConfig
from radio.formats import RATE, Format

EXPOSED = "icy-br, icy-description, icy-genre, icy-metaint, icy-name, icy-sr, icy-url, X-Radio-Frame"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Origin, Icy-MetaData, Range, Authorization",
    "Access-Control-Expose-Headers": EXPOSED,
}


def latin(text: str) -> str:
    """A header's value: one line of Latin-1."""
    return " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")


def headers(
    station: StationConfig, channel: ChannelConfig, form: Format, *, metaint: int = 0, frame: int | None = None
) -> dict[str, str]:
    """The headers of an audio response.

    Args:
        metaint: bytes of audio between two titles in it; 0: none are (the listener did not send `Icy-MetaData: 1`).
        frame: the source frame at which its sound begins; None if there is none (HEAD).
    """
    rate = station.kbits(form)
    own = {
        "Content-Type": form.content_type,
        "Connection": "close",
        "Cache-Control": "no-cache, no-store",
        "Pragma": "no-cache",
        "Expires": "Mon, 26 Jul 1997 05:00:00 GMT",
        # An endless stream has no ranges; players that ask for one are answered 200, as they expect of a radio.
        "Accept-Ranges": "none",
        "X-Accel-Buffering": "no",
        "icy-name": f"{channel.title} - {station.name}",
        "icy-description": channel.description,
        "icy-genre": channel.genre,
        "icy-url": station.url,
        "icy-br": str(rate or ""),
        "icy-sr": str(RATE),
        "icy-pub": "0",
        "ice-audio-info": f"channels=2;samplerate={RATE}" + (f";bitrate={rate}" if rate else ""),
        **CORS,
    }
    if metaint:
        own["icy-metaint"] = str(metaint)
    if frame is not None:
        own["X-Radio-Frame"] = str(frame)
    return {name: latin(value) for name, value in own.items() if value}


def head(version: tuple[int, int], fields: Mapping[str, str], status: int = 200) -> bytes:
    """Status line and headers. An HTTP/1.0 player gets HTTP/1.0; nobody gets "ICY 200 OK", which browsers refuse."""
    line = f"HTTP/1.{min(version[1], 1)} {status} {HTTPStatus(status).phrase}"
    return "\r\n".join((line, *(f"{name}: {value}" for name, value in fields.items()), "", "")).encode("latin-1")
