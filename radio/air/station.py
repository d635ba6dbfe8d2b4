"""The station on the air: all channels, their listeners and feeds, and the one task that keeps time.

Everything here belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from radio.air.channel import BLOCK_SECONDS, Channel
from radio.air.feed import Feed
from radio.air.hls import Hls, bound
from radio.air.icy import interval
from radio.air.listener import NOBODY, Listener, Who
from radio.air.outlet import Outlet
from radio.air.spans import Spans, Titled
from radio.air.timeline import Sequences, Timeline
from radio.config import Config
from radio.errors import LinkError
from radio.formats import FORMATS
from radio.link import Encoded, Packet, Position
from radio.settings import ChannelConfig, StationConfig

log = logging.getLogger(__name__)

SLOWEST = 0.5
"""Seconds between two looks at a channel that has nothing to release."""
LINGER = 30.0
"""Seconds for which a format is still made after its last listener has left."""
EACH = 3
"""Packets between two writes to a listener, for a write costs the system more than the bytes in it. Listeners take
turns."""
PATIENCE = 8.0
"""Seconds that a listener waits for a format nobody else listens to."""


class Mount:
    """A channel in one format: its listeners."""

    def __init__(self, channel: Channel, form: str, station: StationConfig, addresses: Counter[str]) -> None:
        self.channel, self.form = channel, FORMATS[form]
        self._addresses = addresses
        self.metaint = interval(station.kbits(self.form))
        """Bytes of audio between two titles."""
        self.plain, self.titled = Spans(channel.log, form), Titled(channel.log, form, self.metaint)
        self.heads: dict[tuple[int, bool], tuple[ChannelConfig, bytes]] = {}
        """The heads of responses in HTTP/1.x, with titles or without, and the channel's file that they were made of."""
        self.listeners: set[Listener] = set()
        self._turns: tuple[set[Listener], ...] = tuple(set() for _ in range(EACH))
        """The same, by when they are written to."""
        self._turn = 0
        self.receptions = 0
        """Sinks that take what is sent here."""
        self.heard = -LINGER
        """When somebody listened, or wanted to, last."""
        self.news = asyncio.Event()
        """Wakes those who wait for the studio to begin with this format."""
        self.closed = False
        self.joined = self.peak = 0
        """Listeners ever, and at once."""
        self._sent = 0
        """Bytes, to those who have ended."""
        self.ended: Counter[str] = Counter()

    @property
    def path(self) -> str:
        return f"/{self.channel.name}.{self.form.extension}"

    def join(self, outlet: Outlet, head: bytes, first: int, *, icy: bool, now: float, who: Who = NOBODY) -> Listener:
        """Begins a response with the packet of a number: head, format header and burst leave at once."""
        spans = self.titled if icy else self.plain
        filler, phase = spans.begin(first)
        listener = Listener(outlet, first, spans, phase, now, who)
        listener.on_end = self._forget
        self.listeners.add(listener)
        min(self._turns, key=len).add(listener)
        self.joined += 1
        self._addresses[who.address] += 1
        self.peak = max(self.peak, len(self.listeners))
        outlet.write(head + (filler or self.channel.headers.get(self.form.name, b"")))
        listener.write(now)
        if self.closed:
            listener.end("off air")
        return listener

    @property
    def sent(self) -> int:
        """Bytes of audio and titles, to all listeners ever."""
        return self._sent + sum(listener.sent for listener in self.listeners)

    def first(self) -> int | None:
        """Number of the packet that a response that begins now begins with; None if none can begin yet."""
        return self.channel.first(self.form.name)

    def frame(self, number: int) -> int:
        """The source frame at which the sound of a packet begins."""
        start = self.channel.log[number].start
        return start - self.form.delay_at(start)

    def write(self, now: float) -> None:
        """Writes what is new to the listeners whose turn it is, and lets go of those who have ended."""
        self._turn = (self._turn + 1) % EACH
        for listener in tuple(self._turns[self._turn]):
            listener.write(now)

    def close(self, now: float) -> None:
        """Ends every response after what was released, and those that come yet."""
        self.closed = True
        for listener in tuple(self.listeners):
            listener.write(now)
            listener.end("off air")

    def _forget(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        for turn in self._turns:
            turn.discard(listener)
        self.ended[listener.why] += 1
        self._addresses[listener.who.address] -= 1
        if not self._addresses[listener.who.address]:
            del self._addresses[listener.who.address]
        self._sent += listener.sent


class Transmission:
    """What the air keeps for one channel: its configuration, state, mounts, HLS and feed."""

    def __init__(self, config: Config, own: ChannelConfig, timeline: Timeline, addresses: Counter[str]) -> None:
        station = config.station
        self.config = own
        """As the channel's file was read last."""
        self.channel = Channel(
            own.name, lookahead=config.lookahead(own.name), burst=station.burst, lead=station.feed_lead
        )
        self.mounts = {form: Mount(self.channel, form, station, addresses) for form in station.formats}
        self.hls = Hls(self.channel, station.formats, station.hls_window, timeline)
        self.feed = Feed(self.channel)
        self.channel.on_staged = self.feed.staged
        self.told = 0.0

    @property
    def listeners(self) -> int:
        return sum(len(mount.listeners) for mount in self.mounts.values()) + self.hls.players.count

    def close(self, now: float) -> None:
        """Ends every response and feed."""
        self.feed.close()
        for mount in self.mounts.values():
            mount.close(now)
        self.hls.close()

    def choose(self, now: float) -> None:
        """Asks the studio for the formats that are listened to, or were until lately."""
        for form, mount in self.mounts.items():
            mount.heard = now if mount.listeners or mount.receptions else max(mount.heard, self.hls.heard(form))
        heard = (form for form, mount in self.mounts.items() if now - mount.heard < LINGER)
        self.channel.formats = tuple(heard)

    def advance(self, now: float) -> float:
        """Releases what is due and writes it; when to look again."""
        self.choose(now)
        released = self.channel.advance(now)
        self.hls.advance(now)
        if released:
            for mount in self.mounts.values():
                mount.write(now)
                mount.news.set()
                mount.news.clear()
        if now - self.told >= 1.0 and self.channel.log:
            self.told = now
            self.feed.clock()
        if self.channel.pace is None:
            return now + BLOCK_SECONDS
        return min(max(self.channel.due(), now + 0.01), now + SLOWEST)


class Station:
    """All channels.

    The studio is to hear of what changes: `on_credit` is called when it may send more of a channel, `on_open` when a
    channel is to begin, or to begin something else, at a position, and `on_close` when one is no more.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.config, self.clock = config, clock
        self.addresses: Counter[str] = Counter()
        """Listeners of mounts, by address."""
        self._sequences, self._wall = Sequences(config.station.state / "hls.json"), wall
        self.transmissions = {name: self.transmission(config, own) for name, own in config.channels.items()}
        self.on_credit: Callable[[Channel], None] = lambda channel: None
        self.on_open: Callable[[Transmission, Position], None] = lambda transmission, position: None
        self.on_close: Callable[[str], None] = lambda name: None
        self.on_settled: Callable[[], None] = lambda: None
        """Called when channels were added, changed or removed."""
        self.dismissed = 0
        """Connections that were closed because they asked nothing."""
        self.started = clock()
        self.report: dict[str, Any] = {}
        self.studio = "starting"
        """"starting", "live" or "away"."""
        self.connections = 0
        """Times a studio has connected."""
        self.studio_pid: int | None = None
        self.troubles: dict[str, str] = {}
        self.sinks: Callable[[], list[dict[str, Any]]] = list
        """What is told of each sink."""

    @property
    def listeners(self) -> int:
        return sum(transmission.listeners for transmission in self.transmissions.values())

    def transmission(self, config: Config, own: ChannelConfig) -> Transmission:
        """What is kept for a channel of this station that is new."""
        return Transmission(config, own, Timeline(own.name, self._sequences, self._wall), self.addresses)

    def receive(self, packet: Packet) -> None:
        """Takes a packet from the studio.

        Raises:
            LinkError: of no channel here, or out of order.
        """
        self._of(packet).channel.receive(packet)

    def add(self, encoded: Encoded) -> None:
        """Takes a packet that is here already in one more format.

        Raises:
            LinkError: of no channel, format or packet here.
        """
        transmission = self._of(encoded)
        mount = transmission.mounts.get(encoded.form)
        if mount is None:
            raise LinkError(f"{encoded.channel} in {encoded.form!r}, a format that is not on this station")
        transmission.channel.add(encoded)
        mount.news.set()
        mount.news.clear()

    def _of(self, message: Packet | Encoded) -> Transmission:
        transmission = self.transmissions.get(message.channel)
        if transmission is None:
            raise LinkError(f"a packet for channel {message.channel!r}, which is not on this station")
        return transmission

    def ready(self, transmission: Transmission, mount: Mount) -> int | None:
        """Number of the packet with which somebody can begin to listen at a mount at once; None if nobody can."""
        mount.heard = self.clock()
        return mount.first() if mount.form.name in transmission.channel.formats else None

    async def supplied(self, transmission: Transmission, mount: Mount) -> int | None:
        """Waits until somebody can begin to listen at a mount.

        Returns the number of the packet to begin with; None if the studio did not give the format in time.
        """
        if (number := self.ready(transmission, mount)) is not None:
            return number
        before = transmission.channel.formats
        transmission.choose(mount.heard)
        if transmission.channel.formats != before:
            self.on_credit(transmission.channel)
        try:
            async with asyncio.timeout(PATIENCE):
                while (number := mount.first()) is None:
                    await mount.news.wait()
        except TimeoutError:
            channel = transmission.channel
            log.warning("%s: no %s came within %g s (%s)", channel.name, mount.form.name, PATIENCE, channel.state)
            return None
        return number

    async def run(self) -> None:
        """Keeps time for all channels, until cancelled. Channels are spread over a block, not released together."""
        count = max(len(self.transmissions), 1)
        now = self.clock()
        due = {name: now + index * BLOCK_SECONDS / count for index, name in enumerate(self.transmissions)}
        while True:
            now = self.clock()
            due = {name: due.get(name, now) for name in self.transmissions}
            for name, transmission in self.transmissions.items():
                if due[name] <= now:
                    due[name] = self._advance(transmission, now)
            await asyncio.sleep(max(0.005, min(due.values(), default=now + SLOWEST) - self.clock()))

    def _advance(self, transmission: Transmission, now: float) -> float:
        try:
            before = transmission.channel.credit()
            again = transmission.advance(now)
            variants = (variant for one in self.transmissions.values() for variant in one.hls.variants.values())
            bound(variants, self.config.station.hls_memory << 20)
            if transmission.channel.credit() != before:
                self.on_credit(transmission.channel)
        except Exception:
            # One channel's fault must not silence the others; it is tried again at the next block.
            log.exception("channel %s", transmission.channel.name)
            return now + BLOCK_SECONDS
        return again

    def close(self) -> None:
        """Ends every response and feed."""
        for transmission in self.transmissions.values():
            transmission.close(self.clock())
