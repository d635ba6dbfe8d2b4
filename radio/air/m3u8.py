"""HLS playlists (draft-pantos-hls-rfc8216bis). Pure: segments in, text out.

The live playlist ends at the newest part and is for listening; the rewind playlist has whole segments only, as far
back as there are any, and is for going back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from radio.air.segments import PART_SECONDS, SEGMENT_SECONDS, Segment

CONTENT_TYPE = "application/vnd.apple.mpegurl"
CODECS = "mp4a.40.2"
"""AAC-LC (RFC 6381)."""
TARGET = 6
"""Seconds that no segment exceeds, rounded."""
HOLD_BACK = 3 * TARGET
"""Seconds that a player stays behind the newest whole segment, at least."""
PART_HOLD_BACK = 3 * PART_SECONDS
"""The same for one that plays parts, behind the newest part."""
SKIP_UNTIL = 6 * TARGET
"""Seconds from the end within which an update of a playlist names every segment."""
LISTED = 10
"""Whole segments of the live playlist."""
OVERHEAD = 5000
"""Bits a second of MP4 boxes, generously: the frames' sizes are half of it."""


@dataclass(frozen=True, slots=True)
class Title:
    """A title, and when it was the title first."""

    name: str
    """No other title's on this channel, ever."""
    date: float
    """Seconds of the Unix epoch."""
    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """The same in another bit rate, of which a playlist tells how far it is."""

    uri: str
    newest: Segment


@dataclass(frozen=True, slots=True)
class Window:
    """What a playlist is made of."""

    segments: Sequence[Segment]
    """In order and without gap; the last one may be incomplete."""
    titles: Sequence[Title]
    """In order, from that of the first segment's beginning on."""
    discontinuity: int
    """Discontinuity sequence number of all of them."""
    folder: str
    """Where the segments' files are, relative to the playlist, with a slash at its end."""
    others: Sequence[Other] = ()


def stamp(date: float) -> str:
    """A date as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(round(date, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(text: str) -> str:
    """A quoted string, which has no escapes (section 4.2)."""
    return '"' + " ".join(text.split()).replace('"', "”") + '"'


def master(variants: Iterable[tuple[str, int]]) -> str:
    """The multivariant playlist of playlists with their addresses and kbit/s."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for uri, kbits in variants:
        # FFmpeg's encoder comes within a tenth of its bit rate in any six seconds.
        peak, average = kbits * 1100 + OVERHEAD, kbits * 1000 + OVERHEAD
        lines += (f'#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{CODECS}"', uri)
    return "\n".join((*lines, ""))


def live(window: Window) -> str:
    """The playlist up to the newest part."""
    whole = [segment for segment in window.segments if segment.complete][-LISTED:]
    growing = window.segments[-1]
    listed = whole if growing.complete else [*whole, growing]
    control = f"CAN-BLOCK-RELOAD=YES,HOLD-BACK={HOLD_BACK},PART-HOLD-BACK={PART_HOLD_BACK:.2f}"
    parts = f"#EXT-X-PART-INF:PART-TARGET={PART_SECONDS:.2f}"
    lines = [*_head(window, listed, control, parts)]
    after = sum(segment.seconds for segment in listed)
    for segment in listed:
        after -= segment.seconds
        lines.append(_date(segment))
        if after < HOLD_BACK:  # parts further from the end are not to be named (section 4.4.4.9)
            lines += _parts(segment, window.folder)
        if segment.complete:
            lines += _file(segment, window.folder)
    hint = next_part(growing)
    lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{window.folder}{hint}"')
    lines += (_report(other) for other in window.others)
    return "\n".join((*lines, ""))


def rewind(window: Window, *, update: bool = False) -> str:
    """The playlist of all whole segments; as an `update`, without those that a player has had (section 6.2.5.1)."""
    listed = [segment for segment in window.segments if segment.complete]
    control = f"CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_UNTIL},HOLD-BACK={HOLD_BACK}"
    lines = [*_head(window, listed, control)]
    skipped = max(0, len(listed) - math.ceil(SKIP_UNTIL / SEGMENT_SECONDS)) if update else 0
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    for segment in listed[skipped:]:
        lines += _date(segment), *_file(segment, window.folder)
    return "\n".join((*lines, ""))


def next_part(newest: Segment) -> str:
    """The file's name of the part that comes next."""
    if newest.complete:
        newest = Segment(newest.number + 1, 0.0, 0, ())
    return newest.part_name(len(newest.parts))


def _head(window: Window, listed: Sequence[Segment], control: str, *more: str) -> Iterator[str]:
    yield "#EXTM3U"
    yield "#EXT-X-VERSION:9"
    yield f"#EXT-X-TARGETDURATION:{TARGET}"
    yield f"#EXT-X-SERVER-CONTROL:{control}"
    yield from more
    yield f"#EXT-X-MEDIA-SEQUENCE:{listed[0].number}"
    yield f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.discontinuity}"
    yield "#EXT-X-INDEPENDENT-SEGMENTS"
    yield f'#EXT-X-MAP:URI="{window.folder}init.mp4"'
    for title, after in zip(window.titles, (*window.titles[1:], None), strict=True):
        if after is None or after.date > listed[0].date:
            yield _range(title)


def _range(title: Title) -> str:
    """A title as a date range that ends where the next one begins."""
    return (
        f'#EXT-X-DATERANGE:ID="{title.name}",CLASS="title",START-DATE="{stamp(title.date)}",END-ON-NEXT=YES,'
        f"X-TITLE={quoted(title.text)}"
    )


def _date(segment: Segment) -> str:
    return f"#EXT-X-PROGRAM-DATE-TIME:{stamp(segment.date)}"


def _file(segment: Segment, folder: str) -> tuple[str, str]:
    return f"#EXTINF:{segment.seconds:.2f},", folder + segment.name


def _parts(segment: Segment, folder: str) -> Iterator[str]:
    for index in range(len(segment.parts)):
        yield f'#EXT-X-PART:DURATION={PART_SECONDS:.2f},INDEPENDENT=YES,URI="{folder}{segment.part_name(index)}"'


def _report(other: Other) -> str:
    newest = other.newest
    return f'#EXT-X-RENDITION-REPORT:URI="{other.uri}",LAST-MSN={newest.number},LAST-PART={len(newest.parts) - 1}'
