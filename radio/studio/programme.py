"""A channel's endless programme: pieces, one after the other, as sound. One thread runs it.

    bars → Playing (performer, synth) → blocks → loudness, AHEAD blocks later → limiter → sounds

It may be left at any block and taken up again by another process, from the channel's journal.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from radio.dayparts import at
from radio.formats import BLOCK
from radio.link import Position
from radio.music.events import Event
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig, StationConfig
from radio.studio.breaks import Breaks
from radio.studio.journal import Journal, Level, Saved
from radio.studio.limiter import Limiter
from radio.studio.loudness import Leveller, Weighting
from radio.studio.playing import Block, Playing
from radio.studio.synth import Synth

log = logging.getLogger(__name__)

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""
Samples = npt.NDArray[np.int16]
"""(frames, 2)"""

AHEAD = 25
"""Blocks in view when a gain is decided: 6 s."""
LEVEL_EVERY = 8
"""Blocks from one level in the journal to the next."""
PREROLL = 32
"""Blocks played unheard before a piece is taken up again: 7.7 s."""


class Bars(Protocol):
    """Who writes the channels' music. Safe for threads; one caller a channel."""

    def open(self, channel: ChannelConfig) -> None:
        """Writes for a channel from now on; for one that is another than it was, anew."""

    def take(self, channel: str, timeout: float) -> Piece | Bar | None:
        """A Piece opens a piece, its bars follow, the last has left == 1; None if nothing came within the seconds."""

    def resume(self, channel: str, piece: Piece) -> None:
        """Goes on with a piece after its bars: the next `take` gives the bar after them."""

    def skip(self, channel: str) -> None:
        """Leaves the piece being written: the next `take` gives a new one."""


@dataclass(frozen=True, slots=True)
class Levelled:
    """A block on its way through the limiter, and what was known when its gain was decided."""

    block: Block
    level: Level | None
    loudness: float | None


@dataclass(frozen=True, slots=True)
class Sound:
    """A block as it is sent."""

    start: int
    """Frames since the channel signed on."""
    pcm: Samples
    events: tuple[Event, ...]
    title: str
    piece: int
    """Serial number of the piece on its channel."""
    opening: bool
    loudness: float | None
    """LUFS, short-term."""


