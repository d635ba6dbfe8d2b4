"""A studio made of sine tones: real packets, no composer, no synth. And a clock that is told the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sound
from radio.config import Config
from radio.formats import BLOCK, RATE
from radio.link import Credit, Packet, SignOn
from radio.music.events import BarEvent, NoteEvent, PieceEvent
from radio.settings import ChannelConfig, StationConfig
from radio.studio.encodings import Encodings
from radio.studio.programme import Sound

SECOND = RATE / BLOCK
"""Packets a second."""


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def config(*names: str, **station: object) -> Config:
    """A station of channels with these names, on any port of this machine."""
    own = StationConfig(host="127.0.0.1", port=0, **station)  # type: ignore[arg-type]
    return Config(own, {name: ChannelConfig(name, name.title()) for name in names})


@dataclass
class Tones:
    """A studio's packets for one channel: each piece is a number of packets of one tone, with a note in each packet.

    They are made in every format, unless it is told what is wanted.
    """

    channel: str
    length: int = 20
    """Packets a piece."""
    station: StationConfig = field(default_factory=StationConfig)
    number: int = 0
    start: int = 0
    piece: int = 0

    def __post_init__(self) -> None:
        self.encodings = Encodings(self.station, self.channel, self.number)
        list(self.encodings.want(Credit(self.channel, 0, 0, self.station.formats)))
        self._left = 0

    @property
    def headers(self) -> Mapping[str, bytes]:
        return self.encodings.headers

    def sign_on(self) -> SignOn:
        return SignOn(self.channel, self.headers)

    def packets(self, count: int) -> Iterator[Packet]:
        """The next packets."""
        for _ in range(count):
            yield self._packet()

    def _packet(self) -> Packet:
        opening = self._left == 0
        if opening:
            self.piece += 1
            self._left = self.length
        self._left -= 1
        title = f"Tone No. {self.piece}"
        pitch = 60 + self.piece % 12
        events: list[NoteEvent | BarEvent | PieceEvent] = []
        if opening:
            events.append(PieceEvent(self.start, self.piece, title, "tone", "C major", "4/4", 100.0, self.length))
        bar = self.length - self._left
        events.append(BarEvent(self.start, bar, self.length, "A", "C major", 100.0, "4/4"))
        events.append(NoteEvent(self.start + 100, 5000, 0, 0, pitch, 80))
        pcm = sound.samples(sound.tone(BLOCK, 440 * 2 ** ((pitch - 69) / 12), 0.2))
        made = Sound(self.start, pcm, tuple(events), title, self.piece, opening, -20.0)
        self.number, self.start = self.number + 1, self.start + BLOCK
        return self.encodings.packet(made)
