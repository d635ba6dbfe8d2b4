"""The head of an audio response, written by hand: never chunked, no length, in the words that players know.

Pure. The icy-* headers are those of SHOUTcast and Icecast, and of stream-meta.info.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from radio.formats import RATE, Format
from radio.settings import ChannelConfig, StationConfig

LISTED = (
    "icy-version",
    "icy-index-metadata",
    "icy-do-not-index",
    "icy-logo",
    "icy-main-stream-url",
    "icy-country-code",
    "icy-country-subdivision-code",
    "icy-language-codes",
    "icy-geo-lat-long",
)
"""Headers for directories (stream-meta.info, version 2)."""
FRAME = b"X-Radio-Frame: %d\r\n"
"""The header that tells the source frame at which a response's sound begins."""
EXPOSED = ", ".join(
    ("icy-br, icy-description, icy-genre, icy-metaint, icy-name, icy-pub, icy-sr, icy-url, X-Radio-Frame", *LISTED)
)
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Origin, Icy-MetaData, Range, Authorization",
    "Access-Control-Expose-Headers": EXPOSED,
}


def latin(text: str) -> str:
    """A header's value: one line of Latin-1."""
    return " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")


def headers(station: StationConfig, channel: ChannelConfig, form: Format, *, metaint: int = 0) -> dict[str, str]:
    """The headers of an audio response.

    Args:
        metaint: bytes of audio between two titles in it; 0: none are (the listener did not send `Icy-MetaData: 1`).
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
        "icy-pub": str(int(station.listing.public)),
        "ice-audio-info": f"channels=2;samplerate={RATE}" + (f";bitrate={rate}" if rate else ""),
        **{name: str(value) for name, value in listed(station, f"/{channel.name}.{form.extension}").items()},
        **CORS,
    }
    if metaint:
        own["icy-metaint"] = str(metaint)
    return {name: latin(value) for name, value in own.items() if value}


def listed(station: StationConfig, path: str = "") -> dict[str, str | int]:
    """What directories are told: of `LISTED` all that is known or, where they may not list it, that they may not.

    `path`: of the mount; empty: of none.
    """
    own = station.listing
    told: dict[str, str | int] = {"icy-version": 2, "icy-index-metadata": 1}
    if not own.public:
        return {**told, "icy-do-not-index": 1}
    more = {
        "icy-logo": own.logo,
        "icy-main-stream-url": own.address.rstrip("/") + path if own.address and path else "",
        "icy-country-code": own.country.upper(),
        "icy-country-subdivision-code": own.subdivision.upper(),
        "icy-language-codes": ",".join(own.languages).lower(),
        "icy-geo-lat-long": "" if own.latitude is None else f"{own.latitude},{own.longitude}",
    }
    return told | {name: value for name, value in more.items() if value}


def head(version: tuple[int, int], fields: Mapping[str, str], status: int = 200) -> bytes:
    """Status line and headers. An HTTP/1.0 player gets HTTP/1.0; nobody gets "ICY 200 OK", which browsers refuse."""
    line = f"HTTP/1.{min(version[1], 1)} {status} {HTTPStatus(status).phrase}"
    return "\r\n".join((line, *(f"{name}: {value}" for name, value in fields.items()), "", "")).encode("latin-1")