class Programme:
    """One channel's sound from `position` on, and, where a piece is gone on with, a little from before it.

    Raises:
        MissingError: FluidSynth or the soundfont is not there.
    """

    def __init__(
        self,
        station: StationConfig,
        channel: ChannelConfig,
        bars: Bars,
        position: Position,
        soundfont: Path,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall`: seconds since 1970, for the dayparts' loudness."""
        self.station, self.channel, self._wall = station, channel, wall
        self._bars = bars
        self._asked = position.start
        self._rendered = position.start
        """Where the next block to be rendered starts, between pieces."""
        self._synth = Synth(soundfont, reverb=channel.reverb)
        self._journal = Journal(station.state / f"{channel.name}.jsonl")
        self._playing: Playing | None = None
        self._opening: Piece | None = None
        """A piece that was taken while the one before had not been played to its end."""
        self._following: Playing | None = None
        """The piece that takes over from the one that is played, without a pause."""
        self._before: Playing | None = None
        """The piece that ended on its last bar line, for the next one to take over from."""
        self._journalled: Playing | None = None
        self._waiting: deque[Block] = deque()
        self._levelled: Levelled | None = None
        self._known = 0
        """Frame up to which the piece was measured before a restart."""
        self._weighting, self._limiter = Weighting(), Limiter(channel.true_peak)
        self._stop = threading.Event()
        self._leveller = Leveller(station.loudness)
        self._breaks = self._breaks_from(position.start)
        self._take_up(self._journal.load(), position.fresh)

    @property
    def voices(self) -> int:
        """Voices that sound."""
        return self._synth.voices

    @property
    def gain(self) -> float:
        """Gain in dB."""
        return round(self._leveller.gain, 2)

    def stop(self) -> None:
        """Lets `next_sound` return at once from now on. Any thread may ask."""
        self._stop.set()

    def close(self) -> None:
        """Frees the synth and closes the journal."""
        self._synth.close()
        self._journal.close()

    def next_sound(self, timeout: float) -> Sound | None:
        """The next block; None if the composer gave too little within so many seconds, or after `stop`."""
        while True:
            while len(self._waiting) <= AHEAD and not self._stop.is_set() and self._advance(timeout):
                pass
            if not self._waiting or self._stop.is_set():
                return None
            sound = self._send(self._waiting.popleft())
            if sound is not None:
                return sound

    def _advance(self, timeout: float) -> bool:
        """One step towards another block; False if the composer had nothing in time."""
        playing = self._playing
        if playing is not None and playing.ready:
            self._measure(playing.render())
            return True
        if playing is not None and playing.done:
            assert playing.end is not None
            self._rendered, self._playing, self._following = playing.end, self._following, None
            self._before = playing if self.channel.endless else None
            return True
        opening = self._opening
        if opening is not None and playing is None:
            self._opening, self._playing = None, self._opened(opening)
            return True
        item = self._bars.take(self.channel.name, timeout)
        if item is None:
            return False
        if isinstance(item, Piece):
            self._opening = item
            if playing is not None and not self.channel.endless:
                playing.finish()
        elif opening is not None and playing is not None:
            playing.give_way(item)
            self._opening, self._following = None, playing.then(opening)
            self._following.add(item)
        elif playing is None:
            self._bars.skip(self.channel.name)  # in the middle of a piece that nobody here began
        else:
            if playing is self._journalled:
                self._journal.bar(item)
            playing.add(item)
        return True

    def _breaks_from(self, start: int, known: Mapping[str, Any] | None = None) -> Breaks:
        return Breaks(self.station.breaks, self.channel.name, self.station.loudness, start, known)

    def _opened(self, piece: Piece) -> Playing:
        if self._before is not None:
            return self._before.then(piece)
        return Playing(self.channel, piece, self._rendered, self._synth)

    def _take_up(self, saved: Saved | None, fresh: bool) -> None:
        """Goes on with what was saved, if that is wanted and possible; at least it tells how loud the channel is."""
        if saved is None:
            return
        try:
            if fresh:
                self._journal.forget()
            if fresh or not self._resume(saved):
                self._remember(saved)
        except Exception:  # whatever a file holds, it must not keep a channel off the air
            log.exception("%s: what was saved is of no use, a new piece begins", self.channel.name)
            self._synth.reset()
            self._playing = self._journalled = None
            self._leveller, self._known = Leveller(self.station.loudness), 0

    def _resume(self, saved: Saved) -> bool:
        """Takes up a saved piece at the frame asked for; False if that is not possible."""
        asked, start = self._asked, saved.start
        levels = [level for level in saved.levels if level.at < asked or level.at == asked == start]
        playing = Playing(self.channel, saved.piece, start, self._synth, saved.attacca)
        for bar in saved.piece.bars:
            playing.add(bar)
        if self.channel.endless and playing.bars and playing.bars[-1].left == 1:
            playing.give_way(None)
        if not levels or not playing.holds(asked):
            return False
        level = levels[-1]
        log.info("%s: goes on with %s in bar %d", self.channel.name, saved.piece.title, len(playing.bars))
        self._leveller = Leveller(self.station.loudness, level.state)
        self._breaks = self._breaks_from(level.at, level.state.get("breaks"))
        playing.seek(max(start, level.at - PREROLL * BLOCK))
        while playing.next < level.at:
            self._weighting.groups(playing.render().pcm)
        self._playing = self._journalled = playing
        self._known = level.seen
        self._journal.begin(saved.piece, start, playing.bars, [level], saved.attacca)
        self._bars.resume(self.channel.name, saved.piece)
        return True

    def _remember(self, saved: Saved) -> None:
        """Takes from a saved piece how loud the channel is."""
        if saved.levels:
            state = {key: value for key, value in saved.levels[-1].state.items() if key != "piece"}
            self._leveller = Leveller(self.station.loudness, state)

    def _measure(self, block: Block) -> None:
        groups = self._weighting.groups(block.pcm)
        if not np.isfinite(groups).all():
            raise RuntimeError(f"the synth's sound at frame {block.start} is not finite")
        known = block.start + BLOCK <= self._known and block.playing is self._journalled
        self._leveller.push(groups, opening=_apart(block), known=known)
        self._waiting.append(block)

    def _send(self, block: Block) -> Sound | None:
        """Gives a block its gain; the block before it, done, unless that was sent already."""
        if _apart(block):
            self._leveller.open()
        level = self._level(block) if (block.start - block.playing.start) % (LEVEL_EVERY * BLOCK) == 0 else None
        self._leveller.target = self.station.loudness + at(self.channel.dayparts, self._wall()).loudness
        before, after = self._leveller.pop()
        gain = np.linspace(10 ** (before / 20), 10 ** (after / 20), BLOCK, dtype=np.float32)[:, None]
        done = self._limiter.push(self._breaks.mix(block.pcm * gain, block.start, opening=block.opening))
        ready, self._levelled = self._levelled, Levelled(block, level, self._leveller.loudness)
        if done is None or ready is None:
            return None
        self._leveller.sent(self._limiter.gains)
        if ready.block.start >= self._asked:
            self._record(ready)
        return _sound(ready, done)

    def _level(self, block: Block) -> Level:
        """The loudness before the gain of `block` is decided."""
        ends = [waiting.start + BLOCK for waiting in (block, *self._waiting) if waiting.playing is block.playing]
        seen = block.start if _apart(block) else max(ends[-1], self._known)
        breaks = self._breaks.state()
        return Level(block.start, seen, self._leveller.state() | ({"breaks": breaks} if breaks else {}))

    def _record(self, ready: Levelled) -> None:
        """Writes in the journal what a restart needs to go on from this block."""
        block = ready.block
        if block.opening:
            self._journal.begin(block.playing.piece, block.start, block.playing.bars, attacca=block.playing.attacca)
            self._journalled, self._known = block.playing, 0
        if ready.level is not None and block.playing is self._journalled:
            self._journal.level(ready.level)


def _apart(block: Block) -> bool:
    """Whether a block opens a piece after a pause, so that its loudness need not follow from what was before."""
    return block.opening and block.playing.attacca is None


def _sound(ready: Levelled, pcm: Pcm) -> Sound:
    block, piece = ready.block, ready.block.playing.piece
    samples = np.rint(np.clip(pcm, -1.0, 1.0) * 32767).astype(np.int16)
    return Sound(block.start, samples, block.events, piece.title, piece.number, block.opening, ready.loudness)
