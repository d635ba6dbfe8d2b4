"""A channel's encodings: packets of its sound in the formats that are listened to, and in no other.

The studio works ahead of the air, so a format that somebody begins to listen to is wanted of sound that was sent
already: it is kept as long as it may be asked for, and encoded anew from there, as fast as that goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from radio.formats import BLOCK
from radio.link import Credit, Encoded, Packet
from radio.settings import StationConfig
from radio.studio.encoders import Encoder, codec, encoder
from radio.studio.programme import Samples, Sound


@dataclass(frozen=True, slots=True)
class Kept:
    """A block that was sent."""

    number: int
    sound: Sound
    formats: set[str] = field(default_factory=set)
    """Those it was sent in."""


class Encodings:
    """Makes a channel's packets, the first of which has this number. For one thread."""

    def __init__(self, station: StationConfig, channel: str, number: int) -> None:
        self.channel, self.number = channel, number
        self.station, self._first = station, number
        self._kept: deque[Kept] = deque()
        self._encoders: dict[str, Encoder] = {}

    @property
    def headers(self) -> Mapping[str, bytes]:
        """What a listener gets first, by format."""
        return {name: codec(name).header(self.station.name) for name in self.station.formats}

    @property
    def formats(self) -> tuple[str, ...]:
        """Those that are made."""
        return tuple(self._encoders)

    @property
    def kept(self) -> int:
        """Blocks of sound in memory."""
        return len(self._kept)

    def remember(self, sound: Sound) -> None:
        """Takes sound from before the first packet, which new encoders begin with."""
        self._kept.append(Kept(self.number - 1, sound))

    def take_back(self, number: int) -> Sound | None:
        """Forgets the packets from `number` on, which are to be made anew; what that one was made of, if it was."""
        cut = None
        while self._kept and self._kept[-1].number >= number:
            cut = self._kept.pop().sound
        self.number, self._first = number, min(number, self._first)
        self._encoders.clear()
        return cut

    def want(self, credit: Credit) -> Iterator[Encoded]:
        """Makes the formats wanted from now on; what was sent already in those that are new to it."""
        # A new encoder begins with the block before its first.
        oldest = credit.since if credit.keep is None else min(credit.keep, credit.since)
        while self._kept and self._kept[0].number < oldest - 1:
            self._kept.popleft()
        for name in set(self._encoders) - set(credit.formats):
            del self._encoders[name]
        for name in credit.formats:
            if name in self.station.formats and name not in self._encoders:
                yield from self._begin(name, credit.since)

    def _begin(self, name: str, since: int) -> Iterator[Encoded]:
        """A format that is taken up again goes on after the last packet that was sent in it."""
        blocks = list(self._kept)
        begin = 0
        for index, block in enumerate(blocks):
            if name in block.formats or block.number < max(since, self._first):
                begin = index + 1
        before = blocks[begin - 1].sound.pcm if begin else None
        self._encoders[name] = encoder(self.station, name, before)
        for block in blocks[begin:]:
            yield Encoded(self.channel, block.number, name, self._encode(name, block, before))
            before = block.sound.pcm

    def packet(self, sound: Sound) -> Packet:
        """The next packet, in the formats wanted."""
        block = Kept(self.number, sound)
        before = self._kept[-1].sound.pcm if self._kept else None
        data = {name: self._encode(name, block, before) for name in self._encoders}
        self._kept.append(block)
        self.number += 1
        return Packet(
            self.channel,
            block.number,
            sound.start,
            BLOCK,
            data,
            sound.events,
            sound.title,
            sound.piece,
            sound.opening,
            sound.loudness,
        )

    def _encode(self, name: str, block: Kept, before: Samples | None) -> bytes:
        """A block in one format, after the block `before`.

        An encore may begin with any piece, so a piece begins with new encoders.
        """
        if block.sound.opening:
            self._encoders[name] = encoder(self.station, name, before)
        block.formats.add(name)
        return self._encoders[name].encode(block.sound.pcm, block.number, block.sound.start)
