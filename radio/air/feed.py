"""The live feed: every note before its sound, as JSON objects, over a WebSocket or as server-sent events.

A subscriber is a bounded queue of texts that all subscribers share. One that does not keep up is dropped, not
waited for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import WSMsgType, web

from radio.air.channel import Channel
from radio.formats import RATE
from radio.link import Packet
from radio.music import events

BACKLOG = 2048
"""Messages a subscriber may be behind."""
LONGEST_TUNE = 64
"""Characters of the name under which a subscriber's audio response is told."""
TUNES = 64
"""Audio responses whose beginnings are remembered."""


class Subscriber:
    """One who follows one channel's feed. `tune`: the name under which it wants to hear of its audio response."""

    def __init__(self, tune: str = "") -> None:
        self.tune = tune
        self._texts: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG + 1)
        self.dropped = False

    def put(self, text: str) -> None:
        """Adds a message; ends the feed of one who is too far behind."""
        if self.dropped:
            return
        if self._texts.qsize() >= BACKLOG:
            self.dropped = True
            self.close()
            return
        self._texts.put_nowait(text)

    def close(self) -> None:
        """Ends the feed after what is queued."""
        if not self._texts.full():
            self._texts.put_nowait(None)

    async def get(self) -> str | None:
        """The next message; None at the end."""
        return await self._texts.get()


class Feed:
    """The feed of one channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.subscribers: set[Subscriber] = set()
        self.dropped = 0
        self.closed = False
        self._title: tuple[str, str] = ("", "")
        self._tuned: dict[str, int] = {}
        """Where the latest audio responses began: the subscriber that asked for one may join a moment after it."""

    def hello(self) -> str:
        """What a subscriber is told first."""
        channel = self.channel
        piece = events.to_json(channel.now) if channel.now else None
        return text(
            event="hello",
            channel=channel.name,
            rate=RATE,
            frame=channel.frame,
            title=channel.title,
            piece=piece,
            state=channel.state,
        )

    def join(self, subscriber: Subscriber) -> None:
        """Adds a subscriber, and tells it what is playing: a player's buffer is behind what is released by a burst."""
        subscriber.put(self.hello())
        for packet in self.channel.recent():
            for event in packet.events:
                subscriber.put(json.dumps(events.to_json(event), separators=(",", ":")))
        if subscriber.tune in self._tuned:
            subscriber.put(text(event="tuned", frame=self._tuned[subscriber.tune]))
        self.subscribers.add(subscriber)
        if self.closed:
            subscriber.close()

    def staged(self, packet: Packet, encore: bool) -> None:
        """Tells of a packet that will be released soon."""
        state = "encore" if encore else "live"
        messages = [json.dumps(events.to_json(event), separators=(",", ":")) for event in packet.events]
        if (packet.title, state) != self._title:
            self._title = (packet.title, state)
            messages.insert(0, text(event="title", at=packet.start, title=packet.title, state=state))
        self.tell(*messages)

    def clock(self) -> None:
        """Tells what frame it is."""
        self.tell(text(event="clock", frame=self.channel.frame))

    def tuned(self, tune: str, frame: int) -> None:
        """Tells the subscribers of that name at which frame the sound of their audio response begins."""
        self._tuned.pop(tune, None)
        self._tuned[tune] = frame
        if len(self._tuned) > TUNES:
            del self._tuned[next(iter(self._tuned))]
        message = text(event="tuned", frame=frame)
        for subscriber in self.subscribers:
            if subscriber.tune == tune:
                subscriber.put(message)

    def tell(self, *messages: str) -> None:
        """Sends messages to every subscriber."""
        for subscriber in tuple(self.subscribers):
            for message in messages:
                subscriber.put(message)
            if subscriber.dropped:
                self.dropped += 1
                self.subscribers.discard(subscriber)

    def close(self) -> None:
        """Ends the feed for all, and for those who come yet."""
        self.closed = True
        for subscriber in self.subscribers:
            subscriber.close()


def text(**fields: Any) -> str:
    """A message."""
    return json.dumps(fields, separators=(",", ":"))


async def websocket(request: web.Request, feed: Feed, query: Mapping[str, str]) -> web.WebSocketResponse:
    """Serves the feed over a WebSocket. What the subscriber sends is read and ignored, but for its close and pings."""
    response = web.WebSocketResponse(heartbeat=30.0, max_msg_size=4096)
    await response.prepare(request)
    subscriber = Subscriber(query.get("tune", "")[:LONGEST_TUNE])
    feed.join(subscriber)
    reading = asyncio.create_task(_drain(response, subscriber))
    try:
        while (message := await subscriber.get()) is not None:
            await response.send_str(message)
    except (ConnectionError, RuntimeError):
        pass  # it has gone
    finally:
        feed.subscribers.discard(subscriber)
        reading.cancel()
    await response.close(message=b"too slow" if subscriber.dropped else b"off air")
    return response


async def _drain(response: web.WebSocketResponse, subscriber: Subscriber) -> None:
    """Reads until the subscriber closes or breaks the protocol."""
    async for message in response:
        if message.type == WSMsgType.ERROR:
            break
    subscriber.close()


async def server_sent(request: web.Request, feed: Feed, query: Mapping[str, str]) -> web.StreamResponse:
    """Serves the feed as server-sent events."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache, no-store",
            "Access-Control-Allow-Origin": "*",
            "X-Accel-Buffering": "no",
        }
    )
    await response.prepare(request)
    subscriber = Subscriber(query.get("tune", "")[:LONGEST_TUNE])
    feed.join(subscriber)
    try:
        while (message := await subscriber.get()) is not None:
            await response.write(f"data: {message}\n\n".encode())
    except ConnectionError:
        pass  # it has gone
    finally:
        feed.subscribers.discard(subscriber)
    return response
