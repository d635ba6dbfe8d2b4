"""A channel by HLS: its segments in each bit rate that somebody plays, and who does.

Nothing is made or kept of what nobody plays. A bit rate's segments are kept from its first player's first request on,
up to the window for going back, and dropped altogether a while after the last player has gone. What all channels keep
is bounded: the longest window is shortened first. Players stay some segments behind, and stall if there are fewer: so
the studio keeps so much sound of every channel, of which a bit rate's first segments are made.
"""

from __future__ import annotations

import asyncio
import gzip
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from radio.air import m3u8
from radio.air.channel import Channel
from radio.air.log import PacketLog
from radio.air.m3u8 import LISTED, Other, Title, Window
from radio.air.players import Players
from radio.air.segments import DELAY_SECONDS, PART, SEGMENT, SEGMENT_SECONDS, Segment, part
from radio.air.timeline import Timeline
from radio.formats import BLOCK, FORMATS
from radio.link import Packet
from radio.music.events import PieceEvent

VARIANTS = tuple(name for name, form in FORMATS.items() if "aac" in (name, form.codec))
"""Formats that HLS is made of."""
LINGER = 30.0
"""Seconds for which a bit rate is still made and kept after the last who wanted it."""
HISTORY = 4 * SEGMENT_SECONDS
"""Seconds of sound that a bit rate begins with: the three segments that players stay behind, and one under way."""
SPARE = LISTED
"""Segments kept that playlists do not name any more, for players that still have an older one."""


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist, and the same compressed by gzip."""

    text: bytes
    packed: bytes


class Variant:
    """A channel's segments in one bit rate; none while nobody plays it."""

    def __init__(self, channel: Channel, form: str, timeline: Timeline, window: float) -> None:
        self.channel, self.form, self.timeline = channel, form, timeline
        self.most = max(LISTED, int(window / SEGMENT_SECONDS)) + SPARE
        self.segments: deque[Segment] = deque()
        self.size = 0
        """Bytes kept."""
        self.heard = -LINGER
        """When somebody wanted it last."""
        self.news = asyncio.Event()
        """Wakes those who wait for a part."""
        self.closed = False
        """Whether no part will come any more."""
        self._titles: deque[Title] = deque()
        self._next: int | None = None
        """The packet that the next part begins with; None as long as nothing can be made."""
        self._floor = 0
        """The packet before which nothing is made: what was dropped does not come again as something else."""
        self._shortened = False
        self._playlists: dict[str, Playlist] = {}

    @property
    def playable(self) -> bool:
        """Whether there is a whole segment: many players take a playlist without one for an error."""
        return bool(self.segments) and (len(self.segments) > 1 or self.segments[0].complete)

    @property
    def seconds(self) -> float:
        """Seconds kept."""
        return sum(segment.seconds for segment in self.segments)

    def catch_up(self) -> None:
        """Makes the parts whose packets are in the log."""
        log = self.channel.log
        if self._next is None and self.channel.first(self.form) is not None:
            self._next = max(self._floor, beginning(log, self.form))
        while self._next is not None and self._next + PART <= log.next:
            stop = self._next + PART
            if self._next < log.first or not log.whole((self.form,), self._next, stop):
                # Only if the studio went away just as it began with this format.
                self.clear()
                return
            self._add([log[number] for number in range(self._next, stop)])
            self._next = stop

    def _add(self, packets: list[Packet]) -> None:
        number = packets[0].number // PART
        segment, place = self.timeline.number(number)
        for packet in packets:
            if not self._titles or packet.title != self._titles[-1].text:
                self._titles.append(self._title(packet))
        splice = next((index for index, packet in enumerate(packets) if packet.opening), PART)
        data = part(number, [packet.data[self.form] for packet in packets], splice)
        if self.segments and self.segments[-1].number == segment:
            growing = self.segments.pop()
            self.segments.append(replace(growing, parts=(*growing.parts, data)))
        else:
            date = self.timeline.date(packets[0].start) - DELAY_SECONDS
            self.segments.append(Segment(segment, date, place, (data,)))
        self.size += len(data)
        while len(self.segments) > self.most:
            self.shorten()
        self._playlists = {}
        self.news.set()
        self.news.clear()

    def _title(self, packet: Packet) -> Title:
        frame = title_frame(self.channel.log, packet.number)
        return Title(self.timeline.name(frame), self.timeline.date(frame), packet.title)

    def shorten(self) -> None:
        """Drops the oldest segment."""
        self.size -= self.segments.popleft().size
        self._shortened = True
        while len(self._titles) > 1 and self._titles[1].date <= self.segments[0].date:
            self._titles.popleft()
        self._playlists = {}

    def clear(self) -> None:
        """Drops everything; what comes next begins with a segment that was not begun before."""
        self._floor = -(-(self._next or 0) // SEGMENT) * SEGMENT
        self.segments.clear()
        self._titles.clear()
        self._playlists = {}
        self.size, self._next, self._shortened = 0, None, False
        self.news.set()
        self.news.clear()

    def playlist(self, kind: str, make: Callable[[Window], str], others: Iterable[Other] = ()) -> Playlist:
        """A playlist of this kind, made once for all who ask before the next part comes."""
        if kind not in self._playlists:
            listed = tuple(self.segments)[SPARE if self._shortened else 0 :]
            folder = f"../../../{self.channel.name}/{self.form}/"
            window = Window(listed, tuple(self._titles), self.timeline.discontinuity, folder, tuple(others))
            text = make(window).encode()
            self._playlists[kind] = Playlist(text, gzip.compress(text, mtime=0))
        return self._playlists[kind]

    def file(self, name: str) -> bytes | None:
        """A segment or part by its file's name; None if there is none."""
        number = name.partition(".")[0]
        if not self.segments or not number.isdecimal():
            return None
        index = int(number) - self.segments[0].number
        if not 0 <= index < len(self.segments):
            return None
        segment = self.segments[index]
        if segment.complete and name == segment.name:
            return b"".join(segment.parts)
        return next((data for at, data in enumerate(segment.parts) if name == segment.part_name(at)), None)


def beginning(log: PacketLog, form: str) -> int:
    """The packet that a bit rate nobody has played so far begins with: the earliest that a live playlist names."""
    first = log.from_which((form,), max(log.first, log.next - (LISTED + 1) * SEGMENT))
    return -(-first // PART) * PART


def title_frame(log: PacketLog, number: int) -> int:
    """The frame at which the title of a packet became the title, as far back as the log goes."""
    while number > log.first and log[number - 1].title == log[number].title:
        number -= 1
    packet = log[number]
    return next((event.at for event in packet.events if isinstance(event, PieceEvent)), packet.start)


class Hls:
    """A channel's bit rates and players."""

    def __init__(self, channel: Channel, formats: Iterable[str], window: float, timeline: Timeline) -> None:
        self.channel, self.timeline = channel, timeline
        self.players = Players()
        self.variants: Mapping[str, Variant] = {
            form: Variant(channel, form, timeline, window) for form in formats if form in VARIANTS
        }
        if self.variants:
            channel.kept = max(channel.burst, HISTORY)

    def heard(self, form: str) -> float:
        """When somebody wanted a format last."""
        return self.variants[form].heard if form in self.variants else -math.inf

    def ask(self, session: str, form: str, now: float, *, rewind: bool) -> None:
        """A player's request of a playlist."""
        self.players.ask(session, form, now, rewind=rewind)
        self.variants[form].heard = now
        self.channel.history = self.channel.kept

    def advance(self, now: float) -> None:
        """Makes what can be made, and drops what is not wanted."""
        self.players.forget(now)
        self.channel.history = self.channel.kept if self.players.any else self.channel.burst
        if self.channel.pace is not None:
            self.timeline.keep(self.channel.frame - BLOCK, now - self.channel.pace.signed_on)
        for form, variant in self.variants.items():
            if self.players.wants(form):
                variant.heard = now
            if now - variant.heard < LINGER:
                variant.catch_up()
            elif variant.segments:
                variant.clear()

    def close(self) -> None:
        """Ends all waiting."""
        for variant in self.variants.values():
            variant.closed = True
            variant.clear()

    def others(self, form: str) -> list[Other]:
        """The other bit rates that are played, for the playlist of this one."""
        others = ((other, variant) for other, variant in self.variants.items() if other != form)
        return [Other(f"../{other}/live.m3u8", own.segments[-1]) for other, own in others if own.segments]

    def live(self, form: str) -> Playlist:
        """The live playlist of a bit rate that is played."""
        return self.variants[form].playlist("live", m3u8.live, self.others(form))

    def rewind(self, form: str, *, update: bool) -> Playlist:
        """The rewind playlist of a bit rate that is played, or what is new in it."""
        return self.variants[form].playlist("update" if update else "rewind", partial(m3u8.rewind, update=update))


def bound(variants: Iterable[Variant], most: int) -> None:
    """Brings what is kept to `most` bytes, the oldest of the longest first; what live playlists need stays."""
    held = list(variants)
    while sum(variant.size for variant in held) > most:
        longest = max(held, key=lambda variant: len(variant.segments))
        if len(longest.segments) <= LISTED + 1 + SPARE:
            return
        longest.shorten()
