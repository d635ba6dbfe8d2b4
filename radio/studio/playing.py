"""One piece as it is played: bars go in, blocks of sound come out, up to the silence after it.

On an endless channel no silence comes: on the last bar line another piece takes over, with all that is to sound yet.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radio.formats import BLOCK, RATE
from radio.music import keys
from radio.music.events import ControlEvent, Event, NoteEvent, PieceEvent
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig
from radio.studio.performer import EARLY, Performer
from radio.studio.synth import Synth

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""

LEAD = 4800
"""Frames from the start of a piece to its first bar line."""
TAIL = 1.8
"""Seconds that the last notes and the room are given to die away."""


@dataclass(frozen=True, slots=True)
class Block:
    """BLOCK frames of a piece, before its loudness is seen to."""

    start: int
    pcm: Pcm
    events: tuple[Event, ...]
    playing: Playing
    opening: bool


class Playing:
    """Plays `piece`, whose bars come one by one, from frame `start`, a packet's border, on.

    `attacca`: the frame of its first bar line, if it goes on from another piece without a pause, and `lanes` the lanes
    that programs have from that one.
    """

    def __init__(
        self,
        channel: ChannelConfig,
        piece: Piece,
        start: int,
        synth: Synth,
        attacca: int | None = None,
        lanes: Mapping[int, int] | None = None,
    ) -> None:
        self.piece, self.start, self.attacca = piece.with_bars(()), start, attacca
        self.bars: list[Bar] = []
        self.next = start
        """Where the next block starts."""
        self.end: int | None = None
        """Where the next piece may start; None as long as the last bar has not come."""
        self._channel, self._synth = channel, synth
        self._line = start + LEAD if attacca is None else attacca
        """Frame of the bar line after the bars performed."""
        self._performer = Performer(channel, piece, self._line, lanes)
        self._waiting: Bar | None = None
        """The last bar that came; it is performed once the bar after it is known."""
        self._final = start
        """Frame up to which no event can come any more."""
        self._quiet: int | None = None
        """Once it is known: where the silence after the piece begins."""
        self._events: list[tuple[int, int, Event]] = []
        """A heap: frame, serial number, event."""
        self._serial = 0
        self._take((self._announcement(),))

    def add(self, bar: Bar) -> None:
        """Takes the next bar."""
        self.bars.append(bar)
        if self._waiting is not None:
            self._perform(self._waiting, bar)
        self._waiting = bar
        if bar.left == 1 and not self._channel.endless:
            self.finish()

    def finish(self) -> None:
        """No bar comes any more."""
        if self.end is not None:
            return
        if self._waiting is not None:
            self._perform(self._waiting, None)
        self._quiet = self._border(self._final + EARLY + round(TAIL * RATE))
        self.end = self._border(self._quiet + round(self._channel.breath * RATE))

    def give_way(self, following: Bar | None) -> None:
        """No bar comes any more, and on the last bar line another piece takes over, with the bar `following`."""
        if self._waiting is not None:
            # Whatever letter the other piece begins with, a section ends here.
            self._perform(self._waiting, following and replace(following, section=""))
        self.end = self.start + (self._final - self.start) // BLOCK * BLOCK

    def then(self, piece: Piece) -> Playing:
        """The piece that takes over, to be played once this one is done. All that sounds later is its own."""
        assert self.end is not None
        later = Playing(self._channel, piece, self.end, self._synth, self._line, self._performer.lanes)
        later._take(tuple(event for at, _, event in sorted(self._events) if at >= self.end))
        self._events = sorted(kept for kept in self._events if kept[0] < self.end)
        return later

    @property
    def ready(self) -> bool:
        """Whether the next block can be rendered."""
        if self.end is not None:
            return self.next < self.end
        return self.next + BLOCK <= self._final

    @property
    def done(self) -> bool:
        """Whether the last block has been rendered."""
        return self.end is not None and self.next >= self.end

    def holds(self, frame: int) -> bool:
        """Whether `frame` is a block border of the piece that can be reached with the bars that have come."""
        reach = self._final if self.end is None else self.end
        return self.start <= frame <= reach and (frame - self.start) % BLOCK == 0

    def render(self) -> Block:
        """The next block; only when `ready`."""
        start = self.next
        self.next = start + BLOCK
        events = []
        while self._events and self._events[0][0] < self.next:
            events.append(heapq.heappop(self._events)[2])
        if self._quiet is not None and start >= self._quiet:
            if start == self._quiet:
                self._synth.reset()
            pcm = np.zeros((BLOCK, 2), dtype=np.float32)
        else:
            self._synth.play(events)
            pcm = self._synth.render(start, BLOCK)
            if self.next == self._quiet:
                pcm *= np.linspace(1, 0, BLOCK, dtype=np.float32)[:, None]
        return Block(start, pcm, tuple(events), self, start == self.start)

    def seek(self, frame: int) -> None:
        """Goes to the block border `frame`: what sounds there is struck there, what was set before is set."""
        self.next = frame
        controls: dict[tuple[int, int], ControlEvent] = {}
        while self._events and self._events[0][0] < frame:
            event = heapq.heappop(self._events)[2]
            if isinstance(event, ControlEvent):
                controls[event.lane, event.control] = event
            elif isinstance(event, NoteEvent) and event.at + event.frames > frame:
                self._synth.play((event,))
        self._synth.play(controls.values())

    def _perform(self, bar: Bar, following: Bar | None) -> None:
        performed = self._performer.play(bar, following)
        self._take(performed.events)
        self._line, self._final = performed.end, performed.end - EARLY

    def _take(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._serial += 1
            heapq.heappush(self._events, (event.at, self._serial, event))

    def _border(self, frame: int) -> int:
        """The first packet border at or after a frame."""
        return self.start + -(-(frame - self.start) // BLOCK) * BLOCK

    def _announcement(self) -> PieceEvent:
        prefix = self.piece.prefix
        key = keys.transpose(prefix.key, self._channel.transpose) if prefix.key else ""
        meter = str(prefix.meter) if prefix.meter else ""
        piece = self.piece
        return PieceEvent(self.start, piece.number, piece.title, prefix.form, key, meter, prefix.tempo, prefix.bars)
