"""One channel on the air: what the studio sent ahead, what is staged, what was released, and the encore.

    studio → ahead → staged (numbered for good, announced to the feed) → released (log, listeners)

No packet when one is due: the last finished piece is staged again from the log, until the studio has sent half a
lookahead.
Nothing here waits or touches a socket; times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from radio.air.clock import Pace
from radio.air.log import PacketLog
from radio.errors import LinkError
from radio.formats import BLOCK, RATE
from radio.link import Credit, Encoded, Packet, Position
from radio.music.events import BarEvent, PieceEvent

BLOCK_SECONDS = BLOCK / RATE
ENCORE = " (encore)"
GRACE = 4.0
"""Seconds of what is ahead that are still played after something else was asked for: the studio needs some to begin."""


class Channel:
    """One channel. `on_staged` is called with each packet as it is announced, `on_released` as it is sent."""

    def __init__(self, name: str, *, lookahead: float, burst: float, lead: float) -> None:
        self.name, self.lookahead, self.burst, self.lead = name, lookahead, burst, lead
        self.on_staged: Callable[[Packet, bool], None] = lambda packet, encore: None
        self.on_released: Callable[[Packet], None] = lambda packet: None
        self.history = self.kept = burst
        """Seconds of sound, a burst or more, that are made of a format that is new; that the studio keeps for it."""
        self.headers: Mapping[str, bytes] = {}
        self.formats: tuple[str, ...] = ()
        """Those that the studio is asked for."""
        self.log = PacketLog()
        self.pace: Pace | None = None
        self.encores = 0
        self.now: PieceEvent | None = None
        self.bar: BarEvent | None = None
        self.title = ""
        self.loudness: float | None = None
        self._ahead: deque[Packet] = deque()
        self._staged: deque[tuple[Packet, bool]] = deque()
        self._encore: Iterator[Packet] | None = None
        self._again: list[Packet] = []
        """The piece that is played as an encore."""
        self._number = self._start = 0
        self._expected = self._expected_start = 0
        """Of the studio's numbering, which runs apart from ours once an encore was played."""
        self._cut = False
        """Whether the next packet is to open a piece, since what came after the last one was taken back."""
        self._live: tuple[int, int] | None = None
        """Number of the packet from which on all are live, and what it has on the studio's; None in an encore."""
        self._released_encore = False

    @property
    def state(self) -> str:
        """ "starting", "live", "encore" or "off air"."""
        if self.pace is None:
            return "starting"
        if not self.log:
            return "off air"
        return "encore" if self._released_encore else "live"

    @property
    def ahead(self) -> float:
        """Seconds held, in every format wanted, that were not yet released; encores not counted."""
        staged = sum(not encore for _, encore in self._staged)
        made = sum(packet.holds(self.formats) for packet in self._ahead)
        return (staged + made) * BLOCK_SECONDS

    @property
    def held(self) -> float:
        """Seconds until all that is here is released, in whatever formats it is."""
        return (len(self._staged) + len(self._ahead)) * BLOCK_SECONDS

    @property
    def frame(self) -> int:
        """The frame after the last one released."""
        return self.log[self.log.next - 1].start + self.log[self.log.next - 1].frames if self.log else 0

    def recent(self) -> Iterator[Packet]:
        """The packets of the last burst, and those announced but not yet released."""
        yield from (self.log[number] for number in range(self.log.burst(self.burst), self.log.next))
        yield from (packet for packet, _ in self._staged)

    def position(self) -> Position:
        """Where the studio is to go on, as it connects; what comes is expected from there."""
        fresh = self._encore is not None or not (self.log or self._staged or self._ahead)
        if fresh:
            self._ahead.clear()
            self._expected, self._expected_start = self._number, self._start
        return Position(self._expected, self._expected_start, fresh or self._cut)

    def ends_in(self) -> float | None:
        """Seconds until another piece begins; None if that is not so soon that `cut` would spare the piece."""
        coming = [packet for packet, _ in self._staged] + list(self._ahead)
        for index, packet in enumerate(coming[: len(self._staged) + self._spared() + 1]):
            if packet.opening:
                return index * BLOCK_SECONDS
        return None

    def cut(self) -> Position:
        """Takes back what is ahead, but for GRACE or the rest of its piece: where the studio is to begin another."""
        spared = self._spared()
        openings = (index for index, packet in enumerate(self._ahead) if packet.opening)
        self._take_back(min(spared, next(openings, spared)))
        self._cut = True
        return Position(self._expected, self._expected_start, True)

    def _spared(self) -> int:
        """Packets ahead that are still played after something else was asked for."""
        return min(len(self._ahead), int(min(GRACE, self.lookahead / 2) / BLOCK_SECONDS))

    def _take_back(self, kept: int) -> None:
        """Drops what is ahead after so many packets; it is expected anew."""
        while len(self._ahead) > kept:
            packet = self._ahead.pop()
            self._expected, self._expected_start = packet.number, packet.start

    def lost(self) -> None:
        """The studio is gone: what it had not yet made in every format wanted is to be asked for again."""
        made = next((n for n, packet in enumerate(self._ahead) if not packet.holds(self.formats)), len(self._ahead))
        self._take_back(made)

    def credit(self) -> Credit:
        """What the studio may send, in its own numbering."""
        wanted = int(max(self.lookahead, self.burst + 2) / BLOCK_SECONDS)
        since = keep = self._expected - len(self._ahead)
        if self._live is not None:
            begun, shift = self._live
            since = max(self.log.burst(self.history), begun) - shift
            keep = max(self.log.burst(self.kept), begun) - shift
        return Credit(self.name, self._expected + max(0, wanted - len(self._ahead)), since, self.formats, keep)

    def receive(self, packet: Packet) -> None:
        """Takes the studio's next packet.

        Raises:
            LinkError: it is not the one expected.
        """
        wanted = (self._expected, self._expected_start)
        if (packet.number, packet.start) != wanted:
            raise LinkError(f"{self.name}: got packet {packet.number} at {packet.start}, wanted {wanted}")
        self._expected, self._expected_start = packet.number + 1, packet.start + packet.frames
        self._cut = False
        self._ahead.append(packet)

    def awaits(self, number: int) -> bool:
        """Whether the studio's packet of that number is still to come."""
        return number >= self._expected

    def add(self, encoded: Encoded) -> None:
        """Takes a packet in one more format; one that is gone, or lies before an encore, is no longer of use.

        Raises:
            LinkError: the packet was never sent.
        """
        if self.awaits(encoded.number):
            raise LinkError(f"{self.name}: packet {encoded.number} in {encoded.form}, wanted below {self._expected}")
        ahead = encoded.number - (self._expected - len(self._ahead))
        if ahead >= 0:
            self._ahead[ahead] = self._ahead[ahead].also(encoded.form, encoded.data)
        elif self._live is not None:
            begun, shift = self._live
            number = encoded.number + shift
            if number >= self.log.next:
                packet, encore = self._staged[number - self.log.next]
                self._staged[number - self.log.next] = packet.also(encoded.form, encoded.data), encore
            elif number >= max(begun, self.log.first):
                self.log[number] = self.log[number].also(encoded.form, encoded.data)

    def first(self, form: str) -> int | None:
        """Number of the packet that somebody who tunes in now is given first.

        None as long as there is none in this format, or one already staged is not.
        """
        if not all(packet.holds((form,)) for packet, _ in self._staged):
            return None
        number = self.log.from_which((form,), self.log.burst(self.burst))
        return number if number < self.log.next else None

    def sign_on(self, now: float) -> bool:
        """Signs on once there is a burst and a little more, with the burst released at once; whether it is on."""
        if self.pace is None and len(self._ahead) * BLOCK_SECONDS >= self.burst + 1:
            self.pace = Pace(now - self.burst, burst=int(self.burst * RATE))
        return self.pace is not None

    def due(self) -> float:
        """When the next packet is due; only after `sign_on`."""
        assert self.pace is not None
        return self.pace.due(self._staged[0][0].start if self._staged else self._start)

    def advance(self, now: float) -> int:
        """Stages and releases all that is due; how many packets were released."""
        released = 0
        while self.sign_on(now) and self.due() <= now:
            self._stage()
            if not self._staged:
                break
            self._release(now)
            released += 1
        self._stage()
        return released

    def _stage(self) -> None:
        """Stages packets up to the feed's lead, at least one; an encore only when there is nothing else at all."""
        if self.pace is None:
            return
        enough = len(self._ahead) * BLOCK_SECONDS >= self.lookahead / 2
        if self._encore is not None and enough:
            self._encore = None
        while not self._staged or len(self._staged) * BLOCK_SECONDS < self.lead:
            if self._encore is None and self._ahead:
                packet, encore = self._ahead.popleft(), False
            elif self._encore is None and self._staged:
                return
            else:
                found = self._from_encore()
                if found is None:
                    return
                packet, encore = found, True
            if not encore and self._live is None:
                self._live = self._number, self._number - packet.number
                # A studio that was late goes on in the middle of what its encoders made, but not after it.
                packet = packet.alone()
            packet = packet.moved(self._number, self._start)
            self._number, self._start = packet.number + 1, packet.start + packet.frames
            self._staged.append((packet, encore))
            self.on_staged(packet, encore)

    def _from_encore(self) -> Packet | None:
        """The next packet of the encore, which begins, or begins again, as needed; None if nothing was ever sent."""
        for _ in range(2):
            if self._encore is None:
                finished = self.log.finished(self.formats)
                if not finished:
                    return None
                self._again = [finished[0].alone(), *finished[1:]]
                self.encores += 1
                self._live = None
                self._encore = iter(self._again)
            packet = next(self._encore, None)
            if packet is not None:
                return replace(packet, title=packet.title.removesuffix(ENCORE) + ENCORE)
            self._encore = iter(self._again)
        return None

    def _release(self, now: float) -> None:
        assert self.pace is not None
        packet, encore = self._staged.popleft()
        self.pace.keep(packet.start, now)
        self._released_encore = encore
        self.log.append(packet)
        self.title, self.loudness = packet.title, packet.loudness
        for event in packet.events:
            if isinstance(event, PieceEvent):
                self.now = event
            elif isinstance(event, BarEvent):
                self.bar = event
        self.on_released(packet)
